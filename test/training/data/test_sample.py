from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.data.sample import Provenance, Sample, no_masks

WHERE = Provenance(family="vqa", set="toy", key="item 7")
IMAGE = np.zeros((4, 5, 3), np.uint8)


def sample(conversations, count=0, **changes):
    parts = {
        "image_file": Path("a.jpg"),
        "image": IMAGE,
        "conversations": conversations,
        "masks": np.zeros((count, 4, 5), np.uint8),
        "provenance": WHERE,
    }
    return Sample(**parts | changes)


ONE = (("<image>\nWhere is the mug?", "It is [SEG]."),)
TALK = (("<image>\nWhat is it?", "A mug."), ("And the lid?", "They are [SEG] and [SEG]."))


def test_masks_are_counted_over_all_answers():
    assert sample((ONE, TALK), 3).seg_count == 3
    assert sample(((("<image>\nHi", "Hello."),),)).seg_count == 0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_another_number_of_masks_is_refused(count):
    with pytest.raises(ValueError, match=r"toy: item 7.*3 \[SEG\].*masks"):
        sample((ONE, TALK), count)


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ((("Where is it?", "Here."),), "<image>"),
        ((("<image>\n<image>\nWhere?", "Here."),), "<image>"),
        ((("<image>\nWhere?", "<image>"),), "<image>"),
        ((("<image>\nWhere?", "Here."), ("<image>\nAnd?", "There.")), "<image>"),
        ((("<image>\nWhere is [SEG]?", "Here."),), "in a question"),
        ((("<image>\n ", "Here."),), "without a question"),
        ((("<image>\nWhere?", " "),), "without a question or an answer"),
        ((("<image>\nWhere?", "Here.</s>"),), "</s>"),
        ((("<image>\nWhere <im_end>?", "Here."),), "<im_end>"),
        ((), "without a turn"),
    ],
)
def test_texts_that_would_confuse_the_model_are_refused(turns, said):
    with pytest.raises(ValueError, match=said):
        sample((turns,))


@pytest.mark.parametrize(
    "changes",
    [
        {"image": IMAGE.astype(np.float32)},
        {"image": IMAGE[..., 0]},
        {"masks": np.zeros((1, 5, 4), np.uint8)},
        {"masks": np.zeros((1, 4, 5), np.bool_)},
        {"ignore": np.zeros((4, 5), np.uint8)},
        {"ignore": np.zeros((5, 4), np.bool_)},
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=rf"toy: item 7: {name} must be"):
        sample((ONE,), 1, **changes)


def test_an_image_without_masks():
    assert no_masks(IMAGE).shape == (0, 4, 5)
