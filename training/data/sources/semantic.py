"""Label maps: ADE20K, COCO-Stuff and Mapillary Vistas. One class number per pixel.

Layouts and class lists are those of the data sets' own downloads, see docs/data.md.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data import wording
from training.data.coco import coco_image_id, read_json
from training.data.errors import DataError, NothingToAskError, reading
from training.data.images import read_image, read_labels
from training.data.sample import Provenance, Sample, Turn
from training.data.source import Count, Shared, check_share, count_files, list_files, pick

UNLABELLED = 255
_FAMILY = "semantic"


@dataclass(frozen=True, kw_only=True)
class SemanticOptions:
    """Choices for a set of label maps; those of the paper by default.

    Attributes:
        several: share of samples that ask for all their classes at once.
        false_premise: share of samples with a question for a class that is not there.
        leave_out: classes that are never asked for.
    """

    several: float = 0.0
    false_premise: float = 0.0
    leave_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_share("several", self.several)
        check_share("false_premise", self.false_premise)


class LabelMaps:
    """A set of images with label maps.

    Args:
        name: of the set.
        pairs: image and label map of each item.
        classes: names by label; None for labels that are not asked for.
        relabel: (256,) uint8, from the value on disk to the label; UNLABELLED is none.
        counts: what the set holds, for the check.
        notes: what was left out.
    """

    family = _FAMILY

    def __init__(
        self,
        *,
        name: str,
        pairs: Sequence[tuple[Path, Path]],
        classes: Sequence[str | None],
        relabel: NDArray[np.uint8],
        shared: Shared,
        options: SemanticOptions,
        counts: Callable[[], list[Count]],
        notes: Sequence[str] = (),
    ) -> None:
        names = {one for one in classes if one is not None}
        if unknown := sorted(set(options.leave_out) - names):
            raise DataError(
                f"{name}: leave_out names {unknown[0]!r}, which is no class of the set; there are "
                f"{', '.join(sorted(names)[:5])}, ..."
            )
        self.name = name
        self.notes = tuple(notes)
        self.counts = counts
        self._pairs = pairs
        self._classes = [None if one in options.leave_out else one for one in classes]
        self._relabel = relabel
        self._shared = shared
        self._options = options

    def __len__(self) -> int:
        return len(self._pairs)

    def key(self, index: int) -> str:
        """File name of the image."""
        return self._pairs[index][0].name

    def sample(self, index: int, rng: random.Random) -> Sample:
        """See :class:`training.data.source.Source`."""
        image_file, label_file = self._pairs[index]
        with reading(str(image_file)):
            image = read_image(image_file)
        with reading(str(label_file)):
            labels = self._relabel[read_labels(label_file)]
            if labels.shape != image.shape[:2]:
                raise ValueError(f"the label map is {labels.shape}, its image {image.shape[:2]}")
            present = [int(one) for one in np.unique(labels) if one != UNLABELLED]
            if present and present[-1] >= len(self._classes):
                raise ValueError(
                    f"label {present[-1]} is none of the {len(self._classes)} classes of the set"
                )
        named = [one for one in present if self._classes[one] is not None]
        if not named:
            raise NothingToAskError(f"{label_file} holds no class that is asked for")
        absent = self._absent(present, rng)
        room = max(1, self._shared.per_image - (absent is not None))
        chosen = pick(named, room, rng)
        turns = self._turns([str(self._classes[one]) for one in chosen], rng)
        if absent is not None:
            turns.append(wording.false_premise(absent, rng))
        return Sample(
            image_file=image_file,
            image=image,
            conversations=tuple((turn,) for turn in turns),
            masks=np.stack([(labels == one).astype(np.uint8) for one in chosen]),
            provenance=Provenance(family=_FAMILY, set=self.name, key=self.key(index)),
        )

    def _turns(self, names: list[str], rng: random.Random) -> list[Turn]:
        several = self._options.several
        if len(names) > 1 and several > 0.0 and rng.random() < several:
            return [wording.several([f"the {one.lower()}" for one in names], rng)]
        return [wording.short(one, rng) for one in names]

    def _absent(self, present: list[int], rng: random.Random) -> str | None:
        """A class to ask for in vain, in some of the samples."""
        share = self._options.false_premise
        if share == 0.0 or rng.random() >= share:
            return None
        there = {self._classes[one] for one in present}
        others = [one for one in self._classes if one is not None and one not in there]
        return rng.choice(others) if others else None


def ade20k(shared: Shared, options: SemanticOptions) -> LabelMaps:
    """ADE20K of the scene parsing challenge: 150 classes, 0 on disk is "none of them"."""
    base = shared.root / "ade20k"
    images = list_files(base / "images" / "training", ".jpg")
    labels = base / "annotations" / "training"
    classes = ade20k_classes(base)
    relabel = np.arange(-1, 255).astype(np.uint8)  # 0 -> 255, 1 -> 0, 2 -> 1, ...

    def counts() -> list[Count]:
        out = [Count(split="all", what="classes", found=len(classes))]
        for split in ("training", "validation"):
            for part, ending in (("images", ".jpg"), ("annotations", ".png")):
                found = count_files(base / part / split, ending)
                if found is not None:
                    out.append(Count(split=split, what=part, found=found))
        return out

    return LabelMaps(
        name="ade20k",
        pairs=[(image, labels / f"{image.stem}.png") for image in images],
        classes=classes,
        relabel=relabel,
        shared=shared,
        options=options,
        counts=counts,
    )


def ade20k_classes(base: Path) -> list[str]:
    """First name of each class, from objectInfo150.txt (tabs) or .csv of the challenge.

    Raises:
        DataError: neither file is there, or it is no such table.
    """
    table, commas = base / "objectInfo150.txt", base / "objectInfo150.csv"
    path = commas if commas.is_file() and not table.is_file() else table
    if not path.is_file():
        raise DataError(f"{path} is missing; it is part of ADEChallengeData2016.zip")
    text = path.read_text("utf-8", errors="replace")
    rows = list(csv.reader(text.splitlines(), delimiter="," if path is commas else "\t"))
    # Index, ratio, numbers of images, names; the names are parted by commas or semicolons.
    names = [row[-1].replace(";", ",").split(",")[0].strip() for row in rows[1:] if row]
    numbers = [row[0].strip() for row in rows[1:] if row]
    if not names or numbers != [str(k + 1) for k in range(len(names))] or not all(names):
        raise DataError(
            f"{path} is no table of classes: its first column must count 1, 2, ... and its last "
            "hold the names"
        )
    return names


def coco_stuff(shared: Shared, options: SemanticOptions) -> LabelMaps:
    """COCO-Stuff on COCO's train2017: things and stuff; 255 on disk is "none of them".

    Classes with "-" in their name (wall-brick, food-other) are left out, as in the official
    training: nobody calls them so.
    """
    base = shared.root / "cocostuff"
    maps = list_files(base / "train2017", ".png")
    images = shared.root / "coco" / "train2017"
    classes = coco_stuff_classes(base / "labels.txt")
    kept = [one for one in maps if coco_image_id(one.name) not in shared.excluded]
    notes = []
    if len(kept) < len(maps):
        notes.append(f"{len(maps) - len(kept)} images of refCOCO(+/g) validation and test left out")
    if not kept:
        raise DataError(f"{base}: every image is excluded (exclude_refer_validation)")

    def counts() -> list[Count]:
        return [
            Count(split="all", what="classes", found=len(classes)),
            Count(split="train2017", what="label maps", found=len(maps)),
            Count(split="train2017", what="images", found=count_files(images, ".jpg") or 0),
        ]

    return LabelMaps(
        name="cocostuff",
        pairs=[(images / f"{one.stem}.jpg", one) for one in kept],
        classes=[None if "-" in one else one for one in classes],
        relabel=np.arange(256).astype(np.uint8),
        shared=shared,
        options=options,
        counts=counts,
        notes=notes,
    )


def coco_stuff_classes(path: Path) -> list[str]:
    """Names from labels.txt of COCO-Stuff: lines "1: person"; 0 is "unlabeled".

    On disk the labels begin with 0 for person.

    Raises:
        DataError: missing, or no such list.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; copy labels.txt from the COCO-Stuff repository")
    names: list[str] = []
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        left, colon, name = line.partition(":")
        if not colon or not left.strip().isdigit() or not name.strip():
            raise DataError(f'{path}, line {number}: expected "number: name", got {line[:40]!r}')
        if int(left) == 0:
            continue
        if int(left) != len(names) + 1:
            raise DataError(f"{path}, line {number}: class {left} where {len(names) + 1} is due")
        names.append(name.strip())
    if not names:
        raise DataError(f"{path} names no class")
    return names


