"""The law of Algorithm 1's groups by full enumeration, for tiny matrices.

Written straight from the definitions, with loops: the yardstick for the fast weights,
in the tests and on the page. Cells are ``(row, column)`` tuples.
"""

import itertools
import math
from collections import defaultdict

import numpy as np

__all__ = [
    "conditional_laws",
    "joint_law",
    "literal_weights",
    "set_probability",
    "split_law",
    "test_group_law",
]


def set_probability(cells, weights, total):
    """Probability that the unordered `cells` are drawn first (model 1).

    Parameters
    ----------
    cells : iterable
        Cells, as keys of `weights`.
    weights : mapping or ndarray
        Sampling weight of each cell.
    total : float
        Sum of the weights of all cells.

    Returns
    -------
    float
        Sum over all orders of the sequential probabilities, by dynamic programming
        over subsets: the last drawn cell of a subset has the others before it.
    """
    cells = list(cells)
    w = [weights[x] for x in cells]
    n = len(cells)
    prob = [0.0] * (1 << n)
    prob[0] = 1.0
    for subset in range(1, 1 << n):
        for last in range(n):
            if subset >> last & 1:
                before = subset ^ (1 << last)
                used = sum(w[i] for i in range(n) if before >> i & 1)
                prob[subset] += prob[before] * w[last] / (total - used)
    return prob[-1]


def test_group_law(missing, group_size, wstar):
    """All ordered test groups with their probabilities (models 2, 3 and A36).

    Parameters
    ----------
    missing : iterable of tuple
        Missing cells.
    group_size : int
        ``K``.
    wstar : mapping or ndarray
        Test weight of each cell.

    Returns
    -------
    dict
        Ordered group -> probability.
    """
    columns = defaultdict(list)
    for r, c in missing:
        if wstar[r, c] > 0:
            columns[c].append((r, c))
    columns = {c: x for c, x in columns.items() if len(x) >= group_size}
    total = sum(wstar[x] for cells in columns.values() for x in cells)
    law = {}
    for cells in columns.values():
        for group in itertools.permutations(cells, group_size):
            p, left = wstar[group[0]] / total, sum(wstar[x] for x in cells)
            left -= wstar[group[0]]
            for x in group[1:]:
                p *= wstar[x] / left
                left -= wstar[x]
            law[group] = p
    return law


def split_law(observed, group_size, n_groups):
    """All outcomes of Algorithm 2 with their probabilities.

    Parameters
    ----------
    observed : iterable of tuple
        Observed cells.
    group_size, n_groups : int
        ``K`` and ``n``.

    Yields
    ------
    pruned : frozenset
        Pruned cells.
    groups : tuple
        Ordered calibration groups.
    probability : float
    """
    columns = defaultdict(list)
    for r, c in observed:
        columns[c].append((r, c))
    choices = [
        list(itertools.combinations(cells, len(cells) % group_size))
        for cells in columns.values()
    ]
    share = 1 / math.prod(len(choice) for choice in choices)
    for pruned in itertools.product(*choices):
        pruned = frozenset(x for part in pruned for x in part)
        left = frozenset(observed) - pruned
        for groups, p in _group_sequences(left, group_size, n_groups):
            yield pruned, groups, share * p


def _group_sequences(left, group_size, n_groups):
    if n_groups == 0:
        yield (), 1.0
        return
    ones = defaultdict(lambda: 1.0)
    law = test_group_law(left, group_size, ones)
    for group, p in law.items():
        rest = left - frozenset(group)
        for groups, q in _group_sequences(rest, group_size, n_groups - 1):
            yield (group, *groups), p * q


def joint_law(shape, n_obs, group_size, n_groups, w, wstar):
    """Every outcome of sampling, splitting and asking, with its probability.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    n_obs, group_size : int
        Observed cells and ``K``.
    n_groups : int or callable
        ``n``, or a function of the tuple of observed cells.
    w, wstar : ndarray, shape `shape`
        Sampling and test weights.

    Yields
    ------
    observed, pruned, groups, test, probability
        One outcome; the probabilities add up to one.
    """
    cells = list(itertools.product(range(shape[0]), range(shape[1])))
    total = sum(w[x] for x in cells)
    for observed in itertools.combinations(cells, n_obs):
        p_observed = set_probability(observed, w, total)
        missing = [x for x in cells if x not in observed]
        tests = test_group_law(missing, group_size, wstar)
        n = n_groups(observed) if callable(n_groups) else n_groups
        for pruned, groups, p_split in split_law(observed, group_size, n):
            for test, p_test in tests.items():
                yield observed, pruned, groups, test, p_observed * p_split * p_test


