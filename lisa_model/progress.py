"""What an answer in the making tells, and how it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What is being computed."""

    READING = "reading"  # the image is encoded
    ANSWERING = "answering"  # the LLM writes
    MARKING = "marking"  # masks are decoded


@dataclass(frozen=True)
class Progress:
    """Where an answer stands.

    Attributes:
        stage: what begins now; ANSWERING comes again with every token.
        tokens: how many tokens the answer has so far.
        decode: makes the text of them; costs something, so it is called only when wanted.
    """

    stage: Stage
    tokens: int = 0
    decode: Callable[[], str] = str

    @property
    def text(self) -> str:
        """The answer so far, with [SEG]."""
        return self.decode()


# Called on the thread that computes. What it raises ends the answer at once and reaches the caller
# of ``segment``: that is how an answer is given up midway.
OnProgress = Callable[[Progress], None]


def report(on_progress: OnProgress | None, stage: Stage) -> None:
    """Tell that a stage begins."""
    if on_progress is not None:
        on_progress(Progress(stage))


def token_reporter(
    on_progress: OnProgress | None, decode: Callable[[list[int]], str]
) -> Callable[[list[int]], None] | None:
    """What a generation loop calls with all ids so far; None when nobody listens.

    Args:
        on_progress: who listens.
        decode: text of ids.
    """
    if on_progress is None:
        return None
    listen = on_progress

    def on_token(ids: list[int]) -> None:
        so_far = list(ids)
        listen(Progress(Stage.ANSWERING, len(so_far), lambda: decode(so_far)))

    return on_token
