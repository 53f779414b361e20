"""Makes runs in order; what is finished is not made again."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from training.experiments.errors import ExperimentError
from training.experiments.places import DONE_FILE, RUN_FILE, Places
from training.experiments.runs import Run

# Carries out the run of a file.
Carry = Callable[[Path], None]


def in_own_process(module: str) -> Carry:
    """Carries out a run by a module in a process of its own, so that its memory is free afterwards.

    What is returned raises CalledProcessError where the run fails.
    """

    def carry(run_file: Path) -> None:
        subprocess.run([sys.executable, "-u", "-m", module, str(run_file)], check=True)

    return carry


def fingerprint(files: Sequence[Path], *, remedy: str) -> str:
    """SHA-256 over the files' contents, shortened.

    Args:
        remedy: how a file comes about.

    Raises:
        ExperimentError: one is not there.
    """
    digest = hashlib.sha256()
    for path in files:
        if not path.is_file():
            raise ExperimentError(f"there is no {path}; {remedy}")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def is_done(run: Run, places: Places) -> bool:
    """Whether a run is finished, with these very settings.

    Raises:
        ExperimentError: it was started or finished with others.
    """
    folder = places.folder(run.id)
    if (folder / RUN_FILE).is_file():
        was = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["run"]
        # Through JSON, so that tuples and lists compare.
        now = json.loads(json.dumps(run.as_dict()))
        changed = [
            key for key in now["settings"] if was["settings"].get(key) != now["settings"][key]
        ]
        if was != now:
            what = ", ".join(changed) or "needs"
            raise ExperimentError(
                f"{folder} was run with other settings ({what}); take another --work, or remove "
                "the folder and those that were made from it"
            )
    return (folder / DONE_FILE).is_file()


@contextmanager
def alone_in(work: Path) -> Iterator[None]:
    """Keeps a second process from making the same runs.

    Raises:
        ExperimentError: another one is at work.
    """
    work.mkdir(parents=True, exist_ok=True)
    with (work / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExperimentError(
                f"another process works in {work}; wait for it, or take another --work"
            ) from error
        yield


def make(
    runs: Sequence[Run],
    places: Places,
    *,
    carry: Carry,
    last: Collection[str] = (),
    progress: Callable[[str], None] = print,
) -> int:
    """Carry out what is not finished, in order.

    Args:
        last: stages that no other run goes on training from; their optimiser is not kept.

    Returns:
        number of runs that were carried out.

    Raises:
        ExperimentError: a run fails, or was made with other settings before.
    """
    open_runs = [run for run in runs if not is_done(run, places)]
    progress(f"{len(runs)} runs, {len(runs) - len(open_runs)} finished already")
    for number, run in enumerate(open_runs, start=1):
        folder = places.folder(run.id)
        folder.mkdir(parents=True, exist_ok=True)
        values = {"run": run.as_dict(), "places": places.as_dict()}
        _write(folder / RUN_FILE, json.dumps(values, indent=1) + "\n")
        progress(f"== {number}/{len(open_runs)} {run.id}")
        started = time.monotonic()
        try:
            carry(folder / RUN_FILE)
        except subprocess.CalledProcessError as error:
            raise ExperimentError(
                f"run {run.id} failed (exit status {error.returncode}; its message is above); "
                "the same command goes on with it"
            ) from error
        # The time of the last attempt only: an interrupted run goes on where it was.
        seconds = round(time.monotonic() - started, 1)
        _write(folder / DONE_FILE, json.dumps({"seconds": seconds}) + "\n")
        if run.stage in last:  # 100 MB
            (folder / "optimiser.pt").unlink(missing_ok=True)
    return len(open_runs)


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.rename(path)
