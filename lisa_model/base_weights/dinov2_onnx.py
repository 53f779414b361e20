"""ONNX export of a DINOv2 encoder -> a transformers ``Dinov2Model`` folder.

The pinned file is a saliency network: a DINOv2 ViT-S/14 backbone and a small head. Only the
backbone is kept. Biases, norms and scales keep their parameter names in the export; the weight of
a linear layer is an anonymous constant (transposed: ONNX multiplies from the left) whose layer is
known from the name of the MatMul node that uses it. The position table (1 + 37 x 37 entries, for
518 x 518 pixels) was split by the exporter into the class token's row and the grid.

Input of the encoder: RGB in [0, 1], normalised with ``IMAGENET_MEAN`` / ``IMAGENET_STD`` (what
DINOv2 was trained with: its data transforms use ImageNet's statistics, and so does the package the
file comes from). Height and width: any multiple of the patch size; ``Dinov2Model`` resamples the
position table bicubically. Against the ONNX file, run with ONNX Runtime on normal noise, the last
hidden state differs by at most 1.3e-5 (values up to 9.4) at 224x224, 560x420 and 518x518.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lisa_model.errors import WeightsCorruptError

if TYPE_CHECKING:
    import onnx
    from transformers import Dinov2Config

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_PREFIX = "backbone."
_HEAD_DIM = 64  # every published DINOv2 size has heads of 64 channels


def convert_dinov2_onnx(onnx_file: Path, target: Path) -> None:
    """Save config and float32 safetensors of the DINOv2 backbone in ``onnx_file``.

    Args:
        onnx_file: path of the .onnx file.
        target: an existing empty folder.

    Raises:
        WeightsCorruptError: the graph does not hold exactly the tensors of a Dinov2Model.
    """
    import onnx
    import torch
    from safetensors.torch import save_file
    from transformers import Dinov2Model

    graph = onnx.load(str(onnx_file), load_external_data=False).graph
    tensors = backbone_tensors(graph)
    config = dinov2_config(tensors)
    config.save_pretrained(str(target))
    save_file(
        {name: torch.from_numpy(values) for name, values in tensors.items()},
        str(target / "model.safetensors"),
        metadata={"format": "pt"},
    )
    # The names written are those of the published checkpoints; let transformers judge them.
    _, report = Dinov2Model.from_pretrained(
        str(target), local_files_only=True, output_loading_info=True
    )
    problems = {kind: keys for kind, keys in report.items() if keys}
    if problems:
        raise WeightsCorruptError(f"{onnx_file.name} is not a Dinov2Model: {problems}")


def backbone_tensors(graph: onnx.GraphProto) -> dict[str, NDArray[np.float32]]:
    """The backbone's parameters, float32, named as in the published DINOv2 checkpoints.

    Raises:
        WeightsCorruptError: the position table or the class token cannot be told apart.
    """
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    tensors = {
        name.removeprefix(_PREFIX): np.array(values, dtype=np.float32)
        for name, values in constants.items()
        if name.startswith(_PREFIX)
    }
    for node in graph.node:
        if node.op_type != "MatMul" or not node.name.startswith("/" + _PREFIX[:-1] + "/"):
            continue
        layer = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".").removeprefix(_PREFIX)
        for name in node.input:
            if name in constants:
                tensors[f"{layer}.weight"] = np.ascontiguousarray(
                    constants[name].T, dtype=np.float32
                )
    if "embeddings.cls_token" not in tensors:
        raise WeightsCorruptError("the ONNX graph has no backbone.embeddings.cls_token")
    tensors["embeddings.position_embeddings"] = _position_table(
        constants, width=tensors["embeddings.cls_token"].shape[-1]
    )
    return tensors


def _position_table(
    constants: dict[str, NDArray[np.float32]], *, width: int
) -> NDArray[np.float32]:
    """The (1, 1 + grid, width) position table from the exporter's two anonymous constants."""
    rows = [
        values
        for name, values in constants.items()
        if not name.startswith(_PREFIX) and values.ndim == 3 and values.shape[::2] == (1, width)
    ]
    rows.sort(key=lambda values: values.shape[1])
    if (
        len(rows) != 2
        or rows[0].shape[1] != 1
        or math.isqrt(rows[1].shape[1]) ** 2 != rows[1].shape[1]
    ):
        raise WeightsCorruptError(
            "the ONNX graph does not hold one class position and one square position grid, but "
            f"{[values.shape for values in rows]}"
        )
    return np.concatenate(rows, axis=1, dtype=np.float32)


def dinov2_config(tensors: dict[str, NDArray[np.float32]]) -> Dinov2Config:
    """The configuration that the tensors' shapes tell.

    Raises:
        WeightsCorruptError: a tensor that tells it is missing.
    """
    from transformers import Dinov2Config

    try:
        kernel = tensors["embeddings.patch_embeddings.projection.weight"].shape
        hidden, patch = kernel[0], kernel[-1]
        mlp = tensors["encoder.layer.0.mlp.fc1.weight"].shape[0]
    except KeyError as error:
        raise WeightsCorruptError(f"the ONNX graph does not hold {error}") from error
    layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder."))
    grid = math.isqrt(tensors["embeddings.position_embeddings"].shape[1] - 1)
    config = Dinov2Config(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // _HEAD_DIM),
        mlp_ratio=mlp // hidden,
        patch_size=patch,
        image_size=grid * patch,
        # The export has no mask token (it serves pre-training only): have none, not a made-up one.
        use_mask_token=False,
        dtype="float32",
    )
    config.architectures = ["Dinov2Model"]
    return config
