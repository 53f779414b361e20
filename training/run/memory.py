"""Memory and disk that a run needs, from the sizes of its tensors.

    python -m training.run.memory CONFIG [--processes 8] [--size 7b]
    python -m training.run.memory CONFIG ... --table [--size 7b --size 13b]

Nothing is loaded: shapes come from the headers of the checkpoint that CONFIG names, or with
``--size`` from a model of that size. Counted is what is there for certain: weights, gradients,
moments of AdamW, buffers of their exchange, what is gathered of shards at a time, and the inputs of
the LLM's layers that are kept for recomputing. What a layer or SAM's encoder computes within
itself, and the space that an allocator wastes, comes on top.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.checkpoint_shapes import SIZES, clip_shapes, lisa_shapes
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.config import CheckpointConfig, find_tower
from lisa_model.llava.quantization import NF4_BLOCK
from training.data.errors import ConfigError
from training.official.lora import GAMMA, WHOLE
from training.run.eight_bit import BLOCK, SMALLEST
from training.run.policy import Part, parts, table
from training.run.settings import RunSettings, VisionSettings, read_settings
from training.run.vision import lora_sizes, trained_whole
from training.run.zero import BUCKET

Shapes = Mapping[str, Sequence[int]]
_FLOAT32 = 4
# An image carries up to three conversations (categories_per_image).
CONVERSATIONS = 3
# Scales of NF4 that share a scale themselves (double quantization), of bitsandbytes.
_NF4_SECOND_BLOCK = 256
# Elements that ZeRO-3 lets lie gathered at most, DeepSpeed's default.
_ZERO3_LIVE = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one process needs, by what it is for [bytes], and what a run writes [bytes].

    Attributes:
        memory: of one process's device.
        host: of the CPU's memory, for one process, where the optimiser is kept there.
        disk: of one checkpoint, and of the merged model.
        policy: the table of parameters.
    """

    memory: dict[str, int]
    host: dict[str, int] = field(default_factory=dict)
    disk: dict[str, int]
    policy: list[Part]


def parameter_sizes(
    shapes: Shapes,
    rank: int,
    vision: VisionSettings = VisionSettings(),  # noqa: B008 - frozen
) -> list[tuple[str, int, bool]]:
    """Name, number of elements and whether it is trained, of every parameter with LoRA put in."""
    whole = (*WHOLE, GAMMA, *trained_whole(vision))
    sizes = [(name, count, True) for name, count in lora_sizes(shapes, vision)]
    for name, shape in shapes.items():
        if name.endswith(("rotary_emb.inv_freq", "positional_encoding_gaussian_matrix")):
            continue  # buffers
        sizes.append((name, math.prod(shape), name.startswith(whole)))
        if name.startswith("model.layers.") and name.endswith(
            ("self_attn.q_proj.weight", "self_attn.v_proj.weight")
        ):
            stem = name.removesuffix(".weight")
            sizes.append((f"{stem}.lora_A.default.weight", rank * shape[1], True))
            sizes.append((f"{stem}.lora_B.default.weight", rank * shape[0], True))
    return sizes


