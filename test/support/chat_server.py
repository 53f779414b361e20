"""An OpenAI-compatible server on this machine that does as a test tells it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ChatServer:
    """Answers requests by a list of replies; the last one is repeated.

    A reply is a text (a chat completion), bytes (sent as they are), a number (a status without
    more), a tuple (status, headers, body), or a float below 0 (so many seconds of silence).
    """

    def __init__(self, replies: list[Any]) -> None:
        self.replies = list(replies)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.url = ""

    def next(self) -> Any:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def serving(*replies: Any) -> Iterator[ChatServer]:
    """A server while the block runs."""
    state = ChatServer(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.requests.append(json.loads(body))
            state.headers.append(dict(self.headers))
            state.paths.append(self.path)
            reply = state.next()
            if isinstance(reply, float):
                time.sleep(-reply)
                return
            status, headers, data = 200, {}, reply
            if isinstance(reply, int):
                status, data = reply, b"{}"
            elif isinstance(reply, tuple):
                status, headers, data = reply
            elif isinstance(reply, str):
                message = {"role": "assistant", "content": reply}
                data = json.dumps({"choices": [{"message": message}]}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
