"""Random numbers that depend on the place in the run only, not on what was drawn before.

Every pass of a step begins with its own seed. A run that goes on at step k therefore draws the same
dropout as one that was never stopped, and no generator's state has to be kept.
"""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch


def seed_all(seed: int, *place: int | str) -> None:
    """Seed the generators of Python, NumPy and torch (all devices).

    Args:
        seed: of the run.
        place: such as step, process and pass.
    """
    text = "/".join(str(part) for part in (seed, *place))
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "little")
    random.seed(number)
    np.random.seed(number % 2**32)  # noqa: NPY002 - libraries that use the global generator
    torch.manual_seed(number % 2**63)
