"""DeepSpeed's ZeRO: two processes over gloo learn what one process learns."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import torch
import training_run
from safetensors.torch import load_file

from lisa_model.cli import main
from lisa_model.errors import LisaError
from training.data.errors import ConfigError
from training.run.log import read_metrics
from training.run.loop import train
from training.run.settings import parse_settings
from training.run.state import OPTIMIZER, WEIGHTS, checkpoints, newest_whole
from training.run.zero import BUCKET, engine_config, load_deepspeed

STEPS, HALF = 20, 10
TOLERANCE = 1e-4
# Name: where it begins, and its settings.
RUNS = {
    "zero2": (None, {"parallel": "zero2"}),
    "zero3": (None, {"parallel": "zero3", "gradient_checkpointing": False}),
    "zero2 offload": (None, {"parallel": "zero2", "offload": "optimizer"}),
    "zero3 offload": (None, {"parallel": "zero3", "offload": "optimizer"}),
    "alone to zero3": ("alone", {"parallel": "zero3", "batch": 2, "accumulation": 1}),
    "zero3 to zero2": ("zero3", {"parallel": "zero2"}),
    "zero2 to fsdp2": ("zero2", {"parallel": "fsdp2"}),
}
WHOLE = [name for name, (begin, _) in RUNS.items() if begin is None]
HALVES = [name for name in RUNS if name not in WHOLE]

needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="deepspeed is not installed"
)


def values(inputs, out, **changes):
    return training_run.comparable(inputs, out, STEPS, **changes)


def two_processes(*arguments):
    return training_run.two_processes("test/support/training_worker.py", *arguments)


@pytest.fixture(scope="module")
def runs(inputs, tmp_path_factory):
    """Folders of the same run of 4 images per step, by name; "alone" is that of one process."""
    folder = tmp_path_factory.mktemp("runs")
    outs = {name: folder / name for name in ("alone", *RUNS, "half", "half alone")}
    train(parse_settings(values(inputs, outs["alone"], accumulation=4)), progress=False)
    half = {"precision": "bfloat16", "steps": 5}
    alone = values(inputs, outs["half alone"], accumulation=4, **half)
    train(parse_settings(alone), progress=False)
    arguments = []
    for name, (begin, changes) in {**RUNS, "half": (None, {"parallel": "zero3", **half})}.items():
        path = folder / f"{name}.yaml"
        config = training_run.write_config(path, values(inputs, outs[name], **changes))
        place = f"={outs[begin] / 'checkpoints' / f'step-{HALF:08d}'}" if begin else ""
        arguments.append(f"{config}{place}")
    done = two_processes(*arguments)
    assert done.returncode == 0, done.stderr
    for name in WHOLE:
        assert f"2 processes, {RUNS[name][1]['parallel']}" in done.stderr, name
    return outs


def losses(out):
    return {line["step"]: line["loss"] for line in read_metrics(out) if line["kind"] == "train"}


@needs_deepspeed
@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_two_processes_follow_the_curve_of_one(runs, name):
    one, two = losses(runs["alone"]), losses(runs[name])
    assert list(two) == list(range(1 if name in WHOLE else HALF + 1, STEPS + 1))
    assert max(abs(one[step] - two[step]) for step in two) <= TOLERANCE
    assert abs(one[STEPS] - one[1]) > 100 * TOLERANCE  # something was learnt at all


@needs_deepspeed
@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_two_processes_write_the_checkpoint_of_one(runs, name):
    one, two = newest_whole(runs["alone"])[0], newest_whole(runs[name])[0]
    for file in (WEIGHTS, OPTIMIZER):
        mine, theirs = load_file(one / file), load_file(two / file)
        assert mine.keys() == theirs.keys()
        for key, tensor in mine.items():
            assert theirs[key].shape == tensor.shape, key
            assert (theirs[key] - tensor).abs().max() <= TOLERANCE, key


@needs_deepspeed
@pytest.mark.slow
def test_one_process_goes_on_with_a_sharded_checkpoint(inputs, runs, tmp_path):
    settings = parse_settings(values(inputs, tmp_path / "out", accumulation=4))
    train(settings, resume_from=checkpoints(runs["zero3"])[0], progress=False)
    one, two = losses(runs["alone"]), losses(tmp_path / "out")
    assert list(two) == list(range(HALF + 1, STEPS + 1))
    assert max(abs(one[step] - two[step]) for step in two) <= TOLERANCE


@needs_deepspeed
@pytest.mark.slow
def test_frozen_weights_may_be_bfloat16_beside_trained_ones_in_float32(runs):
    one, two = losses(runs["half alone"]), losses(runs["half"])
    assert list(one) == list(two) == [1, 2, 3, 4, 5]
    assert max(abs(one[step] - two[step]) for step in two) <= 0.02
    weights = load_file(newest_whole(runs["half"])[0] / WEIGHTS)
    assert {str(tensor.dtype) for tensor in weights.values()} == {"torch.float32"}


@needs_deepspeed
@pytest.mark.slow
def test_a_broken_gradient_stops_the_run(inputs, tmp_path):
    changes = {"parallel": "zero2", "optimizer": {"learning_rate": 1.0e30, "warm_up": 0}}
    config = training_run.write_config(
        tmp_path / "run.yaml", values(inputs, tmp_path / "out", **changes)
    )
    done = two_processes(str(config))
    assert done.returncode != 0
    assert "step 1: the gradient is" in done.stderr
    assert "The weights are as they were" in done.stderr
    assert list(losses(tmp_path / "out")) == [1]


def test_the_engines_configuration_is_the_official_recipe(inputs, tmp_path):
    settings = parse_settings(values(inputs, tmp_path, parallel="zero2", accumulation=7))
    assert engine_config(settings, 10**9) == {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 7,
        "gradient_clipping": 1.0,
        "zero_optimization": {
            "stage": 2,
            "contiguous_gradients": True,
            "overlap_comm": True,
            "reduce_scatter": True,
            "reduce_bucket_size": BUCKET,
            "allgather_bucket_size": BUCKET,
        },
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 1_000_000_000,
    }
    changes = {"parallel": "zero3", "offload": "optimizer"}
    zero = engine_config(parse_settings(values(inputs, tmp_path, **changes)), 1000)
    assert zero["zero_optimization"]["stage"] == 3
    assert zero["zero_optimization"]["offload_optimizer"]["device"] == "cpu"
    assert zero["zero_optimization"]["reduce_bucket_size"] == 1000


def test_without_deepspeed_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    with pytest.raises(LisaError, match=r"pip install '\.\[deepspeed\]'"):
        load_deepspeed(torch.device("cpu"))


def test_offload_needs_an_engine(inputs, tmp_path, capsys):
    with pytest.raises(ConfigError, match="it needs parallel: zero2 or zero3, got ddp"):
        parse_settings(values(inputs, tmp_path, offload="optimizer"))
    changes = {"parallel": "zero2", "offload": "optimizer"}
    config = training_run.write_config(tmp_path / "run.yaml", values(inputs, tmp_path, **changes))
    assert main(["train", str(config)]) == 1
    assert "torchrun --standalone --nproc-per-node 1" in capsys.readouterr().err
