"""The LISA models of the paper: what they consist of, where they are, how much memory they need."""

from __future__ import annotations

from dataclasses import dataclass

# Parameters of the parts that all of them share.
SAM_VIT_H = 641_090_608
CLIP_VIT_L = 303_179_776  # at 224 px; 336 px adds 0.3 M
BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class OfficialPreset:
    """A published (or described) LISA model.

    Attributes:
        name: as this package calls it.
        hub: name on the model hub of its authors; "" where they have published none.
        vision_tower: CLIP model that it needs beside it.
        image_size: of that CLIP model [px].
        projector: ``linear`` (LLaVA v1) or ``mlp2x_gelu`` (LLaVA-1.5).
        hidden, mlp, layers: sizes of LLaMA.
        vocab: rows of the embedding, about: the checkpoint's own number counts.
        explanatory: trained to give reasons too.
    """

    name: str
    hub: str
    vision_tower: str
    image_size: int
    projector: str
    hidden: int
    mlp: int
    layers: int
    vocab: int
    explanatory: bool

    @property
    def llm_parameters(self) -> int:
        """Parameters of LLaMA with embedding and head."""
        block = 4 * self.hidden**2 + 3 * self.hidden * self.mlp + 2 * self.hidden
        return 2 * self.vocab * self.hidden + self.layers * block + self.hidden

    @property
    def parameters(self) -> int:
        """LLaMA + SAM ViT-H + CLIP ViT-L; projector and gamma are left out (under 0.5 %)."""
        return self.llm_parameters + SAM_VIT_H + CLIP_VIT_L

    def weight_gb(self, dtype: str = "bfloat16", *, int8: bool = False) -> float:
        """Memory of the weights [GB], without activations and caches.

        Args:
            dtype: of everything that is not quantized.
            int8: the LLM's blocks as int8, as ``quantization="int8"`` makes them.
        """
        size = BYTES[dtype]
        if not int8:
            return self.parameters * size / 1e9
        table = self.vocab * self.hidden
        blocks = self.llm_parameters - 2 * table
        rest = (self.parameters - self.llm_parameters + table) * size + table * 2
        return (blocks + rest) / 1e9

    def how_to_get(self) -> str:
        """What a user has to do before the model can be opened."""
        if not self.hub:
            return (
                f"{self.name}: its authors have published no weights. A folder of your own in the "
                "official layout opens in the same way: give its path"
            )
        return (
            f"{self.name} is not part of this package. Download {self.hub} and {self.vision_tower} "
            f"from their authors, then: lisa convert LISA_DIR {self.name} --vision-tower CLIP_DIR, "
            f"and give the path of the new folder {self.name}"
        )


_LLAVA_1 = ("openai/clip-vit-large-patch14", 224, "linear")
_LLAVA_1_5 = ("openai/clip-vit-large-patch14-336", 336, "mlp2x_gelu")
_7B = (4096, 11008, 32, 32003)
_13B = (5120, 13824, 40, 32003)


def _preset(
    name: str,
    hub: str,
    vision: tuple[str, int, str],
    llm: tuple[int, int, int, int],
    explanatory: bool = False,
) -> OfficialPreset:
    return OfficialPreset(name, hub, *vision, *llm, explanatory)


OFFICIAL = {
    preset.name: preset
    for preset in (
        _preset("lisa-7b-v1", "xinlai/LISA-7B-v1", _LLAVA_1, _7B),
        _preset("lisa-7b-v1-explanatory", "xinlai/LISA-7B-v1-explanatory", _LLAVA_1, _7B, True),
        _preset("lisa-13b-llama2-v1", "xinlai/LISA-13B-llama2-v1", _LLAVA_1, _13B),
        _preset(
            "lisa-13b-llama2-v1-explanatory",
            "xinlai/LISA-13B-llama2-v1-explanatory",
            _LLAVA_1,
            _13B,
            True,
        ),
        _preset("lisa-7b-llava1.5", "", _LLAVA_1_5, _7B),
        _preset("lisa-13b-llava1.5", "", _LLAVA_1_5, _13B),
    )
}


def table() -> str:
    """The presets as a Markdown table; docs/models.md holds it."""
    lines = [
        "| preset | published as | vision tower | projector | bfloat16 | int8 LLM |",
        "|---|---|---|---|---|---|",
    ]
    for one in OFFICIAL.values():
        hub = f"`{one.hub}`" if one.hub else "not published"
        lines.append(
            f"| `{one.name}` | {hub} | `{one.vision_tower}` | {one.projector} | "
            f"{one.weight_gb():.1f} GB | {one.weight_gb(int8=True):.1f} GB |"
        )
    return "\n".join(lines)
