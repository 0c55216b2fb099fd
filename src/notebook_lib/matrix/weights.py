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
    check_spread,
    check_test_groups,
    check_weights,
)
from .wallenius import exact_log_ratios, laplace_log_odds, laplace_scale

__all__ = ["ConformalizationWeights", "effective_sample_size"]

_BLOCK = 100_000  # entries of a (tests, groups) matrix held at once: fits a cache


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
    askable : ndarray of bool, shape (n_rows, n_cols)
        Missing cells, whatever their test weight.

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
        check_spread(w, "observation_weights")
        wstar = check_weights(test_weights, "test_weights", shape)
        groups = check_groups(groups, "groups", shape)
        if not observed[groups[..., 0], groups[..., 1]].all():
            raise ValueError(
                "groups must hold observed cells only: some are missing; take "
                "calibration groups from structured_split"
            )
        if (w[observed] == 0).any():
            raise ValueError(
                "observation_weights is 0 on an observed cell, which model (1) cannot "
                "draw: give every observed cell a positive weight"
            )
        self.method, self.groups, self.test_weights = method, groups, wstar
        self.group_size, self.n_groups = groups.shape[1], len(groups)
        missing = universe & ~observed
        self.missing = missing & (wstar > 0)
        self.askable = missing
        self._set_up_observation(w, observed, missing)
        self._set_up_test(wstar)
        self._set_up_split(observed.sum(axis=0))
        self._set_up_calibration()

    # ---------------------------------------------------------- set-up, once

    def _set_up_observation(self, w, observed, missing):
        self._w = w
        self._w_observed = w[observed]
        self._delta = float(w[missing].sum())
        first = self._w_observed[0]
        both = (self._w_observed == first).all() and (w[missing] == first).all()
        self.constant, self.scale = bool(both), np.nan
        if self._delta <= 0:
            raise ValueError(
                "observation_weights is 0 on every missing cell: give those that "
                "could have been observed a positive weight"
            )
        self._cal_w = self._cells(w, self.groups)
        if not self.constant and self.method == "laplace":
            self.scale = laplace_scale(self._w_observed, self._delta)

    def _set_up_test(self, wstar):
        k = self.group_size
        count = self.missing.sum(axis=0)
        column_mass = np.where(self.missing, wstar, 0.0).sum(axis=0)
        total = column_mass[count >= k].sum()
        if not (count >= k).any():
            raise ValueError(
                f"no column has {k} missing cells with positive test weight: no test "
                "group of this size exists; use smaller groups, or give more missing "
                "cells a weight above 0"
            )
        self._count, self._column_mass, self._total = count, column_mass, total
        self._cal_column = self.groups[:, 0, 1]
        cal = self._cells(wstar, self.groups)
        # Mass of the k-th cell and all after it, in the order drawn.
        self._cal_tail = np.cumsum(cal[:, ::-1], axis=1)[:, ::-1]
        self._cal_sum = self._cal_tail[:, 0]
        column = self._cal_column
        self._own = self._cal_sum + np.where(
            count[column] < k, column_mass[column], 0.0
        )
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

    def _set_up_calibration(self):
        """Everything that belongs to a calibration group alone, as one factor."""
        logs = self._cal_log + self._gives[self._cal_column]
        if not self.constant and self.method == "laplace":
            logs = logs + laplace_log_odds(self._cal_w, self.scale).sum(axis=1)
        possible = self._possible = np.isfinite(logs)
        self._top = logs[possible].max() if possible.any() else 0.0
        # A calibration group of test weight 0 is never a test group: weight 0.
        self._cal_factor = np.where(possible, np.exp(logs - self._top), 0.0)

    @property
    def uniform(self):
        """Whether all weights are 1 / (n + 1): single cells, constant weights."""
        stars = self.test_weights[self.askable]
        cal = self._cells(self.test_weights, self.groups)
        same = (stars == stars[0]).all() and (cal == stars[0]).all()
        return bool(self.group_size == 1 and self.constant and same)

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
        if check:
            tests = check_test_groups(tests, self.askable, self.test_weights)
        if tests.shape[1] != self.group_size:
            raise ValueError(
                f"tests are groups of {tests.shape[1]} cells, calibration groups of "
                f"{self.group_size}: give groups of {self.group_size}, or calibrate "
                f"with groups of {tests.shape[1]}"
            )
        column = tests[:, 0, 1]
        wstar, test_w = (
            self._cells(self.test_weights, tests),
            self._cells(self._w, tests),
        )
        tail = np.cumsum(wstar[:, ::-1], axis=1)[:, ::-1]
        out = np.empty((len(tests), self.n_groups + 1))
        body = out[:, :-1]
        self._first_cells(body, column, tail[:, 0])
        self._fix_same_column(body, column, tail[:, 0])
        # What belongs to the test group alone goes to the last entry of its row.
        last = np.log(wstar).sum(axis=1) - self._takes[column] - self._top
        last -= self._log_rest(tail, self._column_mass[column] - tail[:, 0])
        last += self._observation(body, test_w)
        if not self._possible.all():
            body[:, ~self._possible] = 0.0
        body *= self._cal_factor
        shrink = np.maximum(last, 0.0)
        body *= np.exp(-shrink)[:, None]
        # A test cell of weight 0 is never observed: its group can only be the test.
        out[:, -1] = np.exp(np.minimum(last, 0.0))
        out /= out.sum(axis=1, keepdims=True)
        return out

    def _first_cells(self, body, column, s):
        """``W / (W - s + s_i + u_i)``, as if no pair shared a column."""
        short = self._count[column] < 2 * self.group_size
        closed = np.where(short, self._column_mass[column] - s, 0.0)
        base = np.maximum(self._total - s - closed, 0.0)
        np.add(base[:, None], self._own[None, :], out=body)
        with np.errstate(divide="ignore"):
            np.divide(self._total, body, out=body)

    def _fix_same_column(self, body, column, s):
        """Recompute the pairs whose calibration group shares the test column."""
        start, stop = self._column_start[column], self._column_start[column + 1]
        pairs = stop - start
        j = np.repeat(np.arange(len(column)), pairs)
        if not len(j):
            return
        place = np.arange(len(j)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
        i = self._by_column[np.repeat(start, pairs) + place]
        first = np.maximum(self._total - s[j], 0.0) + self._cal_sum[i]
        mass, tail = self._column_mass[column[j]], self._cal_tail[i]
        with np.errstate(invalid="ignore"):
            rest = self._log_rest(tail, mass) - self._log_rest(tail, mass - s[j])
        split = self._gives[column[j]] + self._takes[column[j]]
        rest = np.where(np.isfinite(rest), rest, 0.0)
        with np.errstate(divide="ignore"):
            body[j, i] = self._total / first * np.exp(rest - split)

    def _observation(self, body, test_w):
        """Multiply the swaps in; return the log factor of the test group itself."""
        if self.constant:
            return np.zeros(len(test_w))
        if self.method == "laplace":
            kept = self._delta - test_w.sum(axis=1)
            body *= kept[:, None] + self._cal_w.sum(axis=1)
            body /= self._delta
            return laplace_log_odds(test_w, self.scale).sum(axis=1)
        possible, last = (test_w > 0).all(axis=1), np.full(len(test_w), np.inf)
        if possible.any():
            swap = exact_log_ratios(
                self._w_observed, self._delta, self._cal_w, test_w[possible]
            )
            top = swap.max(axis=1)
            body[possible] *= np.exp(swap - top[:, None])
            last[possible] = -top
        return last

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
        tests = check_test_groups(tests, self.askable, self.test_weights)
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
    weights = np.asarray(weights)
    return 1 / np.einsum("...i,...i->...", weights, weights)


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
