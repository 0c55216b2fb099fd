"""Exact checks of the theorems of chapter 5: enumeration, brute force, closed forms.

The chapter shows the statement and calls one of these; each returns what was found,
and the chapter decides. Nothing here knows how the fast methods work.
"""

from __future__ import annotations

import warnings
from itertools import combinations, permutations
from math import comb, perm, prod

import numpy as np

from ..exceptions import InfiniteSetWarning
from ..outcomes import (
    bin_layout,
    binned_weighted_threshold,
    kth_order_threshold,
    mass_at_infinity,
    missing_odds,
    naive_threshold,
    odds_bins,
    pac_threshold,
    procp2_threshold,
    procp_threshold,
    weighted_threshold,
)
from ..outcomes.squared import _coefficients, _second_moment
from ..quantiles import as_fraction, conformal_quantile

_MOST = 1_000_000

# ------------------------------------------------------- enumeration inside bins


def arrangements(pooled, n_test, *, ordered=False):
    """All ways of hiding ``n_test[k]`` of the scores ``pooled[k]`` of each bin.

    Exchangeability inside bins means that all are equally likely, so averages over
    them are exact expectations.

    Parameters
    ----------
    pooled : list of ndarray
        Scores of calibration and test points together, by bin.
    n_test : sequence of int
        How many of them are test points.
    ordered : bool
        Whether the order of test points matters (fixed cells).

    Returns
    -------
    scores, bins, hidden, test_bins : ndarray
        Calibration scores (R, n_cal) and their bins, hidden test scores (R, m) and
        theirs.

    Raises
    ------
    ValueError
        If there are more than a million of them.
    """
    ways = perm if ordered else comb
    count = prod(ways(len(s), int(u)) for s, u in zip(pooled, n_test, strict=True))
    if count > _MOST:
        raise ValueError(
            f"{count:.3g} ways to hide n_test of the pooled scores are more than a "
            "million: use fewer rows, or pac_threshold and kth_order_threshold, which "
            "need no enumeration"
        )
    choose = permutations if ordered else combinations
    cal, test = [], []
    for scores, u in zip(pooled, n_test, strict=True):
        found = list(choose(range(len(scores)), int(u)))
        chosen = np.array(found, dtype=int).reshape(len(found), u)
        rest = np.array([np.setdiff1d(np.arange(len(scores)), c) for c in chosen])
        test.append(np.asarray(scores)[chosen])
        cal.append(np.asarray(scores)[rest.astype(int)])
    grid = np.indices([len(rows) for rows in cal]).reshape(len(cal), -1)
    bins = np.repeat(np.arange(len(cal)), [rows.shape[1] for rows in cal])
    test_bins = np.repeat(np.arange(len(test)), n_test)
    return (
        np.hstack([rows[at] for rows, at in zip(cal, grid, strict=True)]),
        bins,
        np.hstack([rows[at] for rows, at in zip(test, grid, strict=True)]),
        test_bins,
    )


def random_configuration(rng, *, ties, most_bins=3, most=5):
    """Pooled scores of a few bins and the number of test points in each."""
    n_bins = int(rng.integers(1, most_bins + 1))
    sizes = rng.integers(1, most + 1, n_bins)
    n_test = np.minimum(rng.integers(0, 4, n_bins), sizes)
    if not n_test.sum():
        n_test[0] = 1
    draw = (lambda n: rng.integers(0, 4, n) * 1.0) if ties else rng.standard_normal
    return [draw(int(size)) for size in sizes], n_test


def enumerated(find, alphas, rng, n_cases, *, power=1, cells=False, most=5):
    """Exact ``E[miss^power] - alpha^power`` for random configurations and levels.

    Parameters
    ----------
    find : callable
        ``find(scores (R, n), bins, test_bins, alpha, cells=...)`` gives thresholds
        (R, m).
    alphas : sequence of float
        Levels.
    rng : numpy.random.Generator
        Draws the configurations; every other one has ties.
    n_cases : int
        Configurations.
    power : int
        Order of the moment.
    cells : bool
        Whether to split the test points into two fixed cells.
    most : int
        Largest number of points in a bin.

    Returns
    -------
    ndarray, shape (n_cases, len(alphas))
        At most 0 if the guarantee holds.
    """
    excess = np.empty((n_cases, len(alphas)))
    for case in range(n_cases):
        pooled, n_test = random_configuration(
            rng, ties=bool(case % 2), most_bins=2 if cells else 3, most=most
        )
        laid = arrangements(pooled, n_test, ordered=cells)
        scores, bins, hidden, test_bins = laid
        options = {}
        if cells:
            options["cells"] = rng.integers(0, 2, len(test_bins))
        for column, alpha in enumerate(alphas):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                q = find(scores, bins, test_bins, alpha, **options)
            missed = (hidden > q).mean(axis=1)
            excess[case, column] = (missed**power).mean() - alpha**power
    return excess


