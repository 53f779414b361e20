"""The parts of `lisa bench data` that need no weights, for a moment."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import torch

from benchmarks.checkpoint_shapes import SIZES
from benchmarks.data_pipeline import _WARM_UP_STEPS, learnt_per_second, pipeline_rate
from benchmarks.full_size_checkpoint import write_checkpoint
from benchmarks.photographs import write_photographs
from training.data.images import read_image
from training.household.evaluate import shipped_frames
from training.official.reason_seg import read_item


def test_photographs_are_what_the_reasonseg_reader_reads(tmp_path):
    write_photographs(tmp_path, count=2, width=320, height=200)
    paths = sorted(tmp_path.glob("*.jpg"))
    assert len(paths) == 2
    assert read_image(paths[0]).shape == (200, 320, 3)
    item = read_item(paths[0], 200, 320)
    assert item.is_sentence
    assert 0.01 < (item.mask == 1).mean() < 0.5
    assert (read_image(paths[0]) != read_image(paths[1])).any()


@pytest.mark.slow
def test_the_pipeline_delivers_household_frames_and_photographs(tmp_path):
    (tmp_path / "household").mkdir()
    (tmp_path / "household" / "train").symlink_to(shipped_frames().resolve() / "test")
    write_photographs(tmp_path / "reason_seg" / "ReasonSeg" / "train", count=2)
    write_checkpoint(tmp_path, SIZES["tiny"], dtype=torch.float32)
    before = torch.get_num_threads()
    for name in ("household", "reason_seg"):
        assert pipeline_rate(tmp_path, name, seconds=0.5, workers=2) > 0.0
    assert torch.get_num_threads() == before


def test_a_stages_rate_counts_views_after_the_warm_up(monkeypatch):
    stage = SimpleNamespace(view_tensors=lambda views: None)
    original = stage.view_tensors
    clock = iter([0.0, 100.0, 101.0, 103.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))

    def train():
        for count in (50, 4, 8, 70):
            stage.view_tensors([None] * count)

    assert _WARM_UP_STEPS == 1
    # 4 views in the second from 100 to 101, 8 in the two from 101 to 103.
    assert learnt_per_second(train, stage) == 12 / 3
    assert stage.view_tensors is original
