"""The engine benchmark at toy size: the two ways of computing have to agree."""

from __future__ import annotations

from benchmarks.checkpoint_shapes import SIZES
from benchmarks.engine import measure


def test_engine_and_baseline_agree_on_a_toy_checkpoint(tmp_path):
    report = measure(tmp_path, 1, SIZES["tiny"])
    assert report["verdicts"]["float32: ids equal"]
    assert report["verdicts"]["float32: a mask, within 1e-4"]
    assert report["rows"][0]["what"] == "as the official code, float32"
    assert len(report["rows"]) == 7
    assert all(row["seconds"] > 0 for row in report["rows"])
    for stages in report["stages_s"].values():
        assert set(stages) == {"encode_image_s", "language_s", "masks_s"}
