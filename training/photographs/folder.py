"""A folder of a user's own photographs: ``intents.tsv`` says what to ask about which file.

A line is ``FILE<TAB>INTENT``, or ``FILE<TAB>INTENT<TAB>MASK.png`` (not 0 where it is meant), or
``FILE<TAB>INTENT<TAB>-`` where nothing in the picture fits. Empty lines and lines that start with #
are left out. Files are relative to the folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lisa_model.rgbd import read_color
from training.data.errors import DataError
from training.photographs.photograph import Intent, Photograph

LIST = "intents.tsv"
NOTHING = "-"


def read_folder(folder: Path) -> Iterator[Photograph]:
    """The photographs of a folder, in the order in which the list first names them.

    The list is checked before the first picture is read; pictures are read one by one.

    Raises:
        DataError: the list is missing, empty or has a wrong line, or a file is missing, no image or
            of another size; names file, line and remedy.
    """
    asked = _read_list(folder / LIST)
    for name, lines in asked.items():
        try:
            image = read_color(folder / name)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder / LIST}: {error}; give a file that OpenCV reads, such as JPEG or PNG"
            ) from error
        intents = tuple(
            Intent(text=text, truth=_truth(folder, mask, image.shape[:2])) for text, mask in lines
        )
        yield Photograph(name=name, image=image, intents=intents)


def _read_list(path: Path) -> dict[str, list[tuple[str, str]]]:
    if not path.is_file():
        raise DataError(
            f"{path} is missing; write one line for each question, such as "
            "desk.jpg<TAB>something to write with"
        )
    out: dict[str, list[tuple[str, str]]] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8; save it as UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) not in (2, 3) or not cells[0] or not cells[1]:
            raise DataError(
                f"{path}, line {number}: needs FILE<TAB>INTENT or FILE<TAB>INTENT<TAB>MASK, "
                f"separated by tabs, got {line!r}"
            )
        mask = cells[2] if len(cells) == 3 else ""
        for name in (cells[0], mask):
            if name not in ("", NOTHING) and not (path.parent / name).is_file():
                raise DataError(f"{path}, line {number}: there is no file {name} beside the list")
        out.setdefault(cells[0], []).append((cells[1], mask))
    if not out:
        raise DataError(f"{path} has no line with a question")
    return out


def _truth(folder: Path, mask: str, size: tuple[int, ...]) -> NDArray[np.bool_] | None:
    if not mask:
        return None
    if mask == NOTHING:
        return np.zeros(size, dtype=bool)
    plane = cv2.imread(str(folder / mask), cv2.IMREAD_GRAYSCALE)
    if plane is None:
        raise DataError(f"{folder / mask} cannot be decoded as an image; save the mask as PNG")
    truth: NDArray[np.bool_] = plane > 0
    if not truth.any():
        raise DataError(f"{folder / mask} marks nothing; write {NOTHING} where nothing fits")
    return truth
