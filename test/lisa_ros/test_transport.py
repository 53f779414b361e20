from __future__ import annotations

from pathlib import Path

import pytest

from lisa_ros.transport import (
    FASTDDS_TRANSPORT_DEFAULT,
    FASTDDS_TRANSPORT_VARIABLE,
    transport_warning,
)

ROOT = Path(__file__).parents[2]
GOOD = {FASTDDS_TRANSPORT_VARIABLE: FASTDDS_TRANSPORT_DEFAULT}


@pytest.mark.parametrize(
    "environment",
    [
        GOOD,
        GOOD | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "ROS_LOCALHOST_ONLY": "0"},
        {FASTDDS_TRANSPORT_VARIABLE: "SHM"},
        {FASTDDS_TRANSPORT_VARIABLE: "DEFAULT?sockets_size=32MB"},
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp", "ROS_LOCALHOST_ONLY": "1"},
    ],
)
def test_a_setting_of_the_user_is_accepted(environment: dict[str, str]) -> None:
    assert transport_warning(environment) == ""


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, FASTDDS_TRANSPORT_DEFAULT),
        ({FASTDDS_TRANSPORT_VARIABLE: ""}, FASTDDS_TRANSPORT_DEFAULT),
        ({FASTDDS_TRANSPORT_VARIABLE: "DEFAULT"}, FASTDDS_TRANSPORT_DEFAULT),
        ({FASTDDS_TRANSPORT_VARIABLE: "LARGE_DATA"}, FASTDDS_TRANSPORT_DEFAULT),
        ({FASTDDS_TRANSPORT_VARIABLE: "LARGE_DATA?max_msg_size=4MB"}, "may hang"),
        (GOOD | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, "ROS_DOMAIN_ID"),
        (GOOD | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "localhost"}, "ROS_DOMAIN_ID"),
        (GOOD | {"ROS_LOCALHOST_ONLY": "1"}, "ROS_DOMAIN_ID"),
    ],
)
def test_a_setting_that_loses_images_is_named_with_the_remedy(
    environment: dict[str, str], said: str
) -> None:
    assert said in transport_warning(environment)


@pytest.mark.parametrize("path", ["scripts/env.sh", "README.md"])
def test_what_users_copy_is_the_setting_of_the_code(path: str) -> None:
    assert FASTDDS_TRANSPORT_DEFAULT in (ROOT / path).read_text(encoding="utf-8")
