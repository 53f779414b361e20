"""ReasonSeg as the official validation asks it: the first question of each image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lisa_model.metrics import MaskScore, score_mask
from training.data.errors import reading
from training.data.images import read_image
from training.data.published import PUBLISHED
from training.data.source import list_files
from training.evaluation.contender import Ask
from training.evaluation.items import Item
from training.official.reason_seg import read_item

REMEDY = "--data must name the folder ReasonSeg with train/, val/ and test/, see docs/data.md"


class ReasonSegBenchmark:
    """A split of ReasonSeg on disk.

    Args:
        folder: ``dataset/reason_seg/ReasonSeg``.
        split: train, val or test.

    Raises:
        DataError: there is no such split, or no image in it.
    """

    name = "reasonseg"
    set = "ReasonSeg"
    notes: Sequence[str] = ()

    def __init__(self, folder: Path, split: str) -> None:
        self.split = split
        self.options: dict[str, object] = {"questions": "the first of each image"}
        self.published = PUBLISHED.get(("reason_seg", split, "images"))
        self._files = list_files(folder / split, ".jpg", remedy=REMEDY)

    def __len__(self) -> int:
        return len(self._files)

    def key(self, number: int) -> str:
        """File name of the image."""
        return self._files[number].name

    def read(self, number: int) -> Item:
        """See :class:`training.evaluation.items.Benchmark`."""
        with reading(str(self._files[number])):
            return read_first_question(self._files[number])

    def score(self, mask: NDArray[np.bool_], truth: NDArray[np.uint8]) -> MaskScore:
        """Pixels labelled "ignore" do not count."""
        return score_mask(mask, truth)


def read_first_question(path: Path) -> Item:
    """An image of ReasonSeg, its first question and its target.

    Raises:
        FileNotFoundError, ValueError: naming the file.
    """
    image = read_image(path)
    item = read_item(path, *image.shape[:2])
    # The official reader strips the text, too.
    text = item.texts[0].strip() if item.texts else ""
    if not text:
        raise ValueError(f"{path.with_suffix('.json')} has no question")
    return Item(
        key=path.name,
        image_file=path,
        image=image,
        asks=(Ask(text=text, is_sentence=item.is_sentence),),
        truths=(item.mask,),
    )
