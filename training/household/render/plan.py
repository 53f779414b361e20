"""The whole data set as an ordered list of jobs, so that useful data exists early. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.household.categories import Category
from training.household.render.demo import demo_scenes
from training.household.render.frame_io import frame_done
from training.household.render.sampling import SceneSpec, plan_scenes

VIEWS_PER_SCENE = 2


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Frames of each split; ``first_train`` of the training frames come before val and test."""

    train: int = 1230
    val: int = 100
    test: int = 160
    first_train: int = 600
    samples: int = 4


@dataclass(frozen=True, kw_only=True)
class Job:
    """One scene and the folder its frames go to."""

    scene: SceneSpec
    folder: Path

    def pending(self) -> list[int]:
        """Numbers of the views that are not finished yet."""
        names = self.scene.frame_names()
        return [i for i, name in enumerate(names) if not frame_done(self.folder, name)]


def make_plan(categories: Mapping[str, Category], out: Path, sizes: Sizes) -> list[Job]:
    """Demo scenes, the first training frames, test, val, then the remaining training frames."""

    def jobs(split: str, frames: int, width: int, height: int) -> list[Job]:
        if frames == 0:
            return []
        scenes = plan_scenes(
            categories,
            split=split,
            frames=frames,
            views=VIEWS_PER_SCENE,
            width=width,
            height=height,
            samples=sizes.samples,
        )
        return [Job(scene=s, folder=out / split) for s in scenes]

    demo = [Job(scene=s, folder=out / "demo") for s in demo_scenes(categories)]
    train = jobs("train", sizes.train, 512, 384)
    cut = sizes.first_train // VIEWS_PER_SCENE
    held_out = jobs("test", sizes.test, 640, 480) + jobs("val", sizes.val, 640, 480)
    return demo + train[:cut] + held_out + train[cut:]
