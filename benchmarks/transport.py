"""What the DDS transport setting does to images between two processes of this machine.

    source scripts/env.sh
    python -m benchmarks.transport                               # the project's setting
    python -m benchmarks.transport --publisher none --streams 1  # a camera driver without it

Prints, for each quality of service and number of streams (by turns rgb8 and 32FC1): images received
of those sent, and their ages on arrival.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.measures import Spread, spread
from benchmarks.origin import ROOT
from benchmarks.transport_peer import RELIABILITIES
from lisa_ros.demo import environment
from lisa_ros.transport import FASTDDS_TRANSPORT_DEFAULT, FASTDDS_TRANSPORT_VARIABLE

UNSET = "none"
_END_S = 20.0


class TransportError(RuntimeError):
    """A process of the benchmark failed, or did not end."""


@dataclass(frozen=True, kw_only=True)
class TransportConfig:
    """One measurement.

    Attributes:
        publisher, subscriber: value of FASTDDS_BUILTIN_TRANSPORTS, ``UNSET`` for none.
        qos: best_effort or reliable, of both sides.
        streams: number of topics.
        width, height: of the images [px].
        frames: images sent on each topic.
        rate: images per second on each topic.
    """

    publisher: str = FASTDDS_TRANSPORT_DEFAULT
    subscriber: str = FASTDDS_TRANSPORT_DEFAULT
    qos: str = "best_effort"
    streams: int = 1
    width: int = 640
    height: int = 480
    frames: int = 150
    rate: float = 30.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one is out of its range.
        """
        if self.qos not in RELIABILITIES:
            raise ValueError(f"qos is {self.qos!r}; choose one of {', '.join(RELIABILITIES)}")
        for name in ("streams", "width", "height", "frames", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; must be > 0")


@dataclass(frozen=True, kw_only=True)
class TransportReport:
    """What was measured.

    Attributes:
        matched: whether the two sides found each other.
        sent, received: images, all streams.
        age_ms: from the stamp, taken just before publishing, to the callback; None without images.
        longest_publish_ms: the longest call of ``publish()``.
    """

    matched: bool
    sent: int
    received: int
    age_ms: Spread | None
    longest_publish_ms: float


def process_environment(setting: str, domain_id: int) -> dict[str, str]:
    """Return the environment of a process with this transport setting, ``UNSET`` for none."""
    made = environment(domain_id)
    made[FASTDDS_TRANSPORT_VARIABLE] = setting
    if setting == UNSET:
        del made[FASTDDS_TRANSPORT_VARIABLE]
    return made


def measure(config: TransportConfig) -> TransportReport:
    """Start the two processes, and return what came through.

    Raises:
        TransportError: one of them failed or did not end.
    """
    domain_id = random.SystemRandom().randint(1, 101)
    common = ["--qos", config.qos, "--streams", str(config.streams)]
    images = {name: getattr(config, name) for name in ("width", "height", "rate", "frames")}
    sizes = [part for name, value in images.items() for part in (f"--{name}", str(value))]
    with _process("receive", common, config.subscriber, domain_id) as subscriber:
        with _process("publish", [*common, *sizes], config.publisher, domain_id) as publisher:
            sent = _finish(publisher, 60.0 + config.frames / config.rate)
        subscriber.terminate()
        ages = [age for stream in _finish(subscriber, _END_S)["ages_ms"] for age in stream]
    return TransportReport(
        matched=sent["matched"],
        sent=sent["sent"] * config.streams,
        received=len(ages),
        age_ms=spread(ages),
        longest_publish_ms=sent["longest_publish_ms"],
    )


@contextmanager
def _process(
    role: str, options: list[str], setting: str, domain_id: int
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.transport_peer", role, *options],
        env=process_environment(setting, domain_id),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _finish(process: subprocess.Popen[str], timeout_s: float) -> dict[str, Any]:
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise TransportError(f"a process did not end within {timeout_s:g} s") from error
    if process.returncode != 0:
        raise TransportError(f"a process ended with status {process.returncode}; see above")
    # Fast DDS writes its errors there too.
    *errors, last = output.splitlines()
    print("\n".join(errors), end="\n" if errors else "", file=sys.stderr, flush=True)
    report: dict[str, Any] = json.loads(last)
    return report


def format_line(config: TransportConfig, report: TransportReport) -> str:
    """Return one line of the printed table."""
    age = report.age_ms
    return (
        f"{config.qos:11}  {config.streams} stream{'s' if config.streams > 1 else ' '}  "
        f"{report.received:5} of {report.sent:5} received  "
        + ("" if age is None else f"age p50 {age.p50:.1f} ms, p95 {age.p95:.1f} ms  ")
        + f"longest publish() {report.longest_publish_ms:.1f} ms"
        + ("" if report.matched else "  (the two did not find each other)")
    )


def main(argv: list[str] | None = None) -> int:
    """Command line; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("publisher", "subscriber"):
        parser.add_argument(
            f"--{name}",
            default=FASTDDS_TRANSPORT_DEFAULT,
            metavar="SETTING",
            help=f"{FASTDDS_TRANSPORT_VARIABLE} of its process, or {UNSET}; default: %(default)s",
        )
    parser.add_argument("--qos", nargs="+", default=list(RELIABILITIES), choices=RELIABILITIES)
    parser.add_argument("--streams", nargs="+", type=int, default=[1, 3], metavar="N")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--frames", type=int, default=150, help="images on each topic")
    parser.add_argument("--rate", type=float, default=30.0, help="images per second")
    options = parser.parse_args(argv)
    fixed = {
        name: getattr(options, name)
        for name in ("publisher", "subscriber", "width", "height", "frames", "rate")
    }
    try:
        for qos in options.qos:
            for streams in options.streams:
                config = TransportConfig(qos=qos, streams=streams, **fixed)
                print(format_line(config, measure(config)), flush=True)
    except (TransportError, ValueError) as error:
        print(f"transport: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
