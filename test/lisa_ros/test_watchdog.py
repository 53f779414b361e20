from __future__ import annotations

from typing import Any

from lisa_ros.watchdog import Watchdog


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str) -> Any:
        self.lines.append(message)

    warning = error = info


def test_it_tells_once_that_the_inference_hangs_and_once_that_it_is_back():
    log = Log()
    watchdog = Watchdog(limit_s=lambda: 2.0, log=log)
    assert watchdog.look(0.0, "following") is None
    assert watchdog.look(2.0, "reading") is None
    hung = watchdog.look(2.5, "reading")
    assert hung is not None
    assert watchdog.hung is hung
    assert hung.code == "inference_hung"
    assert "watchdog_s = 2 s (stage: reading)" in str(hung)
    assert watchdog.look(3.0, "reading") is None
    assert watchdog.hung is hung
    assert watchdog.look(0.0, "following") is None
    assert watchdog.hung is None
    assert [line.split()[0] for line in log.lines] == ["inference_hung", "inference_back"]


def test_without_a_limit_it_never_does():
    watchdog = Watchdog(limit_s=lambda: 0.0, log=Log())
    assert watchdog.look(1e6, "reading") is None
    assert watchdog.hung is None
