"""Conformalization weights: which group, of all those, is the test group?

Given the unordered calibration and test groups, the training cells and the pruned
cells, the test group is group ``i`` with probability ``p_i`` (Lemma 3 of Liang et al.
2024). Each ``p_i`` is proportional to a product of three factors: the probability of
the observed set with the swap undone, the probability that group ``i`` is drawn as
the test group, and the probability that the structured split gives the others.
"""

import warnings

import numpy as np

from ._checks import (
    SmallSampleWarning,
    check_groups,
    check_observed,
    check_test_groups,
    check_weights,
)
from .wallenius import exact_log_ratios, laplace_log_odds, laplace_scale

__all__ = ["ConformalizationWeights", "effective_sample_size"]

_BLOCK = 2_000_000  # entries of a (tests, groups) matrix held at once


class ConformalizationWeights:
    """Weights of calibration groups and test group for many test groups at once.

    Parameters
    ----------
    observed : ndarray of bool, shape (n_rows, n_cols)
        Observed cells, calibration groups included.
    groups : ndarray of int, shape (n, K, 2)
        Calibration groups of a structured split, in the order drawn.
    observation_weights : array_like, shape (n_rows, n_cols), optional
        Sampling weights ``w`` of model (1); ones if not given.
    test_weights : array_like, shape (n_rows, n_cols), optional
        Test weights ``w*``; ones if not given.
    universe : ndarray of bool, shape (n_rows, n_cols), optional
        Cells that exist at all; every sum and count is restricted to them. A cell
        outside is neither observed nor missing. All cells by default.
    method : {"laplace", "exact"}
        How to compute the probability of the observed set.

    Attributes
    ----------
    scale : float
        ``h`` of the Laplace approximation; NaN if the weights are constant (there
        the factor is exactly one) or the method is ``"exact"``.
    missing : ndarray of bool, shape (n_rows, n_cols)
        Missing cells with a positive test weight.

    Raises
    ------
    ValueError
        If shapes differ, weights are negative or not finite, an observed cell has
        sampling weight 0, or a calibration cell is not observed.

    Notes
    -----
    With ``W`` the test weight of the missing cells in columns that miss at least
    ``K``, ``W^c`` that of column ``c``, and ``s_i`` that of group ``i``, the second
    factor is, with the correction ``u_i`` of the appendix A4.3 that equations (13) and
    (14) leave out,

    .. math:: \\frac{w^*_{x_{i,1}}}{W - s + s_i + u_i}
              \\prod_{k=2}^K \\frac{w^*_{x_{i,k}}}{W^{c_i} +
              \\sum_{k' \\ge k} w^*_{x_{i,k'}} - 1[c_i = c_{n+1}] s}.

    After O(n_rows n_cols + nK) set-up, ``m`` test groups cost O(mn + mK) plus O(K)
    for each pair of groups in one column. All in logarithms.
    """

    def __init__(
        self,
        observed,
        groups,
        observation_weights=None,
        test_weights=None,
        *,
        universe=None,
        method="laplace",
    ):
        if method not in ("laplace", "exact"):
            raise ValueError(f"method must be 'laplace' or 'exact', got {method!r}")
        observed, universe = check_observed(observed, universe)
        shape = observed.shape
        w = check_weights(observation_weights, "observation_weights", shape)
        wstar = check_weights(test_weights, "test_weights", shape)
        groups = check_groups(groups, "groups", shape)
        if not observed[groups[..., 0], groups[..., 1]].all():
            raise ValueError("groups must hold observed cells only")
        if (w[observed] == 0).any():
            raise ValueError(
                "observation_weights is 0 on an observed cell, which model (1) "
                "cannot draw"
            )
        self.method, self.groups, self.test_weights = method, groups, wstar
        self.group_size, self.n_groups = groups.shape[1], len(groups)
        missing = universe & ~observed
        self.missing = missing & (wstar > 0)
        self._askable = missing
        self._set_up_observation(w, observed, missing)
        self._set_up_test(wstar)
        self._set_up_split(observed.sum(axis=0))

    # ---------------------------------------------------------- set-up, once

    def _set_up_observation(self, w, observed, missing):
        self._w = w
        self._w_observed = w[observed]
        self._delta = float(w[missing].sum())
        first = self._w_observed[0]
        both = (self._w_observed == first).all() and (w[missing] == first).all()
        self.constant, self.scale = bool(both), np.nan
        if self._delta <= 0:
            raise ValueError("observation_weights is 0 on every missing cell")
        self._cal_w = self._cells(w, self.groups)
        if not self.constant and self.method == "laplace":
            self.scale = laplace_scale(self._w_observed, self._delta)
            self._cal_odds = laplace_log_odds(self._cal_w, self.scale).sum(axis=1)

    def _set_up_test(self, wstar):
        k = self.group_size
        count = self.missing.sum(axis=0)
        column_mass = np.where(self.missing, wstar, 0.0).sum(axis=0)
        total = column_mass[count >= k].sum()
        if not (count >= k).any():
            raise ValueError(
                f"no column has {k} missing cells with positive test weight: no test "
                "group of this size exists"
            )
        self._count, self._column_mass, self._total = count, column_mass, total
        self._cal_column = self.groups[:, 0, 1]
        cal = self._cells(wstar, self.groups)
        # Mass of the k-th cell and all after it, in the order drawn.
        self._cal_tail = np.cumsum(cal[:, ::-1], axis=1)[:, ::-1]
        self._cal_sum = self._cal_tail[:, 0]
        column = self._cal_column
        self._reopened = np.where(count[column] < k, column_mass[column], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            self._cal_log = np.log(cal).sum(axis=1)
            self._cal_log -= self._log_rest(self._cal_tail, column_mass[column])
        self._by_column = np.argsort(column, kind="stable")
        self._column_start = np.searchsorted(
            column[self._by_column], np.arange(len(count) + 1)
        )

    @staticmethod
    def _log_rest(tail, mass):
        """``sum_{k >= 2} log(mass + tail_k)``, each term at least ``tail_k``."""
        rest = np.maximum(mass[:, None] + tail[:, 1:], tail[:, 1:])
        with np.errstate(divide="ignore"):
            return np.log(rest).sum(axis=1)

    def _set_up_split(self, n_obs):
        """Factor of Algorithm 2 as a table for each role that a column can play.

        The binomials and products of the paper collapse, with ``m = n mod K`` the
        same before and after a swap: the column that gives a group contributes
        ``n (n-1) .. (n-K+1) / (n - m)``, the one that takes it
        ``(n - m + K) / ((n+1) .. (n+K))``.
        """
        k = self.group_size
        kept = n_obs - n_obs % k
        # Only columns that hold a calibration group can give one away.
        giver = kept >= k
        n, m = np.where(giver, n_obs, k)[:, None], np.where(giver, kept, k)
        self._gives = np.log(n - np.arange(k)).sum(axis=1) - np.log(m)
        self._takes = np.log(kept + k)
        self._takes -= np.log(n_obs[:, None] + 1 + np.arange(k)).sum(axis=1)
        if k == 1:
            self._gives[:] = self._takes[:] = 0.0

    @staticmethod
    def _cells(matrix, groups):
        return matrix[groups[..., 0], groups[..., 1]]

    # ------------------------------------------------------- for test groups

    def matrix(self, tests, *, check=True):
        """Weights for each test group.

        Parameters
        ----------
        tests : ndarray of int, shape (m, K, 2)
            Test groups: missing cells of one column each.
        check : bool
            Whether to check `tests`.

        Returns
        -------
        ndarray, shape (m, n + 1)
            ``p_1 .. p_n`` of the calibration groups and ``p_{n+1}`` of the test
            group; each row adds up to one.

        Raises
        ------
        ValueError
            If a test group has another size, or could not have been drawn.
        """
        logs = self.log_matrix(tests, check=check)
        logs -= logs.max(axis=1, keepdims=True)
        np.exp(logs, out=logs)
        logs /= logs.sum(axis=1, keepdims=True)
        return logs

    def log_matrix(self, tests, *, check=True):
        """Unnormalised log weights, shape (m, n + 1); see :meth:`matrix`."""
        if check:
            tests = check_test_groups(tests, self._askable, self.test_weights)
        if tests.shape[1] != self.group_size:
            raise ValueError(
                f"tests are groups of {tests.shape[1]} cells, calibration groups of "
                f"{self.group_size}"
            )
        logs = np.empty((len(tests), self.n_groups + 1))
        column = tests[:, 0, 1]
        wstar = self._cells(self.test_weights, tests)
        tail = np.cumsum(wstar[:, ::-1], axis=1)[:, ::-1]
        self._fill_general(logs, tests, column, tail[:, 0])
        self._fix_same_column(logs, column, tail[:, 0])
        logs[:, -1] = np.log(wstar).sum(axis=1) - np.log(self._total)
        rest = self._column_mass[column] - tail[:, 0]
        logs[:, -1] -= self._log_rest(tail, rest)
        self._add_observation(logs, tests)
        return logs

    def _closed(self, column, s):
        """Mass that a test column loses when too few cells are left in it."""
        short = self._count[column] < 2 * self.group_size
        return np.where(short, self._column_mass[column] - s, 0.0)

    def _fill_general(self, logs, tests, column, s):
        """First cells and the split, as if no pair shared a column."""
        own = self._cal_sum + self._reopened
        base = self._total - s - self._closed(column, s)
        cal = self._cal_log + self._gives[self._cal_column]
        body = logs[:, :-1]
        np.add(base[:, None], own[None, :], out=body)
        # Rounding must not take away more than what the swapped-in cells bring.
        np.maximum(body, own[None, :], out=body)
        with np.errstate(divide="ignore", invalid="ignore"):
            np.log(body, out=body)
            np.subtract(cal[None, :], body, out=body)
        body += self._takes[column][:, None]
        body[:, ~np.isfinite(cal)] = -np.inf

    def _fix_same_column(self, logs, column, s):
        """Recompute the pairs whose calibration group shares the test column."""
        start, stop = self._column_start[column], self._column_start[column + 1]
        pairs = stop - start
        j = np.repeat(np.arange(len(column)), pairs)
        if not len(j):
            return
        place = np.arange(len(j)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
        i = self._by_column[np.repeat(start, pairs) + place]
        own = self._cal_sum[i]
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.log(np.maximum(self._total - s[j] + own, own))
            mass = self._column_mass[column[j]]
            rest = self._log_rest(self._cal_tail[i], mass - s[j])
            full = self._log_rest(self._cal_tail[i], mass)
            value = self._cal_log[i] + full - rest - first
        logs[j, i] = np.where(np.isfinite(self._cal_log[i]), value, -np.inf)

    def _add_observation(self, logs, tests):
        if self.constant:
            return
        test_w = self._cells(self._w, tests)
        if self.method == "exact":
            self._add_exact(logs, test_w)
            return
        total = test_w.sum(axis=1)
        test_odds = laplace_log_odds(test_w, self.scale).sum(axis=1)
        possible = np.isfinite(test_odds)
        shift = self._delta - total[:, None] + self._cal_w.sum(axis=1)[None, :]
        logs[:, :-1] += np.log(shift / self._delta) + self._cal_odds
        logs[:, -1] += np.where(possible, test_odds, 0.0)
        # A test cell that cannot be observed can only be in the test group.
        logs[~possible, :-1] = -np.inf

    def _add_exact(self, logs, test_w):
        possible = (test_w > 0).all(axis=1)
        logs[~possible, :-1] = -np.inf
        if possible.any():
            logs[possible, :-1] += exact_log_ratios(
                self._w_observed, self._delta, self._cal_w, test_w[possible]
            )

    def blocks(self, tests):
        """Yield ``(slice, weights)`` over blocks of test groups, to bound memory.

        Parameters
        ----------
        tests : ndarray of int, shape (m, K, 2)
            Test groups.

        Yields
        ------
        slice, ndarray
            Rows of `tests`, and their weights as :meth:`matrix` gives them.
        """
        tests = check_test_groups(tests, self._askable, self.test_weights)
        step = max(1, _BLOCK // (self.n_groups + 1))
        for start in range(0, len(tests), step):
            part = slice(start, start + step)
            yield part, self.matrix(tests[part], check=False)


def effective_sample_size(weights):
    """Effective number of groups behind each quantile, ``1 / sum_i p_i^2``.

    Parameters
    ----------
    weights : array_like, shape (m, n + 1)
        Normalised weights.

    Returns
    -------
    ndarray, shape (m,)
        Between 1 (one group decides) and ``n + 1`` (all count alike).
    """
    return 1 / np.square(np.asarray(weights)).sum(axis=-1)


def warn_small(n_groups, sizes, *, stacklevel=3):
    """Warn once if there are few groups, or few that carry weight."""
    low = int((np.asarray(sizes) < 20).sum())
    if low:
        message = (
            f"{low} of {len(sizes)} test groups rest on fewer than 20 effective "
            "calibration groups: the sampling or test weights differ too much"
        )
    elif n_groups < 100:
        message = f"only {n_groups} calibration groups: use 100 or more"
    else:
        return
    warnings.warn(message, SmallSampleWarning, stacklevel=stacklevel)
