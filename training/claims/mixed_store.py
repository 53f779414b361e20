"""Questions of a fine-tuning: reasoning samples among the data of the base."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from training.claims.samples import Sample
from training.homereason.question import Question
from training.tiny.question_store import QuestionStore


class MixedStore(QuestionStore):
    """A store whose frames with a reasoning sample are drawn more often.

    Such a frame is asked one of its samples, in one of its wordings at random, and fills up with
    its other questions.

    Args:
        files, keep: of the base's data.
        samples: may be empty; then this is a plain store.
        share: of a step's frames that are drawn among those with samples, 0..1.

    Raises:
        ValueError: a share outside 0..1, or no question at all.
    """

    def __init__(
        self,
        *,
        files: Sequence[Path],
        keep: Callable[[Question], bool],
        samples: Sequence[Sample],
        share: float,
    ) -> None:
        super().__init__(files=files, keep=keep)
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share must be 0..1, got {share}")
        self._share = share
        self._samples: dict[str, list[Sample]] = {}
        for one in samples:
            self._samples.setdefault(one.question.frame, []).append(one)

    def __contains__(self, frame: str) -> bool:
        """Whether a frame has questions or a sample."""
        return frame in self._samples or super().__contains__(frame)

    def pick_frames(self, frames: Sequence[str], count: int, rng: random.Random) -> list[str]:
        """Up to ``count`` different frames, the share of them with samples."""
        if not self._samples:
            return super().pick_frames(frames, count, rng)
        wanted = sum(rng.random() < self._share for _ in range(count))
        taught = [one for one in frames if one in self._samples]
        first = super().pick_frames(taught, wanted, rng)
        rest = [one for one in frames if one not in set(first)]
        return first + super().pick_frames(rest, count - len(first), rng)

    def draw(self, frame: str, count: int, rng: random.Random) -> list[Question]:
        """Up to ``count`` questions of a frame, its sample first."""
        mine = self._samples.get(frame)
        if not mine:
            return super().draw(frame, count, rng)
        sample = rng.choice(mine)
        asked = replace(sample.question, text=rng.choice(sample.texts))
        return [asked, *super().draw(frame, count - 1, rng)]
