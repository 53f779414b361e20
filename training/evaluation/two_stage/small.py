"""The baseline that runs here: SmolLM2-135M names, MiniLM matches, class-wise masks follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from lisa_model.base_weights import ensure_base_weights
from training.evaluation.two_stage.causal_lm import CausalLm
from training.evaluation.two_stage.class_masks import SeenClasses, TrueClasses
from training.evaluation.two_stage.matching import ClassSegmenter, MatchedSegmenter, Matcher
from training.evaluation.two_stage.parts import Namer, TwoStage
from training.evaluation.two_stage.text_namers import (
    QuestionNamer,
    Scoring,
    ScoringNamer,
    WritingNamer,
    prefix,
)

NamerKind = Literal["llm", "llm-candidates", "llm-score", "match"]
LLM = "smollm2-135m-instruct"
LABEL = "SmolLM2-135M"
SHOWN_CANDIDATES = 10
ORACLE_NOTE = "ORACLE: true masks of the frame's classes, an upper bound of the second stage"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Settings of one namer, from ``python -m training.evaluation.two_stage.choose``.

    Attributes:
        min_log_presence: see :class:`SeenClasses`.
        threshold: see :class:`Matcher`. A name that ``llm-score`` picks is one of the classes.
        presence_weight: see :class:`Matcher`; of ``llm-score``, see :class:`ScoringNamer`.
        scoring: of ``llm-score``.
    """

    min_log_presence: float
    threshold: float
    presence_weight: float
    scoring: Scoring = "pmi"


# Chosen on the first 20 validation frames; docs/two_stage.md has the command and its table.
CHOSEN: dict[NamerKind, Chosen] = {
    "llm": Chosen(min_log_presence=-4.0, threshold=0.3, presence_weight=0.1),
    "llm-candidates": Chosen(min_log_presence=-4.0, threshold=0.35, presence_weight=0.0),
    "llm-score": Chosen(min_log_presence=-4.0, threshold=0.75, presence_weight=2.0),
    "match": Chosen(min_log_presence=-4.0, threshold=0.2, presence_weight=0.05),
}
# The best of those that ask the LLM.
DEFAULT_NAMER: NamerKind = "llm-score"


def checked_kind(namer: str) -> NamerKind:
    """The kind of that name.

    Raises:
        ValueError: naming the kinds there are.
    """
    for kind in get_args(NamerKind):
        if namer == kind:
            return kind
    raise ValueError(f"namer must be one of {', '.join(get_args(NamerKind))}, got {namer!r}")


def open_namer(kind: NamerKind, *, device: str, dtype: str, chosen: Chosen) -> Namer:
    """A namer by its kind; device and dtype are the LLM's."""
    if kind == "match":
        return QuestionNamer()
    shown = SHOWN_CANDIDATES if kind == "llm-candidates" else 0
    lm = CausalLm.open(
        ensure_base_weights(LLM), device=device, dtype=dtype, prefix=prefix(candidates=shown > 0)
    )
    if kind == "llm-score":
        return ScoringNamer(
            lm=lm, label=LABEL, scoring=chosen.scoring, presence_weight=chosen.presence_weight
        )
    return WritingNamer(lm=lm, label=LABEL, candidates=shown)


def build_small(
    *,
    device: str,
    dtype: str,
    namer: str = DEFAULT_NAMER,
    model: str = "lisa-tiny",
    oracle: bool = False,
    frames: Sequence[Path] = (),
) -> TwoStage:
    """Put the baseline together with its chosen settings.

    Args:
        dtype: of the LLM's weights and of the segmenter's autocast.
        namer: "llm", "llm-candidates", "llm-score" or "match".
        model: preset or folder like lisa-tiny, whose vision side makes the masks.
        oracle: true masks and true classes in place of the segmenter.
        frames: of the oracle, JSON files.

    Raises:
        ValueError: unknown namer, a model without class names, or an oracle without frames.
        WeightsMissingError: base weights are not there.
    """
    kind = checked_kind(namer)
    chosen = CHOSEN[kind]
    classes: ClassSegmenter
    if oracle:
        classes = TrueClasses(frames)
    else:
        classes = SeenClasses.open(
            model, device=device, dtype=dtype, min_log_presence=chosen.min_log_presence
        )
    weight = 0.0 if kind == "llm-score" else chosen.presence_weight
    return TwoStage(
        namer=open_namer(kind, device=device, dtype=dtype, chosen=chosen),
        segmenter=MatchedSegmenter(
            classes=classes,
            matcher=Matcher(threshold=chosen.threshold, presence_weight=weight),
        ),
        note=ORACLE_NOTE if oracle else "",
    )