def by_row(find):
    """Make a method that takes one row of scores take a table of them."""

    def many(scores, bins, test_bins, alpha):
        return np.stack([find(row, bins, test_bins, alpha) for row in scores])

    return many


def enumerated_pac(alpha, delta, rng, n_cases):
    """Exact ``P(miss > alpha) - delta`` of the PAC sets, (n_cases,)."""
    excess = np.empty(n_cases)
    for case in range(n_cases):
        pooled, n_test = random_configuration(rng, ties=bool(case % 2), most=4)
        scores, bins, hidden, test_bins = arrangements(pooled, n_test)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InfiniteSetWarning)
            q = np.stack(
                [pac_threshold(row, bins, test_bins, alpha, delta) for row in scores]
            )
        missed = (hidden > q).mean(axis=1)
        excess[case] = (missed > alpha + 1e-12).mean() - delta
    return excess


# ----------------------------------------------------- fast against the definition


def small_samples(rng, n_cases, *, n_most=14, m_most=6):
    """Random scores (ties in every other case), bins, test bins and a level."""
    for case in range(n_cases):
        n, m = int(rng.integers(1, n_most)), int(rng.integers(1, m_most))
        scores = rng.integers(0, 8, n) * 1.0 if case % 2 else rng.standard_normal(n)
        bins, test_bins = rng.integers(0, 3, n), rng.integers(0, 3, m)
        yield scores, bins, test_bins, float(rng.choice([0.1, 0.2, 0.25, 0.4, 0.6]))


