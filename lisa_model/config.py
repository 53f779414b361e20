"""Configurations of the LISA architecture, as named presets.

The architecture is one (vision tower + projector -> LLM -> [SEG] -> gamma -> mask decoder over
mask-backbone features); a preset only says which parts and which sizes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from lisa_model.calibration import Calibration

# Of a folder that training wrote.
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
SEG_TOKEN = "[SEG]"
IM_START_TOKEN = "<im_start>"
IM_END_TOKEN = "<im_end>"
# What a visual token can be made of.
VISUAL_INPUTS = ("vision", "aligned", "colour", "place")
# Root mean square of a number of SmolLM2-135M's word embeddings: visual tokens as loud as words.
# Free ones grow to twenty times that within 200 steps, nearly all of it common to all of them, and
# the LLM unlearns what the words say.
WORD_LENGTH = 0.14


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """Low-rank adaptation of the LLM's linear layers.

    Args:
        rank: rank r of the update.
        alpha: scale; the update is (alpha / rank) B A.
        targets: names of the adapted linear layers inside each transformer block.
    """

    rank: int = 16
    alpha: int = 32
    targets: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"lora.rank must be at least 1, got {self.rank}")


@dataclass(frozen=True, kw_only=True)
class MaskHeadConfig:
    """The SAM-style mask head over vision features.

    Args:
        dim: width of SAM's two-way transformer and of the prompts (SAM: 256).
        depth: two-way blocks (SAM: 2).
        num_heads: attention heads (SAM: 8).
        mlp_dim: hidden width of the transformer's MLP (SAM: 2048).
        stem_dim: channels of the RGB stem that brings fine edges to the upscaling.
        referent_dim: learnt width of the space in which an answer tells apart things of one kind,
            see :mod:`lisa_model.reference`; 0 leaves that out.
        align_dim: hidden width of the alignment of patches with [SEG] prompts.
        align_dropout: share of these hidden units that training leaves out, 0..1: a few thousand
            frames show too few models of each kind to be learnt by heart.
        extent_dim: hidden width of the estimate of how large the thing is that a patch shows, and
            where it stands, for "the largest one" and "the hindmost one"; 0, or no
            ``referent_dim``, leaves that out.
        naming_dim: hidden width of the naming of what a mask shows, from the mean of the encoder's
            features under it; 0 leaves that out: the mean of the aligned patches names it.
    """

    dim: int = 128
    depth: int = 2
    num_heads: int = 8
    mlp_dim: int = 512
    stem_dim: int = 32
    referent_dim: int = 0
    align_dim: int = 512
    align_dropout: float = 0.0
    naming_dim: int = 0
    extent_dim: int = 0

    def __post_init__(self) -> None:
        if self.dim % (2 * self.num_heads):
            raise ValueError(
                f"mask_head.dim ({self.dim}) must be a multiple of 2 x num_heads ({self.num_heads})"
            )
        if self.align_dim < 1:
            raise ValueError(f"mask_head.align_dim must be at least 1, got {self.align_dim}")
        for name in ("naming_dim", "extent_dim"):
            if getattr(self, name) < 0:
                raise ValueError(f"mask_head.{name} must be at least 0, got {getattr(self, name)}")
        if not 0.0 <= self.align_dropout < 1.0:
            raise ValueError(
                f"mask_head.align_dropout must be at least 0 and below 1, got {self.align_dropout}"
            )


@dataclass(frozen=True, kw_only=True)
class LisaConfig:
    """One LISA model.

    Args:
        name: preset name; also the folder of the trained weights.
        llm: name of the base LLM (see ``lisa_model.base_weights``).
        vision_tower: name of the frozen vision encoder.
        llm_dim: width of the LLM.
        vision_dim: features of a patch: the encoder's width, once for each of ``vision_layers``.
        vision_layers: blocks of the encoder whose output is read, in ascending order, counted from
            1; those after the last are left out. Empty for the last block alone.
        patch_size: pixels per patch side of the vision encoder.
        patches: patches of the whole-image pass (about; the aspect ratio decides rows x columns).
        zoom_patches: patches of a zoomed pass over a small target.
        zoom_candidates: at most this many places are looked at closer; 0 switches it off.
        visual_tokens: (rows, columns) of pooled patches that the LLM sees.
        visual_inputs: what is pooled for them: ``vision`` (the encoder's features), ``aligned``
            (the mask head's, in which categories lie apart), ``colour``, ``place``.
        visual_length: root mean square of a visual token's numbers; 0 leaves it free, as in LLaVA.
        out_dim: width of gamma's output, the [SEG] prompt (the paper: 256).
        concepts: entries of gamma's concept codebook; 0 leaves it out, as in the paper.
        presence_weight: how much it counts, where words fit several concepts, which of them the
            image shows: of its log-probability beside the logits of the words.
        presence_cell: side, in patches, of the squares whose mean tells what they show.
        reference_floor: what an answer says of which thing is meant is heard only from this
            strength on, see :func:`lisa_model.reference_keys.heard`; 0 hears everything.
        calibration: how a mask's score is computed; None for the decoder's expected IoU as it is.
    """

    name: str
    llm: str
    vision_tower: str
    llm_dim: int
    vision_dim: int
    vision_layers: tuple[int, ...] = ()
    patch_size: int = 14
    patches: int = 1200
    zoom_patches: int = 768
    zoom_candidates: int = 3
    visual_tokens: tuple[int, int] = (4, 6)
    visual_inputs: tuple[str, ...] = ("vision",)
    visual_length: float = 0.0
    out_dim: int = 256
    concepts: int = 0
    presence_weight: float = 1.0
    presence_cell: int = 1
    reference_floor: float = 0.0
    lora: LoraConfig = field(default_factory=LoraConfig)
    mask_head: MaskHeadConfig = field(default_factory=MaskHeadConfig)
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        unknown = set(self.visual_inputs) - set(VISUAL_INPUTS)
        if unknown or "vision" not in self.visual_inputs:
            raise ValueError(
                f"visual_inputs must hold 'vision' and else only {', '.join(VISUAL_INPUTS)}, got "
                f"{self.visual_inputs}"
            )
        if self.visual_length < 0:
            raise ValueError(f"visual_length must be at least 0, got {self.visual_length}")
        if self.presence_weight < 0:
            raise ValueError(f"presence_weight must be at least 0, got {self.presence_weight}")
        if self.presence_cell < 1:
            raise ValueError(f"presence_cell must be at least 1, got {self.presence_cell}")
        if self.reference_floor < 0:
            raise ValueError(f"reference_floor must be at least 0, got {self.reference_floor}")
        layers = self.vision_layers
        if any(one < 1 for one in layers) or list(layers) != sorted(set(layers)):
            raise ValueError(f"vision_layers must be ascending numbers from 1, got {layers}")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionary, as stored beside the weights."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LisaConfig:
        """Inverse of :meth:`to_dict`.

        Raises:
            TypeError: on an unknown or missing key.
        """
        values = dict(values)
        lora = dict(values.pop("lora", {}))
        if "targets" in lora:
            lora["targets"] = tuple(lora["targets"])
        head = dict(values.pop("mask_head", {}))
        if "visual_tokens" in values:
            rows, columns = values["visual_tokens"]
            values["visual_tokens"] = (int(rows), int(columns))
        for name in ("visual_inputs", "vision_layers"):
            if name in values:
                values[name] = tuple(values[name])
        calibration = values.pop("calibration", None)
        return cls(
            lora=LoraConfig(**lora),
            mask_head=MaskHeadConfig(**head),
            calibration=None if calibration is None else Calibration.from_dict(calibration),
            **values,
        )


PRESETS: dict[str, LisaConfig] = {
    "lisa-tiny": LisaConfig(
        name="lisa-tiny",
        llm="smollm2-135m-instruct",
        vision_tower="dinov2-small",
        llm_dim=576,
        vision_dim=768,
        vision_layers=(6, 9),
        visual_tokens=(6, 8),
        visual_inputs=VISUAL_INPUTS,
        visual_length=WORD_LENGTH,
        concepts=197,
        presence_weight=2.0,
        presence_cell=2,
        reference_floor=0.3,
        mask_head=MaskHeadConfig(
            referent_dim=64, align_dim=1024, align_dropout=0.4, naming_dim=1024, extent_dim=256
        ),
    ),
}


def preset(name: str) -> LisaConfig:
    """The preset called ``name``.

    Raises:
        ValueError: naming the presets there are.
    """
    if name not in PRESETS:
        raise ValueError(
            f"unknown model {name!r}: neither a folder nor one of: {', '.join(sorted(PRESETS))}"
        )
    return PRESETS[name]
