"""Naive versions of the methods for missing covariates, straight from the definitions.

Loops over test rows and calibration rows, exact fractions, no grouping, no sharing.
`model(X, M)` predicts rows `X` (with NaN under `M`).
"""

from fractions import Fraction

import numpy as np


def _level(alpha):
    return Fraction(str(alpha))


def _one(model, row, mask):
    hidden = row.copy()
    hidden[mask] = np.nan
    return np.asarray(model(hidden[None], mask[None]))[0]


def _scores(kind, y, prediction):
    if kind == "absolute":
        return abs(y - prediction)
    return max(prediction[0] - y, y - prediction[1])


def conformal(scores, alpha):
    """The ceil((1 - alpha)(n + 1))-th smallest score, or infinity."""
    n = len(scores)
    rank = -(-(1 - _level(alpha)) * (n + 1) // 1)
    return np.inf if rank > n else sorted(scores)[int(rank) - 1]


def nested_star_contains(model, kind, cal, x, m, alpha, keep, candidates):
    """Algorithm 1: which candidate outcomes are kept, by counting, in fractions."""
    X_cal, M_cal, y_cal = cal
    chosen = np.flatnonzero(keep)
    threshold = (1 - _level(alpha)) * (1 + len(chosen))
    out = []
    for y in candidates:
        count = 0
        for k in chosen:
            both = M_cal[k] | m
            own = _scores(kind, y_cal[k], _one(model, X_cal[k], both))
            count += own < _scores(kind, y, _one(model, x, both))
        out.append(Fraction(count) < threshold)
    return np.array(out)


def nested_2023(model, kind, cal, x, m, alpha):
    """CP-MDA-Nested of 2023: two order statistics, sorted in full."""
    X_cal, M_cal, y_cal = cal
    low, high = [], []
    for k in range(len(y_cal)):
        both = M_cal[k] | m
        s = _scores(kind, y_cal[k], _one(model, X_cal[k], both))
        band = np.broadcast_to(_one(model, x, both), (2,))
        low.append(band[0] - s)
        high.append(band[1] + s)
    r = int(_level(alpha) * (len(y_cal) + 1) // 1)
    if r == 0:
        return -np.inf, np.inf
    return sorted(low)[r - 1], sorted(high)[-r]


def one_threshold(model, kind, cal, x, m, alpha, keep):
    """CP-MDA-Exact (keep: included masks) or per-mask split CP (keep: equal masks)."""
    X_cal, _, y_cal = cal
    scores = [
        _scores(kind, y_cal[k], _one(model, X_cal[k], m)) for k in np.flatnonzero(keep)
    ]
    q = conformal(scores, alpha)
    band = np.broadcast_to(_one(model, x, m), (2,))
    return band[0] - q, band[1] + q


def covered_points(lower, upper, r, candidates):
    """Candidates that lie in at least r of the closed intervals."""
    return np.array(
        [
            sum(lo <= y <= hi for lo, hi in zip(lower, upper, strict=True)) >= r
            for y in candidates
        ]
    )


def heom(a, b, ranges, nominal=()):
    """Distance of two rows, gaps counted as 1."""
    total = 0.0
    for j in range(len(a)):
        if np.isnan(a[j]) or np.isnan(b[j]):
            total += 1.0
        elif j in nominal:
            total += float(a[j] != b[j])
        else:
            total += ((a[j] - b[j]) / ranges[j]) ** 2
    return np.sqrt(total)


def weighted_quantile(values, weights, level, infinity=0.0):
    """Smallest value whose cumulative weight reaches the level of the total."""
    total = sum(weights) + infinity
    mass = 0.0
    for i in sorted(range(len(values)), key=lambda i: values[i]):
        mass += weights[i]
        if mass >= level * total - 1e-12 * total:
            return values[i]
    return np.inf


def nexcp_radius(model, cal, x, m, alpha, rho, ranges, kind="rank"):
    """Algorithm 1 of Kong et al.: one test row at a time."""
    X_cal, M_cal, y_cal = cal
    available = [k for k in range(len(y_cal)) if not (M_cal[k] & ~m).any()]
    if not available:
        return np.inf
    scores = [abs(y_cal[k] - _one(model, X_cal[k], m)) for k in available]
    distances = []
    for k in available:
        total = 0.0
        for j in np.flatnonzero(~m):
            total += ((x[j] - X_cal[k, j]) / ranges[j]) ** 2
        distances.append(total)
    order = sorted(range(len(available)), key=lambda i: distances[i])
    weights = [0.0] * len(available)
    for rank, i in enumerate(order, start=1):
        apart = int((M_cal[available[i]] != m).sum())
        if kind == "rank":
            weights[i] = 1.0 if apart == 0 else rho**rank
        else:
            weights[i] = rho**apart
    return weighted_quantile(scores, weights, 1 - alpha, infinity=1.0)


def lcp_radius(model, train, cal, x, m, alpha, h, ranges, own=False):
    """Algorithm 2 of Kong et al. with a Gaussian kernel: one test row at a time."""
    X_tr, M_tr, y_tr = train
    X_cal, M_cal, y_cal = cal
    refs = [j for j in range(len(y_tr)) if not (M_tr[j] & ~m).any()]
    rows = [k for k in range(len(y_cal)) if not (M_cal[k] & ~m).any()]
    if not refs or not rows:
        return np.inf
    ref_scores = [abs(y_tr[j] - _one(model, X_tr[j], m)) for j in refs]

    def local(row):
        def hidden(z):
            return z if own else np.where(m, np.nan, z)

        squared = [heom(hidden(row), hidden(X_tr[j]), ranges) ** 2 for j in refs]
        weights = [np.exp(-s / (2 * h**2)) for s in squared]
        return weighted_quantile(ref_scores, weights, 1 - alpha)

    corrected = [
        abs(y_cal[k] - _one(model, X_cal[k], m)) - local(X_cal[k]) for k in rows
    ]
    return local(x) + conformal(corrected, alpha)
