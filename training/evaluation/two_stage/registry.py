"""Two-stage baselines by name, for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.evaluation.contender import Contender

SMALL = "smollm2-minilm"
ORACLE = "smollm2-minilm-oracle"
NAMERS = ("llava", "lm")
SEGMENTERS = ("clipseg", "grounded-sam", "mask2former")
NAMES: tuple[str, ...] = (
    SMALL,
    ORACLE,
    *(f"{namer}-{segmenter}" for namer in NAMERS for segmenter in SEGMENTERS),
)

# Options that a user can give, and how their text is read.
_OPTIONS: dict[str, type] = {
    "namer": str,
    "model": str,
    "namer_folder": str,
    "segmenter_folder": str,
    "sam_folder": str,
    "threshold": float,
    "text_threshold": float,
    "match_threshold": float,
    "max_new_tokens": int,
}
# Below it, MiniLM takes a name for none of a panoptic model's classes.
MATCH_THRESHOLD = 0.5


def options_of(name: str) -> tuple[str, ...]:
    """Options that the baseline takes (an oracle takes ``frames`` besides, from the benchmark).

    Raises:
        ValueError: unknown name.
    """
    if name not in NAMES:
        raise ValueError(f"no baseline {name!r}; there are: {', '.join(NAMES)}")
    if name == SMALL:
        return ("namer", "model")
    if name == ORACLE:
        return ("namer",)
    more = {
        "clipseg": (),
        "grounded-sam": ("sam_folder", "text_threshold"),
        "mask2former": ("match_threshold",),
    }
    segmenter = name.split("-", 1)[1]
    return ("namer_folder", "segmenter_folder", "max_new_tokens", "threshold", *more[segmenter])


def read_options(texts: Sequence[str]) -> dict[str, Any]:
    """Options from texts as "threshold=0.4".

    Raises:
        ValueError: naming the text and the remedy.
    """
    out: dict[str, Any] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or key not in _OPTIONS:
            raise ValueError(
                f"baseline option {text!r}: write KEY=VALUE with KEY one of {', '.join(_OPTIONS)}"
            )
        try:
            out[key] = _OPTIONS[key](value)
        except ValueError as error:
            raise ValueError(f"baseline option {text!r}: {value!r} is no number") from error
    return out


def build(name: str, *, device: str, dtype: str, **options: Any) -> Contender:
    """Open a baseline.

    Args:
        name: one of NAMES.
        device: torch device.
        dtype: float32, bfloat16 or float16.
        options: of :func:`options_of`; ``frames`` of an oracle: the frames' JSON files.

    Raises:
        ValueError: unknown name or option, or a value out of range.
        WeightsMissingError: a folder of weights is not there.
    """
    known = (*options_of(name), *(("frames",) if name == ORACLE else ()))
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"baseline {name}: no option {unknown[0]!r}; it takes {', '.join(known)}")
    if name in (SMALL, ORACLE):
        from training.evaluation.two_stage.small import build_small

        if name == ORACLE and not options.get("frames"):
            raise ValueError(f"baseline {name} knows the truth of household frames only")
        return build_small(device=device, dtype=dtype, oracle=name == ORACLE, **options)
    return _build_large(name, device, dtype, options)


def _build_large(name: str, device: str, dtype: str, options: Mapping[str, Any]) -> Contender:
    """A namer and a segmenter from folders."""
    from training.evaluation.two_stage.parts import OpenVocabularySegmenter, TwoStage

    named, segmented = name.split("-", 1)
    # The segmenter first: its mistakes show before a large LLM has been read.
    given = {key: options[key] for key in ("threshold", "text_threshold") if key in options}
    folder = options.get("segmenter_folder")
    segmenter: OpenVocabularySegmenter
    if segmented == "clipseg":
        from training.evaluation.two_stage.clipseg import ClipSeg

        segmenter = ClipSeg.open(folder, device=device, dtype=dtype, **given)
    elif segmented == "grounded-sam":
        from training.evaluation.two_stage.grounded_sam import GroundedSam

        sam = options.get("sam_folder")
        segmenter = GroundedSam.open(folder, sam_folder=sam, device=device, dtype=dtype, **given)
    else:
        from training.evaluation.two_stage.matching import MatchedSegmenter, Matcher
        from training.evaluation.two_stage.panoptic import PanopticClasses

        matcher = Matcher(threshold=options.get("match_threshold", MATCH_THRESHOLD))
        classes = PanopticClasses.open(folder, device=device, dtype=dtype, **given)
        segmenter = MatchedSegmenter(classes=classes, matcher=matcher)
    return TwoStage(namer=_large_namer(named, device, dtype, options), segmenter=segmenter)


def _large_namer(kind: str, device: str, dtype: str, options: Mapping[str, Any]) -> Any:
    given = {key: options[key] for key in ("max_new_tokens",) if key in options}
    folder = options.get("namer_folder")
    if kind == "llava":
        from training.evaluation.two_stage.llava_namer import LlavaNamer

        return LlavaNamer.open(folder, device=device, dtype=dtype, **given)
    from training.evaluation.two_stage.causal_lm import CausalLm
    from training.evaluation.two_stage.text_namers import WritingNamer, prefix

    lm = CausalLm.open(folder, device=device, dtype=dtype, prefix=prefix(candidates=False))
    return WritingNamer(lm=lm, label=Path(str(folder)).name, **given)
