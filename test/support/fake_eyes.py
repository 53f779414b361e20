"""A segmenter without a network: a scripted world that a follower can look at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lisa_model.look import OUTSIDE, Look
from lisa_model.segmenter import SegmentationResult
from lisa_model.zoom import CropWindow

HEIGHT, WIDTH = 120, 160
DIM = 4
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Thing:
    """Something in view.

    Attributes:
        box: x0, y0, x1, y1 in pixels; may lie out of the picture.
        kind: it answers to the query of this number.
        looks: direction of its appearance; ``kind`` when None.
        score: that the decoder gives its mask.
        presence: how likely it is what its kind's query means; None for a model that cannot tell.
    """

    box: Box
    kind: int = 0
    looks: int | None = None
    score: float = 0.9
    presence: float | None = None


@dataclass
class FakeEyes:
    """Sees ``world[k]`` in the picture number k (see :func:`picture`).

    Attributes:
        world: things by picture.
        answers: kinds that the LLM answers with, from a picture on; by picture.
        asked: pictures in which the LLM was asked.
        looked: (picture, region or None) of every look.
    """

    world: list[list[Thing]]
    answers: dict[int, tuple[int, ...]] = field(default_factory=lambda: {0: (0,)})
    asked: list[int] = field(default_factory=list)
    looked: list[tuple[int, CropWindow | None]] = field(default_factory=list)

    def segment(self, image: np.ndarray, prompt: str) -> SegmentationResult:
        """The answer of this picture; a kind that is not in view is some other thing."""
        if prompt == "":
            raise ValueError("empty")
        number = int(image[0, 0, 0])
        self.asked.append(number)
        kinds = self.answers[max(k for k in self.answers if k <= number)]
        queries = np.eye(DIM, dtype=np.float32)[list(kinds)].reshape(-1, DIM)
        things = [self._best(number, kind, None) or self._any(number) for kind in kinds]
        masks = np.array([drawn(t, image) for t in things]).reshape(-1, *image.shape[:2])
        return SegmentationResult(
            text="It is [SEG]",
            token_ids=[],
            mask_logits=np.where(masks, 5.0, -5.0).astype(np.float32),
            masks=masks,
            scores=np.array([t.score if t else 0.0 for t in things], dtype=np.float32),
            queries=queries,
        )

    def look(
        self, image: np.ndarray, queries: np.ndarray, *, region: CropWindow | None = None
    ) -> Look:
        """The things of the queries' kinds that show in the region."""
        number = int(image[0, 0, 0])
        self.looked.append((number, region))
        things = [self._best(number, int(q.argmax()), region) for q in queries]
        masks = np.array([drawn(t, image) for t in things]).reshape(-1, *image.shape[:2])
        if region is not None:
            inside = np.zeros(image.shape[:2], dtype=bool)
            inside[region.y0 : region.y1, region.x0 : region.x1] = True
            masks &= inside
        views = np.zeros((len(things), DIM), dtype=np.float32)
        for row, thing in enumerate(things):
            if thing is not None and masks[row].any():
                views[row, thing.kind if thing.looks is None else thing.looks] = 1.0
        return Look(
            mask_logits=np.where(masks, 5.0, OUTSIDE).astype(np.float32),
            masks=masks,
            scores=np.array([t.score if t else 0.0 for t in things], dtype=np.float32),
            appearances=views,
            presences=self._presences(things),
        )

    def _presences(self, things: list[Thing | None]) -> np.ndarray | None:
        known = [0.0 if thing is None else thing.presence for thing in things]
        return None if None in known else np.array(known, dtype=np.float32)

    def _best(self, number: int, kind: int, region: CropWindow | None) -> Thing | None:
        shown = [t for t in self.world[number] if t.kind == kind and visible(t, region)]
        return max(shown, key=lambda t: t.score, default=None)

    def _any(self, number: int) -> Thing | None:
        return next((t for t in self.world[number] if visible(t, None)), None)


def picture(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """The picture with this number (below 256)."""
    return np.full((height, width, 3), number, dtype=np.uint8)


def visible(thing: Thing, region: CropWindow | None) -> bool:
    """Does a thing show in a region?"""
    x0, y0, x1, y1 = region.xyxy if region else (0, 0, WIDTH, HEIGHT)
    return thing.box[0] < x1 and thing.box[2] > x0 and thing.box[1] < y1 and thing.box[3] > y0


def drawn(thing: Thing | None, image: np.ndarray) -> np.ndarray:
    """A thing's mask in a picture."""
    mask = np.zeros(image.shape[:2], dtype=bool)
    if thing is not None:
        x0, y0, x1, y1 = (max(0, v) for v in thing.box)
        mask[y0:y1, x0:x1] = True
    return mask