def need(settings: RunSettings, lisa: Shapes, clip: Shapes, *, processes: int) -> Need:
    """Memory and disk of a run.

    Args:
        settings: of the run.
        lisa: shapes of the checkpoint.
        clip: shapes of the vision tower.
        processes: of the run.

    Raises:
        ConfigError: the image encoder is trained, or is not SAM's.
    """
    general = settings.general
    if settings.vision.backbone != "sam" or settings.vision.train != "frozen":
        raise ConfigError(
            "vision: what it needs is computed for SAM's frozen encoder only (backbone: sam, "
            f"train: frozen), not for {settings.vision.backbone}, {settings.vision.train}"
        )
    width = 2 if general.precision == "bfloat16" else _FLOAT32
    sizes = parameter_sizes(lisa, settings.lora.rank, settings.vision)
    trained = sum(count for _, count, one in sizes if one)
    # DeepSpeed runs a single process only where it was asked to keep the optimiser elsewhere.
    parallel = general.parallel if processes > 1 or general.offload != "none" else "single"
    memory, host = _trained(settings, sizes, parallel, processes)
    share = processes if parallel in ("fsdp2", "zero3") else 1
    frozen = [(name, count) for name, count, one in sizes if not one]
    weights = sum(
        frozen_bytes(name, count, lisa[name], width, general.quantization) for name, count in frozen
    )
    memory = {
        "frozen weights": weights // share,
        **memory,
        "vision tower": _tower_elements(clip) * width,
    }
    if width == 2:
        # Autocast keeps them during a pass; the embeddings are looked up as they are.
        copied = sum(n for name, n, one in sizes if one and "embed_tokens" not in name)
        memory["bfloat16 copies of trained weights"] = copied * width
    if general.quantization == "nf4":
        largest = max(count for name, count in frozen if _quantized(name, lisa[name]))
        memory["one layer's weight, unpacked"] = largest * width
    if parallel == "fsdp2":
        memory["gathered at a time"] = _gathered(sizes, width)
    elif parallel == "zero3":
        live = min(_ZERO3_LIVE, sum(count for _, count in frozen))
        memory["gathered at a time, at most"] = live * width + _largest_trained(sizes)
    if general.gradient_checkpointing:
        # The residual stream is float32 whatever the products are.
        hidden = lisa["model.embed_tokens.weight"][1]
        layers = {name.split(".")[2] for name in lisa if name.startswith("model.layers.")}
        tokens = general.batch * CONVERSATIONS * settings.model.max_length
        memory[f"inputs of the LLM's layers ({tokens} tokens)"] = (
            len(layers) * tokens * hidden * _FLOAT32
        )
    return Need(
        memory=memory,
        host=host,
        disk={
            "one checkpoint of the run": 3 * trained * _FLOAT32,
            "merged model": sum(math.prod(shape) for shape in lisa.values()) * width,
        },
        policy=parts(sizes),
    )


def _tower_elements(clip: Shapes) -> int:
    """Without what comes after the last layer but one, whose states LISA takes."""
    layer = "vision_model.encoder.layers."
    last = max(int(name.split(".")[3]) for name in clip if name.startswith(layer))
    left_out = (f"{layer}{last}.", "vision_model.post_layernorm.")
    return sum(math.prod(shape) for name, shape in clip.items() if not name.startswith(left_out))


