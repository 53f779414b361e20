from __future__ import annotations

import torch
import training_run

from lisa_model.checkpoint.reader import open_checkpoint
from training.run.assembly import assemble
from training.run.memory import main, need, parameter_sizes
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
    assembly.learner.optimizer.step()
    empty = RunState(step=1, settings={}, curve={}, base={}, ledger={}, validation={})
    folder = save(tmp_path, assembly.learner, empty, keep=1)
    written = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    assert (folder / WEIGHTS).is_file()
    assert abs(written / wanted.disk["one checkpoint of the run"] - 1) < 0.05  # names and shapes


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
