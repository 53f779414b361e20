from __future__ import annotations

import pytest

from lisa_ros.transport import (
    FASTDDS_TRANSPORT_DEFAULT,
    FASTDDS_TRANSPORT_VARIABLE,
    transport_warning,
)

GOOD = {FASTDDS_TRANSPORT_VARIABLE: FASTDDS_TRANSPORT_DEFAULT}


@pytest.mark.parametrize(
    "environment",
    [
        GOOD,
        GOOD | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "ROS_LOCALHOST_ONLY": "0"},
        {FASTDDS_TRANSPORT_VARIABLE: "SHM"},
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp", "ROS_LOCALHOST_ONLY": "1"},
    ],
)
def test_a_setting_of_the_user_is_accepted(environment: dict[str, str]) -> None:
    assert transport_warning(environment) == ""


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, FASTDDS_TRANSPORT_DEFAULT),
        (GOOD | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, "ROS_DOMAIN_ID"),
        (GOOD | {"ROS_AUTOMATIC_DISCOVERY_RANGE": "localhost"}, "ROS_DOMAIN_ID"),
        (GOOD | {"ROS_LOCALHOST_ONLY": "1"}, "ROS_DOMAIN_ID"),
    ],
)
def test_a_setting_that_loses_images_is_named_with_the_remedy(
    environment: dict[str, str], said: str
) -> None:
    assert said in transport_warning(environment)
