"""ReasonSeg: questions that need reasoning, one target per image, and explanations of it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data import wording
from training.data.coco import read_json
from training.data.errors import DataError, reading
from training.data.images import read_image
from training.data.rephrase.document import key_of, read_document
from training.data.sample import Provenance, Sample, Turn
from training.data.source import Count, Shared, check_splits, count_files, list_files, pick
from training.official.reason_seg import IGNORE, ReasonSegItem, read_item

_FAMILY = "reasoning"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class ReasonSegOptions:
    """Choices for ReasonSeg; those of the official training by default.

    Attributes:
        splits: what is drawn from. Scores on a split that was trained on say nothing.
        explanatory: of the images with an explanation, the share that is answered in words only;
            the others are answered with a mask, half of them with the reason too. Negative: no
            explanations, and explanatory/train.json is not needed.
        rephrased: file of `lisa data rephrase`, relative to the working directory: each text is
            asked as it is or in one of its other wordings, each equally often. "" for none.
        require_accepted: of these take only wordings that a person accepted; or else all that none
            rejected.
        limit: use only so many images of all splits together, evenly spread; 0 for all.
    """

    splits: tuple[str, ...] = ("train",)
    explanatory: float = 0.1
    rephrased: str = ""
    require_accepted: bool = False
    limit: int = 0

    def __post_init__(self) -> None:
        check_splits(self.splits, SPLITS)
        if not self.explanatory <= 1.0:
            raise ValueError(f"explanatory must be at most 1, got {self.explanatory}")
        if self.require_accepted and not self.rephrased:
            raise ValueError("require_accepted needs rephrased, the file of `lisa data rephrase`")
        if self.limit < 0:
            raise ValueError(f"limit must not be negative, got {self.limit}")


class ReasonSeg:
    """ReasonSeg on disk; an item is an image.

    Raises:
        DataError: a split or the explanations are missing or unusable.
    """

    family = _FAMILY

    def __init__(self, shared: Shared, options: ReasonSegOptions) -> None:
        self.name = "reason_seg"
        self._shared = shared
        self._options = options
        self._base = shared.root / "reason_seg" / "ReasonSeg"
        self._images = [
            path for split in options.splits for path in list_files(self._base / split, ".jpg")
        ]
        if 0 < options.limit < len(self._images):
            count = len(self._images)
            self._images = [self._images[k * count // options.limit] for k in range(options.limit)]
        self._wordings: dict[str, tuple[str, tuple[str, ...]]] = {}
        if options.rephrased:
            document = read_document(Path(options.rephrased).expanduser())
            self._wordings = document.wordings(require_accepted=options.require_accepted)
        self._explanations: dict[str, str] = {}
        self.notes: tuple[str, ...] = ()
        if options.explanatory >= 0.0:
            self._explanations, self.notes = read_explanations(
                self._base / "explanatory" / "train.json"
            )

    def __len__(self) -> int:
        return len(self._images)

    def key(self, index: int) -> str:
        """Split and file name of the image."""
        path = self._images[index]
        return f"{path.parent.name}/{path.name}"

    def sample(self, index: int, rng: random.Random) -> Sample:
        """See :class:`training.data.source.Source`."""
        image_file = self._images[index]
        with reading(str(image_file)):
            image = read_image(image_file)
            item = read_item(image_file, *image.shape[:2])
            if not item.texts:
                raise ValueError(f"{image_file.with_suffix('.json')}: text is empty")
            chosen = pick(list(enumerate(item.texts)), self._shared.per_image, rng)
            texts = [self._wording(image_file, number, text, rng) for number, text in chosen]
        turns = self._turns(texts, item, rng)
        target = (item.mask == 1).astype(np.uint8)
        masks = np.stack([target] * len(turns))
        if not any("[SEG]" in answer for _, answer in turns):
            masks = masks[:0]
        with reading(str(image_file.with_suffix(".json"))):
            return Sample(
                image_file=image_file,
                image=image,
                conversations=tuple((turn,) for turn in turns),
                masks=masks,
                ignore=item.mask == IGNORE,
                provenance=Provenance(family=_FAMILY, set=self.name, key=self.key(index)),
            )

    def _wording(self, image: Path, number: int, text: str, rng: random.Random) -> str:
        """A text, or another wording of it if there are some."""
        if not self._wordings:
            return text
        key = key_of(image, number)
        original, others = self._wordings.get(key, (text, ()))
        if original != text:
            raise ValueError(
                f"{self._options.rephrased}: {key} is about {original!r}, but the annotation says "
                f"{text!r}; run `lisa data rephrase` again"
            )
        return rng.choice((text, *others)) if others else text

    def _turns(self, texts: list[str], item: ReasonSegItem, rng: random.Random) -> list[Turn]:
        outputs = self._explanations.get(item.image.name)
        if outputs is not None:
            # One choice for all questions of the image.
            if rng.random() < self._options.explanatory:
                return [wording.in_words(text, outputs) for text in texts]
            if rng.random() < 0.5:
                return [wording.explained(text, outputs, rng) for text in texts]
        if item.is_sentence:
            return [wording.long(text, rng) for text in texts]
        return [wording.short(text.strip(), rng) for text in texts]

    def counts(self) -> list[Count]:
        """Images of every split that is there, and explanations."""
        out = []
        for split in SPLITS:
            found = count_files(self._base / split, ".jpg")
            if found is not None:
                out.append(Count(split=split, what="images", found=found))
        if self._explanations:
            out.append(
                Count(split="explanatory", what="explanations", found=len(self._explanations))
            )
        return out


def read_explanations(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Explanations by file name of the image, and what is wrong with the other entries.

    Raises:
        DataError: the file is missing, or holds no explanation.
    """
    try:
        values = read_json(path)
    except DataError as error:
        raise DataError(f"{error}, or set explanatory: -1 to train without explanations") from error
    entries: list[Any] = values if isinstance(values, list) else []
    out: dict[str, str] = {}
    broken: list[str] = []
    for number, entry in enumerate(entries):
        try:
            out[Path(str(entry["image"])).name] = str(entry["outputs"]).strip()
        except (KeyError, TypeError):
            broken.append(f"{path.parent.name}/{path.name}[{number}] has no image or no outputs")
    if not out:
        raise DataError(f"{path} holds no explanation: it must be a list of image, query, outputs")
    return out, tuple(broken[:20])
