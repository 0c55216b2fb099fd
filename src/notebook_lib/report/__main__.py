"""Command line: a table with gaps in, a notebook, a page and the sets out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from notebook_lib import report


def main(argv: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    args = _parser().parse_args(argv)
    try:
        paths = report.write_report(
            args.table,
            args.target,
            output=args.output or _folder(args.table),
            alpha=args.alpha,
            method=args.method,
            new=args.predict,
            model=args.model,
            seed=args.seed,
            drop=args.drop,
            keep=args.keep,
            ordinal=_ordinal(args.ordinal),
            missing_values=args.missing,
            separator=args.separator,
            task=args.task,
        )
    except (ValueError, ImportError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    for path in paths.values():
        print(path)
    return 0


def _folder(table: str | None) -> Path:
    return Path(f"report-{'example' if table is None else Path(table).stem}")


def _ordinal(given: list[str]) -> dict[str, list[str]]:
    """``size=S,M,L`` as a dictionary."""
    found = {}
    for text in given:
        name, equals, levels = text.partition("=")
        if not equals or not levels:
            raise ValueError(
                f"--ordinal must look like size=S,M,L (low to high), got {text!r}"
            )
        found[name] = [level.strip() for level in levels.split(",")]
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m notebook_lib.report",
        description="Which method for the gaps of a table, and its prediction sets: "
        "writes report.ipynb, report.html and intervals.csv.",
    )
    parser.add_argument(
        "table", nargs="?", metavar="data.csv", help="default: a bundled example"
    )
    parser.add_argument("--target", metavar="COLUMN", help="what to predict")
    parser.add_argument(
        "--alpha",
        type=float,
        nargs="+",
        default=[0.1],
        help="miscoverage level(s), default 0.1: sets that hold 90 %% of the outcomes",
    )
    parser.add_argument("--method", default="auto", help="auto, or the one you want")
    parser.add_argument("--predict", metavar="new.csv", help="new rows that get sets")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="default: report-NAME"
    )
    parser.add_argument("--seed", type=int, default=0, help="deals the rows, default 0")
    parser.add_argument(
        "--model", default="auto", choices=["auto", "linear", "boosting"]
    )
    parser.add_argument(
        "--task", default="auto", choices=["auto", "regression", "classification"]
    )
    many = {"nargs": "+", "default": []}
    parser.add_argument("--drop", metavar="COLUMN", **many, help="leave out")
    parser.add_argument(
        "--keep", metavar="COLUMN", **many, help="use although it looks like an id"
    )
    parser.add_argument(
        "--ordinal", metavar="NAME=LOW,..,HIGH", **many, help="ordered categories"
    )
    parser.add_argument(
        "--missing", metavar="VALUE", **many, help="also means missing, such as -999"
    )
    parser.add_argument("--separator", help="of the CSV file; found if not given")
    return parser


if __name__ == "__main__":
    sys.exit(main())
