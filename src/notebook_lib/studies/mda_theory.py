"""Executable checks of the theory of chapter 4: hardness, monotony, guarantees.

Each function returns numbers that the chapter compares with the statement; none of
them asserts. Sections follow Zaffran, Josse, Romano and Dieuleveut (2024).
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom, norm

from ..covariates import (
    AdaptiveAtMost,
    AllRows,
    AtMost,
    Exact,
    GaussianLinear,
    PairPlan,
    RandomSupermask,
    Supermask,
    closed_rank,
    covering_union,
    equicorrelated,
    unstarred_bounds,
)
from ..covariates.gaussian import conditional_maps
from ..masks import all_masks
from ..quantiles import as_fraction, smallest_calibration_size
from .study import Study

# ------------------------------------------------------------------- hardness


def printed_bound(rho, n, alpha):
    """Lower bound of Theorem 2.3 as printed (its proof rests on a false lemma)."""
    return 1 - alpha - np.sqrt(2 * (1 - (1 - rho**2 / 2) ** (n + 1)))


def printed_bound_28(rho, n, alpha):
    """Lower bound of Theorem 2.8 as printed."""
    return 1 - alpha - np.sqrt(2 * (1 - (1 - 2 * rho**2) ** (n + 1)))


def corrected_bound(rho, n, alpha):
    """Lower bound ``(1 - rho)^n - alpha``, derived in the chapter."""
    return (1 - rho) ** n - alpha


def per_mask_infinite(rho, n, alpha):
    """How often calibration on the same mask alone gives an infinite set."""
    return binom.cdf(smallest_calibration_size(alpha) - 1, n, rho)


def sharp_method(rho, n, alpha, n_draws, rng):
    """A randomised method, valid on every mask: its coverage and share of infinities.

    With ``j`` calibration rows of the mask it answers the whole line with probability
    ``(1 - alpha (j + 1))_+`` and otherwise ``[-max|Y|, max|Y|]``; once
    ``alpha (j + 1) >= 1`` it is split conformal prediction on those rows.
    """
    j = rng.binomial(n, rho, n_draws)
    share = np.clip(1 - alpha * (j + 1), 0, None)
    infinite = rng.random(n_draws) < share
    # |Y| through its distribution function: uniform, so any law of Y will do.
    fresh = rng.random(n_draws)
    rank = j + 1 - np.floor(np.round(alpha * (j + 1), 9)).astype(int)
    rank = np.where(share > 0, j, rank)
    shape = np.maximum(rank, 1)
    threshold = rng.beta(shape, np.maximum(j + 1 - shape, 1))
    covered = infinite | ((j > 0) & (fresh <= threshold))
    expected = (binom.pmf(np.arange(n + 1), n, rho)) @ np.clip(
        1 - alpha * (np.arange(n + 1) + 1), 0, None
    )
    return covered.mean(), infinite.mean(), expected


def total_variation(P, Q, n):
    """Exact total variation of n-fold products of two laws on few atoms."""
    P, Q = np.asarray(P, float), np.asarray(Q, float)
    cells = np.array(list(product(range(len(P)), repeat=n)))
    return 0.5 * np.abs(P[cells].prod(axis=1) - Q[cells].prod(axis=1)).sum()


def lemma_a3(n_laws, rng, n=3, atoms=4):
    """Violations of Lemma A.3 as printed and as corrected, over random laws."""
    printed = corrected = 0
    for _ in range(n_laws):
        P, Q = rng.dirichlet(np.full(atoms, 0.3), 2)
        one = 0.5 * np.abs(P - Q).sum()
        many = total_variation(P, Q, n)
        printed += many > np.sqrt(2 * (1 - (1 - one**2 / 2) ** n)) + 1e-12
        corrected += many > 1 - (1 - one) ** n + 1e-12
    return printed, corrected


def lemma_a4(n_laws, rng):
    """Violations of the Markov step: ``P(W >= 1 - t) >= 1 - (1 - E W)/t``."""
    bad = 0
    for _ in range(n_laws):
        values, p = rng.random(4), rng.dirichlet(np.ones(4))
        t = rng.random() * 0.98 + 0.01
        bad += p[values >= 1 - t].sum() < 1 - (1 - p @ values) / t - 1e-12
    return bad


def lemma_a5(n_laws, rng):
    """Violations of ``TV <= P(Z != Z')`` over random joint tables."""
    joint = rng.dirichlet(np.full(16, 0.3), n_laws).reshape(-1, 4, 4)
    tv = 0.5 * np.abs(joint.sum(axis=1) - joint.sum(axis=2)).sum(axis=1)
    apart = 1 - np.trace(joint, axis1=1, axis2=2)
    return int((tv > apart + 1e-12).sum())


def adversary_26(rng):
    """Theorem 2.6: the adversary redraws Y on one mask; how far (X, M) moves."""
    P = rng.dirichlet(np.ones(24)).reshape(3, 2, 4)  # X, M, Y
    Q = P.copy()
    Q[:, 1, :] = P[:, 1, :].sum(axis=1, keepdims=True) / 4
    before, after = P.sum(axis=2), Q.sum(axis=2)
    return ((after - before) ** 2 / before).sum(), np.abs(Q - P).sum() / 2


def adversary_28(rng, cells=40):
    """Theorem 2.8: conditional dependence of (Y, M) under Q, total variation, rho."""
    p_x = np.full(cells, 1 / cells)
    p_m = np.clip(rng.normal(0.1, 0.05, cells), 0.01, 0.3)
    p_m *= 4 / cells / (p_x @ p_m)
    p_y = rng.dirichlet(np.ones(3), cells)
    rho = p_x @ p_m
    special = np.arange(cells) < 4  # mass exactly rho
    joint = np.stack([1 - p_m, p_m], axis=1) * p_x[:, None]
    P = joint[:, :, None] * p_y[:, None, :]
    touched = special[:, None] | np.array([False, True])
    Q = np.where(touched[:, :, None], 0.0, P)
    moved = P[touched].sum()
    Q[special, 1, :] += moved / special.sum() / 3
    with np.errstate(invalid="ignore", divide="ignore"):
        given = Q / Q.sum(axis=2, keepdims=True)
    both = (Q.sum(axis=2) > 0).all(axis=1)
    dependence = np.abs(given[both, 0] - given[both, 1]).max() if both.any() else 0.0
    kept = ~special
    drift = np.abs(given[kept, 0] - p_y[kept]).max()
    return dependence + drift, 0.5 * np.abs(P - Q).sum(), rho


# ---------------------------------------------------- longer where less is seen


def nested_pairs(masks):
    """Index pairs (a, b) with mask a strictly inside mask b."""
    inside = (masks[:, None] <= masks[None]).all(axis=2)
    np.fill_diagonal(inside, False)
    return np.nonzero(inside)


def variance_violations(n_laws, rng):
    """Theorem 3.2: ``E Var(Y | X_obs)`` along nested masks, random discrete laws."""
    values = rng.normal(size=(n_laws, 1, 1, 1, 3))
    p = rng.dirichlet(np.full(24, 0.5), n_laws).reshape(-1, 2, 2, 2, 3)
    masks = all_masks(3)
    spread = []
    for m in masks:
        hidden = tuple(1 + np.flatnonzero(m))
        seen = p.sum(axis=hidden, keepdims=True)
        mass = seen.sum(axis=4)
        first, second = (seen * values).sum(axis=4), (seen * values**2).sum(axis=4)
        spread.append((second - first**2 / mass).reshape(n_laws, -1).sum(axis=1))
    a, b = nested_pairs(masks)
    spread = np.array(spread)
    return int((spread[a] > spread[b] + 1e-12).sum())


def gaussian_isotony(n_laws, rng):
    """Theorem 3.5: smallest relative eigenvalue, and variance violations."""
    worst, bad = np.inf, 0
    for _ in range(n_laws):
        d = int(rng.integers(2, 7))
        root = rng.normal(size=(d, d))
        cov = root @ root.T + 0.05 * np.eye(d)
        order = rng.permutation(d)
        inner, outer = sorted(rng.integers(0, d + 1, 2))
        small, large = np.zeros(d, bool), np.zeros(d, bool)
        small[order[:inner]] = large[order[:outer]] = True
        less, more = np.zeros((d, d)), np.zeros((d, d))
        less[np.ix_(small, small)] = conditional_maps(cov, small)[1]
        more[np.ix_(large, large)] = conditional_maps(cov, large)[1]
        worst = min(worst, np.linalg.eigvalsh(more - less).min() / np.trace(cov))
        beta = rng.normal(size=d)
        bad += beta @ more @ beta < beta @ less @ beta - 1e-9 * (1 + beta @ beta)
    return worst, bad


class Model33:
    """``Y = beta X + X xi``: hidden rows spread more on average, not everywhere."""

    def __init__(self, beta=2.0, sigma2=1.5, tau2=1.0):
        self.beta, self.sigma, self.tau = beta, np.sqrt(sigma2), np.sqrt(tau2)

    def sample(self, n, rng):
        """Covariates and outcomes, each (n,)."""
        x = self.sigma * rng.standard_normal(n)
        return x, self.beta * x + x * self.tau * rng.standard_normal(n)

    def _grid(self, size):
        return self.sigma * norm.ppf((np.arange(size) + 0.5) / size)

    def hidden_quantile(self, level, size=40_000):
        """Quantile of Y when X is missing, by quadrature over X."""
        x = self._grid(size)
        spread = self.tau * np.abs(x)

        def excess(y):
            return norm.cdf((y - self.beta * x) / spread).mean() - level

        return brentq(excess, -40, 40, xtol=1e-10)

    def interquantile(self, low, high):
        """Expected distance of two quantiles: X observed, X missing."""
        width = norm.ppf(high) - norm.ppf(low)
        seen = width * self.tau * self.sigma * np.sqrt(2 / np.pi)
        return seen, self.hidden_quantile(high) - self.hidden_quantile(low)

    def oracle_lengths(self, alpha, size=40_000):
        """Expected length of the shortest sets: X observed, X missing."""
        spread = self.tau * np.abs(self._grid(size))

        def half(log_level):
            power = -log_level - np.log(spread * np.sqrt(2 * np.pi))
            return np.sqrt(2 * np.clip(power, 0, None))

        def excess(log_level):
            return (2 * norm.cdf(half(log_level)) - 1).mean() - (1 - alpha)

        level = brentq(excess, -30, 5)
        seen = (2 * spread * half(level)).mean()
        return seen, 2 * self.hidden_quantile(1 - alpha / 2)


def shorten(lengths, masks, literal=False):
    """Theorem 3.6: lengths after borrowing the best interval of a larger mask."""
    index = {m.tobytes(): i for i, m in enumerate(masks)}
    out = np.array(lengths, dtype=float)
    for i in np.argsort(-masks.sum(axis=1), kind="stable"):
        for j in np.flatnonzero(~masks[i]):
            larger = masks[i].copy()
            larger[j] = True
            source = lengths if literal else out
            out[i] = min(out[i], source[index[larger.tobytes()]])
    return out


def shorten_violations(n_tables, rng):
    """Longer or non-monotone lengths after the recursion, over random tables."""
    masks = all_masks(4)
    a, b = nested_pairs(masks)
    bad = 0
    for _ in range(n_tables):
        lengths = rng.exponential(size=16)
        short = shorten(lengths, masks)
        bad += int((short > lengths).sum() + (short[a] > short[b] + 1e-15).sum())
    return bad


def least_squares_gap(phi, n, rng, impute_mean):
    """Theorem 3.8 i: error of least squares on imputed data, and of Bayes."""
    truth = GaussianLinear([1.0, 2.0, -1.0], 1.0, equicorrelated(3, phi))
    X, y = truth.sample(n, rng)
    mask = rng.random(X.shape) < 0.3
    if impute_mean:
        filled = np.where(mask, truth.mean, X)
    else:
        filled = conditional_means(truth, X, mask)
    features = np.column_stack([np.ones(n), filled])
    slope = np.linalg.lstsq(features, y, rcond=None)[0]
    bayes = truth.conditional_mean(X, mask)
    return ((y - features @ slope) ** 2).mean(), ((y - bayes) ** 2).mean()


def conditional_means(truth, X, mask):
    """Rows with each missing entry replaced by its mean given the observed ones."""
    out = X.copy()
    for m in np.unique(mask, axis=0):
        rows = np.flatnonzero((mask == m).all(axis=1))
        slope, _ = truth.conditional_maps(m)
        centred = X[np.ix_(rows, ~m)] - truth.mean[~m]
        out[np.ix_(rows, m)] = truth.mean[m] + centred @ slope.T
    return out


def quantile_lengths(n, rng, *, add_mask, phi=0.0):
    """Theorem 3.8 ii: expected length on each of 8 masks of linear quantile models."""
    from sklearn.linear_model import QuantileRegressor

    truth = GaussianLinear([1.0, 2.0, -1.0], 1.0, equicorrelated(3, phi))
    X, y = truth.sample(n, rng)
    mask = rng.random(X.shape) < 0.3
    filled = conditional_means(truth, X, mask)
    features = np.hstack([filled, mask]) if add_mask else filled
    models = [
        QuantileRegressor(quantile=q, alpha=0.0, solver="highs").fit(features, y)
        for q in (0.05, 0.95)
    ]
    X, _ = truth.sample(20_000, rng)
    lengths = []
    for m in all_masks(3):
        mask = np.tile(m, (len(X), 1))
        rows = conditional_means(truth, X, mask)
        rows = np.hstack([rows, mask]) if add_mask else rows
        lengths.append((models[1].predict(rows) - models[0].predict(rows)).mean())
    return np.array(lengths)


# ----------------------------------------------------------------- the method


def brute_force(n_cases, rng):
    """Counts of disagreement with Algorithm 1 over random cases with ties.

    Returns
    -------
    dict
        ``mismatches`` with the count of Algorithm 1 in exact fractions, ``outside``
        the unstarred interval, ``unequal`` to it though all intervals share a point,
        ``unions``: sets that are not intervals.
    """
    grid = np.arange(-15, 22) / 2
    found = dict.fromkeys(("mismatches", "outside", "unequal", "unions"), 0)
    levels = [0, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 0.9, 1]
    for _ in range(n_cases):
        size = int(rng.integers(0, 12))
        low = rng.integers(-3, 4, size).astype(float)
        high = low + rng.integers(0, 4, size)
        scores = rng.integers(-3, 5, size).astype(float)
        alpha = levels[rng.integers(len(levels))]
        test = np.maximum(low[:, None] - grid, grid - high[:, None])
        count = (scores[:, None] < test).sum(axis=0)
        threshold = (1 - as_fraction(alpha)) * (1 + size)
        wanted = np.array([int(c) < threshold for c in count])
        lower, upper = low - scores, high + scores
        r = closed_rank(size, alpha)
        union = covering_union(lower[None], upper[None], r)
        inside = (union.lower <= grid[:, None]) & (grid[:, None] <= union.upper)
        found["mismatches"] += int((inside.any(axis=1) != wanted).sum())
        found["unions"] += int(len(union.row) > 1)
        if 1 <= r <= size:
            first, last = unstarred_bounds(lower[None], upper[None], r)[0]
            outside = (union.lower < first) | (union.upper > last)
            found["outside"] += int(outside.sum())
            if lower.max() <= upper.min():
                found["unequal"] += int(tuple(union.hull()[0]) != (first, last))
    return found


def float_rank_errors():
    """How often floats get the two ranks wrong, over 99 levels and 1000 sizes."""
    n = np.arange(1, 1001)
    floor = ceil = 0
    for percent in range(1, 100):
        alpha = percent / 100
        exact = percent * (n + 1) // 100
        floor += int((np.floor(alpha * (n + 1)) != exact).sum())
        ceil += int((np.ceil((1 - alpha) * (n + 1)) != n + 1 - exact).sum())
    return floor, ceil


def largest_losing_set(n, steps=60):
    """Theorem 4.2, lemma: most rows that lose, over all comparison matrices.

    Returns
    -------
    observed, formula : ndarray of int, shape (steps + 1,)
        For ``alpha = k / steps``.
    """
    pairs = list(combinations(range(n), 2))
    codes = np.array(list(product((0, 1, 2), repeat=len(pairs))), dtype=np.int8)
    wins = np.zeros((len(codes), n), dtype=np.int64)
    for column, (i, j) in enumerate(pairs):
        wins[:, i] += codes[:, column] == 1
        wins[:, j] += codes[:, column] == 2
    observed = []
    for k in range(steps + 1):
        losing = wins * steps >= (steps - k) * n
        observed.append(losing.sum(axis=1).max())
    k = np.arange(steps + 1)
    formula = np.minimum(n, np.maximum(2 * (k * n // steps) - 1, 0))
    return np.array(observed), formula


def chain_law(n_cal, n_draws, rng, alpha=0.1, depth=5):
    """Theorem 4.2: a law where outcomes grow with the mask; coverage of two rules.

    Returns
    -------
    tuple of float
        Marginal coverage of CP-MDA-Exact and of Nested* on all rows.
    """
    p = [(1 - alpha) ** depth]
    for _ in range(depth):
        p.append(alpha / (1 - alpha) * sum(p))
    edges = np.cumsum(p)[:-1]
    exact = everything = 0
    step = max(1, 2_000_000 // n_cal)
    for start in range(0, n_draws, step):
        size = min(step, n_draws - start)
        index = np.searchsorted(edges, rng.random((size, n_cal + 1)))
        scores = 10.0**index * (1 + rng.random(index.shape))
        beaten = scores[:, :-1] < scores[:, -1:]
        kept = index[:, :-1] <= index[:, -1:]
        n_kept = kept.sum(axis=1)
        bound = n_kept + 1 - np.floor(np.round(alpha * (n_kept + 1), 9))
        exact += ((beaten & kept).sum(axis=1) <= bound - 1).sum()
        everything += (beaten.sum(axis=1) <= n_cal - closed_rank(n_cal, alpha)).sum()
    return exact / n_draws, everything / n_draws


def factor_two(n_cal, bad_share, n_draws, rng, alpha=0.1):
    """Theorem 4.3: MCAR data on which Nested* covers less than ``1 - alpha``.

    Ten blocks of 1000 features; each calibration row shows one feature a block (or,
    rarely, all); the test row shows all. The score is 1000 for a bad label plus the
    sum of the features seen.
    """
    needed = n_cal - closed_rank(n_cal, alpha)
    covered = 0
    for _ in range(n_draws):
        x = rng.standard_normal((10, 1000))
        seen = rng.integers(0, 1000, (10, n_cal))
        test = x[np.arange(10)[:, None], seen].sum(axis=0)
        own = np.sqrt(10) * rng.standard_normal(n_cal)
        full = rng.random(n_cal) < 0.001
        test[full], own[full] = x.sum(), 100 * rng.standard_normal(full.sum())
        own += 1000 * (rng.random(n_cal) < bad_share)
        test += 1000 * (rng.random() < bad_share)
        covered += (own < test).sum() <= needed
    return covered / n_draws


def leave_one_out(n, n_draws, rng, alpha=0.1, p=3):
    """Appendix C: coverage of leave-one-out conformal prediction, least squares."""
    X = rng.standard_normal((n_draws, n, p))
    noise = rng.standard_t(3, (n_draws, n + 1))
    y = X.sum(axis=2) + noise[:, :n]
    x = rng.standard_normal((n_draws, p))
    target = x.sum(axis=1) + noise[:, n]
    inverse = np.linalg.inv(np.swapaxes(X, 1, 2) @ X)
    beta = np.einsum("rij,rkj,rk->ri", inverse, X, y)
    gain = np.einsum("rij,rkj->rki", inverse, X)
    leverage = (gain * X).sum(axis=2)
    residual = (y - np.einsum("rkj,rj->rk", X, beta)) / (1 - leverage)
    without = beta[:, None] - gain * residual[..., None]
    test = np.abs(target[:, None] - (without * x[:, None]).sum(axis=2))
    count = (np.abs(residual) < test).sum(axis=1)
    return (count <= n - closed_rank(n, alpha)).mean()


# ----------------------------------------------- coverage with the true predictor

ORACLE_RULES = {
    "exact": Exact(),
    "h=1": AtMost(1),
    "iii": Supermask(lambda m: m | np.array([True, False, False, True])),
    "iv": RandomSupermask(0),
    "adaptive": AdaptiveAtMost.for_level(0.1),
    "all": AllRows(),
}
_TRUTH = GaussianLinear([1.0, 2.0, -1.0, 0.5], 0.0, equicorrelated(4, 0.5))


def replicate_oracle(scenario: dict, rng: np.random.Generator) -> list[dict]:
    """Theorem 4.3: coverage by mask of every rule, with the true conditional mean."""
    n_each, alpha = int(scenario["n_each"]), 0.1
    masks = all_masks(4)
    X_cal, y_cal = _TRUTH.sample(int(scenario["n_cal"]), rng)
    M_cal = rng.random(X_cal.shape) < 0.3
    X, y = _TRUTH.sample(16 * n_each, rng)
    M = np.repeat(masks, n_each, axis=0)
    covered = {name: np.zeros(len(y), bool) for name in ORACLE_RULES}
    infinite = {name: np.zeros(len(y), bool) for name in ORACLE_RULES}
    for view in PairPlan(M_cal, M, AllRows()).views(_TRUTH.conditional_mean, X_cal, X):
        scores = np.abs(y_cal - view.calibration)
        beaten = scores < np.abs(y[view.rows][:, None] - view.test[:, view.slot])
        for name, rule in ORACLE_RULES.items():
            keep = rule.keep(M_cal, view.mask)
            n_kept = int(keep.sum())
            r = closed_rank(n_kept, alpha)
            count = beaten[:, keep].sum(axis=1)
            covered[name][view.rows] = (count <= n_kept - r) | (r == 0)
            infinite[name][view.rows] = r == 0
    labels = ["".join("1" if j else "0" for j in m) for m in masks]
    return [
        {
            "rule": name,
            "mask": label,
            "coverage": float(covered[name][i * n_each : (i + 1) * n_each].mean()),
            "infinite": float(infinite[name][i * n_each : (i + 1) * n_each].mean()),
        }
        for name in ORACLE_RULES
        for i, label in enumerate(labels)
    ]


def oracle_coverage(n_replicates, seed, n_cal=60, n_each=20):
    """Rows of :func:`replicate_oracle` over replicates, as one frame."""
    import pandas as pd

    rows = []
    for replicate in range(n_replicates):
        rng = np.random.default_rng([seed, replicate])
        found = replicate_oracle({"n_cal": n_cal, "n_each": n_each}, rng)
        rows += [row | {"replicate": replicate} for row in found]
    return pd.DataFrame(rows)


def exact_coverage_law(n_cal, rate, n_seen, alpha):
    """Coverage ``E[K/(N + 1)]`` of CP-MDA-Exact on a mask with `n_seen` features."""
    sizes = np.arange(n_cal + 1)
    rank = sizes + 1 - np.array([closed_rank(int(n), alpha) for n in sizes])
    return binom.pmf(sizes, n_cal, (1 - rate) ** n_seen) @ (rank / (sizes + 1))


def _summarise_oracle(frame):
    from .store import aggregate

    return aggregate(frame, ["rule", "mask"], ["coverage", "infinite"])


ORACLE = Study(
    name="mda_oracle",
    scenarios=[{"n_cal": 60, "n_each": 20}],
    replicate=replicate_oracle,
    n_replicates=3000,
    seed=4,
    description="Theorem 4.3: coverage by mask with the true conditional mean",
    document="Zaffran, Josse, Romano and Dieuleveut (2024)",
    summarise=_summarise_oracle,
)
