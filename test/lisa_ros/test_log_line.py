from __future__ import annotations

import pytest

from lisa_ros.log_line import log_line


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("line\nbreak", r'"line\nbreak"'),
        ("tür", "tür"),
        ("\u202eesrever", '"\u202eesrever"'),
        (1.23456, "1.235"),
        (3, "3"),
        (True, "true"),
    ],
)
def test_a_value_stays_one_field_of_one_line(value: object, written: str):
    line = log_line("event", key=value, last=1)
    assert line == f"event key={written} last=1"
    assert "\n" not in line
