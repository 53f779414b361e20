"""What ``lisa play`` can play, as messages: ``lisa_model.recordings``, and rosbag2."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from lisa_model.recordings import RecordedFrame, Recording, RecordingError, open_recording
from lisa_model.recordings.base import END_OF_TIME_NS
from lisa_ros.conversion import array_to_image
from lisa_ros.playback import Event, Outgoing, Source
from lisa_ros.scene_player import FRAME_ID, camera_info_message

COLOR_TOPIC = "camera/color/image_raw"
INFO_TOPIC = "camera/color/camera_info"
DEPTH_TOPIC = "camera/depth/image_raw"

# All begin with a std_msgs/Header.
_PLAYED_TYPES = {
    "sensor_msgs/msg/Image": Image,
    "sensor_msgs/msg/CompressedImage": CompressedImage,
    "sensor_msgs/msg/CameraInfo": CameraInfo,
}
_BAG_SUFFIXES = (".mcap", ".db3")
# CDR: 4 bytes of encapsulation, the second tells the byte order; then the header's stamp.
_STAMP_AT = 4
_STAMP_FORMATS = {0: ">iI", 1: "<iI"}


@dataclass(frozen=True)
class SourceConfig:
    """How a path is opened.

    Attributes:
        rate_hz: frames per second of a format without stamps; None is the format's own.
        frame_id: of recordings that have none.
        remaps: topic as recorded (or as ``lisa play`` names it) to topic as published.
        topics: play these only, by their recorded names; empty for all.
    """

    rate_hz: float | None = None
    frame_id: str = FRAME_ID
    remaps: Mapping[str, str] = field(default_factory=dict)
    topics: Sequence[str] = ()


def open_source(path: Path, config: SourceConfig) -> Source:
    """Open a recording or a rosbag2.

    Raises:
        FileNotFoundError: there is nothing at the path.
        RecordingError: it is malformed, of no known format, or has nothing to play.
        ValueError: a remapped or chosen topic is not there.
    """
    if path.suffix in _BAG_SUFFIXES or (path / "metadata.yaml").is_file():
        return BagSource(path, config)
    if path.suffix == ".bag":
        raise RecordingError(f"{path}: is a rosbag of ROS 1. Convert it with rosbags-convert")
    return RecordingSource(open_recording(path, rate_hz=config.rate_hz), config)


class RecordingSource:
    """Frames as an RGB-D camera driver publishes them, depth registered to colour.

    Raises:
        ValueError: see ``open_source``.
    """

    def __init__(self, recording: Recording, config: SourceConfig) -> None:
        self._recording = recording
        self._config = config
        types = {COLOR_TOPIC: Image, INFO_TOPIC: CameraInfo, DEPTH_TOPIC: Image}
        self._names = _published_names(types, config)
        self.topics = {self._names[topic]: types[topic] for topic in self._names}

    @property
    def description(self) -> str:
        """What it is, for people."""
        one = self._recording
        return f"{one.path}: {one.kind}, {len(one)} frames, {one.timing}"

    def summary(self) -> str:
        """What was left out, for people."""
        skipped = self._recording.skipped
        return f"{skipped} frames left out: their pose is not finite" if skipped else ""

    def events(self) -> Iterator[Event]:
        """Read from the beginning."""
        for frame in self._recording.frames():
            if frame.stamp_ns >= END_OF_TIME_NS:
                raise RecordingError(
                    f"{self._recording.path}: frame {frame.name} is at "
                    f"{frame.stamp_ns // 10**9} s, more than a ROS stamp can hold. "
                    "Use a larger --frame-rate"
                )
            messages = frame_messages(frame, self._config.frame_id)
            yield Event(
                frame.stamp_ns,
                tuple(
                    Outgoing(self._names[topic], frame.stamp_ns, message)
                    for topic, message in messages.items()
                    if topic in self._names
                ),
            )


def frame_messages(frame: RecordedFrame, frame_id: str) -> dict[str, Any]:
    """Return the messages of a frame by topic, in the order to publish them.

    Their stamps are still to be set.
    """
    header = Header(frame_id=frame_id)
    return {
        INFO_TOPIC: camera_info_message(frame.color_intrinsics, header),
        DEPTH_TOPIC: array_to_image(frame.registered_depth_mm(), "16UC1", header),
        COLOR_TOPIC: array_to_image(frame.color, "rgb8", header),
    }


class BagSource:
    """The camera topics of a rosbag2, its messages byte for byte.

    Args:
        path: the folder, or its ``.mcap`` or ``.db3`` alone.

    Raises:
        FileNotFoundError, RecordingError, ValueError: see ``open_source``.
    """

    def __init__(self, path: Path, config: SourceConfig) -> None:
        self._path = path
        self._skipped: Counter[str] = Counter()
        if not path.exists():
            raise FileNotFoundError(
                f"there is no {path}; give the path of a recording (docs/recordings.md has the "
                "formats)"
            )
        with self._open() as reader:
            types = {
                one.topic: _PLAYED_TYPES[one.msgtype]
                for one in reader.connections
                if one.msgtype in _PLAYED_TYPES
            }
            counts = {one.topic: one.msgcount for one in reader.connections}
            seconds = reader.duration / 1e9
        if not types:
            raise RecordingError(
                f"{path}: has no topic of Image, CompressedImage or CameraInfo; it has "
                + (", ".join(sorted(counts)) or "none at all")
            )
        self._names = _published_names(types, config)
        self.topics = {self._names[topic]: types[topic] for topic in self._names}
        listed = ", ".join(f"{topic} ({counts[topic]})" for topic in sorted(self._names))
        self.description = f"{path}: rosbag2, {seconds:.1f} s: {listed}"

    def summary(self) -> str:
        """What was left out, for people."""
        return ", ".join(
            f"{count} messages left out: {why}" for why, count in self._skipped.items()
        )

    def events(self) -> Iterator[Event]:
        """Read from the beginning."""
        self._skipped.clear()
        with self._open() as reader:
            chosen = [
                one
                for one in reader.connections
                if one.topic in self._names and one.msgtype in _PLAYED_TYPES
            ]
            for connection, time_ns, data in self._messages(reader, chosen):
                stamp = read_stamp(data)
                if stamp is None:
                    self._skipped["not CDR with a header"] += 1
                    continue
                yield Event(time_ns, (Outgoing(self._names[connection.topic], stamp, data),))

    def _open(self) -> _OpenBag:
        return _OpenBag(self._path)

    def _messages(
        self, reader: Reader, chosen: list[Connection]
    ) -> Iterator[tuple[Connection, int, bytes]]:
        messages = reader.messages(connections=chosen)
        while True:
            try:
                connection, time_ns, data = next(messages)
            except StopIteration:
                return
            except Exception as error:
                raise _bag_error(self._path, error) from error
            yield connection, time_ns, bytes(data)


class _OpenBag:
    """A Reader as a context manager whose errors are RecordingErrors."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: Reader | None = None

    def __enter__(self) -> Reader:
        # The reader raises whatever its parsers do: YAML, SQLite, struct, zstd errors.
        try:
            self._reader = Reader(self._path)
            self._reader.open()
        except Exception as error:
            raise _bag_error(self._path, error) from error
        return self._reader

    def __exit__(self, *error: object) -> None:
        if self._reader is not None:
            self._reader.close()


