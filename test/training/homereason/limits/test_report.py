"""Files of the limits, from an evaluation to the disk."""

import json
from types import SimpleNamespace

import limit_answers as given
import numpy as np

from lisa_model.cli import main
from training.homereason import evaluate as evaluate_module
from training.homereason.evaluate import evaluate, report
from training.homereason.files import write_questions
from training.homereason.limits.report import Collector, write_limits


class MarksTheRadio:
    """One mask, always the same."""

    def segment(self, image, prompt, *, max_new_tokens=None):
        return SimpleNamespace(text="It is [SEG].", masks=given.on(2)[None], scores=np.array([0.7]))


def collected(path, asked):
    collector = Collector()
    outcomes = evaluate(
        segmenter=MarksTheRadio(), questions={path: asked}, max_new_tokens=8, watching=collector
    )
    about = report(outcomes, split="test", model="stand-in")
    return collector, about


def test_from_the_answers_to_the_files(tmp_path):
    path = given.write_frame(tmp_path / "frames")
    asked = [
        given.question([1], ["mug"], text="the mug"),
        given.question([2], ["radio"], text="the radio"),
        given.question([], ["kettle"], text="the kettle"),
    ]
    collector, about = collected(path, asked)
    assert [one.question for one in collector.findings] == asked
    write_limits(tmp_path / "out", collector.findings, about)
    result = json.loads((tmp_path / "out" / "limits.json").read_text())
    assert result["model"] == "stand-in"
    assert result["gallery"]["failures"] == 2
    assert [one["said"] for one in result["gallery"]["tiles"]] == [
        "radio, not mug",
        "radio, though no kettle",
    ]
    assert result["gallery"]["credits"] == ["mug by Ann (CC0 1.0)", "radio by Ann (CC0 1.0)"]
    text = (tmp_path / "out" / "limits.md").read_text()
    assert "| mug | radio | 1 | 1 | 1 |" in text
    assert "| kettle | radio | 1 | 1 | 1 |" in text
    assert "| radio | 2 | 2 |" in text
    assert "not known, no bin has enough questions" in text
    assert "2 of 2 failures" in text
    assert (tmp_path / "out" / "gallery.jpg").stat().st_size > 0


def test_without_failures_there_is_no_gallery(tmp_path):
    path = given.write_frame(tmp_path / "frames")
    collector, about = collected(path, [given.question([2], ["radio"])])
    write_limits(tmp_path / "out", collector.findings, about)
    assert "No failures." in (tmp_path / "out" / "limits.md").read_text()
    assert not (tmp_path / "out" / "gallery.jpg").exists()


def test_the_command_writes_them(tmp_path, monkeypatch):
    path = given.write_frame(tmp_path / "frames" / "test")
    asked = [given.question([1], ["mug"], frame=path.stem)]
    write_questions(tmp_path / "frames_questions" / "test.jsonl", asked)
    opened = SimpleNamespace(segmenter=MarksTheRadio(), name="stand-in", protocol="free")
    monkeypatch.setattr(evaluate_module, "open_answering", lambda **_: opened)
    command = ["eval", "homereason", "--data", str(tmp_path / "frames")]
    assert main([*command, "--limits", str(tmp_path / "out")]) == 0
    result = json.loads((tmp_path / "out" / "limits.json").read_text())
    assert (result["model"], result["confusion"]["wrong"]) == ("stand-in", 1)
    assert (tmp_path / "out" / "gallery.jpg").is_file()
