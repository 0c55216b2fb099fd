"""Joint regions for groups of missing entries: SCMC.

:func:`calibrate` does the structured split, the completion and the weights;
:meth:`Calibration.regions` turns them into a joint region for each test group
(Algorithm 1 of Liang et al. 2024).
"""

from dataclasses import dataclass

import numpy as np

from .._validation import check_alpha, check_rng
from ..exceptions import warn_infinite
from ..quantiles import (
    as_fraction,
    conformal_quantile,
)
from ._checks import (
    check_matrix,
    check_observed,
    check_size,
    check_test_groups,
)
from .completion import completed
from .rules import HyperCube
from .sampling import default_calibration_size, structured_split
from .weights import ConformalizationWeights, effective_sample_size, warn_small

__all__ = [
    "Calibration",
    "GroupRegions",
    "calibrate",
    "scmc",
]


@dataclass(frozen=True)
class GroupRegions:
    """Joint regions of test groups.

    Attributes
    ----------
    prediction : ndarray, shape (m, K)
        Completed entries.
    lower, upper : ndarray, shape (m, K)
        Ends of the interval of each entry.
    threshold : ndarray, shape (m,) or (m, K)
        ``tau_hat``, one for each cell where cells were treated alone.
    is_infinite : ndarray of bool, shape (m,)
        Whether the level demands the whole space. True also where ``infinite="max"``
        has put a finite region in its place.
    effective_size : ndarray, shape (m,) or (m, K)
        ``1 / sum p_i^2``.
    rule : object
        The prediction rule, which decides membership.
    """

    prediction: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    threshold: np.ndarray
    is_infinite: np.ndarray
    effective_size: np.ndarray
    rule: object

    def covers(self, values):
        """Whether each joint region holds all the entries of its group.

        Parameters
        ----------
        values : array_like, shape (m, K)
            True entries.

        Returns
        -------
        ndarray of bool, shape (m,)
            Covered if the score is at most the threshold; regions are closed.
        """
        values = np.asarray(values, dtype=float)
        if self.threshold.ndim == 1:
            return self.rule.score(values, self.prediction) <= self.threshold
        each = self.rule.score(values[..., None], self.prediction[..., None])
        return (each <= self.threshold).all(axis=1)

    def width(self):
        """Length of the interval of each entry, shape (m, K)."""
        return self.upper - self.lower


