"""The writer of random checkpoints: names and shapes as released, and an answer with [SEG]."""

import math

import pytest
import sentencepiece
import torch
from safetensors import safe_open
from vectors import each_set

from benchmarks.checkpoint_shapes import SIZES, Sizes, clip_shapes, lisa_shapes
from benchmarks.checkpoint_tokenizer import tokenizer_model
from benchmarks.full_size_checkpoint import main
from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.llava.config import CheckpointConfig, find_tower
from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.tokenizer import LegacyTokenizer


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("written")
    main(["--out", str(out), "--size", "tiny", "--shard-gb", "0.0003", "--llm-layers", "3"])
    return out


def sizes_of(meta):
    config, sam, clip = meta["config"], meta["sam"], meta["clip"]
    return Sizes(
        vocab=meta["vocab"] - 3,
        llm_hidden=config["hidden_size"],
        llm_mlp=config["intermediate_size"],
        llm_layers=config["num_hidden_layers"],
        llm_heads=config["num_attention_heads"],
        out_dim=config["out_dim"],
        sam_image=sam["img"],
        sam_dim=sam["dim"],
        sam_layers=sam["depth"],
        sam_heads=sam["heads"],
        sam_global=tuple(sam["glob"]),
        sam_mlp=sam["mlp"],
        clip_image=clip["image_size"],
        clip_patch=clip["patch_size"],
        clip_hidden=clip["hidden_size"],
        clip_mlp=clip["intermediate_size"],
        clip_layers=clip["num_hidden_layers"],
        clip_heads=clip["num_attention_heads"],
    )


@each_set()
def test_names_and_shapes_are_the_official_ones(vectors):
    sizes = sizes_of(vectors.meta)
    expected = {key: tuple(one[0]) for key, one in vectors.meta["state_dict_keys"].items()}
    assert lisa_shapes(sizes) == expected
    with safe_open(str(vectors.clip / "model.safetensors"), framework="pt") as handle:
        tower = {key: tuple(handle.get_slice(key).get_shape()) for key in handle.offset_keys()}
    assert clip_shapes(sizes) == tower


def test_full_size_is_that_of_the_paper():
    def count(shapes, part=""):
        return sum(math.prod(shape) for key, shape in shapes.items() if part in key)

    shapes = lisa_shapes(SIZES["7b"])
    # SAM ViT-H has 641.09 M, CLIP ViT-L/14's vision side 303.18 M, LLaMA-7B 6738.4 M parameters.
    sam = count(shapes, "visual_model")
    assert sam == pytest.approx(641.09e6, rel=1e-3)
    assert count(clip_shapes(SIZES["7b"])) == pytest.approx(303.18e6, rel=1e-3)
    others = sam + count(shapes, "mm_projector") + count(shapes, "text_hidden_fcs")
    assert count(shapes) - others == pytest.approx(6738.4e6, rel=1e-3)
    shapes = lisa_shapes(SIZES["13b"])
    others = sum(count(shapes, p) for p in ("visual_model", "mm_projector", "text_hidden_fcs"))
    assert count(shapes) - others == pytest.approx(13015.9e6, rel=1e-3)


def test_the_checkpoint_is_whole(written):
    model, tower = written / "LISA-random", written / "clip-vit-large-patch14"
    checkpoint = open_checkpoint(model)
    assert len(checkpoint.files) > 1
    assert all(path.suffix == ".bin" for path in checkpoint.files)
    assert set(checkpoint.dtypes.values()) == {torch.bfloat16}
    assert "model.layers.2.mlp.up_proj.weight" in checkpoint.shapes
    config = CheckpointConfig.read(model, checkpoint)
    assert find_tower(model, config, None) == tower
    assert open_checkpoint(tower).shapes == clip_shapes(SIZES["tiny"])


def test_every_prompt_is_answered_with_a_mask(written):
    folder = written / "LISA-random"
    checkpoint = open_checkpoint(folder)
    config = CheckpointConfig.read(folder, checkpoint)
    model = LisaForCausalLM.from_checkpoint(checkpoint, config, dtype=torch.bfloat16)
    tokenizer = LegacyTokenizer.from_folder(folder)
    for text in ("USER: Where is the cup? ASSISTANT:", "zebra 7", "A"):
        ids = tokenizer.encode(text)
        answer = []
        with torch.no_grad():
            for _ in range(3):
                states = model.states(model.embed(torch.tensor([ids + answer])))
                answer.append(int(model.lm_head(states[0, -1]).argmax()))
        assert answer[:2] == [tokenizer.seg_id, tokenizer.eos_id], text


def test_writing_again_replaces_all_shards(tmp_path):
    arguments = ["--out", str(tmp_path), "--size", "tiny"]
    main([*arguments, "--shard-gb", "0.0003", "--seed", "1"])
    main([*arguments, "--shard-gb", "1", "--seed", "2"])
    names = [path.name for path in (tmp_path / "LISA-random").glob("pytorch_model*")]
    assert names == ["pytorch_model.bin"]


def test_a_given_tokenizer_is_filled_up(tmp_path):
    path = tmp_path / "small.model"
    path.write_bytes(tokenizer_model(430))
    model = sentencepiece.SentencePieceProcessor(model_proto=tokenizer_model(32000, path))
    assert model.vocab_size() == 32000
    assert (model.unk_id(), model.bos_id(), model.eos_id()) == (0, 1, 2)
    text = "Segment the <unused_431> thing, naïve 9!"
    ids = model.encode(text)
    assert max(ids) < 430
    assert model.decode(ids) == text
    with pytest.raises(ValueError, match="430 pieces"):
        tokenizer_model(400, path)
