"""Writes the tables of docs/interfaces from the code; what stands around them is written by hand.

    python3 -m lisa_ros.interface_docs --check     # exit status 1 when a page is not up to date
    python3 -m lisa_ros.interface_docs --write

A table stands between ``<!-- table: NAME -->`` and ``<!-- end: NAME -->``. For a source tree only.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from rclpy.qos import QoSProfile

from lisa_ros import qos
from lisa_ros.error_table import ERRORS, ErrorSpec, Told
from lisa_ros.interface_table import ACTIONS, SERVICES, TOPICS, Direction, ServiceSpec, TopicSpec
from lisa_ros.message_docs import parse, prose, render, table
from lisa_ros.parameter_table import PARAMETERS, ParameterSpec
from lisa_ros.parameters import ROS_TYPE_NAMES

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("docs") / "interfaces"
# In the order in which a reader meets them.
MESSAGES = (
    *("InstanceMasks", "InstanceMask", "Targets", "Target3D"),
    *("FollowState", "FollowedTarget"),
)
_TABLE = re.compile(
    r"(?P<start><!-- table: (?P<name>[\w ]+) -->\n).*?(?P<end><!-- end: (?P=name) -->)", re.DOTALL
)


def describe_qos(profile: QoSProfile) -> str:
    """Return a profile in words, such as "reliable, keep last 5, volatile"."""
    return (
        f"{profile.reliability.short_key.replace('_', ' ')}, "
        f"keep last {profile.depth}, {profile.durability.short_key.replace('_', ' ')}"
    )


def short_kind(kind: str) -> str:
    """Return a type without its middle part, as people write it."""
    package, _, name = kind.split("/")
    return f"{package}/{name}"


def link_kind(kind: str) -> str:
    """Return a type; this package's messages as a link to where their fields are."""
    name = kind.removeprefix("lisa_ros/").removeprefix("msg/")
    base = name.removesuffix("[]")
    if base in MESSAGES:
        return f"[{name.replace('[]', chr(92) + '[' + chr(92) + ']')}](topics.md#{base.lower()}msg)"
    return f"`{kind}`" if kind.count("/") < 2 else f"`{short_kind(kind)}`"


def _what(one: TopicSpec | ServiceSpec) -> str:
    return f"{one.what} Exists {one.optional}." if one.optional else one.what


def _topics(direction: Direction) -> str:
    def row(one: TopicSpec) -> tuple[str, ...]:
        profile = describe_qos(getattr(qos, one.qos)) if one.qos else "ROS's own"
        return (f"`{one.name}`", link_kind(one.kind), one.when, profile, prose(_what(one)))

    when = "published" if direction is Direction.OUT else "listened to"
    rows = [row(one) for one in TOPICS if one.direction is direction]
    return table(("topic", "type", when, "QoS", "what"), rows)


def _services(specs: Iterable[ServiceSpec], *, own: bool) -> str:
    rows = [
        (
            f"`{one.name}`",
            f"`{short_kind(one.kind)}`",
            prose(_what(one)),
        )
        for one in specs
        if one.own == own
    ]
    return table(("name", "type", "what"), rows)


def _messages() -> str:
    parts = []
    for name in MESSAGES:
        (section,) = parse((ROOT / "msg" / f"{name}.msg").read_text(encoding="utf-8"))
        parts.append(f"### {name}.msg\n\n{render(section, link_kind)}")
    return "\n\n".join(parts)


def _sections(path: str, *titles: str) -> str:
    sections = parse((ROOT / path).read_text(encoding="utf-8"))
    return "\n\n".join(
        f"### {title}\n\n{render(section, link_kind)}"
        for title, section in zip(titles, sections, strict=True)
    )


