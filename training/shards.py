"""Work shared by processes: ``--shard K/N`` takes every Nth piece from K.

N processes of one thread are faster than one of N threads.
"""

from __future__ import annotations

import argparse


def parse_shard(text: str) -> tuple[int, int]:
    """ "K/N" -> (K, N).

    Raises:
        argparse.ArgumentTypeError: it is no pair of numbers with 0 <= K < N.
    """
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and int(first) < int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is no shard: K/N with 0 <= K < N")
    return int(first), int(count)
