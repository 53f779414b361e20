"""Referring expressions as a benchmark: every sentence of every reference of an image is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lisa_model.metrics import MaskScore, score_mask
from training.data.errors import DataError, reading
from training.data.images import read_image
from training.data.published import PUBLISHED
from training.data.source import Shared
from training.data.sources.refer import Refer, ReferOptions
from training.evaluation.contender import Ask
from training.evaluation.gres import gres_score
from training.evaluation.items import Item

SETS = ("refcoco", "refcoco+", "refcocog", "refclef")
GENERALISED = "grefcoco"
# refCOCOg has two partitions; only UMD's is read, and tables write its splits like this.
ALIASES = {"val-U": "val", "val(U)": "val", "test-U": "test", "test(U)": "test"}


class ReferBenchmark:
    """A split of refCOCO, refCOCO+, refCOCOg (UMD), refCLEF or gRefCOCO.

    Args:
        root: folder that holds ``refer_seg``.
        set_name: one of SETS, or GENERALISED.
        split: val, testA, ...
        overlaps: pixels that lie in two polygons of one object: "sum" gives them the value 2, which
            is no target, as the official reader does; "union" makes them the target. gRefCOCO
            always has "union".
        least_pixels: gRefCOCO: answers of fewer pixels count as "nothing".

    Raises:
        DataError: a file is missing, or the split holds nothing; names the splits there are.
    """

    def __init__(
        self,
        root: Path,
        set_name: str,
        split: str,
        *,
        overlaps: str = "sum",
        least_pixels: int = 1,
    ) -> None:
        if least_pixels < 1:
            raise ValueError(f"least_pixels must be at least 1, got {least_pixels}")
        if overlaps not in ("sum", "union"):
            raise ValueError(f"overlaps must be sum or union, got {overlaps!r}")
        self.set = set_name
        self.split = ALIASES.get(split, split)
        self._general = set_name == GENERALISED
        self.name = GENERALISED if self._general else "refer"
        self._least = least_pixels
        drawn = "union" if self._general else overlaps
        self.options: dict[str, object] = {"questions": "all", "overlaps": drawn}
        if self._general:
            self.options["least_pixels"] = least_pixels
        self.published = PUBLISHED.get((set_name, self.split, "images"))
        shared = Shared(root=root)
        try:
            options = ReferOptions(splits=(self.split,), overlaps=drawn)  # type: ignore[arg-type]
            self._source = Refer(set_name, shared, options)
        except DataError as error:
            if "holds nothing of the splits" not in str(error):
                raise
            raise DataError(f"{error}; it has {', '.join(self._splits(shared))}") from error
        self.notes = self._source.notes

    def _splits(self, shared: Shared) -> list[str]:
        every = ReferOptions(splits=("train", "val", "test", "testA", "testB"))
        counts = Refer(self.set, shared, every).counts()
        return list(dict.fromkeys(count.split for count in counts))

    def __len__(self) -> int:
        return len(self._source)

    def key(self, number: int) -> str:
        """File name of the image."""
        return self._source.key(number)

    def read(self, number: int) -> Item:
        """See :class:`training.evaluation.items.Benchmark`."""
        path = self._source.image_file(number)
        with reading(str(path)):
            image = read_image(path)
        asks, truths = [], []
        for text, ref in self._source.expressions(number):
            # One mask: ReferOptions joins several targets, and draws none as an empty one.
            (truth,) = self._source.targets(ref, image.shape[0], image.shape[1])
            # The official reader asks in lower case.
            asks.append(Ask(text=text.strip().lower(), is_sentence=False))
            truths.append(truth)
        return Item(
            key=self.key(number),
            image_file=path,
            image=image,
            asks=tuple(asks),
            truths=tuple(truths),
        )

    def score(self, mask: NDArray[np.bool_], truth: NDArray[np.uint8]) -> MaskScore:
        """LISA's rule; for gRefCOCO that of GRES."""
        if self._general:
            return gres_score(mask, truth, least_pixels=self._least)
        return score_mask(mask, truth)
