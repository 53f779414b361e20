from __future__ import annotations

import pytest

from lisa_ros.message_docs import parse, render

TEXT = """\
# What it is,
# on two lines.

# Both of them.
bool has_box
geometry_msgs/Pose[] box_pose  # where
string<=9 free

float64[9] covariance
# One of KIND.
string kind
string KIND_NONE=""
string KIND_A="a # b"   # the first
uint8 MOST = 3
---
# Says so.
bool success
---
"""


def test_comments_belong_to_what_stands_below():
    first, second, third = parse(TEXT)
    assert first.description == "What it is, on two lines."
    assert [(group.comment, [one.name for one in group.entries]) for group in first.groups] == [
        ("Both of them.", ["has_box", "box_pose", "free"]),
        ("", ["covariance"]),
        ("One of KIND.", ["kind", "KIND_NONE", "KIND_A", "MOST"]),
    ]
    by_name = {one.name: one for one in first.entries}
    assert (by_name["box_pose"].type, by_name["box_pose"].comment) == (
        "geometry_msgs/Pose[]",
        "where",
    )
    assert by_name["covariance"].type == "float64[9]"
    assert by_name["free"].type == "string<=9"
    assert (by_name["KIND_NONE"].value, by_name["MOST"].value) == ('""', "3")
    assert (by_name["KIND_A"].value, by_name["KIND_A"].comment) == ('"a # b"', "the first")
    assert second.description == ""
    assert second.groups[0].comment == "Says so."
    assert third.entries == []


def test_tables_have_fields_and_constants():
    first, _, third = parse(TEXT)
    shown = render(first)
    assert "| `has_box`<br>`box_pose`<br>`free` | `bool`<br>" in shown
    assert '| `KIND_A` | `"a # b"` | the first |' in shown
    assert shown.count("| field |") == shown.count("| constant |") == 1
    assert render(third) == "No fields."


def test_what_is_no_definition_is_named():
    with pytest.raises(ValueError, match="not a field"):
        parse("bool\n")
