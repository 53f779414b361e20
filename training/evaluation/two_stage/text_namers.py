"""Namers that read the question only: an LLM's words, an LLM's preference, the question itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.contender import Ask
from training.evaluation.two_stage.causal_lm import CausalLm
from training.evaluation.two_stage.parts import Naming, Offer
from training.evaluation.two_stage.wording import clean_name

# Written by hand. No thing among them is a class of the household frames.
EXAMPLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("I want to water the lawn.", "garden hose", ("wheelbarrow", "garden hose", "tent")),
    ("Show me the violin.", "violin", ("violin", "harp", "drum")),
    ("something to pump up a flat tyre", "bicycle pump", ("anvil", "bicycle pump", "kayak")),
    ("It is too bright for me to sleep in here.", "curtain", ("curtain", "gate", "canoe")),
    ("Where is the telescope?", "telescope", ("lawn mower", "telescope", "sundial")),
    ("cross the lake", "rowing boat", ("rowing boat", "ladder truck", "statue")),
    ("the place where letters are dropped in", "mailbox", ("fountain", "bench", "mailbox")),
    ("A bird would find seeds there in winter.", "bird feeder", ("hammock", "bird feeder")),
)
_ANSWER = "Thing:"


def question(text: str, offered: Sequence[str] | None) -> str:
    """The prompt of one question; an answer begins with a blank.

    Args:
        offered: candidate names to be shown; None for none.
    """
    shown = f"In view: {', '.join(offered)}\n" if offered is not None else ""
    return f"{shown}Request: {' '.join(text.split())}\n{_ANSWER}"


def prefix(
    *, candidates: bool, examples: Sequence[tuple[str, str, tuple[str, ...]]] = EXAMPLES
) -> str:
    """Instruction and examples.

    Args:
        candidates: show each example's candidate names.
        examples: (request, name, candidate names) each.
    """
    lines = ["Each request is about one thing in the picture. Name the thing in one or two words."]
    for text, name, offered in examples:
        lines.append(f"{question(text, offered if candidates else None)} {name}")
    return "\n\n".join(lines) + "\n\n"


class QuestionNamer:
    """No model: the question itself is matched against the names ("match")."""

    name = "the question itself"

    def name_thing(self, image: NDArray[np.uint8], ask: Ask, offered: Sequence[Offer]) -> Naming:
        """See :class:`Namer`."""
        return Naming(name=" ".join(ask.text.split()), text="")


class WritingNamer:
    """The LLM writes a name ("llm"), with or without the offered names before its eyes."""

    def __init__(
        self, *, lm: CausalLm, label: str, candidates: int = 0, max_new_tokens: int = 8
    ) -> None:
        """Set up.

        Args:
            lm: opened with ``prefix(candidates=candidates > 0)``.
            label: the LLM's name.
            candidates: show so many of the names that the segmenter offers.
            max_new_tokens: longest answer.
        """
        self._lm = lm
        self._candidates = candidates
        self._max_new_tokens = max_new_tokens
        self.name = f"{label} writes a name" + (", given the candidates" if candidates else "")

    def name_thing(self, image: NDArray[np.uint8], ask: Ask, offered: Sequence[Offer]) -> Naming:
        """See :class:`Namer`."""
        shown = [offer.title for offer in offered[: self._candidates]]
        prompt = question(ask.text, shown or None)
        text = self._lm.complete(prompt, max_new_tokens=self._max_new_tokens)
        return Naming(name=clean_name(text), text=text)


def _answers(offered: Sequence[Offer]) -> list[str]:
    return [f" {offer.title}\n" for offer in offered]


Scoring = Literal["sum", "mean", "pmi"]


class ScoringNamer:
    """The LLM says how likely each offered class's display name is as the answer ("llm-score")."""

    def __init__(
        self, *, lm: CausalLm, label: str, scoring: Scoring = "pmi", presence_weight: float = 0.0
    ) -> None:
        """Set up.

        Args:
            lm: opened with ``prefix(candidates=False)``.
            label: the LLM's name.
            scoring: ``sum`` of the tokens' log-likelihoods; their ``mean``; or ``pmi``: the sum
                less the sum behind a question that says nothing, so that common names do not win
                everywhere (domain-conditional PMI, Holtzman et al., EMNLP 2021).
            presence_weight: how much a class's log-presence adds to its score.

        Raises:
            ValueError: unknown scoring, or a negative weight.
        """
        if scoring not in ("sum", "mean", "pmi"):
            raise ValueError(f"scoring must be sum, mean or pmi, got {scoring!r}")
        if presence_weight < 0.0:
            raise ValueError(f"presence_weight must not be negative, got {presence_weight}")
        self._lm = lm
        self._scoring = scoring
        self._presence_weight = presence_weight
        self._without: dict[str, float] = {}
        self.name = f"{label} ranks the offered names ({scoring})"

    def name_thing(self, image: NDArray[np.uint8], ask: Ask, offered: Sequence[Offer]) -> Naming:
        """See :class:`Namer`; without offered names there is nothing to rank, and no name."""
        if not offered:
            return Naming(name="", text="")
        scores = np.array(self.scores(ask.text, offered))
        scores += self._presence_weight * np.array([offer.log_presence for offer in offered])
        best = offered[int(scores.argmax())].title
        return Naming(name=best, text=best)

    def scores(self, text: str, offered: Sequence[Offer]) -> list[float]:
        """What the LLM gives each class; higher is likelier."""
        return self.weighed(self.likelihoods(text, offered), offered)

    def likelihoods(self, text: str, offered: Sequence[Offer]) -> list[float]:
        """log P(name | question) in nats of each class's display name, line break included.

        Synonyms are left out: three times the names would take three times as long.
        """
        return self._lm.log_likelihoods(question(text, None), _answers(offered))

    def weighed(self, found: Sequence[float], offered: Sequence[Offer]) -> list[float]:
        """Likelihoods as ``scoring`` has it."""
        answers = _answers(offered)
        values = list(found)
        if self._scoring == "mean":
            values = [v / len(self._lm.ids(a)) for v, a in zip(found, answers, strict=True)]
        if self._scoring == "pmi":
            new = [a for a in dict.fromkeys(answers) if a not in self._without]
            nothing = self._lm.log_likelihoods(question("a thing", None), new)
            self._without.update(zip(new, nothing, strict=True))
            values = [v - self._without[a] for v, a in zip(found, answers, strict=True)]
        return values
