"""Naive versions of the methods for missing outcomes, straight from the formulas.

Masses are fractions and loops are loops, so that equality with the library can be
asked for exactly, ties and infinities included.
"""

from fractions import Fraction
from itertools import combinations, product
from math import inf

from notebook_lib.quantiles import as_fraction


def quantile(atoms, level):
    """Smallest value whose cumulative mass reaches the level; atoms (value, mass)."""
    if level <= 0:
        return -inf
    total = Fraction(0)
    for value, mass in sorted(atoms, key=lambda atom: atom[0]):
        total += mass
        if total >= level and mass > 0:
            return value
    return inf


def counts(labels):
    """Number of points of each label."""
    out = {}
    for label in labels:
        out[label] = out.get(label, 0) + 1
    return out


def naive(scores, bins, test_bins, alpha):
    """Equation (7): split conformal prediction in the bin of each test point."""
    alpha, out = as_fraction(alpha), []
    for test in test_bins:
        inside = [s for s, b in zip(scores, bins, strict=True) if b == test]
        mass = Fraction(1, len(inside) + 1)
        out.append(quantile([(s, mass) for s in inside] + [(inf, mass)], 1 - alpha))
    return out


def procp_atoms(scores, bins, test_bins, representatives=None):
    """Atoms of (9) and (11); with a number, that many test points enter a bin."""
    n1, n0, m = counts(bins), counts(test_bins), len(test_bins)
    atoms = []
    for k, test in n0.items():
        extra = test if representatives is None else min(test, representatives)
        mass = Fraction(test, m * (n1.get(k, 0) + extra))
        atoms += [(s, mass) for s, b in zip(scores, bins, strict=True) if b == k]
        atoms.append((inf, mass * extra))
    return atoms


def procp(scores, bins, test_bins, alpha, representatives=None):
    """Threshold of (9), (11), or of the one-representative form."""
    atoms = procp_atoms(scores, bins, test_bins, representatives)
    return quantile(atoms, 1 - as_fraction(alpha))


def procp2_atoms(scores, bins, test_bins, representatives=None):
    """Atoms of (19), all pairs; representatives as in :func:`procp_atoms`."""
    n1, n0, m = counts(bins), counts(test_bins), len(test_bins)
    points = list(zip(scores, bins, strict=True))
    size = {}
    for k in set(n1) | set(n0):
        extra = n0.get(k, 0)
        extra = extra if representatives is None else min(extra, representatives)
        points += [(inf, k)] * extra
        size[k] = n1.get(k, 0) + extra
    atoms = []
    for i, (s, k) in enumerate(points):
        test = n0.get(k, 0)
        atoms.append((s, Fraction(test, m * m * size[k])))
        for j, (t, other) in enumerate(points):
            if i == j:
                continue
            if k == other:
                mass = Fraction(test * (test - 1), m * m * size[k] * (size[k] - 1))
            else:
                mass = Fraction(test * n0.get(other, 0), m * m * size[k] * size[other])
            atoms.append((min(s, t), mass))
    return atoms


def procp2(scores, bins, test_bins, alpha, representatives=None):
    """Threshold of (19) and (22) by all pairs."""
    atoms = procp2_atoms(scores, bins, test_bins, representatives)
    return quantile(atoms, 1 - as_fraction(alpha) ** 2)


def test_choices(bins, test_bins):
    """All choices of test positions inside bins, as sets of indices (B.4)."""
    n1, n0 = counts(bins), counts(test_bins)
    start, blocks = 0, []
    for k in sorted(n0):
        size = n1.get(k, 0) + n0[k]
        blocks.append(list(combinations(range(start, start + size), n0[k])))
        start += size
    return [sum(choice, ()) for choice in product(*blocks)]


test_choices.__test__ = False  # a function about test points, not a test


def _pooled(scores, bins, test_bins):
    """Scores with test points at infinity, laid out as :func:`test_choices` does."""
    n0, out = counts(test_bins), []
    for k in sorted(n0):
        out += [s for s, b in zip(scores, bins, strict=True) if b == k]
        out += [inf] * n0[k]
    return out


def kth_order(scores, bins, test_bins, alpha, order):
    """Smallest score with E[miss^K] <= alpha^K over all choices of test points."""
    alpha, m = as_fraction(alpha), len(test_bins)
    pooled, choices = _pooled(scores, bins, test_bins), test_choices(bins, test_bins)
    for t in sorted(s for s in scores if s < inf):
        missed = [sum(pooled[i] > t for i in choice) for choice in choices]
        moment = sum(Fraction(w, m) ** order for w in missed) / len(choices)
        if moment <= alpha**order:
            return t
    return inf


def pac(scores, bins, test_bins, alpha, delta):
    """Quantile of the order statistic over all choices of test points (B.4.2)."""
    alpha, delta, m = as_fraction(alpha), as_fraction(delta), len(test_bins)
    rank = -(-m * (1 - alpha) // 1)
    pooled, choices = _pooled(scores, bins, test_bins), test_choices(bins, test_bins)
    mass = Fraction(1, len(choices))
    values = [sorted(pooled[i] for i in choice)[int(rank) - 1] for choice in choices]
    return quantile([(v, mass) for v in values], 1 - delta)


def weighted(scores, weights, test_weight, alpha):
    """Weighted conformal quantile of one test point, as defined."""
    weights = [Fraction(float(w)) for w in weights]
    last = Fraction(float(test_weight))
    total = sum(weights) + last
    if total == 0:
        return inf
    atoms = [(s, w / total) for s, w in zip(scores, weights, strict=True)]
    return quantile([*atoms, (inf, last / total)], 1 - as_fraction(alpha))


def partitions(points):
    """All partitions of a list of labels into cells (as tuples, with repeats)."""
    if not points:
        yield []
        return
    first, rest = points[0], points[1:]
    for smaller in partitions(rest):
        for i, cell in enumerate(smaller):
            yield [*smaller[:i], (first, *cell), *smaller[i + 1 :]]
        yield [(first,), *smaller]


def cell_mass(cell, n_cal):
    """F of a cell given as a tuple of bin positions."""
    return sum(
        Fraction(u * u, u + int(n_cal[k])) for k, u in counts(cell).items()
    ) / len(cell)


def best_worst_mass(n_test, n_cal):
    """Optimum of (26) over all partitions."""
    points = [k for k, u in enumerate(n_test) for _ in range(u)]
    return min(max(cell_mass(c, n_cal) for c in p) for p in partitions(points))


def fewest_trivial(n_test, n_cal, alpha):
    """Optimum of (25) over all partitions."""
    points, alpha = (
        [k for k, u in enumerate(n_test) for _ in range(u)],
        as_fraction(alpha),
    )
    return min(
        sum(len(c) for c in p if cell_mass(c, n_cal) > alpha)
        for p in partitions(points)
    )
