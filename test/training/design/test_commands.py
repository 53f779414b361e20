import json

import pytest

from lisa_model.config import preset
from training.design import infer, train


@pytest.fixture
def base(tmp_path):
    """Arguments with questions that are there."""
    folder = tmp_path / "frames_questions"
    folder.mkdir()
    for name in ("train", "val"):
        (folder / f"{name}.jsonl").write_text("")
    return ["--frames", str(tmp_path / "frames"), "--work", str(tmp_path / "w"), "--dry-run"]


def write_model(folder, **changes):
    folder.mkdir()
    values = preset("lisa-tiny").to_dict() | changes
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "model.safetensors").write_bytes(b"x")
    return ["--model", str(folder)]


def test_training_names_what_is_missing(base, tmp_path, capsys):
    features = ["--features", str(tmp_path)]
    assert train.main([*base, *features]) == 1
    assert "--features: no features" in capsys.readouterr().err
    (tmp_path / "frame.npz").write_bytes(b"")
    assert train.main([*base, *features, "--joint-steps", "0"]) == 1
    assert "joint_steps" in capsys.readouterr().err
    assert train.main([*base, *features, "--choice", "lora", "--seeds", "4"]) == 0
    listed = capsys.readouterr().out
    assert "open seed4/score/val/lora_32" in listed
    assert "no_codebook" not in listed
    assert not (tmp_path / "w").exists()


def test_inference_names_what_is_missing(base, tmp_path, capsys):
    assert infer.main([*base, "--model", str(tmp_path / "none")]) == 1
    assert "--model must be a folder" in capsys.readouterr().err
    strange = write_model(tmp_path / "strange", hidden_size=4096)
    assert infer.main([*base, *strange]) == 1
    assert "hidden_size" in capsys.readouterr().err
    plain = write_model(tmp_path / "plain", concepts=0)
    assert infer.main([*base, *plain]) == 1
    assert "no codebook" in capsys.readouterr().err
    model = write_model(tmp_path / "model")
    assert infer.main([*base, *model, "--limit", "2"]) == 0
    assert "open inference/val_2_frames/presence_half" in capsys.readouterr().out
