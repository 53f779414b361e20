"""lisa_ros/error_table.py has what the package raises, counts and returns, and nothing else."""

from __future__ import annotations

from itertools import chain

import pytest
from error_codes import error_codes

from lisa_ros.error_table import ERRORS, Reaction, Told, reaction_to, spec_of
from lisa_ros.errors import TARGET_WITHOUT_3D
from lisa_ros.msg import Target3D
from lisa_ros.transforms import TRANSFORM_REASONS


def test_every_code_that_is_raised_has_an_entry():
    raised = error_codes()
    # So that a scan that finds little cannot pass.
    assert {"image_step", "depth_camera_info_stamp", "depth_qos", "intent_replaced"} <= set(raised)
    assert {"camera_info_frame_mismatch", TARGET_WITHOUT_3D, "configure_failed"} <= set(raised)
    known = set(chain.from_iterable(spec.codes for spec in ERRORS))
    missing = {code: where for code, where in raised.items() if code not in known}
    assert missing == {}, "add them to lisa_ros/error_table.py"
    assert known - set(raised) == set(), "nothing raises these any more"


def test_a_code_has_one_entry_with_sentences():
    codes = list(chain.from_iterable(spec.codes for spec in ERRORS))
    assert len(codes) == len(set(codes))
    for spec in ERRORS:
        assert spec.meaning.endswith("."), spec
        assert spec.remedy.endswith("."), spec
        assert spec_of(spec.codes[0]) is spec
    with pytest.raises(KeyError):
        spec_of("no such code")


def test_a_client_knows_what_to_do():
    assert reaction_to("intent_empty") is Reaction.REPHRASE
    assert reaction_to("intent_replaced") is Reaction.RETRY
    assert reaction_to("depth_step") is Reaction.CAMERA
    assert reaction_to("a code of a later release") is Reaction.NODE


def test_the_reasons_of_targets_that_are_counted_are_entries():
    for reason in TRANSFORM_REASONS:
        assert spec_of(reason).told is Told.NODE
        assert reason in {
            getattr(Target3D, name) for name in dir(Target3D) if name.startswith("REASON_")
        }
