"""Referring expressions in REFER's format: who says what about which annotations.

refCLEF, refCOCO, refCOCO+ and refCOCOg have a pickle ``refs(PARTITION).p``, gRefCOCO has
``grefs(unc).json`` or the same as a pickle. Each holds a list of dictionaries with ``image_id``,
``split``, ``ann_id`` (gRefCOCO: a list, [-1] for none) and ``sentences``, each with its text as
``sent``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.coco import read_json
from training.data.errors import DataError
from training.data.safe_pickle import load_plain


@dataclass(frozen=True, kw_only=True)
class Ref:
    """Expressions for the same target.

    Attributes:
        image_id: of COCO, or of refCLEF's own images.
        split: train, val, test, testA or testB.
        annotations: what is meant; empty when nothing in the image is.
        sentences: the expressions.
    """

    image_id: int
    split: str
    annotations: tuple[int, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Refs:
    """A file's expressions.

    Attributes:
        usable: in file order.
        broken: the entries that are none, in words.
    """

    usable: tuple[Ref, ...]
    broken: tuple[str, ...]


def refs_file(root: Path, name: str, partition: str) -> Path:
    """Where the expressions of a set lie."""
    folder = root / "refer_seg" / name
    if name != "grefcoco":
        return folder / f"refs({partition}).p"
    path = folder / f"grefs({partition}).json"
    pickled = path.with_suffix(".p")
    return pickled if pickled.is_file() and not path.is_file() else path


def read_refs(path: Path) -> Refs:
    """Read a file of expressions.

    Raises:
        DataError: it is missing, refused, or holds no usable entry.
    """
    values = load_plain(path) if path.suffix == ".p" else read_json(path)
    if not isinstance(values, list):
        raise DataError(f"{path} holds no list of expressions: it is not a file of REFER")
    usable, broken = [], []
    for number, entry in enumerate(values):
        try:
            usable.append(_parse(entry))
        except KeyError as error:
            broken.append(f"{path.name}[{number}]: there is no {error.args[0]!r}")
        except (TypeError, ValueError) as error:
            broken.append(f"{path.name}[{number}]: {error}")
    if not usable:
        why = f"; the first: {broken[0]}" if broken else ""
        raise DataError(f"{path} holds no usable expression ({len(values)} entries{why})")
    return Refs(usable=tuple(usable), broken=tuple(broken))


def _parse(entry: dict[str, Any]) -> Ref:
    ids = entry["ann_id"]
    ids = [int(i) for i in ids] if isinstance(ids, list | tuple) else [int(ids)]
    if -1 in ids and len(ids) > 1:
        raise ValueError(f"ann_id {ids} says both nothing and something")
    sentences = tuple(str(sentence["sent"]).strip() for sentence in entry["sentences"])
    if not sentences or not all(sentences):
        raise ValueError("there is an expression without words")
    return Ref(
        image_id=int(entry["image_id"]),
        split=str(entry["split"]),
        annotations=() if ids == [-1] else tuple(ids),
        sentences=sentences,
    )
