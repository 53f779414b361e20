"""The node's books of an ordeal, its log and its counters, against the ledger of who asked.  Pure.

Of a request by action or service the one who asked sees the end.  Of an intent by topic he sees the
answer only; that it was refused, and why, is in the node's log (one line for each, never
throttled).  So, code by code, the lines that nobody was told by action or service are the
refusals of intents by topic, and with the answers they have to make up the intents that were sent.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.ordeal_ledger import ANSWERED, SERVICE, TOPIC, Request
from lisa_ros import errors
from lisa_ros.error_table import ERRORS, Reaction, Told


def _codes_told(*told: Told) -> frozenset[str]:
    return frozenset(code for one in ERRORS if one.told in told for code in one.codes)


# What a camera message can be refused for; a request that brought one along, too.
CAMERA_CODES = _codes_told(Told.MESSAGE)
# What a request can be refused for.
REQUEST_CODES = _codes_told(Told.REQUEST, Told.ACTION) | CAMERA_CODES
# What is wrong with the words of an intent.
WRONG_INTENT_CODES = frozenset(
    code for one in ERRORS if one.reaction is Reaction.REPHRASE for code in one.codes
)
# What /diagnostics can count as refused besides.
NODE_CODES = _codes_told(Told.NODE)
# Stable codes that say that the program, not the one who asked, is to blame.
FAILURES = frozenset(
    {
        errors.INTERNAL_ERROR,
        errors.INFERENCE_FAILED,
        errors.INFERENCE_HUNG,
        errors.OUT_OF_MEMORY,
        errors.FOLLOW_FAILED,
        "configure_failed",
        "bond_unavailable",
    }
)

_LINE = re.compile(r"\[(?P<level>[A-Z]+)\] \[[\d.]+\] \[perception_node\]: (?P<text>.*)")
_REFUSED = re.compile(r"refused code=(?P<code>[a-z][a-z0-9_]*) message=(?P<message>.+)")
_ANSWERED = re.compile(r'answered intent=("(?:[^"\\]|\\.)*"|\S+)')
_LISTENING = re.compile(r"listening stream=(image|depth) topic=\S+")
# How Python, rclpy and the node speak of an exception that nobody handled.
_EXCEPTION = re.compile(
    r"Traceback \(most recent|never retrieved|Fatal Python error|"
    r"\[perception_node\]: (callback|executor)_failed "
)


@dataclass(frozen=True, kw_only=True)
class NodeLog:
    """What the node's log says.

    Attributes:
        answered: how often each intent was answered.
        refused: refused requests by code.
        exceptions: lines of exceptions that nobody handled.
        errors: how often each line of level ERROR or FATAL came, numbers left out.
        changes: how often the node changed to another transport of a stream.
    """

    answered: Counter[str]
    refused: Counter[str]
    exceptions: tuple[str, ...]
    errors: Counter[str]
    changes: int


def read_log(text: str) -> NodeLog:
    """Read the node's log."""
    answered: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    exceptions = []
    changes = 0
    for line in text.splitlines():
        if _EXCEPTION.search(line):
            exceptions.append(line[:200])
        match = _LINE.match(line)
        if match is None:
            continue
        said = match["text"]
        if match["level"] in ("ERROR", "FATAL"):
            wrong[re.sub(r"\d+(\.\d+)?", "#", said)[:300]] += 1
        elif answer := _ANSWERED.match(said):
            intent = answer[1]
            answered[json.loads(intent) if intent.startswith('"') else intent] += 1
        elif match["level"] == "WARN" and (refusal := _REFUSED.match(said)):
            if refusal["code"] not in NODE_CODES:
                refused[refusal["code"]] += 1
        elif _LISTENING.match(said):
            changes += 1
    return NodeLog(
        answered=answered,
        refused=refused,
        exceptions=tuple(exceptions),
        errors=wrong,
        changes=changes,
    )


@dataclass(frozen=True, kw_only=True)
class Books:
    """How the requests ended.

    Attributes:
        ends: of each way, how many requests ended how.
        mistakes: what does not add up, one sentence each; empty when every request has exactly one
            end that is an answer or a refusal with a reason.
    """

    ends: dict[str, dict[str, int]]
    mistakes: tuple[str, ...]


