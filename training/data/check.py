"""``lisa data check``: is a download whole and readable, and what do its samples look like?"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2

from training.data.config import DataConfig, SetConfig, read_config
from training.data.contact_sheet import contact_sheet
from training.data.errors import BadSampleError, DataError, NothingToAskError
from training.data.mixture import Broken, shared_of
from training.data.published import PUBLISHED
from training.data.registry import KINDS
from training.data.sample import Sample
from training.data.source import Count, Shared, Source

_PROGRESS_EVERY = 2000
_SHOWN = 20  # broken items that are printed per set; the JSON has all
_TILES = 4  # samples per set on the contact sheet


@dataclass(frozen=True, kw_only=True)
class CheckedCount:
    """A number of a set beside the published one.

    Attributes:
        found: None where the split is not there at all; nobody needs all of them.
        published: None where it is not known.
    """

    split: str
    what: str
    found: int | None
    published: int | None

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it."""
        return self.found is None or self.published is None or self.found == self.published


@dataclass(frozen=True, kw_only=True)
class SetReport:
    """What the check found out about a set.

    Attributes:
        name: of the set.
        family: of the mixture.
        error: why it cannot be used at all; "" otherwise.
        counts: against the published ones.
        items: to draw from.
        checked: items that were read.
        nothing_to_ask: of these, sound ones that hold nothing to ask for.
        broken: of these, those that are missing or unreadable.
        notes: what is left out of training.
    """

    name: str
    family: str
    error: str = ""
    counts: tuple[CheckedCount, ...] = ()
    items: int = 0
    checked: int = 0
    nothing_to_ask: int = 0
    broken: tuple[Broken, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """One line for everything that is wrong."""
        if self.error:
            return [f"{self.name} cannot be used: {self.error}"]
        out = [
            f"{self.name} {one.split}: {one.found} {one.what}, published are {one.published}"
            for one in self.counts
            if not one.ok
        ]
        if self.broken:
            out.append(f"{self.name}: {len(self.broken)} of {self.checked} items are broken")
        if self.checked and self.checked == self.nothing_to_ask + len(self.broken):
            out.append(f"{self.name}: not one of {self.checked} items yields a sample")
        return out


def compare(name: str, counts: Sequence[Count]) -> tuple[CheckedCount, ...]:
    """Set a set's numbers beside the published ones; splits that are missing come last."""
    found: dict[tuple[str, str], int | None] = {(one.split, one.what): one.found for one in counts}
    known = {(split, what): n for (one, split, what), n in PUBLISHED.items() if one == name}
    return tuple(
        CheckedCount(
            split=split,
            what=what,
            found=found.get((split, what)),
            published=known.get((split, what)),
        )
        for split, what in [*found, *(one for one in known if one not in found)]
    )


def chosen_items(count: int, limit: int | None) -> list[int]:
    """Which items are read: all, or ``limit`` of them evenly spread."""
    if limit is None or limit >= count:
        return list(range(count))
    return [k * count // limit for k in range(limit)]


def check_set(
    one: SetConfig,
    shared: Shared,
    *,
    limit: int | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[SetReport, list[Sample]]:
    """Open a set, count it and read its items.

    Returns:
        the report and a few samples for the contact sheet.
    """
    kind = KINDS[one.name]
    report = SetReport(name=one.name, family=kind.family)
    try:
        source = kind.open(shared, one.options)
    except DataError as error:
        return replace(report, error=str(error)), []
    wanted = chosen_items(len(source), limit)
    shown = {wanted[k] for k in chosen_items(len(wanted), 3 * _TILES)}
    broken: list[Broken] = []
    samples: list[Sample] = []
    nothing = 0
    for done, (index, outcome) in enumerate(_outcomes(source, wanted, shown), 1):
        if isinstance(outcome, BadSampleError):
            broken.append(Broken(set=one.name, key=source.key(index), reason=str(outcome)))
        elif isinstance(outcome, NothingToAskError):
            nothing += 1
        elif outcome is not None and len(samples) < _TILES:
            samples.append(outcome)
        if done % _PROGRESS_EVERY == 0:
            progress(f"{one.name}: {done} of {len(wanted)} read, {len(broken)} broken")
    report = replace(
        report,
        counts=compare(one.name, source.counts()),
        items=len(source),
        checked=len(wanted),
        nothing_to_ask=nothing,
        broken=tuple(broken),
        notes=tuple(source.notes),
    )
    return report, samples


def _outcomes(
    source: Source, wanted: Sequence[int], shown: set[int]
) -> Iterator[tuple[int, Sample | BadSampleError | NothingToAskError | None]]:
    """Each item's sample (None unless it is to be shown: they are large) or what is wrong."""

    def attempt(index: int) -> Sample | BadSampleError | NothingToAskError | None:
        try:
            sample = source.sample(index, random.Random(f"check/{index}"))
        except (BadSampleError, NothingToAskError) as error:
            return error
        return sample if index in shown else None

    # Decoding releases the interpreter's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from zip(wanted, pool.map(attempt, wanted), strict=True)


def check(
    config: DataConfig,
    *,
    limit: int | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[SetReport], list[Sample], list[str]]:
    """Check every set of a configuration.

    Returns:
        reports, samples for the contact sheet, and problems that belong to no set.
    """
    problems: list[str] = []
    try:
        shared = shared_of(config)
    except DataError as error:
        problems.append(str(error))
        general = replace(config.general, exclude_refer_validation=False)
        shared = shared_of(replace(config, general=general))
    reports, samples = [], []
    for family in config.families:
        for one in family.sets:
            progress(f"{one.name} ...")
            report, mine = check_set(one, shared, limit=limit, progress=progress)
            reports.append(report)
            samples += mine
    return reports, samples, problems


def table(reports: Sequence[SetReport], problems: Sequence[str]) -> str:
    """The reports as text."""
    lines = [f"{'set':20} {'split':12} {'what':28} {'found':>8} {'published':>10}"]
    for report in reports:
        if report.error:
            lines.append(f"{report.name:20} UNUSABLE: {report.error}")
            continue
        for one in report.counts:
            known = "-" if one.published is None else str(one.published)
            there = "not here" if one.found is None else str(one.found)
            mark = "" if one.ok else "  DIFFERS"
            lines.append(
                f"{report.name:20} {one.split:12} {one.what:28} {there:>8} {known:>10}{mark}"
            )
        lines.append(
            f"{report.name:20} {report.checked} of {report.items} items read: "
            f"{len(report.broken)} broken, {report.nothing_to_ask} with nothing to ask for"
        )
        lines += [f"{'':20} note: {note}" for note in report.notes]
        lines += [f"{'':20} BROKEN {one.key}: {one.reason}" for one in report.broken[:_SHOWN]]
        if len(report.broken) > _SHOWN:
            lines.append(f"{'':20} ... {len(report.broken) - _SHOWN} more (--json has all)")
    lines += [f"PROBLEM: {one}" for one in problems]
    return "\n".join(lines)


def as_json(
    reports: Sequence[SetReport], problems: Sequence[str], *, config: str, limit: int | None
) -> dict[str, Any]:
    """Everything that is written to the JSON file."""
    everything = [*problems, *(line for report in reports for line in report.problems)]
    return {
        "config": config,
        "limit": limit,
        "ok": not everything,
        "problems": everything,
        "sets": [asdict(report) for report in reports],
    }


def run(
    config_file: Path,
    *,
    json_file: Path | None = None,
    sheet_file: Path | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Check and print; see ``lisa data check --help``.

    Raises:
        ConfigError: the configuration is wrong.
        DataError: something is wrong with the data; everything was printed and written before.
    """
    if limit is not None and limit < 1:
        raise DataError(f"--limit must be at least 1, got {limit}")
    config = read_config(config_file)
    reports, samples, problems = check(
        config, limit=limit, progress=lambda line: print(line, file=sys.stderr)
    )
    print(table(reports, problems))
    result = as_json(reports, problems, config=config_file.name, limit=limit)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if sheet_file is not None and samples:
        sheet_file.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(sheet_file), contact_sheet(samples)[..., ::-1]):
            raise OSError(f"could not write {sheet_file}")
    if result["problems"]:
        more = len(result["problems"]) - 1
        raise DataError(
            "the data is not in order: "
            + result["problems"][0]
            + (f" (and {more} more, see above)" if more else "")
        )
    return result
