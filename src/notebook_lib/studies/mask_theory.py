"""Executable checks of the theory of chapter 3: fixed weights, ranks, localisation.

Each function returns numbers that the chapter compares with a statement of Kong, Liu
and Yang (2025); none of them asserts.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
from scipy.stats import binom, norm

from ..covariates import (
    BETA,
    GaussianLinear,
    closed_rank,
    equicorrelated,
    heom,
    kernel_weights,
    lcp_radius,
    nexcp_radius,
    rank_weights,
)
from ..covariates.gaussian import conditional_maps
from ..masks import all_masks, is_submask
from ..mechanisms import MAR, MCAR, SelfMasked
from ..quantiles import conformal_quantile, weighted_quantile

TRUTH3 = GaussianLinear(BETA[:3], 1.0, equicorrelated(3, 0.8))


# ------------------------------------------------------------- fixed weights


def enumerated_coverage(weights, alpha):
    """Lemma 1: coverage over all orders of distinct scores, test weight last."""
    weights = np.asarray(weights, dtype=float)
    n, covered, total = len(weights) - 1, 0, 0
    for order in permutations(range(n + 1)):
        scores = np.array(order[:-1], dtype=float)
        q = weighted_quantile(
            scores, weights[:-1], 1 - alpha, mass_at_infinity=weights[-1]
        )
        covered += order[-1] <= q
        total += 1
    return covered / total


def two_scales(weights, n_draws, rng, alpha=0.1):
    """Lemma 1: half of the scores on scale 1, the others and the test row on 2."""
    n = len(weights)
    scale = np.where(np.arange(n) < n // 2, 1.0, 2.0)
    scores = np.abs(rng.standard_normal((n_draws, n))) * scale
    q = weighted_quantile(scores, weights, 1 - alpha, mass_at_infinity=1.0)
    covered = (np.abs(2 * rng.standard_normal(n_draws)) <= q).mean()
    share = np.asarray(weights) / (np.sum(weights) + 1)
    return covered, 1 - alpha - share[: n // 2].sum() * half_normal_swap(1.0, 2.0)


def half_normal_swap(a, b, size=1500):
    """Total variation between a pair of half-normal scores and the pair swapped."""
    reach = 8 * max(a, b)
    grid = (np.arange(size) + 0.5) * reach / size
    f, g = 2 * norm.pdf(grid, scale=a), 2 * norm.pdf(grid, scale=b)
    return 0.5 * np.abs(np.outer(f, g) - np.outer(g, f)).sum() * (reach / size) ** 2


def conditional_bound(n_draws, rng, alpha=0.1, n=250, rho=0.99):
    """Theorem 2 b: coverage and mean bound by test mask, own-mask oracle scores."""
    masks = all_masks(3)
    sd = np.sqrt(TRUTH3.conditional_variance(masks))
    weights = rho ** np.arange(n, 0, -1.0)
    swap = np.array([[half_normal_swap(a, b, 600) for a in sd] for b in sd])
    index = rng.choice(8, size=(n_draws, n), p=_mask_probability(masks, 0.2))
    scores = np.abs(rng.standard_normal((n_draws, n))) * sd[index]
    q = weighted_quantile(scores, weights, 1 - alpha, mass_at_infinity=1.0)
    coverage = 2 * norm.cdf(q[:, None] / sd) - 1
    share = weights / (weights.sum() + 1)
    bound = np.stack(
        [1 - alpha - (share * swap[t][index]).sum(axis=1) for t in range(8)]
    )
    return coverage.mean(axis=0), bound.mean(axis=1)


def _mask_probability(masks, rate):
    return np.where(masks, rate, 1 - rate).prod(axis=1)


def marginal_cp(kind, n_draws, rng, n=19, alpha=0.1):
    """Theorem 1: coverage of CP on small calibration sets, one fixed training set."""
    pool, _ = TRUTH3.sample(20_000, rng)
    mechanism = {"MCAR": MCAR(0.2), "MAR": MAR(0.2, (0,)), "MNAR": SelfMasked(0.2)}
    mechanism = mechanism[kind].fit(pool)
    X, y = TRUTH3.sample(500, rng)
    filled = np.where(mechanism.sample(X, rng), X.mean(axis=0), X)
    slope = np.linalg.lstsq(np.column_stack([np.ones(500), filled]), y, rcond=None)[0]
    X, y = TRUTH3.sample(n_draws * (n + 1), rng)
    filled = np.where(mechanism.sample(X, rng), pool.mean(axis=0), X)
    scores = np.abs(y - slope[0] - filled @ slope[1:]).reshape(n_draws, n + 1)
    return (scores[:, -1] <= conformal_quantile(scores[:, :-1], alpha)).mean()


# -------------------------------------------------------------- rank weights


def _star(n, p, rng):
    """Hub points near 0 and peripheral points near the axes, scores 1 and 10."""
    X = rng.uniform(-1e-3, 1e-3, (n, p))
    outer = rng.random(n) < 0.5
    axis, sign = rng.integers(0, p, n), rng.choice([-1.0, 1.0], n)
    X[outer, axis[outer]] += sign[outer]
    return X, np.where(outer, 10.0, 1.0)


def _ball(n, p, rng):
    X = rng.standard_normal((n, p))
    return X, np.where((X**2).sum(axis=1) > p, 5.0, 1.0)


def rank_weight_coverage(design, p_missing, n_reps, rng, *, n=500, n_test=20, rho=0.99):
    """Theorem 3: coverage on a rare mask of three weightings, MCAR by construction.

    Returns
    -------
    dict of str to (float, float)
        Coverage and standard error over repetitions for weights by distance rank, by
        mask, and by fixed order.
    """
    p = 100 if design == "star" else 8
    draw = _star if design == "star" else _ball
    ranges = np.ptp(draw(5000, p, rng)[0], axis=0)
    found = {"rank": [], "mask": [], "order": []}
    for _ in range(n_reps):
        X, scale = draw(n, p, rng)
        same = rng.random(n) < p_missing
        scores = scale * np.abs(rng.standard_normal(n))
        test, test_scale = draw(n_test, p, rng)
        squared = _squared(test / ranges, X / ranges)
        weights = {
            "rank": rank_weights(squared, same, rho),
            "mask": np.where(same, 1.0, rho),
            "order": rho ** np.arange(1.0, n + 1),
        }
        truth = test_scale * np.abs(rng.standard_normal(n_test))
        for name, w in weights.items():
            found[name].append((truth <= nexcp_radius(scores, w, 0.1)).mean())
    return {name: _mean(values) for name, values in found.items()}


def _squared(a, b):
    total = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(total, 0.0)


def _mean(values):
    values = np.asarray(values, dtype=float)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def rare_masks_coverage(n_reps, rng, *, n=1000, n_masks=50, p=100, n_test=20, rho=0.99):
    """Theorem 3, marginal part: half of the rows carry one of many rare masks."""
    ranges = np.ptp(_star(5000, p, rng)[0], axis=0)
    found = {"rank": [], "mask": []}
    for _ in range(n_reps):
        X, scale = _star(n, p, rng)
        mask = np.where(rng.random(n) < 0.5, 0, rng.integers(1, n_masks + 1, n))
        scores = scale * np.abs(rng.standard_normal(n))
        test, test_scale = _star(n_test, p, rng)
        test_mask = np.where(
            rng.random(n_test) < 0.5, 0, rng.integers(1, n_masks + 1, n_test)
        )
        squared = _squared(test / ranges, X / ranges)
        truth = test_scale * np.abs(rng.standard_normal(n_test))
        hits = {"rank": [], "mask": []}
        for i in range(n_test):
            kept = (mask == 0) | (mask == test_mask[i])
            same = mask[kept] == test_mask[i]
            by_mask = np.where(same, 1.0, rho)
            by_rank = rank_weights(squared[i : i + 1, kept], same, rho)
            hits["rank"].append(truth[i] <= nexcp_radius(scores[kept], by_rank, 0.1)[0])
            hits["mask"].append(truth[i] <= nexcp_radius(scores[kept], by_mask, 0.1))
        for name, values in hits.items():
            found[name].append(np.mean(values))
    return {name: _mean(values) for name, values in found.items()}


def direction_ratio(n_reps, rng, n=250, rho=0.99):
    """Half-length at x = 1.5 over x = 0: nearest row heaviest, and reversed."""
    near, far = [], []
    for _ in range(n_reps):
        x = rng.standard_normal(n)
        scores = (0.2 + np.abs(x)) * np.abs(rng.standard_normal(n))
        distance = np.abs(np.array([[1.5], [0.0]]) - x)
        nobody = np.zeros(n, dtype=bool)
        near.append(nexcp_radius(scores, rank_weights(distance, nobody, rho), 0.1))
        far.append(nexcp_radius(scores, rank_weights(-distance, nobody, rho), 0.1))
    near, far = np.mean(near, axis=0), np.mean(far, axis=0)
    return near[0] / near[1], far[0] / far[1]


# ------------------------------------------------------------- localisation


def lcp_toy(n_reps, rng, n=400, n_test=50, h=0.3):
    """Theorem 4: coverage at mask (1, 0) with distances over-masked, and own-masked."""
    hits = {"over": [], "own": []}
    for _ in range(n_reps):
        parts = []
        for size, shrink in ((n, 0.5), (n, 1.0), (n_test, 1.0)):
            X = np.column_stack([rng.integers(0, 2, size), rng.random(size)])
            scale = np.where(X[:, 0] == 1, 5.0, 1.0) * shrink
            scores = scale * np.abs(rng.standard_normal(size))
            X = X.astype(float)
            X[rng.random(size) < 0.2, 0] = np.nan
            parts.append((X, scores))
        (train, v_train), (cal, v_cal), (test, v_test) = parts
        test[:, 0] = np.nan
        for name in hits:
            rows = [part.copy() for part in (train, cal, test)]
            if name == "over":
                for part in rows:
                    part[:, 0] = np.nan
            weights = [
                kernel_weights(heom(part, rows[0], np.ones(2), squared=True), h)
                for part in rows[1:]
            ]
            radius = lcp_radius(v_train, v_cal, *weights, 0.1)
            hits[name].append((v_test <= radius).mean())
    return {name: _mean(values) for name, values in hits.items()}


def lcp_local_error(n, h, n_reps, rng, points=(-1.5, -0.75, 0.0, 0.75, 1.5)):
    """Theorem 4 b: largest deviation from 0.9 of coverage given the observed entry."""
    points = np.asarray(points)
    found = []
    for _ in range(n_reps):
        X = rng.standard_normal((2, n, 2))
        noise = rng.standard_normal((2, n))
        span = np.ptp(X[0, :, 1])
        scores = np.abs(X[..., 0] + (0.2 + np.abs(X[..., 1])) * noise)
        train, cal = X[0, :, 1] / span, X[1, :, 1] / span
        width = h if np.isscalar(h) else h(n)
        weights = [
            kernel_weights((a[:, None] - train) ** 2, width)
            for a in (cal, points / span)
        ]
        radius = lcp_radius(scores[0], scores[1], *weights, 0.1)
        sd = np.sqrt(1 + (0.2 + np.abs(points)) ** 2)
        found.append(2 * norm.cdf(np.maximum(radius, 0) / sd) - 1)
    return float(np.abs(np.mean(found, axis=0) - 0.9).max())


def oracle_given_hidden(points=(0.0, 1.0, 2.0, 3.0), x2=0.75):
    """Coverage of the oracle interval given the hidden entry too: it cannot be 0.9."""
    noise = 0.2 + abs(x2)
    half = norm.ppf(0.95) * np.sqrt(1 + noise**2)
    x1 = np.asarray(points)
    return norm.cdf((half - x1) / noise) - norm.cdf((-half - x1) / noise)


# ------------------------------------------------- when assumptions do not hold


def mar_heteroscedastic(n_reps, rng, homoscedastic=False, n_test=60):
    """P2: coverage at mask (0, 1) when an always observed column drives the gaps."""
    names = ("equal", "rank", "LCP", "LCP, h = 0.05")
    hits = {name: [] for name in names}
    for _ in range(n_reps):
        x, y, mask = _mar_rows(750, rng, homoscedastic)
        scores = np.abs(y - 1.8 * x)
        train, cal = slice(0, 500), slice(500, 750)
        tx, ty, tm = _mar_rows(n_test * 12, rng, homoscedastic)
        tx, ty = tx[tm][:n_test], ty[tm][:n_test]
        truth, span = np.abs(ty - 1.8 * tx), np.ptp(x[train])
        apart = np.abs(tx[:, None] - x[cal])
        radius = {
            "equal": conformal_quantile(scores[cal], 0.1),
            "rank": nexcp_radius(
                scores[cal], rank_weights(apart, mask[cal], 0.99), 0.1
            ),
        }
        some = x[:200]  # training rows; a median needs no more
        pairs = np.abs(some[:, None] - some) / span
        median = np.sqrt(
            0.2 + np.median(pairs) ** 2
        )  # gaps count 1 in a fifth of pairs
        for name, h in (("LCP", median), ("LCP, h = 0.05", 0.05)):
            weights = [
                kernel_weights(((a[:, None] - x[train]) / span) ** 2, h)
                for a in (x[cal], tx)
            ]
            radius[name] = lcp_radius(scores[train], scores[cal], *weights, 0.1)
        for name in names:
            hits[name].append((truth <= radius[name]).mean())
    return {name: _mean(values) for name, values in hits.items()}


def _mar_rows(n, rng, homoscedastic):
    x = rng.standard_normal(n)
    second = 0.8 * x + 0.6 * rng.standard_normal(n)
    mask = rng.random(n) < 1 / (1 + np.exp(2.2 - 2 * x))
    spread = 1.0 if homoscedastic else 0.3 + np.exp(x)
    return x, x + second + spread * rng.standard_normal(n), mask


def self_mask_shift(n, rng, slope=0.5):
    """P3: shift of the first residual between masks 100 and 000, in residual sds."""
    X, _ = TRUTH3.sample(n, rng)
    mechanism = SelfMasked(0.2, slope=slope).fit(X[:200_000])
    mask = mechanism.sample(X, rng)
    first = np.array([True, False, False])
    slope_1, rest = conditional_maps(TRUTH3.cov, first)
    residual = X[:, 0] - 1 - (X[:, 1:] - 1) @ slope_1[0]
    residual /= np.sqrt(rest[0, 0])
    alone, none = (mask == first).all(axis=1), ~mask.any(axis=1)
    return float(residual[alone].mean() - residual[none].mean())


# ------------------------------------------------------------ reference lengths


def draw_slope(d, rate=0.2, columns=None, phi=0.8):
    """Population least-squares slope when missing entries are drawn."""
    cov, padded, p = _padded(d, rate, columns, phi)
    mean = np.einsum("m,mij->ij", p, padded)
    return np.linalg.solve(cov, (cov - mean) @ BETA[:d])


def draw_lengths(d, masks, rate=0.2, columns=None, phi=0.8, alpha=0.1):
    """Lengths of draw-imputation with least squares in large samples, by mask."""
    cov = equicorrelated(d, phi)
    slope, beta = draw_slope(d, rate, columns, phi), BETA[:d]
    fixed = 1 + beta @ cov @ beta + slope @ cov @ slope
    variance = [fixed - 2 * slope @ (cov - _pad(cov, m)) @ beta for m in masks]
    return 2 * norm.ppf(1 - alpha / 2) * np.sqrt(variance)


def _pad(cov, mask):
    out = np.zeros_like(cov)
    out[np.ix_(mask, mask)] = conditional_maps(cov, mask)[1]
    return out


def _padded(d, rate, columns, phi):
    cov, masks = equicorrelated(d, phi), all_masks(d)
    columns = np.arange(d) if columns is None else np.asarray(columns)
    frozen = np.setdiff1d(np.arange(d), columns)
    masks = masks[~masks[:, frozen].any(axis=1)]
    p = np.where(masks[:, columns], rate, 1 - rate).prod(axis=1)
    return cov, np.array([_pad(cov, m) for m in masks]), p


def interpolation_gap(n, n_seen, n_draws, rng, rate=0.2, alpha=0.1):
    """E8: percent by which numpy's interpolated quantile is shorter than the rank."""
    sizes = np.maximum(rng.binomial(n, (1 - rate) ** n_seen, n_draws), 9)
    exact, between = np.empty(n_draws), np.empty(n_draws)
    for i, size in enumerate(sizes):
        v = np.sort(np.abs(rng.standard_normal(size)))
        exact[i] = v[size - closed_rank(int(size), alpha)]
        between[i] = np.quantile(v, min(1.0, (1 - alpha) * (1 + 1 / size)))
    return 100 * (1 - between.mean() / exact.mean())


