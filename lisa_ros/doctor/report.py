"""Findings, and how they are shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

_MARKS = {"ok": "ok     ", "warning": "WARNING", "failed": "FAILED "}


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check.

    Args:
        name: of the check, such as ``loopback``.
        status: a warning may be right for this machine; what failed keeps something from working.
        what: what was found, in one line.
        remedy: what to do, in one line; empty exactly when the status is ok.
    """

    name: str
    status: Status
    what: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if (self.status is Status.OK) != (not self.remedy):
            raise ValueError(f"{self.name}: a finding that is not ok needs a remedy, only then")


def ok(name: str, what: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(name=name, status=Status.OK, what=what)


def warning(name: str, what: str, remedy: str) -> Finding:
    """Return a finding that may be right for this machine."""
    return Finding(name=name, status=Status.WARNING, what=what, remedy=remedy)


def failed(name: str, what: str, remedy: str) -> Finding:
    """Return a finding that keeps something from working."""
    return Finding(name=name, status=Status.FAILED, what=what, remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All findings by group, in the order in which they were made."""

    groups: Mapping[str, Sequence[Finding]]

    @property
    def exit_status(self) -> int:
        """1 when anything failed, else 0."""
        return int(any(f.status is Status.FAILED for part in self.groups.values() for f in part))

    def counts(self) -> Counter[str]:
        """Return the number of findings by status."""
        return Counter(str(f.status) for part in self.groups.values() for f in part)

    def text(self) -> str:
        """Return the report for people."""
        lines = []
        for group, findings in self.groups.items():
            lines.append(group)
            for finding in findings:
                lines.append(f"  {_MARKS[finding.status]} {finding.name}: {_line(finding.what)}")
                if finding.remedy:
                    lines.append(f"          -> {_line(finding.remedy)}")
        counts = self.counts()
        lines.append(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['failed']} failed")
        return "\n".join(lines)

    def json(self) -> str:
        """Return the report for programs."""
        groups = {name: [asdict(f) for f in part] for name, part in self.groups.items()}
        values = {"exit_status": self.exit_status, "counts": self.counts(), "groups": groups}
        return json.dumps(values, indent=1) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())
