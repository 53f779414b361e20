"""Image encoders and gamma by configuration: what changes in training, and the merged model."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
import torch
import training_run
from start_sources import write_backbone, write_sources

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import LisaError
from lisa_model.segmenter import ReasoningSegmenter
from training.data.config import DataConfig, General, read_config
from training.data.errors import ConfigError
from training.run.assembly import assemble
from training.run.loop import train
from training.run.memory import parameter_sizes
from training.run.merge import export, merge
from training.run.policy import model_parts, parts
from training.run.processes import Processes
from training.run.settings import parse_settings
from training.run.start import start
from training.run.state import newest_whole, restore
from training.run.validate import predicted_mask, read_question

ENCODER = "model.visual_model.image_encoder."
GAMMA = "model.text_hidden_fcs."
# What the paper trains; the LLM's q_proj and v_proj change by LoRA.
USUAL = ("lm_head.", "model.embed_tokens.", "model.visual_model.mask_decoder.", GAMMA)
QV = tuple(f"model.layers.{k}.self_attn.{name}_proj.weight" for k in (0, 1) for name in "qv")

# Name -> sections of the configuration, and what changes beside the usual.
VARIANTS = {
    "sam": ({}, ()),
    "sam_lora": (
        {"vision": {"train": "lora", "lora_rank": 2, "lora_alpha": 8}},
        tuple(f"{ENCODER}blocks.{k}.attn.qkv.weight" for k in (0, 1)),
    ),
    "sam_all": ({"vision": {"train": "all"}}, (ENCODER,)),
    "sam_random": ({"vision": {"train": "all", "start": "random"}}, (ENCODER,)),
    "linear": ({"model": {"gamma": "linear"}}, ()),
    "mask2former": ({"vision": {"backbone": "mask2former"}}, (f"{ENCODER}adapter.",)),
    "dinov2": ({"vision": {"backbone": "dinov2"}}, (f"{ENCODER}adapter.",)),
}


@pytest.fixture(scope="module")
def bases(inputs, tmp_path_factory):
    """The checkpoint that each variant begins with."""
    folder = tmp_path_factory.mktemp("bases")
    llava, sam, *_ = write_sources(inputs / "LISA-random", folder)
    for kind, size in (("mask2former", 128), ("dinov2", 112)):
        backbone = write_backbone(kind, folder / f"{kind}-source")
        place = folder / kind
        start(llava, sam, place, dtype=torch.float32, backbone=backbone, image_size=size)
        tower = next(path.parent for path in inputs.rglob("preprocessor_config.json"))
        shutil.copytree(tower, place / "vision_tower")
    return lambda name: folder / name if (folder / name).is_dir() else inputs / "LISA-random"


@pytest.fixture(scope="module")
def runs(inputs, bases, tmp_path_factory):
    """Settings of a run of three steps by name; each is made once."""
    made = {}

    def run(name):
        if name not in made:
            changes, _ = VARIANTS[name]
            model = {"checkpoint": str(bases(name))} | changes.get("model", {})
            values = training_run.settings(
                inputs,
                tmp_path_factory.mktemp(name) / "run",
                **changes | {"steps": 3, "accumulation": 1, "model": model},
            )
            made[name] = parse_settings(values)
            train(made[name], progress=False)
        return made[name]

    return run


@pytest.fixture(scope="module")
def merged(inputs, runs):
    """The merged model of a run, beside the vision tower."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = inputs / f"merged-{name}"
            merge(runs(name).general.out, made[name])
        return made[name]

    return get


def all_parts(settings):
    return assemble(settings, Processes(device="cpu", parallel="ddp"))


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_meant_to_be_trained_changes_and_nothing_else(name, bases, runs, merged):
    out = runs(name).general.out
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 3
    assert all(math.isfinite(loss) for loss in losses)
    before = dict(open_checkpoint(bases(name)).tensors())
    after = dict(open_checkpoint(merged(name)).tensors())
    gone = {f"{GAMMA}0.2.weight", f"{GAMMA}0.2.bias"} if name == "linear" else set()
    assert {key for key in before if not key.endswith("inv_freq")} - set(after) == gone
    changed = {key for key, one in after.items() if not torch.equal(one, before[key])}
    wanted = (*USUAL, *QV, *VARIANTS[name][1])
    assert {key for key in changed if not key.startswith(wanted)} == set()
    for start_of in VARIANTS[name][1]:
        mine = {key for key in after if key.startswith(start_of)}
        assert mine
        assert mine <= changed


