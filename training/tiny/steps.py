"""What the training stages share from step to step: learning rates, and a state that is kept."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch


def learning_rate(step: int, steps: int, *, warm_up: int, least: float) -> float:
    """Share of the peak: a linear start, then a cosine down.

    Args:
        step: from 0.
        steps: in all.
        warm_up: steps of the start.
        least: never less than this share.
    """
    fall = 0.5 + 0.5 * math.cos(math.pi * step / steps)
    return max(least, min(1.0, (step + 1) / warm_up) * fall)


def set_rates(
    optimiser: torch.optim.Optimizer, step: int, steps: int, *, warm_up: int, least: float
) -> None:
    """Set each group's rate to its share of the peak, see :func:`learning_rate`.

    The peak is the rate that the group was made with; it is kept in the group, and so in the
    optimiser's state.
    """
    share = learning_rate(step, steps, warm_up=warm_up, least=least)
    for group in optimiser.param_groups:
        group["lr"] = group.setdefault("peak", group["lr"]) * share


def keep(state: Any, path: Path) -> None:
    """Write a state at once: a run that is interrupted leaves the old file."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.rename(path)
