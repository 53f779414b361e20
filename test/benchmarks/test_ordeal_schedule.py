"""The schedule of an ordeal: drawn by its seed, in rounds of equal weight."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from benchmarks.ordeal_schedule import (
    MALFORMED,
    OTHERS,
    PARAMETERS,
    REQUESTS,
    ROUND_S,
    TROUBLES,
    WRONG_INTENTS,
    count_kinds,
    draw,
)
from lisa_ros.parameters import PARAMETERS as DECLARED
from lisa_ros.parameters import Settings

HALF_HOUR_S = 1800.0


def test_a_seed_is_a_schedule_and_another_seed_another_one() -> None:
    # As text: a deadline that is not a number is not equal to itself.
    first = [str(one) for one in draw(5, HALF_HOUR_S)]
    assert first == [str(one) for one in draw(5, HALF_HOUR_S)]
    assert first != [str(one) for one in draw(6, HALF_HOUR_S)]


def test_each_round_has_the_same_number_of_each_kind() -> None:
    events = draw(1, HALF_HOUR_S)
    assert [one.time_s for one in events] == sorted(one.time_s for one in events)
    rounds = [
        count_kinds([one for one in events if int(one.time_s / ROUND_S) == number])
        for number in range(6)
    ]
    assert rounds[0] == TROUBLES | REQUESTS | OTHERS | {"activate": OTHERS["lifecycle"]}
    assert all(one == rounds[0] for one in rounds)


@pytest.mark.parametrize("duration_s", [20.0, 27.0, 180.0, 449.0, 900.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_shorter_run_has_everything_too(seed: int, duration_s: float) -> None:
    events = draw(seed, duration_s)
    assert set(count_kinds(events)) == {*TROUBLES, *REQUESTS, *OTHERS, "activate"}
    assert all(0 <= one.time_s < duration_s for one in events)


@pytest.mark.parametrize("duration_s", [20.0, 300.0, HALF_HOUR_S])
@pytest.mark.parametrize("seed", range(5))
def test_a_trouble_is_over_before_the_next_one_begins(seed: int, duration_s: float) -> None:
    troubles = [one for one in draw(seed, duration_s) if one.kind in TROUBLES]
    ends = [one.time_s + one.values["for_s"] for one in troubles]
    pauses = [b.time_s - a for a, b in zip(ends, troubles[1:], strict=False)]
    assert min([*pauses, duration_s - ends[-1]]) > 2.0
    assert all(one.values["for_s"] > 0.4 for one in troubles)


def test_a_node_that_is_deactivated_is_activated_again() -> None:
    changes = [one.kind for one in draw(2, HALF_HOUR_S) if one.kind in ("lifecycle", "activate")]
    assert changes == ["lifecycle", "activate"] * 12


def test_compressed_streams_come_for_a_while() -> None:
    for seed in range(5):
        stops = [one.values for one in draw(seed, HALF_HOUR_S) if one.kind == "stop"]
        assert [one["colour"] == "raw" for one in stops] == [False, True] * 6
        assert [one["depth"] == "raw" for one in stops] == [False, True] * 6


def test_intents_are_different_as_results_are_told_apart_by_them() -> None:
    for pace in (1.0, 1.5):
        texts = [
            one.values["text"]
            for one in draw(3, HALF_HOUR_S, pace)
            if one.kind in ("intent", "goal", "call", "image")
        ]
        assert len(texts) > 700
        assert max(Counter(texts).values()) == 1


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [("malformed", "what", MALFORMED), ("wrong_intent", "wrong", WRONG_INTENTS)],
)
def test_every_fault_comes_in_every_round(kind: str, name: str, values: tuple[str, ...]) -> None:
    events = [one for one in draw(4, HALF_HOUR_S) if one.kind == kind]
    for number in range(6):
        mine = {e.values[name] for e in events if int(e.time_s / ROUND_S) == number}
        assert mine == set(values)


def test_goals_differ_in_everything() -> None:
    goals = [one.values for one in draw(1, HALF_HOUR_S) if one.kind == "goal"]
    assert {one["cancel_at"] for one in goals} == {
        "", "accepted", "reading", "answering", "marking", "locating",
    }  # fmt: skip
    assert {one["want_3d"] for one in goals} == {one["follow"] for one in goals} == {False, True}
    assert {one["deadline_s"] for one in goals} >= {0.0, 0.02, 60.0}


def test_parameters_are_allowed_as_the_schedule_says() -> None:
    defaults = {spec.name: spec.default for spec in DECLARED}
    for name, values in PARAMETERS.items():
        for value in values:
            Settings.from_values(defaults | {name: value})
    sets = [one.values for one in draw(1, HALF_HOUR_S) if one.kind == "parameter"]
    assert {one["allowed"] for one in sets} == {False, True}
    read_only = {spec.name for spec in DECLARED if spec.read_only}
    for one in sets:
        if not one["allowed"] and one["name"] in defaults and one["name"] not in read_only:
            with pytest.raises(ValueError, match=one["name"]):
                Settings.from_values(defaults | {one["name"]: one["value"]})


@pytest.mark.parametrize(("duration_s", "pace"), [(19.0, 1.0), (math.nan, 1.0), (60.0, 0.0)])
def test_what_makes_no_run_is_refused(duration_s: float, pace: float) -> None:
    with pytest.raises(ValueError, match=r"too short|pace"):
        draw(1, duration_s, pace)
