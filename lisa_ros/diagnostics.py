"""What the node has done, refused and taken: counters, last error, stage timings.

Thread-safe: the executor's and the inference thread count, the executor's thread reports.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

# A refusal or a failure is shown as a warning for this long.
RECENT_S = 10.0
# Number of answers that the percentiles are taken over.
TIMING_WINDOW = 100
# Malformed messages may come at the camera's rate: each kind is logged at most this often.
LOG_PERIOD_S = 5.0


@dataclass(frozen=True)
class NodeState:
    """What the node itself knows at the moment of a report.

    Attributes:
        lifecycle: label of the lifecycle state, such as ``active``.
        model, device: as loaded; empty when none is.
        frame_age_s: since the newest colour image arrived; None when there is none.
        busy: an inference is running.
        stage: what the running request does; "" when none runs.
        following: the intent whose targets are followed; "" for none.
        hung: why the inference counts as hung; "" when it does not.
    """

    lifecycle: str
    model: str = ""
    device: str = ""
    frame_age_s: float | None = None
    busy: bool = False
    stage: str = ""
    following: str = ""
    hung: str = ""


class Diagnostics:
    """Counters by name, the last error, and the last timings of each stage."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._timings: dict[str, deque[float]] = {}
        self._last_error = ""
        self._last_error_time = float("-inf")
        self._last_logged: dict[str, float] = {}

    def count(self, name: str) -> None:
        """Add one to a counter of something ordinary, such as ``frames_received``."""
        with self._lock:
            self._counters[name] += 1

    def count_refused(self, code: str, message: str) -> int:
        """Count a refusal or failure as ``refused.<code>`` and keep its message as the last error.

        Returns:
            How often this code has been counted.
        """
        with self._lock:
            self._counters[f"refused.{code}"] += 1
            self._last_error = f"{code}: {message}"
            self._last_error_time = self._clock()
            return self._counters[f"refused.{code}"]

    def should_log(self, code: str) -> bool:
        """Tell whether a repeated message of this kind is due again in the log."""
        now = self._clock()
        with self._lock:
            if now - self._last_logged.get(code, float("-inf")) < LOG_PERIOD_S:
                return False
            self._last_logged[code] = now
            return True

    def add_timings(self, timings: Mapping[str, float]) -> None:
        """Record the seconds that the stages of one answer took."""
        with self._lock:
            for stage, seconds in timings.items():
                self._timings.setdefault(stage, deque(maxlen=TIMING_WINDOW)).append(seconds)

    def value(self, name: str) -> int:
        """Return a counter, 0 when nothing was counted."""
        with self._lock:
            return self._counters[name]

    def status(self, name: str, state: NodeState) -> DiagnosticStatus:
        """Return the report as one DiagnosticStatus.

        ERROR while the inference hangs; WARN while something was refused in the last seconds or the
        active node sees no camera, OK otherwise; an unconfigured or inactive node is STALE, as it
        does no work.
        """
        with self._lock:
            counters = sorted(self._counters.items())
            timings = {stage: list(values) for stage, values in self._timings.items()}
            last_error, error_age = self._last_error, self._clock() - self._last_error_time
        status = DiagnosticStatus(name=name, hardware_id=state.model)
        status.level, status.message = _judge(state, last_error, error_age)
        age = "none" if state.frame_age_s is None else f"{state.frame_age_s:.3f}"
        entries = [
            ("state", state.lifecycle),
            ("model", state.model),
            ("device", state.device),
            ("inference_running", str(state.busy).lower()),
            ("stage", state.stage),
            ("following", state.following),
            ("newest_frame_age_s", age),
            ("last_error", last_error),
            ("last_error_age_s", f"{error_age:.1f}" if last_error else ""),
        ]
        entries += [(counter, str(value)) for counter, value in counters]
        for stage, values in timings.items():
            entries.append((f"{stage}_p50_s", f"{percentile(values, 50):.4f}"))
            entries.append((f"{stage}_p95_s", f"{percentile(values, 95):.4f}"))
        status.values = [KeyValue(key=key, value=value) for key, value in entries]
        return status

    def message(self, name: str, state: NodeState, now: Time) -> DiagnosticArray:
        """Return the report as it goes to /diagnostics."""
        array = DiagnosticArray(status=[self.status(name, state)])
        array.header.stamp = now.to_msg()
        return array


def _judge(state: NodeState, last_error: str, error_age: float) -> tuple[bytes, str]:
    if state.hung:
        return DiagnosticStatus.ERROR, state.hung
    if error_age < RECENT_S:
        return DiagnosticStatus.WARN, last_error
    if state.lifecycle != "active":
        return DiagnosticStatus.STALE, state.lifecycle
    if state.frame_age_s is None:
        return DiagnosticStatus.WARN, "no camera frame has arrived"
    if state.frame_age_s > RECENT_S:
        return DiagnosticStatus.WARN, f"no camera frame for {state.frame_age_s:.0f} s"
    return DiagnosticStatus.OK, "active"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of some values (at least one)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100.0))]
