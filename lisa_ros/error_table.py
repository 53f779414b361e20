"""The table of error codes: what each means, who is told, and what a client does about it.

docs/interfaces/errors.md is written from it, and a test finds every code that the package raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lisa_ros.errors import (
    CANCELLED,
    DEADLINE_EXCEEDED,
    FOLLOW_FAILED,
    INFERENCE_FAILED,
    INFERENCE_HUNG,
    INTENT_REPLACED,
    INTENT_WITHOUT_FRAME,
    INTERNAL_ERROR,
    NOT_ACTIVE,
    OUT_OF_MEMORY,
    SHUTTING_DOWN,
    STALE_FRAME,
    TARGET_WITHOUT_3D,
)


class Told(StrEnum):
    """Who is told of an error, besides the log."""

    REQUEST = "request"  # error_code of ~/segment and ~/find_target, and the counter
    ACTION = "action"  # error_code of ~/find_target only; not counted
    MESSAGE = "message"  # the counter; a request too, when it brought the message or got its frame
    NODE = "node"  # the counter
    VIEW = "view"  # the Foxglove client of `lisa view`


class Reaction(StrEnum):
    """What a client can do about an error."""

    NONE = "nothing: it was asked for"
    REPHRASE = "say the intent in other words"
    CORRECT = "correct the request"
    RETRY = "send the request again"
    LOOK = "look from elsewhere, or say it in other words"
    CAMERA = "mend what the camera sends, then ask again"
    NODE = "stop asking until the node is mended"


@dataclass(frozen=True, kw_only=True)
class ErrorSpec:
    """One kind of error.

    Attributes:
        codes: stable names; several where the same can be wrong with several messages.
        told: who is told.
        reaction: what a client can do.
        meaning: one sentence.
        remedy: what a person can do; the message of an error says the same with its figures.
    """

    codes: tuple[str, ...]
    told: Told
    reaction: Reaction
    meaning: str
    remedy: str


IMAGES = ("image", "depth")
INFOS = ("camera_info", "depth_camera_info")


def _of(kinds: tuple[str, ...], what: str) -> tuple[str, ...]:
    return tuple(f"{kind}_{what}" for kind in kinds)


def _request(
    codes: str | tuple[str, ...], reaction: Reaction, meaning: str, remedy: str
) -> ErrorSpec:
    names = (codes,) if isinstance(codes, str) else codes
    return ErrorSpec(
        codes=names, told=Told.REQUEST, reaction=reaction, meaning=meaning, remedy=remedy
    )


def _message(codes: tuple[str, ...], meaning: str, remedy: str) -> ErrorSpec:
    return ErrorSpec(
        codes=codes,
        told=Told.MESSAGE,
        reaction=Reaction.CAMERA,
        meaning=meaning,
        remedy=remedy,
    )


def _node(codes: str | tuple[str, ...], meaning: str, remedy: str) -> ErrorSpec:
    names = (codes,) if isinstance(codes, str) else codes
    return ErrorSpec(
        codes=names, told=Told.NODE, reaction=Reaction.NODE, meaning=meaning, remedy=remedy
    )


def _view(code: str, meaning: str, remedy: str) -> ErrorSpec:
    return ErrorSpec(
        codes=(code,), told=Told.VIEW, reaction=Reaction.CORRECT, meaning=meaning, remedy=remedy
    )


ERRORS: tuple[ErrorSpec, ...] = (
    _request(
        "intent_empty",
        Reaction.REPHRASE,
        "The intent has no words.",
        "Say what is wanted.",
    ),
    _request(
        "intent_too_long",
        Reaction.REPHRASE,
        "The intent has more than max_intent_chars characters.",
        "Shorten it, or raise the parameter.",
    ),
    _request(
        "intent_control_character",
        Reaction.REPHRASE,
        "The intent has a control character, or one that turns the direction of writing.",
        "Send plain text.",
    ),
    _request(
        "intent_special_token",
        Reaction.REPHRASE,
        "The intent contains a control token of language models, such as [SEG].",
        "Send plain words.",
    ),
    _request(
        "deadline_invalid",
        Reaction.CORRECT,
        "deadline_s is negative or not finite.",
        "Send seconds, or 0 for no limit.",
    ),
    _request(
        INTENT_WITHOUT_FRAME,
        Reaction.CAMERA,
        "No colour image arrived within frame_timeout_s.",
        "Start the camera; check remapping and QoS.",
    ),
    _request(
        STALE_FRAME,
        Reaction.CAMERA,
        "The newest colour image is older than max_frame_age_s, also after frame_timeout_s.",
        "Check that the camera still runs.",
    ),
    _request(
        "no_camera_info",
        Reaction.CAMERA,
        "rectify is true and the image has no camera_info; or a request of ~/segment has depth "
        "without camera_info.",
        "Publish it with the image's stamp, or send it along.",
    ),
    _request(
        INTENT_REPLACED,
        Reaction.RETRY,
        "A newer request took this one's place before it started.",
        "Send it again if it is still wanted.",
    ),
    _request(
        DEADLINE_EXCEEDED,
        Reaction.RETRY,
        "There was no answer within deadline_s, or within inference_timeout_s.",
        "Allow more time, lower max_answer_tokens, or use a smaller model or a faster device.",
    ),
    _request(
        CANCELLED,
        Reaction.NONE,
        "The goal was cancelled, or ~/cancel was called.",
        "None is needed.",
    ),
    _request(
        NOT_ACTIVE,
        Reaction.NODE,
        "The node is not active, or was deactivated meanwhile.",
        "ros2 lifecycle set <node> configure, then activate; its log says why that fails.",
    ),
    _request(
        INFERENCE_FAILED,
        Reaction.NODE,
        "The model raised an error; the log has the stack.",
        "Send it again once; if it comes again, report it.",
    ),
    _request(
        OUT_OF_MEMORY,
        Reaction.NODE,
        "The inference ran out of memory; what it held was given back. Also ends following.",
        "Set what the message names: dtype, quantization, a smaller model or image.",
    ),
    _request(
        INFERENCE_HUNG,
        Reaction.NODE,
        "The inference has come on by no stage and no token for watchdog_s.",
        "Restart the node; if the model is only slow, raise watchdog_s.",
    ),
    _request(
        INTERNAL_ERROR,
        Reaction.NODE,
        "The program has an error; the node lives on. Also counted where nobody has asked.",
        "Report it with the log.",
    ),
    _request(
        SHUTTING_DOWN,
        Reaction.NODE,
        "The node is being cleaned up or ended.",
        "Start it again.",
    ),
    ErrorSpec(
        codes=(TARGET_WITHOUT_3D,),
        told=Told.ACTION,
        reaction=Reaction.LOOK,
        meaning="want_3d was set, and no target has a position; the result has the masks.",
        remedy="See each target's reason; look from elsewhere; lower score_threshold.",
    ),
    _message(
        _of(IMAGES, "encoding"),
        "The encoding is not understood.",
        "Colour: rgb8, bgr8, rgba8, bgra8, mono8, mono16, yuv422, yuv422_yuy2; depth: 16UC1, "
        "32FC1.",
    ),
    _message(
        _of(IMAGES + INFOS, "size"),
        "Width or height is 0, too large, or odd where pixels come in pairs.",
        "Send whole images; camera_info has the size of its image.",
    ),
    _message(_of(IMAGES, "endianness"), "is_bigendian is neither 0 nor 1.", "Set 0 or 1."),
    _message(
        _of(IMAGES, "step"),
        "A row has fewer bytes than its pixels.",
        "Set step to the bytes of a row with its padding.",
    ),
    _message(
        _of(IMAGES, "data_length"),
        "data is not step x height bytes; or, compressed, empty or too long.",
        "Send whole images.",
    ),
    _message(
        _of(IMAGES + INFOS, "frame_id"),
        "header.frame_id is empty or overlong.",
        "Set it to the camera's optical frame.",
    ),
    _message(
        _of(IMAGES + INFOS, "stamp"),
        "header.stamp is negative, or nanosec is 1e9 or more.",
        "Send the time of capture.",
    ),
    _message(
        _of(INFOS, "intrinsics"),
        "K has an entry that is not finite, or no plausible focal length.",
        "Calibrate the camera.",
    ),
    _message(
        ("camera_info_projection",),
        "rectified_input is true, and P is as the K above.",
        "Calibrate the camera.",
    ),
    _message(
        _of(INFOS, "distortion"),
        "d has too few or too many entries for its model, or one that is not finite.",
        "Calibrate the camera again.",
    ),
    _message(
        _of(INFOS, "distortion_model"),
        "rectify is true, and the distortion model is not plumb_bob or rational_polynomial.",
        "Rectify with image_proc, and set rectified_input.",
    ),
    _message(
        _of(("depth", *INFOS), "size_mismatch"),
        "The size is not that of the image it belongs to.",
        "Subscribe to what belongs together; register depth, or set depth_to_colour.",
    ),
    _message(
        _of(("depth", *INFOS), "frame_mismatch"),
        "The frame_id is not that of the image it belongs to.",
        "As above.",
    ),
    _message(
        _of(IMAGES, "format"),
        "format names no codec that is understood.",
        "Publish with image_transport's compressed or compressedDepth.",
    ),
    _message(
        _of(IMAGES, "data"),
        "The compressed data are damaged, or of another kind than format says.",
        "Send whole messages; over Wi-Fi set camera_qos to reliable.",
    ),
    _message(
        ("depth_quantization",),
        "compressedDepth of 32FC1 has no usable quantization parameters.",
        "Set the sender's depth_max above 0.",
    ),
    ErrorSpec(
        codes=_of(IMAGES + INFOS, "qos"),
        told=Told.NODE,
        reaction=Reaction.CAMERA,
        meaning="A publisher offers less than camera_qos asks for; nothing comes from it.",
        remedy="Set camera_qos to best_effort, or make the publisher reliable.",
    ),
    _node(
        "configure_failed",
        "The model could not be loaded, or parameters contradict; the node stays unconfigured.",
        "Do what the message says, then configure again.",
    ),
    _node(
        "bond_unavailable",
        "bond_heartbeat_period is set, but bondpy is not installed.",
        "Install it, or set 0 there and for the lifecycle manager's bond_timeout.",
    ),
    _node(
        "no_tf2",
        "target_frame or follow_fixed_frame is set, but tf2_ros is not installed. Targets have "
        "this as their reason.",
        "Install it, or empty the parameter.",
    ),
    _node(
        "no_transform",
        "tf2 had no transform at the image's stamp within tf_timeout_s. Targets have this as "
        "their reason; with follow_fixed_frame they are only not smoothed.",
        "Check the name, the tree (ros2 run tf2_tools view_frames), and the clocks.",
    ),
    _node(
        FOLLOW_FAILED,
        "The model raised an error while following, which has ended.",
        "Ask again; if it comes again, report it.",
    ),
    _view(
        "view_topic",
        "The client published to another topic than the intent's.",
        "Publish to the topic that the message names.",
    ),
    _view("view_size", "The message is longer than 64 KiB.", "Send an intent."),
    _view(
        "view_encoding", "The client's encoding is not json or cdr.", "Publish with one of them."
    ),
    _view(
        "view_message",
        "The message is no std_msgs/String.",
        'Publish {"data": "change the TV channel"}.',
    ),
)

_BY_CODE = {code: spec for spec in ERRORS for code in spec.codes}


def spec_of(code: str) -> ErrorSpec:
    """Return the entry of a code.

    Raises:
        KeyError: there is none.
    """
    return _BY_CODE[code]


def reaction_to(code: str) -> Reaction:
    """Return what a client can do about an ``error_code``; NODE for one that is not known."""
    spec = _BY_CODE.get(code)
    return spec.reaction if spec else Reaction.NODE
