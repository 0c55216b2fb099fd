"""Chapter 2 from the definitions: literal loops, no cleverness.

The enumeration of the law and the literal weights are part of the library, because
the page shows them; they are as naive as the rest of this file.
"""

import math

import numpy as np

from notebook_lib.matrix.enumeration import (
    conditional_laws,
    joint_law,
    literal_weights,
    set_probability,
    split_law,
    test_group_law,
)

__all__ = [
    "als",
    "best_slab",
    "conditional_laws",
    "individual_threshold",
    "joint_law",
    "literal_weights",
    "scmc_threshold",
    "set_probability",
    "split_law",
    "test_group_law",
    "weighted_quantile",
]


# ------------------------------------------------------------------ the algorithms


def weighted_quantile(scores, p, level):
    """First score whose cumulative mass reaches the level; the rest is at infinity."""
    mass = 0.0
    for s, q in sorted(zip(scores, p, strict=False)):
        mass += q
        if mass >= level - 1e-12:
            return s
    return math.inf


def scmc_threshold(values, fitted, observed, groups, test, w, wstar, alpha, h=None):
    """Algorithm 1 for one test group: weights, scores, quantile."""
    p = literal_weights(observed, groups, test, w, wstar, h)
    scores = [
        max(abs(values[tuple(x)] - fitted[tuple(x)]) for x in group) for group in groups
    ]
    return weighted_quantile(scores, p[:-1], 1 - alpha)


def als(M, train, rank, ridge, U, V, sweeps, first="rows"):
    """Alternating ridge regressions, one row and one column at a time.

    ``first`` says which of the two each sweep begins with.
    """
    U, V = U.copy(), V.copy()

    def rows():
        for r in range(len(U)):
            A, y = V[train[r]], M[r, train[r]]
            U[r] = np.linalg.solve(A.T @ A + ridge * np.eye(rank), A.T @ y)

    def columns():
        for c in range(len(V)):
            A, y = U[train[:, c]], M[train[:, c], c]
            V[c] = np.linalg.solve(A.T @ A + ridge * np.eye(rank), A.T @ y)

    order = (rows, columns) if first == "rows" else (columns, rows)
    for _ in range(sweeps):
        for half in order:
            half()
    return U @ V.T


def individual_threshold(scores, probability, test_probability, alpha):
    """Gui et al. (2023): odds of being missing as weights."""
    odds = [(1 - p) / p for p in [*probability, test_probability]]
    total = sum(odds)
    return weighted_quantile(scores, [r / total for r in odds[:-1]], 1 - alpha)


def best_slab(z, residuals, least):
    """Window of sorted `z` with at least `least` points and the largest mean."""
    order = np.argsort(z, kind="stable")
    e, n = np.asarray(residuals)[order], len(z)
    best = max((e[i:j].mean(), i, j) for i in range(n) for j in range(i + least, n + 1))
    return best[0]
