"""lisa-tiny from rendered frames to shippable weights: every stage in order, each resumable.

Run: ``python -m training.tiny.make --frames data/homereason --work data/tiny --seed 0``
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

from training.homereason.files import questions_folder


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How long each stage trains.

    Args:
        text_steps: LLM alone, 32 intents a step.
        align_steps: patches aligned with names, 8,192 a step.
        vision_steps: then the whole mask head, 8 views a step.
        joint_steps: everything, 5 frames of up to 10 questions a step.
        crops: zoomed views cached per frame.
        passes: times that questions are drawn for each training frame.
        calibration: validation questions that scores are fitted on, drawn at random.
        seed: of all that is drawn, except for the frames and the questions of validation and test.
    """

    text_steps: int = 1200
    align_steps: int = 1000
    vision_steps: int = 2500
    joint_steps: int = 600
    crops: int = 1
    passes: int = 3
    calibration: int = 600
    seed: int = 0


def commands(frames: Path, work: Path, recipe: Recipe) -> list[list[str]]:
    """The stages as module command lines, in order."""
    features, mine = work / "features" / "train", work / f"seed{recipe.seed}"
    seed = ["--seed", str(recipe.seed)]
    asked = questions_folder(frames)
    out = [["training.homereason.build", "--frames", str(frames), "--out", str(asked)]]
    passes = [asked / "train.jsonl"]
    for number in range(1, recipe.passes):
        folder = asked / f"pass{number}"
        passes.append(folder / "train.jsonl")
        build = ["training.homereason.build", "--frames", str(frames), "--out", str(folder)]
        out.append([*build, "--only", "train", "--seed", str(number)])
    cache = ["training.tiny.cache_features", str(frames / "train"), str(features)]
    text = ["training.tiny.stage_text", "--out", str(mine / "text.pt")]
    vision = ["training.tiny.stage_vision", "--features", str(features)]
    vision += ["--out", str(mine / "vision.pt"), "--steps", str(recipe.vision_steps)]
    joint = ["training.tiny.stage_joint", "--features", str(features), "--questions"]
    joint += [*(str(one) for one in passes), "--text", str(mine / "text.pt")]
    joint += ["--vision", str(mine / "vision.pt"), "--out", str(mine / "joint")]
    calibrate = ["training.tiny.calibrate", "--model", str(mine / "joint"), "--frames", str(frames)]
    calibrate += ["--limit", str(recipe.calibration)]
    return [
        *out,
        [*cache, "--crops", str(recipe.crops)],
        [*text, "--steps", str(recipe.text_steps), *seed],
        [*vision, "--align-steps", str(recipe.align_steps), *seed],
        [*joint, "--steps", str(recipe.joint_steps), *seed],
        [*calibrate, "--out", str(mine / "model")],
    ]


def after(command: list[str], flag: str) -> str:
    """The value that follows a flag."""
    return command[command.index(flag) + 1]


def is_kept(command: list[str], frames: Path) -> bool:
    """Whether a command builds questions that are there already, newer than all frames.

    Building takes minutes and gives the same again. Delete them when the builder has changed.
    """
    if command[0] != "training.homereason.build":
        return False
    # What the builder writes last.
    last = "train.jsonl" if "--only" in command else "small_talk.jsonl"
    made = Path(after(command, "--out")) / last
    # A frame that appears changes its folder's time.
    folders = [one for one in frames.iterdir() if one.is_dir()] if frames.is_dir() else []
    newest = max((one.stat().st_mtime for one in folders), default=0.0)
    return made.is_file() and made.stat().st_mtime > newest


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, default=Path("data/homereason"))
    parser.add_argument("--work", type=Path, default=Path("data/tiny"))
    for one in fields(Recipe):
        flag = "--" + one.name.replace("_", "-")
        parser.add_argument(flag, type=int, default=one.default, help="default %(default)s")
    args = parser.parse_args()
    recipe = Recipe(**{one.name: getattr(args, one.name) for one in fields(Recipe)})
    (args.work / f"seed{args.seed}").mkdir(parents=True, exist_ok=True)
    for command in commands(args.frames, args.work, recipe):
        if is_kept(command, args.frames):
            print(f"questions newer than the frames are kept: {after(command, '--out')}")
            continue
        print("==", " ".join(command), flush=True)
        subprocess.run([sys.executable, "-u", "-m", *command], check=True)
    folder = args.work / f"seed{args.seed}" / "model"
    print(f"trained model: {folder} (lisa segment --model {folder} ...)")


if __name__ == "__main__":
    main()
