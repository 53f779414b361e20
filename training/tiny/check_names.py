"""How well a mask head names the things of cached views, and how well it tells their extents.

Run: ``python -m training.tiny.check_names --vision data/tiny/seed0/vision.pt
--features data/tiny/features/val``
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lisa_model.config import preset
from lisa_model.look import mean_under
from lisa_model.mask_head import PRESENCE_SCALE, MaskHead
from training.household.taxonomy import category_index
from training.tiny.extents import ExtentBank, gather_extents
from training.tiny.features import View, target_masks
from training.tiny.name_space import name_vectors
from training.tiny.views import ViewStore, view_tensors, view_windows


@dataclass(frozen=True)
class Named:
    """A thing in a view, under its true mask.

    Attributes:
        frame, thing: which one.
        zoomed: the view is a crop.
        category: taxonomy index.
        patches: (categories,) logits of the names by the mean of the aligned patches.
        mask: (categories,) logits of the names by the naming of masks.
    """

    frame: str
    thing: int
    zoomed: bool
    category: int
    patches: Tensor
    mask: Tensor


@torch.inference_mode()
def named(head: MaskHead, views: Iterable[View], names: Tensor) -> list[Named]:
    """All things of views, named by a head with naming.

    Args:
        names: (categories, out_dim) of unit length.
    """
    index, out = category_index(), []
    assert head.naming is not None, "the head names no masks"
    for view in views:
        if not view.instances:
            continue
        loaded = view.read()
        vision, rgb = view_tensors([loaded])
        features = head.encode(vision, rgb, view_windows([loaded]))
        # Logits that are positive inside, as of a mask.
        masks = target_masks(loaded.ids, [(item["id"],) for item in view.instances]) - 0.5
        patches = F.normalize(mean_under(features.aligned[0], masks), dim=1)
        by_patches = PRESENCE_SCALE * patches @ names.T
        by_mask = PRESENCE_SCALE * head.looks(vision, features, masks) @ names.T
        for item, *both in zip(view.instances, by_patches, by_mask, strict=True):
            found = Named(view.frame, item["id"], view.zoomed, index[item["category"]], *both)
            out.append(found)
    return out


def right(found: list[Named], logits: list[Tensor]) -> float:
    """Share of things whose best name is right."""
    rows = zip(found, logits, strict=True)
    return float(np.mean([int(one.argmax()) == thing.category for thing, one in rows]))


@torch.inference_mode()
def correlations(head: MaskHead, bank: ExtentBank) -> list[float]:
    """Of estimated and true size, and of estimated and true distance from the foot."""
    assert head.extents is not None, "the head estimates no extents"
    vectors = bank.vectors.float()
    found = torch.cat([head.extents.rows(one) for one in vectors.split(8192)])
    pairs = zip(found.T.numpy(), bank.extent.T.numpy(), strict=True)
    return [float(np.corrcoef(*pair)[0, 1]) for pair in pairs]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vision", type=Path, required=True, help="of stage_vision")
    parser.add_argument("--features", type=Path, required=True, help="of cache_features")
    args = parser.parse_args()
    config = preset("lisa-tiny")
    head = MaskHead(config=config).eval()
    head.load_state_dict(torch.load(args.vision, weights_only=True))
    names = F.normalize(name_vectors(config.out_dim), dim=-1)
    store = ViewStore(folder=args.features)
    store.refresh()
    views = [view for frame in store.frames.values() for view in frame]
    found = named(head, views, names)
    print(f"{len(found)} things of {len(store.frames)} frames, best of {len(names)} names right:")
    print(f"  mean of aligned patches {right(found, [one.patches for one in found]):.3f}")
    print(f"  mask {right(found, [one.mask for one in found]):.3f}")
    closer = {(one.frame, one.thing): one for one in found if one.zoomed}
    twice = [one for one in found if not one.zoomed and (one.frame, one.thing) in closer]
    near = [closer[one.frame, one.thing].mask for one in twice]
    print(f"{len(twice)} of them seen twice, by their masks:")
    print(f"  whole frame {right(twice, [one.mask for one in twice]):.3f}")
    print(f"  closer look {right(twice, near):.3f}")
    both = [one.mask + look for one, look in zip(twice, near, strict=True)]
    print(f"  mean of both {right(twice, both):.3f}")
    size, foot = correlations(head, gather_extents(views, seed=0))
    print(f"extents of things by their patches, correlation: size {size:.3f}, foot {foot:.3f}")


if __name__ == "__main__":
    main()
