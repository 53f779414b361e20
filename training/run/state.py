"""The state of a run on disk: whole or not there.

A checkpoint is a folder ``checkpoints/step-00000500``:

* ``weights.safetensors``: what is trained, float32, under the network's names;
* ``optimizer.safetensors``: both moments of AdamW, float32, ``exp_avg/NAME`` and
  ``exp_avg_sq/NAME``, whatever the optimiser keeps (see :mod:`training.run.eight_bit`);
* ``STATE.json``: step, settings, data ledger, validation, and what the run began with;
* ``MANIFEST.json``: bytes and SHA-256 of these files.

The state of random generators is no part of it: they are seeded anew at every pass, see
:mod:`training.run.randomness`. Tensors are stored whole, so that a run can go on with another
number of processes.

It is written as ``step-00000500.part``, forced to the disk and renamed. A run that is killed at any
moment leaves the checkpoints before, and at most a ``.part`` folder, which the next start removes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from lisa_model.base_weights.manifest import sha256_of
from lisa_model.checkpoint.manifest import FileEntry
from lisa_model.checkpoint.tensor_file import TensorInfo
from lisa_model.checkpoint.writer import write_safetensors
from lisa_model.errors import LisaError, WeightsCorruptError, WeightsMissingError
from lisa_model.json_object import read_json_object
from training.run.processes import whole_shape
from training.run.steps import Learner

FOLDER = "checkpoints"
WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "STATE.json"
MANIFEST = "MANIFEST.json"
FORMAT = "lisa-training"
FORMAT_VERSION = 1
_NAME = re.compile(r"step-(\d{8})")


@dataclass(frozen=True, kw_only=True)
class State:
    """What STATE.json holds.

    Attributes:
        step: steps done.
        settings: of the run.
        curve: what the loss curve depends on; must be the same to go on.
        base: bytes of the files of the checkpoint that the run began with, by name.
        ledger: of the data.
        validation: gIoU, cIoU and number of images at this step, if there was one.
    """

    step: int
    settings: dict[str, Any]
    curve: dict[str, Any]
    base: dict[str, int]
    ledger: dict[str, Any]
    validation: dict[str, float]


def save(run: Path, learner: Learner, state: State, *, keep: int) -> Path:
    """Write a checkpoint and remove those that are not needed any more.

    All processes must call it: shards are put together; the first one writes.

    Args:
        run: folder of the run.
        keep: how many of the newest stay, beside the best.
    """
    folder = run / FOLDER / f"step-{state.step:08d}"
    part = folder.with_name(folder.name + ".part")
    first = learner.processes.first
    if first:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    files = {}
    update = learner.update
    whole = {name: whole_shape(parameter) for name, parameter in learner.parameters.items()}
    for name, shapes, tensors in (
        (WEIGHTS, whole, update.weights()),
        (OPTIMIZER, update.moment_shapes(), update.moments()),
    ):
        if first:
            files[name] = write_safetensors(part / name, _layout(part / name, shapes), tensors)
        else:
            for _ in tensors:
                pass
    if first:
        files[STATE] = _write_json(part / STATE, asdict(state))
        manifest = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "files": {name: asdict(entry) for name, entry in files.items()},
        }
        _write_json(part / MANIFEST, manifest)
        _sync(part)
        # Only a run that was stopped after its last rename has one already.
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
        _sync(folder.parent)
        for old in superfluous(run, keep):
            shutil.rmtree(old)
    learner.processes.wait()
    return folder


def restore(folder: Path, learner: Learner) -> None:
    """Put a checkpoint's weights and moments into a learner; every process reads the files.

    Raises:
        WeightsCorruptError: the checkpoint trains other parameters.
    """
    step = read_state(folder).step
    with (
        safe_open(str(folder / WEIGHTS), framework="pt") as weights,
        safe_open(str(folder / OPTIMIZER), framework="pt") as moments,
    ):
        if set(weights.keys()) != set(learner.parameters):
            different = sorted(set(weights.keys()) ^ set(learner.parameters))
            raise WeightsCorruptError(
                f"{folder / WEIGHTS} and this run do not train the same: {different[0]!r} and "
                f"{len(different) - 1} more are in one of them only"
            )
        names = set(weights.keys())
        learner.update.restore(
            step, lambda name: (weights if name in names else moments).get_tensor(name)
        )


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, the oldest first, whether they are whole or not."""
    folder = run / FOLDER
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def newest_whole(run: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that is whole, and a message for each newer one that is not."""
    messages = []
    for folder in reversed(checkpoints(run)):
        try:
            check(folder)
        except LisaError as error:
            messages.append(f"{folder.name} is left out: {error}")
            continue
        return folder, messages
    return None, messages


def check(folder: Path) -> None:
    """Compare all files of a checkpoint with its manifest.

    Raises:
        WeightsMissingError, WeightsCorruptError: naming the file.
    """
    manifest = read_json_object(folder / MANIFEST)
    if manifest.get("format") != FORMAT or manifest.get("format_version") != FORMAT_VERSION:
        raise WeightsCorruptError(
            f"{folder / MANIFEST} is of no checkpoint that this program knows"
        )
    try:
        files = {name: FileEntry(**entry) for name, entry in manifest["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise WeightsCorruptError(f"{folder / MANIFEST} lists no files ({error!r})") from error
    for name in (WEIGHTS, OPTIMIZER, STATE):
        path = folder / name
        if name not in files or not path.is_file():
            raise WeightsMissingError(f"{path} is missing")
        if path.stat().st_size != files[name].bytes or sha256_of(path) != files[name].sha256:
            raise WeightsCorruptError(f"{path} is not as it was written")
    read_state(folder)


def read_state(folder: Path) -> State:
    """STATE.json of a checkpoint.

    Raises:
        WeightsMissingError, WeightsCorruptError: it is not there, or not a state.
    """
    values = read_json_object(folder / STATE)
    try:
        return State(**values)
    except TypeError as error:
        raise WeightsCorruptError(f"{folder / STATE} is not a state: {error}") from error


def find(place: Path) -> Path:
    """The checkpoint that a run's folder (its newest whole one) or a checkpoint's folder means.

    Raises:
        WeightsMissingError: there is none.
        WeightsCorruptError: the checkpoint is not whole.
    """
    if _NAME.fullmatch(place.resolve().name) and (place / MANIFEST).is_file():
        check(place)
        return place
    folder, messages = newest_whole(place)
    if folder is None:
        raise WeightsMissingError(
            "\n".join([*messages, f"{place} is no run with a whole checkpoint, and no checkpoint"])
        )
    return folder


def remove_unfinished(run: Path) -> None:
    """Remove what a killed run left half-written."""
    if (run / FOLDER).is_dir():
        for part in (run / FOLDER).glob("*.part"):
            shutil.rmtree(part)


def best(run: Path) -> Path | None:
    """The checkpoint of the highest gIoU in validation; None where none was validated."""
    scores = {}
    for folder in checkpoints(run):
        with suppress(LisaError):
            giou = read_state(folder).validation.get("giou")
            if giou is not None:
                scores[folder] = giou
    return max(scores, key=lambda folder: scores[folder], default=None)


def superfluous(run: Path, keep: int) -> list[Path]:
    """Checkpoints that are neither among the newest ``keep`` nor the best by gIoU."""
    there = checkpoints(run)
    kept = {*there[-keep:], best(run)}
    return [folder for folder in there if folder not in kept]


def _layout(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, TensorInfo]:
    return {name: TensorInfo(path, shape, torch.float32) for name, shape in shapes.items()}


def _write_json(path: Path, values: Any) -> FileEntry:
    data = (json.dumps(values, indent=1) + "\n").encode("utf-8")
    with path.open("wb") as writer:
        writer.write(data)
        writer.flush()
        os.fsync(writer.fileno())
    return FileEntry(bytes=len(data), sha256=sha256_of(path))


def _sync(folder: Path) -> None:
    """Force a folder's list of names to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
