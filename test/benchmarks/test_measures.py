"""Statistics and accounting of the benchmarks."""

from __future__ import annotations

import pytest

from benchmarks.measures import (
    Got,
    Sent,
    account,
    frames_passed,
    match_answers,
    memory_report,
    spread,
    table,
)


def memory(start: float, per_second: float, seconds: int = 120) -> list[tuple[float, float]]:
    return [(float(t), start + per_second * t) for t in range(seconds)]


def test_spread_names_values_that_occurred() -> None:
    values = spread([5.0, 1.0, 2.0, 4.0, 3.0])
    assert values is not None
    assert (values.count, values.p50, values.p95, values.min, values.max) == (5, 3.0, 5.0, 1.0, 5.0)
    assert spread([]) is None


def test_flat_memory_has_no_growth() -> None:
    report = memory_report(memory(800.0, 0.0), 30.0)
    assert report.samples == 90
    assert report.median_growth == report.max_growth == 0.0
    assert report.slope_mb_per_min == pytest.approx(0.0, abs=1e-9)


def test_growing_memory_is_measured() -> None:
    report = memory_report(memory(1000.0, 1.0), 30.0)
    # Samples 30..119: thirds of 30, medians at 44.5 and 104.5 s.
    assert report.first_median_mb == pytest.approx(1044.5)
    assert report.median_growth == pytest.approx(60.0 / 1044.5)
    assert report.slope_mb_per_min == pytest.approx(60.0)


def test_warm_up_is_left_out_but_for_the_peak() -> None:
    samples = [(t, 3000.0 if t < 30 else mb) for t, mb in memory(800.0, 0.0)]
    report = memory_report(samples, 30.0)
    assert report.median_growth == 0.0
    assert report.peak_mb == 3000.0


def test_peaks_that_grow_are_seen_where_the_median_is_flat() -> None:
    samples = [(t, 1200.0 if t == 110 else mb) for t, mb in memory(800.0, 0.0)]
    report = memory_report(samples, 30.0)
    assert report.median_growth == 0.0
    assert report.max_growth == pytest.approx(0.5)


def test_too_short_a_run_says_nothing_about_memory() -> None:
    with pytest.raises(ValueError, match="warm-up"):
        memory_report(memory(800.0, 0.0, seconds=35), 30.0)


def test_every_intent_is_accounted_for() -> None:
    before = {"intents_received": 1, "intents_answered": 1, "refused.intent_empty": 2}
    after = {
        "intents_received": 11,
        "intents_answered": 6,
        "refused.intent_replaced": 3,
        "refused.intent_empty": 2,
        "refused.stale_frame": 1,
        "refused.inference_failed": 1,
        "refused.internal_error": 1,  # counted beside inference_failed
        "refused.depth_step": 40,  # no intent
        "received.image": 300,
    }
    counts = account(10, 5, before, after)
    assert counts.answered == 5
    assert counts.replaced == 3
    assert counts.refused == {"stale_frame": 1, "inference_failed": 1}
    assert counts.lost == 0


def test_a_lost_intent_is_found() -> None:
    counts = account(10, 5, {}, {"intents_received": 9, "intents_answered": 5})
    assert counts.lost == 5
    assert counts.received == 9


def sent(*pairs: tuple[float, str]) -> list[Sent]:
    return [Sent(time=time, text=text) for time, text in pairs]


def got(*triples: tuple[float, str, float]) -> list[Got]:
    return [Got(time=time, text=text, stamp=stamp) for time, text, stamp in triples]


def test_an_idle_node_starts_with_the_intent() -> None:
    pairs = sent((10.0, "a"), (12.0, "b"))
    first, second = match_answers(pairs, got((11.0, "a", 9.9), (13.5, "b", 11.98)))
    assert (first.started, first.latency_s, first.inference_s) == (10.0, 1.0, 1.0)
    assert first.frame_age_s == pytest.approx(0.1)
    assert (second.index, second.started) == (1, 12.0)


def test_a_waiting_intent_starts_when_the_one_before_ends() -> None:
    pairs = sent((10.0, "a"), (12.0, "b"), (14.0, "c"))
    _, last = match_answers(pairs, got((15.0, "a", 9.9), (20.0, "c", 14.8)))
    assert (last.index, last.started) == (2, 15.0)
    assert last.latency_s == 6.0
    assert last.frame_age_s == pytest.approx(0.2)


def test_of_equal_texts_the_newest_waiting_one_is_answered() -> None:
    pairs = sent((10.0, "a"), (12.0, "b"), (14.0, "c"), (16.0, "b"), (18.0, "d"))
    _, second = match_answers(pairs, got((17.0, "a", 10.0), (19.0, "b", 17.0)))
    assert second.index == 3


def test_of_equal_texts_an_idle_node_answers_the_one_before_the_result() -> None:
    pairs = sent((10.0, "a"), (12.0, "a"))
    assert [one.index for one in match_answers(pairs, got((11.0, "a", 10.0)))] == [0]
    first, second = match_answers(pairs, got((11.0, "a", 10.0), (13.0, "a", 12.0)))
    assert (first.index, second.index) == (0, 1)


def test_a_result_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(ValueError, match="not asked for"):
        match_answers(sent((10.0, "a")), got((11.0, "b", 10.0)))
    with pytest.raises(ValueError, match="not asked for"):
        match_answers(sent((10.0, "a")), got((11.0, "a", 10.0), (12.0, "a", 10.0)))


def test_newer_frames_are_counted() -> None:
    stamps = [9.8, 9.9, 10.0, 10.1]
    (one,) = match_answers(sent((10.05, "a")), got((11.0, "a", 9.8)))
    assert frames_passed(one, stamps) == 2
    (newest,) = match_answers(sent((10.05, "a")), got((11.0, "a", 10.0)))
    assert frames_passed(newest, stamps) == 0
    (after,) = match_answers(sent((10.05, "a")), got((11.0, "a", 10.1)))
    assert frames_passed(after, stamps) == 0


def test_table_is_aligned() -> None:
    assert table([("a", "bb", "c"), ("aaa", "b", "cc")]) == "a    bb  c\naaa  b   cc"
