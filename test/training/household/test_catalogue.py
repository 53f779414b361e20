"""Catalogue entries: decoding, units, licences, refusals."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from training.household.catalogue import (
    IDENTITY_ROTATION,
    PACKS,
    PROPERTIES_FILE,
    CatalogueError,
    entry_from_properties,
    parse_properties,
    read_catalogue,
)

FIELDS = {
    "name": "Cup",
    "model": "/scopia/cup/cup.obj",
    "width": "12.0",
    "depth": "8",
    "height": "6.8",
}


def test_properties_decode_escapes_and_skip_comments() -> None:
    text = "# a comment\nid=pack\nname#7=H\\u1ed9i An\nwidth#7 = 12.5\nname#12=B=C\n"
    assert parse_properties(text) == {7: {"name": "Hội An", "width": "12.5"}, 12: {"name": "B=C"}}


def test_entry_has_metres_licence_and_default_creator() -> None:
    entry = entry_from_properties("SC", 112, FIELDS)
    assert entry.key == "SC112"
    assert entry.size_m == pytest.approx((0.12, 0.08, 0.068))
    assert entry.path == "scopia/cup/cup.obj"
    assert (entry.licence, entry.creator) == ("CC BY 3.0", "Scopia")
    assert entry.rotation == IDENTITY_ROTATION


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"width": "wide"}, "SC1"),
        ({"height": "0"}, "above 0"),
        ({"modelRotation": "1 0 0"}, "modelRotation"),
    ],
)
def test_bad_entries_are_refused_by_name(change: dict[str, str], named: str) -> None:
    with pytest.raises(CatalogueError, match=named):
        entry_from_properties("SC", 1, {**FIELDS, **change})


def test_missing_field_is_named() -> None:
    with pytest.raises(CatalogueError, match="depth"):
        entry_from_properties("SC", 1, {k: v for k, v in FIELDS.items() if k != "depth"})


def test_read_catalogue_joins_packs_and_skips_entries_without_a_model(tmp_path: Path) -> None:
    lines = "\n".join(f"{k}#3={v}" for k, v in FIELDS.items()) + "\nname#4=no model\n"
    for pack in PACKS.values():
        with zipfile.ZipFile(tmp_path / f"{pack.stem}.sh3f", "w") as archive:
            archive.writestr(PROPERTIES_FILE, lines.encode("latin-1"))
    assert sorted(read_catalogue(tmp_path)) == ["B03", "BY3", "KL3", "RL3", "SC3"]


def test_missing_pack_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="fetch"):
        read_catalogue(tmp_path)
