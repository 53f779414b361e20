"""What a checkpoint in the official layout says about itself: config.json and tensor shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from transformers import LlamaConfig

from lisa_model.checkpoint.reader import Checkpoint
from lisa_model.errors import WeightsCorruptError, WeightsMissingError
from lisa_model.json_object import read_json_object
from lisa_model.llava.backbones import CONFIG_KEY, SAM_KIND, BackboneConfig
from lisa_model.llava.sam import SamConfig

LLM_PREFIX = "model."
SAM_PREFIX = "model.visual_model."
PROJECTOR_PREFIX = "model.mm_projector."
GAMMA_PREFIX = "model.text_hidden_fcs.0."
# What gamma is: two layers as published, or a single one. config.json says so under this key.
GAMMA_KEY = "gamma"
GAMMA_LAST = {"mlp": "2.weight", "linear": "0.weight"}
CONFIG_FILE = "config.json"
# Where `lisa convert` puts the vision tower.
TOWER_FOLDER = "vision_tower"
_ARCHITECTURES = ("LISAForCausalLM",)
_NEEDED = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "rms_norm_eps",
)


@dataclass(frozen=True)
class CheckpointConfig:
    """A LISA checkpoint.

    Attributes:
        values: config.json as it is.
        sam: sizes of SAM, from the tensors' shapes.
        vocab_size: rows of the embedding.
        out_dim: width of a [SEG] prompt.
        gamma: mlp or linear.
    """

    values: dict[str, Any]
    sam: SamConfig
    vocab_size: int
    out_dim: int
    gamma: str = "mlp"

    @classmethod
    def read(cls, folder: Path, checkpoint: Checkpoint) -> CheckpointConfig:
        """Read ``config.json`` and the shapes.

        Raises:
            WeightsMissingError, WeightsCorruptError: naming the file and the key.
        """
        values = read_config(folder)
        for key in _NEEDED:
            if key not in values:
                raise WeightsCorruptError(f"{folder / CONFIG_FILE} lacks {key!r}")
        _check_sizes(values, checkpoint, folder)
        if values.get("rope_scaling"):
            raise WeightsCorruptError(
                f"{folder / CONFIG_FILE}: rope_scaling {values['rope_scaling']} is not supported"
            )
        if values.get("mm_vision_select_feature", "patch") != "patch":
            raise WeightsCorruptError(
                f"{folder / CONFIG_FILE}: mm_vision_select_feature must be 'patch'"
            )
        shapes = checkpoint.shapes
        if any(key.startswith("base_model.model.") or ".lora_" in key for key in shapes):
            raise WeightsCorruptError(
                f"{folder}: the LoRA weights are not merged yet; merge them into the base model "
                "first (W0 + alpha / r * B A)"
            )
        gamma = values.get(GAMMA_KEY, "mlp")
        if gamma not in GAMMA_LAST:
            raise WeightsCorruptError(
                f"{folder / CONFIG_FILE}: {GAMMA_KEY} is {gamma!r}; it must be one of "
                f"{', '.join(GAMMA_LAST)}"
            )
        last = GAMMA_PREFIX + GAMMA_LAST[gamma]
        for key in (LLM_PREFIX + "embed_tokens.weight", last):
            if key not in shapes:
                raise WeightsMissingError(
                    f"{folder}: tensor {key!r} is missing; this is not a (complete) LISA checkpoint"
                )
        return cls(
            values=values,
            sam=_read_sam(values, shapes, folder),
            vocab_size=int(shapes[LLM_PREFIX + "embed_tokens.weight"][0]),
            out_dim=int(shapes[last][0]),
            gamma=gamma,
        )

    @property
    def llm(self) -> LlamaConfig:
        """The LLM's sizes for transformers."""
        values = self.values
        return LlamaConfig(
            vocab_size=self.vocab_size,
            hidden_size=values["hidden_size"],
            intermediate_size=values["intermediate_size"],
            num_hidden_layers=values["num_hidden_layers"],
            num_attention_heads=values["num_attention_heads"],
            num_key_value_heads=values.get("num_key_value_heads"),
            rms_norm_eps=values["rms_norm_eps"],
            max_position_embeddings=values.get("max_position_embeddings") or 2048,
            rope_parameters={
                "rope_type": "default",
                "rope_theta": float(values.get("rope_theta", 10000.0)),
            },
            attn_implementation="sdpa",
            pad_token_id=None,
            tie_word_embeddings=False,
        )

    @property
    def select_layer(self) -> int:
        """Which of CLIP's hidden states the projector reads."""
        layer = self.values.get("mm_vision_select_layer")
        return -2 if layer is None else int(layer)

    @property
    def tower_name(self) -> str:
        """Name or path of the CLIP model that the checkpoint was trained with."""
        return str(self.values.get("mm_vision_tower") or self.values.get("vision_tower") or "")


