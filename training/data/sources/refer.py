"""Referring expressions: refCLEF, refCOCO, refCOCO+, refCOCOg (REFER) and gRefCOCO."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.data import wording
from training.data.coco import read_coco
from training.data.errors import DataError, reading
from training.data.images import read_image
from training.data.refs import Ref, read_refs, refs_file
from training.data.rle import segmentation_masks
from training.data.sample import Provenance, Sample, Turn
from training.data.source import Count, Shared, check_splits, pick

_FAMILY = "referring"
SPLITS = ("train", "val", "test", "testA", "testB")
# Which partition of a set is used, and where its images lie below refer_seg/images.
PARTITIONS = {
    "refclef": "unc",
    "refcoco": "unc",
    "refcoco+": "unc",
    "refcocog": "umd",
    "grefcoco": "unc",
}
_COCO_IMAGES = Path("mscoco", "images", "train2014")
_CLEF_IMAGES = Path("saiapr_tc-12")


@dataclass(frozen=True, kw_only=True)
class ReferOptions:
    """Choices for a set of referring expressions; those of the official training by default.

    Attributes:
        splits: what is drawn from.
        overlaps: what pixels become that lie in two polygons of one object: their number ("sum") or
            1 ("union").
        several: whether several targets are one mask behind one [SEG] ("union") or get a [SEG]
            and a mask "each". gRefCOCO only.
        no_target: whether an expression that means nothing is answered with an "empty_mask", or
            in words ("refuse"). gRefCOCO only.
    """

    splits: tuple[str, ...] = ("train",)
    overlaps: Literal["sum", "union"] = "sum"
    several: Literal["union", "each"] = "union"
    no_target: Literal["empty_mask", "refuse"] = "empty_mask"

    def __post_init__(self) -> None:
        check_splits(self.splits, SPLITS)


class Refer:
    """A set of referring expressions; an item is an image with all that is said about it.

    Args:
        name: a key of PARTITIONS.

    Raises:
        DataError: a file is missing, or no image of the splits may be used.
    """

    family = _FAMILY

    def __init__(self, name: str, shared: Shared, options: ReferOptions) -> None:
        self.name = name
        self._shared = shared
        self._options = options
        self._path = refs_file(shared.root, name, PARTITIONS[name])
        self._refs = read_refs(self._path)
        by_image: dict[int, list[Ref]] = defaultdict(list)
        for ref in self._refs.usable:
            if ref.split in options.splits:
                by_image[ref.image_id].append(ref)
        if not by_image:
            raise DataError(f"{self._path} holds nothing of the splits {', '.join(options.splits)}")
        folder = _CLEF_IMAGES if name == "refclef" else _COCO_IMAGES
        self._images = shared.root / "refer_seg" / "images" / folder
        self._coco = read_coco(
            shared.root / "refer_seg" / name / "instances.json", images_only=by_image
        )
        self._by_image = {
            image: refs for image, refs in by_image.items() if not self._excluded(image)
        }
        self._items = sorted(self._by_image)
        notes = [*self._refs.broken[:20], *self._coco.unusable[:20]]
        if left_out := len(by_image) - len(self._items):
            notes.append(f"{left_out} images of refCOCO(+/g) validation and test left out")
        self.notes = tuple(notes)
        if not self._items:
            raise DataError(f"{self._path}: every image is excluded (exclude_refer_validation)")

    def _excluded(self, image: int) -> bool:
        # refCLEF counts its own images: its ids mean nothing in COCO.
        return self.name != "refclef" and image in self._shared.excluded

    def __len__(self) -> int:
        return len(self._items)

    def key(self, index: int) -> str:
        """File name of the image."""
        image = self._items[index]
        entry = self._coco.images.get(image, {})
        return str(entry.get("file_name", f"image {image}"))

    def image_file(self, index: int) -> Path:
        """The image of an item.

        Raises:
            BadSampleError: the annotation file does not know it.
        """
        image_id = self._items[index]
        with reading(f"{self._coco.path}, image {image_id}"):
            if image_id not in self._coco.images:
                raise ValueError(f"{self._path.name} speaks of it, but it is not listed")
            return self._images / self._coco.images[image_id]["file_name"]

    def expressions(self, index: int) -> list[tuple[str, Ref]]:
        """All that is said about an item's image, in file order."""
        refs = self._by_image[self._items[index]]
        return [(text, ref) for ref in refs for text in ref.sentences]

    def sample(self, index: int, rng: random.Random) -> Sample:
        """See :class:`training.data.source.Source`."""
        image_id = self._items[index]
        image_file = self.image_file(index)
        with reading(str(image_file)):
            image = read_image(image_file)
        said = self.expressions(index)
        turns: list[Turn] = []
        masks: list[NDArray[np.uint8]] = []
        for text, ref in pick(said, self._shared.per_image, rng):
            targets = self.targets(ref, image.shape[0], image.shape[1])
            masks.extend(targets)
            turns.append(
                wording.short(text, rng, len(targets))
                if targets
                else wording.false_premise(text, rng)
            )
        with reading(f"{self._path}, image {image_id}"):
            return Sample(
                image_file=image_file,
                image=image,
                conversations=tuple((turn,) for turn in turns),
                masks=np.stack(masks) if masks else np.zeros((0, *image.shape[:2]), np.uint8),
                provenance=Provenance(family=_FAMILY, set=self.name, key=self.key(index)),
            )

    def targets(self, ref: Ref, height: int, width: int) -> list[NDArray[np.uint8]]:
        """One mask (height, width) per [SEG] of the answer; none when the answer is in words.

        Raises:
            BadSampleError: an annotation is missing or broken.
        """
        if not ref.annotations:
            empty = np.zeros((height, width), np.uint8)
            return [] if self._options.no_target == "refuse" else [empty]
        masks = [self._mask(one, height, width) for one in ref.annotations]
        if len(masks) == 1 or self._options.several == "each":
            return masks
        return [np.asarray(np.stack(masks).any(axis=0), np.uint8)]

    def _mask(self, annotation: int, height: int, width: int) -> NDArray[np.uint8]:
        with reading(f"{self._coco.path}, annotation {annotation}"):
            if annotation not in self._coco.annotations:
                raise ValueError(f"{self._path.name} speaks of it, but it is not listed")
            entry = self._coco.annotations[annotation]
            parts = segmentation_masks(entry["segmentation"], height, width)
        covered = parts.any(axis=0) if self._options.overlaps == "union" else parts.sum(axis=0)
        return np.asarray(covered, np.uint8)

    def counts(self) -> list[Count]:
        """Images, references and sentences of every split of the file."""
        out = []
        for split in SPLITS:
            refs = [ref for ref in self._refs.usable if ref.split == split]
            if refs:
                numbers = {
                    "images": len({ref.image_id for ref in refs}),
                    "references": len(refs),
                    "sentences": sum(len(ref.sentences) for ref in refs),
                }
                out += [Count(split=split, what=k, found=n) for k, n in numbers.items()]
        return out
