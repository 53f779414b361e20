from __future__ import annotations

import threading

import numpy as np
import pytest

from training.data.errors import DataError
from training.data.mixture import Broken, Drawn, Ledger
from training.data.sample import Provenance, Sample, no_masks
from training.run.feed import Feed, Spread, merged_ledgers

IMAGE = np.zeros((4, 4, 3), np.uint8)


def drawn(number, *broken):
    sample = Sample(
        image_file="x",
        image=IMAGE,
        conversations=((("<image>\nWhat?", str(number)),),),
        masks=no_masks(IMAGE),
        provenance=Provenance(family="vqa", set="talk", key=str(number)),
    )
    skipped = tuple(Broken(set="talk", key=one, reason="cut off") for one in broken)
    return Drawn(step=number, sample=sample, skipped=skipped)


def answers(samples):
    return [int(sample.conversations[0][0][1]) for sample in samples]


def feed(draw, spread, ledger=None):
    ledger = ledger or Ledger(max_share=1.0, allowed=99)
    return Feed(draw=draw, collate=answers, spread=spread, ledger=ledger, workers=2)


@pytest.mark.parametrize(("batch", "accumulation", "processes"), [(2, 3, 1), (1, 3, 2), (3, 1, 2)])
def test_all_spreads_cover_the_same_draws_once(batch, accumulation, processes):
    got = []
    for rank in range(processes):
        spread = Spread(batch=batch, accumulation=accumulation, processes=processes, rank=rank)
        assert spread.images == 6
        for passes in feed(drawn, spread).steps(3, 5):
            assert [len(one) for one in passes] == [batch] * accumulation
            got += [number for one in passes for number in one]
    assert sorted(got) == list(range(18, 30))


def test_a_later_start_gets_what_would_have_come():
    spread = Spread(batch=2, accumulation=2)
    assert list(feed(drawn, spread).steps(2, 5)) == list(feed(drawn, spread).steps(0, 5))[2:]
    assert list(feed(drawn, spread).steps(5, 5)) == []


def test_what_was_drawn_is_booked_when_it_is_used_not_when_it_is_read():
    ledger = Ledger(max_share=1.0, allowed=99)
    read = []

    def draw(number):
        read.append(number)
        return drawn(number, "bad") if number == 1 else drawn(number)

    steps = feed(draw, Spread(batch=1, accumulation=1), ledger).steps(0, 4)
    next(steps)
    assert ledger.drawn == {"talk": 1}
    next(steps)
    assert ledger.drawn == {"talk": 3}
    assert [one.key for one in ledger.broken] == ["bad"]
    steps.close()
    assert max(read) < 4


def test_an_error_of_a_thread_comes_out_and_the_threads_end():
    def draw(number):
        if number == 1:
            raise DataError("unusable")
        return drawn(number)

    steps = feed(draw, Spread(batch=1, accumulation=1)).steps(0, 4)
    next(steps)
    with pytest.raises(DataError, match="unusable"):
        next(steps)
    assert not [one for one in threading.enumerate() if one.name.startswith("feed")]


def test_ledgers_of_several_processes_add_up():
    ledgers = [Ledger(max_share=1.0, allowed=99) for _ in range(2)]
    for number, ledger in enumerate(ledgers):
        ledger.add(drawn(number, "a"))
    ledgers[1].add(drawn(3, "b"))
    together = Ledger(max_share=1.0, allowed=99)
    together.restore(merged_ledgers([one.state() for one in ledgers]))
    assert together.drawn == {"talk": 6}
    assert [one.key for one in together.broken] == ["a", "b"]