@dataclass(frozen=True)
class Calibration:
    """A structured split with its completion, scores and weights.

    Attributes
    ----------
    fitted : ndarray, shape (n_rows, n_cols)
        Completed matrix.
    scores : ndarray, shape (n,)
        Scores of the calibration groups.
    weights : ConformalizationWeights
        Weights for any test group.
    rule : object
        Prediction rule, such as :class:`~notebook_lib.matrix.rules.HyperCube`.
    """

    fitted: np.ndarray
    scores: np.ndarray
    weights: ConformalizationWeights
    rule: object

    @classmethod
    def from_groups(
        cls,
        M,
        observed,
        groups,
        fitted,
        observation_weights=None,
        test_weights=None,
        *,
        universe=None,
        rule=None,
        method="laplace",
    ):
        """Calibrate with groups and a completion that are already there.

        Parameters
        ----------
        M, fitted : ndarray, shape (n_rows, n_cols)
            Values, and their completion from the training cells.
        observed : ndarray of bool, shape (n_rows, n_cols)
            Observed cells.
        groups : ndarray of int, shape (n, K, 2)
            Calibration groups of a structured split.
        observation_weights, test_weights, universe, rule, method
            As in :func:`calibrate`.

        Returns
        -------
        Calibration
            With the groups sorted by score.
        """
        rule = HyperCube() if rule is None else rule
        scores = rule.score(_at(M, groups), _at(fitted, groups))
        order = np.argsort(scores, kind="stable")
        weights = ConformalizationWeights(
            observed,
            groups[order],
            observation_weights,
            test_weights,
            universe=universe,
            method=method,
        )
        return cls(fitted, scores[order], weights, rule)

    def thresholds(self, tests, alpha):
        """Weighted conformal quantile for each test group.

        Parameters
        ----------
        tests : ndarray of int, shape (m, K, 2)
            Test groups.
        alpha : float or sequence of float, length L
            Miscoverage level(s); the weights are computed once for all of them.

        Returns
        -------
        thresholds : ndarray, shape (m,) or (m, L)
            ``tau_hat``, ``inf`` where ``p_{n+1} > alpha``.
        effective_size : ndarray, shape (m,)
            ``1 / sum p_i^2``.
        """
        levels = check_alpha(alpha)
        tests = np.asarray(tests)
        if self.weights.uniform:
            check_test_groups(tests, self.weights.askable, self.weights.test_weights)
            tau = np.tile(conformal_quantile(self.scores, levels), (len(tests), 1))
            size = np.full(len(tests), self.weights.n_groups + 1.0)
        else:
            tau, size = self._weighted(tests, levels)
        return (tau if np.ndim(alpha) else tau[:, 0]), size

    def _weighted(self, tests, levels):
        shares = [float(1 - as_fraction(level)) for level in levels]
        tau, size = np.empty((len(tests), len(levels))), np.empty(len(tests))
        order = np.argsort(self.scores, kind="stable")
        sorted_already = (order[1:] > order[:-1]).all()
        atoms = np.append(self.scores[order], np.inf)
        for part, p in self.weights.blocks(tests):
            size[part] = effective_sample_size(p)
            mass = p[:, :-1] if sorted_already else p[:, order]
            np.cumsum(mass, axis=1, out=mass)
            # As in quantiles.weighted_quantile, with one sum for all the levels.
            at = [np.searchsorted(row, np.subtract(shares, 1e-12)) for row in mass]
            tau[part] = atoms[np.array(at)]
        return tau, size

    def regions(self, tests, alpha=0.1, *, infinite="inf", warn=True):
        """Joint region of each test group (Algorithm 1, last steps).

        Parameters
        ----------
        tests : ndarray of int, shape (m, K, 2)
            Test groups, of the size that was calibrated.
        alpha : float
            Miscoverage level in (0, 1).
        infinite : {"inf", "max"}
            What to do where the level demands an infinite region: leave it so, or put
            the largest calibration score there, as the paper's figures do, which gives
            up the guarantee.
        warn : bool
            Whether to warn about infinite regions and small samples.

        Returns
        -------
        GroupRegions
            Regions.

        Raises
        ------
        ValueError
            If the level or a test group is not allowed.
        """
        alpha = one_level(alpha)
        tau, size = self.thresholds(tests, alpha)
        tau, is_infinite = self._finish(tau, size, infinite, warn)
        prediction = _at(self.fitted, np.asarray(tests))
        lower, upper = self.rule.bounds(prediction, tau)
        return GroupRegions(prediction, lower, upper, tau, is_infinite, size, self.rule)

    def cell_regions(self, tests, alpha=0.1, *, infinite="inf", warn=True):
        """Each cell of a test group treated alone, from groups of one cell.

        Parameters
        ----------
        tests : ndarray of int, shape (m, K, 2)
            Test groups of any size; the calibration must be of size one.
        alpha : float or sequence of float
            Miscoverage level(s) of a cell; give ``alpha / K`` for Bonferroni.
        infinite, warn
            As in :meth:`regions`.

        Returns
        -------
        GroupRegions or list of GroupRegions
            Regions with one threshold for each cell; one for each level if `alpha`
            is a sequence.
        """
        levels, tests = check_alpha(alpha), np.asarray(tests)
        m, k = tests.shape[:2]
        taus, size = self.thresholds(tests.reshape(m * k, 1, 2), list(levels))
        prediction = _at(self.fitted, tests)
        regions = []
        for tau in taus.T:
            tau, is_infinite = self._finish(tau, size, infinite, warn)
            lower, upper = self.rule.bounds(prediction.reshape(-1, 1), tau)
            regions.append(
                GroupRegions(
                    prediction,
                    lower.reshape(m, k),
                    upper.reshape(m, k),
                    tau.reshape(m, k),
                    is_infinite.reshape(m, k).any(axis=1),
                    size.reshape(m, k),
                    self.rule,
                )
            )
        return regions if np.ndim(alpha) else regions[0]

    def _finish(self, tau, size, infinite, warn):
        if infinite not in ("inf", "max"):
            raise ValueError(f"infinite must be 'inf' or 'max', got {infinite!r}")
        is_infinite = np.isinf(tau)
        if warn:
            warn_small(self.weights.n_groups, size, stacklevel=4)
            warn_infinite(
                int(is_infinite.sum()),
                len(tau),
                "the weight of the test group exceeds alpha; use more calibration "
                "groups, a larger alpha, or weights that differ less",
                stacklevel=4,
            )
        if infinite == "max":
            tau = np.where(is_infinite, self.scores.max(), tau)
        return tau, is_infinite