def conditional_laws(shape, n_obs, group_size, n_groups, w, wstar):
    """Law of the test group given (train, pruned, unordered set of all groups).

    Parameters
    ----------
    shape, n_obs, group_size, n_groups, w, wstar
        As in :func:`joint_law`.

    Returns
    -------
    laws : dict
        Key -> {test group: probability}.
    example : dict
        ``(key, test group)`` -> one outcome ``(observed, groups)`` behind it.
    """
    mass, example = defaultdict(lambda: defaultdict(float)), {}
    for observed, pruned, groups, test, p in joint_law(
        shape, n_obs, group_size, n_groups, w, wstar
    ):
        used = {x for group in groups for x in group}
        train = frozenset(observed) - used
        key = (train, pruned, frozenset([*groups, test]))
        mass[key][test] += p
        example[key, test] = (observed, groups)
    laws = {}
    for key, tests in mass.items():
        total = sum(tests.values())
        laws[key] = {test: p / total for test, p in tests.items()}
    return laws, example


def literal_weights(observed, groups, test, w, wstar, h=None, correct=True):
    """``p_1 .. p_{n+1}`` by formula (12) for one test group, one term at a time.

    Parameters
    ----------
    observed : ndarray of bool, shape (n_rows, n_cols)
        Observed cells.
    groups : sequence
        Calibration groups, sequences of ``(row, column)``.
    test : sequence
        Test group.
    w, wstar : ndarray, shape (n_rows, n_cols)
        Sampling and test weights.
    h : float, optional
        Laplace scale; None takes exact set probabilities (tiny matrices only).
    correct : bool
        False leaves out ``u_i``, as the text's (13) and (14) do.

    Returns
    -------
    ndarray, shape (n + 1,)
        Normalised weights.
    """
    values = [
        _observation(observed, group, test, w, h)
        * _draw(observed, group, test, wstar, correct)
        * _split(observed, group, test)
        for group in [*groups, test]
    ]
    return np.array(values) / sum(values)


def _observation(observed, group, test, w, h):
    if h is None:
        cells = {tuple(x) for x in np.argwhere(observed)}
        swapped = (cells - {tuple(x) for x in group}) | {tuple(x) for x in test}
        if set(map(tuple, group)) == set(map(tuple, test)):
            swapped = cells
        return set_probability(sorted(swapped), w, w.sum())
    delta = w[~observed].sum()
    d = sum(w[tuple(x)] for x in group) - sum(w[tuple(x)] for x in test)
    value = (delta + d) / delta * 0.5 ** (h * d)
    for x, y in zip(group, test, strict=True):
        value *= (1 - 0.5 ** (h * w[tuple(y)])) / (1 - 0.5 ** (h * w[tuple(x)]))
    return value


def _draw(observed, group, test, wstar, correct):
    k = len(test)
    open_cells = ~observed & (wstar > 0)
    count = open_cells.sum(axis=0)
    mass = np.where(open_cells, wstar, 0).sum(axis=0)
    total = mass[count >= k].sum()
    a, b = group[0][1], test[0][1]
    star = [wstar[tuple(x)] for x in group]
    s = sum(wstar[tuple(x)] for x in test)
    u = 0.0
    if correct and a != b:
        u = (count[a] < k) * mass[a] - (count[b] < 2 * k) * (mass[b] - s)
    value = star[0] / (total - s + sum(star) + u)
    for j in range(1, k):
        value *= star[j] / (mass[a] + sum(star[j:]) - (a == b) * s)
    return value


def _split(observed, group, test):
    k, n = len(test), observed.sum(axis=0)
    a, b = group[0][1], test[0][1]
    if a == b or k == 1:
        return 1.0
    na, nb = int(n[a]), int(n[b])
    ka, kb = na - na % k, nb - nb % k
    value = math.comb(na, ka) / math.comb(na - k, ka - k)
    value *= math.comb(nb, kb) / math.comb(nb + k, kb + k)
    for j in range(1, k):
        value *= (ka - j) / (kb + k - j)
    return value
