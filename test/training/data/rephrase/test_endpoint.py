from __future__ import annotations

import json

import pytest
from chat_server import serving

from training.data.errors import DataError
from training.data.rephrase.endpoint import EndpointWriter

KEY = "sk-secret-0123456789"


def ask(server, *, waits=None, **options):
    waits = [] if waits is None else waits
    writer = EndpointWriter(server.url, "m", sleep=waits.append, **options)
    return writer.write("system", "user", seed="0/a/0")


def test_a_request_is_a_chat_completion():
    with serving("One?\nTwo?") as server:
        assert ask(server, key=KEY, temperature=0.5) == "One?\nTwo?"
        assert ask(server) == "One?\nTwo?"
    first, second = server.requests
    assert server.paths == ["/v1/chat/completions"] * 2
    assert (first["model"], first["temperature"]) == ("m", 0.5)
    assert [one["role"] for one in first["messages"]] == ["system", "user"]
    assert first["seed"] == second["seed"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert "Authorization" not in server.headers[1]


@pytest.mark.parametrize(
    "trouble",
    [500, 503, 429, b"{not json", b'{"choices": []}', b'{"choices": [{"message": {}}]}'],
)
def test_trouble_that_passes_is_waited_out(trouble):
    waits = []
    with serving(trouble, trouble, "fine") as server:
        assert ask(server, waits=waits) == "fine"
    assert waits == [1.0, 2.0]


def test_the_server_says_how_long_to_wait():
    waits = []
    replies = [(429, {"Retry-After": after}, b"") for after in ("7", "9999", "soon")]
    with serving(*replies, "fine") as server:
        assert ask(server, waits=waits) == "fine"
    assert waits == [7.0, 60.0, 4.0]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ((429, {}, b"slow down"), "gave no answer in 3 attempts; the last: HTTP 429: slow down"),
        ((500, {}, b""), "HTTP 500: no message"),
        (b"<html>", "its answer is no chat completion: <html>"),
    ],
)
def test_trouble_that_stays_is_told(trouble, said):
    with serving(trouble) as server, pytest.raises(DataError, match=said):
        ask(server, attempts=3)
    assert len(server.requests) == 3


def test_a_silent_server_is_given_up():
    with serving(-0.5) as server, pytest.raises(DataError, match=r"no answer within 0\.1 s"):
        ask(server, timeout_s=0.1, attempts=2)


def test_a_server_that_is_not_there_is_told():
    with serving("x") as server:
        pass
    with pytest.raises(DataError, match="it cannot be reached"):
        ask(server, attempts=2)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_and_not_asked_again(status):
    with serving((status, {}, f"bad key {KEY}".encode())) as server:
        with pytest.raises(DataError, match=r"refuses the key in MY_KEY .*--key-env") as error:
            ask(server, key=KEY, key_name="MY_KEY")
        with pytest.raises(DataError, match="refuses requests without a key"):
            ask(server)
    assert KEY not in str(error.value)
    assert len(server.requests) == 2


def test_a_wrong_request_is_not_repeated_and_the_key_stays_secret():
    body = json.dumps({"error": f"no model m for {KEY}"}).encode()
    said = r"HTTP 404: .*no model m for .* and --model"
    with serving((404, {}, body)) as server, pytest.raises(DataError, match=said) as error:
        ask(server, key=KEY)
    assert KEY not in str(error.value)
    assert len(server.requests) == 1


def test_the_key_does_not_follow_a_redirection():
    with serving("stolen") as other:
        for status in (301, 302, 307, 308):
            said = pytest.raises(DataError, match=f"HTTP {status}")
            with serving((status, {"Location": other.url}, b"")) as server, said:
                ask(server, key=KEY)
    assert other.requests == []


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("ftp://a", {}, "must be an http or https address"),
        ("api.openai.com/v1", {}, "must be an http or https address"),
        ("https://a:b@c/v1", {}, "must not hold a password"),
        ("http://example.com/v1", {"key": KEY}, "is not encrypted: the key of OPENAI_API_KEY"),
        ("https://example.com/v1", {"key": "a\nb"}, "OPENAI_API_KEY holds no key"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url, options, said):
    with pytest.raises(DataError, match=said) as error:
        EndpointWriter(url, "m", **options)
    assert KEY not in str(error.value)