def _quiet(find, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return find(*args, **options)


def naive_agrees(rng, n_cases):
    """(7) by the rank in each bin, and by pro-CP with singleton cells: equal?"""
    out = []
    for scores, bins, test_bins, alpha in small_samples(rng, n_cases):
        q = _quiet(naive_threshold, scores, bins, test_bins, alpha)
        loop = [conformal_quantile(scores[bins == b], alpha) for b in test_bins]
        alone = _quiet(
            procp_threshold,
            scores,
            bins,
            test_bins,
            alpha,
            cells=np.arange(len(test_bins)),
        )
        n1 = np.array([(bins == b).sum() for b in test_bins])
        infinite = n1 < 1 / as_fraction(alpha) - 1
        out.append((q == loop).all() and (q == alone).all())
        out.append((np.isinf(q) == infinite).all())
    return np.array(out)


def bins_agree(epsilon, rng, n_draws=100_000):
    """Labels by the formula (5), and bins on an even grid of odds: as they must be?"""
    step = np.log1p(epsilon)
    odds = np.exp(rng.uniform(-5, 5, n_draws))
    position = np.log(odds) / step
    inside = np.abs(position - np.rint(position)) > 1e-6  # edges: rounding decides
    labels = odds_bins(odds / (1 + odds), epsilon)
    right = (labels == np.floor(position))[inside].all()
    grid = np.exp(np.linspace(-3, 3, n_draws))
    count = len(np.unique(odds_bins(grid / (1 + grid), epsilon)))
    return np.array([right, count == grid_bins(epsilon, -3, 3)])


def pooled_edges(rng, n_cases):
    """Finite exactly if F <= alpha; rows of bins without test rows weigh nothing."""
    out = []
    for scores, bins, test_bins, alpha in small_samples(rng, n_cases):
        q = _quiet(procp_threshold, scores, bins, test_bins, alpha)
        mass = mass_at_infinity(bins, test_bins)
        others = np.append(scores, scores), np.append(bins, bins + 3)
        unmoved = _quiet(procp_threshold, *others, test_bins, alpha)
        one_cell = _quiet(
            procp_threshold, scores, bins, test_bins, alpha, cells=0 * test_bins
        )
        finite = np.isfinite(q).all() == (mass <= alpha + 1e-12)
        out.append(finite and (q == unmoved).all() and (q == one_cell).all())
    return np.array(out)


def cells_agree(find, rng, n_cases, **options):
    """Cells at once against one cell after the other: equal?"""
    out = []
    for scores, bins, test_bins, alpha in small_samples(rng, n_cases, m_most=12):
        cells = rng.integers(0, 3, len(test_bins))
        q = _quiet(find, scores, bins, test_bins, alpha, cells=cells, **options)
        for cell in np.unique(cells):
            inside = cells == cell
            alone = _quiet(find, scores, bins, test_bins[inside], alpha, **options)
            out.append((q[inside] == alone).all())
    return np.array(out)


def survival_curve(scores, bins, test_bins, variant="paper"):
    """Mass of the smaller of two scores above each calibration score, by counts.

    Parameters
    ----------
    scores, bins : ndarray, shape (n,)
        Calibration scores and their bins.
    test_bins : ndarray, shape (m,)
        Bins of the test rows.
    variant : {"paper", "two_rep"}
        All test rows of a bin at infinity, or two.

    Returns
    -------
    ndarray, shape (n,)
        ``P(min > t)`` at each calibration score ``t``.
    """
    layout = bin_layout(bins, test_bins)
    n_test = layout.n_test[0]
    size, extra, single, double = _coefficients(layout.n_cal, n_test, variant)
    above = scores[:, None] > scores
    member = layout.cal_bin[:, None] == np.arange(len(size))
    exceeding = above.T.astype(float) @ member + extra
    return _second_moment(exceeding, single, double) / len(test_bins) ** 2


def survival(scores, bins, test_bins, variant="paper"):
    """Law of the smaller of two scores beyond each score: by counts, and by pairs.

    Returns
    -------
    counts, pairs : ndarray, shape (n,)
        ``P(min > t)`` at each calibration score ``t``: the library's formula, and
        the sum over all ordered pairs of the printed form.
    """
    layout = bin_layout(bins, test_bins)
    n_test, m = layout.n_test[0], len(test_bins)
    _, extra, single, double = _coefficients(layout.n_cal, n_test, variant)
    counts = survival_curve(scores, bins, test_bins, variant)

    label = np.append(layout.cal_bin, np.repeat(np.arange(len(single)), extra))
    values = np.append(scores, np.full(len(label) - len(scores), np.inf))
    weight = np.outer(single[label], single[label])
    same = label[:, None] == label
    weight[same] = np.broadcast_to(double[label], same.shape)[same]
    np.fill_diagonal(weight, single[label])
    smaller = np.minimum.outer(values, values)
    pairs = [weight[smaller > t].sum() / m**2 for t in scores]
    return counts, np.array(pairs)


def survival_gaps(rng, n_cases):
    """Counts against pairs, at every score of random samples."""
    cases = small_samples(rng, n_cases, n_most=25)
    gaps = [np.subtract(*survival(s, b, t)) for s, b, t, _ in cases]
    return np.concatenate(gaps)


def survival_gains(rng, n_cases):
    """Law of (19) minus that with two representatives, at every score: never below."""
    gains = []
    for scores, bins, test_bins, _ in small_samples(rng, n_cases):
        forms = [survival(scores, bins, test_bins, v)[0] for v in ("paper", "two_rep")]
        gains.append(np.subtract(*forms))
    return np.concatenate(gains)


def orders_agree(rng, n_cases):
    """K = 1 against (9) and K = 2 against (19): equal thresholds?"""
    out = []
    for scores, bins, test_bins, alpha in small_samples(rng, n_cases):
        args = scores, bins, test_bins, alpha
        out.append(
            (
                _quiet(kth_order_threshold, *args, 1) == _quiet(procp_threshold, *args)
            ).all()
        )
        out.append(
            (
                _quiet(kth_order_threshold, *args, 2) == _quiet(procp2_threshold, *args)
            ).all()
        )
    return np.array(out)


def pac_agrees(rng, n_cases, delta=0.3):
    """PAC threshold by convolution against all choices of test points: equal?"""
    out = []
    for scores, bins, test_bins, alpha in small_samples(
        rng, n_cases, n_most=8, m_most=5
    ):
        layout = bin_layout(bins, test_bins)
        n_test = layout.n_test.sum(axis=0)
        pooled = [
            np.append(scores[layout.cal_bin == k], np.full(u, np.inf))
            for k, u in enumerate(n_test)
        ]
        _, _, hidden, _ = arrangements(pooled, n_test)
        rank = int(-(-len(test_bins) * (1 - as_fraction(alpha)) // 1))
        values = np.sort(np.sort(hidden, axis=1)[:, rank - 1])
        wanted = -(-(1 - as_fraction(delta)) * len(values) // 1)
        q = _quiet(pac_threshold, scores, bins, test_bins, alpha, delta)
        out.append(q[0] == values[int(wanted) - 1])
    return np.array(out)


def weighted_agrees(rng, n_cases):
    """Weighted CP from one sort against one quantile a test point: equal?"""
    out = []
    for scores, bins, test_bins, alpha in small_samples(rng, n_cases, n_most=30):
        p = rng.uniform(0.1, 0.9, len(scores))
        test_p = rng.uniform(0.1, 0.9, len(test_bins))
        q = _quiet(weighted_threshold, scores, p, test_p, alpha)
        out.append((q == [_weighted_point(scores, p, t, alpha) for t in test_p]).all())
        q = _quiet(binned_weighted_threshold, scores, p, test_p, bins, test_bins, alpha)
        loop = [
            _weighted_point(scores[bins == b], p[bins == b], t, alpha)
            for b, t in zip(test_bins, test_p, strict=True)
        ]
        out.append((q == loop).all())
    return np.array(out)


def _weighted_point(scores, p, test_p, alpha):
    order = np.argsort(scores, kind="stable")
    w = missing_odds(p)[order] if len(p) else np.empty(0)
    last = (1 - test_p) / test_p
    cumulative = np.cumsum(w)
    total = w.sum() + last
    reached = np.flatnonzero(cumulative >= (1 - alpha) * total * (1 - 1e-12))
    return scores[order][reached[0]] if len(reached) else np.inf


# ------------------------------------------------------------ Lemma 1, Theorem 4


def total_variations(epsilon, n_laws, rng, *, n_atoms=4, n_values=3):
    """Distance of the score laws of the two groups in random epsilon-bins."""
    odds = np.exp(rng.normal(0, 2, (n_laws, 1))) * (1 + epsilon) ** rng.random(
        (n_laws, n_atoms)
    )
    p = odds / (1 + odds)
    mass = rng.dirichlet(np.full(n_atoms, 0.4), n_laws)
    law = rng.dirichlet(np.full(n_values, 0.2), (n_laws, n_atoms))
    seen, missing = mass * p, mass * (1 - p)
    one = np.einsum("na,nav->nv", seen / seen.sum(1, keepdims=True), law)
    zero = np.einsum("na,nav->nv", missing / missing.sum(1, keepdims=True), law)
    return np.abs(one - zero).sum(axis=1) / 2


def worst_two_atoms(epsilon, odds=0.7):
    """Distance for two atoms at the ends of a bin, in the worst mixture of a grid."""
    ends = np.array([odds, odds * (1 + epsilon)])
    p = ends / (1 + ends)
    share = np.linspace(0, 1, 100_001)[1:-1]
    seen = np.stack([share * p[0], (1 - share) * p[1]])
    missing = np.stack([share * (1 - p[0]), (1 - share) * (1 - p[1])])
    return np.abs(seen[0] / seen.sum(0) - missing[0] / missing.sum(0)).max()


def estimated_bins_ratio(epsilon, error, n_draws, rng, *, n_points=50):
    """Largest ratio of true odds inside bins of an estimate, for each draw.

    The log odds of the estimate are off by up to `error`, in the supremum norm.

    Returns
    -------
    ratio, distance : ndarray, shape (n_draws,)
        The ratio, and the largest distance in a bin between the features of
        observed and missing rows: no score can have a larger one.
    """
    ratio, distance = np.empty(n_draws), np.empty(n_draws)
    for draw in range(n_draws):
        log_odds = rng.normal(0, 1, n_points)
        wrong = log_odds + rng.uniform(-error, error, n_points)
        _, label = np.unique(
            odds_bins(1 / (1 + np.exp(-wrong)), epsilon), return_inverse=True
        )
        p = 1 / (1 + np.exp(-log_odds))
        high, low = np.full(label.max() + 1, -np.inf), np.full(label.max() + 1, np.inf)
        np.maximum.at(high, label, log_odds)
        np.minimum.at(low, label, log_odds)
        ratio[draw] = np.exp((high - low).max())
        seen, missing = (v / np.bincount(label, v)[label] for v in (p, 1 - p))
        distance[draw] = np.bincount(label, np.abs(seen - missing)).max() / 2
    return ratio, distance


def greedy_cover(epsilon, low, high, *, n_points=20_001):
    """Fewest bins with odds ratio at most ``1 + epsilon`` on a log-odds interval."""
    points, count, end = np.linspace(low, high, n_points), 0, -np.inf
    for point in points:
        if point > end + 1e-9:
            count, end = count + 1, point + np.log1p(epsilon)
    return count


def grid_bins(epsilon, low, high):
    """Bins of the fixed grid that meet a log-odds interval (right end open)."""
    step = np.log1p(epsilon)
    return int(np.ceil(high / step - 1e-9) - np.floor(low / step + 1e-9))
