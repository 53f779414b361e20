"""``lisa eval`` from the command line to the files it writes."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import cv2
import dataset_files as files
import evaluation
import pytest
import training_run
from evaluation import lisa_eval, read_lines
from vectors import each_set

from benchmarks.full_size_checkpoint import TOWER_FOLDER
from lisa_model.checkpoint.manifest import verify
from lisa_model.cli import main
from lisa_model.errors import LisaError, WeightsMissingError
from training.evaluation import command
from training.evaluation.lisa import TeacherForced, default_mode
from training.run.loop import train
from training.run.merge import merge, selection
from training.run.settings import parse_settings
from training.run.validate import Validation

SAME_FILLING = pytest.mark.skipif(
    tuple(int(part) for part in cv2.__version__.split(".")[:2]) > (4, 10),
    reason="OpenCV 4.11 and later fill polygons differently",
)


@SAME_FILLING
@each_set()
def test_the_mini_reason_seg_has_the_recorded_scores(vectors, tmp_path, capsys):
    folder = vectors.folder / "mini" / "reason_seg" / "ReasonSeg"
    if not folder.is_dir():
        pytest.skip(f"{vectors.name} has no mini ReasonSeg here; set LISA_VECTORS")
    vectors.needs_decoder()
    model = vectors.checkpoint(tmp_path / "LISA-mini")
    arguments = ["--model", model, "--vision-tower", vectors.clip, "--mode", "teacher-forced"]
    records, report = tmp_path / "out" / "records.jsonl", tmp_path / "out" / "report.json"
    arguments += ["--records", records, "--json", report]
    assert lisa_eval("reasonseg", "--data", folder, "--split", "val", *arguments) == 0
    expected = vectors.meta["val"]
    by_image = {line["image"]: line for line in read_lines(records)[1:]}
    assert len(by_image) == len(expected["records"])
    for one in expected["records"]:
        line = by_image[one["image"]]
        assert [line["intersection"], line["union"]] == [one["inter"][1], one["union"][1]]
        assert line["iou"] == pytest.approx(one["acc"][1], abs=1e-6)
        assert (line["answer"], line["marked"]) == ("[SEG].", True)
    values = json.loads(report.read_text())
    (result,) = values["results"]
    overall = result["groups"]["overall"]
    assert overall["giou"] == pytest.approx(expected["giou_no_allreduce"], abs=1e-6)
    assert overall["ciou"] == pytest.approx(expected["ciou"], abs=1e-6)
    assert (result["contender"], result["protocol"]) == ("LISA-mini", "teacher-forced")
    assert values["counts"]["images_published"] == 200
    assert set(values["model"]["weights"]["files"]) == {"model.safetensors"}
    printed = capsys.readouterr().out
    assert "| **LISA-mini** | teacher-forced | 4 |" in printed
    assert "has 200 images by its publication, here are 4" in printed


@pytest.fixture
def data(tmp_path):
    evaluation.reason_seg_split(tmp_path / "ReasonSeg")
    return tmp_path / "ReasonSeg"


def reasonseg(data, checkpoint, *arguments):
    return lisa_eval(
        *("reasonseg", "--data", data, "--split", "test", "--model", checkpoint),
        *("--max-new-tokens", 3, *arguments),
    )


def test_both_protocols_side_by_side(data, checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    status = reasonseg(
        data,
        checkpoint,
        *("--mode", "both", "--json", out / "a.json", "--table", out / "a.md"),
        *("--records", out / "a.jsonl", "--worst", 2, "--pictures", out / "worst"),
    )
    assert status == 0
    table = (out / "a.md").read_text()
    assert table.strip() in capsys.readouterr().out
    assert "| **LISA-random** | teacher-forced | 5 |" in table
    assert "| **LISA-random** | free generation | 5 |" in table
    values = json.loads((out / "a.json").read_text())
    assert [one["protocol"] for one in values["results"]] == ["teacher-forced", "free generation"]
    assert values["results"][0]["groups"]["short"]["n"] == 2
    head, *lines = read_lines(out / "a.jsonl")
    assert head["format"] == "lisa-evaluation"
    assert len(lines) == 2 * evaluation.IMAGES
    assert [line["number"] for line in lines] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    pictures = sorted((out / "worst").iterdir())
    assert [path.name.rsplit("-image", 1)[0] for path in pictures] == [
        *("free-generation-001", "free-generation-002"),
        *("teacher-forced-001", "teacher-forced-002"),
    ]
    forced = sorted((r for r in lines if r["protocol"] == "teacher-forced"), key=lambda r: r["iou"])
    assert forced[0]["image"].removesuffix(".jpg") in pictures[2].name
    shape = cv2.imread(str(pictures[0])).shape
    assert shape[1] == 3 * 640
    assert shape[0] > 480


def test_a_limit_is_said(data, checkpoint, tmp_path, capsys):
    assert reasonseg(data, checkpoint, "--limit", 2, "--records", tmp_path / "r") == 0
    assert "--limit: 2 of 5 images, evenly spread" in capsys.readouterr().out
    assert [line["number"] for line in read_lines(tmp_path / "r")[1:]] == [0, 2]


def test_what_cannot_be_read_is_listed_and_counted(data, checkpoint, tmp_path, capsys):
    (data / "test" / "image1.jpg").write_bytes(b"")
    (data / "test" / "image4.json").write_text('{"text": ["a"]}')
    status = reasonseg(data, checkpoint, "--json", tmp_path / "r.json", "--records", tmp_path / "r")
    assert status == command.INCOMPLETE
    out, err = capsys.readouterr()
    assert "ReasonSeg test: 3 of 5 images scored" in out
    assert "2 of 5 images could not be scored:" in err
    assert "image1.jpg" in err
    assert "image4.json" in err
    values = json.loads((tmp_path / "r.json").read_text())
    assert (values["counts"]["scored_images"], values["counts"]["failed_images"]) == (3, 2)
    assert [one["image"] for one in values["failures"]] == ["image1.jpg", "image4.jpg"]
    assert [line["image"] for line in read_lines(tmp_path / "r")[-2:]] == [
        "image1.jpg",
        "image4.jpg",
    ]


def test_nothing_that_can_be_scored_is_an_error(data, checkpoint, capsys):
    for path in (data / "test").glob("*.jpg"):
        path.write_bytes(b"")
    assert reasonseg(data, checkpoint) == 1
    assert "no image could be scored; the first: image0.jpg" in capsys.readouterr().err


def test_going_on_gives_what_an_uninterrupted_run_gives(data, checkpoint, tmp_path, capsys):
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    arguments = ("--mode", "both", "--json")
    assert reasonseg(data, checkpoint, *arguments, tmp_path / "1.json", "--records", whole) == 0
    lines = whole.read_text().splitlines(keepends=True)
    # Two images, one of two protocols of a third, and a line that was being written.
    torn.write_text("".join(lines[:6]) + lines[6][:40])
    resumed = (*arguments, tmp_path / "2.json", "--records", torn)
    assert reasonseg(data, checkpoint, *resumed) == 1
    assert "go on with --resume" in capsys.readouterr().err
    assert reasonseg(data, checkpoint, *resumed, "--resume") == 0
    assert read_lines(torn) == read_lines(whole)
    # The images that were there were not asked again: their seconds are the old ones.
    assert torn.read_text().splitlines(keepends=True)[:5] == lines[:5]
    one, two = (results(tmp_path / name) for name in ("1.json", "2.json"))
    assert one == two


def results(path):
    values = json.loads(path.read_text())["results"]
    for result in values:
        for figures in result["groups"].values():
            figures.pop("seconds_median", None)
    return values


def test_failures_are_tried_again(data, checkpoint, tmp_path):
    records, path = tmp_path / "r.jsonl", data / "test" / "image1.jpg"
    good = path.read_bytes()
    path.write_bytes(b"")
    assert reasonseg(data, checkpoint, "--records", records) == command.INCOMPLETE
    path.write_bytes(good)
    assert reasonseg(data, checkpoint, "--records", records, "--resume") == 0
    assert [line["number"] for line in read_lines(records)[1:]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--limit", "3"), "limit was 0, now it is 3"),
        (("--mode", "free"), "contenders was"),
        (("--dtype", "bfloat16"), "model was"),
    ],
)
def test_records_of_another_configuration_are_refused(
    data, checkpoint, tmp_path, capsys, changed, said
):
    records = tmp_path / "r.jsonl"
    assert reasonseg(data, checkpoint, "--records", records) == 0
    before = records.read_text()
    assert reasonseg(data, checkpoint, "--records", records, "--resume", *changed) == 1
    assert said in capsys.readouterr().err
    assert records.read_text() == before


def test_other_files_are_no_records(data, checkpoint, tmp_path, capsys):
    path = tmp_path / "r.jsonl"
    path.write_text('{"a": 1}\n')
    assert reasonseg(data, checkpoint, "--records", path, "--resume") == 1
    assert "is no file of records" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_give_what_one_gives(data, checkpoint, tmp_path):
    assert (
        reasonseg(
            *(data, checkpoint, "--mode", "both"),
            *("--json", tmp_path / "1.json", "--records", tmp_path / "1.jsonl"),
        )
        == 0
    )
    done = training_run.two_processes(
        *("-m", "lisa_model.cli", "eval", "reasonseg"),
        *("--data", str(data), "--split", "test", "--model", str(checkpoint)),
        *("--max-new-tokens", "3", "--mode", "both", "--json", str(tmp_path / "2.json")),
        *("--records", str(tmp_path / "2.jsonl")),
    )
    assert done.returncode == 0, done.stderr
    assert read_lines(tmp_path / "1.jsonl") == read_lines(tmp_path / "2.jsonl")
    assert results(tmp_path / "1.json") == results(tmp_path / "2.json")
    assert json.loads((tmp_path / "2.json").read_text())["processes"] == 2
    assert done.stdout.count("ReasonSeg test: 5 of 5 images scored") == 1
    assert not list(tmp_path.glob("*.rank*"))


def test_refcoco_with_a_model(checkpoint, tmp_path, capsys):
    files.refcoco(tmp_path, "refcocog", "umd")
    arguments = ("--data", tmp_path, "--set", "refcocog", "--model", checkpoint)
    records = tmp_path / "r.jsonl"
    assert lisa_eval("refer", *arguments, "--split", "val-U", "--records", records) == 0
    out = capsys.readouterr().out
    assert "refcocog val: 1 of 1 images scored" in out
    assert "| LISA-7B | published [1] |  | 66.4 | - |" in out
    (line,) = read_lines(records)[1:]
    assert (line["question"], line["protocol"]) == ("a cat", "teacher-forced")
    assert lisa_eval("refer", *arguments, "--split", "testA") == 1
    assert "it has train, val, test" in capsys.readouterr().err


def test_grefcoco_with_a_model(checkpoint, tmp_path, capsys):
    evaluation.grefcoco_test(tmp_path)
    arguments = ("--data", tmp_path, "--split", "testA", "--model", checkpoint, "--mode", "both")
    arguments = (*arguments, "--max-new-tokens", 3, "--json", tmp_path / "r.json")
    assert lisa_eval("grefcoco", *arguments) == 0
    forced, free = json.loads((tmp_path / "r.json").read_text())["results"]
    # This model always writes a [SEG], given or not, and so never says that nothing is meant.
    for result in (forced, free):
        overall = result["groups"]["overall"]
        assert (overall["marked"], overall["n_acc"], overall["t_acc"]) == (1.0, 0.0, 1.0)
        assert (overall["n"], overall["without_target"]) == (5, 2)
    assert "| method | protocol | images | gIoU | cIoU | N-acc | T-acc |" in capsys.readouterr().out


def test_a_baseline_stands_beside_the_model_or_alone(
    data, checkpoint, tmp_path, capsys, monkeypatch
):
    built = []

    def build(name, *, device, dtype):
        built.append((name, device, dtype))
        return evaluation.Fixed()

    fake = SimpleNamespace(NAMES=("fixed",), build=build)
    monkeypatch.setitem(sys.modules, command.REGISTRY, fake)
    assert reasonseg(data, checkpoint, "--baseline", "fixed") == 0
    out = capsys.readouterr().out
    assert "| **LISA-random** | teacher-forced | 5 |" in out
    assert "| **fixed** | rectangle | 5 |" in out
    assert reasonseg(data, "none", "--baseline", "fixed", "--dtype", "bfloat16") == 0
    assert "LISA-random" not in capsys.readouterr().out
    assert built == [("fixed", "cpu", "float32"), ("fixed", "cpu", "bfloat16")]
    assert reasonseg(data, "none", "--baseline", "other") == 1
    assert "no baseline 'other'; there are: fixed" in capsys.readouterr().err
    assert reasonseg(data, "none") == 1
    assert "--baseline" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--worst", "3"), "belong together"),
        (("--resume",), "name it with --records"),
        (("--baseline-option", "threshold=1"), "needs a --baseline"),
        (("--baseline", "a", "--baseline", "a"), "named twice"),
    ],
)
def test_options_that_miss_another(data, checkpoint, capsys, arguments, said):
    assert reasonseg(data, checkpoint, *arguments) == 1
    assert said in capsys.readouterr().err


def test_an_empty_split_stops_at_the_start(tmp_path, capsys):
    (tmp_path / "val").mkdir()
    status = lisa_eval(
        "reasonseg", "--data", tmp_path, "--split", "val", "--model", "no-such-model"
    )
    assert status == 1
    assert "holds no .jpg file; --data must name the folder" in capsys.readouterr().err


def test_other_models_are_not_teacher_forced():
    other = SimpleNamespace(name="lisa-tiny")
    with pytest.raises(LisaError, match="use --mode free"):
        TeacherForced(other)
    assert default_mode(other) == "free"


@pytest.mark.model
def test_lisa_tiny_answers_freely(data, tmp_path, capsys):
    assert reasonseg(data, "lisa-tiny", "--limit", 1, "--json", tmp_path / "r.json") == 0
    values = json.loads((tmp_path / "r.json").read_text())
    assert [one["protocol"] for one in values["results"]] == ["free generation"]
    assert len(values["model"]["weights"]["sha256"]["model.safetensors"]) == 64
    assert reasonseg(data, "lisa-tiny", "--mode", "both") == 1
    assert "has no teacher-forced mode" in capsys.readouterr().err


@pytest.fixture
def two_checkpoints(trained, tmp_path, monkeypatch):
    """A run whose first validation was the better one."""
    scores = iter([0.75, 0.25])

    def validate(*_, **__):
        return Validation(giou=next(scores), ciou=0.5, images=2, pictures=())

    monkeypatch.setattr("training.run.loop.validate", validate)
    folder = trained / "dataset" / "reason_seg" / "ReasonSeg" / "train"
    values = training_run.settings(
        trained,
        tmp_path / "run",
        steps=2,
        accumulation=1,
        checkpoints={"every": 1},
        validation={"folder": str(folder), "every": 1},
    )
    train(parse_settings(values), progress=False)
    return tmp_path / "run"


def test_a_merged_model_says_which_validation_chose_it(
    two_checkpoints, trained, data, tmp_path, capsys
):
    tower = trained / TOWER_FOLDER
    said = {
        "newest": "step 2, the newest whole checkpoint of its run: gIoU 0.2500 on ReasonSeg/train",
        "best": "step 1, the best of its run by validation: gIoU 0.7500 on ReasonSeg/train, the "
        "best of the run's checkpoints",
    }
    for name, more in {"newest": [], "best": ["--best"]}.items():
        assert main(["merge", str(two_checkpoints), str(tmp_path / name), *more]) == 0
        report = tmp_path / f"{name}.json"
        arguments = ("--limit", 1, "--vision-tower", tower, "--json", report)
        assert reasonseg(data, tmp_path / name, *arguments) == 0
        assert f"weights of training {said[name]}\n" in capsys.readouterr().out
        values = json.loads(report.read_text())
        chosen = values["model"]["selection"]
        assert (chosen["metric"], chosen["images"], chosen["split"]) == (
            *("gIoU", 2),
            "ReasonSeg/train",
        )
        # With a manifest, the sums of the weights cost nothing.
        sums = values["model"]["weights"]["sha256"]
        assert (
            sums["model.safetensors"]
            == verify(tmp_path / name, progress=False).files["model.safetensors"].sha256
        )
    place = two_checkpoints / "checkpoints" / "step-00000002"
    assert selection(place)["chosen"] == "named by hand"
    assert not selection(place)["best"]


def test_the_best_of_a_run_without_validation_is_an_error(trained, tmp_path):
    values = training_run.settings(trained, tmp_path / "run", steps=1, accumulation=1)
    train(parse_settings(values), progress=False)
    with pytest.raises(WeightsMissingError, match="leave out --best"):
        merge(tmp_path / "run", tmp_path / "out", best=True)
    chosen = selection(tmp_path / "run")
    assert (chosen["value"], chosen["best"]) == (None, False)
    assert command.selection_text(chosen).endswith("not validated at that step")
