from __future__ import annotations

import torch
from transformers.cache_utils import DynamicCache

from lisa_model.llava.cache import ROOM, RoomyLayer, cache_bytes, fork


def tokens(n: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(1, 2, n, 4, generator=generator) for _ in range(2)]


def test_it_holds_what_the_library_cache_holds():
    mine, theirs = fork(None), DynamicCache()
    for seed, n in enumerate((5, 1, 1, ROOM, 3, 1)):
        for layer in (0, 1):
            a = mine.update(*tokens(n, seed + 10 * layer), layer)
            b = theirs.update(*tokens(n, seed + 10 * layer), layer)
            for x, y in zip(a, b, strict=True):
                torch.testing.assert_close(x, y, rtol=0, atol=0)
        assert mine.get_seq_length() == theirs.get_seq_length()
    assert all(isinstance(layer, RoomyLayer) for layer in mine.layers)


def test_forks_do_not_see_each_other():
    prefix = fork(None)
    prefix.update(*tokens(6, 0), 0)
    before = prefix.layers[0].keys.clone()
    one, two = fork(prefix), fork(prefix)
    one.update(*tokens(2, 1), 0)
    two.update(*tokens(2, 2), 0)
    one.update(*tokens(1, 3), 0)
    torch.testing.assert_close(prefix.layers[0].keys, before, rtol=0, atol=0)
    assert prefix.get_seq_length() == 6
    torch.testing.assert_close(two.layers[0].keys[..., 6:, :], tokens(2, 2)[0], rtol=0, atol=0)
    torch.testing.assert_close(one.layers[0].keys[..., 8:, :], tokens(1, 3)[0], rtol=0, atol=0)


def test_new_tokens_are_written_into_the_room():
    cache = fork(None)
    cache.update(*tokens(3, 0), 0)
    first = cache.layers[0].keys.data_ptr()
    for seed in range(ROOM):
        cache.update(*tokens(1, seed), 0)
    assert cache.layers[0].keys.data_ptr() == first
    assert cache_bytes(cache) == 2 * (3 + ROOM) * 2 * 4 * 4
