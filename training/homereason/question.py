"""One question of the benchmark, as it is written to disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lisa_model.config import SEG_TOKEN
from training.homereason import names

KINDS = (
    "explicit",
    "implicit_short",
    "implicit_long",
    "imperative",
    "attribute",
    "relation",
    "two_targets",
    "nothing_fits",
)
SUBSETS: Mapping[str, str] = {
    "a": "unseen scenes, seen categories: explicit",
    "b": "unseen models: explicit and implicit",
    "c": "unseen phrasings: implicit",
    "d": "attributes and relations",
    "e": "two targets",
    "f": "nothing fits",
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked about a frame.

    Attributes:
        frame: its name.
        kind: one of ``KINDS``.
        text: what is asked.
        targets: instance ids, one inner tuple for each [SEG] in the order of the answer; none where
            nothing fits.
        categories: of the targets, in the same order; of what is asked for in vain where nothing
            fits. For balance and statistics.
        answer: with a [SEG] for each target.
        proof: what makes it true, one fact or relation each.
        subset: letter of ``SUBSETS``, or "" (training).
    """

    frame: str
    kind: str
    text: str
    targets: tuple[tuple[int, ...], ...]
    categories: tuple[str, ...]
    answer: str
    proof: tuple[str, ...]
    subset: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.answer.count(SEG_TOKEN) != len(self.targets):
            raise ValueError(
                f"{self.frame}: answer {self.answer!r} must have {len(self.targets)} {SEG_TOKEN}"
            )
        if (self.kind == "nothing_fits") != (not self.targets):
            raise ValueError(f"{self.frame}: {self.kind} with {len(self.targets)} targets")

    @property
    def is_sentence(self) -> bool:
        """A whole sentence, not a phrase that names something (as ReasonSeg means it)."""
        return self.text.endswith((".", "?", "!"))

    @property
    def ids(self) -> tuple[int, ...]:
        """All instances that are meant."""
        return tuple(number for target in self.targets for number in target)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"is_sentence": self.is_sentence}


def parse_question(values: Mapping[str, Any]) -> Question:
    """Read :meth:`Question.as_dict` back.

    Raises:
        ValueError: a field is missing or wrong, naming it.
    """
    try:
        return Question(
            frame=str(values["frame"]),
            kind=str(values["kind"]),
            text=str(values["text"]),
            targets=tuple(tuple(int(k) for k in one) for one in values["targets"]),
            categories=tuple(str(one) for one in values["categories"]),
            answer=str(values["answer"]),
            proof=tuple(str(one) for one in values["proof"]),
            subset=str(values.get("subset", "")),
        )
    except KeyError as error:
        raise ValueError(f"question has no field {error}; build the questions again") from error


def answer_for(targets: Sequence[object]) -> str:
    """The answer of one or more targets."""
    if len(targets) == 1:
        return f"It is {SEG_TOKEN}."
    return "They are " + " and ".join([SEG_TOKEN] * len(targets)) + "."


def named_answer(titles: Sequence[str]) -> str:
    """The same, with what was understood behind the masks: one title for each target."""
    masks = answer_for(titles).removesuffix(".")
    return f"{masks}, {' and '.join(map(names.the, titles))}."
