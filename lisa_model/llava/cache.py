"""Keys and values with room to grow in.

transformers' own cache copies all keys and values for every new token. Here a token is written into
room that was reserved, so a long prefix (an image has 256 tokens) costs nothing per token.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

# Tokens reserved when the room is used up.
ROOM = 64


class RoomyLayer(DynamicLayer):
    """One layer's keys and values (B, heads, L, head_dim), the first part of larger tensors."""

    keys: Tensor
    values: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._room: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append (B, heads, n, head_dim) and return all there is."""
        # Rotation makes float32 of keys; they are kept as the values are.
        key_states = key_states.to(value_states.dtype)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        have = self.get_seq_length()
        total = have + key_states.shape[-2]
        if self._room is None or total > self._room[0].shape[-2]:
            self._room = (
                self._larger(self.keys, key_states, total + ROOM),
                self._larger(self.values, value_states, total + ROOM),
            )
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[..., have:total, :] = new
        self.keys, self.values = (room[..., :total, :] for room in self._room)
        return self.keys, self.values

    @staticmethod
    def _larger(old: Tensor, like: Tensor, length: int) -> Tensor:
        room = like.new_empty(*like.shape[:-2], length, like.shape[-1])
        if old.numel():
            room[..., : old.shape[-2], :] = old
        return room


def fork(cache: Cache | None) -> DynamicCache:
    """A cache that begins as ``cache`` (empty for None) and grows without changing it.

    The tensors are shared until the first token is added.
    """
    fresh = DynamicCache()
    fresh.layer_class_to_replicate = RoomyLayer
    for layer in cache.layers if cache is not None else ():
        mine = RoomyLayer()
        mine.lazy_initialization(layer.keys, layer.values)
        mine.keys, mine.values = layer.keys, layer.values
        fresh.layers.append(mine)
    return fresh


def cache_bytes(cache: Cache) -> int:
    """Memory of a cache's keys and values [bytes]."""
    tensors: list[torch.Tensor] = [t for layer in cache.layers for t in (layer.keys, layer.values)]
    return sum(t.numel() * t.element_size() for t in tensors)
