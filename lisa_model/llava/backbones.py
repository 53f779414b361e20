"""Image encoders other than SAM's: networks of transformers, each with an adapter to SAM's decoder.

An image encoder turns pixels (B, 3, S, S) into features (B, C, s, s) for SAM's mask decoder: 256
channels at 64 x 64 for the published decoders. Side and statistics of the pixels belong to it. The
[SEG] embedding prompts the same decoder whatever made the features.

* ``mask2former``: backbone (such as Swin-L) and pixel decoder of Mask2Former. Its mask features
  (stride 4) are brought to stride 16 by a 4 x 4 convolution, its pyramid's features of stride 16
  are added. Its queries and their decoder are left out: the [SEG] embedding takes their place.
* ``dinov2``: patch features after the last norm; the input has 64 patches of 14 px a side.

Both end in the neck of SAM's encoder (norm, 3 x 3 convolution, norm). The network is frozen and
stays in evaluation mode (Swin drops paths at random in training); the adapter is trained. The paper
names Mask2Former-Swin-L but not how it was connected: this adapter is this project's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn

from lisa_model.errors import WeightsCorruptError, WeightsMissingError
from lisa_model.json_object import read_json_object

CONFIG_KEY = "vision_backbone"  # in the checkpoint's config.json
SAM_KIND = "sam"
KINDS = ("mask2former", "dinov2")
# What the mask decoder was trained on, places a side.
_GRID = 64
_MASK2FORMER_STRIDE = 16
_MASK2FORMER_COARSEST = 32
_FOLDER = (
    ": an image encoder must be a folder as transformers saves it (config.json, weights, "
    "preprocessor_config.json)"
)


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """What config.json records of an image encoder other than SAM's.

    Attributes:
        kind: one of KINDS.
        image_size: side of its input [px].
        mean, std: of the input's channels, 0 to 255.
        network: the network's own configuration, as transformers writes it.
        library: release of transformers whose names the tensors have.
    """

    kind: str
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    network: dict[str, Any]
    library: str = transformers.__version__

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {SAM_KIND}, {', '.join(KINDS)}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0.0:
            raise ValueError("mean and std must have a number for each of three channels")
        step = _MASK2FORMER_COARSEST if self.kind == "mask2former" else self.stride
        if self.image_size < step or self.image_size % step:
            raise ValueError(f"image_size {self.image_size} is no multiple of {step}")

    @property
    def stride(self) -> int:
        """Side of what one place of the features stands for [px]."""
        return _MASK2FORMER_STRIDE if self.kind == "mask2former" else self.network["patch_size"]

    @classmethod
    def read(cls, values: Any, where: str) -> BackboneConfig | None:
        """What config.json says; None for SAM's own encoder.

        Args:
            values: under CONFIG_KEY; None where it has no such key.
            where: the file, for messages.

        Raises:
            WeightsCorruptError: they describe no image encoder that is known.
        """
        if values is None or (isinstance(values, dict) and values.get("kind") == SAM_KIND):
            return None
        try:
            known = {**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])}
            return cls(**known)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise WeightsCorruptError(
                f"{where}: {CONFIG_KEY} describes no image encoder that is known here ({error}). "
                "Use the config.json and the weights of one and the same checkpoint"
            ) from error

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}


class AdaptedBackbone(nn.Module):
    """A frozen network and what brings its features to the mask decoder."""

    def __init__(self, *, backbone: nn.Module, adapter: nn.Module) -> None:
        super().__init__()
        self.backbone: Any = backbone
        self.adapter: Any = adapter

    def train(self, mode: bool = True) -> AdaptedBackbone:
        """Training mode for the adapter only."""
        super().train(mode)
        self.backbone.eval()
        return self

    def features(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, S, S) -> what the adapter takes."""
        raise NotImplementedError

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised pixels -> (B, C, s, s)."""
        with torch.no_grad():
            features = self.features(pixels)
        kind = self.adapter.neck[-1].weight.dtype
        return self.adapter(*(one.to(kind) for one in features))


def _neck(width: int) -> nn.Sequential:
    """The end of SAM's image encoder."""
    return nn.Sequential(
        LayerNorm2d(width),
        nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
        LayerNorm2d(width),
    )


