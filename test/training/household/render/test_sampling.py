"""The plan of scenes: reproducible, balanced, splits apart, groups respected."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from training.household.categories import read_categories
from training.household.render.demo import DEMOS, demo_scenes
from training.household.render.overrides import EXCLUDED_MODELS, HUE_BOUND, MODEL_POSES
from training.household.render.plan import Job, Sizes, make_plan
from training.household.render.sampling import (
    SceneSpec,
    draw_television,
    fill_frames,
    plan_scenes,
    usable_categories,
)

CATEGORIES = read_categories()


def scenes(split: str = "train", frames: int = 300) -> list[SceneSpec]:
    return plan_scenes(
        CATEGORIES, split=split, frames=frames, views=2, width=512, height=384, samples=4
    )


PLANNED = scenes(frames=2)[0]


def test_plan_is_reproducible_and_longer_plans_begin_the_same() -> None:
    assert scenes() == scenes()
    assert scenes(frames=100) == scenes(frames=300)[:50]


def test_frames_add_up_even_when_odd() -> None:
    assert sum(len(s.views) for s in scenes(frames=7)) == 7


def test_splits_share_no_seed() -> None:
    seeds = [{s.seed for s in scenes(split, 1230)} for split in ("train", "val", "test")]
    demo = {s.seed for s in demo_scenes(CATEGORIES)}
    assert len(set().union(*seeds, demo)) == sum(map(len, seeds)) + len(demo)


def test_small_categories_come_up_equally_often() -> None:
    counts = Counter(t.category for s in scenes(frames=1200) for t in s.small)
    small = [c.id for c in usable_categories(CATEGORIES).values() if c.role == "small"]
    drawn = [counts[c] for c in small]
    assert min(drawn) > 0
    assert max(drawn) - min(drawn) <= 2


def test_a_scene_repeats_no_category_and_has_at_most_one_pair_of_a_group() -> None:
    paired = 0
    for scene in scenes(frames=1200):
        names = [t.category for t in scene.small if t.category != "television"]
        assert len(names) == len(set(names))
        groups = Counter(CATEGORIES[c].group for c in names if CATEGORIES[c].group)
        excess = sum(n - 1 for n in groups.values())
        assert excess <= 1
        paired += excess
    # Pairs are allowed in 15% of the scenes and happen in some of those.
    assert 0 < paired / 600 < 0.2


def test_excluded_models_never_appear() -> None:
    used = {t.model for s in scenes(frames=1200) for t in (*s.small, *s.floor, s.support)}
    assert not used & EXCLUDED_MODELS


def test_hand_made_lists_name_real_models_and_categories() -> None:
    models = {m for c in CATEGORIES.values() for m in c.models}
    assert set(MODEL_POSES) <= models
    assert models >= EXCLUDED_MODELS
    assert set(CATEGORIES) >= HUE_BOUND


@pytest.mark.parametrize(("frames", "views"), [(0, 2), (5, 0)])
def test_bad_sizes_are_refused(frames: int, views: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        plan_scenes(
            CATEGORIES, split="val", frames=frames, views=views, width=8, height=8, samples=1
        )


def test_the_last_scene_may_have_fewer_views_only() -> None:
    asked: list[tuple[int, int]] = []

    def draw(number: int, most: int) -> SceneSpec:
        asked.append((number, most))
        return replace(PLANNED, views=("near",) * most)

    assert [len(s.views) for s in fill_frames(7, 3, draw)] == [3, 3, 1]
    assert asked == [(0, 3), (1, 3), (2, 1)]


def test_televisions_stand_on_some_supports_of_their_own() -> None:
    rng = random.Random(0)
    on_stands = sum(draw_television("tv_stand", rng) for _ in range(1000))
    assert 250 < on_stands < 350
    assert not any(draw_television("desk", rng) for _ in range(100))


def test_demo_scenes_have_unique_categories_and_the_remote_among_others() -> None:
    by_name = {s.name: s for s in demo_scenes(CATEGORIES)}
    assert set(by_name) == set(DEMOS)
    for scene in by_name.values():
        names = [t.category for t in scene.small]
        assert 6 <= len(names) == len(set(names)) <= 9
        assert scene.split == "test"
    remote = by_name["living_room_remote"]
    assert remote.small[0].category == "tv_remote"
    assert (remote.width, remote.height) == (640, 480)


def test_plan_order_and_resume(tmp_path: Path) -> None:
    plan = make_plan(CATEGORIES, tmp_path, Sizes(train=20, val=4, test=6, first_train=8, samples=1))
    order = [job.folder.name for job in plan]
    assert order == ["demo"] * 6 + ["train"] * 4 + ["test"] * 3 + ["val"] * 2 + ["train"] * 6
    job: Job = plan[6]
    name = job.scene.frame_names()[0]
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / f"{name}.json.part").touch()
    assert job.pending() == [0, 1], "a half-written frame is not finished"
    (tmp_path / "train" / f"{name}.json").touch()
    assert job.pending() == [1]