def _read_sam(
    values: dict[str, Any], shapes: Mapping[str, Sequence[int]], folder: Path
) -> SamConfig:
    """Sizes of SAM, and what is in the place of its image encoder.

    Raises:
        WeightsMissingError, WeightsCorruptError: naming file and key.
    """
    where = str(folder / CONFIG_FILE)
    backbone = BackboneConfig.read(values.get(CONFIG_KEY), where)
    sam = SamConfig.from_shapes(shapes, SAM_PREFIX, where=str(folder), backbone=backbone)
    named = (values.get(CONFIG_KEY) or {}).get("name", "") if backbone is None else ""
    if named and named != sam.name:
        raise WeightsCorruptError(
            f"{where}: {CONFIG_KEY} names {SAM_KIND}'s {named}, but the weights have "
            f"{sam.depth} blocks of width {sam.dim}. Use the config.json and the weights of one "
            "and the same checkpoint"
        )
    return sam


def _check_sizes(values: dict[str, Any], checkpoint: Checkpoint, folder: Path) -> None:
    """Hold config.json's sizes against sense and against the tensors.

    Raises:
        WeightsCorruptError: naming the key of config.json, and the tensor if there is one.
    """

    def refuse(key: str, why: str) -> NoReturn:
        raise WeightsCorruptError(
            f"{folder / CONFIG_FILE}: {key} is {values.get(key)!r}, {why}. Use the config.json and "
            "the weights of one and the same checkpoint"
        )

    optional = {"num_key_value_heads", "max_position_embeddings", "mm_vision_select_layer"}
    for key in (*_NEEDED, *sorted(optional)):
        value = values.get(key)
        if value is None and key in optional:
            continue
        if key == "rms_norm_eps":
            if not isinstance(value, float) or not 0.0 < value < 1.0:
                refuse(key, "not a number between 0 and 1")
        elif type(value) is not int or (value < 1 and key != "mm_vision_select_layer"):
            refuse(key, "not a whole number that makes sense")
    heads = values["num_attention_heads"]
    groups = values.get("num_key_value_heads") or heads
    if values["hidden_size"] % (2 * heads):
        refuse("num_attention_heads", f"and hidden_size {values['hidden_size']} has no such heads")
    if heads % groups:
        refuse("num_key_value_heads", f"and does not divide the {heads} attention heads")
    head_dim = values["hidden_size"] // heads
    tensors = (
        ("hidden_size", "embed_tokens.weight", 1, values["hidden_size"]),
        ("intermediate_size", "layers.0.mlp.up_proj.weight", 0, values["intermediate_size"]),
        ("num_key_value_heads", "layers.0.self_attn.k_proj.weight", 0, groups * head_dim),
    )
    for key, name, axis, size in tensors:
        shape = checkpoint.shapes.get(LLM_PREFIX + name)
        # A tensor with one row too many is reported where all shapes are compared.
        if shape is not None and (len(shape) != 2 or shape[axis] not in (size, size + 1)):
            refuse(key, f"but tensor {LLM_PREFIX + name!r} has shape {list(shape)}")
    places = (key.removeprefix(f"{LLM_PREFIX}layers.").split(".")[0] for key in checkpoint.shapes)
    layers = {int(place) for place in places if place.isdecimal()}
    if layers and values["num_hidden_layers"] != max(layers) + 1:
        refuse("num_hidden_layers", f"but the weights have layers 0 to {max(layers)}")


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a folder.

    Raises:
        WeightsMissingError, WeightsCorruptError: it is not there, or no JSON object.
    """
    return read_json_object(folder / CONFIG_FILE)


def is_official(folder: Path) -> bool:
    """Whether a folder is laid out like an official checkpoint (and not like lisa-tiny)."""
    if not (folder / CONFIG_FILE).is_file():
        return False
    values = read_config(folder)
    named = set(values.get("architectures") or ()) & set(_ARCHITECTURES)
    return bool(named) or "mm_vision_tower" in values


def find_tower(folder: Path, config: CheckpointConfig, given: str | Path | None) -> Path:
    """The folder of the CLIP model; it is no part of a LISA checkpoint.

    Args:
        folder: the checkpoint's.
        given: what the user named; None to look beside the checkpoint and where config.json points.

    Raises:
        WeightsMissingError: it is nowhere; the message says how to get it.
    """
    if given is not None:
        return Path(given).expanduser()
    name = config.tower_name
    tried = [folder / TOWER_FOLDER]
    if name:
        tried += [Path(name), folder / name, folder.parent / name, folder.parent / Path(name).name]
    for place in tried:
        if (place / CONFIG_FILE).is_file():
            return place
    raise WeightsMissingError(
        f"the checkpoint in {folder} was trained with the vision tower {name!r}, which is not part "
        "of it. Download that CLIP model (config.json, weights, preprocessor_config.json) and name "
        "its folder: --vision-tower DIR, or from_pretrained(..., vision_tower=DIR)"
    )
