"""The tokenisation that official LISA checkpoints were trained with.

It is that of transformers 4.31's slow LLaMA tokenizer with ``legacy=True``; no later release gives
the same ids around added tokens, so the rule is stated here on the sentencepiece model:

* the text is split at the literals of special and added tokens (longest match first);
* a fragment loses all white space on a side that faces an *added* token, and none beside ``<s>``,
  ``</s>`` and ``<unk>``;
* every fragment that is left is encoded by itself, so each begins with sentencepiece's dummy blank.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor

from lisa_model.config import IM_END_TOKEN, IM_START_TOKEN, SEG_TOKEN
from lisa_model.errors import WeightsCorruptError, WeightsMissingError

IMAGE_TOKEN = "<image>"
IMAGE_TOKEN_INDEX = -200
CONTROL_TOKENS = ("<s>", "</s>", "<unk>")
# Stands inside a literal that a user typed, so that it is read as plain text; a private-use
# character, taken out again before sentencepiece sees the text.
_PLAIN = "\ue000"


@dataclass(frozen=True)
class LegacyTokenizer:
    """Text to ids and back; see the module for the rule.

    Attributes:
        model: the sentencepiece model.
        added: ids of added tokens by their text.
    """

    model: Any
    added: dict[str, int]

    @classmethod
    def from_folder(cls, folder: Path) -> LegacyTokenizer:
        """Open ``tokenizer.model`` and ``added_tokens.json`` of a checkpoint.

        Raises:
            WeightsMissingError: a file is not there.
            WeightsCorruptError: a file cannot be read, or a token that LISA needs is not in it.
        """
        path, added_path = folder / "tokenizer.model", folder / "added_tokens.json"
        for file in (path, added_path):
            if not file.is_file():
                raise WeightsMissingError(
                    f"{file} is missing; copy it from the checkpoint's original folder"
                )
        try:
            model = SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as error:
            raise WeightsCorruptError(f"{path} is no sentencepiece model: {error}") from error
        try:
            added = {str(k): int(v) for k, v in json.loads(added_path.read_text("utf-8")).items()}
        except (ValueError, AttributeError) as error:
            raise WeightsCorruptError(f"{added_path} is no table of token ids: {error}") from error
        for token in (SEG_TOKEN, IM_START_TOKEN, IM_END_TOKEN):
            if token not in added:
                raise WeightsCorruptError(
                    f"{added_path} has no id for {token}: this is no LISA v1 checkpoint, or its "
                    "tokenizer was saved before the tokens were added"
                )
        return cls(model=model, added=added)

    @property
    def seg_id(self) -> int:
        """Id of [SEG]."""
        return self.added[SEG_TOKEN]

    @property
    def bos_id(self) -> int:
        """Id of <s>."""
        return int(self.model.bos_id())

    @property
    def eos_id(self) -> int:
        """Id of </s>, which ends an answer."""
        return int(self.model.eos_id())

    @property
    def pad_id(self) -> int:
        """Id of <unk>, with which LISA pads."""
        return int(self.model.unk_id())

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return max(int(self.model.get_piece_size()), 1 + max(self.added.values()))

    def _literals(self) -> re.Pattern[str]:
        literals = sorted({*CONTROL_TOKENS, *self.added}, key=len, reverse=True)
        return re.compile("(" + "|".join(re.escape(one) for one in literals) + ")")

    def _encode_piecewise(self, text: str) -> list[int]:
        parts = self._literals().split(text)  # fragments at even places, literals at odd ones
        ids: list[int] = []
        for place, part in enumerate(parts):
            if place % 2:
                ids.append(self.added[part] if part in self.added else self._control_id(part))
                continue
            if place and parts[place - 1] in self.added:
                part = part.lstrip()
            if place + 1 < len(parts) and parts[place + 1] in self.added:
                part = part.rstrip()
            if part := part.replace(_PLAIN, ""):
                ids.extend(self.model.encode(part))
        return ids

    def _control_id(self, token: str) -> int:
        return {"<s>": self.bos_id, "</s>": self.eos_id, "<unk>": self.pad_id}[token]

    def encode(self, text: str) -> list[int]:
        """Ids of a text without an image, <s> first."""
        return [self.bos_id, *self._encode_piecewise(text)]

    def encode_prompt(self, prompt: str) -> list[int]:
        """Ids of a prompt; each ``<image>`` becomes IMAGE_TOKEN_INDEX, one <s> comes first."""
        ids = [self.bos_id]
        for number, chunk in enumerate(prompt.split(IMAGE_TOKEN)):
            if number:
                ids.append(IMAGE_TOKEN_INDEX)
            ids.extend(self._encode_piecewise(chunk))
        return ids

    def neutralise(self, text: str) -> str:
        """Mark the literals of special tokens in a user's text, so that they stay plain text.

        Without it, a person who types "[SEG]" would make a mask, and "</s>" would end the turn.
        Text without such literals comes back unchanged.
        """
        text = text.replace(_PLAIN, "")
        literals = sorted({*CONTROL_TOKENS, IMAGE_TOKEN, *self.added}, key=len, reverse=True)
        pattern = re.compile("|".join(re.escape(one) for one in literals))
        return pattern.sub(lambda found: found[0][0] + _PLAIN + found[0][1:], text)

    def decode(self, ids: list[int]) -> str:
        """Text with all special tokens, blank for blank as the official scripts print it."""
        names = {number: token for token, number in self.added.items()}
        pieces: list[str] = []
        run: list[int] = []
        for token in [i for i in ids if i != IMAGE_TOKEN_INDEX]:
            if token in names:
                if run:
                    pieces.append(self._decode_run(run))
                    run = []
                pieces.append(names[token])
            else:
                run.append(token)
        if run:
            pieces.append(self._decode_run(run))
        return " ".join(pieces)

    def _decode_run(self, ids: list[int]) -> str:
        controls = {self.bos_id: "<s>", self.eos_id: "</s>", self.pad_id: "<unk>"}
        out, plain, after_control = "", [], False
        for place, token in enumerate(ids):
            if token not in controls:
                plain.append(token)
                after_control = False
                continue
            # The blank comes before the text that precedes the token: so the original does it.
            out += " " * (place > 0 and not after_control)
            out += self.model.decode(plain) + controls[token]
            plain, after_control = [], True
        return out + self.model.decode(plain)

    def decode_answer(self, ids: list[int]) -> str:
        """An answer as a person reads it: [SEG] spelled out, other special tokens left out."""
        text, run = "", []
        for token in [*ids, self.eos_id]:
            special = token == self.eos_id or token == self.pad_id or token in self.added.values()
            if not special and token != self.bos_id:
                run.append(token)
                continue
            words = self.model.decode(run).strip() if run else ""
            if words:
                glued = not text or words[0] in ".,;:!?)'"
                text += words if glued else " " + words
            run = []
            if token == self.seg_id:
                text += " " * bool(text) + SEG_TOKEN
        return text
