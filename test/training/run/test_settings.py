from __future__ import annotations

from pathlib import Path

import pytest

from training.data.config import DataConfig, General
from training.data.errors import ConfigError
from training.run.settings import parse_settings, read_settings

SMALLEST = {"data": "d.yaml", "out": "runs/a", "steps": 10, "model": {"checkpoint": "weights"}}
CONFIGS = Path(__file__).resolve().parents[3] / "config" / "train"


def test_what_is_left_out_is_the_papers():
    settings = parse_settings(SMALLEST)
    assert settings.optimizer.learning_rate == 3e-4
    assert (settings.optimizer.beta1, settings.optimizer.beta2) == (0.9, 0.95)
    assert (settings.lora.rank, settings.lora.alpha, settings.lora.dropout) == (8, 16, 0.05)
    assert (settings.loss.answer, settings.loss.bce, settings.loss.dice) == (1.0, 2.0, 0.5)
    assert settings.optimizer.warm_up == 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stepz": 3}, "stepz is unknown"),
        ({"optimizer": {"lr": 1e-3}}, r"optimizer\.lr is unknown; known here: learning_rate"),
        ({"model": {}}, r"model\.checkpoint is missing"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"steps": "ten"}, "steps must be int"),
        ({"precision": "float16"}, "precision must be one of bfloat16, float32"),
        ({"parallel": "zero9"}, "parallel must be one of ddp, fsdp2"),
        ({"model": {"checkpoint": "a", "conversation": "x"}}, "model: conversation must be one"),
        ({"optimizer": {"clip_norm": 0.0}}, "optimizer: clip_norm must be above 0"),
        ({"lora": {"dropout": 1.0}}, "lora: dropout"),
        ({"checkpoints": {"keep": 0}}, "checkpoints: keep must be at least 1"),
        ({"validation": None}, "validation must be a mapping"),
    ],
)
def test_a_wrong_key_is_named(change, said):
    with pytest.raises(ConfigError, match=said):
        parse_settings(SMALLEST | change)


def test_a_missing_file_and_broken_yaml_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"a\.yaml is missing"):
        read_settings(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("steps: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"a\.yaml is not YAML"):
        read_settings(tmp_path / "a.yaml")


def test_the_curve_does_not_depend_on_how_images_are_spread():
    data = DataConfig(general=General(root=Path("x")), families=())
    one = parse_settings(SMALLEST | {"batch": 1, "accumulation": 4})
    two = parse_settings(SMALLEST | {"batch": 2, "accumulation": 1, "out": "elsewhere"})
    assert one.curve(1, data) == two.curve(2, data)
    assert one.curve(1, data) != two.curve(1, data)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_configurations_can_be_read(path):
    read_settings(path)


def test_the_papers_recipe():
    paper = read_settings(CONFIGS / "lisa_7b.yaml")
    assert paper.general.steps == 10 * 500
    assert (paper.general.batch, paper.general.accumulation) == (2, 10)
    assert paper.optimizer == parse_settings(SMALLEST).optimizer
    assert paper.lora == parse_settings(SMALLEST).lora
