"""The longer lists of exact checks of chapter 5, as arguments of ``claims.check``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from ..exceptions import InfiniteSetWarning
from ..outcomes import (
    KernelPropensity,
    avoid_trivial_cells,
    block_cells,
    cell_levels,
    cell_masses,
    draw_setting,
    improve_partition,
    kth_order_threshold,
    mass_at_infinity,
    missed_law,
    missing_odds,
    odds_bins,
    partition_test_points,
    procp2_threshold,
    procp_threshold,
    quick_partition,
    setting_propensity,
    squared_mass_at_infinity,
    worst_mass_bound,
)
from . import outcome_checks as exact

Check = dict
ONE_REP = partial(procp_threshold, variant="one_rep")
CONSTANT = partial(procp2_threshold, allocation="constant")
TWO_REP = partial(procp2_threshold, allocation="constant", variant="two_rep")


def _check(id: str, part: str, observed, **rule) -> Check:
    return {"id": id, "part": part, "observed": observed} | rule


def partitions(rng, n_cases: int) -> Iterator[Check]:
    """A05, A16 and T16: partitions against loops and brute force."""
    for find, name in ((procp_threshold, "printed"), (ONE_REP, "one representative")):
        same = exact.cells_agree(find, rng, 50)
        yield _check("procp-A05", f"cells at once, {name}", same)
    equal = [exact.random_counts(rng, equal=True) for _ in range(n_cases)]
    gaps = [exact.best_worst_mass(u, o) - np.mean(1 / (1 + o)) for u, o in equal]
    yield _check("procp-T16", "equal counts", gaps, expected=0, tol=1e-12)
    cases = [exact.random_counts(rng) for _ in range(n_cases)]
    best = np.array([exact.best_worst_mass(u, o) for u, o in cases])
    bound = [worst_mass_bound(u, o) for u, o in cases]
    yield _check("procp-T16", "lower bound", best - bound, at_least=0, tol=1e-12)
    quick = [quick_partition(u, o) for u, o in cases]
    searched = [improve_partition(t, o) for t, (_, o) in zip(quick, cases, strict=True)]
    masses = [
        [cell_masses(t, o).max() for t, (_, o) in zip(found, cases, strict=True)]
        for found in (quick, searched)
    ]
    yield _check("procp-A16", "quick: worst ratio", masses[0] / best, at_most=1.25)
    yield _check(
        "procp-A16",
        "search: share optimal",
        np.mean(masses[1] <= best + 1e-12),
        at_least=0.95,
    )
    lost = []
    for u, o in cases[: n_cases // 2]:
        table = avoid_trivial_cells(u, o, 0.2)
        trivial = table[cell_masses(table, o) > 0.2 + 1e-12].sum()
        lost.append(trivial == exact.fewest_trivial(u, o, 0.2))
    yield _check("procp-A16", "(25): share optimal", np.mean(lost), at_least=0.95)
    yield _check(
        "procp-A16", "Setting 1, n = 500", masses_of_samples(rng).iloc[2], at_most=0.08
    )


def masses_of_samples(rng, n_samples: int = 4) -> pd.Series:
    """Mean over samples of Setting 1 of the worst mass at infinity, by partition."""
    rows = []
    for _ in range(n_samples):
        data = draw_setting(1, 500, rng)
        bins = odds_bins(data.p)
        cal, test = bins[data.A], bins[~data.A]
        cells = block_cells(np.flatnonzero(~data.A)), partition_test_points(cal, test)
        worst = [mass_at_infinity(cal, test, cells=c).max() for c in cells]
        one = mass_at_infinity(cal, test, variant="one_rep")
        rows.append([mass_at_infinity(cal, test), *worst, one])
    names = ["(11), one cell", "(11), blocks", "(11), quick partition"]
    index = [*names, "one representative, one cell"]
    return pd.Series(np.mean(rows, axis=0), index, name="largest mass at infinity")


def squared(rng, n_cases: int) -> Iterator[Check]:
    """T10, T11, A09, A17: pro-CP2 by enumeration, and cells against a loop."""
    levels = (0.3, 0.5, 0.7)
    run = partial(exact.enumerated, alphas=levels, rng=rng, power=2)
    yield _check("procp-T10", "", run(CONSTANT, n_cases=n_cases), at_most=1e-12)
    yield _check(
        "procp-A17", "two representatives", run(TWO_REP, n_cases=n_cases), at_most=1e-12
    )
    for name, find in (
        ("levels (21)", procp2_threshold),
        ("constant levels", CONSTANT),
        ("all on the first cell", _unequal),
    ):
        excess = run(find, n_cases=n_cases // 2, cells=True)
        yield _check("procp-T11", name, excess, at_most=1e-12)
    for name, find in (("printed", CONSTANT), ("two representatives", TWO_REP)):
        yield _check("procp-A09", name, exact.cells_agree(find, rng, 50))
    narrower = []
    for scores, bins, test_bins, alpha in exact.small_samples(rng, 1000):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InfiniteSetWarning)
            q = [f(scores, bins, test_bins, alpha)[0] for f in (CONSTANT, TWO_REP)]
        narrower.append(q[1] <= q[0])
    yield _check("procp-A17", "never wider", np.array(narrower))


def _unequal(scores, bins, test_bins, alpha, *, cells):
    """All of the budget on the first cell (Proposition C allows any split)."""
    sizes = np.unique(cells, return_counts=True)[1]
    levels = np.zeros(len(sizes))
    levels[0] = min(alpha * sizes.sum() / sizes[0], 1.0)
    return procp2_threshold(
        scores, bins, test_bins, alpha, cells=cells, allocation=levels
    )


def levels_of_cells() -> Iterator[Check]:
    """A08 and T13: levels (21), and the factor in the printed proof of Corollary 3."""
    sizes = np.array([5, 15, 20])
    spent = sizes @ cell_levels(sizes, 0.2) / sizes.sum()
    yield _check("procp-A08", "spends alpha", spent, expected=0.2, tol=1e-12)
    sizes = np.array([11, *np.ones(120)])
    raw = sizes * sizes.sum() * 0.2 / (sizes**2).sum()
    yield _check("procp-A08", "above 1", raw[0], expected=1.196, tol=5e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cut = cell_levels(sizes, 0.2)
    yield _check("procp-A08", "cut to 1", cut[0], expected=1)
    for sizes, factor in (
        ([10, 10], 1),
        ([5, 15] * 5, 1.25),
        ([91] + [1] * 9, 8.29),
    ):
        share = np.array(sizes) / sum(sizes)
        yield _check(
            "procp-T13",
            f"largest cell {max(sizes)} of {sum(sizes)}",
            len(sizes) * (share**2).sum(),
            expected=factor,
            tol=0.005,
            note="factor on the slack in the printed proof",
        )


def orders(rng, n_cases: int) -> Iterator[Check]:
    """A10, A11, T15, E04: higher orders and PAC sets."""
    yield _check("procp-A10", "", exact.orders_agree(rng, n_cases))
    yield _check("procp-A11", "", exact.pac_agrees(rng, n_cases))
    for order in (1, 2, 3):
        find = exact.by_row(partial(kth_order_threshold, order=order))
        excess = exact.enumerated(
            find, (0.3, 0.5, 0.7), rng, n_cases // 2, power=order, most=4
        )
        yield _check("procp-T15", f"K = {order}", excess, at_most=1e-12)
    for delta in (0.1, 0.3):
        excess = exact.enumerated_pac(0.4, delta, rng, n_cases // 2)
        yield _check("procp-T15", f"PAC, delta = {delta:g}", excess, at_most=1e-12)
    for n, value in ((1000, 2.46e-4), (1500, 1.03e-4)):
        law = missed_law(np.zeros(n), np.zeros(n, int), np.zeros(50, int), np.inf)
        mass = law @ (np.arange(51) / 50) ** 3
        yield _check("procp-E04", f"n = {n}", mass, expected=value, tol=1e-6)


def weighted(rng, n_cases: int) -> Iterator[Check]:
    """A12, A13 and T18: weighted CP from one sort, and its weights inside a bin."""
    yield _check("procp-A12", "", exact.weighted_agrees(rng, 5 * n_cases))
    yield _check("procp-A13", "", exact.weighted_agrees(rng, n_cases)[1::2])
    for n in (20, 200):
        for epsilon in (0.1, 1.0):
            odds = (1 + epsilon) ** rng.random((500, n + 1))
            w = missing_odds((odds / (1 + odds)).ravel()).reshape(odds.shape)
            share = w / w.sum(axis=1, keepdims=True)
            low = 1 / (1 + epsilon) / (n + 1 / (1 + epsilon))
            high = (1 + epsilon) / (n + 1 + epsilon)
            yield _check(
                "procp-T18",
                f"n = {n}, epsilon = {epsilon:g}",
                share,
                at_least=low,
                at_most=high,
                tol=1e-12,
            )


def propensities(rng, n_draws: int = 5) -> Iterator[Check]:
    """A15: the kernel estimate with the plug-in bandwidth."""
    grid = np.linspace(0, 10, 101)
    for setting, worst in ((1, 0.1), (2, 0.12)):
        fits = []
        for _ in range(n_draws):
            data = draw_setting(setting, 500, rng)
            fits.append(KernelPropensity().fit(data.X, data.A))
        h = [fit.bandwidth_ for fit in fits]
        yield _check(
            "procp-A15", f"Setting {setting}, bandwidth", h, at_least=0.1, at_most=3
        )
        truth = setting_propensity(grid, setting)
        error = [fit.predict_proba(grid[:, None])[:, 1] - truth for fit in fits]
        yield _check(
            "procp-A15",
            f"Setting {setting}, root mean squared error",
            np.sqrt(np.mean(np.square(error), axis=1)),
            at_most=worst,
        )


def crude_mass(rng, n_draws: int = 50) -> Iterator[Check]:
    """E05: tau^2 + tau/m understates the mass at infinity of (22)."""
    masses, crude = [], []
    for _ in range(n_draws):
        data = draw_setting(1, 500, rng)
        bins, m = odds_bins(data.p), (~data.A).sum()
        masses.append(squared_mass_at_infinity(bins[data.A], bins[~data.A]))
        share = m / len(data.A)
        crude.append(share**2 + share / m)
    masses = np.array(masses)
    yield _check("procp-E05", "mass", masses.mean(), expected=0.057, tol=0.005)
    yield _check(
        "procp-E05", "approximation", np.mean(crude), expected=0.042, tol=0.005
    )
    yield _check(
        "procp-E05",
        "share of samples with infinite sets",
        np.mean(masses > 0.04),
        at_least=0.9,
    )
