"""Command line: ``python -m training.household.render COMMAND`` (see ``--help``)."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from training.household.assets import AssetError, fetch_assets, furniture_folder
from training.household.attribution import attribution_markdown, models_in_frames
from training.household.catalogue import CatalogueError, read_catalogue
from training.household.categories import TaxonomyError, read_categories
from training.household.render.home.jobs import HomeSizes, make_home_plan
from training.household.render.plan import Job, Sizes, make_plan
from training.household.render.sequences import SEQUENCES
from training.shards import parse_shard

if TYPE_CHECKING:
    from training.household.render.bpy_models import ModelLibrary

LOG = logging.getLogger("training.household.render")
# Blender keeps some memory of every scene; a fresh process from time to time bounds it.
SCENES_A_PROCESS = 80


def parser() -> argparse.ArgumentParser:
    """The argument parser."""
    top = argparse.ArgumentParser(prog="python -m training.household.render", description=__doc__)
    top.add_argument("--assets", type=Path, default=Path("data/household_assets"))
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="download, verify and unpack the furniture models")
    for name, text in (("plan", "print what would be rendered"), ("run", "render (needs bpy)")):
        sub = commands.add_parser(name, help=text)
        sub.add_argument("--out", type=Path, default=Path("data/household"))
        sub.add_argument("--train", type=int, default=Sizes.train)
        sub.add_argument("--val", type=int, default=Sizes.val)
        sub.add_argument("--test", type=int, default=Sizes.test)
        sub.add_argument("--first-train", type=int, default=Sizes.first_train)
        _add_common(sub, samples=Sizes.samples)
    sub = commands.add_parser("home", help="render the frames of HomeReason (needs bpy)")
    sub.add_argument("--out", type=Path, default=Path("data/homereason"))
    sub.add_argument("--train", type=int, default=HomeSizes.train)
    sub.add_argument("--val", type=int, default=HomeSizes.val)
    sub.add_argument("--test", type=int, default=HomeSizes.test)
    sub.add_argument("--test-models", type=int, default=HomeSizes.test_models)
    sub.add_argument("--plan", action="store_true", help="only print what would be rendered")
    sub.add_argument("--train-samples", type=int, default=HomeSizes.train_samples)
    _add_common(sub, samples=HomeSizes.samples)
    sub = commands.add_parser("sequence", help="render moving-camera sequences (needs bpy)")
    sub.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SEQUENCES)}; or all")
    sub.add_argument("--out", type=Path, default=Path("data/sequences"))
    sub.add_argument("--threads", type=int, default=2)
    sub.add_argument("--step", type=int, default=1, help="only every so many frames")
    sub = commands.add_parser("attribution", help="credits of the models in frames, as markdown")
    sub.add_argument("frames", type=Path, nargs="+", help="frame .json files or folders of them")
    return top


def _add_common(sub: argparse.ArgumentParser, *, samples: int) -> None:
    sub.add_argument("--samples", type=int, default=samples)
    sub.add_argument("--threads", type=int, default=2)
    sub.add_argument(
        "--shard", type=parse_shard, default=(0, 1), help="K/N: every Nth scene from K"
    )
    sub.add_argument("--only", default="", help="only scenes whose name starts with this")
    sub.add_argument("--scenes", type=int, default=0, help="stop after so many scenes (0: all)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 on success, 1 with a message on stderr otherwise."""
    args = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        if args.command == "fetch":
            print(fetch_assets(args.assets))
        elif args.command == "attribution":
            _attribution(args)
        elif args.command == "plan" or (args.command == "home" and args.plan):
            _print_plan(_jobs(args))
        elif not _has_bpy():
            print("error: bpy is missing; see training/household/README.md", file=sys.stderr)
            return 1
        elif args.command == "sequence":
            return _sequences(args)
        else:
            return _run(args)
    except (AssetError, CatalogueError, TaxonomyError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _jobs(args: argparse.Namespace) -> list[Job]:
    if args.command == "home":
        jobs = make_home_plan(
            read_categories(),
            args.out,
            HomeSizes(
                train=args.train,
                val=args.val,
                test=args.test,
                test_models=args.test_models,
                samples=args.samples,
                train_samples=args.train_samples,
            ),
        )
    else:
        sizes = Sizes(
            train=args.train,
            val=args.val,
            test=args.test,
            first_train=args.first_train,
            samples=args.samples,
        )
        jobs = make_plan(read_categories(), args.out, sizes)
    number, shards = args.shard
    return [job for job in jobs if job.scene.name.startswith(args.only)][number::shards]


def _print_plan(jobs: list[Job]) -> None:
    frames: Counter[str] = Counter()
    things: Counter[str] = Counter()
    for job in jobs:
        frames[job.folder.name] += len(job.scene.views)
        for thing in (*job.scene.small, *job.scene.floor):
            things[thing.category] += 1
    print("frames:", dict(frames), "to do:", sum(len(job.pending()) for job in jobs))
    for category, count in sorted(things.items(), key=lambda item: item[1]):
        print(f"{count:6d}  {category}")


def _has_bpy() -> bool:
    return importlib.util.find_spec("bpy") is not None


def _library(assets: Path) -> ModelLibrary:
    from training.household.render.bpy_models import ModelLibrary

    furniture = furniture_folder(assets)
    return ModelLibrary(
        furniture=furniture, cache=assets / "models", catalogue=read_catalogue(furniture)
    )


def _sequences(args: argparse.Namespace) -> int:
    from training.household.render.sequence_runner import render_sequence

    unknown = sorted(set(args.names) - SEQUENCES.keys())
    if unknown:
        print(f"error: no sequence {unknown[0]}; there are {', '.join(SEQUENCES)}", file=sys.stderr)
        return 1
    library = _library(args.assets)
    status = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.names or SEQUENCES:
            try:
                render_sequence(
                    name,
                    SEQUENCES[name],
                    library,
                    out=args.out,
                    threads=args.threads,
                    scratch=Path(scratch),
                    step=args.step,
                )
            except (ValueError, RuntimeError, OSError, KeyError) as error:
                LOG.error("%s: %s", name, error)
                status = 1
    return status


def shard_cores(cores: Collection[int], threads: int, shard: tuple[int, int]) -> set[int]:
    """The cores that one of several shards on this machine keeps to.

    Blender's task scheduler (TBB) starts a thread for each core that the process may use, whatever
    number of threads a render has, and idle ones keep asking for work: two shards on two cores
    spend a third of their time on that.

    Args:
        cores: that the process may use.
        threads: of a shard's renders.
        shard: number and count of shards.

    Returns:
        ``threads`` cores that no other shard takes; all of ``cores`` where there is one shard only,
        or fewer cores than all shards have threads.
    """
    number, shards = shard
    if shards == 1 or threads * shards > len(cores):
        return set(cores)
    return set(sorted(cores)[number * threads : (number + 1) * threads])


def _run(args: argparse.Namespace) -> int:
    # Before bpy is imported, which counts the cores then.
    os.sched_setaffinity(0, shard_cores(os.sched_getaffinity(0), args.threads, args.shard))
    from training.household.render.runner import run

    library = _library(args.assets)
    jobs = _jobs(args)
    most = args.scenes or SCENES_A_PROCESS
    render = None
    if args.command == "home":
        from training.household.render.home.worker import home_renderer

        render = home_renderer()
    with tempfile.TemporaryDirectory() as scratch:
        progress = run(
            jobs, library, threads=args.threads, scratch=Path(scratch), most_scenes=most,
            render=render,
        )  # fmt: skip
    left = progress.total - progress.done - progress.failed
    if not args.scenes and left > 0 and progress.done > 0:
        LOG.info("starting a fresh process to bound memory")
        command = [sys.executable, "-m", "training.household.render", *sys.argv[1:]]
        os.execv(sys.executable, command)
    LOG.info("finished: %s", progress.line())
    return 1 if progress.failed else 0


def _attribution(args: argparse.Namespace) -> None:
    files: list[Path] = []
    for path in args.frames:
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    catalogue = read_catalogue(furniture_folder(args.assets))
    print(attribution_markdown(models_in_frames(files), catalogue), end="")


if __name__ == "__main__":
    raise SystemExit(main())
