"""Pickles of plain values only: a pickle of an unknown origin can otherwise run any program."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, NoReturn

from training.data.errors import DataError


class _PlainUnpickler(pickle.Unpickler):
    """Dictionaries, lists, tuples, numbers and text need no class; nothing else is let in."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it refers to objects outside the file")


def load_plain(path: Path) -> Any:
    """Read a pickle that holds nothing but containers, numbers and text.

    Python 2 wrote the files of REFER; their byte strings are read as UTF-8.

    Raises:
        DataError: the file is missing or broken, or wants to call something.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; see docs/data.md for where it comes from")
    data = path.read_bytes()
    try:
        return _PlainUnpickler(io.BytesIO(data), encoding="utf-8").load()
    except Exception as error:  # whatever a crafted or damaged file provokes
        raise DataError(
            f"{path} is refused: {error or type(error).__name__}. A genuine file holds only lists, "
            "dictionaries, numbers and text; download it again from its authors"
        ) from error
