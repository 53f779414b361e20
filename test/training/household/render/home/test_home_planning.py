"""The plan of HomeReason's scenes: splits apart, unseen models unseen, kinds repeated."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from training.household.categories import read_categories
from training.household.held_out import read_held_out
from training.household.render.home.jobs import HomeSizes, make_home_plan
from training.household.render.home.paint import (
    PAINT_BOUND,
    PAINTS,
    SCALE_HIGH,
    SCALE_LOW,
    SIZE_BOUND,
)
from training.household.render.home.planning import (
    CARRIERS,
    PAIR_RATIO,
    HomeSpec,
    HomeThing,
    plan_home_scenes,
)
from training.household.render.overrides import EXCLUDED_MODELS
from training.household.render.plan import Sizes, make_plan
from training.household.render.sampling import Thing, usable_categories

CATEGORIES = read_categories()
USABLE = usable_categories(CATEGORIES)
HELD = read_held_out(USABLE)
OUT = Path("out")
PLAN = make_home_plan(CATEGORIES, OUT)


def scenes(split: str) -> list[HomeSpec]:
    return [job.scene for job in PLAN if job.folder.name == split]  # type: ignore[misc]


def things(scene: HomeSpec) -> list[Thing]:
    return [*scene.small, *scene.floor, scene.support]


def test_sizes_and_order() -> None:
    order = list(dict.fromkeys(job.folder.name for job in PLAN))
    assert order == ["val", "test", "test_models", "train"]
    frames = {split: sum(len(s.views) for s in scenes(split)) for split in order}
    assert frames == {"val": 200, "test": 300, "test_models": 300, "train": 6008}
    assert len(scenes("test")) >= 150
    assert len(scenes("test_models")) >= 150
    assert {len(s.views) for s in scenes("train")} == {4}
    assert {(s.width, s.height) for s in scenes("train")} == {(512, 384)}
    assert {(s.width, s.height) for s in scenes("val")} == {(640, 480)}


def test_unseen_models_are_in_test_models_only() -> None:
    unseen = set(HELD.values())
    for split in ("train", "val", "test"):
        assert not unseen & {t.model for s in scenes(split) for t in things(s)}, split
    for scene in scenes("test_models"):
        for thing in things(scene):
            if thing.category in HELD and thing.model:  # the shelf unit has no model file
                assert thing.model == HELD[thing.category]
    shown = {t.model for s in scenes("test_models") for t in things(s)}
    assert shown >= unseen, "each of them is shown at least once"


def test_most_of_what_test_models_shows_is_unseen() -> None:
    share = [sum(t.category in HELD for t in s.small) / len(s.small) for s in scenes("test_models")]
    assert sum(share) / len(share) > 0.7


def test_no_seed_or_name_is_shared() -> None:
    jobs = [*PLAN, *make_plan(CATEGORIES, OUT, Sizes())]
    assert len({job.scene.seed for job in jobs}) == len(jobs)
    assert len({job.scene.name for job in jobs}) == len(jobs)


def test_longer_plans_begin_with_the_shorter() -> None:
    short = make_home_plan(CATEGORIES, OUT, HomeSizes(train=40, val=10, test=8, test_models=6))
    for split, count in (("val", 5), ("test", 4), ("test_models", 3), ("train", 10)):
        own = [job.scene for job in short if job.folder.name == split]
        assert own == scenes(split)[:count]
    assert make_home_plan(CATEGORIES, OUT, HomeSizes(train=0, val=2, test=0, test_models=0))


def test_kinds_repeat_in_about_a_third_and_differ() -> None:
    train = scenes("train")
    repeated, larger, coloured = 0, 0, 0
    for scene in train:
        counts = Counter(t.category for t in scene.small)
        twice = [c for c, n in counts.items() if n == 2]
        repeated += max(counts.values()) > 1
        for category in twice:
            a, b = (t for t in scene.small if t.category == category)
            ratio = max(a.scale, b.scale) / min(a.scale, b.scale)
            larger += a.model == b.model and ratio >= PAIR_RATIO - 1e-9
            coloured += bool(a.paint and b.paint and a.paint != b.paint)
    assert 0.25 < repeated / len(train) < 0.45
    assert larger > 0.05 * len(train)
    assert coloured > 0.1 * len(train)


def test_crowds_paints_scales_and_kinds() -> None:
    train = scenes("train")
    counts = [len(s.small) for s in train]
    assert 0.1 < sum(n >= 15 for n in counts) / len(train) < 0.3
    assert 0.05 < sum(n <= 5 for n in counts) / len(train) < 0.15
    small = [t for s in train for t in s.small]
    assert 0.3 < sum(bool(t.paint) for t in small) / len(small) < 0.4
    assert {t.paint for t in small} == {"", *PAINTS}
    for thing in (t for s in train for t in (*s.small, *s.floor)):
        assert isinstance(thing, HomeThing)
        assert SCALE_LOW <= thing.scale <= SCALE_HIGH
        if thing.category in PAINT_BOUND:
            assert not thing.paint
        if thing.category in SIZE_BOUND:
            assert 0.96 <= thing.scale <= 1.04
    kinds = Counter(s.kind for s in train)
    assert min(kinds.values()) > 0.07 * len(train)
    views = Counter(v for s in train for v in s.views)
    assert 0.15 < views["wide"] / 6000 < 0.25
    assert 0.1 < views["close"] / 6000 < 0.2


def test_stacks_name_things_of_the_scene() -> None:
    stacked = [s for s in scenes("train") if s.carrier >= 0]
    assert len(stacked) > 200
    for scene in stacked:
        assert scene.small[scene.carrier].category in CARRIERS
        assert all(scene.small[k].category == "book" for k in scene.stack)
        assert scene.carrier not in scene.stack


def test_lists_name_real_categories_and_excluded_models_stay_away() -> None:
    assert set(CATEGORIES) >= PAINT_BOUND | SIZE_BOUND | set(CARRIERS)
    assert not EXCLUDED_MODELS & {t.model for job in PLAN for t in things(job.scene)}  # type: ignore[arg-type]


def test_things_that_are_surely_of_a_material_are_not_painted() -> None:
    from training.homereason.knowledge import load_facts

    for fact in ("wooden", "metallic", "of_glass"):
        glass_bottle = {"wine_bottle"}  # keeps its hue, which is bound
        assert load_facts()[fact].yes - glass_bottle <= PAINT_BOUND


@pytest.mark.parametrize(("frames", "views"), [(0, 2), (5, 0)])
def test_bad_sizes_are_refused(frames: int, views: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        plan_home_scenes(
            CATEGORIES, HELD, split="val", frames=frames, views=views, width=8, height=8, samples=1
        )
