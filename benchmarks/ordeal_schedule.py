"""What happens when in an ordeal: drawn by a seed, in rounds of equal weight.

Pure: no ROS, no clock.  Every round has the same number of events of each kind, in another order
and at other moments: otherwise the last minutes could be slower than the first only because more
went wrong in them.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROUND_S = 300.0
MIN_DURATION_S = 20.0
# Shares of a trouble's slot: it begins in the first, and lasts for at most the second; in the rest
# the camera comes back.
_BEGIN_SHARE, _LAST_SHARE = 0.1, 0.35
_LONGEST_TROUBLE_S = 6.0

# Events in a round of ROUND_S.
TROUBLES = {"kill": 2, "stop": 2, "stall": 2, "clock_jump": 2, "depth_dropout": 3}
REQUESTS = {"intent": 48, "wrong_intent": 8, "goal": 56, "wrong_goal": 4, "call": 24, "image": 12}
OTHERS = {"wrong_image": 4, "cancel": 8, "malformed": 60, "parameter": 20, "lifecycle": 2}

COLOUR_CODECS = ("jpeg", "png")
DEPTH_CODECS = ("png", "rvl")
DROPOUTS = ("missing", "zeros", "nan")
# Where a goal is cancelled: as soon as it is accepted, or in one of FindTarget's stages.
CANCEL_AT = ("accepted", "reading", "answering", "marking", "locating")
DEADLINES_S = (0.0, 0.0, 0.0, 60.0, 0.02, 0.2)
WRONG_DEADLINES_S = (-1.0, math.nan, math.inf)
# What refuses an intent, and whether the node's parameters can change that.
WRONG_INTENTS = ("empty", "blank", "too_long", "control_character", "special_token")
# Names that ordeal_messages knows.
MALFORMED = (
    "image encoding",
    "image data cut",
    "image step",
    "image height 0",
    "image frame_id empty",
    "image stamp negative",
    "depth encoding",
    "depth data cut",
    "depth step",
    "depth width 0",
    "depth half size",
    "depth other frame",
    "camera_info NaN",
    "camera_info zero",
    "camera_info other size",
    "image body damaged",
    "depth body damaged",
)
# Live parameters: values that are allowed, and values that must be refused.  None of them makes an
# answer longer or shorter: latencies are compared over the run.
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "score_threshold": (0.0, 0.3, 0.6, 1.0),
    "follow_max_hz": (0.0, 1.0, 5.0),
    "follow_reask_s": (0.0, 5.0, 10.0),
    "follow": (True, False, False),
    "sync_slop_s": (0.02, 0.05, 0.2),
    "max_frame_age_s": (0.5, 1.0, 2.0),
    "frame_timeout_s": (0.0, 1.0, 2.0),
    "max_intent_chars": (500, 1000),
    "min_depth_points": (1, 20, 100),
    "max_depth_m": (0.5, 5.0, 10.0),
    "erosion_px": (0, 2, 5),
}
WRONG_PARAMETERS: tuple[tuple[str, Any], ...] = (
    ("score_threshold", 1.5),
    ("score_threshold", math.nan),
    ("follow_max_hz", -1.0),
    ("max_intent_chars", 0),
    ("max_frame_age_s", "soon"),
    ("device", "cuda"),
    ("no_such_parameter", 1),
)
WRONG_PARAMETER_SHARE = 0.2

_VERBS = ("find", "show me", "where is", "I need", "give me", "look for", "point at", "get me")
_THINGS = (
    "the TV remote", "the remote control", "the book", "the plant", "the cup", "the lamp",
    "the clock", "the picture on the wall", "the cushion", "the blanket", "the bottle", "the vase",
    "the chair", "the sofa", "the newspaper", "the candle", "the bowl", "the glasses", "the radio",
    "something to read", "something to drink from", "something to sit on", "something warm",
    "something to change the channel with", "something that makes light",
)  # fmt: skip
_MANNERS = ("", " please", " now", " for me", " if you can", " quickly", " over there")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that is done at a moment.

    Attributes:
        time_s: since the start.
        kind: one of TROUBLES, REQUESTS and OTHERS, or "activate", which ends a "lifecycle".
        values: what it needs, by name.
    """

    time_s: float
    kind: str
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = " ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"{self.time_s:.2f} {self.kind} {shown}".rstrip()


def draw(seed: int, duration_s: float, pace: float = 1.0) -> tuple[Event, ...]:
    """Return the events of a run, by rising time; the same for the same arguments.

    Args:
        seed: of the chances.
        duration_s: of the run.
        pace: so many times the requests of REQUESTS.

    Raises:
        ValueError: the run is too short for its camera to fail and come back, or there would be no
            requests.
    """
    if not 0 < pace < math.inf:
        raise ValueError(f"pace is {pace}; must be > 0")
    if not duration_s >= MIN_DURATION_S:
        raise ValueError(f"{duration_s:g} s is too short; an ordeal takes {MIN_DURATION_S:g} s")
    chance = random.Random(seed)
    requests = {kind: number * pace for kind, number in REQUESTS.items()}
    rounds = max(1, math.floor(duration_s / ROUND_S + 0.5))
    length = duration_s / rounds
    texts = intents(chance)
    used = 0
    events: list[Event] = []
    for number in range(rounds):
        start = number * length
        kinds = _named(_counts(requests, length))
        events += _troubles(chance, start, length)
        events += _requests(chance, start, length, kinds, texts[used:] + texts[:used])
        events += _others(chance, start, length)
        used = (used + len(kinds)) % len(texts)
    return tuple(sorted(events, key=lambda one: one.time_s))


