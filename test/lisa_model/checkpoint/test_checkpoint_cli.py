"""``lisa convert`` and ``lisa verify``."""

import argparse

import pytest
import torch

from lisa_model.checkpoint.cli import add_parser
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import WeightsCorruptError


def lisa(*arguments):
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(dest="command", required=True))
    args = parser.parse_args([str(argument) for argument in arguments])
    args.run(args)


def test_convert_and_verify(official, tmp_path, capsys):
    model, tower = official
    out = tmp_path / "out"
    lisa("convert", model, out, "--vision-tower", tower, "--dtype", "bfloat16", "--quiet")
    said = capsys.readouterr()
    assert "not included" not in said.out
    assert said.err == ""
    assert open_checkpoint(out).dtypes["lm_head.weight"] == torch.bfloat16
    lisa("verify", out, "--quiet")
    assert "are as they were written" in capsys.readouterr().out
    (path,) = (out / "vision_tower").glob("*.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsCorruptError, match="vision_tower/model"):
        lisa("verify", out, "--quiet")


def test_progress_is_on_stderr(official, tmp_path, capsys):
    lisa("convert", official[0], tmp_path / "out")
    said = capsys.readouterr()
    assert "model-00001-of-00001.safetensors" in said.err
    assert "name it with --vision-tower" in said.out
