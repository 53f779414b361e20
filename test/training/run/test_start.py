from __future__ import annotations

import json
import shutil

import pytest
import torch

from lisa_model.checkpoint.reader import open_checkpoint
from lisa_model.errors import LisaError, WeightsCorruptError, WeightsMissingError
from lisa_model.llava.config import CheckpointConfig
from lisa_model.llava.model import LisaForCausalLM
from lisa_model.llava.tokenizer import LegacyTokenizer
from training.run.start import start

SAM = "model.visual_model."


@pytest.fixture
def sources(inputs, tmp_path):
    """A LLaVA with one added token, and a SAM, as they are published."""
    lisa = dict(open_checkpoint(inputs / "LISA-random").tensors())
    llava = tmp_path / "llava"
    llava.mkdir()
    for name in ("config.json", "tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(inputs / "LISA-random" / name, llava / name)
    (llava / "added_tokens.json").write_text(json.dumps({"<im_patch>": 500}))
    tensors = {
        key: tensor[:501].clone()
        if key in ("model.embed_tokens.weight", "lm_head.weight")
        else tensor
        for key, tensor in lisa.items()
        if SAM not in key and "text_hidden_fcs" not in key
    }
    torch.save(tensors, llava / "pytorch_model.bin")
    sam = {key.removeprefix(SAM): tensor for key, tensor in lisa.items() if SAM in key}
    torch.save(sam, tmp_path / "sam.pth")
    return llava, tmp_path / "sam.pth", tensors, sam


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_start_has_llavas_and_sams_weights_and_opens(sources, tmp_path, dtype):
    llava, file, tensors, sam = sources
    out = tmp_path / "start"
    start(llava, file, out, dtype=dtype)
    written = dict(open_checkpoint(out).tensors())
    rows = written["model.embed_tokens.weight"]
    assert rows.shape == (504, 64)
    assert torch.equal(rows[:501], tensors["model.embed_tokens.weight"].to(dtype))
    assert 0.01 < float(rows[501:].float().std()) < 0.03
    for key, tensor in tensors.items():
        if key not in ("model.embed_tokens.weight", "lm_head.weight") and "inv_freq" not in key:
            assert torch.equal(written[key], tensor.to(dtype)), key
    for key, tensor in sam.items():
        kept = torch.float32 if key.endswith("gaussian_matrix") else dtype
        assert torch.equal(written[SAM + key], tensor.to(kept)), key
    tokenizer = LegacyTokenizer.from_folder(out)
    assert (tokenizer.seg_id, tokenizer.vocab_size) == (501, 504)
    config = CheckpointConfig.read(out, open_checkpoint(out))
    assert config.out_dim == 32
    LisaForCausalLM.from_checkpoint(open_checkpoint(out), config)


def test_gamma_depends_on_the_seed(sources, tmp_path):
    llava, file, *_ = sources
    gammas = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        start(llava, file, tmp_path / name, seed=seed)
        gammas.append(
            dict(open_checkpoint(tmp_path / name).tensors(["model.text_hidden_fcs.0.0.weight"]))
        )
    first, again, other = (next(iter(one.values())) for one in gammas)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_wrong_sources_are_named(sources, inputs, tmp_path):
    llava, file, *_ = sources
    out = tmp_path / "x"
    with pytest.raises(LisaError, match="is a LISA checkpoint already"):
        start(inputs / "LISA-random", file, out)
    with pytest.raises(WeightsCorruptError, match="no checkpoint of Segment Anything"):
        start(llava, llava / "pytorch_model.bin", out)
    (llava / "tokenizer.model").unlink()
    with pytest.raises(WeightsMissingError, match=r"tokenizer\.model is missing"):
        start(llava, file, out)
    assert not out.exists()
