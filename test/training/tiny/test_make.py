"""training.tiny.make: the stages in order, with what they are told."""

from __future__ import annotations

from pathlib import Path

from training.tiny.make import Recipe, commands


def after(command: list[str], flag: str) -> str:
    return command[command.index(flag) + 1]


def test_the_stages_come_in_order_and_pass_their_files_on() -> None:
    recipe = Recipe(text_steps=11, vision_steps=12, dense_steps=3, joint_steps=13, passes=2, seed=7)
    made = commands(Path("data/frames"), Path("work"), recipe)
    builds, (cache, text, vision, joint, calibrate) = made[:2], made[2:]
    assert [one[0] for one in builds] == ["training.homereason.build"] * 2
    assert cache[0] == "training.tiny.cache_features"
    assert [after(text, "--steps"), after(vision, "--steps"), after(joint, "--steps")] == [
        *("11", "12", "13")
    ]
    assert after(vision, "--dense-steps") == "3"
    assert {after(one, "--seed") for one in (text, vision, joint)} == {"7"}
    assert after(joint, "--text") == after(text, "--out")
    assert after(joint, "--vision") == after(vision, "--out")
    assert after(vision, "--features") == after(joint, "--features") == cache[2]
    assert after(calibrate, "--model") == after(joint, "--out")
    asked = [after(one, "--out") + "/train.jsonl" for one in builds]
    at = joint.index("--questions") + 1
    assert joint[at : at + 2] == asked


def test_questions_of_validation_do_not_depend_on_the_seed() -> None:
    first, other = (commands(Path("f"), Path("w"), Recipe(seed=seed))[0] for seed in (0, 1))
    assert first == other
    assert "--seed" not in first
