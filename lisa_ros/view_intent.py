"""The intent box: what a viewer publishes, as the text of an intent."""

from __future__ import annotations

import json

from rclpy.serialization import deserialize_message
from std_msgs.msg import String

from lisa_ros.errors import InputError
from lisa_ros.intent import check_intent

# In the order that viewers choose from; JSON needs no message definition on their side.
ENCODINGS = ("json", "cdr")
# Far beyond any intent; the node's own limit (max_intent_chars) is in characters.
MAX_BYTES = 64 * 1024


def intent_of(data: bytes, encoding: str) -> str:
    """Return the text of a std_msgs/String that a viewer published.

    Args:
        data: the payload.
        encoding: one of ENCODINGS: ``json``, ``{"data": "..."}``; or ``cdr``.

    Raises:
        InputError: code ``view_size``, ``view_encoding``, ``view_message``, or of ``check_intent``.
    """
    if len(data) > MAX_BYTES:
        raise InputError(
            code="view_size",
            field="intent",
            problem=f"has {len(data)} bytes",
            remedy=f"Send at most {MAX_BYTES} bytes",
        )
    if encoding == "json":
        return check_intent(_from_json(data))
    if encoding == "cdr":
        return check_intent(_from_cdr(data))
    raise InputError(
        code="view_encoding",
        field="encoding",
        problem=f"is {encoding[:40]!r}",
        remedy=f"Publish with one of {', '.join(ENCODINGS)}",
    )


def _from_json(data: bytes) -> str:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:  # undecodable bytes are a ValueError too
        raise _malformed(f"is no JSON ({error})") from error
    if not isinstance(message, dict) or not isinstance(message.get("data"), str):
        raise _malformed("has no text in 'data'")
    return str(message["data"])


def _from_cdr(data: bytes) -> str:
    try:
        return str(deserialize_message(data, String).data)
    except Exception as error:  # the middleware's own exceptions have no common class
        raise _malformed(f"is no CDR of std_msgs/String ({error})") from error


def _malformed(problem: str) -> InputError:
    return InputError(
        code="view_message",
        field="intent",
        problem=problem,
        remedy='Publish std_msgs/String: {"data": "change the TV channel"}',
    )
