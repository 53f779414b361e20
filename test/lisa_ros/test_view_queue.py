from __future__ import annotations

import pytest

from lisa_ros.view_queue import LARGE_TYPES, MAX_SMALL_MESSAGES, WaitingMessages


@pytest.mark.parametrize("kind", sorted(LARGE_TYPES))
def test_of_large_messages_only_the_newest_waits(kind: str):
    waiting = WaitingMessages(kind)
    for number in range(5):
        waiting.put(number, bytes([number]))
    assert waiting.take() == [(4, b"\x04")]
    assert waiting.dropped == 4
    assert waiting.take() == []


def test_small_messages_wait_in_order_up_to_a_limit():
    waiting = WaitingMessages("std_msgs/msg/String")
    for number in range(MAX_SMALL_MESSAGES + 3):
        waiting.put(number, b"")
    assert [time for time, _ in waiting.take()] == list(range(3, MAX_SMALL_MESSAGES + 3))
    assert waiting.dropped == 3
