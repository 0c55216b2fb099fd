"""What the cells of chapter 5 show must say, as arguments of ``claims.check``.

The evidence is what the page computes, or a small computation that only the verdict
needs; the longer lists are in :mod:`notebook_lib.studies.outcome_theory`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from ..exceptions import InfiniteSetWarning
from ..outcomes import (
    MissingOutcomes,
    cell_masses,
    draw_high_dimensional,
    odds_bins,
    procp2_threshold,
    procp_threshold,
    setting_propensity,
    sharp_slack,
    squared_mass_at_infinity,
)
from . import outcome_checks as exact
from . import outcome_partitions as brute
from .outcome_criteria import Check, criterion
from .outcome_trial import median_width

_ANY = {"scale": "any"}

# ----------------------------------------------------------- the setting, the bins


def generators(
    large: dict[int, MissingOutcomes], rng: np.random.Generator
) -> Iterator[Check]:
    """D1, D2 and F2: the paper's data and its missing probabilities.

    Parameters
    ----------
    large : dict of int to MissingOutcomes
        A large sample of each setting, 1 and 2.
    rng : numpy.random.Generator
        Draws the samples with 30 covariates.
    """
    grid = np.linspace(0, 10, 10_001)
    for s, share in ((1, 0.2002), (2, 0.2021)):
        part, missing = f"Setting {s}", 1 - large[s].A.mean()
        yield criterion("procp-D1", part, missing, expected=share, tol=0.006)
        curve = 1 - setting_propensity(grid, s)
        yield criterion("procp-F2", part, curve.mean(), expected=share, tol=0.01)
    x = large[1].X[:, 0]
    spread = np.std((large[1].Y - x) / (3 + x))
    yield criterion("procp-D1", "spread", spread, expected=1, tol=0.012)
    for scale, share in ((2.0, 0.229), (1.0, 0.222)):
        wide = draw_high_dimensional(100_000, np.ones(30), rng, scale=scale)
        part, rule = f"variance {scale:g}", {"expected": share, "published": 0.23}
        yield criterion("procp-D2", part, 1 - wide.p.mean(), tol=0.004, **rule)


def bins_of_odds(rng: np.random.Generator) -> Iterator[Check]:
    """A01 and A02: labels, odds and number of the bins; (7) by its definition."""
    draws = rng.beta(2, 1, 100_000).clip(1e-6, 1 - 1e-6)
    odds, widths = pd.Series(draws / (1 - draws)), np.array([0.02, 0.1, 0.5])
    ratios = []
    for width in widths:
        groups = odds.groupby(odds_bins(draws, width))
        ratios.append((groups.max() / groups.min()).max())
    most = {"at_most": 1 + widths + 1e-9}
    yield criterion("procp-A01", "ratio of odds in a bin", ratios, **most, **_ANY)
    same = np.array([exact.bins_agree(width, rng) for width in widths])
    part = "labels by the formula, number of bins"
    yield criterion("procp-A01", part, same, **_ANY)
    yield criterion("procp-A02", "", exact.naive_agrees(rng, 50), **_ANY)


# ------------------------------------------------- the methods by hand, Theorem 1


def pooled_by_hand(
    by_hand: Callable, rng: np.random.Generator, n_cases: int = 200
) -> Iterator[Check]:
    """A03 and A04: the page's version of (11) against the library's, ties included.

    Parameters
    ----------
    by_hand : callable
        ``by_hand(scores, cal, test, alpha, representatives)`` gives the threshold
        and the sum of all masses; ``representatives`` is None or 1.
    rng : numpy.random.Generator
        Draws the samples.
    n_cases : int
        How many.
    """
    agree, narrower = [], []
    for scores, bins, test_bins, alpha in exact.small_samples(rng, n_cases):
        args = scores, bins, test_bins, alpha
        hand = [by_hand(*args, representatives) for representatives in (None, 1)]
        fast = [
            _threshold(procp_threshold, *args, variant=v) for v in ("paper", "one_rep")
        ]
        whole = all(abs(total - 1) < 1e-12 for _, total in hand)
        agree.append((fast == [q for q, _ in hand], whole))
        narrower.append(fast[1] <= fast[0])
    part = "by hand = library, masses sum to one"
    yield criterion("procp-A03", part, np.array(agree), **_ANY)
    part = "one representative is never wider"
    yield criterion("procp-A04", part, np.array(narrower), **_ANY)


def pairs_by_hand(
    by_hand: Callable, rng: np.random.Generator, n_cases: int = 200
) -> Iterator[Check]:
    """A06 and A07: the page's version of (19) against the library's.

    Parameters
    ----------
    by_hand : callable
        ``by_hand(scores, cal, test, alpha)`` gives the threshold and the mass at
        infinity.
    rng, n_cases
        As in :func:`pooled_by_hand`.
    """
    gaps, same = [], []
    for scores, bins, test_bins, alpha in exact.small_samples(rng, n_cases, n_most=25):
        args = scores, bins, test_bins, alpha
        q, infinite = by_hand(*args)
        gaps.append(squared_mass_at_infinity(bins, test_bins) - infinite)
        same.append(_threshold(procp2_threshold, *args) == q)
    part = "thresholds equal those from all pairs"
    yield criterion("procp-A06", part, np.array(same), **_ANY)
    yield criterion("procp-A07", "", gaps, expected=0, tol=1e-10, **_ANY)


def _threshold(find, *args, **options) -> float:
    """The threshold that all test rows share, without its warning if infinite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InfiniteSetWarning)
        return find(*args, **options)[0]


