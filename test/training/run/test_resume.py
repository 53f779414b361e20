"""A run that is stopped, by whatever, goes on as if it had not been."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import training_run
from safetensors.torch import load_file

from lisa_model.errors import LisaError
from training.run import state as states
from training.run.log import read_metrics
from training.run.loop import train
from training.run.settings import parse_settings
from training.run.state import OPTIMIZER, WEIGHTS, checkpoints, newest_whole


def losses(out):
    return [(line["step"], line["loss"]) for line in read_metrics(out) if line["kind"] == "train"]


def same_weights(first, second):
    for name in (WEIGHTS, OPTIMIZER):
        one, two = load_file(first / name), load_file(second / name)
        assert one.keys() == two.keys()
        for key, tensor in one.items():
            assert torch.equal(tensor, two[key]), key


@pytest.fixture(scope="module")
def uninterrupted(inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    train(parse_settings(training_run.settings(inputs, out)), progress=False)
    return out


def stopped(inputs, out, *, after, monkeypatch):
    """Run until an error comes up in a step."""
    from training.run.steps import Learner

    step = Learner.step

    def failing(self, batches, *, number, rate):
        if number == after:
            raise KeyboardInterrupt
        return step(self, batches, number=number, rate=rate)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", failing)
        with pytest.raises(KeyboardInterrupt):
            train(parse_settings(training_run.settings(inputs, out)), progress=False)


def test_a_stopped_run_goes_on_bit_for_bit(inputs, uninterrupted, tmp_path, monkeypatch):
    out = tmp_path / "run"
    stopped(inputs, out, after=5, monkeypatch=monkeypatch)
    assert [step for step, _ in losses(out)] == [1, 2, 3, 4, 5]
    result = train(parse_settings(training_run.settings(inputs, out)), progress=False)
    assert losses(out) == losses(uninterrupted)
    same_weights(result.checkpoint, newest_whole(uninterrupted)[0])
    state = (result.checkpoint / "STATE.json").read_text()
    assert state.replace(str(out), "") == (
        (newest_whole(uninterrupted)[0] / "STATE.json").read_text()
    ).replace(str(uninterrupted), "")


def test_a_torn_checkpoint_is_left_out_with_a_message(
    inputs, uninterrupted, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "run"
    stopped(inputs, out, after=5, monkeypatch=monkeypatch)
    newest = checkpoints(out)[-1]
    data = bytearray((newest / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (newest / WEIGHTS).write_bytes(data)
    (out / "checkpoints" / "step-00000005.part").mkdir()
    result = train(parse_settings(training_run.settings(inputs, out)))
    said = capsys.readouterr().err
    assert f"{newest.name} is left out" in said
    assert "weights.safetensors is not as it was written" in said
    assert "from " + str(checkpoints(out)[0].parent / "step-00000002") in said
    assert not list((out / "checkpoints").glob("*.part"))
    assert losses(out) == losses(uninterrupted)
    same_weights(result.checkpoint, newest_whole(uninterrupted)[0])


@pytest.mark.parametrize("moment", range(7))
def test_a_run_that_dies_while_it_writes_goes_on(
    inputs, uninterrupted, tmp_path, monkeypatch, moment
):
    """At each of the calls that change something on the disk while step 4 is written."""
    out = tmp_path / "run"
    calls = iter(range(100))

    def dying(call):
        def wrapped(*args, **kwargs):
            if len(losses(out)) == 4 and next(calls) == moment:
                raise KeyboardInterrupt
            return call(*args, **kwargs)

        return wrapped

    with monkeypatch.context() as patch:
        for place, name in (
            (states, "write_safetensors"),
            (states, "_write_json"),
            (states, "_sync"),
            (Path, "rename"),
        ):
            patch.setattr(place, name, dying(getattr(place, name)))
        with pytest.raises(KeyboardInterrupt):
            train(parse_settings(training_run.settings(inputs, out)), progress=False)
    folder, messages = newest_whole(out)
    assert folder is not None
    # 2 files of tensors, 2 of JSON, the folder's list, then the rename.
    assert folder.name == ("step-00000002" if moment < 6 else "step-00000004")
    assert messages == []
    result = train(parse_settings(training_run.settings(inputs, out)), progress=False)
    assert losses(out) == losses(uninterrupted)
    same_weights(result.checkpoint, newest_whole(uninterrupted)[0])
    assert not list((out / "checkpoints").glob("*.part"))


@pytest.mark.parametrize("name", [WEIGHTS, "STATE.json", "MANIFEST.json"])
@pytest.mark.parametrize("harm", ["gone", "cut"])
def test_any_harm_to_a_checkpoint_is_seen(uninterrupted, tmp_path, name, harm):
    out = tmp_path / "run"
    shutil.copytree(uninterrupted, out)
    path = checkpoints(out)[-1] / name
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-5])
    folder, messages = newest_whole(out)
    assert folder == checkpoints(out)[-2]
    assert len(messages) == 1
    assert name in messages[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": {"learning_rate": 1e-3}}, "optimizer.learning_rate = 0.0003, now it is"),
        ({"accumulation": 3}, "images per step = 2, now it is 3"),
        ({"seed": 5}, "seed = 0, now it is 5"),
    ],
)
def test_other_settings_are_refused(inputs, uninterrupted, tmp_path, change, said):
    out = tmp_path / "run"
    shutil.copytree(uninterrupted, out)
    with pytest.raises(LisaError, match=said):
        train(parse_settings(training_run.settings(inputs, out, **change)), progress=False)


def test_another_runs_checkpoint_can_be_gone_on_with(inputs, uninterrupted, tmp_path):
    out = tmp_path / "other"
    begin = checkpoints(uninterrupted)[0]
    settings = parse_settings(training_run.settings(inputs, out))
    result = train(settings, resume_from=begin, progress=False)
    same_weights(result.checkpoint, newest_whole(uninterrupted)[0])
    with pytest.raises(LisaError, match="holds a run already"):
        train(settings, resume_from=begin, progress=False)


def test_only_the_newest_and_the_best_stay(inputs, tmp_path, monkeypatch):
    from training.run import loop
    from training.run.validate import Validation

    scores = iter([0.1, 0.9, 0.3, 0.2, 0.4])
    monkeypatch.setattr(
        loop,
        "validate",
        lambda *_, **__: Validation(giou=next(scores), ciou=0.0, images=1, pictures=()),
    )
    folder = inputs / "dataset" / "reason_seg" / "ReasonSeg" / "val"
    values = training_run.settings(
        inputs,
        tmp_path,
        steps=5,
        accumulation=1,
        checkpoints={"every": 1, "keep": 2},
        validation={"folder": str(folder), "every": 1},
    )
    train(parse_settings(values), progress=False)
    assert [path.name[-1] for path in checkpoints(tmp_path)] == ["2", "4", "5"]


@pytest.mark.slow
def test_a_killed_run_goes_on_bit_for_bit(inputs, tmp_path):
    values = {"steps": 30, "accumulation": 1, "checkpoints": {"every": 3}}
    out = tmp_path / "killed"
    config = training_run.write_config(
        tmp_path / "run.yaml", training_run.settings(inputs, out, **values)
    )
    process = subprocess.Popen(
        training_run.command(config),
        cwd=training_run.ROOT,
        env=training_run.environment(),
        stderr=subprocess.DEVNULL,
    )
    wanted = random.Random().randrange(3, 25)
    end = time.monotonic() + 120
    while len(losses(out)) < wanted and time.monotonic() < end and process.poll() is None:
        time.sleep(0.002)
    time.sleep(random.Random().random() * 0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it was killed"
    before = len(losses(out))
    assert before >= wanted
    done = training_run.run(training_run.command(config))
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "whole"
    train(parse_settings(training_run.settings(inputs, whole, **values)), progress=False)
    assert losses(out) == losses(whole), f"killed after step {before}"
    same_weights(newest_whole(out)[0], newest_whole(whole)[0])


def resident():
    """Memory of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


@pytest.mark.slow
def test_memory_stays_flat(inputs, tmp_path, monkeypatch):
    """Over 70 steps after the first 30, with validations and checkpoints in between."""
    from training.run.log import Log

    seen = {}
    advance = Log.advance

    def watching(self, step, loss):
        seen[step] = resident()
        advance(self, step, loss)

    monkeypatch.setattr(Log, "advance", watching)
    folder = inputs / "dataset" / "reason_seg" / "ReasonSeg" / "val"
    values = training_run.settings(
        inputs,
        tmp_path,
        steps=100,
        accumulation=1,
        checkpoints={"every": 25},
        validation={"folder": str(folder), "every": 25},
    )
    train(parse_settings(values), progress=False)
    # Steps that kept their batches, of some 0.25 MiB each, would add 17 MiB.
    assert seen[100] - seen[30] < 12.0