def frozen_bytes(name: str, count: int, shape: Sequence[int], width: int, quantization: str) -> int:
    """Bytes of a frozen parameter, with the scales of a quantized one.

    Args:
        name, count, shape: of it.
        width: bytes of an element in the run's precision.
        quantization: of the LLM's layers.
    """
    if name.startswith("model.visual_model.prompt_encoder."):
        return count * _FLOAT32  # as lisa_model.llava.model loads it
    if quantization == "none" or not _quantized(name, shape):
        return count * width
    if quantization == "int8":
        return count + shape[0] * (_FLOAT32 + 1)  # scale and zero point of each row
    scales = -(-count // NF4_BLOCK)
    return count // 2 + scales + -(-scales // _NF4_SECOND_BLOCK) * _FLOAT32


def _quantized(name: str, shape: Sequence[int]) -> bool:
    return name.startswith("model.layers.") and len(shape) == 2 and "lora_" not in name


def _trained(
    settings: RunSettings, sizes: Sequence[tuple[str, int, bool]], parallel: str, processes: int
) -> tuple[dict[str, int], dict[str, int]]:
    """What is trained, its gradients and the optimiser: on the device and in the CPU's memory."""
    counts = [count for _, count, one in sizes if one]
    whole = sum(counts) * _FLOAT32
    part = -(-whole // processes)
    if settings.optimizer.name == "adamw8bit":
        moments = 2 * sum(
            n + -(-n // BLOCK) * _FLOAT32 if n >= SMALLEST else n * _FLOAT32 for n in counts
        )
        state = {"AdamW's moments (8 bits)": moments}
    else:
        held = part if parallel in ("fsdp2", "zero2", "zero3") else whole
        state = {"AdamW's moments (float32)": 2 * held}
    weights, gradients = "trained weights (float32)", "gradients (float32)"
    if parallel not in ("zero2", "zero3"):
        held = part if parallel == "fsdp2" else whole
        return {weights: held, gradients: held, **state}, {}
    # The stepped copy of the weights is the optimiser's own, also in float32.
    state = {"the optimiser's copy of the weights": part, gradients: part, **state}
    bucket = min(BUCKET, sum(counts)) * _FLOAT32
    memory = {weights: whole if parallel == "zero2" else part}
    exchange = {"buckets of the exchange": 2 * bucket if parallel == "zero2" else bucket}
    if settings.general.offload == "optimizer":
        return {**memory, **exchange}, state
    return {**memory, **state, **exchange}, {}


def _gathered(sizes: Sequence[tuple[str, int, bool]], width: int) -> int:
    """What FSDP2 has whole at a time: the root with its gradients, and two of the other units.

    The units are those of :meth:`training.run.processes.Processes.place`.
    """
    units: dict[str, int] = {}
    root = 0
    for name, count, trained in sizes:
        each = count * (_FLOAT32 if trained else width)
        pieces = name.split(".")
        if name.startswith("model.layers."):
            units[pieces[2]] = units.get(pieces[2], 0) + each
        elif name.startswith("model.visual_model.image_encoder.blocks."):
            key = f"sam {pieces[4]}"
            units[key] = units.get(key, 0) + each
        else:
            root += each * (2 if trained else 1)
    return root + sum(sorted(units.values())[-2:])


def _largest_trained(sizes: Sequence[tuple[str, int, bool]]) -> int:
    return max(count for _, count, one in sizes if one) * _FLOAT32


def report(wanted: Need) -> str:
    """The figures as text, in GB (10^9 bytes)."""
    lines = [table(wanted.policy), "", "memory of each process"]
    for title, figures in (("", wanted.memory), ("in the CPU's memory besides", wanted.host)):
        if not figures:
            continue
        lines += [title] * bool(title)
        lines += [f"  {name:<46}{size / 1e9:>9.2f} GB" for name, size in figures.items()]
        lines.append(f"  {'together':<46}{sum(figures.values()) / 1e9:>9.2f} GB")
    lines.append("  and on top what a layer and SAM's encoder compute within themselves")
    lines.append("disk")
    lines += [f"  {name:<46}{size / 1e9:>9.2f} GB" for name, size in wanted.disk.items()]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("configs", type=Path, nargs="+", help="such as config/train/lisa_7b.yaml")
    parser.add_argument("--processes", type=int, default=1, help="of the run")
    parser.add_argument(
        "--size",
        choices=sorted(SIZES),
        action="append",
        help="a size instead of the checkpoint; may be given several times",
    )
    parser.add_argument(
        "--table", action="store_true", help="Markdown: one and eight GPUs in the ways there are"
    )
    args = parser.parse_args(argv)
    for path in args.configs:
        settings = read_settings(path)
        for size in args.size or [None]:
            lisa, clip = _shapes(settings, size)
            print(f"{path}, {size or settings.model.checkpoint}")
            if args.table:
                from training.run.memory_table import markdown

                print(f"\n{markdown(settings, lisa, clip)}\n")
            else:
                print(report(need(settings, lisa, clip, processes=args.processes)))


def _shapes(settings: RunSettings, size: str | None) -> tuple[Shapes, Shapes]:
    """Of the checkpoint that the settings name and its tower, or of a size."""
    if size:
        return lisa_shapes(SIZES[size]), clip_shapes(SIZES[size])
    checkpoint = open_checkpoint(settings.model.checkpoint)
    config = CheckpointConfig.read(settings.model.checkpoint, checkpoint)
    tower = find_tower(settings.model.checkpoint, config, settings.model.vision_tower or None)
    return checkpoint.shapes, open_checkpoint(tower).shapes


if __name__ == "__main__":
    main()
