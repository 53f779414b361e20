"""HomeReason's frames as an ordered list of jobs: small splits first, then training. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.household.categories import Category
from training.household.held_out import read_held_out
from training.household.render.home.planning import UNSEEN, plan_home_scenes
from training.household.render.plan import Job
from training.household.render.sampling import usable_categories

TRAIN_VIEWS, OTHER_VIEWS = 4, 2


@dataclass(frozen=True, kw_only=True)
class HomeSizes:
    """Frames of each split, and samples a pixel (training frames are smaller and many: fewer)."""

    train: int = 6008
    val: int = 200
    test: int = 300
    test_models: int = 300
    samples: int = 3
    train_samples: int = 2


def make_home_plan(
    categories: Mapping[str, Category], out: Path, sizes: HomeSizes = HomeSizes()
) -> list[Job]:
    """Val, test and test_models (640 x 480), then train (512 x 384).

    Raises:
        TaxonomyError: the file of held-out models does not fit the taxonomy.
    """
    held = read_held_out(usable_categories(categories))

    def jobs(split: str, frames: int, views: int, width: int, height: int) -> list[Job]:
        if frames == 0:
            return []
        scenes = plan_home_scenes(
            categories,
            held,
            split=split,
            frames=frames,
            views=views,
            width=width,
            height=height,
            samples=sizes.train_samples if split == "train" else sizes.samples,
        )
        return [Job(scene=scene, folder=out / split) for scene in scenes]

    return [
        *jobs("val", sizes.val, OTHER_VIEWS, 640, 480),
        *jobs("test", sizes.test, OTHER_VIEWS, 640, 480),
        *jobs(UNSEEN, sizes.test_models, OTHER_VIEWS, 640, 480),
        *jobs("train", sizes.train, TRAIN_VIEWS, 512, 384),
    ]
