"""A language model behind an OpenAI-compatible server: ``POST URL/chat/completions``.

Source of the protocol: OpenAI's API reference, "Create chat completion". The key comes from an
environment variable, goes into the request's header, and nowhere else: not into files, not into
messages, not to another host (redirections are refused), not over an unencrypted line to another
machine.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import urlsplit

from training.data.errors import DataError

_PATH = "/chat/completions"
_HERE = {"localhost", "127.0.0.1", "::1"}
_LONGEST_WAIT_S = 60.0
_SHOWN = 200  # characters of a server's message


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a redirection as the error that it is: headers would go with it."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _AgainError(Exception):
    """The request may succeed later."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class EndpointWriter:
    """Asks a server.

    Args:
        url: such as https://api.openai.com/v1.
        model: its name for the model.
        key: None for servers without one.
        key_name: environment variable of the key, for messages.
        temperature: of sampling.
        timeout_s: of a request [s].
        attempts: requests for one answer, with 1, 2, 4, ... seconds between them.
        sleep: waits.

    Raises:
        DataError: the URL is none, or would carry the key unencrypted.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        key_name: str = "OPENAI_API_KEY",
        temperature: float = 0.7,
        timeout_s: float = 60.0,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DataError(f"--endpoint must be an http or https address, got {url!r}")
        if parts.username or parts.password:
            raise DataError("--endpoint must not hold a password; use --key-env")
        if key and parts.scheme == "http" and parts.hostname not in _HERE:
            raise DataError(
                f"--endpoint {url} is not encrypted: the key of {key_name} would be readable on "
                "its way. Use https, or a server on this machine"
            )
        if key and not (key.isascii() and key.isprintable()):
            raise DataError(f"{key_name} holds no key: it has characters that no header may have")
        self.name = model
        self._url = url.rstrip("/") if url.rstrip("/").endswith(_PATH) else url.rstrip("/") + _PATH
        self._key, self._key_name = key, key_name
        self._temperature = temperature
        self._timeout_s, self._attempts, self._sleep = timeout_s, attempts, sleep
        self._opener = urllib.request.build_opener(_NoRedirect)

    def write(self, system: str, user: str, *, seed: str) -> str:
        """See :class:`training.data.rephrase.writers.Writer`."""
        values = {
            "model": self.name,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
            "temperature": self._temperature,
            "seed": int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") >> 1,
        }
        for attempt in range(self._attempts):
            try:
                return self._ask(json.dumps(values).encode("utf-8"))
            except _AgainError as error:
                last = error
            if attempt + 1 < self._attempts:
                wait = 2.0**attempt if last.wait_s is None else last.wait_s
                self._sleep(min(wait, _LONGEST_WAIT_S))
        raise DataError(
            f"{self._url} gave no answer in {self._attempts} attempts; the last: {last}. What was "
            "written so far is kept: run the same command again later"
        )

    def _ask(self, body: bytes) -> str:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                data = response.read()
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error)
        except TimeoutError as error:
            raise _AgainError(f"no answer within {self._timeout_s:g} s") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise _AgainError(f"no answer within {self._timeout_s:g} s") from error
            raise _AgainError(f"it cannot be reached ({error.reason})") from error
        except (http.client.HTTPException, ConnectionError) as error:
            raise _AgainError(f"the connection broke ({type(error).__name__})") from error
        try:
            content = json.loads(data)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            shown = self._clean(data)
            raise _AgainError(f"its answer is no chat completion: {shown}") from error
        if not isinstance(content, str):
            raise _AgainError("its answer holds no text")
        return content

    def _refused(self, error: urllib.error.HTTPError) -> NoReturn:
        """Raise what a status means."""
        if error.code in (401, 403):
            what = f"the key in {self._key_name}" if self._key else "requests without a key"
            raise DataError(
                f"{self._url} refuses {what} (HTTP {error.code}). Put a valid key into an "
                "environment variable and name it with --key-env"
            ) from None
        try:
            body = error.read(4 * _SHOWN)
        except (OSError, http.client.HTTPException):
            body = b""
        said = f"HTTP {error.code}: {self._clean(body)}"
        if error.code in (408, 409, 425, 429) or error.code >= 500:
            raise _AgainError(said, _seconds(error.headers.get("Retry-After"))) from None
        raise DataError(
            f"{self._url} refuses the request, {said}. Check --endpoint and --model"
        ) from None

    def _clean(self, data: bytes) -> str:
        """The beginning of a server's message, on one line and without the key."""
        text = " ".join(data.decode("utf-8", "replace").split())
        if self._key:
            text = text.replace(self._key, "***")
        return text[:_SHOWN] or "no message"


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; a date there is not read."""
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and 0.0 <= value < float("inf") else None
