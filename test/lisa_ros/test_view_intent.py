from __future__ import annotations

import json

import pytest
from rclpy.serialization import serialize_message
from std_msgs.msg import String

from lisa_ros.errors import InputError
from lisa_ros.view_intent import MAX_BYTES, intent_of


def test_both_encodings_give_the_text():
    for text in ("change the TV channel", "  something   to drink \n", "die Fernbedienung: größer"):
        cleaned = " ".join(text.split())
        assert intent_of(json.dumps({"data": text}).encode(), "json") == cleaned
        assert intent_of(serialize_message(String(data=text)), "cdr") == cleaned


@pytest.mark.parametrize(
    ("data", "encoding", "code"),
    [
        (b"", "json", "view_message"),
        (b"change the TV channel", "json", "view_message"),
        (b"\xff\xfe", "json", "view_message"),
        (b"[" * 50_000, "json", "view_message"),
        (b'["a"]', "json", "view_message"),
        (b'{"text": "a"}', "json", "view_message"),
        (b'{"data": 3}', "json", "view_message"),
        (b'{"data": ""}', "json", "intent_empty"),
        (b'{"data": "a <image> b"}', "json", "intent_special_token"),
        (b'{"data": "a\\u0007b"}', "json", "intent_control_character"),
        (json.dumps({"data": "a" * 5000}).encode(), "json", "intent_too_long"),
        (b" " * (MAX_BYTES + 1), "json", "view_size"),
        (b"", "cdr", "view_message"),
        (b"\x00\x01\x00\x00\xff\xff\xff\x7fabc", "cdr", "view_message"),
        (b"{}", "protobuf", "view_encoding"),
    ],
)
def test_anything_else_is_refused_with_its_reason(data: bytes, encoding: str, code: str):
    with pytest.raises(InputError) as caught:
        intent_of(data, encoding)
    assert caught.value.code == code