@pytest.mark.parametrize("name", VARIANTS)
def test_the_merged_model_opens_again_with_the_same_masks(name, runs, merged):
    settings = runs(name)
    assembly = all_parts(settings)
    restore(newest_whole(settings.general.out)[0], assembly.learner)
    root = read_config(settings.general.data).general.root
    sample = read_question(root / "reason_seg" / "ReasonSeg" / "val" / "three.jpg").sample
    assembly.learner.module.eval()
    mask = predicted_mask(assembly.learner, assembly.collate, sample)
    segmenter = ReasoningSegmenter.from_pretrained(merged(name))
    question = sample.conversations[0][0][0].removeprefix("<image>\n")
    found = segmenter.score(sample.image, question)
    assert (found.masks[0] != mask).mean() < 0.002
    # Half precision opens it too.
    half = ReasoningSegmenter.from_pretrained(merged(name), dtype="bfloat16")
    logits = half.score(sample.image, question).mask_logits
    np.testing.assert_allclose(logits, found.mask_logits, atol=0.3)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_table_shows_what_is_trained(name, bases, runs):
    settings = runs(name)
    lisa = all_parts(settings).learner.module.lisa
    rows = model_parts(lisa)
    trained = {row.name: row.trained for row in rows if row.trained}
    usual = {"LLM: embeddings", "LLM: LoRA", "LLM: head", "gamma (text_hidden_fcs)"}
    more = {
        "sam_lora": {"SAM: LoRA"},
        "sam_all": {"SAM: image encoder"},
        "sam_random": {"SAM: image encoder"},
        "mask2former": {"adapter of the backbone"},
        "dinov2": {"adapter of the backbone"},
    }
    assert set(trained) == usual | {"SAM: mask decoder"} | more.get(name, set())
    if name == "sam_lora":
        assert trained["SAM: LoRA"] == 2 * 2 * (32 + 96)  # blocks, rank, widths of qkv
    if name != "linear":  # whose sizes are not those of its checkpoint
        shapes = open_checkpoint(bases(name)).shapes
        assert parts(parameter_sizes(shapes, settings.lora.rank, settings.vision)) == rows


@pytest.mark.parametrize("name", ["sam_lora", "mask2former", "linear", "sam_random"])
def test_a_run_goes_on_as_if_it_had_not_stopped(name, inputs, bases, runs, tmp_path):
    changes, _ = VARIANTS[name]
    model = {"checkpoint": str(bases(name))} | changes.get("model", {})
    common = changes | {"steps": 3, "accumulation": 1, "model": model}
    common |= {"checkpoints": {"every": 1, "keep": 3}}
    out = tmp_path / "run"
    settings = parse_settings(training_run.settings(inputs, out, **common))
    train(settings, progress=False)
    last = newest_whole(out)[0]
    expected = open_weights(last)
    shutil.rmtree(last)
    train(settings, progress=False)
    for key, tensor in open_weights(newest_whole(out)[0]).items():
        assert torch.equal(tensor, expected[key]), key


def open_weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "weights.safetensors")


def test_the_backbone_stays_in_evaluation_mode(runs):
    """Swin drops whole paths in training mode: features would be random."""
    lisa = all_parts(runs("mask2former")).learner.module.lisa
    lisa.train()
    pixels = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        assert torch.equal(lisa.sam.encode(pixels), lisa.sam.encode(pixels))


@pytest.mark.parametrize("name", ["mask2former", "dinov2", "linear"])
def test_what_the_official_code_does_not_know_is_not_exported(name, merged, tmp_path):
    with pytest.raises(LisaError, match="The official code builds SAM's vit_h"):
        export(merged(name), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["sam_lora", "sam_all"])
def test_a_sam_that_was_trained_is_exported(name, merged, tmp_path):
    export(merged(name), tmp_path / "out")
    one = dict(open_checkpoint(tmp_path / "out").tensors())
    for key, tensor in open_checkpoint(merged(name)).tensors():
        assert torch.equal(one[key], tensor), key


def test_another_backbone_than_the_checkpoints_is_refused(inputs, bases, tmp_path):
    values = training_run.settings(inputs, tmp_path, vision={"backbone": "dinov2"})
    with pytest.raises(ConfigError, match=r"image encoder of .* is sam.*--backbone DIR"):
        all_parts(parse_settings(values))
    values = training_run.settings(inputs, tmp_path, model={"checkpoint": str(bases("dinov2"))})
    with pytest.raises(ConfigError, match=r"vision\.backbone is sam, but .* is dinov2"):
        all_parts(parse_settings(values))


@pytest.mark.parametrize(
    ("vision", "said"),
    [
        ({"backbone": "resnet"}, r"vision\.backbone must be one of sam, mask2former, dinov2"),
        ({"train": "some"}, r"vision\.train must be one of frozen, lora, all"),
        ({"start": "random"}, "vision: start: random needs train: all, got frozen"),
        ({"backbone": "dinov2", "train": "lora"}, "vision: backbone: dinov2 is frozen"),
        ({"train": "lora", "lora_rank": 0}, "vision: lora_rank must be at least 1"),
        ({"train": "lora", "lora_dropout": 1.0}, "vision: lora_dropout"),
    ],
)
def test_wrong_settings_are_named(vision, said, inputs, tmp_path):
    with pytest.raises(ConfigError, match=said):
        parse_settings(training_run.settings(inputs, tmp_path, vision=vision))


def test_the_curve_knows_the_variant_and_earlier_runs_go_on(inputs, tmp_path):
    data = DataConfig(general=General(root=tmp_path), families=())

    def curve(**changes):
        return parse_settings(training_run.settings(inputs, tmp_path, **changes)).curve(1, data)

    usual = curve()
    assert not any("vision" in key or "gamma" in key for key in usual)
    assert curve(vision={"train": "lora"}) != curve(vision={"train": "lora", "lora_rank": 4})
    assert curve(model={"gamma": "linear"}) != usual
