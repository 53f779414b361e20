"""ROS domains that no other test process uses at the same time."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from collections import deque
from pathlib import Path

# Those that Fast DDS can use with the ports that Linux leaves free.
LOWEST, HIGHEST = 2, 100
# A test's nodes are gone long before so many further tests have begun.
KEPT = 8

_held: deque[tuple[int, int]] = deque()


def free_domain() -> int:
    """Return a domain drawn at random, locked until this process has drawn some more, or ends."""
    folder = Path(tempfile.gettempdir())
    mine = {domain for domain, _ in _held}
    candidates = [one for one in range(LOWEST, HIGHEST + 1) if one not in mine]
    random.SystemRandom().shuffle(candidates)
    for domain in candidates:
        handle = os.open(folder / f"lisa_ros_test_domain_{domain}.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            continue
        _held.append((domain, handle))
        if len(_held) > KEPT:
            os.close(_held.popleft()[1])
        return domain
    raise RuntimeError("all ROS domains are in use by other test processes")
