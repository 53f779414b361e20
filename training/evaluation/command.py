"""``lisa eval reasonseg``, ``refer`` and ``grefcoco``."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lisa_model.errors import LisaError
from lisa_model.segmenter import ReasoningSegmenter
from training.evaluation import provenance
from training.evaluation.contender import Contender
from training.evaluation.items import Benchmark, evenly
from training.evaluation.lisa import (
    MODES,
    TEACHER_FORCED,
    FreeGeneration,
    TeacherForced,
    default_mode,
)
from training.evaluation.pictures import worst, write_pictures
from training.evaluation.records import Journal, Outcome, check_new, read_done, write_whole
from training.evaluation.scoring import score_share
from training.evaluation.summary import summarise
from training.evaluation.tables import markdown
from training.run.processes import Processes

REGISTRY = "training.evaluation.two_stage.registry"
NO_MODEL = "none"
INCOMPLETE = 3  # exit status: there are scores, but not of all images


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is evaluated, and where results go.

    Attributes:
        model: preset name or folder; "none" for baselines only.
        options: of :meth:`ReasoningSegmenter.from_pretrained`.
        mode: a key of MODES; None for the model's default.
        baselines: names of two-stage baselines, scored beside the model.
        baseline_options: of all of them, as "segmenter_folder=DIR".
        max_new_tokens: longest answer of free generation.
        limit: so many images, evenly spread; 0 for all.
        records: file of JSON lines.
        resume: go on with that file.
        json_file, table_file: of the report.
        worst: draw so many of the lowest IoU, of each protocol ...
        pictures: ... into this folder.
    """

    model: str
    options: Mapping[str, Any]
    mode: str | None = None
    baselines: tuple[str, ...] = ()
    baseline_options: tuple[str, ...] = ()
    max_new_tokens: int | None = None
    limit: int = 0
    records: Path | None = None
    resume: bool = False
    json_file: Path | None = None
    table_file: Path | None = None
    worst: int = 0
    pictures: Path | None = None

    def __post_init__(self) -> None:
        if self.mode is not None and self.mode not in MODES:
            raise ValueError(f"--mode must be one of {', '.join(MODES)}, got {self.mode!r}")
        if self.model == NO_MODEL and not self.baselines:
            raise ValueError("--model none leaves nothing to score; name a --baseline")
        if self.baseline_options and not self.baselines:
            raise ValueError("--baseline-option needs a --baseline")
        if len(set(self.baselines)) < len(self.baselines):
            raise ValueError(f"a --baseline is named twice: {', '.join(self.baselines)}")
        if self.limit < 0 or self.worst < 0:
            raise ValueError("--limit and --worst must be at least 1")
        if (self.worst > 0) != (self.pictures is not None):
            raise ValueError("--worst N and --pictures DIR belong together: give both or none")
        if self.resume and self.records is None:
            raise ValueError("--resume goes on with a file of records; name it with --records")


def run(benchmark: Benchmark, choices: Choices) -> int:
    """Evaluate, print and write; started by torchrun, it is one of the processes.

    Returns:
        exit status: 0, or 3 where images could not be scored.

    Raises:
        LisaError, ValueError: naming what is wrong and the remedy.
    """
    wanted = torch_device(choices)
    processes = Processes(device=wanted.split(":")[0], parallel="ddp")
    device = wanted if processes.count == 1 else str(processes.device)
    # Before the model, which takes long to open.
    if choices.records is not None and not choices.resume:
        check_new(choices.records)
    contenders = open_contenders(choices, device)
    numbers = evenly(range(len(benchmark)), choices.limit)
    model = _model(choices)
    configuration = _configuration(benchmark, choices, contenders, model, device)
    done = Outcome()
    if choices.records is not None and choices.resume:
        done = read_done(choices.records, configuration)
    known = {record.number for record in done.records}
    processes.wait()  # until all have read what none may change before
    journal = Journal(choices.records, configuration, processes.rank)
    share = score_share(
        benchmark,
        [number for number in numbers if number not in known],
        contenders,
        journal,
        processes=processes.count,
        rank=processes.rank,
        shown=processes.first,
    )
    journal.close()
    outcome = Outcome(
        records=(*done.records, *processes.gather(list(share.records))),
        failures=tuple(processes.gather(list(share.failures))),
    )
    if not processes.first:
        return 0  # a failing process would have the first one stopped
    if choices.records is not None:
        write_whole(choices.records, configuration, outcome)
    if not outcome.records:
        raise LisaError(
            f"no image could be scored; the first: {outcome.failures[0].image}: "
            f"{outcome.failures[0].error}"
        )
    report = make_report(benchmark, outcome, configuration, asked=len(numbers))
    report |= {"model": model, "baselines": configuration["baselines"]}
    report |= {"device": device, "processes": processes.count}
    report |= provenance.environment()
    _tell(report, choices)
    for contender in contenders if choices.pictures is not None else ():
        assert choices.pictures is not None
        mine = [r for r in outcome.records if _of(r, contender)]
        shown = worst(mine, choices.worst)
        write_pictures(choices.pictures, shown, benchmark, contender)
    return INCOMPLETE if outcome.failures else 0


def torch_device(choices: Choices) -> str:
    """The device as it was asked for."""
    return str(choices.options.get("device", "cpu"))


