"""RVL against a second implementation, number by number as the paper has it."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lisa_model import rvl


class Reference:
    """The paper's encoder, value by value."""

    def __init__(self) -> None:
        self.nibbles: list[int] = []

    def number(self, value: int) -> None:
        while True:
            nibble, value = value & 7, value >> 3
            self.nibbles.append(nibble | (8 if value else 0))
            if not value:
                return

    def encode(self, values: list[int]) -> bytes:
        position, previous = 0, 0
        while position < len(values):
            start = position
            while position < len(values) and values[position] == 0:
                position += 1
            self.number(position - start)
            start = position
            while position < len(values) and values[position] != 0:
                position += 1
            self.number(position - start)
            for value in values[start:position]:
                difference = value - previous
                self.number((difference << 1) ^ (-1 if difference < 0 else 0))
                previous = value
        words = []
        for first in range(0, len(self.nibbles), 8):
            group = [*self.nibbles[first : first + 8], *[0] * 7][:8]
            word = 0
            for nibble in group:
                word = word << 4 | nibble
            words.append(word)
        return struct.pack(f"<{len(words)}I", *words)


depths = st.lists(
    st.one_of(st.just(0), st.integers(0, 65535), st.integers(1000, 1010)), min_size=1, max_size=80
)


@settings(max_examples=300, deadline=None)
@given(depths)
def test_it_writes_and_reads_what_the_reference_writes(values):
    data = Reference().encode(values)
    array = np.array(values, np.uint16)
    assert rvl.compress(array) == data
    np.testing.assert_array_equal(rvl.decompress(data, len(values)), array)


def test_a_depth_image_becomes_smaller():
    rows, columns = np.indices((120, 160))
    depth = (1000 + 2 * rows + 3 * columns).astype(np.uint16)
    depth[:, :20] = 0
    data = rvl.compress(depth)
    assert len(data) < depth.nbytes / 3
    np.testing.assert_array_equal(rvl.decompress(data, depth.size).reshape(depth.shape), depth)


def test_nothing_is_nothing():
    assert rvl.compress(np.zeros((0,), np.uint16)) == b""
    assert len(rvl.decompress(b"", 0)) == 0


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([0, 0], "empty run"),
        ([11, 0], "after the last"),
        ([3, 4, 2, 2], "ends after 0 of 10"),
        ([3, 4, 2, 2, 2, 2], "ends after 7 of 10"),
        ([9, 1, 1], "do not fit"),
        ([9, 1, 2 * 65536], "do not fit"),
    ],
)
def test_what_cannot_be_is_refused(numbers, message):
    reference = Reference()
    for number in numbers:
        reference.number(number)
    reference.nibbles += [8] * (-len(reference.nibbles) % 8)  # filled with a number without end
    words = np.array(reference.nibbles, np.uint32).reshape(-1, 8) << np.arange(28, -1, -4)
    data = words.sum(axis=1).astype("<u4").tobytes()
    with pytest.raises(ValueError, match=message):
        rvl.decompress(data, 10)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 500))
def test_any_bytes_are_decompressed_or_refused(data, pixels):
    try:
        values = rvl.decompress(data, pixels)
    except ValueError:
        return
    assert len(values) == pixels
