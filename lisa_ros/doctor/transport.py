"""What carries the images: DDS settings, shared memory, loopback."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from lisa_ros.doctor.report import Finding, failed, ok, warning
from lisa_ros.transport import transport_warning

# ROS 2's port formula leaves the range of ephemeral ports of Linux outside these.
SAFE_DOMAINS = (range(0, 102), range(215, 233))
MIN_SHM_BYTES = 64 * 2**20
SHM = Path("/dev/shm")
_IFF_UP = 0x1
# Of DDS discovery; any free port will do for a test.
_GROUP = "239.255.0.1"


def check_settings(environment: Mapping[str, str]) -> Finding:
    """Check the transport setting that images need; see lisa_ros/transport.py."""
    problem = transport_warning(environment)
    if problem:
        what, _, remedy = problem.partition(". ")
        if not remedy:
            what, _, remedy = problem.partition(": ")
        return warning("settings", what, remedy)
    return ok("settings", "nothing in the environment costs images")


def check_rmw(environment: Mapping[str, str], importable: Callable[[str], bool]) -> Finding:
    """Check the middleware that is asked for.

    Args:
        environment: such as os.environ.
        importable: tells whether a middleware's library is installed.
    """
    name = environment.get("RMW_IMPLEMENTATION", "")
    if not name:
        return ok("middleware", "the default of this distribution (RMW_IMPLEMENTATION is not set)")
    if not importable(name):
        return failed(
            "middleware",
            f"RMW_IMPLEMENTATION is {name}, which is not installed",
            f"apt install ros-$ROS_DISTRO-{name.replace('_', '-')}, or unset it",
        )
    return ok("middleware", f"{name} (set it for every process)")


def check_domain(environment: Mapping[str, str]) -> Finding:
    """Check ROS_DOMAIN_ID."""
    text = environment.get("ROS_DOMAIN_ID", "")
    if not text:
        return ok("domain", "0 (ROS_DOMAIN_ID is not set)")
    usable = "Use 0..101, the same for every process of a robot"
    if not text.isascii() or not text.isdigit() or int(text) > 232:
        return failed("domain", f"ROS_DOMAIN_ID is {text!r}, not a number of 0..232", usable)
    if not any(int(text) in safe for safe in SAFE_DOMAINS):
        return warning(
            "domain", f"the ports of domain {text} may be taken by other programs of Linux", usable
        )
    return ok("domain", text)


def check_security(environment: Mapping[str, str], is_folder: Callable[[str], bool]) -> Finding:
    """Check what SROS2 is told (docs/security.md)."""
    if environment.get("ROS_SECURITY_ENABLE", "false").lower() != "true":
        return ok("security", "SROS2 is off: whoever is in this domain can say intents")
    keystore = environment.get("ROS_SECURITY_KEYSTORE", "")
    if not keystore or not is_folder(os.path.join(keystore, "enclaves")):
        return failed(
            "security",
            f"ROS_SECURITY_ENABLE is true, but ROS_SECURITY_KEYSTORE ({keystore or 'not set'}) "
            "has no enclaves",
            "ros2 security create_keystore DIR, and set ROS_SECURITY_KEYSTORE to it",
        )
    if environment.get("ROS_SECURITY_STRATEGY") != "Enforce":
        return warning(
            "security",
            "SROS2 is on, but lets nodes without keys in",
            "Set ROS_SECURITY_STRATEGY=Enforce",
        )
    return ok("security", f"SROS2 is enforced, keys in {keystore}")


def check_shared_memory(free_bytes: int | None, stale: Mapping[str, int]) -> list[Finding]:
    """Check /dev/shm, which Fast DDS sends through on one machine.

    Args:
        free_bytes: None when there is no /dev/shm.
        stale: bytes by name of segments that no living process owns.
    """
    if free_bytes is None:
        return [
            warning(
                "shared memory",
                f"{SHM} is not there",
                "Mount it (Docker: --ipc=host or --shm-size=512m)",
            )
        ]
    mib = free_bytes // 2**20
    findings = [ok("shared memory", f"{mib} MiB free in {SHM}")]
    if free_bytes < MIN_SHM_BYTES:
        findings = [
            warning(
                "shared memory",
                f"only {mib} MiB free in {SHM}",
                "Enlarge it (Docker: --ipc=host or --shm-size=512m), or remove what fills it",
            )
        ]
    if stale:
        total = sum(stale.values()) / 2**20
        findings.append(
            warning(
                "stale segments",
                f"{len(stale)} segments of ended processes hold {total:.0f} MiB of {SHM}",
                f"fastdds shm clean; or, while no ROS process runs: rm {SHM}/*fastrtps_*",
            )
        )
    return findings


def check_loopback(flags: int | None, multicast_error: str | None) -> list[Finding]:
    """Check the loopback interface and multicast.

    Args:
        flags: of the interface lo, None when there is none.
        multicast_error: why a multicast packet did not come back, None when it did.
    """
    if flags is None or not flags & _IFF_UP:
        return [failed("loopback", "the interface lo is down", "ip link set lo up")]
    findings = [ok("loopback", "lo is up")]
    if multicast_error is None:
        findings.append(ok("multicast", f"a packet to {_GROUP} came back"))
    else:
        remedy = (
            "Other computers are then not found: allow multicast (firewall, ip link set DEV "
            "multicast on), or name them in ROS_STATIC_PEERS"
        )
        findings.append(
            warning("multicast", f"no packet to {_GROUP} came back ({multicast_error})", remedy)
        )
    return findings


def free_shared_memory(folder: Path = SHM) -> int | None:
    """Return the free bytes, None without the folder."""
    return shutil.disk_usage(folder).free if folder.is_dir() else None


def stale_segments(folder: Path = SHM) -> dict[str, int]:
    """Return the bytes of Fast DDS's segments whose owner has ended, by name.

    A living owner holds an exclusive lock on ``NAME_el``.  What may not be read is left out.
    """
    stale = {}
    for lock in folder.glob("fastrtps_*_el"):
        segment = lock.with_name(lock.name.removesuffix("_el"))
        if segment.name.startswith("fastrtps_port") or not segment.is_file():
            continue
        try:
            with lock.open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # held by its owner, or not ours to read
            continue
        stale[segment.name] = segment.stat().st_size
    return stale


def interface_flags(name: str = "lo") -> int | None:
    """Return an interface's flags, None when there is none of this name."""
    try:
        return int(Path(f"/sys/class/net/{name}/flags").read_text(encoding="ascii"), 16)
    except (OSError, ValueError):
        return None


def multicast_error(timeout_s: float = 1.0) -> str | None:
    """Send a packet to a multicast group on this machine; return why it does not come back."""
    try:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            receiver.bind(("", 0))
            member = struct.pack("4sl", socket.inet_aton(_GROUP), socket.INADDR_ANY)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            receiver.settimeout(timeout_s)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            token = os.urandom(16)
            sender.sendto(token, (_GROUP, receiver.getsockname()[1]))
            return None if receiver.recv(64) == token else "another packet came instead"
    except OSError as error:
        return str(error)


def transport(environment: Mapping[str, str], importable: Callable[[str], bool]) -> list[Finding]:
    """Check this machine's transport, apart from sending images."""
    return [
        check_settings(environment),
        check_rmw(environment, importable),
        check_domain(environment),
        check_security(environment, os.path.isdir),
        *check_shared_memory(free_shared_memory(), stale_segments()),
        *check_loopback(interface_flags(), multicast_error()),
    ]
