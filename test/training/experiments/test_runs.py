from dataclasses import replace

import pytest

from training.experiments.errors import ExperimentError
from training.experiments.runs import Data, Run, checked_seeds, each_once, frames_name

DATA = Data(training="t", scored="s", split="val")


def run(name):
    return Run(id=name, stage="text", seed=0, needs=(), settings={})


def test_shared_runs_come_once_and_first():
    found = each_once([[run("a"), run("b")], [run("a"), run("c")], [run("c"), run("b")]])
    assert [one.id for one in found] == ["a", "b", "c"]


def test_seeds_are_different_and_in_order():
    assert checked_seeds([2, 0, 2]) == [2, 0]
    with pytest.raises(ExperimentError, match="seeds"):
        checked_seeds([])


def test_which_frames_are_scored_is_named():
    assert (frames_name("val", None), frames_name("test", 3)) == ("val", "test_3_frames")
    with pytest.raises(ExperimentError, match="split"):
        replace(DATA, split="train")
    with pytest.raises(ExperimentError, match="limit"):
        replace(DATA, limit=0)
