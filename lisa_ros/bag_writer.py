"""One MCAP file that holds messages as they came, with their definitions."""

from __future__ import annotations

import shutil
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

_SEPARATOR = "=" * 80 + "\n"


def own_definitions() -> dict[str, str]:
    """Return the text of the installed .msg files by type, such as ``lisa_ros/msg/Targets``."""
    folder = Path(get_package_share_directory("lisa_ros")) / "msg"
    return {
        f"lisa_ros/msg/{path.stem}": path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("*.msg"))
    }


def message_types() -> Typestore:
    """Return the message definitions of ROS 2 Jazzy and of lisa_ros."""
    typestore = get_typestore(Stores.ROS2_JAZZY)
    own = {}
    for name, text in own_definitions().items():
        own.update(get_types_from_msg(text, name))
    typestore.register(own)
    return typestore


def definition(typestore: Typestore, kind: str) -> str:
    """Return a type's definition with those of all types in it, as an MCAP schema has them.

    Of lisa_ros the texts are the original ones: rosbags cannot read what it writes of an empty
    string constant.

    Raises:
        LookupError: the type, or one in it, is none of the store's.
    """
    try:
        written, _ = typestore.generate_msgdef(kind, ros_version=2)
    except TypesysError as error:
        raise LookupError(f"the definition of {kind} is not known ({error})") from error
    own = own_definitions()
    first, *others = written.split(_SEPARATOR)
    parts = [own.get(kind, first)]
    for part in others:
        title, text = part.split("\n", 1)
        package, name = title.removeprefix("MSG: ").split("/")
        parts.append(title + "\n" + own.get(f"{package}/msg/{name}", text))
    return _SEPARATOR.join(part if part.endswith("\n") else part + "\n" for part in parts)


class McapFile:
    """A new MCAP file, open until ``close``.

    rosbags writes rosbag2 folders; this one is made beside the file, as ``NAME.part``, and only its
    MCAP is kept.  What is left after a crash lies there.

    Attributes:
        path: of the file.
        counts: number of messages written, by topic.

    Raises:
        FileExistsError: the file or ``NAME.part`` exists.
        ValueError: the name does not end with ``.mcap``.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix != ".mcap":
            raise ValueError(f"{path}: the name has to end with .mcap")
        self.path = path
        self._part = path.with_name(path.name + ".part")
        for one in (path, self._part):
            if one.exists():
                raise FileExistsError(f"{one} exists; it is not overwritten")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = Writer(
            self._part, version=Writer.VERSION_LATEST, storage_plugin=StoragePlugin.MCAP
        )
        self._writer.open()
        self._types = message_types()
        self._connections: dict[str, Connection] = {}
        self.counts: dict[str, int] = {}

    def add(self, topic: str, kind: str) -> None:
        """Declare a topic, with its message type, such as ``std_msgs/msg/String``."""
        self._connections[topic] = self._writer.add_connection(
            topic,
            kind,
            msgdef=definition(self._types, kind),
            rihs01=self._types.hash_rihs01(kind),
        )
        self.counts[topic] = 0

    def write(self, topic: str, time_ns: int, data: bytes) -> None:
        """Append a message.

        Args:
            time_ns: when it was received.
            data: CDR.
        """
        self._writer.write(self._connections[topic], time_ns, data)
        self.counts[topic] += 1

    def close(self) -> None:
        """Write the index, and put the file in its place."""
        self._writer.close()
        (written,) = self._part.glob("*.mcap")
        written.rename(self.path)
        shutil.rmtree(self._part)
