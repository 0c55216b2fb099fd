"""Missing outcomes: sorted sums against the formulas as written.

The definition-level versions build every atom and look for the quantile among them;
equal outputs are asserted first.
"""

import numpy as np

from benchmarks.rows import measured, ratio_row
from benchmarks.timing import seconds, turns
from notebook_lib.outcomes import (
    draw_setting,
    missing_odds,
    odds_bins,
    procp2_threshold,
    procp_threshold,
    weighted_threshold,
)

ALPHA = 0.4  # finite sets for both formulas without a partition


def sample(n):
    data = draw_setting(1, n, np.random.default_rng(0))
    bins = odds_bins(data.p, 0.1)
    scores = np.abs(data.Y - data.X[:, 0])[data.A]
    return scores, bins[data.A], bins[~data.A]


def quantile(values, masses, level):
    """Smallest value whose mass below and at it reaches the level, by trying each."""
    for value in np.sort(values):
        if masses[values <= value].sum() >= level - 1e-9:
            return value
    return np.inf


def procp_definition(scores, cal, test, alpha):
    """Threshold (11), each sum written out as a loop over all atoms."""
    m, cal, test = len(test), cal.tolist(), test.tolist()
    points = [*zip(scores.tolist(), cal, strict=True), *((np.inf, k) for k in test)]
    atoms = []
    for value, k in points:
        n0 = sum(other == k for other in test)
        n1 = sum(other == k for other in cal)
        atoms.append((value, n0 / (m * (n0 + n1))))
    for value, _ in sorted(atoms):
        if sum(mass for s, mass in atoms if s <= value) >= 1 - alpha - 1e-9:
            return value
    return np.inf


def procp_case(n=500):
    args = sample(n)
    return (
        lambda: procp_threshold(*args, ALPHA)[0],
        lambda: procp_definition(*args, ALPHA),
    )


def redraws_case(n=500, redraws=20, done=2):
    """The unit of the experiments: cells of ten test points, outcomes redrawn.

    The definition does the first `done` of the redraws.
    """
    scores, cal, test = sample(n)
    rows = np.random.default_rng(1).permuted(np.tile(scores, (redraws, 1)), axis=1)
    cells = np.arange(len(test)) // 10

    def by_definition():
        out = np.empty((done, len(test)))
        for row, q in zip(rows[:done], out, strict=True):
            for cell in np.unique(cells):
                inside = cells == cell
                q[inside] = procp_definition(row, cal, test[inside], ALPHA)
        return out

    return lambda: procp_threshold(rows, cal, test, ALPHA, cells=cells), by_definition


def procp2_case(n=500):
    scores, cal, test = sample(n)

    def by_definition():
        m = len(test)
        points = [*zip(scores, cal, strict=True)] + [(np.inf, k) for k in test]
        n0 = {k: (test == k).sum() for _, k in points}
        size = {k: n0[k] + (cal == k).sum() for _, k in points}
        law = {}
        for i, (s, k) in enumerate(points):
            law[s] = law.get(s, 0) + n0[k] / (m**2 * size[k])
            for j, (t, other) in enumerate(points):
                if i == j:
                    continue
                if k == other:
                    mass = n0[k] * (n0[k] - 1) / (size[k] * (size[k] - 1))
                else:
                    mass = n0[k] * n0[other] / (size[k] * size[other])
                law[min(s, t)] = law.get(min(s, t), 0) + mass / m**2
        values, masses = np.array(sorted(law.items())).T
        return quantile(values, masses, 1 - ALPHA**2)

    def ours():
        return procp2_threshold(scores, cal, test, ALPHA, allocation="constant")[0]

    return ours, by_definition


def weighted_case(n=500):
    data = draw_setting(1, n, np.random.default_rng(0))
    scores = np.abs(data.Y - data.X[:, 0])[data.A]
    p, test_p = data.p[data.A], data.p[~data.A]
    w, test_w = missing_odds(p), missing_odds(test_p)

    def by_point():
        return np.array([_one_point(scores, w, last, 0.2) for last in test_w])

    return lambda: weighted_threshold(scores, p, test_p, 0.2), by_point


def _one_point(scores, weights, last, alpha):
    """Weighted CP of one test point as printed: try each score in turn."""
    values = np.append(scores, np.inf)
    masses = np.append(weights, last) / (weights.sum() + last)
    return quantile(values, masses, 1 - alpha)


def rows():
    """Yield the ratios, and the times at n = 5000."""
    cells = "cells of ten test points, 20 redraws"
    weighted = "weighted CP", "each score tried in turn"
    cases = (
        ("procp-loop", "pro-CP", "formula (11) as printed", procp_case(), 100, 1),
        (
            "procp-cells-loop",
            f"pro-CP, {cells}",
            "formula (11) as printed",
            redraws_case(),
            100,
            0.1,
        ),
        ("procp2-pairs", "pro-CP2", "all pairs of atoms", procp2_case(), 100, 1),
        ("weighted-points-500", *weighted, weighted_case(), 1000, 1),
        ("weighted-points-2000", *weighted, weighted_case(2000), 1000, 1),
    )
    for name, what, against, case, goal, part in cases:
        yield ratio_row(
            turns(*case, repeats=3, part=part),
            id=name,
            group="outcomes",
            what=what,
            against=against,
            sizes="n = 2000" if name.endswith("2000") else "n = 500",
            goal=goal,
            source="DESIGN 8",
        )
    scores, cal, test = sample(5000)
    cells = np.arange(len(test)) // 10
    for name, find in (("pro-CP", procp_threshold), ("pro-CP2", procp2_threshold)):

        def run(find=find):
            return find(scores, cal, test, ALPHA, cells=cells)

        seconds(run)
        yield measured(
            [seconds(run) for _ in range(9)],
            id=f"{name.replace('-', '').lower()}-5000",
            group="outcomes",
            what=f"{name} in cells of ten",
            sizes="n = 5000",
            unit="s",
            goal=0.5,
            source="DESIGN 8",
        )
