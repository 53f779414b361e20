"""A sentencepiece model of the wanted size for a checkpoint with random weights."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import sentencepiece

# In the order in which LISA's training adds them to the base vocabulary.
ADDED_TOKENS = ("[SEG]", "<im_start>", "<im_end>")
# What the few sentences below allow, with the 256 byte pieces.
_TRAINED_PIECES = 420
_SENTENCES = (
    "A chat between a curious human and an artificial intelligence assistant.",
    "The assistant gives helpful, detailed, and polite answers to the human's questions.",
    "USER: Where is the object that I can change the TV channel with? ASSISTANT: It is here.",
    "Please output segmentation mask. Please respond with segmentation mask and explain why.",
    "Can you segment the cup in this image? Sure, it is the blue one beside the kettle.",
    "What is the thing on the table that keeps drinks warm? The thermos on the left side.",
    "Show me what I could cut bread with. Sure, the segmentation result is the long knife.",
    "Something to write a letter with, some paper, an envelope and 12 stamps, or 3456789.",
    "The robot picks up the remote control and puts it down on the sofa next to the cushion.",
    "You are a helpful language and vision assistant who understands the visual content.",
)
# Numbers of ModelProto and SentencePiece in sentencepiece_model.proto.
_PIECES_FIELD = 1
_UNUSED_TYPE = 5


def tokenizer_model(vocab: int, given: Path | None = None) -> bytes:
    """A model of exactly ``vocab`` pieces.

    Args:
        vocab: wanted pieces.
        given: a model to fill up; None trains one on a few sentences.

    Raises:
        ValueError: the model has more pieces than ``vocab``.
    """
    model = given.read_bytes() if given is not None else _trained()
    count = sentencepiece.SentencePieceProcessor(model_proto=model).vocab_size()
    if count > vocab:
        raise ValueError(f"the tokenizer has {count} pieces, the checkpoint is to have {vocab}")
    return model + b"".join(_unused_piece(f"<unused_{place}>") for place in range(count, vocab))


def _trained() -> bytes:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_SENTENCES),
        model_writer=out,
        model_type="bpe",
        vocab_size=_TRAINED_PIECES,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        num_threads=1,
        minloglevel=2,
    )
    return out.getvalue()


def _unused_piece(text: str) -> bytes:
    """One more entry of ModelProto.pieces.

    Protocol buffers may be appended to: entries of a repeated field that come later are added.
    """
    name = text.encode("utf-8")
    piece = b"\x0a" + bytes([len(name)]) + name  # 1: piece, a string
    piece += b"\x15" + struct.pack("<f", 0.0)  # 2: score, a float
    piece += b"\x18" + bytes([_UNUSED_TYPE])  # 3: type
    return bytes([_PIECES_FIELD << 3 | 2, len(piece)]) + piece
