from __future__ import annotations

import random

from lisa_model.config import SEG_TOKEN
from training.homereason.small_talk import SMALL_TALK, draw_small_talk, validation_turns


def test_no_validation_turn_is_trained_on():
    plain = [" ".join(t.lower().split()).strip(".!?") for g in SMALL_TALK for t in g.train]
    held_out = [" ".join(t.lower().split()).strip(".!?") for t in validation_turns()]
    assert not set(plain) & set(held_out)


def test_replies_ask_for_no_mask():
    rng = random.Random(0)
    drawn = [draw_small_talk(rng) for _ in range(100)]
    assert all(SEG_TOKEN not in reply for _, reply in drawn)
    assert {reply for _, reply in drawn} == {group.reply for group in SMALL_TALK}
