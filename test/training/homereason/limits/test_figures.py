"""Figures by size, confusion, kind and category."""

import limit_answers as given
import pytest

from training.homereason.limits import figures


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return given.write_frame(tmp_path_factory.mktemp("frames"))


@pytest.fixture(scope="module")
def findings(path):
    """Of twelve questions for a mug: six right, four a radio, one the other mug, one background."""
    masks = [given.on(1)] * 6 + [given.on(2)] * 4 + [given.on(3), given.box(0, 0, 300, 60)]
    mugs = [
        given.answered(path, given.question([1], ["mug"], text=f"mug {k}"), mask)
        for k, mask in enumerate(masks)
    ]
    radio = given.answered(
        path, given.question([2], ["radio"], kind="implicit_short", subset="c"), given.on(2, 0.3)
    )
    both = given.answered(
        path, given.question([1, 2], ["mug", "radio"], kind="two_targets", subset="e"), given.on(3)
    )
    vain = [
        given.answered(path, given.question([], ["kettle"], text=f"kettle {k}"), mask)
        for k, mask in enumerate([given.on(2), given.on(2), given.box(0, 0, 0, 0)])
    ]
    return [*mugs, radio, both, *vain]


def test_confusion(findings):
    result = figures.confusion(findings)
    assert (result["wrong"], result["asked"]) == (6, 13)
    assert result["pairs"] == [
        {"meant": "mug", "marked": "radio", "count": 4, "asked": 12, "beside": 12},
        {"meant": "mug", "marked": "background", "count": 1, "asked": 12, "beside": 12},
        {"meant": "mug", "marked": "mug", "count": 1, "asked": 12, "beside": 12},
    ]
    assert result["in_vain"] == [
        {"meant": "kettle", "marked": "radio", "count": 2, "asked": 3, "beside": 3}
    ]
    # Twelve questions for a mug, one for the radio, three in vain; a mug for a mug is left out.
    assert result["taken"] == [
        {"marked": "radio", "count": 6, "beside": 15},
        {"marked": "background", "count": 1, "beside": 16},
    ]


def test_beside_counts_frames_with_the_marked_one_only(path, tmp_path):
    without = given.write_frame(tmp_path, things={1: ("mug", 20)})
    asked = given.question([1], ["mug"])
    some = [
        given.answered(path, asked, given.on(2)),
        given.answered(path, asked, given.on(3)),
        given.answered(without, asked, given.on(1)),
    ]
    pairs = figures.confusion(some)["pairs"]
    assert {pair["marked"]: (pair["asked"], pair["beside"]) for pair in pairs} == {
        "mug": (3, 2),
        "radio": (3, 2),
    }


def test_by_area(findings):
    rows = {row["from_px"]: row for row in figures.by_area(findings)}
    row = rows[6000]
    assert row["to_px"] is None
    assert (row["all"]["n"], row["explicit"]["n"]) == (13, 12)
    assert row["explicit"]["good"] == pytest.approx(6 / 12)
    assert row["all"]["found"] == pytest.approx(7 / 13)
    assert row["all"]["giou"] == pytest.approx((6 + 0.3) / 13, abs=1e-3)
    assert rows[0]["all"] == figures.figures([])


def smallest(shares, level, n=40):
    """The limit where the k-th bin from 150 px has a share of successes."""
    areas, hits = [], []
    for k, share in enumerate(shares, start=1):
        areas += [figures.DOUBLING_EDGES[k] * 1.1] * n
        hits += [number < share * n for number in range(n)]
    return figures.smallest_area(areas, hits, level)


def test_smallest_area_is_the_edge_below_which_a_bin_fails():
    result = smallest([0.9, 0.2, 0.6, 0.7, 0.9], 0.5)
    assert result["from_px"] == pytest.approx(600.0)  # the good bin below the failed one is no help
    assert not result["every_bin"]
    assert [row["share"] for row in result["bins"]] == pytest.approx([0.9, 0.2, 0.6, 0.7, 0.9])
    assert smallest([0.9, 0.2, 0.6, 0.7, 0.9], 0.8)["from_px"] == pytest.approx(2400.0)


def test_smallest_area_at_the_ends():
    assert smallest([0.9, 0.9, 0.1], 0.5)["from_px"] is None
    everything = smallest([0.9, 0.9], 0.5)
    assert everything["from_px"] == pytest.approx(150.0)
    assert everything["every_bin"]
    few = smallest([0.9, 0.9], 0.5, n=figures.LEAST_OF_A_BIN - 1)
    assert (few["from_px"], few["every_bin"], few["bins"]) == (None, False, [])


def test_the_bins_reach_from_nothing_to_the_whole_picture():
    assert figures.DOUBLING_EDGES[0] == 0.0
    assert figures.DOUBLING_EDGES[-1] > 640 * 480
    assert list(figures.DOUBLING_EDGES) == sorted(figures.DOUBLING_EDGES)


def test_smallest_takes_explicit_questions_for_one_thing(findings):
    result = figures.smallest(findings)
    assert result["n"] == 12
    assert result["smallest_good"] == pytest.approx(
        {"area_px": given.AREA, "category": "mug", "iou": 1.0}, abs=1e-3
    )


def test_groups(findings):
    failures = figures.by_failure(findings)
    assert failures["a"]["n"] == 12
    assert failures["a"]["another thing"] == 5
    assert failures["a"]["background"] == 1
    assert failures["f"]["marked, though nothing fits"] == 2
    kinds = figures.by_kind(findings)
    assert {name: row["n"] for name, row in kinds.items()} == {
        "explicit": 12,
        "implicit_short": 1,
        "two_targets": 1,
    }
    worst = figures.worst_categories(findings)
    assert [(row["category"], row["n"]) for row in worst] == [("mug", 12)]  # one radio is too few
