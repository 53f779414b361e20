"""Which blocks of the frozen encoder tell best what a patch shows: a probe without LLM and masks.

The alignment of patches with names (:mod:`training.tiny.patch_bank`) is trained on the features of
some blocks of a few hundred frames, and asked what patches of validation frames show.

Run: ``python -m training.design.blocks --frames data/homereason --write docs/tiny_design.md``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from lisa_model.config import LisaConfig, preset
from lisa_model.mask_head import PatchAlign
from lisa_model.vision import VisionTower
from training import markdown
from training.experiments.tables import fill
from training.tiny.features import cache_split, open_views
from training.tiny.name_space import name_vectors
from training.tiny.patch_bank import BACKGROUND, PatchBank, align_patches, gather, train_align

# All that are compared: these blocks alone, and together.
SETS = ((12,), (11,), (9,), (6,), (3,), (9, 12), (6, 9), (6, 12), (3, 6, 9), (6, 9, 12))
Blocks = tuple[int, ...]


def parse_blocks(text: str) -> Blocks:
    """ "6,9" -> (6, 9).

    Raises:
        argparse.ArgumentTypeError: these are no numbers.
    """
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of blocks such as 6,9")
    return tuple(int(part) for part in parts)


def cached_bank(frames: Path, out: Path, config: LisaConfig, count: int) -> PatchBank:
    """Patches of the first frames of a folder, with the features of all blocks of ``config``."""
    cache_split(
        folder=frames,
        out=out,
        config=config,
        tower=VisionTower.from_config(config),
        crops=0,
        watch=False,
        faulty_share=0.0,
        limit=count,
    )
    files = sorted(out.glob("*.npz"))[:count]
    return gather((view for file in files for view in open_views(file)), seed=0)


def chosen_columns(bank: PatchBank, wanted: Blocks, cached: Blocks) -> PatchBank:
    """The features of some of the blocks that were cached."""
    width = bank.vectors.shape[1] // len(cached)
    parts = [bank.vectors[:, width * k : width * (k + 1)] for k in map(cached.index, wanted)]
    return replace(bank, vectors=torch.cat(parts, dim=1))


@torch.inference_mode()
def named_right(align: PatchAlign, bank: PatchBank, names: Tensor) -> float:
    """Share of things' patches whose nearest name is right, weighted as in training."""
    align.eval()
    nearest = (align_patches(align, bank) @ names.T).argmax(1)
    weight = bank.weight * (bank.category != BACKGROUND)
    return float(((nearest == bank.category) * weight).sum() / weight.sum())


def score(
    wanted: Blocks, train: PatchBank, val: PatchBank, cached: Blocks, *, steps: int, seed: int
) -> float:
    """Train with some blocks; share of validation patches that are named right."""
    torch.manual_seed(seed)
    config = preset("lisa-tiny")
    names = name_vectors(config.out_dim)
    head = config.mask_head
    mine = chosen_columns(train, wanted, cached)
    align = PatchAlign(
        mine.vectors.shape[1], head.align_dim, config.out_dim, dropout=head.align_dropout
    )
    train_align(align, mine, names, steps=steps, seed=seed, batch=4096)
    return named_right(align, chosen_columns(val, wanted, cached), names)


def table(scores: dict[Blocks, Sequence[float]], told: str) -> str:
    """Markdown of the scores, and how they were made."""
    rows = markdown.head(["blocks", "named right, %: mean (lowest to highest seed)"])
    for blocks, values in scores.items():
        mean, low, high = (100 * v for v in (sum(values) / len(values), min(values), max(values)))
        label = " + ".join(str(one) for one in blocks)
        rows.append(markdown.line([label, f"{mean:.1f} ({low:.1f} to {high:.1f})"]))
    return "\n".join([*rows, "", told, ""])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, default=Path("data/homereason"))
    parser.add_argument("--work", type=Path, default=Path("data/design/blocks"))
    parser.add_argument("--blocks", type=parse_blocks, nargs="+", default=list(SETS))
    parser.add_argument("--train", type=int, default=600, help="training frames")
    parser.add_argument("--val", type=int, default=200, help="validation frames")
    parser.add_argument("--steps", type=int, default=350, help="of 4,096 patches")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--write", type=Path, help="page to write the table into")
    args = parser.parse_args()
    cached = tuple(sorted({one for blocks in args.blocks for one in blocks}))
    config = replace(preset("lisa-tiny"), vision_layers=cached)
    folder = args.work / "_".join(str(one) for one in cached)
    train, val = (
        cached_bank(args.frames / split, folder / split, config, count)
        for split, count in (("train", args.train), ("val", args.val))
    )
    scores: dict[Blocks, Sequence[float]] = {
        blocks: [
            score(blocks, train, val, cached, steps=args.steps, seed=seed) for seed in args.seeds
        ]
        for blocks in args.blocks
    }
    seeds = ", ".join(str(one) for one in args.seeds)
    text = table(
        scores,
        f"{args.train} training frames, {int((val.category != BACKGROUND).sum())} patches of "
        f"things in {args.val} validation frames, {args.steps} steps of 4,096 patches; "
        f"seeds {seeds}.",
    )
    print(text)
    if args.write is not None:
        page = args.write.read_text(encoding="utf-8")
        args.write.write_text(fill(page, "probe", {"blocks": text}), encoding="utf-8")


if __name__ == "__main__":
    main()
