"""How large things are and where their feet are, told from each of their patches."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lisa_model.mask_head import PatchAlign
from training.tiny.features import View, target_masks
from training.tiny.losses import own_patches, patch_shares
from training.tiny.patch_bank import THING_PATCHES
from training.tiny.steps import set_rates


@dataclass(frozen=True)
class ExtentBank:
    """Patches of things, and the extent of these.

    Attributes:
        vectors: (n, vision_dim) float16 features of the frozen encoder.
        extent: (n, 2) float32 logarithm of the root of the thing's share of its view, and how far
            below the patch its foot is, as a share of the view's height.
    """

    vectors: Tensor
    extent: Tensor


def gather_extents(views: Iterable[View], *, seed: int) -> ExtentBank:
    """Patches of things in cached views, at most ``THING_PATCHES`` of each, and their extents.

    Args:
        views: whole frames and crops.
        seed: of what is drawn.

    Raises:
        ValueError: no view shows anything.
    """
    rng = np.random.default_rng(seed)
    vectors: list[NDArray[np.float16]] = []
    extent: list[tuple[float, float]] = []
    for view in views:
        loaded = view.read()
        height = loaded.vision.shape[1]
        for share in patch_shares(target_masks(loaded.ids, [(i["id"],) for i in view.instances])):
            rows, columns = own_patches(share[None])[0].numpy().nonzero()
            if not len(rows):
                continue
            size = 0.5 * math.log(float(share.mean()))
            kept = rng.permutation(len(rows))[:THING_PATCHES]
            vectors.append(loaded.vision[:, rows[kept], columns[kept]].T)
            extent += [(size, float(rows.max() - row) / height) for row in rows[kept]]
    if not extent:
        raise ValueError("no cached view shows anything")
    return ExtentBank(torch.from_numpy(np.concatenate(vectors)), torch.tensor(extent))


def train_extents(
    layers: PatchAlign,
    bank: ExtentBank,
    *,
    steps: int,
    seed: int,
    batch: int = 2048,
    rate: float = 2e-3,
) -> None:
    """Train the estimate of extents on a bank; it is changed in place.

    Args:
        steps: of ``batch`` patches each.
        seed: of the patches that are drawn.
        rate: learning rate at its peak.
    """
    generator = torch.Generator().manual_seed(seed)
    last = layers[-1]
    assert isinstance(last, torch.nn.Conv2d)
    assert last.bias is not None
    with torch.no_grad():
        last.bias.copy_(bank.extent.mean(0))
    optimiser = torch.optim.AdamW(layers.parameters(), lr=rate, weight_decay=0.02)
    for step in range(steps):
        index = torch.randint(len(bank.extent), (batch,), generator=generator)
        set_rates(optimiser, step, steps, warm_up=50, least=0.01)
        found = layers.rows(bank.vectors[index].float())
        loss = F.smooth_l1_loss(found, bank.extent[index], beta=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % 200 == 0:
            print(f"extents {step + 1}/{steps} loss {loss.item():.4f}", flush=True)
