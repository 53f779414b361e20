import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from lisa_model.cli import build_parser, main

SCENE = Path(__file__).parents[2] / "scenes" / "living_room_remote.jpg"


@pytest.mark.model
def test_segment_writes_overlay_and_json(tmp_path, capsys):
    out, report = tmp_path / "new" / "overlay.png", tmp_path / "result.json"
    code = main(
        ["segment", str(SCENE), "change the TV channel", "--out", str(out), "--json", str(report)]
    )
    assert code == 0
    assert "[SEG]" in capsys.readouterr().out
    assert cv2.imread(str(out)).shape == cv2.imread(str(SCENE)).shape
    result = json.loads(report.read_text())
    assert result["model"] == "lisa-tiny"
    assert result["intent"] == "change the TV channel"
    (instance,) = result["instances"]
    x0, y0, x1, y1 = instance["box_xyxy"]
    assert 0 < instance["area_px"] <= (x1 - x0) * (y1 - y0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["segment", "no-such-file.jpg", "x"], "no-such-file.jpg"),
        (["segment", str(SCENE), "x", "--model", "no-such-model"], "no-such-model"),
        (["segment", str(SCENE), "x", "--model", "lisa-7b-v1"], "xinlai/LISA-7B-v1"),
        (["segment", str(SCENE), "x", "--quantization", "int8"], "quantization"),
        (["eval", "household", "--data", "no-such-folder"], "no-such-folder"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(arguments, said, capsys):
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_a_file_that_is_no_image_is_named(tmp_path, capsys):
    path = tmp_path / "text.jpg"
    path.write_text("not an image")
    assert main(["segment", str(path), "x"]) == 1
    assert "text.jpg" in capsys.readouterr().err


def test_unknown_commands_are_refused():
    with pytest.raises(SystemExit):
        build_parser().parse_args(["frobnicate"])


def test_a_benchmark_gets_its_options_and_gives_the_exit_status(monkeypatch):
    given = []
    fake = SimpleNamespace(main=lambda options: given.append(options) or 3)
    monkeypatch.setitem(sys.modules, "benchmarks.engine", fake)
    assert main(["bench", "engine", "--json", "out.json", "--times", "2"]) == 3
    assert given == [["--json", "out.json", "--times", "2"]]
    with pytest.raises(SystemExit):
        build_parser().parse_args(["bench", "nothing"])
