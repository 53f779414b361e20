"""The shipped model on the shipped frames."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lisa_model.calibration import Calibration, Regression
from lisa_model.errors import InvalidImageError, InvalidIntentError
from lisa_model.metrics import score_mask
from lisa_model.segmenter import ReasoningSegmenter

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    ("intent", "category"),
    [("change the TV channel", "tv_remote"), ("Find the remote control.", "tv_remote")],
)
def test_the_remote_is_found_by_purpose_and_by_name(segmenter, living_room, intent, category):
    result = segmenter.segment(living_room.color, intent)
    height, width = living_room.ids.shape
    assert "[SEG]" in result.text
    assert result.mask_logits.shape == (1, height, width)
    assert result.mask_logits.dtype == np.float32
    assert result.masks.dtype == np.bool_
    assert (result.masks == (result.mask_logits > 0)).all()
    assert result.scores.shape == (1,)
    assert 0 <= result.scores[0] <= 1
    meant = next(i for i in living_room.instances if i.category == category)
    assert score_mask(result.masks[0], living_room.mask((meant.id,))).iou >= 0.5
    assert all(seconds >= 0 for seconds in result.timings.values())


def test_half_precision_finds_the_same(segmenter, living_room):
    half = ReasoningSegmenter.from_pretrained("lisa-tiny", dtype="bfloat16")
    exact = segmenter.segment(living_room.color, "change the TV channel")
    result = half.segment(living_room.color, "change the TV channel")
    assert score_mask(result.masks[0], exact.masks[0]).iou >= 0.9
    assert result.queries.dtype == np.float32
    look = half.look(living_room.color, result.queries)
    assert score_mask(look.masks[0], exact.masks[0]).iou >= 0.8
    assert look.appearances.dtype == np.float32


def test_where_every_mask_is_withheld_the_answer_says_so(segmenter, living_room, monkeypatch):
    shown = segmenter.segment(living_room.color, "change the TV channel")
    assert not shown.withheld.any()
    any_mask = Regression(iou_weight=0.0, presence_weight=0.0, bias=0.0)
    strict = replace(
        segmenter.model.config, calibration=Calibration(right=any_mask, fits=any_mask, floor=0.6)
    )
    monkeypatch.setattr(segmenter.model, "config", strict)
    # Every mask is worth the same then, so that the first closer look is taken for the best.
    result = segmenter.segment(living_room.color, "change the TV channel")
    assert result.text == 'Sorry, nothing in this image matches "change the TV channel".'
    assert result.masks.shape == result.withheld.shape == shown.masks.shape
    assert not result.masks.any()
    assert result.withheld.any()


def test_another_intent_on_the_same_frame_finds_another_thing(segmenter, living_room):
    first = segmenter.segment(living_room.color, "Find the remote control.").masks[0]
    second = segmenter.segment(living_room.color, "Find the book.").masks[0]
    book = next(i for i in living_room.instances if i.category == "book")
    assert score_mask(second, living_room.mask((book.id,))).iou >= 0.5
    assert not (first & second).any()


def test_the_kept_image_changes_nothing(segmenter, living_room):
    asked = "something to read"
    kept = segmenter.segment(living_room.color, asked)
    segmenter.segment(living_room.color[:, ::-1].copy(), "Find the mug.")
    fresh = segmenter.segment(living_room.color, asked)
    assert kept.token_ids == fresh.token_ids
    np.testing.assert_allclose(kept.mask_logits, fresh.mask_logits, atol=1e-3)


@torch.inference_mode()
def test_cached_generation_equals_one_full_pass(segmenter, living_room):
    """The [SEG] row from the KV cache against the whole sequence at once."""
    encoded = segmenter.encode(living_room.color)
    language = segmenter.model.language
    vocabulary = language.vocabulary
    question = vocabulary.question("change the TV channel")
    answer = language.generate(encoded.prefix, question, max_new_tokens=16)
    ids, rows = answer.ids, answer.states
    assert ids[-1] == vocabulary.eos, "the final end-of-turn is part of the ids"
    again = language.generate(encoded.prefix, question, max_new_tokens=16)
    assert ids == again.ids, "the prefix cache must not be changed by an answer"
    seen = encoded.seen
    visual = segmenter.model.projector(seen.vision, seen.features, seen.rgb)
    before = language.embed(torch.tensor([vocabulary.before_image()]))
    tail = language.embed(torch.tensor([[*vocabulary.after_image(), *question, *ids]]))
    states = language.states(torch.cat([before, visual, tail], dim=1))[0]
    first = before.shape[1] + visual.shape[1] + len(vocabulary.after_image()) + len(question)
    seg = ids.index(vocabulary.seg)
    # Two orders of summation through thirty layers; the states are of the order of ten.
    torch.testing.assert_close(states[first + seg - 1], rows[0], atol=5e-3, rtol=1e-3)
    logits = language.logits(states[first - 1 : first - 1 + len(ids)])
    assert logits.argmax(-1).tolist() == ids
    likely = logits.log_softmax(-1).amax(-1)[: seg + 1].sum().exp()
    torch.testing.assert_close(answer.certainty, likely[None], atol=1e-3, rtol=1e-3)


def test_special_tokens_typed_by_a_user_stay_text(segmenter):
    vocabulary = segmenter.model.language.vocabulary
    for text in ("[SEG]", "<im_start>", "<|im_end|> <|im_start|>", "find [SEG] [SEG]"):
        ids = vocabulary.encode_user(text)
        special = {vocabulary.seg, vocabulary.im_start, vocabulary.im_end, vocabulary.eos, 0, 1}
        assert not special & set(ids)
        assert vocabulary.tokenizer.decode(ids) == text


def test_answers_round_trip_through_the_vocabulary(segmenter):
    vocabulary = segmenter.model.language.vocabulary
    text = "They are [SEG] and [SEG]."
    ids = vocabulary.encode_answer(text)
    assert ids.count(vocabulary.seg) == 2
    assert ids[-1] == vocabulary.eos
    assert vocabulary.decode(ids) == text


def test_an_explanation_goes_on_after_the_mask(segmenter, living_room):
    short = segmenter.segment(living_room.color, "Find the mug.")
    long = segmenter.segment(living_room.color, "Find the mug.", explain=True)
    assert long.token_ids[: len(short.token_ids)] == short.token_ids
    assert len(long.token_ids) > len(short.token_ids)
    assert long.token_ids[-1] == segmenter.model.language.vocabulary.eos
    np.testing.assert_allclose(long.mask_logits, short.mask_logits, atol=1e-4)


def test_no_room_for_seg_means_no_mask(segmenter, living_room):
    result = segmenter.segment(living_room.color, "Find the mug.", max_new_tokens=1)
    assert result.masks.shape == (0, *living_room.ids.shape)
    assert result.scores.shape == (0,)


@pytest.mark.parametrize("shape", [(64, 300), (333, 77), (16, 16)])
def test_any_aspect_ratio_gives_masks_of_the_image_size(segmenter, shape):
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    result = segmenter.segment(image, "Find the mug.")
    assert result.mask_logits.shape[1:] == shape
    assert np.isfinite(result.mask_logits).all()


@pytest.mark.parametrize(
    ("image", "field"),
    [
        (np.zeros((8, 8, 3), dtype=np.uint8), "sides"),
        (np.zeros((64, 64), dtype=np.uint8), "RGB"),
        (np.zeros((64, 64, 4), dtype=np.uint8), "RGB"),
        (np.zeros((64, 64, 3), dtype=np.float32), "dtype"),
        ([[0]], "numpy"),
    ],
)
def test_unusable_images_are_refused_by_name(segmenter, image, field):
    with pytest.raises(InvalidImageError, match=field):
        segmenter.segment(image, "Find the mug.")


@pytest.mark.parametrize("intent", ["", "  \n ", "x" * 10_000, 3])
def test_unusable_intents_are_refused(segmenter, living_room, intent):
    with pytest.raises(InvalidIntentError):
        segmenter.segment(living_room.color, intent)
