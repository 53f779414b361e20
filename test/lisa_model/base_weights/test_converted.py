"""The real converted weights, where the user's cache has them (``make test`` puts them there).

Reference values of the vision encoder: the pinned ONNX file, run with ONNX Runtime 1.32 on CPU.
"""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

from lisa_model.base_weights import cache_root, ensure_base_weights, verify_base_weights

pytestmark = [pytest.mark.slow, pytest.mark.model]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once converted, nothing may be contacted."""

    def refuse(*_: object) -> None:
        raise AssertionError("a network connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def folder_of(name: str) -> Path:
    """The converted folder; skips the test where it was never made."""
    if not (cache_root() / name).is_dir():
        pytest.skip(f"{name} is not in {cache_root()}")
    return ensure_base_weights(name)


@pytest.mark.parametrize("name", ["smollm2-135m-instruct", "dinov2-small"])
def test_hashes(name: str) -> None:
    folder_of(name)
    verify_base_weights(name, progress=False)


def test_llm_answers_and_takes_a_new_token() -> None:
    folder = folder_of("smollm2-135m-instruct")
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(str(folder), local_files_only=True).eval()
    assert model.dtype == torch.float32
    assert (model.config.hidden_size, model.config.num_hidden_layers) == (576, 30)
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 2)
    assert len(tokenizer) == model.get_input_embeddings().num_embeddings == 49_152
    for text in ("change the TV channel", "I spilled 25 ml of milk, ugh!", "größer  «ok»\n\ta"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    with torch.no_grad():
        answer = model.generate(**prompt, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0, prompt["input_ids"].shape[1] :])
    assert tokenizer.add_special_tokens({"additional_special_tokens": ["[SEG]"]}) == 1
    seg = tokenizer.convert_tokens_to_ids("[SEG]")
    assert seg == 49_152
    ids = tokenizer.encode("Sure, [SEG].")
    assert ids.count(seg) == 1
    assert tokenizer.decode(ids) == "Sure, [SEG]."


def test_vision_encoder_equals_the_onnx_file() -> None:
    folder = folder_of("dinov2-small")
    model = AutoModel.from_pretrained(str(folder), local_files_only=True).eval()
    assert model.dtype == torch.float32
    pixels = np.sin(np.arange(3 * 224 * 224) * 0.01).astype(np.float32).reshape(1, 3, 224, 224)
    with torch.no_grad():
        states = model(torch.from_numpy(pixels)).last_hidden_state[0].numpy()
        wide = model(torch.zeros(1, 3, 420, 560)).last_hidden_state
    assert states.shape == (257, 384)
    reference = {
        (0, 0): [1.0567526817, -0.2619025707, 1.0568460226, -4.0878825188],
        (100, 0): [1.3909361362, 1.7076276541, 0.2091686875, -4.2774329185],
        (256, 380): [-1.5091049671, -2.3551006317, 2.3294460773, 1.1134678125],
    }
    for (row, column), values in reference.items():
        np.testing.assert_allclose(states[row, column : column + 4], values, atol=1e-4)
    assert wide.shape == (1, 1 + 30 * 40, 384)


def test_sentence_embeddings_know_what_things_are_for() -> None:
    folder = folder_of("minilm-l6-v2")
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    model = AutoModel.from_pretrained(str(folder), local_files_only=True).eval()
    things = ["mug", "hammer", "TV remote control", "book", "plate"]
    batch = tokenizer(
        ["something to drink coffee from", *things], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    weight = batch["attention_mask"].unsqueeze(-1)
    vectors = torch.nn.functional.normalize((states * weight).sum(1) / weight.sum(1), dim=-1)
    assert things[int((vectors[1:] @ vectors[0]).argmax())] == "mug"
