"""Training questions of HomeReason by frame, from one or more passes of its builder."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from training.homereason.files import read_questions
from training.homereason.question import Question, named_answer
from training.household.taxonomy import load_categories

# How often a kind is drawn, relative to the others that a frame offers. Where nothing fits, a lone
# empty mask beside eleven others would hardly be learnt.
WEIGHTS: Mapping[str, float] = {
    "explicit": 1.0,
    "implicit_short": 1.2,
    "implicit_long": 1.2,
    "imperative": 1.2,
    "attribute": 2.0,
    "relation": 2.0,
    "two_targets": 1.2,
    "nothing_fits": 1.8,
}
# Their wording says which side of the picture is meant: such a frame must not be mirrored.
SIDED = "relation"


class QuestionStore:
    """Draws questions of a frame; the same question may come again in a later step.

    Args:
        files: question files of the builder; each with another seed gives other questions.
        kinds: only questions of these kinds; None for all.
        keep: only questions that it is true of; None for all.

    Raises:
        ValueError: there is no question at all.
    """

    def __init__(
        self,
        *,
        files: Sequence[Path],
        kinds: Sequence[str] | None = None,
        keep: Callable[[Question], bool] | None = None,
    ) -> None:
        self._by_frame: dict[str, list[Question]] = {}
        for path in files:
            for one in read_questions(path):
                if (kinds is None or one.kind in kinds) and (keep is None or keep(one)):
                    self._by_frame.setdefault(one.frame, []).append(one)
        if not self._by_frame:
            raise ValueError(f"no questions in {', '.join(str(path) for path in files)}")

    def __contains__(self, frame: str) -> bool:
        """Whether a frame has questions."""
        return frame in self._by_frame

    def pick_frames(self, frames: Sequence[str], count: int, rng: random.Random) -> list[str]:
        """Up to ``count`` different ones of the frames that could be asked about next."""
        return rng.sample(frames, min(count, len(frames)))

    def draw(self, frame: str, count: int, rng: random.Random) -> list[Question]:
        """Up to ``count`` different questions of a frame, by the weights of their kinds."""
        pool = list(self._by_frame.get(frame, ()))
        chosen: list[Question] = []
        while pool and len(chosen) < count:
            weights = [WEIGHTS[one.kind] for one in pool]
            one = rng.choices(pool, weights)[0]
            chosen.append(one)
            # Neither the same question twice nor one with the same words.
            pool = [other for other in pool if other.text != one.text]
        return chosen


def spoken_answer(question: Question) -> str:
    """What the model is to say: the masks first, then what was understood."""
    categories = load_categories()
    return named_answer([categories[one].title for one in question.categories])
