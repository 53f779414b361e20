"""What is trained, what is scored, and which of these each claim compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from training.claims.families import Family

FEW = 239  # ReasonSeg's training images
MANY = 439  # with its validation images, as in the paper's table 6


class Intents(StrEnum):
    """What the text stage of a base learns from."""

    NAMES = "names"  # names of the taxonomy
    REFERRING = "referring"  # words of the referring questions, where they name the thing


class How(StrEnum):
    """How a trained model is scored."""

    FREE = "free"  # it writes its answer
    TEACHER_FORCED = "teacher_forced"  # its answer is given
    TWO_STAGE_MATCH = "two_stage_match"  # its mask head, asked by the class that MiniLM picks
    TWO_STAGE_LLM = "two_stage_llm"  # its mask head, asked by the class that SmolLM2 picks


@dataclass(frozen=True, kw_only=True)
class Base:
    """Training without reasoning data: text stage, then joint stage.

    Attributes:
        name: of its runs.
        families: of questions in the joint stage; never REASONING.
        intents: of the text stage.
        small_talk: turns that want no mask, in both stages.
    """

    name: str
    families: tuple[Family, ...] = (Family.SEMANTIC, Family.REFERRING)
    intents: Intents = Intents.NAMES
    small_talk: bool = True

    def __post_init__(self) -> None:
        if not self.families or not {Family.SEMANTIC, Family.REFERRING}.issuperset(self.families):
            raise ValueError(
                f"base {self.name}: families must be of semantic and referring, "
                f"got {', '.join(self.families) or 'none'}"
            )


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A model that is scored.

    Attributes:
        name: of its runs.
        base: what it begins with.
        finetuned: trained on for the steps of a fine-tuning; False is the base itself.
        samples: reasoning samples in the fine-tuning; 0 trains on with the base's data alone.
        rephrased: each sample in several wordings, not in one.
    """

    name: str
    base: Base
    finetuned: bool = True
    samples: int = 0
    rephrased: bool = True

    def __post_init__(self) -> None:
        if self.samples < 0:
            raise ValueError(f"variant {self.name}: samples must be at least 0, got {self.samples}")
        if self.samples and not self.finetuned:
            raise ValueError(f"variant {self.name}: samples need finetuned=True")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a claim's table.

    Attributes:
        label: in the table.
        variant: name of what is scored.
        how: it is scored.
        paper: gIoU, cIoU of the paper's row that this one stands for, percent; None without.
        paper_row: which row that is.
    """

    label: str
    variant: str
    how: How = How.FREE
    paper: tuple[float, float] | None = None
    paper_row: str = ""

    @property
    def key(self) -> str:
        """Name of what is scored, and how."""
        return self.variant if self.how is How.FREE else f"{self.variant}-{self.how}"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim of the paper, as rows of a table and the differences that decide it.

    Attributes:
        name: for the command line.
        title: of the table.
        rows: what is scored.
        differences: (better, worse) as the claim has it, numbers of rows.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    differences: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if row.variant not in VARIANTS:
                raise ValueError(f"claim {self.name}: there is no variant {row.variant!r}")
        for pair in self.differences:
            if not set(pair) <= set(range(len(self.rows))) or pair[0] == pair[1]:
                raise ValueError(f"claim {self.name}: differences {pair} are not two of its rows")


_FREE = Base(name="free")
_NO_SEMANTIC = Base(
    name="free_no_semantic", families=(Family.REFERRING,), intents=Intents.REFERRING
)
_NO_TEXT = Base(name="free_no_text", small_talk=False)

BASES: Mapping[str, Base] = {one.name: one for one in (_FREE, _NO_SEMANTIC, _NO_TEXT)}
VARIANTS: Mapping[str, Variant] = {
    one.name: one
    for one in (
        Variant(name="base", base=_FREE, finetuned=False),
        Variant(name="continued", base=_FREE),
        Variant(name="few", base=_FREE, samples=FEW),
        Variant(name="few_one_wording", base=_FREE, samples=FEW, rephrased=False),
        Variant(name="many", base=_FREE, samples=MANY),
        Variant(name="few_no_semantic", base=_NO_SEMANTIC, samples=FEW),
        Variant(name="few_no_text", base=_NO_TEXT, samples=FEW),
    )
}

_WITH_FEW = Row(
    label=f"+ {FEW} reasoning samples",
    variant="few",
    paper=(52.9, 54.0),
    paper_row="LISA-7B (ft), val",
)
CLAIMS: Mapping[str, Claim] = {
    one.name: one
    for one in (
        Claim(
            name="reasoning",
            title="Reasoning-free data, and a few reasoning samples (table 1)",
            rows=(
                Row(
                    label="reasoning-free data only",
                    variant="base",
                    paper=(44.4, 46.0),
                    paper_row="LISA-7B, val",
                ),
                Row(label="trained on as long, without a sample", variant="continued"),
                _WITH_FEW,
            ),
            differences=((2, 0), (2, 1)),
        ),
        Claim(
            name="two_stage",
            title="Embedding as mask, and two stages (table 1)",
            rows=(
                Row(
                    label="embedding as mask",
                    variant="few",
                    paper=(61.3, 62.9),
                    paper_row="LISA-7B-LLaVA1.5 (ft), val",
                ),
                Row(
                    label="two stages, MiniLM names",
                    variant="few",
                    how=How.TWO_STAGE_MATCH,
                    paper=(38.2, 23.5),
                    paper_row="LLaVA1.5-7B + OVSeg, val",
                ),
                Row(label="two stages, SmolLM2 names", variant="few", how=How.TWO_STAGE_LLM),
            ),
            differences=((0, 1), (0, 2)),
        ),
        Claim(
            name="data",
            title="Kinds of training data (table 5)",
            rows=(
                Row(
                    label="everything",
                    variant="few",
                    paper=(52.9, 54.0),
                    paper_row="5, 8: everything",
                ),
                Row(
                    label="no semantic segmentation data",
                    variant="few_no_semantic",
                    paper=(30.4, 20.4),
                    paper_row="5, 5: no semantic segmentation",
                ),
                Row(label="no VQA-style text", variant="few_no_text"),
            ),
            differences=((0, 1), (0, 2)),
        ),
        Claim(
            name="rephrasing",
            title="Rephrasing (table 4)",
            rows=(
                Row(
                    label="several wordings of each sample",
                    variant="few",
                    paper=(52.9, 54.0),
                    paper_row="4, 3: both",
                ),
                Row(
                    label="one wording of each sample",
                    variant="few_one_wording",
                    paper=(50.7, 51.1),
                    paper_row="4, 2: no rephrasing",
                ),
            ),
            differences=((0, 1),),
        ),
        Claim(
            name="samples",
            title="Number of reasoning samples (table 6)",
            rows=(
                Row(
                    label=f"{FEW} samples",
                    variant="few",
                    paper=(51.7, 51.1),
                    paper_row="6, train: 239",
                ),
                Row(
                    label=f"{MANY} samples",
                    variant="many",
                    paper=(54.0, 54.9),
                    paper_row="6, train + val: 439",
                ),
            ),
            differences=((1, 0),),
        ),
        Claim(
            name="teacher_forcing",
            title="Answer given, and answer generated",
            rows=(
                Row(label="base, answer given", variant="base", how=How.TEACHER_FORCED),
                Row(label="base, free generation", variant="base"),
                Row(label=f"+ {FEW} samples, answer given", variant="few", how=How.TEACHER_FORCED),
                Row(label=f"+ {FEW} samples, free generation", variant="few"),
            ),
            differences=((0, 1), (2, 3)),
        ),
    )
}