def open_contenders(choices: Choices, device: str) -> list[Contender]:
    """The model in its modes, and the baselines.

    Raises:
        LisaError, ValueError: a name is unknown, or a model has no such mode.
    """
    out: list[Contender] = []
    if choices.model != NO_MODEL:
        options = {**choices.options, "device": device}
        segmenter = ReasoningSegmenter.from_pretrained(choices.model, **options)
        for protocol in MODES[choices.mode or default_mode(segmenter)]:
            out.append(
                TeacherForced(segmenter)
                if protocol == TEACHER_FORCED
                else FreeGeneration(segmenter, choices.max_new_tokens)
            )
    if choices.baselines:
        registry = importlib.import_module(REGISTRY)
        texts = choices.baseline_options
        given = registry.read_options(texts) if texts else {}
        for name in choices.baselines:
            if name not in registry.NAMES:
                raise ValueError(
                    f"no baseline {name!r}; there are: {', '.join(sorted(registry.NAMES))}"
                )
            dtype = str(choices.options.get("dtype", "float32"))
            out.append(registry.build(name, device=device, dtype=dtype, **given))
    return out


def make_report(
    benchmark: Benchmark, outcome: Outcome, configuration: dict[str, Any], *, asked: int
) -> dict[str, Any]:
    """Figures of all contenders, and over how many images they go.

    Args:
        asked: how many images were chosen.
    """
    general = benchmark.name == "grefcoco"
    scored = {record.number for record in outcome.records}
    failures = sorted(outcome.failures, key=lambda one: one.number)
    results = []
    for who in configuration["contenders"]:
        mine = [r for r in outcome.records if [r.contender, r.protocol] == who]
        groups = summarise(mine, benchmark.name)
        results.append({"contender": who[0], "protocol": who[1], "groups": groups})
    return {
        "benchmark": benchmark.name,
        "set": benchmark.set,
        "split": benchmark.split,
        "options": benchmark.options,
        "definitions": provenance.GRES_DEFINITIONS if general else provenance.DEFINITIONS,
        "counts": {
            "images": len(benchmark),
            "images_published": benchmark.published,
            "asked_images": asked,
            "scored_images": len(scored),
            "failed_images": len(failures),
        },
        "failures": [{"image": one.image, "error": one.error} for one in failures],
        "notes": list(benchmark.notes),
        "results": results,
    }


def _of(record: Any, contender: Contender) -> bool:
    return (record.contender, record.protocol) == (contender.name, contender.protocol)


def _model(choices: Choices) -> dict[str, Any] | None:
    if choices.model == NO_MODEL:
        return None
    options = {key: str(v) for key, v in choices.options.items() if v is not None}
    options.pop("device", None)
    # Where the tower lies is no property of the model.
    tower = options.pop("vision_tower", None)
    return {
        "weights": provenance.weights_of(choices.model),
        "selection": provenance.selection_of(choices.model),
        "options": options | ({"vision_tower": Path(tower).name} if tower else {}),
    }


def _configuration(
    benchmark: Benchmark,
    choices: Choices,
    contenders: Sequence[Contender],
    model: dict[str, Any] | None,
    device: str,
) -> dict[str, Any]:
    """What records depend on; as JSON gives it back."""
    values = {
        "benchmark": benchmark.name,
        "set": benchmark.set,
        "split": benchmark.split,
        "options": benchmark.options,
        "images": len(benchmark),
        "limit": choices.limit,
        "contenders": [[one.name, one.protocol] for one in contenders],
        "model": {k: v for k, v in (model or {}).items() if k != "selection"},
        "baselines": {"names": choices.baselines, "options": choices.baseline_options},
        "max_new_tokens": choices.max_new_tokens,
        "device": device.split(":")[0],
    }
    back: dict[str, Any] = json.loads(json.dumps(values))
    return back


def _tell(report: dict[str, Any], choices: Choices) -> None:
    """Print the table, list what is missing, and write the files."""
    table = markdown(report)
    print(table)
    counts = report["counts"]
    published = counts["images_published"]
    if published is not None and published != counts["images"]:
        print(f"the split has {published} images by its publication, here are {counts['images']}")
    if counts["asked_images"] != counts["images"]:
        print(f"--limit: {counts['asked_images']} of {counts['images']} images, evenly spread")
    if report["model"] and (chosen := report["model"]["selection"]):
        print(selection_text(chosen))
    for note in report["notes"]:
        print(f"note: {note}", file=sys.stderr)
    if report["failures"]:
        print(
            f"{counts['failed_images']} of {counts['asked_images']} images could not be scored:",
            file=sys.stderr,
        )
        for one in report["failures"]:
            print(f"  {one['image']}: {one['error']}", file=sys.stderr)
    for path, text in (
        (choices.table_file, table),
        (choices.json_file, json.dumps(report, indent=1, ensure_ascii=False) + "\n"),
    ):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def selection_text(chosen: dict[str, Any]) -> str:
    """One line on what chose the checkpoint of a merged model."""
    text = f"weights of training step {chosen['step']}, {chosen['chosen']}"
    if chosen["value"] is None:
        return f"{text}; not validated at that step"
    best = ", the best of the run's checkpoints" if chosen["best"] else ""
    return f"{text}: {chosen['metric']} {chosen['value']:.4f} on {chosen['split']}{best}"
