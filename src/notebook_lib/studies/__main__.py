"""Command line: list the studies, run one and store its result."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

from notebook_lib import studies
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
    listing = commands.add_parser(
        "list", help="name every study and say if it is stored"
    )
    listing.set_defaults(do=_list)
    running = commands.add_parser("run", help="run studies and store their results")
    running.set_defaults(do=_run)
    running.add_argument("names", nargs="*", metavar="NAME")
    running.add_argument("--all", action="store_true", help="every study")
    running.add_argument(
        "--missing", action="store_true", help="every study that is not stored"
    )
    running.add_argument("--replicates", type=int, help="per scenario (default: all)")
    running.add_argument(
        "--jobs", type=int, default=1, help="processes; -1: every core"
    )
    running.add_argument("--batch", type=int, help="replicates per checkpoint")
    running.add_argument("--backend", choices=["loky", "dask"], default="loky")
    running.add_argument("--scheduler", help="address of a Dask scheduler")
    running.add_argument("--checkpoints", type=Path, help="folder for checkpoints")
    running.add_argument("--output", type=Path, help="folder (default: data/results)")
    running.add_argument("--restart", action="store_true", help="ignore checkpoints")
    return parser


def _list(args) -> int:
    for name, study in sorted(studies.discover().items()):
        size = f"{len(study.scenarios)} scenarios x {study.n_replicates}"
        print(f"{name:32} {size:24} {_state(study):22} {study.description}")
    return 0


def _state(study: studies.Study) -> str:
    """Whether a result is stored, when it was made, and if by this very code."""
    path = results_folder() / f"{study.name}.json"
    if not path.is_file():
        return "not run"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    changed = "" if manifest["key"] == study.key else ", code since"
    return f"{manifest['date']}{changed}"


def _run(args) -> int:
    chosen = _chosen(args)
    backend = "dask" if args.scheduler else args.backend
    with _client(args.scheduler, backend):
        for study in chosen:
            _run_one(study, args, backend)
    return 0


def _chosen(args) -> list[studies.Study]:
    """The studies that the command names; each once."""
    output = args.output or results_folder()
    chosen = {name: studies.find(name) for name in args.names}
    if args.all or args.missing:
        chosen = dict(sorted(studies.discover().items()))
    if args.missing:
        stored = {path.stem for path in output.glob("*.csv")}
        chosen = {name: study for name, study in chosen.items() if name not in stored}
    if not chosen and not args.missing:
        raise ValueError("name a study (see: list), or give --all or --missing")
    return list(chosen.values())


def _run_one(study: studies.Study, args, backend: str) -> None:
    frame = studies.run(
        study,
        n_replicates=args.replicates,
        n_jobs=args.jobs,
        batch=args.batch,
        backend=backend,
        checkpoint_dir=args.checkpoints,
        resume=not args.restart,
        keep=True,
    )
    stored = frame if study.summarise is None else study.summarise(frame)
    stored.attrs = dict(frame.attrs)
    path = studies.save(study, stored, folder=args.output)
    studies.clear_checkpoints(study, args.checkpoints)
    failed = frame.attrs["run"]["n_failed"]
    print(f"{path.name}: {len(stored)} rows, {failed} failed replicates", flush=True)


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
