"""``--shard K/N``."""

import argparse

import pytest

from training.shards import parse_shard


def test_a_shard_is_read():
    assert parse_shard("0/1") == (0, 1)
    assert parse_shard("2/12") == (2, 12)


@pytest.mark.parametrize("text", ["", "1", "/", "2/2", "-1/2", "1/0", "a/b", "1/2/3", "1.0/2"])
def test_what_is_no_shard_is_refused_with_what_it_should_be(text: str):
    with pytest.raises(argparse.ArgumentTypeError, match="K/N with 0 <= K < N"):
        parse_shard(text)
