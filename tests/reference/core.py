"""Quantiles, sets and groups, one element at a time."""

import math
from fractions import Fraction


def conformal_rank(n, alpha):
    """The smallest k with k / (n + 1) >= 1 - alpha, in exact arithmetic."""
    return next(k for k in range(n + 2) if Fraction(k, n + 1) >= 1 - alpha)


def lower_rank(n, alpha):
    """The largest r with r / (n + 1) <= alpha, in exact arithmetic."""
    return max(r for r in range(n + 2) if Fraction(r, n + 1) <= alpha)


def conformal_quantile(scores, alpha):
    """inf{t : #{scores and one infinity <= t} / (n + 1) >= 1 - alpha}."""
    atoms = [*scores, math.inf]
    for t in sorted(atoms):
        if Fraction(sum(s <= t for s in atoms), len(atoms)) >= 1 - alpha:
            return t
    raise AssertionError("unreachable: at infinity the mass is one")


def weighted_quantile(scores, weights, level, mass_at_infinity=Fraction(0)):
    """inf{t : P(T <= t) >= level}; weights and level are fractions."""
    if level <= 0:
        return -math.inf
    total = sum(weights, Fraction(0)) + mass_at_infinity
    if total == 0:
        return math.inf
    for t in sorted(set(scores)):
        mass = sum(
            (w for s, w in zip(scores, weights, strict=True) if s <= t), Fraction(0)
        )
        if mass / total >= level:
            return t
    return math.inf


def weighted_conformal_quantiles(scores, weights, test_weights, alpha):
    """One weighted quantile a test point, sorted anew each time."""
    return [
        weighted_quantile(scores, weights, 1 - alpha, test_weight)
        for test_weight in test_weights
    ]


def is_submask(a, b):
    """Every entry hidden in a is hidden in b."""
    return all(y for x, y in zip(a, b, strict=True) if x)


def mixture_level_set_length(logpdf, log_level, low, high, cells=200_001):
    """Length of {y : log p(y) >= log_level} by counting cells of a fine grid."""
    step = (high - low) / cells
    return step * sum(logpdf(low + (i + 0.5) * step) >= log_level for i in range(cells))
