"""Command line: list the studies, run or verify them."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from notebook_lib import studies
from notebook_lib.studies.compare import stored_frame
from notebook_lib.studies.plan import PROVED, SAME, announce
from notebook_lib.studies.store import results_folder


def main(argv: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    args = _parser().parse_args(argv)
    try:
        return args.do(args)
    except (ValueError, ImportError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command takes up where it was", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m notebook_lib.studies")
    commands = parser.add_subparsers(required=True)
    listing = commands.add_parser("list", help="every study and what is stored of it")
    listing.set_defaults(do=_list)
    running = commands.add_parser("run", help="run studies and store their results")
    running.set_defaults(do=_run)
    running.add_argument("--missing", action="store_true", help="every one not stored")
    running.add_argument(
        "--due",
        action="store_true",
        help="every one that is not stored, incomplete or older than the code",
    )
    running.add_argument("--replicates", type=int, help="per scenario (default: all)")
    running.add_argument("--output", type=Path, help="folder (default: data/results)")
    running.add_argument("--restart", action="store_true", help="ignore checkpoints")
    again = commands.add_parser("verify", help="run again and compare the bytes")
    again.set_defaults(do=_verify, replicates=None, output=None)
    again.add_argument(
        "--stamp",
        action="store_true",
        help="note in the manifest that this code gave the same bytes",
    )
    for command in (running, again):
        _add_shared(command)
    return parser


def _add_shared(command: argparse.ArgumentParser) -> None:
    command.add_argument("names", nargs="*", metavar="NAME")
    command.add_argument("--all", action="store_true", help="every study")
    command.add_argument("--jobs", type=int, default=1, help="processes; -1: all cores")
    command.add_argument("--batch", type=int, help="replicates per checkpoint")
    command.add_argument("--backend", choices=["loky", "dask"], default="loky")
    command.add_argument("--scheduler", help="address of a Dask scheduler")
    command.add_argument("--checkpoints", type=Path, help="folder for checkpoints")


def _list(args) -> int:
    folder = results_folder()
    for name, study in sorted(studies.discover().items()):
        size = f"{len(study.scenarios)} scenarios x {study.n_replicates}"
        word = studies.state(study, folder).word
        print(f"{name:33} {size:24} {word:34} {study.description}")
    return 0


def _run(args) -> int:
    chosen = _chosen(args)
    if not chosen:
        print("nothing to run: every study is stored, complete and of this code")
        return 0
    if args.due or args.missing or args.all or len(chosen) > 1:
        print(announce(chosen, args.jobs, args.checkpoints), flush=True)
    return _each(chosen, args, _run_one)


def _verify(args) -> int:
    chosen = _chosen(args)
    return _each(chosen, args, _verify_one)


def _each(chosen: list[studies.State], args, work) -> int:
    """Do the work for each study; a study that fails does not stop the others."""
    broken = 0
    with _client(args.scheduler, _backend(args)):
        for now in chosen:
            try:
                broken += not work(now.study, args)
            except Exception as error:
                if len(chosen) == 1 and not isinstance(error, RuntimeError):
                    raise
                broken += 1
                print(f"{now.study.name}: {error}", file=sys.stderr, flush=True)
    return min(broken, 1)


def _chosen(args) -> list[studies.State]:
    """The studies that the command names, each once, with what is stored."""
    output = args.output or results_folder()
    due, missing = getattr(args, "due", False), getattr(args, "missing", False)
    known = {name: studies.find(name) for name in args.names}
    if args.all or missing or due:
        known = dict(sorted(studies.discover().items()))
    if not known:
        options = "--due, --missing or --all" if args.do is _run else "--all"
        raise ValueError(f"name a study (see: list), or give {options}")
    states = [studies.state(study, output) for study in known.values()]
    if args.all and args.do is _verify:
        return [now for now in states if now.manifest is not None]
    if missing and not args.all:
        return [now for now in states if now.manifest is None]
    if due and not args.all:
        return [now for now in states if now.due]
    return states


def _options(args) -> dict:
    """What a run is told, whatever it is for."""
    return {
        "n_jobs": args.jobs,
        "batch": args.batch,
        "backend": _backend(args),
        "checkpoint_dir": args.checkpoints,
    }


def _backend(args) -> str:
    return "dask" if args.scheduler else args.backend


def _run_one(study: studies.Study, args) -> bool:
    """Run, store, and forget the checkpoints, unless a longer run can use them."""
    count = study.n_replicates if args.replicates is None else args.replicates
    _refuse_shorter(studies.state(study, args.output), count)
    frame = studies.run(
        study, n_replicates=count, resume=not args.restart, keep=True, **_options(args)
    )
    try:
        kept = stored_frame(study, frame)
    except RuntimeError:
        studies.clear_checkpoints(study, args.checkpoints)
        raise
    note = "" if count >= study.n_replicates else _partial(count, study)
    path = studies.save(study, kept, folder=args.output, note=note)
    if not note:
        studies.clear_checkpoints(study, args.checkpoints)
    failed = frame.attrs["run"]["n_failed"]
    print(f"{path.name}: {len(kept)} rows, {failed} failed replicates", flush=True)
    return True


def _partial(count: int, study: studies.Study) -> str:
    return f"{count} of the planned {study.n_replicates} replicates"


def _refuse_shorter(now: studies.State, count: int) -> None:
    """A trial must not overwrite a longer result that is not older than the code."""
    if now.stored > count and now.code in (SAME, PROVED):
        raise ValueError(
            f"{now.study.name} is stored with {now.stored} replicates of this code; "
            f"give --output FOLDER to keep a result of {count} beside it"
        )


def _verify_one(study: studies.Study, args) -> bool:
    same, words = studies.verify(study, stamp=args.stamp, **_options(args))
    print(words, flush=True)
    return same


def _client(scheduler: str | None, backend: str):
    """A Dask client for the run, or nothing for loky."""
    if backend != "dask":
        return contextlib.nullcontext()
    try:
        from distributed import Client
    except ImportError:
        raise ImportError(
            'the dask backend needs the extra: pip install "notebook-lib[cluster]"'
        ) from None
    return Client(scheduler) if scheduler else Client(processes=True)


if __name__ == "__main__":
    sys.exit(main())
