"""What can be asked about a recording's frames, and which instances are meant.

- Household frames store their questions.
- An exported ScanNet scan names its objects in ``<scan>.aggregation.json`` (beside the images or in
  the folder above); a pixel of ``instance-filt`` is an object's ``objectId`` plus 1.
- scannet_frames_25k has the NYU40 class in each pixel.

Of ScanNet, one question is asked for each name in view: all objects of that name are meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lisa_model.recordings.base import RecordedFrame, Recording, RecordingError
from lisa_model.recordings.household import HouseholdRecording
from lisa_model.recordings.scannet_export import ScannetExport
from lisa_model.recordings.scannet_frames import ScannetFrames
from lisa_model.rgbd import parse_questions, read_meta

# Class ids 1..40 of NYU40, as ScanNet's label lists name them.
NYU40 = (
    "wall",
    "floor",
    "cabinet",
    "bed",
    "chair",
    "sofa",
    "table",
    "door",
    "window",
    "bookshelf",
    "picture",
    "counter",
    "blinds",
    "desk",
    "shelves",
    "curtain",
    "dresser",
    "pillow",
    "mirror",
    "floor mat",
    "clothes",
    "ceiling",
    "books",
    "refrigerator",
    "television",
    "paper",
    "towel",
    "shower curtain",
    "box",
    "whiteboard",
    "person",
    "night stand",
    "toilet",
    "sink",
    "lamp",
    "bathtub",
    "bag",
    "other structure",
    "other furniture",
    "other prop",
)
IDS_PER_CLASS = 1000
# No objects; ScanNet's own instance benchmark leaves the first two out too.
NOT_ASKED = frozenset(
    ("wall", "floor", "ceiling", "other structure", "other furniture", "other prop", "object")
)


@dataclass(frozen=True)
class Asked:
    """A question about a frame.

    Attributes:
        group: frames of one group show the same place, so their outcomes are not independent.
        instances: the ids that are meant.
    """

    group: str
    intent: str
    instances: tuple[int, ...]


Questions = Callable[[RecordedFrame], tuple[Asked, ...]]


def questions_of(recording: Recording) -> Questions:
    """Return what gives the questions about a frame of the recording.

    Raises:
        RecordingError: the recording has no annotation.
    """
    if isinstance(recording, HouseholdRecording):
        return _household(recording.path)
    if isinstance(recording, ScannetExport):
        labels = read_aggregation(recording.path)
        return lambda frame: by_name(frame, recording.path.name, labels.get)
    if isinstance(recording, ScannetFrames):
        return lambda frame: by_name(frame, frame.name.split("/")[0], _nyu40_name)
    raise RecordingError(
        f"{recording.path}: a {recording.kind} has no instance annotation. Export the scan, and "
        "unpack its 2d-instance-filt.zip beside the images"
    )


def read_aggregation(scan: Path) -> dict[int, str]:
    """Return the objects' names by their value in instance-filt.

    Raises:
        RecordingError: there is not exactly one aggregation.json, or it is malformed.
    """
    found = sorted(scan.glob("*.aggregation.json")) or sorted(
        scan.parent.glob("*.aggregation.json")
    )
    # The folder above may hold several scans; then only the one named like the folder counts.
    named = [path for path in found if path.name == f"{scan.name}.aggregation.json"] or found
    if len(named) != 1:
        raise RecordingError(
            f"{scan}: has {len(named)} files *.aggregation.json, here or above. Put the scan's own "
            "beside its images"
        )
    try:
        groups = json.loads(named[0].read_text(encoding="utf-8"))["segGroups"]
        return {int(group["objectId"]) + 1: str(group["label"]) for group in groups}
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(
            f"{named[0]}: needs segGroups, each with objectId and label ({error!r}). Get it again"
        ) from error


def by_name(
    frame: RecordedFrame, group: str, name_of: Callable[[int], str | None]
) -> tuple[Asked, ...]:
    """Return a question for each name in view.

    Raises:
        RecordingError: the frame has no annotation.
    """
    if frame.instance_ids is None:
        raise RecordingError(f"frame {frame.name}: has no instance image. Unpack the annotation")
    named: dict[str, list[int]] = {}
    for value in np.unique(frame.instance_ids).tolist():
        name = name_of(value) if value else None
        if name and name not in NOT_ASKED:
            named.setdefault(name, []).append(value)
    return tuple(
        Asked(group, f"Find the {name}.", tuple(values)) for name, values in sorted(named.items())
    )


def _nyu40_name(value: int) -> str | None:
    number = value // IDS_PER_CLASS
    return NYU40[number - 1] if 1 <= number <= len(NYU40) else None


def _household(path: Path) -> Questions:
    folder = path if path.is_dir() else path.parent

    def questions(frame: RecordedFrame) -> tuple[Asked, ...]:
        meta = read_meta(folder / f"{frame.name}.json")
        return tuple(
            Asked(frame.name, question.intent, question.instances)
            for question in parse_questions(meta)
        )

    return questions
