"""Choices of inference: settings of one trained model, and what each choice compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from training.design.choice import Choice

# Fields of LisaConfig that a trained model can be opened with another value of.
FIELDS = ("patches", "zoom_patches", "zoom_candidates", "reference_floor")
DTYPES = ("float32", "bfloat16")
FULL = 1.0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a trained model is used.

    Attributes:
        name: of its run.
        label: in the tables.
        change: values of :data:`FIELDS` in place of the model's own.
        presence: weight of what is visible in the [SEG] prompt's blend of concepts, as a multiple
            of the model's own; 0 leaves the picture out; None leaves out the codebook too, as in
            the paper.
        dtype: float32 or bfloat16.
    """

    name: str
    label: str
    change: Mapping[str, float] = field(default_factory=dict)
    presence: float | None = FULL
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name, value in self.change.items():
            if name not in FIELDS:
                raise ValueError(
                    f"setting {self.name}: {name} cannot be changed after training; "
                    f"what can: {', '.join(FIELDS)}"
                )
            least = 0 if name in ("zoom_candidates", "reference_floor") else 1
            if value < least:
                raise ValueError(f"setting {self.name}: {name} must be at least {least}")
        if self.presence is not None and self.presence < 0:
            raise ValueError(f"setting {self.name}: presence must be at least 0 or None")
        if self.dtype not in DTYPES:
            raise ValueError(f"setting {self.name}: dtype must be one of {', '.join(DTYPES)}")

    @property
    def needs_codebook(self) -> bool:
        """Whether it means nothing for a model without concepts."""
        return self.presence != FULL

    def as_dict(self) -> dict[str, Any]:
        """What decides the outcome, for JSON."""
        return {"change": dict(self.change), "presence": self.presence, "dtype": self.dtype}


OWN = Setting(name="own", label="the model's own")
_OTHERS = (
    *(
        Setting(name=f"patches_{n}", label=f"{n} patches", change={"patches": n})
        for n in (400, 800, 1600, 2400)
    ),
    Setting(name="no_zoom", label="no closer look", change={"zoom_candidates": 0}),
    Setting(name="zoom_1", label="1 place", change={"zoom_candidates": 1}),
    Setting(name="zoom_2", label="at most 2 places", change={"zoom_candidates": 2}),
    Setting(name="zoom_5", label="at most 5 places", change={"zoom_candidates": 5}),
    *(
        Setting(name=f"zoom_patches_{n}", label=f"{n} patches", change={"zoom_patches": n})
        for n in (256, 512, 1200)
    ),
    Setting(name="raw_prompt", label="gamma's output alone, no codebook", presence=None),
    Setting(name="presence_0", label="weight 0: concepts of the intent alone", presence=0.0),
    Setting(name="presence_half", label="half the weight", presence=0.5),
    Setting(name="presence_2", label="twice the weight", presence=2.0),
    *(
        Setting(name=name, label=label, change={"reference_floor": floor})
        for name, label, floor in (
            ("floor_0", "everything is heard", 0.0),
            ("floor_015", "from 0.15 on", 0.15),
            ("floor_06", "from 0.6 on", 0.6),
        )
    ),
    Setting(name="bfloat16", label="bfloat16", dtype="bfloat16"),
)
SETTINGS: Mapping[str, Setting] = {one.name: one for one in (OWN, *_OTHERS)}
INFERENCE: Mapping[str, Choice] = {
    one.name: one
    for one in (
        Choice(
            name="resolution",
            title="Patches of the whole frame",
            rows=("own", "patches_400", "patches_800", "patches_1600", "patches_2400"),
        ),
        Choice(
            name="zoom",
            title="Closer looks",
            rows=("own", "no_zoom", "zoom_1", "zoom_2", "zoom_5"),
        ),
        Choice(
            name="zoom_patches",
            title="Patches of a closer look",
            rows=("own", "zoom_patches_256", "zoom_patches_512", "zoom_patches_1200"),
        ),
        Choice(
            name="presence",
            title="Weight of what is visible in the [SEG] prompt",
            rows=("own", "raw_prompt", "presence_0", "presence_half", "presence_2"),
        ),
        Choice(
            name="reference",
            title="Strength from which a reference is heard",
            rows=("own", "floor_0", "floor_015", "floor_06"),
        ),
        Choice(name="precision", title="Precision", rows=("own", "bfloat16")),
    )
}
