"""Several processes over gloo learn what one process learns."""

from __future__ import annotations

import json

import pytest
import training_run
from safetensors.torch import load_file

from training.run.log import read_metrics
from training.run.loop import train
from training.run.settings import parse_settings
from training.run.state import OPTIMIZER, WEIGHTS, checkpoints, newest_whole

STEPS, HALF = 20, 10
TOLERANCE = 1e-4


def values(inputs, out, **changes):
    return training_run.comparable(inputs, out, STEPS, **changes)


@pytest.fixture(scope="module")
def runs(inputs, tmp_path_factory):
    """Folders of the same run of 4 images per step in one process, and in two by DDP and FSDP2.

    The last one was begun by one process and goes on, after half of it, in two.
    """
    folder = tmp_path_factory.mktemp("runs")
    outs = {name: folder / name for name in ("alone", "ddp", "fsdp2", "gone on")}
    train(parse_settings(values(inputs, outs["alone"], accumulation=4)), progress=False)
    two = {
        "ddp": {"parallel": "ddp", "batch": 1, "accumulation": 2, "gradient_checkpointing": False},
        "fsdp2": {"parallel": "fsdp2", "batch": 1, "accumulation": 2},
        "gone on": {"parallel": "fsdp2", "batch": 2, "accumulation": 1},
    }
    outs |= {name: folder / name for name in ("bfloat16 alone", "bfloat16")}
    half = {"precision": "bfloat16", "steps": 5}
    train(
        parse_settings(values(inputs, outs["bfloat16 alone"], accumulation=4, **half)),
        progress=False,
    )
    two["bfloat16"] = {"parallel": "fsdp2", **half}
    arguments = []
    for name, changes in two.items():
        path = folder / f"{name}.yaml"
        config = training_run.write_config(path, values(inputs, outs[name], **changes))
        begin = f"={checkpoints(outs['alone'])[0]}" if name == "gone on" else ""
        arguments.append(f"{config}{begin}")
    done = training_run.two_processes("test/support/training_worker.py", *arguments)
    assert done.returncode == 0, done.stderr
    for name, changes in two.items():
        assert f"2 processes, {changes['parallel']}" in done.stderr, name
    return outs


def losses(out):
    return {line["step"]: line["loss"] for line in read_metrics(out) if line["kind"] == "train"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "first"), [("ddp", 1), ("fsdp2", 1), ("gone on", HALF + 1)])
def test_two_processes_follow_the_curve_of_one(runs, name, first):
    one, two = losses(runs["alone"]), losses(runs[name])
    assert list(two) == list(range(first, STEPS + 1))
    assert max(abs(one[step] - two[step]) for step in two) <= TOLERANCE
    assert abs(one[STEPS] - one[1]) > 100 * TOLERANCE  # something was learnt at all


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddp", "fsdp2", "gone on"])
def test_two_processes_write_the_checkpoint_of_one(runs, name):
    one, two = newest_whole(runs["alone"])[0], newest_whole(runs[name])[0]
    for file in (WEIGHTS, OPTIMIZER):
        mine, theirs = load_file(one / file), load_file(two / file)
        assert mine.keys() == theirs.keys()
        for key, tensor in mine.items():
            assert theirs[key].shape == tensor.shape, key
            assert (theirs[key] - tensor).abs().max() <= TOLERANCE, key
    states = [json.loads((place / "STATE.json").read_text()) for place in (one, two)]
    assert states[0]["curve"] == states[1]["curve"]
    # Each image of the validation counted once, and each draw booked once.
    assert states[0]["validation"] == pytest.approx(states[1]["validation"], abs=1e-3)
    assert states[0]["ledger"] == states[1]["ledger"]


@pytest.mark.slow
def test_sharding_takes_weights_of_two_types(runs):
    """Frozen ones in bfloat16 beside trained ones in float32."""
    one, two = losses(runs["bfloat16 alone"]), losses(runs["bfloat16"])
    assert list(one) == list(two) == [1, 2, 3, 4, 5]
    assert max(abs(one[step] - two[step]) for step in two) <= 0.02
    weights = load_file(newest_whole(runs["bfloat16"])[0] / WEIGHTS)
    assert {str(tensor.dtype) for tensor in weights.values()} == {"torch.float32"}
