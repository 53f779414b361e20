"""lisa-tiny from rendered frames to shippable weights: every stage in order, each resumable.

Run: ``python -m training.make_tiny --frames data/household --work data/tiny``
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How long each stage trains.

    Args:
        text_steps: LLM alone, 32 intents a step.
        vision_steps: mask head alone, 8 views a step.
        dense_steps: of these, steps of dense patch-name alignment before the first mask.
        joint_steps: the LLM's side again, now behind images, 5 frames a step.
        crops: zoomed views cached per frame.
    """

    text_steps: int = 600
    vision_steps: int = 1600
    dense_steps: int = 300
    joint_steps: int = 320
    crops: int = 1
    seed: int = 0


def commands(frames: Path, work: Path, recipe: Recipe) -> list[list[str]]:
    """The stages as module command lines, in order."""
    features = work / "features" / "train"
    seed = ["--seed", str(recipe.seed)]
    text = ["training.stage_text", "--out", str(work / "text.pt")]
    text += ["--steps", str(recipe.text_steps), *seed]
    cache = ["training.cache_features", str(frames / "train"), str(features)]
    cache += ["--crops", str(recipe.crops)]
    vision = ["training.stage_vision", "--features", str(features)]
    vision += ["--out", str(work / "vision.pt"), "--steps", str(recipe.vision_steps)]
    vision += ["--dense-steps", str(recipe.dense_steps), *seed]
    joint = ["training.stage_joint", "--features", str(features), "--text", str(work / "text.pt")]
    joint += ["--vision", str(work / "vision.pt"), "--out", str(work / "joint")]
    joint += ["--steps", str(recipe.joint_steps), *seed]
    joint += ["--language-only"]
    whole = ["training.assemble", "--language", str(work / "joint")]
    whole += ["--head", str(work / "vision.pt"), "--out", str(work / "model")]
    return [cache, text, vision, joint, whole]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, default=Path("data/household"))
    parser.add_argument("--work", type=Path, default=Path("data/tiny"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for command in commands(args.frames, args.work, Recipe(seed=args.seed)):
        print("==", " ".join(command), flush=True)
        subprocess.run([sys.executable, "-u", "-m", *command], check=True)
    print(f"trained model: {args.work / 'model'} (lisa segment --model {args.work / 'model'} ...)")


if __name__ == "__main__":
    main()
