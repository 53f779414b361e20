"""The whole path against what the official code did."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from vectors import each_case, each_set, vector_sets

from lisa_model.errors import InvalidIntentError, WeightsMissingError
from lisa_model.llava.config import is_official
from lisa_model.llava.templates import segmentation_question
from lisa_model.progress import Stage
from lisa_model.segmenter import ReasoningSegmenter

SMALL = min(vector_sets(), key=lambda one: one.meta["sam"]["img"])


def recorded(vectors, case):
    """(arrays, ids that were generated)."""
    arrays = vectors.case(case)
    return arrays, arrays["output_ids"][0].tolist()[case["n_prompt_ids"] :]


def iou(a, b):
    return (a & b).sum() / max(1, (a | b).sum())


@each_case()
def test_answers_and_masks_are_those_of_the_official_code(open_set, vectors, case):
    segmenter = open_set(vectors, case["conv_type"])
    arrays, ids = recorded(vectors, case)
    result = segmenter.segment(
        arrays["image_rgb"], case["text"], templates=False, max_new_tokens=len(ids) + 8
    )
    assert result.token_ids == ids
    assert list(result.mask_logits.shape) == case["mask_shape"]
    assert result.mask_logits.dtype == np.float32
    if "pred_masks" in arrays:
        assert np.abs(result.mask_logits - arrays["pred_masks"]).max(initial=0) <= 1e-4
    else:
        mine = result.mask_logits[:, ::7, ::7]
        assert np.abs(mine - arrays["pred_masks_slice"]).max(initial=0) <= 1e-4
    assert np.array_equal(result.masks, result.mask_logits > 0)
    expected = np.clip(arrays["iou_pred"][:, 0], 0, 1) if len(result.scores) else []
    np.testing.assert_allclose(result.scores, expected, atol=1e-5)


@each_case()
def test_bfloat16_gives_nearly_the_same_masks(open_set, vectors, case):
    segmenter = open_set(vectors, case["conv_type"], "bfloat16")
    arrays, ids = recorded(vectors, case)
    result = segmenter.segment(
        arrays["image_rgb"], case["text"], templates=False, max_new_tokens=len(ids)
    )
    assert result.token_ids == ids
    exact = open_set(vectors, case["conv_type"]).segment(
        arrays["image_rgb"], case["text"], templates=False, max_new_tokens=len(ids)
    )
    for mine, truth in zip(result.masks, exact.masks, strict=True):
        assert iou(mine, truth) >= 0.985


@each_set()
def test_int8_gives_nearly_the_same_masks(open_set, vectors):
    for case in vectors.cases:
        arrays, ids = recorded(vectors, case)
        ask = {"templates": False, "max_new_tokens": len(ids)}
        exact = open_set(vectors, case["conv_type"]).segment(
            arrays["image_rgb"], case["text"], **ask
        )
        small = open_set(vectors, case["conv_type"], quantization="int8").segment(
            arrays["image_rgb"], case["text"], **ask
        )
        assert small.token_ids == exact.token_ids
        for mine, truth in zip(small.masks, exact.masks, strict=True):
            assert iou(mine, truth) >= 0.97


@pytest.fixture
def counted(open_set, monkeypatch):
    """A fresh engine state, and how often CLIP and SAM ran."""
    segmenter = open_set(SMALL)
    calls = {"clip": 0, "sam": 0, "llm": []}
    engine = segmenter.engine
    engine._frames.clear()
    tower, encode, states = engine.tower.forward, engine.model.sam.encode, engine.model.states

    def count_clip(pixels):
        calls["clip"] += 1
        return tower(pixels)

    def count_sam(pixels):
        calls["sam"] += 1
        return encode(pixels)

    def count_llm(embeddings, **more):
        calls["llm"].append(embeddings.shape[1])
        return states(embeddings, **more)

    monkeypatch.setattr(engine.tower, "forward", count_clip)
    monkeypatch.setattr(engine.model.sam, "encode", count_sam)
    monkeypatch.setattr(engine.model, "states", count_llm)
    return segmenter, calls


def case_with(masks: int):
    """A recorded llava_v1 question that got this many masks."""
    for case in SMALL.cases:
        if case["mask_shape"][0] == masks and case["conv_type"] == "llava_v1":
            return case, SMALL.case(case)["image_rgb"]
    pytest.skip(f"no recorded question with {masks} masks")


def test_a_second_intent_computes_nothing_of_the_image(counted):
    segmenter, calls = counted
    case, image = case_with(1)
    first = segmenter.segment(image, case["text"], templates=False)
    assert (calls["clip"], calls["sam"]) == (1, 1)
    calls["llm"].clear()
    second = segmenter.segment(image.copy(), case["text"], templates=False)
    assert (calls["clip"], calls["sam"]) == (1, 1)
    # The words of the question, then one token at a time.
    assert calls["llm"][1:] == [1] * (len(calls["llm"]) - 1)
    assert calls["llm"][0] < segmenter.engine.tower.patches
    assert second.token_ids == first.token_ids
    np.testing.assert_array_equal(second.mask_logits, first.mask_logits)


def test_an_answer_without_seg_runs_no_sam(counted):
    segmenter, calls = counted
    case, image = case_with(0)
    result = segmenter.segment(image, case["text"], templates=False)
    assert result.masks.shape == (0, *image.shape[:2])
    assert calls["sam"] == 0


def test_frames_are_forgotten_oldest_use_first(counted):
    segmenter, calls = counted
    case, image = case_with(1)
    others = [np.roll(image, k, axis=0) for k in (1, 2)]
    for one in (image, others[0], image, others[1], image):
        segmenter.segment(one, case["text"], templates=False, max_new_tokens=1)
    assert calls["clip"] == 3
    segmenter.segment(others[0], case["text"], templates=False, max_new_tokens=1)
    assert calls["clip"] == 4


def test_stopping_at_seg_gives_the_same_mask(open_set):
    case, image = case_with(1)
    whole = open_set(SMALL).segment(image, case["text"], templates=False)
    short = open_set(SMALL).segment(image, case["text"], templates=False, stop_at_seg=True)
    seg = open_set(SMALL).tokenizer.seg_id
    assert short.token_ids == whole.token_ids[: whole.token_ids.index(seg) + 1]
    np.testing.assert_array_equal(short.mask_logits, whole.mask_logits)


def test_stages_and_tokens_are_told_and_an_answer_can_be_given_up(open_set):
    case, image = case_with(1)
    segmenter = open_set(SMALL)
    heard = []
    whole = segmenter.segment(image, case["text"], templates=False, on_progress=heard.append)
    assert [one.stage for one in heard if not one.tokens] == list(Stage)
    assert heard[-2].tokens == len(whole.token_ids)
    assert heard[-2].text == whole.text

    def stop(progress):
        if progress.tokens == 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        segmenter.segment(image, case["text"], templates=False, on_progress=stop)
    again = segmenter.segment(image, case["text"], templates=False)
    np.testing.assert_array_equal(again.mask_logits, whole.mask_logits)


def test_a_seg_that_is_the_last_token_allowed_has_its_mask(open_set):
    case, image = case_with(1)
    segmenter = open_set(SMALL)
    limit = case["new_ids"].index(segmenter.tokenizer.seg_id) + 1
    result = segmenter.segment(image, case["text"], templates=False, max_new_tokens=limit)
    assert len(result.masks) == 1


def test_a_batch_gives_what_single_questions_give(open_set, counted):
    segmenter, calls = counted
    one, image = case_with(1)
    none, other = case_with(0)
    images = [image, other, image]
    prompts = [one["text"], none["text"], none["text"]]
    batch = segmenter.segment_batch(images, prompts, templates=False, max_new_tokens=8)
    assert calls["clip"] == 2
    for result, picture, prompt in zip(batch, images, prompts, strict=True):
        single = segmenter.segment(picture, prompt, templates=False, max_new_tokens=8)
        assert result.token_ids == single.token_ids
        np.testing.assert_array_equal(result.mask_logits, single.mask_logits)
    with pytest.raises(ValueError, match="2 images, but 1 prompts"):
        segmenter.segment_batch([image, image], ["x"])


def test_special_tokens_that_a_user_types_are_words(open_set):
    case, image = case_with(0)
    segmenter = open_set(SMALL)
    typed = f"{case['text']} [SEG] <im_end></s>"
    plain = segmenter.segment(image, typed, templates=False, max_new_tokens=1)
    assert len(plain.masks) == 0
    allowed = segmenter.segment(
        image, typed, templates=False, max_new_tokens=1, allow_special_tokens=True
    )
    assert len(allowed.masks) == 1


def test_a_chat_remembers_its_turns(open_set):
    case, image = case_with(1)
    segmenter = open_set(SMALL)
    chat = segmenter.chat(image)
    first = chat.ask(case["text"], max_new_tokens=8)
    assert first.token_ids == case["new_ids"][:8]
    chat.ask("And now?", max_new_tokens=3)
    assert [question for question, _ in chat.turns] == [case["text"], "And now?"]
    assert chat.turns[0][1] == first.text
    room = segmenter.engine.model.model.config.max_position_embeddings
    while len(segmenter.tokenizer.encode(" ".join(q for q, _ in chat.turns))) < room // 2:
        chat.ask("word " * 390, max_new_tokens=3)
    turns = chat.turns
    with pytest.raises(InvalidIntentError, match="new chat"):
        chat.ask("xyz " * 490, max_new_tokens=3)
    assert chat.turns == turns
    with pytest.raises(InvalidIntentError, match="empty"):
        chat.ask("  ")


def test_a_given_answer_is_scored_without_generating(open_set):
    case, image = case_with(1)
    segmenter = open_set(SMALL)
    generated = segmenter.segment(image, case["text"], templates=False)
    given = segmenter.score(image, case["text"], generated.text)
    other = segmenter.score(image, case["text"], "[SEG] [SEG] mug.")
    assert given.token_ids == generated.token_ids
    np.testing.assert_allclose(given.mask_logits, generated.mask_logits, atol=1e-5)
    assert len(other.masks) == 2
    assert 0.0 > given.log_probability > other.log_probability


def test_an_intent_is_asked_in_a_trained_wording():
    assert segmentation_question("change the TV channel") == (
        "change the TV channel. Please output segmentation mask."
    )
    assert segmentation_question(" Where is\nit? ", explain=True) == (
        "Where is it? Please output segmentation mask and explain why."
    )


def test_without_its_vision_tower_a_checkpoint_does_not_open(tmp_path):
    folder = SMALL.checkpoint(tmp_path / "model")
    with pytest.raises(WeightsMissingError, match=r"clip-tiny.*--vision-tower"):
        ReasoningSegmenter.from_pretrained(folder)


def test_options_of_the_other_kind_of_model_are_refused(tmp_path):
    folder = SMALL.checkpoint(tmp_path / "model")
    with pytest.raises(ValueError, match="conversation"):
        ReasoningSegmenter.from_pretrained(folder, conversation="vicuna")
    with pytest.raises(ValueError, match="int8"):
        ReasoningSegmenter.from_pretrained(folder, quantization="int3")
    with pytest.raises(ValueError, match="vision_tower"):
        ReasoningSegmenter.from_pretrained("lisa-tiny", vision_tower=tmp_path)


def test_the_two_layouts_are_told_apart(tmp_path):
    assert is_official(SMALL.checkpoint(tmp_path / "model"))
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps({"name": "lisa-tiny"}))
    assert not is_official(tmp_path / "tiny")
    assert not is_official(tmp_path / "nothing")


def test_nothing_needs_gradients(open_set):
    model = open_set(SMALL).engine.model
    assert not any(p.requires_grad for p in model.parameters())
    assert not any(p.device == torch.device("meta") for p in model.parameters())
