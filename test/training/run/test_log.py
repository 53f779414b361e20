from __future__ import annotations

import importlib.util
import json
import sys
import types

import numpy as np

from training.run.log import METRICS, Log, cut_after, read_metrics
from training.run.validate import Picture, Validation

RESULT = Validation(
    giou=0.5,
    ciou=0.25,
    images=2,
    pictures=(Picture(name="cup", image=np.full((8, 8, 3), 200, np.uint8)),),
)


def write(run, start=0):
    log = Log(run, start=start, total=9, active=True)
    for step in range(start + 1, 4):
        log.numbers(step, "train", {"loss": float(step)})
        log.advance(step, float(step))
    log.validation(3, RESULT)
    log.close()


def test_lines_and_pictures_are_written(tmp_path, capsys):
    write(tmp_path)
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 3]
    assert read_metrics(tmp_path)[-1] == {"step": 3, "kind": "val", "giou": 0.5, "ciou": 0.25}
    assert (tmp_path / "pictures" / "step-00000003" / "cup.jpg").is_file()
    assert "step 3: gIoU 0.5000, cIoU 0.2500 over 2 images" in capsys.readouterr().err


def test_lines_about_steps_that_are_done_again_go(tmp_path):
    write(tmp_path)
    with (tmp_path / METRICS).open("a") as writer:
        writer.write('{"step": 3, "ki')
    write(tmp_path, start=2)
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 3]
    for line in (tmp_path / METRICS).read_text().splitlines():
        json.loads(line)
    cut_after(tmp_path / METRICS, 0)
    assert read_metrics(tmp_path) == []


def test_without_tensorboard_it_says_so(tmp_path, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorboard" else find(name)
    )
    write(tmp_path)
    assert "TensorBoard is not installed" in capsys.readouterr().err


def test_tensorboard_gets_numbers_and_pictures(tmp_path, monkeypatch):
    calls = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            calls.append(("open", folder, purge_step))

        def add_scalar(self, name, value, step):
            calls.append((name, value, step))

        def add_image(self, name, image, step, dataformats):
            calls.append((name, image.shape, step, dataformats))

        def close(self):
            calls.append("close")

    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    write(tmp_path, start=1)
    assert calls[0] == ("open", str(tmp_path / "tensorboard"), 2)
    assert ("train/loss", 2.0, 2) in calls
    assert ("val/giou", 0.5, 3) in calls
    assert ("val/cup", (8, 8, 3), 3, "HWC") in calls
    assert calls[-1] == "close"


def test_other_processes_write_nothing(tmp_path, capsys):
    log = Log(tmp_path / "run", start=0, total=3, active=False)
    log.say("x")
    log.numbers(1, "train", {"loss": 1.0})
    log.advance(1, 1.0)
    log.validation(1, RESULT)
    log.close()
    assert not (tmp_path / "run").exists()
    assert capsys.readouterr().err == ""