def _bag_error(path: Path, error: Exception) -> RecordingError:
    return RecordingError(
        f"{path}: cannot be read as rosbag2 ({type(error).__name__}: {error}). Copy it again; if "
        "it was not closed properly, run 'ros2 bag reindex' on its folder"
    )


def _published_names(types: Mapping[str, Any], config: SourceConfig) -> dict[str, str]:
    """Return the published name by recorded name, of the topics to play.

    Raises:
        ValueError: a chosen or remapped topic is not there, or two types would share a name.
    """
    for what, wanted in (("topic", config.topics), ("remap", config.remaps)):
        for topic in wanted:
            if topic not in types:
                raise ValueError(f"{what}: there is no {topic}; there are {', '.join(types)}")
    names = {
        topic: config.remaps.get(topic, topic)
        for topic in types
        if not config.topics or topic in config.topics
    }
    for name in names.values():
        if len({types[topic] for topic in names if names[topic] == name}) > 1:
            raise ValueError(f"remap: topics of different types would be published as {name}")
    return names


def read_stamp(data: bytes) -> int | None:
    """Return the stamp [ns] of a CDR message that begins with a header; None if it is none."""
    if len(data) < _STAMP_AT + 8 or data[0] != 0 or data[1] not in _STAMP_FORMATS:
        return None
    seconds, nanoseconds = struct.unpack_from(_STAMP_FORMATS[data[1]], data, _STAMP_AT)
    return seconds * 1_000_000_000 + nanoseconds


def write_stamp(message: Any, stamp_ns: int) -> Any:
    """Return a message (object or CDR bytes) with this stamp; an object is changed in place."""
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    if isinstance(message, bytes):
        stamp = struct.pack(_STAMP_FORMATS[message[1]], seconds, nanoseconds)
        return message[:_STAMP_AT] + stamp + message[_STAMP_AT + len(stamp) :]
    message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
    return message