def simultaneous(excess: dict[str, np.ndarray]) -> Iterator[Check]:
    """T01 to T03: no exact miss beyond the level, claim by claim."""
    note = "exact miss minus alpha, by enumeration"
    for id, values in excess.items():
        yield criterion(id, "", values, at_most=1e-12, note=note, **_ANY)


# ------------------------------------------------------- Lemma 1, Theorems 3 and 4


def lemma_1(distance: pd.DataFrame) -> Iterator[Check]:
    """T04: no law beyond the sharp slack, which two atoms attain.

    Parameters
    ----------
    distance : DataFrame
        Largest distances by epsilon: columns ``random laws`` and ``two atoms``,
        and the ``sharp slack``.
    """
    sharp = distance["sharp slack"].to_numpy()
    laws, atoms = (distance[name].to_numpy() for name in ("random laws", "two atoms"))
    yield criterion("procp-T04", "random laws", laws, at_most=sharp, tol=1e-9, **_ANY)
    yield criterion("procp-T04", "attained", atoms, expected=sharp, tol=1e-6, **_ANY)


def theorem_3() -> Iterator[Check]:
    """T06 and T07: two-point laws, the chain of bounds, and the fewest bins."""
    p1, p2 = np.array([0.6, 0.9, 0.3]), np.array([0.5, 0.85, 0.1])
    odds = p2 / (1 - p2)
    gap = (p1 - p2) / ((p1 + p2) * (2 - p1 - p2))
    error = p1 / (1 - p1) / odds - 1
    least = {"at_least": error / (4 * (1 + error))}
    yield criterion("procp-T06", "two-point examples", gap, **least, **_ANY)
    pairs = zip(error, odds, strict=True)
    largest = [exact.worst_two_atoms(e, o) for e, o in pairs]
    sharp, part = {"expected": sharp_slack(error)}, "supremum over weights"
    yield criterion("procp-T06", part, largest, **sharp, tol=1e-6, **_ANY)
    e = np.geomspace(1e-3, 1e3, 200)
    chain = [np.minimum(e, 1) / 8, e / (4 * (1 + e)), sharp_slack(e), e / 4]
    rises, part = np.diff(chain, axis=0), "the chain of bounds"
    yield criterion("procp-T06", part, rises, at_least=0, tol=1e-15, **_ANY)
    step = np.log1p(0.1)
    spans = [(start, start + 10 * step) for start in (0, 0.3 * step)]
    fewest = [exact.greedy_cover(0.1, low, high - 1e-6) for low, high in spans]
    yield criterion("procp-T07", "fewest bins", fewest, expected=10, **_ANY)
    used, wanted = [exact.grid_bins(0.1, *span) for span in spans], [10, 11]
    yield criterion("procp-T07", "bins of the grid", used, expected=wanted, **_ANY)


def estimated_bins(rng: np.random.Generator, n_draws: int) -> Iterator[Check]:
    """T08: bins of width 0.1 from log odds that are off by up to 0.2."""
    ratio, distance = exact.estimated_bins_ratio(0.1, 0.2, n_draws, rng)
    bound = 1.1 * np.exp(0.4)  # (1 + epsilon) (1 + delta)
    part = "odds ratio in bins of an estimate"
    yield criterion("procp-T08", part, ratio, at_most=bound, **_ANY)
    part, slack = "distance of the laws", sharp_slack(bound - 1)
    yield criterion("procp-T08", part, distance, at_most=slack, **_ANY)


# ------------------------------------------------------------------- partitions


def slips(left_in: float, right: float) -> Iterator[Check]:
    """A05: sums of the masses of a cell of 12, with ``m = 100`` left in, and right."""
    part = "mass of a cell of 12 with m = 100 left in"
    yield criterion("procp-A05", part, left_in, expected=0.12, tol=1e-12, **_ANY)
    part = "masses as in section 2.2.1"
    yield criterion("procp-A05", part, right, expected=1, tol=1e-12, **_ANY)


def inequality_27(rng: np.random.Generator) -> Iterator[Check]:
    """T17: (27) fails for unequal bins, in an example and in many random cases."""
    n_cal = np.array([100, 1])
    two = [cell_masses(np.array([n_test]), n_cal)[0] for n_test in ((2, 0), (1, 1))]
    part, wanted = "counterexample to (27)", [0.0196, 0.2550]
    yield criterion("procp-T17", part, two, expected=wanted, tol=1e-4, **_ANY)
    yield criterion(
        "procp-T17",
        "share of cases that fail",
        brute.averaging_fails(rng, 1000),
        expected=0.28,
        tol=0.1,
        note="the share depends on the law of the cases, which is free",
        **_ANY,
    )


# -------------------------------------------------------------- the experiments


def widths() -> Iterator[Check]:
    """M1: the median of intervals of which some, or most, are infinite."""
    halves = [[0.5, 1.0, np.inf], [0.5, np.inf, np.inf]]
    found = [median_width(np.zeros(3), np.array([half])) for half in halves]
    yield criterion("procp-M1", "", found, expected=[2, np.inf], **_ANY)


def redraws(frame: pd.DataFrame, *, when: bool) -> Iterator[Check]:
    """M2: the error of a mean of 100 redraws of the outcomes.

    Parameters
    ----------
    frame : DataFrame
        Rows of the study ``conditional``.
    when : bool
        Whether the page has its default parameters.
    """
    variance = frame["missed_squared"] - (1 - frame["coverage"]) ** 2
    noise = (np.sqrt(variance) / 10).mean()
    yield criterion("procp-M2", "", noise, expected=0.005, tol=0.002, when=when)