def balance(
    requests: Sequence[Request], log: NodeLog, before: Mapping[str, int], after: Mapping[str, int]
) -> Books:
    """Put the ledger against log and counters.

    Args:
        requests: all of them.
        log: of the whole life of the node.
        before, after: the node's counters at the start and the end.
    """
    told = Counter(one.end for one in requests if one.way != TOPIC and one.end in REQUEST_CODES)
    # The answer to the goal was a whole one; see action/FindTarget.
    answered_too = told.pop(errors.TARGET_WITHOUT_3D, 0)
    ends = {
        way: Counter(one.end for one in requests if one.way == way and one.end)
        for way in sorted({one.way for one in requests})
    }
    by_topic = Counter({code: log.refused[code] - told[code] for code in {*log.refused, *told}})
    ends.setdefault(TOPIC, Counter()).update({c: n for c, n in by_topic.items() if n > 0})
    mistakes = [
        *_ends_of_each(requests),
        *(
            f"{-number} x {code} was told by action or service, but is not in the log"
            for code, number in by_topic.items()
            if number < 0
        ),
        *_topic_balance(requests, ends[TOPIC]),
        *_answers(requests, log),
        *_codes(requests, log, after),
        *_counters(requests, log, before, after, answered_too),
    ]
    return Books(
        ends={way: dict(sorted(counts.items())) for way, counts in ends.items()},
        mistakes=tuple(mistakes),
    )


def _ends_of_each(requests: Sequence[Request]) -> list[str]:
    mistakes = []
    for one in requests:
        what = f'request {one.number} by {one.way}, "{one.text[:40]}"'
        if one.way != TOPIC and one.ends == 0:
            mistakes.append(f"{what}: no end")
        if one.ends > 1:
            mistakes.append(f"{what}: {one.ends} ends")
        if one.refusable and one.end == ANSWERED:
            mistakes.append(f"{what}: answered, though it is wrong")
    return mistakes


def _topic_balance(requests: Sequence[Request], ends: Mapping[str, int]) -> list[str]:
    sent = sum(one.way == TOPIC for one in requests)
    ended = sum(ends.values())
    if sent == ended:
        return []
    what = "without an end" if ended < sent else "ends too many"
    return [
        f"intents by topic: {sent} sent, {ended} answered or refused: {abs(sent - ended)} {what}"
    ]


def _answers(requests: Sequence[Request], log: NodeLog) -> list[str]:
    answered = {one.text for one in requests if one.end in (ANSWERED, errors.TARGET_WITHOUT_3D)}
    asked = Counter(one.text for one in requests)
    mistakes = [
        f'"{text[:40]}": asked {asked[text]} times, answered {number} times'
        for text, number in log.answered.items()
        if number > asked[text]
    ]
    for text in sorted(answered - set(log.answered)):
        mistakes.append(f'"{text[:40]}": an answer came that is not in the log')
    for text in sorted(set(log.answered) - answered):
        mistakes.append(f'"{text[:40]}": answered by the log, but no answer came')
    return mistakes


def _codes(requests: Sequence[Request], log: NodeLog, after: Mapping[str, int]) -> list[str]:
    used = {one.end for one in requests if one.end and one.end != ANSWERED} | set(log.refused)
    unknown = used - REQUEST_CODES
    counted = {name.removeprefix("refused.") for name in after if name.startswith("refused.")}
    unknown |= counted - REQUEST_CODES - NODE_CODES
    return [f"unknown code: {code}" for code in sorted(unknown)]


def _counters(
    requests: Sequence[Request],
    log: NodeLog,
    before: Mapping[str, int],
    after: Mapping[str, int],
    answered_too: int,
) -> list[str]:
    def risen(name: str) -> int:
        return after.get(name, 0) - before.get(name, 0)

    mistakes = []
    # A call whose image is refused does not get so far.
    stopped = sum(
        one.way == SERVICE and one.own_image and one.end in CAMERA_CODES | {"no_camera_info"}
        for one in requests
    )
    expected = {
        "intents_received": len(requests) - stopped,
        "intents_answered": sum(log.answered.values()),
    }
    # Camera messages are counted under the camera's codes as well.
    for code in (REQUEST_CODES - CAMERA_CODES - FAILURES) - {errors.TARGET_WITHOUT_3D}:
        expected[f"refused.{code}"] = log.refused[code]
    for name, number in sorted(expected.items()):
        if risen(name) != number:
            mistakes.append(f"/diagnostics counts {risen(name)} {name}, expected {number}")
    told = sum(one.end == ANSWERED for one in requests) + answered_too
    if told != sum(log.answered.values()):
        mistakes.append(f"{told} answers came, {sum(log.answered.values())} are in the log")
    return mistakes


def failures(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return how often each of FAILURES was counted."""
    risen = {code: after.get(f"refused.{code}", 0) for code in FAILURES}
    risen = {code: number - before.get(f"refused.{code}", 0) for code, number in risen.items()}
    return {code: number for code, number in sorted(risen.items()) if number}
