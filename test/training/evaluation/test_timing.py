"""Medians of seconds: what reads an image is kept apart from what asks about it again."""

import pytest

from training.evaluation.timing import median_seconds, seconds_line


def test_the_first_question_of_each_frame_is_kept_apart():
    timed = [("a", 2.0), ("a", 0.5), ("b", 4.0), ("a", 0.7), ("b", 0.6)]
    found = median_seconds(timed)
    assert found["median_intent_s"] == 3.0
    assert found["median_further_s"] == pytest.approx(0.6)
    assert seconds_line(found).endswith("mask: 3.00, a further intent on the same image: 0.60")


def test_one_question_a_frame_has_no_further_ones():
    found = median_seconds([("a", 2.0), ("b", 1.0)])
    assert found == {"median_intent_s": 1.5, "median_further_s": None}
    assert "further" not in seconds_line(found)