class PyramidAdapter(nn.Module):
    """Features of stride 4 and 16 -> SAM's, of stride 16."""

    def __init__(self, *, fine: int, coarse: int, out: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(fine, out, kernel_size=4, stride=4)
        self.coarse = nn.Conv2d(coarse, out, kernel_size=1)
        self.neck = _neck(out)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(B, fine, 4s, 4s) and (B, coarse, s, s) -> (B, out, s, s)."""
        return self.neck(self.fine(fine) + self.coarse(coarse))


class PatchAdapter(nn.Module):
    """Features of patches -> SAM's, of the same stride."""

    def __init__(self, *, width: int, out: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(width, out, kernel_size=1, bias=False)
        self.neck = _neck(out)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, s, s) -> (B, out, s, s)."""
        return self.neck(self.project(features))


class Mask2FormerBackbone(AdaptedBackbone):
    """Pixel decoder of Mask2Former over its backbone; float32 always: it samples at places."""

    def features(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, S, S) -> (B, fine, S/4, S/4) and (B, coarse, S/16, S/16)."""
        with torch.autocast(pixels.device.type, enabled=False):
            out = self.backbone(pixels.float())
        # The pyramid begins with its coarsest level, of stride 32.
        return out.decoder_last_hidden_state, out.decoder_hidden_states[1]


class Dinov2Backbone(AdaptedBackbone):
    """Patch features of DINOv2."""

    def features(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, S, S) -> (B, width, s, s)."""
        states = self.backbone(pixels).last_hidden_state[:, 1:]
        side = pixels.shape[-1] // self.backbone.config.patch_size
        return (states.transpose(1, 2).unflatten(2, (side, side)),)


def build_backbone(config: BackboneConfig, out: int) -> AdaptedBackbone:
    """The image encoder with untrained weights.

    Args:
        config: of it.
        out: channels that the mask decoder takes.
    """
    # Slow to import, and needed by few models.
    from transformers import Dinov2Config, Dinov2Model, Mask2FormerConfig
    from transformers.models.mask2former.modeling_mask2former import Mask2FormerPixelLevelModule

    # Not on the meta device, where the indices that are no part of a checkpoint would be lost.
    with torch.device("cpu"):
        if config.kind == "dinov2":
            plain = Dinov2Config.from_dict(config.network)
            adapter: nn.Module = PatchAdapter(width=int(plain.hidden_size), out=out)
            return Dinov2Backbone(backbone=Dinov2Model(plain), adapter=adapter)
        masks = Mask2FormerConfig.from_dict(config.network)
        adapter = PyramidAdapter(
            fine=int(masks.mask_feature_size), coarse=int(masks.feature_size), out=out
        )
        return Mask2FormerBackbone(backbone=Mask2FormerPixelLevelModule(masks), adapter=adapter)


def read_backbone(folder: Path, *, image_size: int = 0) -> tuple[BackboneConfig, dict[str, Tensor]]:
    """A network as transformers saves it: what config.json is to record, and the network's weights.

    Args:
        folder: with config.json, weights and preprocessor_config.json, such as a download of
            facebook/mask2former-swin-large-coco-instance or facebook/dinov2-large.
        image_size: side of the input [px]; 0 for 64 places a side.

    Returns:
        the configuration, and the weights by :class:`AdaptedBackbone`'s names (``backbone.*``).

    Raises:
        WeightsMissingError, WeightsCorruptError: naming file and remedy.
    """
    values = read_json_object(folder / "config.json", missing=_FOLDER)
    kind = values.get("model_type")
    if kind not in KINDS:
        raise WeightsCorruptError(
            f"{folder / 'config.json'}: model_type is {kind!r}, not one of {', '.join(KINDS)}"
        )
    pixels = read_json_object(folder / "preprocessor_config.json", missing=_FOLDER)
    try:
        mean, std = ([255.0 * float(x) for x in pixels[key]] for key in ("image_mean", "image_std"))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsCorruptError(
            f"{folder / 'preprocessor_config.json'} has no usable image_mean and image_std"
        ) from error
    network, weights = _open(folder, kind)
    stride = _MASK2FORMER_STRIDE if kind == "mask2former" else network["patch_size"]
    try:
        config = BackboneConfig(
            kind=kind,
            image_size=image_size or _GRID * stride,
            mean=tuple(mean),
            std=tuple(std),
            network=network,
        )
    except ValueError as error:
        raise WeightsCorruptError(f"{folder}: {error}") from error
    return config, {f"backbone.{key}": tensor for key, tensor in weights.items()}


def _open(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and weights; transformers renames what older releases of it have saved."""
    from transformers import Dinov2Model, Mask2FormerModel

    cls: Any = Mask2FormerModel if kind == "mask2former" else Dinov2Model
    try:
        model, told = cls.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, dtype=torch.float32
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsMissingError(f"{folder} cannot be opened as a {kind}: {error}") from error
    part = "pixel_level_module." if kind == "mask2former" else ""
    missing = sorted(
        key for key in told["missing_keys"] if key.removeprefix("model.").startswith(part)
    )
    if missing:
        raise WeightsMissingError(
            f"{folder} lacks {missing[0]!r} and {len(missing) - 1} more weights. Download all "
            "files of the model"
        )
    inner = model.pixel_level_module if part else model
    # Through text: what config.json cannot hold is to be noticed here.
    network = json.loads(model.config.to_json_string(use_diff=False))
    return network, dict(inner.state_dict())
