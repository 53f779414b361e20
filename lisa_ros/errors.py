"""Errors with a stable code: what a request or a message can be refused for."""

from __future__ import annotations


class RequestError(Exception):
    """A request got no answer.

    Attributes:
        code: stable name, also the counter's name in /diagnostics and the service's error_code.
    """

    def __init__(self, *, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InputError(RequestError, ValueError):
    """An input was refused.

    Attributes:
        code: stable name, such as ``image_step``.
        field: what is wrong, as a path into the message, such as ``image.step``.
        problem: what was found there.
        remedy: what the sender or the user can do.
    """

    def __init__(self, *, code: str, field: str, problem: str, remedy: str) -> None:
        super().__init__(code=code, message=f"{field} {problem}. {remedy}.")
        self.field = field
        self.problem = problem
        self.remedy = remedy


# Codes that are not about a field of one message.
INTENT_WITHOUT_FRAME = "intent_without_frame"
STALE_FRAME = "stale_frame"
INTENT_REPLACED = "intent_replaced"
NOT_ACTIVE = "not_active"
INFERENCE_FAILED = "inference_failed"
SHUTTING_DOWN = "shutting_down"
INTERNAL_ERROR = "internal_error"
CANCELLED = "cancelled"
DEADLINE_EXCEEDED = "deadline_exceeded"
TARGET_WITHOUT_3D = "target_without_3d"
OUT_OF_MEMORY = "out_of_memory"
INFERENCE_HUNG = "inference_hung"
FOLLOW_FAILED = "follow_failed"
