"""Chooses the small baseline's settings on validation frames, by the share of right names.

A name is right when its class is the target's. Every question has a target, so that refusing never
helps: the threshold is the highest that loses at most 2% of the right names. How much it refuses is
told by questions about things that are not there (those of the next frame, where this frame shows
neither the class nor its confusion group).

Run: ``python -m training.evaluation.two_stage.choose --frames data/household/val --limit 20``
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from lisa_model.rgbd import RgbdFrame, load_frame
from training.evaluation.contender import Ask
from training.evaluation.two_stage.class_masks import SeenClasses
from training.evaluation.two_stage.matching import Matcher
from training.evaluation.two_stage.parts import Offer
from training.evaluation.two_stage.small import CHOSEN, Chosen, NamerKind, open_namer
from training.evaluation.two_stage.text_namers import Scoring, ScoringNamer
from training.household.evaluate import is_sentence, questions_of
from training.household.taxonomy import load_categories

MIN_LOG_PRESENCE = (-4.0, -3.0, -2.0)
MATCH_WEIGHTS = (0.0, 0.05, 0.1, 0.15)
SCORE_WEIGHTS = (0.0, 0.5, 1.0, 2.0, 3.0)
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 16))
LOSS_ALLOWED = 0.02
DTYPE = "bfloat16"  # as the evaluation in docs/two_stage.md


@dataclass(frozen=True, kw_only=True)
class Case:
    """A question about a frame.

    Attributes:
        offers: classes of the frame by the vision side, the widest list.
        target: display name of the class that is meant; "" when it is not there.
    """

    image: NDArray[np.uint8]
    offers: Sequence[Offer]
    ask: Ask
    kind: str
    target: str


# A case and settings -> title of the class that is named, and the cosine that got it there.
Named = Callable[[Case, Chosen], tuple[str, float]]


def cases_of(frames: Sequence[Path], seen: SeenClasses, split: str) -> list[Case]:
    """Each frame's questions, and those of the next one that mean nothing in it."""
    categories = load_categories()
    loaded = [load_frame(path, depth=False) for path in frames]

    def groups(frame: RgbdFrame) -> set[str]:
        kinds = [categories[thing.category] for thing in frame.instances]
        return {kind.group or kind.id for kind in kinds}

    out = []
    for frame, other in zip(loaded, [*loaded[1:], loaded[0]], strict=True):
        offers = list(seen.classes(frame.color))
        shown = groups(frame)
        for source in (frame, other):
            by_id = {thing.id: categories[thing.category] for thing in source.instances}
            for item in questions_of(source, split):
                meant = by_id[item["instances"][0]]
                if source is other and (meant.group or meant.id) in shown:
                    continue
                text, kind = item["intent"], item["kind"]
                out.append(
                    Case(
                        image=frame.color,
                        offers=offers,
                        ask=Ask(text=text, is_sentence=is_sentence(text)),
                        kind=kind,
                        target=meant.title if source is frame else "",
                    )
                )
    return out


def visible(case: Case, chosen: Chosen) -> list[Offer]:
    """The shorter list of a setting."""
    return [one for one in case.offers if one.log_presence >= chosen.min_log_presence]


def by_matching(cases: Sequence[Case], kind: NamerKind) -> Named:
    """Names of a namer whose text is matched; each question is asked once."""
    namer = open_namer(kind, device="cpu", dtype=DTYPE, chosen=CHOSEN[kind])
    names = {id(case): namer.name_thing(case.image, case.ask, case.offers).name for case in cases}
    matcher = Matcher(threshold=-1.0)

    def named(case: Case, chosen: Chosen) -> tuple[str, float]:
        matcher.presence_weight = chosen.presence_weight
        best = matcher.best(names[id(case)], visible(case, chosen)) if names[id(case)] else None
        return (best.title, matcher.cosine(names[id(case)], best)) if best else ("", -1.0)

    return named


