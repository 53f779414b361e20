"""Quality-of-service profiles by purpose, so that every topic names one of these."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(reliability: ReliabilityPolicy, depth: int) -> QoSProfile:
    # Volatile: a subscriber that comes late must not be handed an old target.
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=reliability,
        durability=DurabilityPolicy.VOLATILE,
    )


# Camera images and camera_info: only the newest counts.  Best effort also receives from reliable
# publishers, so it fits every camera driver.
CAMERA_INPUT = _profile(ReliabilityPolicy.BEST_EFFORT, depth=1)

# Where lost packets cost whole images; receives from reliable publishers only.
RELIABLE_CAMERA_INPUT = _profile(ReliabilityPolicy.RELIABLE, depth=1)

# A camera_info that is published once and kept for those who come later.  Receives only from
# publishers that keep it, and what was kept is sent to reliable subscribers only.
LATCHED_INPUT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

# Intents are few and each of them matters.
INTENT_INPUT = _profile(ReliabilityPolicy.RELIABLE, depth=10)

# Results are few; reliable publishers also serve best-effort subscribers.
RESULT_OUTPUT = _profile(ReliabilityPolicy.RELIABLE, depth=5)

# The picture for people.
OVERLAY_OUTPUT = _profile(ReliabilityPolicy.RELIABLE, depth=1)

DIAGNOSTICS_OUTPUT = _profile(ReliabilityPolicy.RELIABLE, depth=10)
