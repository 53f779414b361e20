from __future__ import annotations

import importlib.util
import json

import pytest
import torch
import training_run

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.quantization import stored_bytes
from training.run.assembly import assemble
from training.run.memory import main, need, parameter_sizes
from training.run.memory_table import WAYS
from training.run.policy import model_parts, parts
from training.run.processes import Processes
from training.run.settings import parse_settings
from training.run.state import WEIGHTS, save
from training.run.state import State as RunState


def shapes(inputs):
    folders = ("LISA-random", "clip-vit-large-patch14")
    return tuple(open_checkpoint(inputs / folder).shapes for folder in folders)


def test_the_table_from_shapes_is_that_of_the_loaded_model(inputs, tmp_path):
    settings = parse_settings(training_run.settings(inputs, tmp_path))
    assembly = assemble(settings, Processes(device="cpu", parallel="ddp"))
    lisa, clip = shapes(inputs)
    loaded = model_parts(assembly.learner.module.lisa)
    assert parts(parameter_sizes(lisa, settings.lora.rank)) == loaded
    wanted = need(settings, lisa, clip, processes=1)
    parameters = list(assembly.learner.module.parameters())
    assert sum(p.nbytes for p in parameters) == (
        wanted.memory["frozen weights"] + wanted.memory["trained weights (float32)"]
    )
    moments = sum(2 * p.numel() * 4 for p in parameters if p.requires_grad)
    assert wanted.memory["AdamW's moments (float32)"] == moments
    for parameter in assembly.learner.parameters.values():
        parameter.grad = torch.zeros_like(parameter)
    assembly.learner.update.optimizer.step()
    empty = RunState(step=1, settings={}, curve={}, base={}, ledger={}, validation={})
    folder = save(tmp_path, assembly.learner, empty, keep=1)
    written = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    assert (folder / WEIGHTS).is_file()
    assert abs(written / wanted.disk["one checkpoint of the run"] - 1) < 0.05  # names and shapes


needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("quantization", "optimizer"),
    [
        ("none", "adamw"),
        ("int8", "adamw"),
        pytest.param("nf4", "adamw", marks=needs_bitsandbytes),
        pytest.param("nf4", "adamw8bit", marks=needs_bitsandbytes),
    ],
)
def test_the_computed_bytes_are_those_of_the_tensors(
    inputs, tmp_path, precision, quantization, optimizer
):
    changes = {"precision": precision, "quantization": quantization}
    values = training_run.settings(inputs, tmp_path, optimizer={"name": optimizer}, **changes)
    settings = parse_settings(values)
    update = assemble(settings, Processes(device="cpu", parallel="ddp")).learner.update
    lisa, clip = shapes(inputs)
    memory = need(settings, lisa, clip, processes=1).memory
    for parameter in update.parameters.values():
        parameter.grad = torch.zeros_like(parameter)
    update.optimizer.step()
    assert sum(p.nbytes for p in update.parameters.values()) == memory["trained weights (float32)"]
    assert sum(p.grad.nbytes for p in update.parameters.values()) == memory["gradients (float32)"]
    # Without the tables of levels, which all parameters share, and the count of steps.
    moments = sum(
        tensor.nbytes
        for state in update.optimizer.state.values()
        for name, tensor in state.items()
        if name != "step" and not name.startswith("qmap")
    )
    (computed,) = (size for name, size in memory.items() if name.startswith("AdamW"))
    assert moments == computed


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "quantization", ["none", "int8", pytest.param("nf4", marks=needs_bitsandbytes)]
)
def test_the_computed_bytes_of_frozen_weights_are_those_of_the_tensors(
    inputs, tmp_path, precision, quantization
):
    values = training_run.settings(inputs, tmp_path, precision=precision, quantization=quantization)
    settings = parse_settings(values)
    learner = assemble(settings, Processes(device="cpu", parallel="ddp")).learner
    memory = need(settings, *shapes(inputs), processes=1).memory
    held = sum(stored_bytes(p) for p in learner.module.parameters() if not p.requires_grad)
    assert held == memory["frozen weights"]
    assert sum(p.nbytes for p in learner.tower.parameters()) == memory["vision tower"]


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="deepspeed is not installed"
)
def test_two_processes_hold_the_computed_bytes(inputs, tmp_path):
    ways = ["ddp", "fsdp2", "zero2", "zero3"]
    settings, configs = {}, []
    for way in ways:
        values = training_run.settings(inputs, tmp_path, parallel=way, precision="bfloat16")
        settings[way] = parse_settings(values)
        configs.append(str(training_run.write_config(tmp_path / f"{way}.yaml", values)))
    done = training_run.two_processes("test/support/state_bytes.py", *configs)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line["parallel"] for line in lines] == ways
    # Both processes together; shards are padded, which the tiny model's many small tensors show.
    for line in lines:
        memory = need(settings[line["parallel"]], *shapes(inputs), processes=2).memory
        for name, computed in (
            ("frozen", "frozen weights"),
            ("trained", "trained weights (float32)"),
            ("copies", "the optimiser's copy of the weights"),
            ("moments", "AdamW's moments (float32)"),
        ):
            expected = 2 * memory.get(computed, 0)
            assert line[name] == pytest.approx(expected, rel=0.005), (line["parallel"], name)


def test_the_table_has_each_way_as_computed(inputs, tmp_path, capsys):
    values = training_run.settings(inputs, tmp_path, precision="bfloat16")
    config = training_run.write_config(tmp_path / "run.yaml", values)
    main([str(config), "--table", "--size", "7b", "--size", "13b"])
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith(str(config))] == [
        f"{config}, 7b",
        f"{config}, 13b",
    ]
    rows = [line.split(" | ") for line in out.splitlines() if "GPU" in line and "CPU," not in line]
    assert [row[0].removeprefix("| ") for row in rows] == 2 * [way.name for way in WAYS]
    for row in rows:
        frozen, trained, other, together = (float(cell) for cell in row[1:5])
        assert frozen + trained + other == pytest.approx(together, abs=0.02)
    by_name = {row[0].removeprefix("| "): float(row[4]) for row in rows[: len(WAYS)]}
    assert by_name["one GPU, `nf4`"] < by_name["one GPU, `int8`"] < by_name["one GPU"]
    assert by_name["8 GPUs, `zero3`"] < by_name["8 GPUs, `zero2`"]


def test_sharding_divides_what_is_held_and_adds_what_is_gathered(inputs, tmp_path):
    lisa, clip = shapes(inputs)
    values = training_run.settings(inputs, tmp_path, parallel="fsdp2")
    one = need(parse_settings(values), lisa, clip, processes=1)
    four = need(parse_settings(values), lisa, clip, processes=4)
    assert "gathered at a time" not in one.memory
    assert four.memory["frozen weights"] == one.memory["frozen weights"] // 4
    assert four.memory["vision tower"] == one.memory["vision tower"]
    root = sum(one.memory[name] for name in ("trained weights (float32)", "gradients (float32)"))
    assert four.memory["gathered at a time"] > root / 2
    assert four.disk == one.disk


def test_the_papers_size(tmp_path, capsys, inputs):
    config = training_run.write_config(
        tmp_path / "run.yaml", training_run.settings(inputs, tmp_path, precision="bfloat16")
    )
    main([str(config), "--size", "13b"])
    lines = capsys.readouterr().out.splitlines()
    lora = next(line for line in lines if line.startswith("LLM: LoRA"))
    assert "6,553,600" in lora  # as the official training prints
    main([str(config)])
    assert "memory of each process" in capsys.readouterr().out
