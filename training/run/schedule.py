"""The learning rate of each step."""

from __future__ import annotations


def rate_factor(step: int, *, warm_up: int, total: int) -> float:
    """Share of the highest learning rate at a step: up linearly, then down linearly to 0.

    The form of DeepSpeed's WarmupDecayLR with linear warm-up. There the first step has the rate 0
    (or, in old releases, the full one); here it has 1 / warm_up, so that no step is lost.

    Args:
        step: number of the step, from 0.
        warm_up: steps until 1; 0 begins with 1.
        total: steps of the run; the rate would be 0 at step ``total``.

    Raises:
        ValueError: ``step`` is not a step of the run.
    """
    if not 0 <= step < total:
        raise ValueError(f"step {step} is not in 0 to {total - 1}")
    if step < warm_up:
        return (step + 1) / warm_up
    return (total - step) / (total - warm_up)
