"""Who writes the paraphrases: a language model in a folder, or a server (see ``endpoint``)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import torch

from training.data.errors import DataError


class Writer(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """Of the model, for the file."""

    def write(self, system: str, user: str, *, seed: str) -> str:
        """Its answer to a message.

        Args:
            system, user: the messages.
            seed: of sampling; the same gives the same answer where the model allows it.

        Raises:
            DataError: there is no answer; says why.
        """


class LocalWriter:
    """A causal language model of transformers; nothing is fetched.

    Args:
        folder: with config.json, tokenizer and weights.
        temperature: of sampling.
        max_new_tokens: longest answer.
        device: of the model.

    Raises:
        DataError: the folder holds no such model.
    """

    def __init__(
        self,
        folder: Path,
        *,
        temperature: float,
        max_new_tokens: int = 256,
        device: str = "cpu",
    ) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if not (folder / "config.json").is_file():
            raise DataError(
                f"{folder} is no folder of a language model (config.json is missing). Name one, or "
                "a server with --endpoint"
            )
        self.name = folder.resolve().name
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{folder} cannot be opened as a language model: {error}") from error
        self._model.to(device).eval()
        self._temperature = temperature
        self._tokens = max_new_tokens

    @torch.inference_mode()
    def write(self, system: str, user: str, *, seed: str) -> str:
        """See :class:`Writer`."""
        if self._tokenizer.chat_template:
            turns = [{"role": "system", "content": system}, {"role": "user", "content": user}]
            text = self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
            ids = self._tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        else:
            ids = self._tokenizer(f"{system}\n\n{user}\n\n", return_tensors="pt").input_ids
        ids = ids.to(self._model.device)
        devices = [ids.device] if ids.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big"))
            out = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                temperature=self._temperature,
                top_p=0.95,
                max_new_tokens=self._tokens,
                pad_token_id=self._tokenizer.pad_token_id or self._tokenizer.eos_token_id or 0,
            )
        return str(self._tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
