"""How turns become a prompt: the two templates that LISA checkpoints were trained with."""

from __future__ import annotations

from collections.abc import Sequence

from lisa_model.config import IM_END_TOKEN, IM_START_TOKEN
from lisa_model.llava.tokenizer import IMAGE_TOKEN

# A question and its answer; None where the model is to answer.
Turn = tuple[str, str | None]

_V1_SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
_LLAMA_2_SYSTEM = (
    "You are a helpful language and vision assistant. "
    "You are able to understand the visual content that the user provides, "
    "and assist the user with a variety of tasks using natural language."
)


def _llava_v1(turns: Sequence[Turn]) -> str:
    text = _V1_SYSTEM + " "
    for question, answer in turns:
        text += f"USER: {question} ASSISTANT:"
        text += "" if answer is None else f" {answer}</s>"
    return text


def _llava_llama_2(turns: Sequence[Turn]) -> str:
    text = ""
    for number, (question, answer) in enumerate(turns):
        if number == 0:
            question = f"<<SYS>>\n{_LLAMA_2_SYSTEM}\n<</SYS>>\n\n{question}"
        # The tokenizer puts the first <s>.
        text += "<s>" * (number > 0) + f"[INST] {question} [/INST]"
        text += "" if answer is None else f" {answer} </s>"
    return text


TEMPLATES = {"llava_v1": _llava_v1, "llava_llama_2": _llava_llama_2}
DEFAULT_TEMPLATE = "llava_v1"


def check_template(template: str) -> str:
    """Return the name of a template that exists.

    Raises:
        ValueError: naming those there are.
    """
    if template not in TEMPLATES:
        raise ValueError(f"conversation must be one of {', '.join(TEMPLATES)}, got {template!r}")
    return template


def prompt_text(turns: Sequence[Turn], template: str = DEFAULT_TEMPLATE) -> str:
    """The whole prompt; it ends open when the last turn has no answer yet.

    Raises:
        ValueError: there is no such template, no turn, or a turn before the last has no answer.
    """
    check_template(template)
    if not turns:
        raise ValueError("a prompt needs at least one turn")
    if any(answer is None for _, answer in turns[:-1]):
        raise ValueError("only the last turn can be without an answer")
    return TEMPLATES[template](turns)


def with_image(text: str) -> str:
    """The user's words behind the placeholder of the image, as in the first turn of a chat."""
    return f"{IM_START_TOKEN}{IMAGE_TOKEN}{IM_END_TOKEN}\n{text}"
