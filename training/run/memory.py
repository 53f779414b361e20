"""Memory and disk that a run needs, from the sizes of its tensors.

    python -m training.run.memory CONFIG [--processes 8] [--size 7b]

Nothing is loaded: shapes come from the headers of the checkpoint that CONFIG names, or with
``--size`` from a model of that size. Counted is what is there for certain: weights, gradients,
moments of AdamW, what FSDP2 has gathered at a time, and the inputs of the LLM's layers that are
kept for recomputing. What a layer or SAM's encoder computes within itself, and the space that an
allocator wastes, comes on top.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checkpoint_shapes import SIZES, clip_shapes, lisa_shapes
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.config import CheckpointConfig, find_tower
from training.official.lora import GAMMA, WHOLE
from training.run.policy import Part, parts, table
from training.run.settings import RunSettings, read_settings

Shapes = Mapping[str, Sequence[int]]
_FLOAT32 = 4
# An image carries up to three conversations (categories_per_image).
CONVERSATIONS = 3


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one process needs, by what it is for [bytes], and what a run writes [bytes].

    Attributes:
        memory: of one process's device.
        disk: of one checkpoint, and of the merged model.
        policy: the table of parameters.
    """

    memory: dict[str, int]
    disk: dict[str, int]
    policy: list[Part]


def parameter_sizes(shapes: Shapes, rank: int) -> list[tuple[str, int, bool]]:
    """Name, number of elements and whether it is trained, of every parameter with LoRA put in."""
    sizes = []
    for name, shape in shapes.items():
        if name.endswith(("rotary_emb.inv_freq", "positional_encoding_gaussian_matrix")):
            continue  # buffers
        sizes.append((name, math.prod(shape), name.startswith((*WHOLE, GAMMA))))
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
    """
    general = settings.general
    width = 2 if general.precision == "bfloat16" else _FLOAT32
    sizes = parameter_sizes(lisa, settings.lora.rank)
    trained = sum(count for _, count, one in sizes if one)
    frozen = sum(count for _, count, one in sizes if not one)
    sharded = general.parallel == "fsdp2" and processes > 1
    share = processes if sharded else 1
    memory = {
        "frozen weights": frozen * width // share,
        "trained weights (float32)": trained * _FLOAT32 // share,
        "gradients (float32)": trained * _FLOAT32 // share,
        "AdamW's moments (float32)": 2 * trained * _FLOAT32 // share,
        "vision tower": sum(math.prod(shape) for shape in clip.values()) * width,
    }
    if width == 2:
        # Autocast keeps them during a pass; the embeddings are looked up as they are.
        copied = sum(n for name, n, one in sizes if one and "embed_tokens" not in name)
        memory["bfloat16 copies of trained weights"] = copied * width
    if sharded:
        memory["gathered at a time"] = _gathered(sizes, width)
    hidden, layers = (
        lisa["model.embed_tokens.weight"][1],
        1 + max(int(name.split(".")[2]) for name in lisa if name.startswith("model.layers.")),
    )
    if general.gradient_checkpointing:
        # The residual stream is float32 whatever the products are.
        tokens = general.batch * CONVERSATIONS * settings.model.max_length
        memory[f"inputs of the LLM's layers ({tokens} tokens)"] = (
            layers * tokens * hidden * _FLOAT32
        )
    return Need(
        memory=memory,
        disk={
            "one checkpoint of the run": 3 * trained * _FLOAT32,
            "merged model": sum(math.prod(shape) for shape in lisa.values()) * width,
        },
        policy=parts(sizes),
    )


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


def report(wanted: Need) -> str:
    """The figures as text, in GB (10^9 bytes)."""
    lines = [table(wanted.policy), "", "memory of each process"]
    lines += [f"  {name:<46}{size / 1e9:>9.2f} GB" for name, size in wanted.memory.items()]
    lines.append(f"  {'together':<46}{sum(wanted.memory.values()) / 1e9:>9.2f} GB")
    lines.append("  and on top what a layer and SAM's encoder compute within themselves")
    lines.append("disk")
    lines += [f"  {name:<46}{size / 1e9:>9.2f} GB" for name, size in wanted.disk.items()]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path, help="such as config/train/lisa_7b.yaml")
    parser.add_argument("--processes", type=int, default=1, help="of the run")
    parser.add_argument("--size", choices=sorted(SIZES), help="a size instead of the checkpoint")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    if args.size:
        lisa, clip = lisa_shapes(SIZES[args.size]), clip_shapes(SIZES[args.size])
    else:
        checkpoint = open_checkpoint(settings.model.checkpoint)
        config = CheckpointConfig.read(settings.model.checkpoint, checkpoint)
        tower = find_tower(settings.model.checkpoint, config, settings.model.vision_tower or None)
        lisa, clip = checkpoint.shapes, open_checkpoint(tower).shapes
    print(report(need(settings, lisa, clip, processes=args.processes)))


if __name__ == "__main__":
    main()
