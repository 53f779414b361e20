"""The engine benchmark at toy size: the two ways of computing have to agree."""

from __future__ import annotations

import json

import pytest

from benchmarks.checkpoint_shapes import SIZES
from benchmarks.engine import TOKENS, measure
from benchmarks.engine_report import text
from benchmarks.stopwatch import STAGES


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return measure(tmp_path_factory.mktemp("engine"), 2, SIZES["tiny"])


def test_engine_and_baseline_agree_on_a_toy_checkpoint(report):
    for what in ("float32: ids equal", "float32: a mask, within 1e-4", "no [SEG]: no mask"):
        assert report["verdicts"][what]
    assert all(line["min_s"] > 0 for line in report["lines"].values())
    keys = ("speedup_fp32", "speedup_bf16", "speedup_second_intent", "int8_llm_share")
    assert all(report[key] > 0 for key in keys)
    assert report["no_seg_sam_s"] == 0
    assert report["load_peak_over_weights"] > 1  # Python alone is larger than a toy model
    json.dumps(report)
    assert "PASS float32: ids equal" in text(report)


def test_stages_show_what_is_computed_how_often(report):
    stages = report["stages"]
    assert set(stages["float32"]) == {*STAGES, "other"}
    calls = {
        name: {stage: found[stage]["calls"] for stage in STAGES} for name, found in stages.items()
    }
    once = {"sam_encoder": 1, "mask_decoder": 1}
    assert calls["naive_float32"] == {"clip": TOKENS, "llm": TOKENS, "head": TOKENS} | once
    # The image's own tokens and the question are one pass each; the constant prefix is kept.
    assert calls["float32"] == {"clip": 1, "llm": TOKENS + 1, "head": TOKENS} | once
    second = {"clip": 0, "llm": TOKENS, "head": TOKENS, "sam_encoder": 0, "mask_decoder": 1}
    assert calls["second_intent_bfloat16"] == second
    assert calls["no_seg_bfloat16"]["sam_encoder"] == 0
    assert calls["no_seg_bfloat16"]["mask_decoder"] == 0
    for found in stages.values():
        assert all(one["min_s"] <= one["median_s"] <= one["max_s"] for one in found.values())
