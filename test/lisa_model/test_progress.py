"""Stages and tokens of an answer in the making, and giving it up midway."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lisa_model.progress import Progress, Stage, report, token_reporter

ASKED = "change the TV channel"


class GivenUpError(Exception):
    """What a listener raises in these tests."""


def test_nobody_listens():
    report(None, Stage.READING)
    assert token_reporter(None, str) is None


def test_text_is_decoded_only_when_it_is_read():
    heard: list[Progress] = []
    decoded: list[list[int]] = []

    def decode(ids):
        decoded.append(ids)
        return f"{len(ids)} words"

    on_token = token_reporter(heard.append, decode)
    ids = [5]
    on_token(ids)
    ids.append(6)
    assert decoded == []
    assert heard[0].text == "1 words"  # as it was then
    assert decoded == [[5]]
    assert (heard[0].stage, heard[0].tokens) == (Stage.ANSWERING, 1)


@pytest.mark.model
def test_lisa_tiny_tells_its_stages_and_tokens(segmenter, living_room):
    heard: list[Progress] = []
    result = segmenter.segment(living_room.color, ASKED, on_progress=heard.append)
    stages = [one.stage for one in heard if not one.tokens]
    # MARKING comes again before each closer look, so that a request can be given up between them.
    assert [stage for stage, _ in itertools.groupby(stages)] == list(Stage)
    assert 2 <= stages.count(Stage.MARKING) <= 1 + segmenter.model.config.zoom_candidates
    assert [one.tokens for one in heard if one.tokens] == list(range(1, len(result.token_ids) + 1))
    assert [one for one in heard if one.tokens][-1].text == result.text


@pytest.mark.model
@pytest.mark.parametrize("stage", list(Stage))
def test_lisa_tiny_can_be_given_up_at_any_stage(segmenter, living_room, stage):
    def stop(progress):
        if progress.stage is stage:
            raise GivenUpError

    whole = segmenter.segment(living_room.color, ASKED)
    with pytest.raises(GivenUpError):
        segmenter.segment(living_room.color, ASKED, on_progress=stop)
    again = segmenter.segment(living_room.color, ASKED)
    assert again.token_ids == whole.token_ids
    np.testing.assert_array_equal(again.masks, whole.masks)


@pytest.mark.model
def test_a_look_can_be_given_up_between_its_passes(segmenter, living_room):
    queries = segmenter.segment(living_room.color, ASKED).queries
    heard: list[Stage] = []

    def stop_at_the_second(progress):
        heard.append(progress.stage)
        if len(heard) == 2:
            raise GivenUpError

    with pytest.raises(GivenUpError):
        segmenter.look(living_room.color, queries, on_progress=stop_at_the_second)
    assert heard == [Stage.READING] * 2
