"""Cache the frozen encoder's features of rendered frames.

Run: ``python -m training.tiny.cache_features data/household/train data/tiny/features --crops 3``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lisa_model.config import preset
from lisa_model.vision import VisionTower
from training.shards import parse_shard
from training.tiny.features import cache_split


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--crops", type=int, default=3, help="zoomed views per frame")
    parser.add_argument("--watch", action="store_true", help="follow a render in progress")
    parser.add_argument("--shard", type=parse_shard, default=(0, 1), help="K/N: every Nth frame")
    args = parser.parse_args()
    config = preset("lisa-tiny")
    cache_split(
        folder=args.frames,
        out=args.out,
        config=config,
        tower=VisionTower.from_config(config),
        crops=args.crops,
        watch=args.watch,
        shard=args.shard,
    )


if __name__ == "__main__":
    main()
