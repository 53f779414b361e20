"""From answers to figures, with a contender whose answers are known."""

from __future__ import annotations

import dataset_files as files
import evaluation
import numpy as np
import pytest

from lisa_model.metrics import score_mask
from training.evaluation.reason_seg import ReasonSegBenchmark
from training.evaluation.records import Failure, Journal
from training.evaluation.refer import ReferBenchmark
from training.evaluation.scoring import score_image, score_share
from training.evaluation.summary import summarise
from training.evaluation.tables import markdown, published

NO_JOURNAL = Journal(None, {}, 0)


def scored(benchmark, *contenders):
    return score_share(
        benchmark,
        range(len(benchmark)),
        contenders or [evaluation.Fixed()],
        NO_JOURNAL,
        shown=False,
    )


def test_short_and_long_queries_are_told_apart(tmp_path):
    evaluation.reason_seg_split(tmp_path)
    benchmark = ReasonSegBenchmark(tmp_path, "test")
    outcome = scored(benchmark)
    groups = summarise(outcome.records, "reasonseg", samples=50)
    assert [groups[name]["n"] for name in ("short", "long", "overall")] == [2, 3, 5]
    ious = []
    answer = files.box_mask(4, 4, 20, 20) > 0
    for k in range(evaluation.IMAGES):
        ious.append(score_mask(answer, benchmark.read(k).truths[0]).iou)
    assert groups["overall"]["giou"] == pytest.approx(np.mean(ious))
    assert groups["long"]["giou"] == pytest.approx(np.mean(ious[::2]))
    assert groups["short"]["giou"] == pytest.approx(np.mean(ious[1::2]))
    low, high = groups["overall"]["giou_95"]
    assert low < groups["overall"]["giou"] < high
    # The order in which processes hand in their records is of no account.
    assert summarise(outcome.records[::-1], "reasonseg", samples=50) == groups


def test_questions_of_one_image_are_drawn_together(tmp_path):
    files.refcoco(tmp_path)
    benchmark = ReferBenchmark(tmp_path, "refcoco", "val")
    groups = summarise(scored(benchmark).records, "refer", samples=50)
    # One image only: every draw is the same.
    assert groups["overall"]["giou_95"] == [groups["overall"]["giou"]] * 2
    benchmark = ReferBenchmark(tmp_path, "refcoco", "train")
    figures = summarise(scored(benchmark).records, "refer", samples=50)["overall"]
    assert (figures["n"], figures["images"]) == (5, 2)


def test_grefcoco_counts_what_means_nothing(tmp_path):
    evaluation.grefcoco_test(tmp_path)
    benchmark = ReferBenchmark(tmp_path, "grefcoco", "testA")
    outcome = scored(benchmark)
    figures = summarise(outcome.records, "grefcoco", samples=50)["overall"]
    # "no mug" and "no plate" are answered with nothing; there is a plate, and no elephant.
    assert (figures["n_acc"], figures["t_acc"]) == (1 / 2, 2 / 3)
    assert figures["without_target"] == 2
    assert figures["marked"] == 3 / 5
    answer = files.box_mask(4, 4, 20, 20) > 0
    both = benchmark.read(0).truths[0] == 1
    iou = (answer & both).sum() / (answer | both).sum()
    assert figures["giou"] == pytest.approx((2 * iou + 1 + 0 + 0) / 5)
    union = 2 * (answer | both).sum() + 0 + answer.sum() + benchmark.read(1).truths[1].sum()
    assert figures["ciou"] == pytest.approx(2 * (answer & both).sum() / union)


def test_an_image_that_cannot_be_read_is_a_failure_with_its_name(tmp_path):
    folder = evaluation.reason_seg_split(tmp_path)
    (folder / "image2.jpg").write_bytes(b"no image")
    (folder / "image3.json").write_text("{")
    outcome = scored(ReasonSegBenchmark(tmp_path, "test"))
    assert [one.image for one in outcome.failures] == ["image2.jpg", "image3.jpg"]
    assert "image3.json is not JSON" in outcome.failures[1].error
    assert [record.number for record in outcome.records] == [0, 1, 4]


def test_protocols_are_scored_on_the_same_images(tmp_path):
    from lisa_model.errors import InvalidIntentError

    class Picky(evaluation.Fixed):
        protocol = "picky"

        def answer(self, image, asks):
            if "3" in asks[0].text:
                raise InvalidIntentError("too long")
            return super().answer(image, asks)

    evaluation.reason_seg_split(tmp_path)
    benchmark = ReasonSegBenchmark(tmp_path, "test")
    contenders = [evaluation.Fixed(), Picky()]
    outcome = scored(benchmark, *contenders)
    assert outcome.failures == (Failure(number=3, image="image3.jpg", error="too long"),)
    seen = {
        name: [r.number for r in outcome.records if r.protocol == name]
        for name in ("rectangle", "picky")
    }
    assert seen["rectangle"] == seen["picky"] == [0, 1, 2, 4]


def test_a_contender_must_answer_each_question(tmp_path):
    class Silent(evaluation.Fixed):
        def answer(self, image, asks):
            return []

    evaluation.reason_seg_split(tmp_path)
    with pytest.raises(ValueError, match="0 replies to 1 questions"):
        score_image(ReasonSegBenchmark(tmp_path, "test"), 0, [Silent()])


def test_published_rows_are_whole():
    values = published()
    for table in values["tables"].values():
        for row in table["rows"]:
            assert len(row["values"]) == len(table["columns"]), row["name"]
            assert row["source"] in values["sources"]
            assert all(one is None or 0.0 < one < 100.0 for one in row["values"])


def report(benchmark, name, split, groups):
    results = [{"contender": "mine", "protocol": "free", "groups": groups}]
    counts = {"images": 5, "scored_images": 4}
    return {
        "benchmark": benchmark,
        "set": name,
        "split": split,
        "counts": counts,
        "results": results,
    }


def test_the_table_stands_beside_the_papers():
    figures = {"n": 4, "images": 4, "giou": 0.5, "giou_95": [0.25, 0.75], "ciou": 0.4}
    groups = dict.fromkeys(("short", "long", "overall"), figures)
    text = markdown(report("reasonseg", "ReasonSeg", "test", groups))
    lines = text.splitlines()
    assert lines[0] == "ReasonSeg test: 4 of 5 images scored"
    assert lines[2].startswith("| method | protocol | images | short gIoU | short cIoU | long gIoU")
    row = "| LISA-7B (ft) | published [1] |  | 40.6 | 40.6 | 49.4 | 51.0 | 47.3 | 48.4 |"
    assert row in lines
    mine = "50.0 (25.0-75.0) | 40.0"
    assert f"| **mine** | free | 4 | {mine} | {mine} | {mine} |" in lines
    assert lines[-1].startswith("[1] Lai et al.")
    val = markdown(report("reasonseg", "ReasonSeg", "val", groups))
    assert "| LISA-7B (ft) | published [1] |  | 52.9 | 54.0 |" in val
    refer = markdown(report("refer", "refcoco+", "testB", {"overall": figures}))
    assert "| LISA-7B | published [1] |  | 56.5 | - |" in refer
    # A split of which nothing was published.
    clef = markdown(report("refer", "refclef", "val", {"overall": figures}))
    assert "published" not in clef
