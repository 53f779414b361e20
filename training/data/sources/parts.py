"""Objects and their parts: PACO-LVIS, PASCAL-Part and PartImageNet, in COCO's format.

A category is an object ("mug") or a part of one ("mug:handle" in PACO and PASCAL-Part, "Quadruped
Head" with the supercategory "Quadruped" in PartImageNet).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data import wording
from training.data.coco import CocoFile, coco_image_id, read_coco
from training.data.errors import DataError, reading
from training.data.images import read_image
from training.data.rle import segmentation_masks
from training.data.sample import Provenance, Sample
from training.data.source import Count, Shared, check_share, pick

_FAMILY = "semantic"
# An object, or an object and its part.
PartName = str | tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class PartOptions:
    """Choices for a set of parts; those of the paper by default.

    Attributes:
        several: share of samples that ask for all their parts at once.
    """

    several: float = 0.0

    def __post_init__(self) -> None:
        check_share("several", self.several)


class Parts:
    """A set of images with annotated parts; images without an annotation are not drawn.

    Args:
        name: of the set.
        coco: its annotations.
        names: of the categories, by id.
        image_path: where an image lies, from its file_name.
    """

    family = _FAMILY

    def __init__(
        self,
        *,
        name: str,
        coco: CocoFile,
        names: dict[int, PartName],
        image_path: Callable[[str], Path],
        split: str,
        shared: Shared,
        options: PartOptions,
    ) -> None:
        self.name = name
        self._coco = coco
        self._names = names
        self._image_path = image_path
        self._split = split
        self._shared = shared
        self._options = options
        annotated = [one for one in coco.images if coco.of_image.get(one)]
        self._items = [one for one in annotated if not self._excluded(one)]
        self.notes = self._remarks(annotated)
        if not self._items:
            raise DataError(
                f"{coco.path}: no image has an annotation that may be used"
                + "".join(f"; {note}" for note in self.notes)
            )

    def _excluded(self, image: int) -> bool:
        name = str(self._coco.images[image].get("file_name", ""))
        return coco_image_id(name) in self._shared.excluded

    def _remarks(self, annotated: Sequence[int]) -> tuple[str, ...]:
        out = list(self._coco.unusable[:20])
        if len(self._coco.unusable) > 20:
            out.append(f"{len(self._coco.unusable) - 20} more entries without an id")
        if bare := len(self._coco.images) - len(annotated):
            out.append(f"{bare} images have no annotation")
        if left_out := len(annotated) - len(self._items):
            out.append(f"{left_out} images of refCOCO(+/g) validation and test left out")
        return tuple(out)

    def __len__(self) -> int:
        return len(self._items)

    def key(self, index: int) -> str:
        """File name of the image."""
        image = self._items[index]
        return str(self._coco.images[image].get("file_name", f"image {image}"))

    def sample(self, index: int, rng: random.Random) -> Sample:
        """See :class:`training.data.source.Source`."""
        image_id = self._items[index]
        with reading(f"{self._coco.path}, image {image_id}"):
            image_file = self._image_path(self._coco.images[image_id]["file_name"])
        with reading(str(image_file)):
            image = read_image(image_file)
        chosen = pick(self._coco.of_image[image_id], self._shared.per_image, rng)
        names, masks = [], []
        for annotation in chosen:
            with reading(f"{self._coco.path}, annotation {annotation}"):
                entry = self._coco.annotations[annotation]
                names.append(_spoken(self._names[int(entry["category_id"])], rng))
                parts = segmentation_masks(entry["segmentation"], *image.shape[:2])
                masks.append(parts.any(axis=0).astype(np.uint8))
        several = self._options.several
        if len(names) > 1 and several > 0.0 and rng.random() < several:
            turns = [wording.several([_with_article(one).lower() for one in names], rng)]
        else:
            turns = [wording.short(one, rng) for one in names]
        with reading(f"{self._coco.path}, image {image_id}"):
            return Sample(
                image_file=image_file,
                image=image,
                conversations=tuple((turn,) for turn in turns),
                masks=np.stack(masks),
                provenance=Provenance(family=_FAMILY, set=self.name, key=self.key(index)),
            )

    def counts(self) -> list[Count]:
        """Images, annotations and categories of the annotation file."""
        coco = self._coco
        return [
            Count(split="all", what="categories", found=len(coco.categories)),
            Count(split=self._split, what="images", found=len(coco.images)),
            Count(split=self._split, what="annotations", found=len(coco.annotations)),
        ]


def _spoken(name: PartName, rng: random.Random) -> str:
    """What a person calls it; parts in one of two ways."""
    if isinstance(name, str):
        return name
    whole, part = name
    return f"{whole} {part}" if rng.random() < 0.5 else f"the {part} of the {whole}"


def _with_article(name: str) -> str:
    return name if name.startswith("the ") else f"the {name}"


def _colon_names(coco: CocoFile) -> dict[int, PartName]:
    """Names such as "trash_can" and "mug_(cup):handle"; what is in brackets is dropped."""
    out: dict[int, PartName] = {}
    for identity, name in coco.categories.items():
        pieces = [piece.split("_(")[0] for piece in name.strip().split(":")]
        if len(pieces) > 2 or not all(pieces):
            raise DataError(f"{coco.path}: category {name!r} is neither OBJECT nor OBJECT:PART")
        out[identity] = pieces[0] if len(pieces) == 1 else (pieces[0], pieces[1])
    return out


def paco_lvis(shared: Shared, options: PartOptions) -> Parts:
    """PACO-LVIS v1; its file names begin with COCO's train2017/."""
    base = shared.root / "vlpart" / "paco" / "annotations"
    coco = read_coco(base / "paco_lvis_v1_train.json")
    return Parts(
        name="paco_lvis",
        coco=coco,
        names=_colon_names(coco),
        image_path=lambda name: shared.root / "coco" / name,
        split="train",
        shared=shared,
        options=options,
    )


