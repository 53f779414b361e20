from pathlib import Path

import numpy as np
import pytest

from lisa_model.rgbd import load_frame
from lisa_model.segmenter import ReasoningSegmenter
from training.claims.teacher import TeacherForced, given_answer
from training.homereason.question import Question, answer_for


@pytest.fixture(scope="module")
def segmenter():
    """The shipped model; its weights belong to the package, so missing ones are a failure."""
    return ReasoningSegmenter.from_pretrained("lisa-tiny", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def living_room():
    """The demo's frame, with its truth."""
    return load_frame(Path(__file__).parents[3] / "scenes" / "living_room_remote.json")


def question(text, categories, targets=((1,),)):
    kinds = {0: "nothing_fits", 1: "explicit", 2: "two_targets"}
    return Question(
        frame="f",
        kind=kinds[len(targets)],
        text=text,
        targets=targets,
        categories=categories,
        answer=answer_for(targets) if targets else "There is none.",
        proof=("x",),
    )


REMOTE = question("Find the remote control.", ("tv_remote",))
NOTHING = question("Find the elephant.", ("mug",), ())
TWO = question("Find the mug and the fork.", ("mug", "fork"), ((1,), (2,)))


def test_every_given_answer_marks_something():
    assert given_answer(REMOTE) == "It is [SEG], the TV remote control."
    assert given_answer(TWO).count("[SEG]") == 2
    assert given_answer(NOTHING) == "It is [SEG]."


@pytest.mark.model
def test_the_given_answer_has_the_masks_of_the_same_answer_generated(segmenter, living_room):
    forced = TeacherForced(segmenter)
    given = forced.ask(living_room.color, REMOTE)
    generated = segmenter.segment(living_room.color, REMOTE.text)
    assert generated.text.startswith("It is [SEG]"), "else the two cannot be compared"
    np.testing.assert_array_equal(given.masks, generated.masks)
    np.testing.assert_allclose(given.scores, generated.scores, atol=1e-3)


@pytest.mark.model
def test_nothing_is_left_to_the_model(segmenter, living_room):
    forced = TeacherForced(segmenter)
    shape = living_room.ids.shape
    assert forced.ask(living_room.color, TWO).masks.shape == (2, *shape)
    assert forced.ask(living_room.color, NOTHING).masks.shape == (1, *shape)


@pytest.mark.model
def test_what_is_named_behind_the_mask_does_not_change_it(segmenter, living_room):
    forced = TeacherForced(segmenter)
    other = question(REMOTE.text, ("hammer",))
    first, second = (forced.ask(living_room.color, one) for one in (REMOTE, other))
    np.testing.assert_array_equal(first.masks, second.masks)
