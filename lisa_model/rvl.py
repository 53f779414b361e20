"""RVL, the lossless compression of 16-bit depth that compressedDepth topics may use.

A. Wilson, "Fast Lossless Depth Image Compression", ISS 2017.  Alternating runs of zeros and of
other values: the length of each run, then for the latter the differences of the values,
zigzag-coded.  All numbers are written in nibbles of 3 bits and a flag "more follows", lowest bits
first; nibbles are packed into 32-bit words (little-endian here, as on every machine that ROS runs
on), first nibble in the highest bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A number of 32 bits has at most this many nibbles.
_MAX_NIBBLES = 11


def decompress(data: bytes, pixels: int) -> NDArray[np.uint16]:
    """Return ``pixels`` values.

    Raises:
        ValueError: the data end early, or describe more or other values than fit.
    """
    numbers = _numbers(data)
    values = np.zeros(pixels, dtype=np.uint16)
    position = taken = 0
    previous = 0
    while position < pixels:
        if taken + 2 > len(numbers):
            raise ValueError(f"ends after {position} of {pixels} pixels")
        zeros, others = int(numbers[taken]), int(numbers[taken + 1])
        taken += 2
        if zeros + others == 0:
            raise ValueError(f"has an empty run at pixel {position}")
        if position + zeros + others > pixels:
            raise ValueError(f"has a run that ends after the last of {pixels} pixels")
        if taken + others > len(numbers):
            raise ValueError(f"ends after {position} of {pixels} pixels")
        position += zeros
        if others:
            coded = numbers[taken : taken + others]
            run = previous + np.cumsum((coded >> 1) ^ -(coded & 1))
            if run.min() < 0 or run.max() > 0xFFFF:
                raise ValueError("has values that do not fit 16 bits")
            values[position : position + others] = run
            previous = int(run[-1])
            taken += others
            position += others
    return values


def compress(values: NDArray[np.uint16]) -> bytes:
    """Return the values of any shape, in C order, compressed."""
    flat = values.reshape(-1).astype(np.int64)
    numbers: list[int] = []
    filled = flat != 0
    # Where a run starts: at the first value, and wherever zero and other values meet.
    starts = np.flatnonzero(np.diff(filled, prepend=not filled[:1].any()))
    ends = np.append(starts, len(flat))[1:]
    previous = 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if not filled[start]:
            numbers.append(end - start)
            if end == len(flat):
                numbers.append(0)
            continue
        if not numbers:
            numbers.append(0)  # the first run is one of zeros, if empty
        numbers.append(end - start)
        run = flat[start:end]
        differences = np.diff(run, prepend=previous)
        numbers += ((differences << 1) ^ (differences >> 63)).tolist()
        previous = int(run[-1])
    return _packed(np.array(numbers, dtype=np.int64))


def _numbers(data: bytes) -> NDArray[np.int64]:
    """Return all numbers in the data; a last one that is not complete is left out."""
    words = np.frombuffer(data, dtype="<u4", count=len(data) // 4)
    nibbles = ((words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32)) & 0xF).reshape(-1)
    last = np.flatnonzero(nibbles < 8)
    if not len(last):
        return np.zeros(0, dtype=np.int64)
    first = np.append(0, last[:-1] + 1)
    if int((last - first).max()) >= _MAX_NIBBLES:
        raise ValueError("has a number of more than 32 bits")
    nibbles = nibbles[: last[-1] + 1].astype(np.int64)
    places = np.arange(len(nibbles)) - np.repeat(first, last - first + 1)
    return np.add.reduceat((nibbles & 7) << (3 * places), first)


def _packed(numbers: NDArray[np.int64]) -> bytes:
    """Return numbers in nibbles, packed into words."""
    places = np.arange(_MAX_NIBBLES)
    digits = (numbers[:, None] >> (3 * places)) & 7
    more = (numbers[:, None] >> (3 * (places + 1))) > 0
    written = np.concatenate([np.ones((len(numbers), 1), dtype=bool), more[:, :-1]], axis=1)
    nibbles = (digits | (more << 3))[written]
    nibbles = np.append(nibbles, np.zeros(-len(nibbles) % 8, dtype=np.int64)).reshape(-1, 8)
    words = (nibbles << np.arange(28, -1, -4)).sum(axis=1)
    return words.astype("<u4").tobytes()
