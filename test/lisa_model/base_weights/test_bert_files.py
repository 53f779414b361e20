"""A package that already holds a transformers folder, and the choice of the converter."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, BertConfig, BertModel

from lisa_model.base_weights.bert_files import keep_bert_files
from lisa_model.base_weights.convert import convert
from lisa_model.errors import WeightsCorruptError, WeightsMissingError

from .conftest import CONTENT, build_source

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "mug", "##s"]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "package"
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return [folder / name for name in ("config.json", "model.safetensors", "vocab.txt")]


def test_files_are_kept_as_they_are(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    keep_bert_files(files, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        path.name: path.read_bytes() for path in files
    }
    assert isinstance(AutoModel.from_pretrained(str(target), local_files_only=True), BertModel)


def test_a_missing_tensor_is_named(files: list[Path], tmp_path: Path) -> None:
    tensors = load_file(files[1])
    del tensors["encoder.layer.0.output.dense.weight"]
    save_file(tensors, files[1], metadata={"format": "pt"})
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(WeightsCorruptError, match=r"layer\.0\.output\.dense\.weight"):
        keep_bert_files(files, target)


def test_a_missing_python_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = replace(build_source(CONTENT), converter="dinov2-onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(WeightsMissingError, match=r"onnx.*requirements"):
        convert(source, tmp_path, tmp_path)
