from dataclasses import asdict

import numpy as np
import pytest

from lisa_model.metrics import MaskScore, bootstrap_interval, c_iou, g_iou
from training.experiments.errors import ExperimentError
from training.experiments.statistics import difference, interval, scores

KINDS = ("explicit", "implicit_short")


def records(seed, *, frames=12, lift=0):
    """Two questions a frame; ``lift`` more pixels right."""
    rng = np.random.default_rng(seed)
    out = []
    for frame in range(frames):
        hard = np.random.default_rng(1000 + frame).integers(0, 50)
        for kind in KINDS:
            right = int(hard + rng.integers(0, 20) + lift)
            out.append({
                "frame": f"f{frame}", "kind": kind, "text": f"{kind} {frame}",
                "score": asdict(MaskScore(right, 100)),
            })  # fmt: skip
    return out


def flat(rows):
    return [MaskScore(**one["score"]) for one in rows]


def test_values_are_the_means_of_the_seeds_own():
    by_seed = {0: records(0), 4: records(4), 7: records(7)}
    found = scores(by_seed)
    for measure, plain in (("giou", g_iou), ("ciou", c_iou)):
        expected = np.mean([plain(flat(rows)) for rows in by_seed.values()])
        assert found.value(measure) == pytest.approx(expected)
    assert found.seeds == (0, 4, 7)
    assert len(found.questions) == 24


def test_only_some_kinds():
    found = scores({0: records(0)}, lambda one: one["kind"] == "explicit")
    rows = [one for one in records(0) if one["kind"] == "explicit"]
    assert found.value("giou") == pytest.approx(g_iou(flat(rows)))
    with pytest.raises(ExperimentError, match="no questions"):
        scores({0: records(0)}, lambda _: False)


def test_one_seed_has_the_interval_of_the_plain_bootstrap():
    rows = records(0, frames=40)
    groups = [flat(one for one in rows if one["frame"] == f"f{k}") for k in range(40)]
    for measure, plain in (("giou", g_iou), ("ciou", c_iou)):
        expected = bootstrap_interval(groups, plain, samples=4000)
        assert interval(scores({0: rows}), measure) == pytest.approx(expected, abs=0.006)


def test_a_paired_difference_is_sharper_than_its_sides():
    worse = scores({seed: records(seed) for seed in range(3)})
    better = scores({seed: records(seed, lift=3) for seed in range(3)})
    value, (low, high) = difference(better, worse, "giou")
    assert value == pytest.approx(0.03, abs=1e-6)
    assert (low, high) == pytest.approx((0.03, 0.03), abs=1e-6)
    alone = interval(worse, "giou")
    assert alone[1] - alone[0] > 0.05
    assert difference(worse, worse, "ciou") == (0.0, (0.0, 0.0))


def test_seeds_that_differ_widen_the_interval():
    alike = scores({seed: records(0) for seed in range(3)})
    apart = scores({seed: records(0, lift=20 * seed) for seed in range(3)})
    narrow, wide = interval(alike, "giou"), interval(apart, "giou")
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ExperimentError, match="seed 1 was asked other questions"):
        scores({0: records(0), 1: records(1)[1:]})
    with pytest.raises(ExperimentError, match="same seeds"):
        difference(scores({0: records(0)}), scores({1: records(1)}), "giou")