def one_level(alpha):
    """Return one checked level; refuse a list of them."""
    levels = check_alpha(alpha)
    if len(levels) > 1:
        raise ValueError(f"alpha holds {len(levels)} levels: give one alpha a call")
    return levels[0]


def _at(matrix, groups):
    return matrix[groups[..., 0], groups[..., 1]]


def calibrate(
    M,
    observed,
    group_size,
    completion,
    rng,
    *,
    n_groups=None,
    observation_weights=None,
    test_weights=None,
    universe=None,
    rule=None,
    method="laplace",
):
    """Structured split, completion, scores and weights (Algorithm 1, first steps).

    Parameters
    ----------
    M : array_like, shape (n_rows, n_cols)
        Values; NaN where missing is normal.
    observed : array_like of bool, shape (n_rows, n_cols)
        Observed cells.
    group_size : int
        Cells in a group, ``K``.
    completion : object
        With ``fit(M, observed)`` and ``predict()``.
    rng : numpy.random.Generator or int
        Source of randomness of the split.
    n_groups : int, optional
        Calibration groups; by default ``min(1000, xi_obs // 2)``.
    observation_weights, test_weights : array_like, shape (n_rows, n_cols), optional
        ``w`` and ``w*``; ones if not given.
    universe : array_like of bool, shape (n_rows, n_cols), optional
        Cells that exist at all.
    rule : object, optional
        Prediction rule; a hyper-cube by default.
    method : {"laplace", "exact"}
        How to compute the probability of the observed set.

    Returns
    -------
    Calibration
        Ready for test groups.

    Raises
    ------
    ValueError
        See the checks of each part; the message names the argument.
    """
    observed, universe = check_observed(observed, universe)
    M = check_matrix(M, observed)
    group_size = check_size(group_size, "group_size", observed.shape[0])
    if n_groups is None:
        n_groups = max(1, default_calibration_size(observed, group_size))
    split = structured_split(observed, group_size, n_groups, check_rng(rng))
    if not split.train.any():
        raise ValueError(
            f"n_groups={n_groups} leaves no cell to train on: use fewer groups"
        )
    fitted = completed(completion, M, split.train)
    return Calibration.from_groups(
        M,
        observed,
        split.groups,
        fitted,
        observation_weights,
        test_weights,
        universe=universe,
        rule=rule,
        method=method,
    )


def scmc(M, observed, tests, completion, rng, *, alpha=0.1, infinite="inf", **options):
    """Structured conformal inference for matrix completion (Algorithm 1).

    Parameters
    ----------
    M, observed, completion, rng, **options
        As in :func:`calibrate`.
    tests : array_like of int, shape (m, K, 2)
        Test groups: ``K`` missing cells of one column each.
    alpha : float
        Miscoverage level in (0, 1).
    infinite : {"inf", "max"}
        As in :meth:`Calibration.regions`.

    Returns
    -------
    GroupRegions
        Joint regions: each holds all ``K`` entries with probability ``1 - alpha``.
    """
    one_level(alpha)
    tests = np.asarray(tests)
    size = tests.shape[1] if tests.ndim == 3 else 1
    calibration = calibrate(M, observed, size, completion, rng, **options)
    return calibration.regions(tests, alpha, infinite=infinite)
