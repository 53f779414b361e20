"""The camera of an ordeal: killed, stopped, stalled, started again, and what it sends wrongly."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from builtin_interfaces.msg import Time
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from benchmarks.ordeal_messages import malformed
from benchmarks.ordeal_schedule import Event
from benchmarks.rig import BenchmarkError, Child, Rig
from lisa_model.rgbd import RgbdFrame
from lisa_ros.scene_player import INFO_TOPIC, NO_DROPOUT, RAW, colour_topic, depth_topic

_STARTS_WITHIN_S = 60.0
_ENDS_WITHIN_S = 10.0
_CALL_AGAIN_S = 3.0
# A frame is fresh for a request when it is not older than this.
_FRESH_S = 0.3
# After its first frame the camera counts as running when so much time has gone by: depth may follow
# later, and requests wait for it.
_SETTLED_S = 1.0


class Camera:
    """What is done to the camera; ``tick`` has to be called all the time.

    Args:
        rig: whose camera it is.
        frame: what it shows, for messages that are wrong.

    Attributes:
        starts: how often it was started.
        exits: how the stopped and killed ones ended.
        arrivals: of its frames, by their camera_info [monotonic s].
    """

    def __init__(self, rig: Rig, frame: RgbdFrame) -> None:
        self._rig, self._frame = rig, frame
        self._codecs: dict[str, str] = {"colour": RAW, "depth": RAW}
        self._wanted: dict[str, Any] = {"depth_dropout": NO_DROPOUT, "stamp_offset_s": 0.0}
        self._set: dict[str, Any] = dict(self._wanted)
        self._client = rig.probe.node.create_client(SetParameters, "/scene_player/set_parameters")
        self._call: tuple[float, Any, dict[str, Any]] | None = None
        self._ends_at: float | None = None
        self._end: Callable[[], None] | None = None
        self._lasts_s = 0.0
        self._ending: list[tuple[float, Child]] = []
        self._stalled = False
        self._started_at = 0.0
        self._frames: list[float] = []
        self.starts = 0
        self.exits: list[int] = []
        self.arrivals: list[float] = []
        self._begin: dict[str, Callable[[Mapping[str, Any]], Callable[[], None]]] = {
            "kill": self._kill,
            "stop": self._stop,
            "stall": self._stall,
            "clock_jump": lambda values: self._adjust("stamp_offset_s", values["offset_s"], 0.0),
            "depth_dropout": lambda values: self._adjust(
                "depth_dropout", values["dropout"], NO_DROPOUT
            ),
        }
        rig.probe.node.create_subscription(CameraInfo, INFO_TOPIC, self._on_info, 50)

    def handles(self, event: Event) -> bool:
        """Begin the trouble of an event; False when it is about something else."""
        begin = self._begin.get(event.kind)
        if begin is None:
            return False
        if self._end is not None:
            self._end()  # a trouble that lasts longer than planned, as the machine is slow
        self._end, self._lasts_s = begin(event.values), event.values["for_s"]
        # What the camera has to be told lasts from when it has taken it over; see ``tick``.
        told = event.kind in ("clock_jump", "depth_dropout")
        self._ends_at = None if told else time.monotonic() + self._lasts_s
        return True

    def start(self) -> None:
        """Start it as it was, or as it is wanted now."""
        self._rig.launch_camera(
            {"colour_codec": self._codecs["colour"], "depth_codec": self._codecs["depth"]}
            | self._wanted
        )
        self._set, self._call = dict(self._wanted), None
        self._frames.clear()
        self._started_at = time.monotonic()
        self.starts += 1
        self._offer(self._codecs)

    def tick(self) -> None:
        """End troubles that are over, and see to what is under way.

        Raises:
            BenchmarkError: the camera does not start, or does not end.
        """
        now = time.monotonic()
        if self._ends_at is not None and now >= self._ends_at:
            self.recover()
        for ending in list(self._ending):
            since, child = ending
            status = child.status()
            if status is not None:
                self.exits.append(status)
                self._ending.remove(ending)
            elif now - since > _ENDS_WITHIN_S:
                child.kill()
                raise BenchmarkError(f"scene_player did not end on SIGTERM; see {child.log}")
        running = self._rig.camera is not None and not self._stalled
        if running and not self._frames and now - self._started_at > _STARTS_WITHIN_S:
            raise BenchmarkError("scene_player sends no frames")
        if running and self._frames:
            self._adjust_if_needed(now)
            if self._end is not None and self._ends_at is None and self._set == self._wanted:
                self._ends_at = now + self._lasts_s

    def recover(self) -> None:
        """End the trouble that goes on, if one does."""
        end, self._end, self._ends_at = self._end, None, None
        if end is not None:
            end()

    def running(self) -> bool:
        """Tell whether frames come, and have come for a while, with nothing changing."""
        now = time.monotonic()
        return (
            not self._stalled
            and bool(self._frames)
            and now - self._frames[0] > _SETTLED_S
            and now - self._frames[-1] < _FRESH_S
            and self._set == self._wanted
        )

    def send_malformed(self, what: str) -> bool:
        """Publish a wrong message beside the camera's own; False when there is no camera."""
        if self._rig.camera is None:
            return False
        clock = self._rig.probe.node.get_clock().now().nanoseconds
        stamp = clock + round(self._wanted["stamp_offset_s"] * 1e9)
        header_stamp = _time_msg(stamp)
        stream, message = malformed(what, self._frame, **self._codecs, stamp=header_stamp)
        self._rig.probe.publish(stream, message)
        return True

    def _kill(self, values: Mapping[str, Any]) -> Callable[[], None]:
        camera = self._rig.let_go_of_camera()
        if camera is not None:
            camera.kill()
            self.exits.append(camera.status() or 0)
        self._gone()
        return self.start

    def _stop(self, values: Mapping[str, Any]) -> Callable[[], None]:
        camera = self._rig.let_go_of_camera()
        if camera is not None:
            camera.signal(signal.SIGTERM)
            self._ending.append((time.monotonic(), camera))
        self._codecs = {"colour": values["colour"], "depth": values["depth"]}
        self._gone()
        return self.start

    def _stall(self, values: Mapping[str, Any]) -> Callable[[], None]:
        camera = self._rig.camera
        if camera is not None:
            camera.signal(signal.SIGSTOP)
            self._stalled = True
        return self._go_on

    def _go_on(self) -> None:
        if self._rig.camera is not None:
            self._rig.camera.signal(signal.SIGCONT)
        self._stalled = False

    def _adjust(self, name: str, value: Any, afterwards: Any) -> Callable[[], None]:
        self._wanted[name] = value

        def restore() -> None:
            self._wanted[name] = afterwards

        return restore

    def _gone(self) -> None:
        self._frames.clear()
        # A raw topic that still has a publisher would keep the node from changing to another.
        self._offer({})

    def _offer(self, codecs: Mapping[str, str]) -> None:
        topics: dict[str, tuple[Any, str]] = {"camera_info": (CameraInfo, INFO_TOPIC)}
        for stream, name, topic in (
            ("image", "colour", colour_topic),
            ("depth", "depth", depth_topic),
        ):
            if name in codecs:
                kind = Image if codecs[name] == RAW else CompressedImage
                topics[stream] = (kind, topic(codecs[name]))
        self._rig.probe.publish_as(topics)

    def _adjust_if_needed(self, now: float) -> None:
        """Have the scene player take over what is wanted; again when the call got lost."""
        if self._call is not None:
            since, future, values = self._call
            if future.done():
                results = future.result().results
                if not all(one.successful for one in results):
                    raise BenchmarkError(f"scene_player refused {values}: {results}")
                self._set, self._call = values, None
            elif now - since > _CALL_AGAIN_S:
                self._client.remove_pending_request(future)
                self._call = None
        if self._call is None and self._set != self._wanted and self._client.service_is_ready():
            values = dict(self._wanted)
            parameters = [Parameter(*one).to_parameter_msg() for one in _typed(values)]
            request = SetParameters.Request(parameters=parameters)
            self._call = (now, self._client.call_async(request), values)

    def _on_info(self, msg: CameraInfo) -> None:
        # Wrong ones of ours are published here as well; their size or intrinsics are not the
        # camera's.
        if msg.width == self._frame.intrinsics.width and msg.k[0] == self._frame.intrinsics.fx:
            self._frames = [*self._frames[:1], time.monotonic()]
            self.arrivals.append(self._frames[-1])


def _typed(values: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [
        (name, Parameter.Type.DOUBLE if isinstance(value, float) else Parameter.Type.STRING, value)
        for name, value in values.items()
    ]


def _time_msg(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)
