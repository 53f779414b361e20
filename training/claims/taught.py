"""The small two-stage baselines, taught the same phrases as the model that they stand against."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lisa_model.base_weights import ensure_base_weights
from training.claims.registry import How
from training.claims.samples import Sample
from training.evaluation.two_stage.causal_lm import CausalLm
from training.evaluation.two_stage.class_masks import SeenClasses
from training.evaluation.two_stage.matching import ClassSegmenter, MatchedSegmenter, Matcher
from training.evaluation.two_stage.parts import Namer, Offer, TwoStage
from training.evaluation.two_stage.small import CHOSEN, LABEL, LLM, NamerKind
from training.evaluation.two_stage.text_namers import QuestionNamer, ScoringNamer, prefix
from training.household.taxonomy import load_categories

# Samples in the LLM's prompt: more of them make every question slower.
SHOWN = 32
_KINDS: Mapping[How, NamerKind] = {How.TWO_STAGE_MATCH: "match", How.TWO_STAGE_LLM: "llm-score"}


class TaughtClasses:
    """Classes whose names include training phrases, so that a matcher picks the class of the
    nearest name or phrase.

    Args:
        classes: that can be marked.
        phrases: more names of a class, by its title.
    """

    def __init__(self, *, classes: ClassSegmenter, phrases: Mapping[str, Sequence[str]]) -> None:
        self._classes = classes
        self._phrases = phrases

    @property
    def name(self) -> str:
        """Of the classes."""
        return self._classes.name

    def classes(self, image: NDArray[np.uint8]) -> list[Offer]:
        """Visible classes, likeliest first."""
        return [
            Offer(
                title=one.title,
                names=(*one.names, *self._phrases.get(one.title, ())),
                log_presence=one.log_presence,
            )
            for one in self._classes.classes(image)
        ]

    def mask(self, image: NDArray[np.uint8], title: str) -> NDArray[np.bool_]:
        """(H, W) bool of a class."""
        return self._classes.mask(image, title)


def phrases_by_title(samples: Sequence[Sample]) -> dict[str, list[str]]:
    """All wordings of the samples by the display name of what they mean."""
    categories = load_categories()
    out: dict[str, list[str]] = {}
    for one in samples:
        title = categories[one.question.categories[0]].title
        out.setdefault(title, []).extend(one.texts)
    return out


def prompt_examples(samples: Sequence[Sample], seed: int) -> list[tuple[str, str, tuple[str, ...]]]:
    """(request, name, no candidates) of up to :data:`SHOWN` samples, of different things first."""
    rng = random.Random(f"examples/{seed}")
    order = rng.sample(list(samples), len(samples))
    seen: set[str] = set()
    first: list[Sample] = []
    later: list[Sample] = []
    for one in order:
        category = one.question.categories[0]
        (later if category in seen else first).append(one)
        seen.add(category)
    categories = load_categories()
    return [
        (rng.choice(one.texts), categories[one.question.categories[0]].title, ())
        for one in (first + later)[:SHOWN]
    ]


def build_taught(
    how: How, *, model: str, samples: Sequence[Sample], seed: int, device: str, dtype: str
) -> TwoStage:
    """A two-stage baseline with the settings of the registered one.

    Args:
        how: TWO_STAGE_MATCH or TWO_STAGE_LLM.
        model: folder whose mask head makes the masks.
        samples: what it is taught.
        seed: of the samples in the LLM's prompt.
        device, dtype: of everything.
    """
    chosen = CHOSEN[_KINDS[how]]
    classes: ClassSegmenter = SeenClasses.open(
        model, device=device, dtype=dtype, min_log_presence=chosen.min_log_presence
    )
    namer: Namer
    weight = chosen.presence_weight
    if how is How.TWO_STAGE_MATCH:
        namer = QuestionNamer()
        classes = TaughtClasses(classes=classes, phrases=phrases_by_title(samples))
        note = f"the names include the wordings of {len(samples)} training samples"
    else:
        examples = prompt_examples(samples, seed)
        lm = CausalLm.open(
            ensure_base_weights(LLM),
            device=device,
            dtype=dtype,
            prefix=prefix(candidates=False, examples=examples),
        )
        namer = ScoringNamer(
            lm=lm, label=LABEL, scoring=chosen.scoring, presence_weight=chosen.presence_weight
        )
        weight = 0.0
        note = f"{len(examples)} of {len(samples)} training samples in the prompt"
    matcher = Matcher(threshold=chosen.threshold, presence_weight=weight)
    segmenter = MatchedSegmenter(classes=classes, matcher=matcher)
    return TwoStage(namer=namer, segmenter=segmenter, note=note)
