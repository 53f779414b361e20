"""Annotation files in COCO's format (also LVIS, PACO, PASCAL-Part, PartImageNet and REFER)."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.errors import DataError

# 000000000009.jpg (2017) and COCO_train2014_000000000009.jpg are the same picture.
_COCO_NAME = re.compile(r"(?:^|[/_])(\d{12})(?:_\d+)?\.(?:jpg|png)$", re.IGNORECASE)


def coco_image_id(name: str) -> int | None:
    """COCO's image id in a file name of train2014, val2014, train2017 or val2017; else None."""
    found = _COCO_NAME.search(name)
    return int(found[1]) if found else None


@dataclass(frozen=True, kw_only=True)
class CocoFile:
    """What is used of an annotation file; entries stay as they are until they are drawn.

    Attributes:
        path: the file.
        images: entries by id.
        annotations: entries by id, with category_id, image_id and segmentation.
        of_image: ids of an image's annotations, in file order.
        categories: names by id.
        supercategories: likewise; "" where an entry has none.
        unusable: entries without an id, in words.
    """

    path: Path
    images: dict[int, dict[str, Any]]
    annotations: dict[int, dict[str, Any]]
    of_image: dict[int, list[int]]
    categories: dict[int, str]
    supercategories: dict[int, str]
    unusable: tuple[str, ...]


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        DataError: missing, unreadable or not JSON.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; see docs/data.md for where it comes from")
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not JSON ({error}); was the download cut off? Fetch it again"
        ) from error


def read_coco(path: Path, *, images_only: Iterable[int] | None = None) -> CocoFile:
    """Read an annotation file.

    Args:
        images_only: keep only annotations of these images (the files are large).

    Raises:
        DataError: it is missing, no such file, or holds no image.
    """
    values = read_json(path)
    parts = []
    for name in ("images", "annotations", "categories"):
        part = values.get(name) if isinstance(values, dict) else None
        if not isinstance(part, list):
            raise DataError(f"{path} is no COCO annotation file: it has no list {name!r}")
        parts.append(part)
    wanted = None if images_only is None else frozenset(images_only)
    unusable: list[str] = []
    images = _by_id(parts[0], "images", unusable)
    categories = _by_id(parts[2], "categories", unusable)
    annotations: dict[int, dict[str, Any]] = {}
    of_image: dict[int, list[int]] = defaultdict(list)
    for number, entry in enumerate(parts[1]):
        try:
            identity, image = int(entry["id"]), int(entry["image_id"])
        except (KeyError, TypeError, ValueError):
            unusable.append(f"{path.name}: annotations[{number}] has no id or image_id")
            continue
        if wanted is not None and image not in wanted:
            continue
        annotations[identity] = {
            key: entry[key] for key in ("category_id", "segmentation") if key in entry
        }
        of_image[image].append(identity)
    if not images:
        raise DataError(f"{path} lists no image; was the download cut off?")
    return CocoFile(
        path=path,
        images=images,
        annotations=annotations,
        of_image=dict(of_image),
        categories={key: str(entry.get("name", "")) for key, entry in categories.items()},
        supercategories={
            key: str(entry.get("supercategory", "")) for key, entry in categories.items()
        },
        unusable=tuple(unusable),
    )


def _by_id(entries: list[Any], what: str, unusable: list[str]) -> dict[int, dict[str, Any]]:
    out: dict[int, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        try:
            out[int(entry["id"])] = entry
        except (KeyError, TypeError, ValueError):
            unusable.append(f"{what}[{number}] has no id")
    return out