def _parameters(*, read_only: bool) -> str:
    def allowed(one: ParameterSpec) -> str:
        if one.choices:
            return ", ".join(f"`{choice}`" for choice in one.choices)
        if one.low is not None and one.high is not None:
            return f"{one.low:g} to {one.high:g}"
        return ""

    def default(one: ParameterSpec) -> str:
        if isinstance(one.default, bool):
            return f"`{str(one.default).lower()}`"
        return f"`{one.default}`" if one.default != "" else "empty"

    rows = [
        (
            f"`{one.name}`",
            ROS_TYPE_NAMES[type(one.default)],
            default(one),
            allowed(one),
            prose(one.description),
        )
        for one in PARAMETERS
        if one.read_only == read_only
    ]
    return table(("parameter", "type", "default", "allowed", "what"), rows)


def _errors(*told: Told) -> str:
    found = [one for one in ERRORS if one.told in told]
    headings: tuple[str, ...] = ("code", "what", "remedy", "what a client does")
    # A column of one word over and over says less than the text above the table.
    width = len(headings) - (len({one.reaction for one in found}) == 1)

    def row(one: ErrorSpec) -> tuple[str, ...]:
        codes = "<br>".join(f"`{code}`" for code in one.codes)
        return (codes, prose(one.meaning), prose(one.remedy), one.reaction.value)[:width]

    return table(headings[:width], [row(one) for one in found])


def _reasons() -> str:
    (section,) = parse((ROOT / "msg" / "Target3D.msg").read_text(encoding="utf-8"))
    reasons = [one for one in section.entries if one.name.startswith("REASON_") and one.comment]
    rows = [(f"`{(one.value or '').strip(chr(34))}`", prose(one.comment)) for one in reasons]
    return table(("reason", "what"), rows)


# Page -> table -> how it is made.
PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "topics.md": {
        "inputs": lambda: _topics(Direction.IN),
        "outputs": lambda: _topics(Direction.OUT),
        "messages": _messages,
    },
    "services.md": {
        "services": lambda: _services(SERVICES, own=True),
        "segment": lambda: _sections("srv/Segment.srv", "Request", "Response"),
        "standard services": lambda: _services(SERVICES, own=False),
    },
    "actions.md": {
        "actions": lambda: _services(ACTIONS, own=True),
        "find target": lambda: _sections("action/FindTarget.action", "Goal", "Result", "Feedback"),
    },
    "parameters.md": {
        "fixed": lambda: _parameters(read_only=True),
        "changeable": lambda: _parameters(read_only=False),
    },
    "errors.md": {
        "requests": lambda: _errors(Told.REQUEST, Told.ACTION),
        "messages": lambda: _errors(Told.MESSAGE),
        "node": lambda: _errors(Told.NODE),
        "view": lambda: _errors(Told.VIEW),
        "reasons": _reasons,
    },
}


def refresh(page: str, text: str) -> str:
    """Return a page with its tables as they should be.

    Args:
        page: one of PAGES.
        text: what it holds now.

    Raises:
        ValueError: it does not have each of its tables once.
    """
    makers = PAGES[page]
    found = [match["name"] for match in _TABLE.finditer(text)]
    if sorted(found) != sorted(makers):
        raise ValueError(f"{page} has the tables {sorted(found)}, not {sorted(makers)}")
    return _TABLE.sub(
        lambda match: f"{match['start']}\n{makers[match['name']]()}\n\n{match['end']}", text
    )


def main(args: list[str] | None = None) -> int:
    """Check or write all pages; return the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m lisa_ros.interface_docs")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="tell which pages are not up to date")
    what.add_argument("--write", action="store_true", help="bring them up to date")
    write = parser.parse_args(args).write
    folder = ROOT / FOLDER
    if not folder.is_dir():
        print(f"{folder} does not exist: this is for a source tree", file=sys.stderr)
        return 1
    stale = []
    for page in PAGES:
        path = folder / page
        text = path.read_text(encoding="utf-8")
        fresh = refresh(page, text)
        if fresh != text:
            stale.append(str(FOLDER / page))
            if write:
                path.write_text(fresh, encoding="utf-8")
    if stale:
        print(f"{'written' if write else 'not up to date'}: {', '.join(stale)}")
    return 1 if stale and not write else 0


if __name__ == "__main__":
    sys.exit(main())
