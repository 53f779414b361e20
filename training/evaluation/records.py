"""Records of an evaluation as JSON lines: what every answer scored, written as it goes.

The first line holds the configuration. Then comes one line for every question and protocol; the
lines of an image are written together and flushed. An image that could not be read has a line with
its error in their place. Of several processes, each further one writes a file of its own beside
(``FILE.rank1``); at the end they are put together, in the order of the images.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TextIO

from lisa_model.checkpoint.manifest import write_text_atomically
from lisa_model.errors import LisaError

FORMAT = "lisa-evaluation"
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """One answer.

    Attributes:
        number: of the image within the split.
        part, of: number of the question among those of its image.
        image: name of the image.
        contender, protocol: who answered, and how.
        question: as the data set has it.
        is_sentence: see :class:`training.evaluation.contender.Ask`.
        intersection, union: pixels, as they enter cIoU.
        iou: as it enters gIoU.
        wanted, given: whether there is a target, and whether the answer's mask has a pixel
            (gRefCOCO: enough pixels).
        answer: in words; "" where there is none.
        marked: whether the answer holds a [SEG].
        seconds: the image's answers by this protocol took, per question.
    """

    number: int
    part: int
    of: int
    image: str
    contender: str
    protocol: str
    question: str
    is_sentence: bool
    intersection: int
    union: int
    iou: float
    wanted: bool
    given: bool
    answer: str
    marked: bool
    seconds: float

    @property
    def order(self) -> tuple[int, int]:
        """Place among the records of a protocol."""
        return self.number, self.part


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An image that could not be scored."""

    number: int
    image: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an evaluation, or of a part of it."""

    records: tuple[Record, ...] = ()
    failures: tuple[Failure, ...] = ()


class Journal:
    """Writes records as they come.

    Args:
        path: None writes nothing.
        configuration: first line of a new file.
        rank: of the process.
    """

    def __init__(self, path: Path | None, configuration: dict[str, Any], rank: int) -> None:
        self._writer: TextIO | None = None
        if path is None:
            return
        own = path if rank == 0 else rank_file(path, rank)
        own.parent.mkdir(parents=True, exist_ok=True)
        if own.is_file():
            _cut_torn_end(own)
        self._writer = own.open("a", encoding="utf-8")
        if self._writer.tell() == 0:
            self._writer.write(_head(configuration))
            self._writer.flush()

    def write(self, lines: Sequence[Record | Failure]) -> None:
        """Write what belongs to one image."""
        if self._writer is not None:
            self._writer.write(_lines(lines))
            self._writer.flush()

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


def rank_file(path: Path, rank: int) -> Path:
    """The file of a further process."""
    return path.with_name(f"{path.name}.rank{rank}")


def check_new(path: Path) -> None:
    """Refuse to mix with what is there.

    Raises:
        LisaError: there are records already.
    """
    if parts := _parts(path):
        raise LisaError(
            f"{parts[0]} holds records already; go on with --resume, or name another file"
        )


def read_done(path: Path, configuration: dict[str, Any]) -> Outcome:
    """The records of images that are scored whole; failures are left out, to be tried again.

    Raises:
        LisaError: a file is none of records, or is from another configuration.
    """
    records: list[Record] = []
    for part in _parts(path):
        records += _read(part, configuration)
    by_image: dict[int, dict[tuple[str, str, int], Record]] = {}
    for record in records:
        key = (record.contender, record.protocol, record.part)
        by_image.setdefault(record.number, {})[key] = record
    protocols = len(configuration["contenders"])
    whole = [
        record
        for found in by_image.values()
        if len(found) == protocols * next(iter(found.values())).of
        for record in found.values()
    ]
    return Outcome(records=tuple(whole))


def write_whole(path: Path, configuration: dict[str, Any], outcome: Outcome) -> None:
    """Put the files of all processes together, in the order of the images."""
    protocols = [tuple(one) for one in configuration["contenders"]]
    records = sorted(
        outcome.records,
        key=lambda one: (one.number, protocols.index((one.contender, one.protocol)), one.part),
    )
    failures = sorted(outcome.failures, key=lambda one: one.number)
    write_text_atomically(path, _head(configuration) + _lines(records) + _lines(failures))
    for part in _parts(path):
        if part != path:
            part.unlink()


def _parts(path: Path) -> list[Path]:
    further = sorted(path.parent.glob(f"{path.name}.rank*")) if path.parent.is_dir() else []
    return [*([path] if path.is_file() else []), *further]


def _head(configuration: dict[str, Any]) -> str:
    head = {"format": FORMAT, "format_version": FORMAT_VERSION, "configuration": configuration}
    return json.dumps(head, ensure_ascii=False) + "\n"


def _lines(lines: Sequence[Record | Failure]) -> str:
    return "".join(json.dumps(asdict(line), ensure_ascii=False) + "\n" for line in lines)


def _read(path: Path, configuration: dict[str, Any]) -> list[Record]:
    lines = path.read_text("utf-8").splitlines(keepends=True)
    if not lines:
        return []
    # What a killed process wrote last has no end; it is cut off when writing goes on.
    values = [_parse(path, number, line) for number, line in enumerate(lines) if line[-1] == "\n"]
    head = values[0] if values else {}
    if head.get("format") != FORMAT or head.get("format_version") != FORMAT_VERSION:
        raise LisaError(f"{path} is no file of records that this program knows; name another file")
    before = head["configuration"]
    for name in sorted({*before, *configuration}):
        if before.get(name) != configuration.get(name):
            raise LisaError(
                f"{path} is from another configuration: {name} was {before.get(name)!r}, now it is "
                f"{configuration.get(name)!r}. Set it back, or name another file"
            )
    names = {one.name for one in fields(Record)}
    return [Record(**line) for line in values[1:] if line.keys() == names]


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise LisaError(f"{path}, line {number + 1} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise LisaError(f"{path}, line {number + 1} holds no JSON object")
    return values


def _cut_torn_end(path: Path) -> None:
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        path.write_bytes(whole)
