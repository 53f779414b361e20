"""Class-wise masks: by the vision side of lisa-tiny, or the true ones (an upper bound)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lisa_model.rgbd import RgbdFrame, load_frame, read_color
from lisa_model.segmenter import ReasoningSegmenter, frame_key
from lisa_model.tiny_segmenter import EncodedImage, TinySegmenter
from training.evaluation.two_stage.parts import Offer
from training.household.taxonomy import load_categories


class SeenClasses:
    """lisa-tiny without its LLM: the mask head, which was trained on class names alone, is asked
    with the vector of a name; how well a patch fits a name tells whether the class is visible."""

    def __init__(self, *, model: TinySegmenter, min_log_presence: float) -> None:
        """Set up.

        Args:
            model: must have the codebook of the household classes.
            min_log_presence: log-probability of a class's best patch above which the class counts
                as visible.

        Raises:
            ValueError: no codebook of these classes, or a setting out of range.
        """
        categories = load_categories()
        codebook = model.model.language.codebook
        if codebook is None or len(codebook) != len(categories):
            raise ValueError(
                f"{model.name}: needs the codebook of the {len(categories)} household classes"
            )
        if min_log_presence > 0.0:
            raise ValueError(f"min_log_presence must be at most 0, got {min_log_presence}")
        self._model = model
        self._codebook = codebook
        self._categories = list(categories.values())
        self._min_log_presence = min_log_presence
        self._last: tuple[bytes, EncodedImage, list[Offer]] | None = None
        self._masks: dict[str, NDArray[np.bool_]] = {}

    @classmethod
    def open(cls, model: str, *, device: str, dtype: str, min_log_presence: float) -> SeenClasses:
        """Open a model like lisa-tiny; see :meth:`ReasoningSegmenter.from_pretrained`."""
        segmenter = ReasoningSegmenter.from_pretrained(model, device=device, dtype=dtype)
        if not isinstance(segmenter, TinySegmenter):
            raise ValueError(f"{model}: class-wise masks need a model like lisa-tiny")
        return cls(model=segmenter, min_log_presence=min_log_presence)

    @property
    def name(self) -> str:
        """Of the model."""
        return f"classes of {self._model.name}"

    def _look(self, image: NDArray[np.uint8]) -> tuple[EncodedImage, list[Offer]]:
        key = frame_key(image)
        if self._last is None or self._last[0] != key:
            encoded = self._model.encode(image)
            with torch.inference_mode():
                (presence,) = self._model.model.mask_head.log_presence(
                    encoded.seen.features, self._codebook
                )
            offers = [
                Offer(title=one.title, names=one.names, log_presence=float(value))
                for one, value in zip(self._categories, presence, strict=True)
                if value >= self._min_log_presence
            ]
            offers.sort(key=lambda offer: -offer.log_presence)
            self._last = (key, encoded, offers)
            self._masks = {}
        return self._last[1], self._last[2]

    def classes(self, image: NDArray[np.uint8]) -> list[Offer]:
        """Classes believed visible, likeliest first."""
        return self._look(image)[1]

    def mask(self, image: NDArray[np.uint8], title: str) -> NDArray[np.bool_]:
        """(H, W) bool of a class, by its display name."""
        encoded, _ = self._look(image)
        if title not in self._masks:
            row = [one.title for one in self._categories].index(title)
            marks = self._model.masks(encoded, self._codebook[row : row + 1])
            self._masks[title] = marks.logits[0] > 0
        return self._masks[title]


class TrueClasses:
    """Ground truth in the place of a segmenter: the classes that a frame shows, with their true
    masks. What a first stage scores with it bounds what any second stage can reach."""

    name = "TRUE class masks (oracle)"

    def __init__(self, frames: Iterable[Path]) -> None:
        """Know the frames.

        Args:
            frames: their JSON files.

        Raises:
            ValueError: there are none.
        """
        self._paths = {frame_key(read_color(path.with_suffix(".jpg"))): path for path in frames}
        if not self._paths:
            raise ValueError("frames: the oracle needs the frames that it is asked about")
        self._last: tuple[bytes, RgbdFrame] | None = None

    def _frame(self, image: NDArray[np.uint8]) -> RgbdFrame:
        key = frame_key(image)
        if key not in self._paths:
            raise ValueError("frames: the oracle was asked about an image that is not among them")
        if self._last is None or self._last[0] != key:
            self._last = (key, load_frame(self._paths[key], depth=False))
        return self._last[1]

    def classes(self, image: NDArray[np.uint8]) -> list[Offer]:
        """The frame's classes, largest thing first."""
        categories = load_categories()
        things = sorted(self._frame(image).instances, key=lambda thing: -thing.area)
        found = [categories[one] for one in dict.fromkeys(thing.category for thing in things)]
        return [Offer(title=one.title, names=one.names) for one in found]

    def mask(self, image: NDArray[np.uint8], title: str) -> NDArray[np.bool_]:
        """(H, W) bool: all things of the class."""
        categories = load_categories()
        frame = self._frame(image)
        wanted = [i.id for i in frame.instances if categories[i.category].title == title]
        return frame.mask(tuple(wanted))
