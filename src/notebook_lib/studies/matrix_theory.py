"""Executable checks of chapter 2's lemmas: each returns the numbers that decide.

Exact enumerations and small deterministic experiments; chapter 2 shows the statement
and asserts on what these functions measure.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import numpy as np

from ..matrix import (
    ConformalizationWeights,
    sample_test_groups,
    structured_split,
)
from ..matrix.enumeration import (
    conditional_laws,
    joint_law,
    literal_weights,
    test_group_law,
)
from ..quantiles import weighted_quantile

# ---------------------------------------------------- quantiles: Lemmas 1, A5, 2


def quantile_inflation(rng, *, n_laws=200) -> dict:
    """Lemma 1 on all ordered triples of five values, under random laws.

    Returns
    -------
    dict
        ``lower``: least exact coverage minus the level; ``upper``: least slack of
        coverage at most the level plus the mean largest weight.
    """
    triples = np.array(list(itertools.permutations(range(5), 3)))
    values = rng.normal(size=5)
    last = values[triples[:, 2]]
    sets = defaultdict(list)
    for row, triple in enumerate(triples):
        sets[frozenset(triple.tolist())].append(row)
    lower, upper = np.inf, np.inf
    for _ in range(n_laws):
        f = rng.exponential(size=len(triples)) ** 2
        f /= f.sum()
        for beta in (0.3, 0.5, 0.8):
            coverage = largest = 0.0
            for rows in sets.values():
                mass = f[rows].sum()
                names = np.unique(triples[rows])
                p = np.array([f[r].sum() for r in _by_last(rows, triples, names)])
                p /= mass
                largest += mass * p.max()
                for row in rows:
                    own = names == triples[row, 2]
                    q = weighted_quantile(
                        values[names[~own]], p[~own], beta, mass_at_infinity=p[own][0]
                    )
                    coverage += f[row] * (last[row] <= q)
            lower = min(lower, coverage - beta)
            upper = min(upper, beta + largest - coverage)
    return {"lower": lower, "upper": upper}


def _by_last(rows, triples, names):
    rows = np.array(rows)
    return [rows[triples[rows, 2] == name] for name in names]


def atom_at_infinity(rng, *, n_cases=10_000) -> int:
    """Lemma A5: cases in which moving the test atom to infinity changes the event."""
    mismatches = 0
    for case in range(n_cases):
        n = int(rng.integers(2, 7))
        p = rng.dirichlet(np.ones(n))
        v = rng.integers(0, 3, n).astype(float) if case % 2 else rng.normal(size=n)
        beta = rng.uniform(0.02, 0.98)
        whole = weighted_quantile(v, p, beta)
        moved = weighted_quantile(v[:-1], p[:-1], beta, mass_at_infinity=p[-1])
        mismatches += (v[-1] <= whole) != (v[-1] <= moved)
    return mismatches


def simplified_weights(rng, *, n_laws=50) -> float:
    """Lemma 2: largest gap between permutation sums and the ratio of hbar."""
    worst = 0.0
    for _ in range(n_laws):
        hbar = rng.exponential(size=5)  # hbar({others}, last): the set is fixed
        g = rng.exponential()
        sums = np.zeros(5)
        for sigma in itertools.permutations(range(5)):
            sums[sigma[-1]] += g * hbar[sigma[-1]]
        worst = max(worst, np.abs(sums / sums.sum() - hbar / hbar.sum()).max())
    return worst


# --------------------------------------------------- the weights, by enumeration


def enumeration_gap(
    case, rng, *, constant=False, zeros=(), count_zeros=False, correct=True, every=1
) -> dict:
    """Largest gap between weights and the enumerated law on a tiny matrix.

    Parameters
    ----------
    case : tuple
        ``(n_rows, n_cols, n_obs, K, n)``; ``n`` may be ``"all"`` for xi_obs.
    rng : numpy.random.Generator
        Draws the weights.
    constant : bool
        Weights of one; the Laplace form is then exact and is the one checked.
    zeros : tuple of cells
        Cells of test weight 0.
    count_zeros : bool
        Count those cells as missing all the same, as the authors' weights do.
    correct : bool
        False checks equations (13) and (14) as printed.
    every : int
        Compare every so many conditional laws only.

    Returns
    -------
    dict
        ``gap`` and the number of conditional ``laws``.
    """
    rows, columns, n_obs, k, n = case
    shape = (rows, columns)
    n = all_feasible(k) if n == "all" else n
    w, star = np.ones((2, *shape)) if constant else rng.uniform(0.05, 3, (2, *shape))
    star = star.copy()
    for cell in zeros:
        star[cell] = 0.0
    laws, example = conditional_laws(shape, n_obs, k, n, w, star)
    told = np.where(star == 0, 1e-14, star) if count_zeros else star
    gap = 0.0
    for key in list(laws)[::every]:
        law = laws[key]
        test = next(iter(law))
        cells, groups = example[key, test]
        observed = np.zeros(shape, dtype=bool)
        observed[tuple(np.transpose(cells))] = True
        if correct:
            method = "laplace" if constant else "exact"
            weights = ConformalizationWeights(
                observed, np.array(groups), w, told, method=method
            )
            p = weights.matrix(np.array([test]))[0]
        else:
            p = literal_weights(observed, groups, test, w, star, correct=False)
        want = [law.get(group, 0.0) for group in (*groups, test)]
        gap = max(gap, np.abs(p - want).max())
    return {"gap": gap, "laws": len(list(laws)[::every])}


def all_feasible(k):
    """``n = xi_obs`` as a function of the observed cells."""

    def xi(cells):
        return sum(count // k for count in Counter(c for _, c in cells).values())

    return xi


def swap_keeps_xi(rng, *, size=60, k=2, n_groups=200) -> int:
    """How many swaps of a calibration and a test group change ``xi_obs``.

    Every calibration group with one test group, on a random mask.
    """
    observed = rng.random((size, size)) < rng.uniform(0.1, 0.6, size)
    groups = structured_split(observed, k, n_groups, rng).groups
    test = sample_test_groups(~observed, k, 1, rng)[0]
    before, changed = (observed.sum(axis=0) // k).sum(), 0
    for group in groups:
        swapped = observed.copy()
        swapped[tuple(group.T)] = False
        swapped[tuple(test.T)] = True
        changed += (swapped.sum(axis=0) // k).sum() != before
    return int(changed)


def conditional_coverage(case, alpha, rng, *, wrong=False) -> dict:
    """Exact coverage given (train, pruned) for fixed scores, by enumeration.

    Returns
    -------
    dict
        ``slack``: least coverage minus ``1 - alpha`` minus, if the weights are
        `wrong` (a fixed random matrix in the place of ``w``), the mean distance of
        Theorem 3; ``over``: largest excess over the bound of Theorem 2;
        ``distance``: mean distance.
    """
    rows, columns, n_obs, k, n = case
    shape = (rows, columns)
    w, star = rng.uniform(0.05, 3, (2, *shape))
    guess = rng.uniform(0.05, 3, shape) if wrong else w
    score = defaultdict(rng.random)
    laws, example = conditional_laws(shape, n_obs, k, n, w, star)
    mass = _key_masses(shape, n_obs, k, n, w, star)
    events = defaultdict(lambda: np.zeros(4))
    for key, law in laws.items():
        groups = sorted(key[2])
        values = np.array([score[g] for g in groups])
        p = np.array([law.get(g, 0.0) for g in groups])
        q = p
        if wrong:
            cells, ordered = example[key, next(iter(law))]
            q = _guessed(shape, cells, ordered, next(iter(law)), guess, star, groups)
        covered = 0.0
        for i, own in enumerate(groups):
            if own in law:
                rest = np.arange(len(groups)) != i
                tau = weighted_quantile(
                    values[rest], q[rest], 1 - alpha, mass_at_infinity=q[i]
                )
                covered += law[own] * (values[i] <= tau)
        gap = 0.5 * np.abs(p - q).sum()
        event = events[key[0], key[1]]
        event += mass[key] * np.array([1, covered, gap, p.max()])
    table = np.array(list(events.values()))
    total, coverage, distance, largest = table[:, 0], *(table[:, 1:].T / table[:, 0])
    return {
        "slack": (coverage - (1 - alpha) + distance).min(),
        "over": (coverage - (1 - alpha) - largest).max(),
        "coverage": coverage.min(),
        "distance": float((total * distance).sum() / total.sum()),
        "events": len(table),
    }


def _guessed(shape, cells, groups, test, w, star, order):
    """Weights under a guessed w, in the order of `order`."""
    observed = np.zeros(shape, dtype=bool)
    observed[tuple(np.transpose(cells))] = True
    p = literal_weights(observed, groups, test, w, star)
    named = dict(zip((*groups, test), p, strict=True))
    return np.array([named[g] for g in order])


def _key_masses(shape, n_obs, k, n, w, star):
    mass = defaultdict(float)
    for observed, pruned, groups, test, p in joint_law(shape, n_obs, k, n, w, star):
        used = {x for group in groups for x in group}
        mass[frozenset(observed) - used, pruned, frozenset([*groups, test])] += p
    return mass


def marginal_of_test_cells(rng, *, constant) -> float:
    """Remark on A1.3: largest deviation of a test cell's law from its weight.

    All six missing cells of a 4 x 3 mask with two in each column; for constant test
    weights every cell of the group is uniform on them.
    """
    missing = [(r, c) for c in range(3) for r in ((0, 1, 2) if c else (0, 3))]
    star = np.ones((4, 3)) if constant else rng.uniform(0.1, 3, (4, 3))
    law = test_group_law(missing, 2, star)
    total = sum(star[x] for x in missing)
    worst = 0.0
    for k in range(2):
        found = Counter()
        for group, p in law.items():
            found[group[k]] += p
        worst = max(worst, *(abs(found[x] - star[x] / total) for x in missing))
    return worst


def adversarial_estimate(rng, *, n=99, draws=20_000) -> dict:
    """Trap E10: an estimate that looks at which cell is the test cell.

    Scores are exchangeable and the right weights are equal. The estimate moves a
    tenth of the weight away from the largest calibration score whenever the test
    score beats it, a look at the data that Theorem 3 must exclude.

    Returns
    -------
    dict
        ``coverage`` and the ``bound`` ``1 - alpha - E[distance]`` at alpha = 0.1.
    """
    ranks = rng.random((draws, n + 1)).argsort(axis=1).argsort(axis=1)[:, -1]
    # Test rank r (0 .. n); the weights shift only if r is in the band below.
    band = (ranks >= int(0.8 * (n + 1))) & (ranks < int(0.9 * (n + 1)))
    shift = band * 11 / (n + 1)
    level = 0.9 - shift  # the lowest scores carry `shift` more weight
    threshold = np.ceil(level * (n + 1) - 1e-9) - 1
    coverage = (ranks <= threshold).mean()
    return {"coverage": coverage, "bound": 0.9 - shift.mean()}
