"""Kept queries of official checkpoints: SAM alone, no LLM and no CLIP."""

from __future__ import annotations

import numpy as np
import pytest
from vectors import vector_sets

from lisa_model.follow import Follower
from lisa_model.follow_target import FollowConfig, State
from lisa_model.zoom import CropWindow

SMALL = min(vector_sets(), key=lambda one: one.meta["sam"]["img"])


def answered(open_set, dtype: str = "float32"):
    """Segmenter, image and an answer with at least one mask."""
    for case in SMALL.meta["cases"]:
        arrays = SMALL.case(case)
        if case["mask_shape"][0] > 0:
            segmenter = open_set(SMALL, case["conv_type"], dtype)
            ids = arrays["output_ids"][0].tolist()[case["n_prompt_ids"] :]
            result = segmenter.segment(
                arrays["image_rgb"], case["text"], templates=False, max_new_tokens=len(ids) + 8
            )
            if len(result.masks):
                return segmenter, arrays["image_rgb"], result
    raise AssertionError("no recorded answer has a mask")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_look_at_the_same_image_gives_the_answers_masks(open_set, dtype):
    segmenter, image, result = answered(open_set, dtype)
    assert result.queries.shape == (len(result.masks), segmenter.engine.model.config.out_dim)
    assert result.queries.dtype == np.float32
    segmenter.engine._frames.clear()
    look = segmenter.look(image, result.queries)
    np.testing.assert_allclose(look.mask_logits, result.mask_logits, atol=1e-4)
    np.testing.assert_allclose(look.scores, result.scores, atol=1e-5)
    norms = np.linalg.norm(look.appearances, axis=1)
    np.testing.assert_allclose(norms, [float(mask.any()) for mask in look.masks], atol=1e-3)


def test_a_look_asks_neither_llm_nor_clip(open_set, monkeypatch):
    segmenter, image, result = answered(open_set)
    monkeypatch.setattr(type(segmenter.engine.model), "states", None)
    monkeypatch.setattr(type(segmenter.engine.tower), "forward", None)
    other = np.ascontiguousarray(image[:, ::-1])
    look = segmenter.look(other, result.queries, region=CropWindow(0, 0, 8, 8))
    assert look.masks.shape == (len(result.masks), *image.shape[:2])


def test_no_query_costs_nothing_and_foreign_ones_are_refused(open_set, monkeypatch):
    segmenter, image, result = answered(open_set)
    dim = result.queries.shape[1]
    monkeypatch.setattr(type(segmenter.engine.model.sam), "encode", None)
    other = np.ascontiguousarray(image[::-1])
    look = segmenter.look(other, np.zeros((0, dim), np.float32))
    assert look.masks.shape == (0, *image.shape[:2])
    assert look.appearances.shape[0] == 0
    with pytest.raises(ValueError, match="for this model"):
        segmenter.look(other, np.zeros((1, dim + 1), np.float32))


def test_a_follower_runs_on_an_official_checkpoint(open_set, monkeypatch):
    """Random weights find nothing meaningful, but of the same image they think the same."""
    segmenter, image, _ = answered(open_set)
    follower = Follower(
        segmenter=segmenter,
        config=FollowConfig(
            reask_every_s=None,
            reask_when_lost=False,
            lost_below=0.0,
            found_above=0.0,
            growth=1e9,
            min_area_px=1,
        ),
    )
    first = follower.ask(image, "the thing", 0.0)
    assert len(first.targets) > 0
    monkeypatch.setattr(segmenter, "segment", None)
    second = follower.update(image, 0.1)
    assert [t.id for t in first.targets] == [t.id for t in second.targets]
    for before, after in zip(first.targets, second.targets, strict=True):
        assert after.state is State.TRACKING
        assert (before.mask == after.mask).all()