def pascal_part(shared: Shared, options: PartOptions) -> Parts:
    """PASCAL-Part as VLPart converts it, on the images of PASCAL VOC 2010."""
    base = shared.root / "vlpart" / "pascal_part"
    coco = read_coco(base / "train.json")
    images = base / "VOCdevkit" / "VOC2010" / "JPEGImages"
    return Parts(
        name="pascal_part",
        coco=coco,
        names=_colon_names(coco),
        image_path=lambda name: images / name,
        split="train",
        shared=shared,
        options=options,
    )


def part_image_net(shared: Shared, options: PartOptions) -> Parts:
    """PartImageNet: train.json of the download, images in train/WNID/ or flat in a folder."""
    base = shared.root / "partimagenet"
    nested = base / "annotations" / "train" / "train.json"
    path = nested if nested.is_file() else base / "train.json"
    coco = read_coco(path)

    def image_path(name: str) -> Path:
        flat = Path(name).name
        places = [
            base / "train" / flat.split("_")[0] / flat,
            base / "train" / flat,
            base / "images" / "train" / flat,
        ]
        return next((one for one in places if one.is_file()), places[0])

    return Parts(
        name="partimagenet",
        coco=coco,
        names=_super_names(coco),
        image_path=image_path,
        split="train",
        shared=shared,
        options=options,
    )


def _super_names(coco: CocoFile) -> dict[int, PartName]:
    """("quadruped", "head") from "Quadruped Head" and its supercategory."""
    out: dict[int, PartName] = {}
    for identity, name in coco.categories.items():
        whole = coco.supercategories[identity] or name.split(" ")[0]
        part = name.removeprefix(whole).strip(" :")
        if not whole or not part:
            raise DataError(f"{coco.path}: category {name!r} is not of the form OBJECT PART")
        out[identity] = (whole.lower(), part.lower())
    return out
