"""The file of paraphrases: JSON that a person can read, correct and accept or reject."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.data.errors import DataError

FORMAT = "lisa-rephrased"
FORMAT_VERSION = 1


def key_of(image: Path, number: int) -> str:
    """``SPLIT/IMAGE.jpg#NUMBER``, the number of the sentence from 0."""
    return f"{image.parent.name}/{image.name}#{number}"


@dataclass(frozen=True, kw_only=True)
class Paraphrase:
    """Another wording of an instruction.

    Attributes:
        text: of it.
        accepted: what a person said of it; None: nobody has looked at it yet.
    """

    text: str
    accepted: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise ValueError("text must be words")
        if self.accepted not in (True, False, None):
            raise ValueError(f"accepted must be true, false or null, got {self.accepted!r}")


@dataclass(frozen=True, kw_only=True)
class Item:
    """An instruction and its paraphrases.

    Attributes:
        source: split and name of the annotation file.
        sha256: of that file when the paraphrases were made.
        text: the instruction.
        is_sentence: whether it is a sentence, or else a noun phrase.
        paraphrases: those that were kept.
        dropped: how many were not, by reason, see :mod:`training.data.rephrase.judge`.
    """

    source: str
    sha256: str
    text: str
    is_sentence: bool
    paraphrases: tuple[Paraphrase, ...]
    dropped: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How the paraphrases of a file are made; the same for all of them.

    Attributes:
        model: name of the language model.
        prompt: what it is told, with placeholders.
        count: wanted paraphrases per instruction.
        temperature: of sampling.
        seed: of sampling; a server may ignore it.
    """

    model: str
    prompt: dict[str, str]
    count: int
    temperature: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Document:
    """The whole file.

    Attributes:
        origin: how it is made.
        items: by key, ``SPLIT/IMAGE.jpg#NUMBER`` with the number of the image's sentence.
    """

    origin: Origin
    items: dict[str, Item] = field(default_factory=dict)

    def wordings(self, *, require_accepted: bool) -> dict[str, tuple[str, tuple[str, ...]]]:
        """By key: the instruction, and the paraphrases to train on.

        Args:
            require_accepted: only those that a person accepted; otherwise all that none rejected.
        """
        return {
            key: (
                item.text,
                tuple(
                    one.text
                    for one in item.paraphrases
                    if one.accepted is True or (one.accepted is None and not require_accepted)
                ),
            )
            for key, item in self.items.items()
        }


def write_document(path: Path, document: Document) -> None:
    """Write a file, whole or not at all."""
    values = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **asdict(document.origin),
        "items": {key: asdict(item) for key, item in document.items.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as writer:
        writer.write(json.dumps(values, indent=1, ensure_ascii=False) + "\n")
        writer.flush()
        os.fsync(writer.fileno())
    part.replace(path)


def read_document(path: Path) -> Document:
    """Read a file.

    Raises:
        DataError: it is missing or no such file; names the item.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; `lisa data rephrase` makes it")
    try:
        values: Any = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise DataError(f"{path} is no file of `lisa data rephrase` (format is not {FORMAT!r})")
    if values.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"{path} has format_version {values.get('format_version')!r}, this program reads "
            f"{FORMAT_VERSION}; make the file anew"
        )
    place = "its head"
    try:
        origin = Origin(**{name: values[name] for name in Origin.__dataclass_fields__})
        items = {}
        for key, one in values["items"].items():
            place = key
            paraphrases = tuple(Paraphrase(**single) for single in one["paraphrases"])
            items[key] = Item(**{**one, "paraphrases": paraphrases})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: {place} cannot be read ({error})") from error
    return Document(origin=origin, items=items)
