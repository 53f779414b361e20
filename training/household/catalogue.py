"""Reads the Sweet Home 3D furniture catalogues (``*.sh3f``: zip files with OBJ models).

The property keys are documented at https://www.sweethome3d.com/blog/2012/10/15/ ; lengths are
centimetres, ``modelRotation`` is a row-major 3x3 matrix in the OBJ frame (x right, y up).
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

PROPERTIES_FILE = "PluginFurnitureCatalog.properties"
IDENTITY_ROTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_LINE = re.compile(r"(\w+)#(\d+)\s*=\s*(.*)")


@dataclass(frozen=True, kw_only=True)
class Pack:
    """One .sh3f file: its stem and the licence its models are under."""

    stem: str
    licence: str
    default_creator: str


PACKS: dict[str, Pack] = {
    "B0": Pack(stem="BlendSwap-CC-0", licence="CC0 1.0", default_creator="Blend Swap contributor"),
    "BY": Pack(
        stem="BlendSwap-CC-BY", licence="CC BY 3.0", default_creator="Blend Swap contributor"
    ),
    "KL": Pack(stem="KatorLegaz", licence="CC BY 3.0 US", default_creator="Kator Legaz"),
    "RL": Pack(stem="Reallusion", licence="CC BY 3.0 US", default_creator="Reallusion"),
    "SC": Pack(stem="Scopia", licence="CC BY 3.0", default_creator="Scopia"),
}


class CatalogueError(ValueError):
    """A catalogue is missing or an entry of it cannot be used."""


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model of a catalogue; ``size_m`` is (width x, depth y, height z) in metres."""

    key: str
    name: str
    creator: str
    licence: str
    path: str
    size_m: tuple[float, float, float]
    rotation: tuple[float, ...]


def parse_properties(text: str) -> dict[int, dict[str, str]]:
    """Properties by catalogue index; ``\\uXXXX`` escapes are decoded, comments skipped."""
    entries: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        match = _LINE.match(_ESCAPE.sub(lambda m: chr(int(m[1], 16)), line.strip()))
        if match:
            entries.setdefault(int(match[2]), {})[match[1]] = match[3].strip()
    return entries


def entry_from_properties(pack_id: str, index: int, fields: dict[str, str]) -> ModelEntry:
    """Builds one entry.

    Raises:
        CatalogueError: a needed field is missing or not a number.
    """
    key = f"{pack_id}{index}"
    try:
        size = (
            float(fields["width"]) / 100,
            float(fields["depth"]) / 100,
            float(fields["height"]) / 100,
        )
        path, name = fields["model"].lstrip("/"), fields["name"]
        rotation = tuple(float(v) for v in fields.get("modelRotation", "").split())
    except (KeyError, ValueError) as error:
        raise CatalogueError(f"model {key}: field missing or not a number: {error}") from error
    if min(size) <= 0:
        raise CatalogueError(f"model {key}: width, depth and height must be above 0, got {size}")
    if rotation and len(rotation) != 9:
        raise CatalogueError(f"model {key}: modelRotation has {len(rotation)} numbers, not 9")
    pack = PACKS[pack_id]
    return ModelEntry(
        key=key,
        name=name,
        creator=fields.get("creator") or pack.default_creator,
        licence=pack.licence,
        path=path,
        size_m=size,
        rotation=rotation or IDENTITY_ROTATION,
    )


def pack_file(folder: Path, pack_id: str) -> Path:
    """Path of a pack's .sh3f file under ``folder``.

    Raises:
        CatalogueError: the file is not there.
    """
    path = folder / f"{PACKS[pack_id].stem}.sh3f"
    if not path.is_file():
        raise CatalogueError(
            f"{path} is missing; fetch it with `python -m training.household.render fetch`"
        )
    return path


def read_catalogue(folder: Path) -> dict[str, ModelEntry]:
    """All models of all packs in ``folder`` by key ("SC302" = Scopia's number 302)."""
    models: dict[str, ModelEntry] = {}
    for pack_id in PACKS:
        with zipfile.ZipFile(pack_file(folder, pack_id)) as archive:
            text = archive.read(PROPERTIES_FILE).decode("latin-1")
        for index, fields in parse_properties(text).items():
            if "model" in fields:
                entry = entry_from_properties(pack_id, index, fields)
                models[entry.key] = entry
    return models
