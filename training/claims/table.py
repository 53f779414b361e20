"""Tables of the claims, from the records of finished runs; into docs/claims.md with ``--write``.

Run: ``python -m training.claims.table --work data/claims --write docs/claims.md``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.claims.plan import score_id
from training.claims.registry import CLAIMS, Claim
from training.experiments import tables
from training.experiments.statistics import Scores, scores
from training.experiments.tables import points_cell, steps_of, value_cell
from training.homereason.choose import IMPLICIT
from training.markdown import head, line

HEADS = (
    "",
    "gIoU, reasoning",
    "cIoU, reasoning",
    "gIoU, all questions",
    "paper: gIoU / cIoU",
)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A row's scores.

    Attributes:
        reasoning: of questions that imply their thing.
        everything: of all questions.
    """

    reasoning: Scores
    everything: Scores


def claim_table(
    claim: Claim, work: Path, seeds: Sequence[int], *, split: str, limit: int | None
) -> str | None:
    """A claim's table and differences in Markdown; None where a row has no finished score.

    Only seeds count for which every row is finished.

    Raises:
        ExperimentError: rows were asked different questions.
    """

    def score(key: str, seed: int) -> str:
        return score_id(key, seed, split, limit)

    keys = [row.key for row in claim.rows]
    common, records = tables.read_rows(work, keys, seeds, score)
    if not common:
        return None
    rows = [
        Scored(reasoning=scores(mine, lambda one: one["kind"] in IMPLICIT), everything=scores(mine))
        for mine in records
    ]
    lines = head(HEADS)
    for row, found in zip(claim.rows, rows, strict=True):
        paper = f"{row.paper[0]} / {row.paper[1]} ({row.paper_row})" if row.paper else "-"
        lines.append(
            line([
                row.label,
                value_cell(found.reasoning, "giou"),
                value_cell(found.reasoning, "ciou"),
                value_cell(found.everything, "giou"),
                paper,
            ])
        )  # fmt: skip
    lines += ["", "Differences in gIoU, points:", ""]
    for better, worse in claim.differences:
        first, second = claim.rows[better], claim.rows[worse]
        parts = [
            f"{points_cell(rows[better].reasoning, rows[worse].reasoning)} (reasoning)",
            f"{points_cell(rows[better].everything, rows[worse].everything)} (all)",
        ]
        if first.paper and second.paper:
            parts.append(f"paper: {first.paper[0] - second.paper[0]:+.1f}")
        lines.append(f"* {first.label}, less {second.label}: {'; '.join(parts)}")
    reasoning, everything = rows[0].reasoning, rows[0].everything
    shown = ", ".join(str(seed) for seed in common)
    frames = f"{len(everything.count)} frames of {split}"
    lines += [
        "",
        f"Seeds {shown}; {len(reasoning.questions)} reasoning questions of "
        f"{len(everything.questions)}, {frames}. "
        f"{steps_of(work, [score(key, common[0]) for key in keys])}",
    ]
    return "\n".join(lines) + "\n"


def open_note(claim: Claim) -> str:
    """What stands in the place of a table that no run has filled."""
    return tables.open_note(
        f"python -m training.claims.run --claim {claim.name}",
        "python -m training.claims.table --write docs/claims.md",
    )


def main(argv: list[str] | None = None) -> int:
    """Entry point; errors that a user can mend are one line on stderr and exit code 1."""
    parser = tables.table_arguments(
        "training.claims.table", work="data/claims", split="test", seeds=[0, 1, 2]
    )
    args = parser.parse_args(argv)

    def made() -> dict[str, str]:
        return {
            name: claim_table(claim, args.work, args.seeds, split=args.split, limit=args.limit)
            or open_note(claim)
            for name, claim in CLAIMS.items()
        }

    titles = {name: claim.title for name, claim in CLAIMS.items()}
    return tables.show(made, titles, name="claims", kind="claim", page=args.write)


if __name__ == "__main__":
    sys.exit(main())
