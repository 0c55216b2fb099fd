"""The command line of the driver."""

from __future__ import annotations

import argparse
import pathlib
import sys

from tools.book import (
    chapter,
    compare,
    confirm,
    pairs,
    render,
    serve,
    staging,
    verify,
)
from tools.book.layout import REPOSITORY, BookError, Layout


def _sync(layout: Layout, args) -> None:
    scripts = [layout.find(n).with_suffix(".py") for n in args.chapters]
    for script in scripts or layout.sources():
        state = "written" if pairs.sync(script) else "in step"
        print(f"  {script.stem:<24} {state}")


def _check(layout: Layout, args) -> None:
    print(f"in step, run and normal: {len(pairs.check(layout))} notebooks")


def _chapter(layout: Layout, args) -> None:
    given, raw = chapter.read_parameters(args.p, args.y, args.f)
    chapter.run_chapter(layout, args.name, given, raw=raw, page=not args.no_page)


_STEPS = {
    "stage": staging.stage,
    "compare": compare.compare,
    "confirm": confirm.confirm,
    "render": render.render,
    "verify": verify.verify,
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m tools.book``."""
    top = argparse.ArgumentParser(prog="python -m tools.book")
    top.add_argument("--root", type=pathlib.Path, default=REPOSITORY)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    sync = verbs.add_parser("sync", help="write each .ipynb from its .py")
    sync.add_argument("chapters", nargs="*", metavar="CH")
    sync.set_defaults(run=_sync)

    fresh = verbs.add_parser("refresh", help="make the committed notebooks anew")
    fresh.add_argument("chapters", nargs="*", metavar="CH")
    fresh.set_defaults(run=lambda layout, a: staging.refresh(layout, a.chapters))

    check = verbs.add_parser("check", help="pairs in step, run in order, normal, small")
    check.add_argument("files", nargs="*", help=argparse.SUPPRESS)
    check.set_defaults(run=_check)

    for verb, step in _STEPS.items():
        help_text = (step.__doc__ or "").splitlines()[0]
        one = verbs.add_parser(verb, help=help_text)
        one.set_defaults(run=lambda layout, a, step=step: step(layout))

    one = verbs.add_parser("chapter", help="one chapter with other parameters")
    one.add_argument("name", metavar="CH", help="a unique prefix, such as 04")
    one.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "V"))
    one.add_argument("-y", action="append", default=[], metavar="YAML")
    one.add_argument("-f", action="append", default=[], metavar="FILE")
    one.add_argument("--no-page", action="store_true", help="the notebook only")
    one.set_defaults(run=_chapter)

    show = verbs.add_parser("serve", help="show the built book on loopback")
    show.add_argument("--port", type=int, default=8000)
    show.set_defaults(run=lambda layout, a: serve.serve(layout, a.port))
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    argv : list of str, optional
        The arguments; those of the process if not given.

    Returns
    -------
    int
        0 if all went well, 1 if a person must mend something.
    """
    args = build_parser().parse_args(argv)
    try:
        args.run(Layout(args.root.resolve()), args)
    except BookError as error:
        sys.stdout.flush()
        print(f"{args.verb}: {error}", file=sys.stderr)
        return 1
    return 0
