from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lisa_model.judge import Judge
from lisa_model.language import LanguageModel
from lisa_model.meaning import Meaning
from lisa_model.reference import Reference, no_reference
from lisa_model.tiny_masks import Guess


class WithConcepts(SimpleNamespace):
    """The part of a language model that reads prompts."""

    concept_logits = LanguageModel.concept_logits


@pytest.fixture
def judge():
    model = SimpleNamespace(language=WithConcepts(codebook=torch.eye(8)))
    return Judge(model=model)


def guess(thing: int | None) -> Guess:
    looks = np.zeros(8, dtype=np.float32)
    if thing is not None:
        looks[thing] = 1.0
    return Guess(np.zeros((4, 4), dtype=np.float32), 0.7, looks)


def meaning(prompt: int, words: int, generic: float = 0.0) -> Meaning:
    none = no_reference(torch.eye(8)[None, prompt], 4)
    said = Reference(none.which, none.reach, none.anchors, torch.tensor([generic]))
    return Meaning(torch.eye(8)[prompt], torch.eye(8)[words], said, 0.9)


def test_what_was_made_of_a_misread_word_is_no_evidence(judge):
    seen = judge.evidence(meaning(prompt=1, words=1), guess(1))
    assert (seen.expected_iou, seen.certainty) == (0.7, 0.9)
    assert seen.presence > 0.99
    assert seen.agreement > 0.99
    misread = judge.evidence(meaning(prompt=1, words=5), guess(1))
    assert misread.presence > 0.99
    assert misread.agreement < 0.01


def test_where_any_thing_will_do_the_looks_do_not_matter(judge):
    seen = judge.evidence(meaning(prompt=1, words=5, generic=1.0), guess(2))
    assert (seen.presence, seen.agreement) == (1.0, 1.0)
    half = judge.evidence(meaning(prompt=1, words=5, generic=0.5), guess(2))
    assert half.presence == pytest.approx(0.5, abs=0.01)
    assert half.agreement == pytest.approx(0.5, abs=0.01)


def test_a_mask_without_pixels_shows_nothing(judge):
    seen = judge.evidence(meaning(prompt=1, words=1, generic=1.0), guess(None))
    assert (seen.presence, seen.agreement) == (0.0, 0.0)
