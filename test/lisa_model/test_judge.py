from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lisa_model.calibration import Calibration, Regression
from lisa_model.judge import Judge
from lisa_model.language import LanguageModel
from lisa_model.meaning import Meaning
from lisa_model.reference import Reference, no_reference
from lisa_model.reference_keys import COLOUR_CHANNELS, PLACE_CHANNELS, PLAIN_SCALE
from lisa_model.tiny_masks import Guess


class WithConcepts(SimpleNamespace):
    """The part of a language model that reads prompts."""

    concept_logits = LanguageModel.concept_logits


@pytest.fixture
def judge():
    language = WithConcepts(codebook=torch.eye(8))
    model = SimpleNamespace(language=language, config=SimpleNamespace(calibration=None))
    return Judge(model=model)


def guess(thing: int | None, colour=(0.0, 0.0, 0.0)) -> Guess:
    looks = np.zeros(8, dtype=np.float32)
    if thing is not None:
        looks[thing] = 1.0
    return Guess(np.zeros((4, 4), dtype=np.float32), 0.7, looks, np.array(colour, np.float32))


def meaning(prompt: int, words: int, generic: float = 0.0) -> Meaning:
    none = no_reference(torch.eye(8)[None, prompt], 16)
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


def test_a_mask_that_nothing_fits_is_withheld_and_told(judge):
    plain = Regression(iou_weight=1.0, presence_weight=0.0, bias=0.0)
    fits = Regression(iou_weight=0.0, presence_weight=9.0, bias=-4.5)
    calibration = Calibration(right=plain, fits=fits, floor=0.5)
    there, gone = guess(1), guess(5)
    there.logits[0, 0] = gone.logits[0, 0] = 3.0
    asked = meaning(prompt=1, words=1)
    free = judge.judged(asked, gone)
    assert free.score == 0.7, "without a calibration, as the decoder says"
    assert free.withheld is None
    judge.model.config = SimpleNamespace(calibration=calibration)
    shown, hidden = judge.judged(asked, there), judge.judged(asked, gone)
    assert (shown.logits[0, 0], shown.withheld) == (3.0, None)
    assert not (hidden.logits > 0).any()
    assert hidden.withheld.tolist() == (gone.logits > 0).tolist()
    assert hidden.score == pytest.approx(calibration.score(judge.evidence(asked, gone)))


def test_another_colour_than_was_asked_for_speaks_against_a_mask(judge):
    said = meaning(prompt=1, words=1)
    width = COLOUR_CHANNELS + PLACE_CHANNELS
    which = torch.zeros(1, width)
    which[0, 0] = 0.5 * width**0.5 / PLAIN_SCALE  # redder is meant, by half a logit
    said = replace(said, reference=replace(no_reference(torch.eye(8)[:1], width), which=which))
    assert judge.evidence(said, guess(1, (1.0, 0.0, 0.0))).tint == pytest.approx(0.5)
    assert judge.evidence(said, guess(1, (-1.0, 0.5, 0.0))).tint == pytest.approx(-0.5)
    assert judge.evidence(said, guess(1, (9.0, 0.0, 0.0))).tint == 1.0, "more says no more"
    assert judge.evidence(replace(said, reference=None), guess(1, (1.0, 0, 0))).tint == 0.0


def test_a_mask_without_pixels_shows_nothing(judge):
    seen = judge.evidence(meaning(prompt=1, words=1, generic=1.0), guess(None))
    assert (seen.presence, seen.agreement) == (0.0, 0.0)