def intents(chance: random.Random) -> list[str]:
    """Return different intents in a drawn order: a result names its request by its intent."""
    texts = [
        f"{verb} {thing}{manner}" for verb in _VERBS for thing in _THINGS for manner in _MANNERS
    ]
    chance.shuffle(texts)
    return texts


def count_kinds(events: Sequence[Event]) -> dict[str, int]:
    """Return how many events there are of each kind."""
    counts: dict[str, int] = {}
    for one in events:
        counts[one.kind] = counts.get(one.kind, 0) + 1
    return dict(sorted(counts.items()))


def _counts(weights: Mapping[str, float], length_s: float) -> dict[str, int]:
    """Return the numbers of events in a round of this length; at least one of each kind."""
    return {kind: max(1, round(n * length_s / ROUND_S)) for kind, n in weights.items()}


def _spread(
    chance: random.Random, kinds: Sequence[str], start: float, length: float, share: float = 1.0
) -> list[tuple[str, float, float]]:
    """Put shuffled kinds into slots of equal length; return kind, moment and slot length.

    Args:
        share: of each slot, its first part, in which the moment lies.
    """
    shuffled = list(kinds)
    chance.shuffle(shuffled)
    slot = length / len(shuffled)
    return [
        (kind, start + slot * (index + chance.uniform(0.0, share)), slot)
        for index, kind in enumerate(shuffled)
    ]


def _named(counts: Mapping[str, int]) -> list[str]:
    return [kind for kind, number in counts.items() for _ in range(number)]


def _troubles(chance: random.Random, start: float, length: float) -> list[Event]:
    """One after the other: each is over before the next one begins."""
    counts = _counts(TROUBLES, length)
    restarts = 0
    codecs = {"colour": "raw", "depth": "raw"}
    dropouts = list(DROPOUTS)
    chance.shuffle(dropouts)
    events = []
    for kind, moment, slot in _spread(chance, _named(counts), start, length, _BEGIN_SHARE):
        last = min(_LONGEST_TROUBLE_S, slot * _LAST_SHARE)
        values: dict[str, Any] = {"for_s": round(chance.uniform(0.4, 1.0) * last, 2)}
        if kind == "stop":
            # Compressed for a while, then raw again; a camera that was killed stays as it was,
            # because DDS goes on announcing what the dead process published for its lease.
            restarts += 1
            raw = restarts % 2 == 0
            codecs = {
                "colour": "raw" if raw else chance.choice(COLOUR_CODECS),
                "depth": "raw" if raw else chance.choice(DEPTH_CODECS),
            }
            values |= codecs
        elif kind == "clock_jump":
            values["offset_s"] = round(chance.choice((-1, 1)) * chance.uniform(5.0, 600.0), 1)
        elif kind == "depth_dropout":
            dropouts.append(dropouts.pop(0))
            values["dropout"] = dropouts[-1]
        events.append(Event(time_s=round(moment, 3), kind=kind, values=values))
    return events


def _requests(
    chance: random.Random,
    start: float,
    length: float,
    kinds: Sequence[str],
    texts: Sequence[str],
) -> list[Event]:
    # In turn, so that each of them comes in every round.
    wrongs = itertools.cycle(chance.sample(WRONG_INTENTS, len(WRONG_INTENTS)))
    makers: dict[str, Callable[[str], dict[str, Any]]] = {
        "wrong_intent": lambda text: {"wrong": next(wrongs)},
        "goal": lambda text: _goal(chance, text),
        "wrong_goal": lambda text: {
            "text": text,
            "deadline_s": chance.choice(WRONG_DEADLINES_S),
        },
        "image": lambda text: {"text": text, "depth": chance.random() < 0.5},
    }
    return [
        Event(
            time_s=round(moment, 3),
            kind=kind,
            values=makers.get(kind, lambda text: {"text": text})(text),
        )
        for (kind, moment, _), text in zip(
            _spread(chance, kinds, start, length), texts, strict=False
        )
    ]


def _goal(chance: random.Random, text: str) -> dict[str, Any]:
    return {
        "text": text,
        "deadline_s": chance.choice(DEADLINES_S),
        "want_3d": chance.random() < 0.4,
        "follow": chance.random() < 0.3,
        "cancel_at": chance.choice(CANCEL_AT) if chance.random() < 0.3 else "",
    }


def _others(chance: random.Random, start: float, length: float) -> list[Event]:
    counts = _counts(OTHERS, length)
    lifecycles = counts.pop("lifecycle")
    malformed, names = list(MALFORMED), sorted(PARAMETERS)
    chance.shuffle(malformed)
    chance.shuffle(names)
    events = []
    for kind, moment, _ in _spread(chance, _named(counts), start, length):
        values: dict[str, Any] = {}
        if kind in ("malformed", "wrong_image"):
            # In turn, so that each of them comes in every round.
            malformed.append(malformed.pop(0))
            values["what"] = malformed[-1]
        elif kind == "parameter":
            names.append(names.pop(0))
            values = _parameter(chance, names[-1])
        events.append(Event(time_s=round(moment, 3), kind=kind, values=values))
    for kind, moment, slot in _spread(chance, ["lifecycle"] * lifecycles, start, length, 0.5):
        down = chance.uniform(0.3, 1.0) * min(3.0, slot / 4)
        events.append(Event(time_s=round(moment, 3), kind=kind))
        events.append(Event(time_s=round(moment + down, 3), kind="activate"))
    return events


def _parameter(chance: random.Random, name: str) -> dict[str, Any]:
    if chance.random() < WRONG_PARAMETER_SHARE:
        name, value = chance.choice(WRONG_PARAMETERS)
        return {"name": name, "value": value, "allowed": False}
    return {"name": name, "value": chance.choice(PARAMETERS[name]), "allowed": True}
