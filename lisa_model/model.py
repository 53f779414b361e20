"""LISA assembled: frozen vision tower, projector, LLM with [SEG], gamma, SAM-style mask head."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lisa_model.base_weights import ensure_base_weights
from lisa_model.config import CONFIG_FILE, WEIGHTS_FILE, LisaConfig
from lisa_model.errors import WeightsCorruptError, WeightsMissingError
from lisa_model.language import LanguageModel
from lisa_model.mask_head import MaskHead
from lisa_model.vision import VisionTower, VisualProjector

# Fixed from the start of training, yet not part of any base weights.
TRAINED_BUFFERS = (
    "language.codebook",
    "mask_head.position.positional_encoding_gaussian_matrix",
)
CHECKSUM_FILE = "SHA256SUMS"  # as sha256sum writes it, so that `sha256sum -c` checks it too


class LisaModel(nn.Module):
    """The whole network; see :class:`lisa_model.ReasoningSegmenter` for the way to use it."""

    def __init__(self, *, config: LisaConfig, tower: VisionTower, language: LanguageModel) -> None:
        super().__init__()
        self.config = config
        self.tower = tower
        self.projector = VisualProjector(config=config)
        self.language = language
        self.mask_head = MaskHead(config=config)

    @classmethod
    def from_base(
        cls,
        *,
        config: LisaConfig,
        llm_dtype: torch.dtype = torch.float32,
        cache_dir: Path | None = None,
    ) -> LisaModel:
        """Base weights loaded, everything that is trained still at its start."""
        llm = ensure_base_weights(config.llm, cache_dir=cache_dir)
        tower = VisionTower.from_config(config, cache_dir=cache_dir)
        language = LanguageModel.from_base(config=config, folder=llm, dtype=llm_dtype)
        language.reset_added_tokens()
        return cls(config=config, tower=tower, language=language)

    @classmethod
    def from_trained(cls, folder: Path, *, cache_dir: Path | None = None) -> LisaModel:
        """Open ``folder`` (config.json + model.safetensors) over its base weights.

        Raises:
            WeightsMissingError: when the folder has no trained weights.
            WeightsCorruptError: when they lack a tensor, have one too many or a wrong shape, or
                the config is not one of this version.
        """
        for name in (CONFIG_FILE, WEIGHTS_FILE, CHECKSUM_FILE):
            if not (folder / name).is_file():
                raise WeightsMissingError(
                    f"{folder / name} is missing; the model is not installed completely. "
                    "Reinstall the package or train the weights (training/README.md)."
                )
        check_sums(folder)
        values = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
        try:
            config = LisaConfig.from_dict(values)
        except (TypeError, ValueError) as error:
            raise WeightsCorruptError(
                f"{folder / CONFIG_FILE} does not fit this version of lisa_ros ({error}). "
                "Use the version that wrote it, or train the model again."
            ) from error
        model = cls.from_base(config=config, cache_dir=cache_dir)
        model.load_trained(load_file(str(folder / WEIGHTS_FILE)), source=str(folder))
        return model

    def trained_names(self) -> list[str]:
        """State-dict keys of everything that is not base weights, in order."""
        trainable = {n for n, p in self.named_parameters() if p.requires_grad}
        return [n for n in self.state_dict() if n in trainable or n in TRAINED_BUFFERS]

    def trained_state(self) -> dict[str, Tensor]:
        """Everything that is not base weights."""
        state = self.state_dict()
        return {name: state[name].detach().clone() for name in self.trained_names()}

    def load_trained(self, tensors: dict[str, Tensor], *, source: str) -> None:
        """Copy trained tensors in; all of them, and nothing else.

        Raises:
            WeightsCorruptError: naming the tensor and ``source``.
        """
        expected = set(self.trained_names())
        for missing in sorted(expected - tensors.keys()):
            raise WeightsCorruptError(f"{source}: tensor {missing!r} is missing")
        for surplus in sorted(tensors.keys() - expected):
            raise WeightsCorruptError(f"{source}: tensor {surplus!r} does not belong to the model")
        state = self.state_dict()
        for name, tensor in tensors.items():
            if state[name].shape != tensor.shape:
                raise WeightsCorruptError(
                    f"{source}: tensor {name!r} has shape {tuple(tensor.shape)}, "
                    f"expected {tuple(state[name].shape)}"
                )
            with torch.no_grad():
                state[name].copy_(tensor)

    def save_trained(self, folder: Path, *, dtype: torch.dtype = torch.bfloat16) -> None:
        """Write config.json and model.safetensors (atomically: a crash leaves the old file)."""
        folder.mkdir(parents=True, exist_ok=True)
        # Fourier frequencies of the positional encoding do not survive rounding to 8 bits.
        tensors = {
            name: (tensor if "gaussian" in name else tensor.to(dtype)).contiguous()
            for name, tensor in self.trained_state().items()
        }
        part = folder / (WEIGHTS_FILE + ".part")
        save_file(tensors, str(part))
        part.rename(folder / WEIGHTS_FILE)
        text = json.dumps(self.config.to_dict(), indent=1) + "\n"
        (folder / CONFIG_FILE).write_text(text, encoding="utf-8")
        sums = [f"{sha256(folder / name)}  {name}\n" for name in (CONFIG_FILE, WEIGHTS_FILE)]
        (folder / CHECKSUM_FILE).write_text("".join(sums), encoding="utf-8")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def check_sums(folder: Path) -> None:
    """Compare a model folder's files with its checksums.

    Raises:
        WeightsCorruptError: naming the file that differs.
    """
    for line in (folder / CHECKSUM_FILE).read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition("  ")
        if sha256(folder / name) != expected:
            raise WeightsCorruptError(
                f"{folder / name} does not match {CHECKSUM_FILE}: it is truncated or was changed. "
                "Reinstall the package, or save the model again after training."
            )
