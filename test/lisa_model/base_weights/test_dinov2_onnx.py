"""ONNX export of a DINOv2 encoder -> Dinov2Model, on a small random encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from transformers import Dinov2Config, Dinov2Model

from lisa_model.base_weights.dinov2_onnx import convert_dinov2_onnx
from lisa_model.errors import WeightsCorruptError

LAYERS, WIDTH, GRID, PATCH = 2, 128, 4, 14
# Names in the published checkpoints -> names of the installed transformers.
LINEAR = {
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


@pytest.fixture(scope="module")
def model() -> Dinov2Model:
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=WIDTH // 64,
        image_size=GRID * PATCH,
        patch_size=PATCH,
        use_mask_token=False,
    )
    model = Dinov2Model(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # no zeros, no ones: every tensor must arrive
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def export(model: Dinov2Model) -> onnx.ModelProto:
    """The exporter's way of storing parameters: biases by name, matrices as anonymous constants.

    Only what the converter reads; the graph does not compute anything.
    """
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    constants: dict[str, np.ndarray] = {}
    nodes = []
    for layer in range(LAYERS):
        for published, present in LINEAR.items():
            prefix = f"encoder.layer.{layer}."
            constants[f"backbone.{prefix}{published}.bias"] = state.pop(f"{prefix}{present}.bias")
            anonymous = f"onnx::MatMul_{len(constants) + 1000}"
            constants[anonymous] = state.pop(f"{prefix}{present}.weight").T
            path = f"/backbone/encoder/layer.{layer}/{published.replace('.', '/')}/MatMul"
            nodes.append(helper.make_node("MatMul", ["x", anonymous], [path + "_out"], name=path))
    table = state.pop("embeddings.position_embeddings")
    constants["onnx::Concat_1"] = table[:, :1]
    constants["onnx::Reshape_2"] = table[:, 1:]
    constants.update({f"backbone.{name}": value for name, value in state.items()})
    # A head that is not part of the encoder, with a matrix product of its own.
    constants["decoder.conv.weight"] = np.ones((1, 8, 1, 1), np.float32)
    constants["onnx::MatMul_9"] = np.ones((WIDTH, 3), np.float32)
    nodes.append(helper.make_node("MatMul", ["x", "onnx::MatMul_9"], ["y"], name="/decoder/MatMul"))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in constants.items()],
    )
    return helper.make_model(graph)


def drop(exported: onnx.ModelProto, name: str) -> None:
    """Remove one constant."""
    (tensor,) = [tensor for tensor in exported.graph.initializer if tensor.name == name]
    exported.graph.initializer.remove(tensor)


def test_converted_encoder_computes_the_same(model: Dinov2Model, tmp_path: Path) -> None:
    onnx.save(export(model), str(tmp_path / "tiny.onnx"))
    target = tmp_path / "out"
    target.mkdir()
    convert_dinov2_onnx(tmp_path / "tiny.onnx", target)
    back = Dinov2Model.from_pretrained(str(target), local_files_only=True).eval()
    assert back.dtype == torch.float32
    assert back.config.num_attention_heads == WIDTH // 64
    assert back.config.image_size == GRID * PATCH
    expected = model.state_dict()
    assert set(back.state_dict()) == set(expected)
    for name, value in back.state_dict().items():
        assert torch.equal(value, expected[name]), name
    for height, width in ((56, 56), (70, 42)):  # the second resamples the position table
        pixels = torch.randn(2, 3, height, width)
        with torch.no_grad():
            got = back(pixels).last_hidden_state
            assert got.shape == (2, 1 + (height // PATCH) * (width // PATCH), WIDTH)
            torch.testing.assert_close(got, model(pixels).last_hidden_state)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("backbone.layernorm.weight", "layernorm.weight"),
        ("backbone.encoder.layer.1.mlp.fc2.bias", r"layer\.1\.mlp\.fc2\.bias"),
        ("backbone.embeddings.cls_token", "cls_token"),
        ("backbone.embeddings.patch_embeddings.projection.weight", "projection"),
        ("onnx::Reshape_2", "position"),
    ],
)
def test_a_missing_tensor_is_named(
    model: Dinov2Model, tmp_path: Path, name: str, problem: str
) -> None:
    exported = export(model)
    drop(exported, name)
    onnx.save(exported, str(tmp_path / "tiny.onnx"))
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(WeightsCorruptError, match=problem):
        convert_dinov2_onnx(tmp_path / "tiny.onnx", target)


def test_a_surplus_tensor_is_named(model: Dinov2Model, tmp_path: Path) -> None:
    exported = export(model)
    exported.graph.initializer.append(
        numpy_helper.from_array(np.zeros((1, 4, WIDTH), np.float32), "backbone.register_tokens")
    )
    onnx.save(exported, str(tmp_path / "tiny.onnx"))
    with pytest.raises(WeightsCorruptError, match="register_tokens"):
        convert_dinov2_onnx(tmp_path / "tiny.onnx", tmp_path)
