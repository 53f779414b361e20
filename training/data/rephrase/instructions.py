"""The instructions of ReasonSeg that are to be rephrased."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from training.data.config import read_config
from training.data.errors import DataError, reading
from training.data.rephrase.document import key_of
from training.data.source import list_files
from training.official.reason_seg import read_texts


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """A sentence or noun phrase about an image.

    Attributes:
        key: see :func:`training.data.rephrase.document.key_of`.
        source: split and name of the annotation file.
        sha256: of that file.
        text: as it stands there.
        is_sentence: or else a noun phrase.
    """

    key: str
    source: str
    sha256: str
    text: str
    is_sentence: bool


def read_instructions(place: Path) -> list[Instruction]:
    """All instructions of a split's folder, or of the splits that a data configuration trains on.

    Args:
        place: folder of images and annotations, or a YAML file.

    Raises:
        LisaError: there are none, the configuration is wrong, or an annotation is broken.
    """
    found = []
    for folder in [place] if place.is_dir() else _splits(place):
        for image in list_files(folder.resolve(), ".jpg"):
            path = image.with_suffix(".json")
            with reading(str(path)):
                texts, is_sentence = read_texts(image)
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found += [
                Instruction(
                    key=key_of(image, number),
                    source=f"{image.parent.name}/{path.name}",
                    sha256=digest,
                    text=text,
                    is_sentence=is_sentence,
                )
                for number, text in enumerate(texts)
            ]
    return found


def _splits(config_file: Path) -> list[Path]:
    config = read_config(config_file)
    for family in config.families:
        for one in family.sets:
            if one.name == "reason_seg":
                base = config.general.root / "reason_seg" / "ReasonSeg"
                return [base / split for split in one.options.splits]
    raise DataError(f"{config_file} does not train on reason_seg; only its texts are rephrased")