def by_scoring(cases: Sequence[Case], scoring: Scoring, found: dict[int, list[float]]) -> Named:
    """Names that the LLM prefers.

    Args:
        found: likelihoods of a case's offers by ``id(case)``, filled where they are missing.
    """
    start = replace(CHOSEN["llm-score"], scoring=scoring)
    namer = open_namer("llm-score", device="cpu", dtype=DTYPE, chosen=start)
    assert isinstance(namer, ScoringNamer)
    scores = {}
    for case in cases:
        if id(case) not in found:
            found[id(case)] = namer.likelihoods(case.ask.text, case.offers)
        scores[id(case)] = namer.weighed(found[id(case)], case.offers)

    def named(case: Case, chosen: Chosen) -> tuple[str, float]:
        rows = [
            (score + chosen.presence_weight * offer.log_presence, offer.title)
            for score, offer in zip(scores[id(case)], case.offers, strict=True)
            if offer.log_presence >= chosen.min_log_presence
        ]
        return (max(rows)[1], 1.0) if rows else ("", -1.0)

    return named


def right(cases: Sequence[Case], named: Named, chosen: Chosen) -> float:
    """Share of cases that get the right name; of absent things: none."""
    hits = []
    for case in cases:
        title, cosine = named(case, chosen)
        hits.append((title if cosine >= chosen.threshold else "") == case.target)
    return float(np.mean(hits))


def choose(cases: Sequence[Case], named: Named, grid: Sequence[Chosen]) -> Chosen:
    """Best of the grid without a threshold, then the highest threshold that costs little."""
    present = [case for case in cases if case.target]
    best = max(grid, key=lambda one: right(present, named, one))
    least = right(present, named, best) * (1.0 - LOSS_ALLOWED)
    good = [
        value
        for value in THRESHOLDS
        if right(present, named, replace(best, threshold=value)) >= least
    ]
    return replace(best, threshold=max(good, default=-1.0))


def grid(weights: Sequence[float], scoring: Scoring = "pmi") -> list[Chosen]:
    """All combinations, without a threshold."""
    return [
        Chosen(min_log_presence=low, threshold=-1.0, presence_weight=weight, scoring=scoring)
        for low, weight in itertools.product(MIN_LOG_PRESENCE, weights)
    ]


def figures(cases: Sequence[Case], named: Named, chosen: Chosen) -> dict[str, object]:
    """Settings and shares, for the report."""
    explicit = [case for case in cases if case.target and case.kind == "explicit"]
    implicit = [case for case in cases if case.target and case.kind != "explicit"]
    absent = [case for case in cases if not case.target]
    return {
        **asdict(chosen),
        "right_explicit": right(explicit, named, chosen),
        "right_implicit": right(implicit, named, chosen),
        "refused_absent": right(absent, named, chosen) if absent else None,
        "n": [len(explicit), len(implicit), len(absent)],
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, required=True, help="folder of validation frames")
    parser.add_argument("--limit", type=int, help="first N frames only")
    parser.add_argument("--model", default="lisa-tiny")
    parser.add_argument("--json", type=Path, help="write the table here")
    args = parser.parse_args()
    frames = sorted(args.frames.glob("*.json"))[: args.limit]
    seen = SeenClasses.open(
        args.model,
        device="cpu",
        dtype=DTYPE,
        min_log_presence=min(MIN_LOG_PRESENCE),
    )
    cases = cases_of(frames, seen, "val")
    table: dict[str, dict[str, object]] = {}
    for kind in get_args(NamerKind):
        if kind == "llm-score":
            present = [case for case in cases if case.target]  # it never refuses
            found: dict[int, list[float]] = {}
            for scoring in get_args(Scoring):
                named = by_scoring(present, scoring, found)
                chosen = choose(present, named, grid(SCORE_WEIGHTS, scoring))
                table[f"{kind} ({scoring})"] = figures(present, named, chosen)
        else:
            named = by_matching(cases, kind)
            chosen = choose(cases, named, grid(MATCH_WEIGHTS))
            table[kind] = figures(cases, named, chosen)
    for name, row in table.items():
        print(name, json.dumps(row))
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
