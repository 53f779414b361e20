"""The Foxglove layout that is shipped, for a node in any namespace."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

LAYOUT_NAME = "foxglove_layout.json"
# These are the same in every namespace.
GLOBAL_TOPICS = frozenset({"/diagnostics", "/rosout"})


def layout_file() -> Path:
    """Return the installed layout, else that of the source tree.

    Raises:
        FileNotFoundError: neither is there.
    """
    folders = [Path(__file__).resolve().parents[1]]
    with suppress(PackageNotFoundError):
        folders.insert(0, Path(get_package_share_directory("lisa_ros")))
    for folder in folders:
        path = folder / "config" / LAYOUT_NAME
        if path.is_file():
            return path
    raise FileNotFoundError(f"{LAYOUT_NAME} is not in {' or '.join(map(str, folders))}/config")


def layout_text(namespace: str = "") -> str:
    """Return the layout, with topics in a namespace."""
    layout = json.loads(layout_file().read_text(encoding="utf-8"))
    prefix = "/" + namespace.strip("/") if namespace.strip("/") else ""

    def moved(topic: str) -> str:
        return topic if topic in GLOBAL_TOPICS else prefix + topic

    return json.dumps(map_topics(layout, moved), indent=2) + "\n"


def map_topics(value: Any, change: Callable[[str], str]) -> Any:
    """Return a layout with every topic changed: texts and keys that begin with a slash."""
    if isinstance(value, dict):
        return {map_topics(key, change): map_topics(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [map_topics(one, change) for one in value]
    return change(value) if isinstance(value, str) and value.startswith("/") else value


def topics_in(layout: Any) -> set[str]:
    """Return all topics that a layout names."""
    found: set[str] = set()

    def note(topic: str) -> str:
        # A message path goes on behind the topic: /answer.data
        found.add(topic.split(".")[0])
        return topic

    map_topics(layout, note)
    return found
