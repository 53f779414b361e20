from __future__ import annotations

from pathlib import Path

import training_run

from lisa_model.cli import main
from training.run.log import read_metrics

CONFIG = training_run.ROOT / "config" / "train" / "tiny_cpu.yaml"


def test_the_tiny_example_runs_and_learns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    training_run.write_inputs(Path("out/example"))
    assert main(["train", str(CONFIG)]) == 0
    out, err = capsys.readouterr()
    assert out.strip().endswith(str(Path("out/tiny_cpu/checkpoints/step-00000020")))
    assert "LLM: LoRA" in err
    assert "no broken item among 40 drawn" in err
    lines = read_metrics(Path("out/tiny_cpu"))
    losses = [line["loss"] for line in lines if line["kind"] == "train"]
    assert len(losses) == 20
    assert sum(losses[-5:]) < sum(losses[:5])
    assert [line["step"] for line in lines if line["kind"] == "val"] == [10, 20]
    assert len(list(Path("out/tiny_cpu/pictures").glob("*/three.jpg"))) == 2
    # All steps are done: starting again changes nothing.
    assert main(["train", str(CONFIG)]) == 0
    assert read_metrics(Path("out/tiny_cpu")) == lines


def test_an_unknown_key_is_one_line(tmp_path, capsys, inputs):
    values = training_run.settings(inputs, tmp_path, lora={"r": 8})
    config = training_run.write_config(tmp_path / "run.yaml", values)
    assert main(["train", str(config)]) == 1
    assert "lora.r is unknown; known here: rank, alpha, dropout" in capsys.readouterr().err


def test_a_data_set_that_is_missing_stops_the_run_at_its_start(tmp_path, capsys, inputs):
    data = (inputs / "data.yaml").read_text().replace(str(inputs), str(tmp_path))
    (tmp_path / "data.yaml").write_text(data)
    values = training_run.settings(inputs, tmp_path / "out", data=str(tmp_path / "data.yaml"))
    config = training_run.write_config(tmp_path / "run.yaml", values)
    assert main(["train", str(config)]) == 1
    err = capsys.readouterr().err
    for name in ("ade20k", "reason_seg", "llava_instruct_150k"):
        assert f"{name}: " in err
    assert not (tmp_path / "out").exists()