def mapillary(shared: Shared, options: SemanticOptions) -> LabelMaps:
    """Mapillary Vistas v2.0: palette images, classes in config_v2.0.json."""
    base = shared.root / "mapillary"
    maps = list_files(base / "training" / "v2.0" / "labels", ".png")
    images = base / "training" / "images"
    classes = mapillary_classes(base / "config_v2.0.json")

    def counts() -> list[Count]:
        out = [Count(split="all", what="classes", found=len(classes))]
        for split in ("training", "validation"):
            for what, folder, ending in (
                ("images", base / split / "images", ".jpg"),
                ("label maps", base / split / "v2.0" / "labels", ".png"),
            ):
                found = count_files(folder, ending)
                if found is not None:
                    out.append(Count(split=split, what=what, found=found))
        return out

    return LabelMaps(
        name="mapillary",
        pairs=[(images / f"{one.stem}.jpg", one) for one in maps],
        classes=classes,
        relabel=np.arange(256).astype(np.uint8),
        shared=shared,
        options=options,
        counts=counts,
    )


def mapillary_classes(path: Path) -> list[str]:
    """Readable names, lower case, by label.

    Raises:
        DataError: missing, or no configuration of Mapillary Vistas.
    """
    values = read_json(path)
    try:
        names = [str(label["readable"]).lower() for label in values["labels"]]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no configuration of Mapillary Vistas: it needs labels with a readable name"
        ) from error
    if not names:
        raise DataError(f"{path} names no class")
    return names
