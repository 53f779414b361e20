"""All cached views, and batches of them with questions."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lisa_model.vision import MEAN, STD
from training.household.taxonomy import category_index, load_categories
from training.tiny.features import LoadedView, View, open_views, target_masks


@dataclass(frozen=True)
class ViewBatch:
    """Views of one grid size.

    Attributes:
        vision: (B, C, h, w) float32; rgb: (B, 3, 8h, 8w) float32 normalised.
        owner: (n,) view row of each question.
        category: (n,) taxonomy index of each question's target.
        generic: (n,) bool, any small thing will do: a click alone tells which.
        target: (n, 4h, 4w) soft masks of one thing; all zero where the category is absent on
            purpose.
        kind: (n, 4h, 4w) the same of all things of its category in the view.
        views: the views, mirrored as the tensors are.
    """

    vision: Tensor
    rgb: Tensor
    owner: Tensor
    category: Tensor
    generic: Tensor
    target: Tensor
    kind: Tensor
    views: Sequence[LoadedView]


def view_tensors(views: Sequence[LoadedView]) -> tuple[Tensor, Tensor]:
    """Stack (vision, rgb) of views that share a grid."""
    vision = torch.from_numpy(np.stack([v.vision for v in views])).float()
    rgb = torch.from_numpy(np.stack([v.rgb for v in views])).permute(0, 3, 1, 2).float() / 255.0
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return vision, (rgb - mean) / std


def view_windows(views: Sequence[LoadedView]) -> Tensor:
    """(B, 4) windows of views in their frames, see :meth:`lisa_model.mask_head.MaskHead.encode`."""
    return torch.tensor([view.window for view in views])


def small_things(view: LoadedView) -> list[dict[str, Any]]:
    """Instances of a view that are no furniture."""
    categories = load_categories()
    return [one for one in view.instances if categories[one["category"]].role == "small"]


# So many of the names nearest to a thing's are what it could be mistaken for.
ALIKE = 12


def draw_absent(shown: Collection[str], names: Tensor, rng: random.Random) -> str | None:
    """A category that a frame shows nothing of, nor of its group; None if there is none.

    Every other one is named much like something that is shown: those are mistaken for it.

    Args:
        shown: categories of the frame.
        names: (categories, out_dim) of unit length, in taxonomy order.
        rng: decides.
    """
    categories = load_categories()
    groups = {categories[one].group for one in shown} - {""}

    def gone(one: str) -> bool:
        return one not in shown and categories[one].group not in groups

    if shown and rng.random() < 0.5:
        order = list(categories)
        vector = names[category_index()[rng.choice(sorted(shown))]]
        nearest = (names @ vector).topk(min(ALIKE, len(order))).indices
        if alike := [one for one in (order[int(k)] for k in nearest) if gone(one)]:
            return rng.choice(alike)
    left = [one for one in categories if gone(one)]
    return rng.choice(left) if left else None


class ViewStore:
    """Views of a feature folder; new files of a render in progress are picked up.

    The arrays stay on disk: those of thousands of frames would not fit into memory.
    """

    def __init__(self, *, folder: Path) -> None:
        self.folder = folder
        self.frames: dict[str, list[View]] = {}
        self.checked = 0.0

    def refresh(self, every: float = 60.0) -> None:
        """Look for files that are new since the last look."""
        if time.time() - self.checked < every:
            return
        self.checked = time.time()
        for path in sorted(self.folder.glob("*.npz")):
            if path.stem not in self.frames:
                self.frames[path.stem] = open_views(path)

    def batches(
        self,
        *,
        views: int,
        questions: int,
        anything: int,
        absent: float,
        names: Tensor,
        rng: random.Random,
    ) -> Iterator[ViewBatch]:
        """Endless batches; whole frames and crops alternate.

        Args:
            views: views a batch.
            questions: names, at most this many a view.
            anything: small things that no name tells, at most this many a view.
            absent: share of questions for a category that is not in the frame.
            names: (categories, out_dim) of unit length, in taxonomy order.
        """
        turn = 0
        while True:
            self.refresh()
            turn += 1
            zoomed = turn % 2 == 1
            pool = [
                view
                for frame in self.frames.values()
                for view in frame
                if view.zoomed == zoomed and view.instances
            ]
            shape = rng.choice(pool).shape
            drawn = rng.sample(pool, min(views * 2, len(pool)))
            drawn = [v for v in drawn if v.shape == shape][:views]
            chosen = [v.read(mirrored=rng.random() < 0.5) for v in drawn]
            asked = []
            for view in chosen:
                frame = self.frames[view.view.frame][0]
                asked.append(_asked(view, frame, questions, anything, absent, names, rng))
            pairs = list(zip(chosen, asked, strict=True))
            flat = [one for group in asked for one in group]
            vision, rgb = view_tensors(chosen)
            yield ViewBatch(
                vision,
                rgb,
                owner=torch.tensor([row for row, group in enumerate(asked) for _ in group]),
                category=torch.tensor([one.category for one in flat]),
                generic=torch.tensor([one.generic for one in flat]),
                target=torch.cat(
                    [target_masks(view.ids, [one.ids for one in group]) for view, group in pairs]
                ),
                kind=torch.cat(
                    [target_masks(view.ids, [one.kind for one in group]) for view, group in pairs]
                ),
                views=chosen,
            )


@dataclass(frozen=True)
class _Asked:
    """One question about a view: taxonomy index, ids of the one meant and of all of its kind."""

    category: int
    ids: tuple[int, ...] = ()
    kind: tuple[int, ...] = ()
    generic: bool = False


def _asked(
    view: LoadedView,
    frame: View,
    questions: int,
    anything: int,
    absent: float,
    names: Tensor,
    rng: random.Random,
) -> list[_Asked]:
    """Questions about a view of a frame; arguments as for :meth:`ViewStore.batches`."""
    index, out = category_index(), []
    kinds: dict[str, list[int]] = {}
    for item in view.instances:
        kinds.setdefault(item["category"], []).append(item["id"])
    for name in rng.sample(sorted(kinds), min(questions, len(kinds))):
        meant = rng.choice(kinds[name])
        out.append(_Asked(index[name], (meant,), tuple(kinds[name])))
    small = small_things(view)
    for item in rng.sample(small, min(anything, len(small))):
        name = item["category"]
        out.append(_Asked(index[name], (item["id"],), tuple(kinds[name]), generic=True))
    everything = {item["category"] for item in frame.instances} | set(kinds)
    while rng.random() < absent:
        if (gone := draw_absent(everything, names, rng)) is None:
            break
        out.append(_Asked(index[gone]))
    return out
