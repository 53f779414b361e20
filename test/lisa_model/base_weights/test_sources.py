"""The registry of pinned sources."""

from __future__ import annotations

import re

import pytest

from lisa_model.base_weights.sources import SOURCES, source
from lisa_model.config import PRESETS


def test_every_source_is_pinned_completely() -> None:
    for name, entry in SOURCES.items():
        assert entry.name == name
        assert re.fullmatch(r"[a-z0-9-]+==\d+(\.\d+)+", entry.requirement)
        assert entry.license
        assert entry.files
        for file in entry.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            assert file.size > 0
        names = [file.name for file in entry.files]
        assert len(set(names)) == len(names), "files are unpacked flat: names must differ"


def test_presets_name_known_running_weights() -> None:
    for preset in PRESETS.values():
        if preset.name == "lisa-tiny":
            assert source(preset.llm).needed_for == "running"
            assert source(preset.vision_tower).needed_for == "running"


def test_disk_needed_covers_wheel_and_both_forms() -> None:
    entry = source("smollm2-135m-instruct")
    assert entry.disk_needed > entry.wheel_size + entry.files[0].size + entry.converted_size


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="smollm2-135m-instruct"):
        source("gpt-9")
