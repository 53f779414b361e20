"""``python3 -m lisa_model.base_weights``."""

from __future__ import annotations

from pathlib import Path

import pytest

from lisa_model.base_weights import cli
from lisa_model.base_weights.sources import WeightsSource


@pytest.fixture
def arguments(
    tmp_path: Path, tiny_source: WeightsSource, wheels: Path, copying: list[str]
) -> list[str]:
    """Names the cache and "tiny"."""
    return ["--cache-dir", str(tmp_path / "cache"), "tiny"]


def test_prints_name_and_folder(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 0
    shown = capsys.readouterr()
    assert shown.out == f"tiny {tmp_path / 'cache' / 'tiny'}\n"
    assert "[1/4] download" in shown.err


def test_verify_and_force(
    arguments: list[str], tmp_path: Path, copying: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--quiet", "--verify", *arguments]) == 0
    assert capsys.readouterr().err == ""
    path = tmp_path / "cache" / "tiny" / "data.bin"
    path.write_bytes(bytes(path.stat().st_size))
    assert cli.main(["--quiet", *arguments]) == 0
    assert cli.main(["--quiet", "--verify", *arguments]) == 1
    assert "error: base weights in" in capsys.readouterr().err
    assert cli.main(["--quiet", "--force", "--verify", *arguments]) == 0
    assert copying == ["tiny", "tiny"]


def test_failure_has_exit_status_and_message(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LISA_WHEEL_DIR", "/nowhere/at/all")
    assert cli.main(arguments) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "LISA_WHEEL_DIR=/nowhere/at/all is not a folder" in shown.err


def test_unknown_name_is_refused_first(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["dinov2-small", "dinov9"])
    assert "unknown base weights dinov9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["smollm2-135m-instruct", "dinov2-small"]),
        (["--training"], ["smollm2-135m-instruct", "dinov2-small", "minilm-l6-v2"]),
        (["minilm-l6-v2"], ["minilm-l6-v2"]),
    ],
)
def test_which_weights(
    options: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ensure(name: str, *, cache_dir: str | None, progress: bool) -> Path:
        asked.append(name)
        return Path(name)

    monkeypatch.setattr(cli, "ensure_base_weights", ensure)
    assert cli.main(options) == 0
    assert asked == expected
