"""Where an experiment's data and runs are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.experiments.errors import ExperimentError
from training.experiments.runs import Run

RUN_FILE = "run.json"
DONE_FILE = "done.json"
REPORT = "report.json"
RECORDS = "records.jsonl"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where things are, and how this machine trains.

    Attributes:
        work: folder of all runs.
        frames: folder of the splits.
        features: cached features of the training frames.
        questions: training question files.
        scored: folder of the questions that are scored.
        own_vision: file of a trained vision stage, with "{seed}" in it; "" for the planned one.
        compiled: see :func:`training.tiny.speed.quicken`.
        model: folder of a trained model that is only scored; "" without.
    """

    work: Path
    frames: Path
    features: Path
    questions: tuple[Path, ...]
    scored: Path
    own_vision: str = ""
    compiled: bool = True
    model: str = ""

    def folder(self, run_id: str) -> Path:
        """Of a run."""
        return self.work / run_id

    def text(self, run: Run) -> Path:
        """What the text stage that a run is made from wrote."""
        return self._needed(run, "text") / "text.pt"

    def vision(self, run: Run) -> Path:
        """What the vision stage that a run is made from wrote."""
        if self.own_vision:
            return Path(self.own_vision.format(seed=run.seed))
        return self._needed(run, "vision") / "vision.pt"

    def joint(self, run: Run) -> Path:
        """Folder of the joint stage that a run is made from."""
        return self._needed(run, "joint")

    def _needed(self, run: Run, stage: str) -> Path:
        for one in run.needs:
            if one.split("/")[1] == stage:  # SEED/STAGE/...
                return self.folder(one)
        raise ExperimentError(f"run {run.id} is made from no {stage} stage")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        paths = {name: str(value) for name, value in asdict(self).items()}
        return paths | {
            "questions": [str(one) for one in self.questions],
            "compiled": self.compiled,
        }


def parse_places(values: Mapping[str, Any]) -> Places:
    """Read :meth:`Places.as_dict` back."""
    return Places(
        work=Path(values["work"]),
        frames=Path(values["frames"]),
        features=Path(values["features"]),
        questions=tuple(Path(one) for one in values["questions"]),
        scored=Path(values["scored"]),
        own_vision=values["own_vision"],
        compiled=values["compiled"],
        model=values["model"],
    )
