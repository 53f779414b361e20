"""GGUF -> transformers, on a small random LLaMA with a byte-level tokenizer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from lisa_model.base_weights.convert import convert
from lisa_model.base_weights.llama_gguf import convert_llama_gguf
from lisa_model.errors import WeightsCorruptError

from .conftest import build_source

LAYERS, WIDTH, HEADS, KV_HEADS, MLP = 2, 64, 4, 2, 96
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
)


def byte_tokens() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in byte order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(byte if byte in plain else next(spare)) for byte in range(256)]


MERGES = ["h e", "l l", "he ll", "hell o"]
TOKENS = [*SPECIAL, *byte_tokens(), *(merge.replace(" ", "") for merge in MERGES)]
NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=WIDTH,
        intermediate_size=MLP,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=128,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    return LlamaForCausalLM(config).eval()


def interleave(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp's row order of query and key: pairs of one rotary frequency side by side."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, -1)


def write_gguf(
    path: Path, model: LlamaForCausalLM, *, skip: str = "", quantise: bool = False
) -> None:
    """Store ``model`` as llama.cpp would, without the tensor ``skip``."""
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    tensors = {
        "token_embd.weight": state["model.embed_tokens.weight"],
        "output_norm.weight": state["model.norm.weight"],
    }
    for layer in range(LAYERS):
        for present, stored in NAMES.items():
            value = state[f"model.layers.{layer}.{present}.weight"]
            if stored in ("attn_q", "attn_k"):
                value = interleave(value, HEADS if stored == "attn_q" else KV_HEADS)
            tensors[f"blk.{layer}.{stored}.weight"] = value
    for name, value in tensors.items():
        if name == skip:
            continue
        if quantise and value.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            packed = gguf.quants.quantize(np.ascontiguousarray(value), kind)
            writer.add_tensor(name, packed, raw_dtype=kind)
        else:
            writer.add_tensor(name, np.ascontiguousarray(value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_converted_llm_computes_the_same(
    model: LlamaForCausalLM, tmp_path: Path, target: Path
) -> None:
    write_gguf(tmp_path / "tiny.gguf", model)
    convert_llama_gguf(tmp_path / "tiny.gguf", target)
    back = AutoModelForCausalLM.from_pretrained(str(target), local_files_only=True).eval()
    assert back.dtype == torch.float32
    ids = torch.tensor([[1, 70, 80, 90, 259, 2]])
    with torch.no_grad():
        torch.testing.assert_close(back(ids).logits, model(ids).logits)


def test_quantised_weights_become_plain_float32(
    model: LlamaForCausalLM, tmp_path: Path, target: Path
) -> None:
    write_gguf(tmp_path / "tiny.gguf", model, quantise=True)
    convert_llama_gguf(tmp_path / "tiny.gguf", target)
    assert "quantization_config" not in json.loads((target / "config.json").read_text())
    back = AutoModelForCausalLM.from_pretrained(str(target), local_files_only=True)
    stored = back.model.layers[0].mlp.up_proj.weight.detach().numpy()
    weight = model.model.layers[0].mlp.up_proj.weight.detach().numpy()
    kind = gguf.GGMLQuantizationType.Q4_1
    expected = gguf.quants.dequantize(gguf.quants.quantize(weight, kind), kind)
    np.testing.assert_array_equal(stored, expected)
    assert not np.array_equal(stored, weight)


def test_tokenizer_survives(model: LlamaForCausalLM, tmp_path: Path, target: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", model)
    convert_llama_gguf(tmp_path / "tiny.gguf", target)
    tokenizer = AutoTokenizer.from_pretrained(str(target), local_files_only=True)
    assert tokenizer.is_fast
    assert len(tokenizer) == len(TOKENS)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 2)
    assert tokenizer.encode("hello") == [TOKENS.index("hello")]
    text = "hello, wörld 25 <3"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "hello"}], tokenize=False)
    assert chat == "<|im_start|>user\nhello<|im_end|>\n"


def test_a_missing_tensor_is_named(model: LlamaForCausalLM, tmp_path: Path, target: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", model, skip="blk.1.ffn_up.weight")
    with pytest.raises(WeightsCorruptError, match=r"layers\.1\.mlp\.up_proj"):
        convert_llama_gguf(tmp_path / "tiny.gguf", target)


def test_nothing_but_our_own_bars_is_shown(
    model: LlamaForCausalLM, tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_gguf(tmp_path / "tiny.gguf", model, quantise=True)
    source = replace(build_source({"tiny.gguf": b"x"}), converter="llama-gguf")
    convert(source, tmp_path, target)
    assert (target / "model.safetensors").is_file()
    assert capsys.readouterr().err == ""
