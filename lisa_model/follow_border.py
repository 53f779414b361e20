"""What is left of a target that moves out over the image's border. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# What is left of a thing is no larger than it was, but for a closer camera and the masks' errors,
# and lies where it was (so large a share of it).
LARGEST, INSIDE = 1.2, 0.5


def is_rest(after: NDArray[np.bool_], before: NDArray[np.bool_]) -> bool:
    """Can a mask be what is left in view of the thing that another one showed a frame before?

    What stands beside a thing that leaves comes into its place from elsewhere, or grows.

    Args:
        after, before: (H, W) bool; nothing is left of a mask in an image of another size.
    """
    if after.shape != before.shape:
        return False
    area = int(after.sum())
    return area <= LARGEST * int(before.sum()) and int((after & before).sum()) >= INSIDE * area
