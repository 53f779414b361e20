"""A whole run: start or go on, learn, validate, write checkpoints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from lisa_model.errors import LisaError
from training.data.config import DataConfig, read_config
from training.data.mixture import Ledger, open_ledger
from training.run import state as states
from training.run.assembly import Assembly, assemble, open_feed
from training.run.feed import merged_ledgers
from training.run.log import Log
from training.run.processes import Processes
from training.run.schedule import rate_factor
from training.run.settings import RunSettings
from training.run.state import State
from training.run.steps import StepLosses
from training.run.validate import Validation, chosen, validate


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run left.

    Attributes:
        checkpoint: the last one.
        ledger: report of broken data.
    """

    checkpoint: Path
    ledger: str


def train(
    settings: RunSettings, *, resume_from: Path | None = None, progress: bool = True
) -> Result:
    """Train, from the start or from where the run stopped.

    Args:
        settings: of the run.
        resume_from: a checkpoint, or a run whose newest one is taken; None goes on with
            ``general.out`` if there is a checkpoint in it.
        progress: show the bar, the table of parameters, and messages.

    Raises:
        LisaError: naming file or key, and the remedy.
    """
    general = settings.general
    data = read_config(general.data)
    processes = Processes(device=general.device, parallel=general.parallel)
    paths = _validation_paths(settings)
    begin, messages = processes.from_first(
        _beginning(general.out, resume_from) if processes.first else (None, [])
    )
    assembly = assemble(settings, processes)
    feed, ledger = open_feed(settings, data, assembly.collate, processes)
    done = 0
    if begin is not None:
        earlier = states.read_state(begin)
        check_same(earlier, settings.curve(processes.count, data), assembly.base, begin)
        states.restore(begin, assembly.learner)
        done = earlier.step
        if processes.first:
            ledger.restore(earlier.ledger)
    log = Log(
        general.out,
        start=done,
        total=general.steps,
        active=processes.first,
        shown=progress,
    )
    if processes.first:
        states.remove_unfinished(general.out)
        for line in messages:
            log.say(line)
        log.say(assembly.policy)
        log.say(_summary(settings, processes, begin))
    checkpoint = begin
    try:
        batches = feed.steps(done, general.steps)
        clock = time.monotonic()
        for number in range(done, general.steps):
            rate = settings.optimizer.learning_rate * rate_factor(
                number, warm_up=settings.optimizer.warm_up, total=general.steps
            )
            losses = assembly.learner.step(next(batches), number=number, rate=rate)
            step, last = number + 1, number + 1 == general.steps
            if last or step % general.log_every == 0:
                seconds = time.monotonic() - clock
                log.numbers(step, "train", _numbers(losses, rate, seconds))
            clock = time.monotonic()
            log.advance(step, losses.total)
            result = None
            if paths and (last or step % settings.validation.every == 0):
                result = validate(
                    assembly.learner,
                    assembly.collate,
                    paths,
                    pictures=settings.validation.pictures,
                )
                log.validation(step, result)
            if last or step % settings.checkpoints.every == 0:
                state = _state(settings, processes, data, assembly, ledger, step, result)
                checkpoint = states.save(
                    general.out, assembly.learner, state, keep=settings.checkpoints.keep
                )
    finally:
        log.close()
    assert checkpoint is not None  # the last step makes one
    return Result(checkpoint=checkpoint, ledger=_report(ledger, data, processes))


def _validation_paths(settings: RunSettings) -> list[Path]:
    one = settings.validation
    return chosen(Path(one.folder).expanduser(), one.limit) if one.folder else []


def _beginning(out: Path, resume_from: Path | None) -> tuple[Path | None, list[str]]:
    """The checkpoint to go on with, and messages about torn ones."""
    newest, messages = states.newest_whole(out)
    if resume_from is None:
        return newest, messages
    begin = states.find(resume_from)
    if newest is not None and newest.resolve() != begin.resolve():
        raise LisaError(
            f"{out} holds a run already, whose newest checkpoint is {newest.name}. Leave out "
            f"--resume-from to go on with it, or name another folder as `out`"
        )
    return begin, messages


def check_same(earlier: State, curve: dict[str, object], base: dict[str, int], begin: Path) -> None:
    """Refuse to go on with other settings: the curve would not be that of either.

    Raises:
        LisaError: naming the first setting that differs.
    """
    for name in sorted({*earlier.curve, *curve}):
        before, now = earlier.curve.get(name), curve.get(name)
        if before != now:
            raise LisaError(
                f"{begin} was made with {name} = {before!r}, now it is {now!r}. Set it back to go "
                "on, or name another folder as `out` to begin anew"
            )
    if earlier.base != base:
        raise LisaError(
            f"{begin} began with another model.checkpoint: its files had {earlier.base} bytes, "
            f"these have {base}"
        )


def _summary(settings: RunSettings, processes: Processes, begin: Path | None) -> str:
    general = settings.general
    images = general.batch * general.accumulation * processes.count
    start = "the start" if begin is None else str(begin)
    return (
        f"{general.steps} steps of {images} images ({general.batch} per pass, "
        f"{general.accumulation} passes, {processes.count} processes, {processes.parallel}) "
        f"on {processes.device.type} in {general.precision}, from {start}"
    )


def _numbers(losses: StepLosses, rate: float, seconds: float) -> dict[str, float]:
    return {
        "loss": losses.total,
        "answer": losses.answer,
        "bce": losses.bce,
        "dice": losses.dice,
        "gradient_norm": losses.gradient_norm,
        "rate": rate,
        "tokens": losses.tokens,
        "masks": losses.masks,
        "seconds": round(seconds, 4),
    }


def _state(
    settings: RunSettings,
    processes: Processes,
    data: DataConfig,
    assembly: Assembly,
    ledger: Ledger,
    step: int,
    result: Validation | None,
) -> State:
    """All processes must call it: their ledgers are put together."""
    return State(
        step=step,
        settings=settings.plain(),
        curve=settings.curve(processes.count, data),
        base=assembly.base,
        ledger=merged_ledgers(processes.gather([ledger.state()])),
        validation={}
        if result is None
        else {"giou": result.giou, "ciou": result.ciou, "images": result.images},
    )


def _report(ledger: Ledger, data: DataConfig, processes: Processes) -> str:
    together = open_ledger(data)
    together.restore(merged_ledgers(processes.gather([ledger.state()])))
    return together.text()
