"""Writes the attribution that CC BY asks for: every model seen in a set of frames."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from training.household.assets import PACKAGE, VERSION
from training.household.catalogue import ModelEntry

LICENCE_LINKS = {
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY 3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC BY 3.0 US": "https://creativecommons.org/licenses/by/3.0/us/",
}


def models_in_frames(frame_json: Iterable[Path]) -> set[str]:
    """Keys of all models in the frames: the visible ones and those hidden or dropped."""
    keys: set[str] = set()
    for path in frame_json:
        frame = json.loads(path.read_text(encoding="utf-8"))
        keys.update(instance["model"] for instance in frame["instances"])
        keys.update(frame.get("models", ()))
    keys.discard("")  # made by the renderer itself, of no model
    return keys


def attribution_markdown(keys: Iterable[str], catalogue: Mapping[str, ModelEntry]) -> str:
    """A markdown page that lists title, creator and licence of each model.

    Raises:
        KeyError: a model is not in the catalogue.
    """
    rows = []
    for key in sorted(keys):
        entry = catalogue[key]
        licence = f"[{entry.licence}]({LICENCE_LINKS[entry.licence]})"
        rows.append(f"| {_cell(entry.name)} | {_cell(entry.creator)} | {licence} | {key} |")
    head = [
        "# Attribution",
        "",
        "These images are renderings of 3D models by the creators below, taken from the Debian",
        f"package `{PACKAGE}` {VERSION} (the furniture libraries of Sweet Home 3D, converted to",
        "OBJ by Emmanuel Puybaret, https://www.sweethome3d.com). Changes: models were scaled,",
        "turned, tinted, arranged in scenes and rendered.",
        "",
        "| title | creator | licence | model |",
        "|---|---|---|---|",
    ]
    return "\n".join(head + rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ").strip()
