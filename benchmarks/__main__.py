"""All benchmarks in one run: ``python -m benchmarks [name ...] [--write] [--quick]``.

Without names: every ratio, the memory rows and the curves. Only a run of everything
can be written, so that the tables of the book always come from one run.
"""

import argparse
import importlib
import sys
import time

from benchmarks import store

RATIOS = ("core", "outcomes", "peers", "matrix", "covariates", "memory")
CURVES = "curves"


def ratio_records(names, say=print):
    """Rows of the named modules, each printed when it is there."""
    records = []
    for name in names:
        for row in importlib.import_module(f"benchmarks.{name}").rows():
            say(row.line())
            records.append(row.record())
    return records


def curve_records(say=print, *, quick=False):
    """Points and exponents of every curve, on the whole grid or its lower half."""
    from benchmarks import curves

    points, fitted = [], []
    for curve in curves.CURVES:
        if quick:
            curve = curves.shortened(curve)
        found = curves.measure(curve, say, rounds=1 if quick else curves.ROUNDS)
        points += found
        fitted.append(curves.exponents(curve, found))
    return points, fitted


def main(arguments=None):
    """Run the named benchmarks, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="some of them only")
    parser.add_argument("--write", action="store_true", help="into data/benchmarks")
    parser.add_argument(
        "--quick", action="store_true", help="curves on half of their grid, one round"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.names) - {*RATIOS, CURVES}
    if unknown:
        known = ", ".join((*RATIOS, CURVES))
        parser.error(f"no benchmark {sorted(unknown)[0]!r}; there are {known}")
    if options.write and options.names:
        parser.error("--write needs a run of everything: give no names")
    names = options.names or [*RATIOS, CURVES]

    def say(line):
        print(line, flush=True)

    start = time.perf_counter()
    ratios = ratio_records([n for n in names if n != CURVES], say)
    points, fitted = [], []
    if CURVES in names:
        points, fitted = curve_records(say, quick=options.quick)
    minutes = (time.perf_counter() - start) / 60
    missed = [r["id"] for r in ratios if r["verdict"] == "missed"]
    say(f"{minutes:.1f} minutes; goals missed: {', '.join(missed) or 'none'}")
    if options.write:
        tables = {"ratios": ratios, "curves": points, "exponents": fitted}
        written = store.write(tables, minutes=minutes, quick=options.quick)
        say(f"written: data/{written.parent.name}")


if __name__ == "__main__":
    sys.exit(main())
