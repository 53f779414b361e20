"""training.tiny.make: the stages in order, with what they are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.tiny.make import Recipe, after, commands, is_kept


def test_the_stages_come_in_order_and_pass_their_files_on() -> None:
    recipe = Recipe(text_steps=11, vision_steps=12, align_steps=3, joint_steps=13, passes=2, seed=7)
    made = commands(Path("data/frames"), Path("work"), recipe)
    builds, (cache, text, vision, joint, calibrate) = made[:2], made[2:]
    assert [one[0] for one in builds] == ["training.homereason.build"] * 2
    assert cache[0] == "training.tiny.cache_features"
    assert [after(text, "--steps"), after(vision, "--steps"), after(joint, "--steps")] == [
        *("11", "12", "13")
    ]
    assert after(vision, "--align-steps") == "3"
    assert {after(one, "--seed") for one in (text, vision, joint)} == {"7"}
    assert after(joint, "--text") == after(text, "--out")
    assert after(joint, "--vision") == after(vision, "--out")
    assert after(vision, "--features") == after(joint, "--features") == cache[2]
    assert after(calibrate, "--limit") == "600"
    assert after(calibrate, "--model") == after(joint, "--out")
    asked = [after(one, "--out") + "/train.jsonl" for one in builds]
    at = joint.index("--questions") + 1
    assert joint[at : at + 2] == asked


def test_questions_of_validation_do_not_depend_on_the_seed() -> None:
    first, other = (commands(Path("f"), Path("w"), Recipe(seed=seed))[0] for seed in (0, 1))
    assert first == other
    assert "--seed" not in first


@pytest.mark.parametrize(("number", "last"), [(0, "small_talk.jsonl"), (1, "train.jsonl")])
def test_questions_are_built_once_until_a_frame_appears(
    tmp_path: Path, number: int, last: str
) -> None:
    frames = tmp_path / "frames"
    (frames / "train").mkdir(parents=True)
    made_by = commands(frames, tmp_path / "work", Recipe(passes=2))
    build, others = made_by[number], made_by[2:]
    assert not is_kept(build, frames)
    made = Path(after(build, "--out")) / last
    made.parent.mkdir(parents=True)
    made.touch()
    os.utime(frames / "train", (1000, 1000))
    assert is_kept(build, frames)
    assert not any(is_kept(one, frames) for one in others)
    (frames / "train" / "new.json").touch()
    os.utime(made, (2000, 2000))
    assert not is_kept(build, frames)