def expected_exact_coverage(n, n_seen, rate=0.2, alpha=0.1):
    """``E[K/(N + 1)]`` on a mask that shows `n_seen` columns."""
    sizes = np.arange(n + 1)
    rank = sizes + 1 - np.array([closed_rank(int(s), alpha) for s in sizes])
    return binom.pmf(sizes, n, (1 - rate) ** n_seen) @ (rank / (sizes + 1))


def cell_error(n_available, n_test, n_reps, alpha=0.1):
    """Monte-Carlo error of a coverage cell of the tables."""
    v = alpha * (1 - alpha)
    return np.sqrt((v / (n_available + 2) + v / n_test) / n_reps)


def two_forms_of_assumption_2():
    """P4: the four probabilities of the example that parts (10a) from (10b)."""
    table = [(x, m, x if m == 0 else 1 - x) for x in (0, 1) for m in (0, 1)]

    def share(keep):
        chosen = [y for x, m, y in table if keep(x, m)]
        return sum(chosen) / len(chosen)

    return (
        share(lambda x, m: m == 0),
        share(lambda x, m: m == 1),
        share(lambda x, m: x == 1),
        share(lambda x, m: x == 1 and m == 0),
    )


def mean_available(n, d, rng, rate=0.2):
    """fcp-A5: available cases by number of seen columns, found and expected."""
    M = rng.random((n, d)) < rate
    masks = all_masks(d)
    found = np.array([is_submask(M, m).sum() for m in masks])
    return found, n * (1 - rate) ** (~masks).sum(axis=1)
