"""The three verbs for matrix completion: fit, conformalize, predict_interval."""

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from .._validation import check_alpha, check_rng
from ..exceptions import warn_infinite
from ._checks import check_groups, check_matrix, check_observed, check_size
from .completion import ALS, completed
from .rules import clip_to_range
from .sampling import (
    default_calibration_size,
    max_calibration_groups,
    structured_split,
)
from .scmc import Calibration
from .weights import warn_small

__all__ = ["StructuredConformalCompletion"]


class StructuredConformalCompletion(BaseEstimator):
    """Joint intervals for groups of missing entries of a matrix.

    Parameters
    ----------
    completion : object, optional
        Matrix completion with ``fit(M, observed)`` and ``predict()``;
        :class:`~notebook_lib.matrix.ALS` by default. A clone is fitted, a deep copy
        if the object is no scikit-learn estimator.
    group_size : int
        Entries in a group, ``K``.
    alpha : float or sequence of float
        Miscoverage level(s) of the whole group.
    n_groups : int, optional
        Calibration groups; by default ``min(1000, xi_obs // 2)``.
    axis : {"column", "row"}
        Where a group lives. ``"column"``: several users, one product. ``"row"``: one
        user, a bundle of products; the matrix is transposed inside.
    rule : object, optional
        Prediction rule; a hyper-cube by default.
    bounds : tuple of float, optional
        Known range of the entries, such as ``(1, 5)``; both ends are clipped to it.
    infinite : {"inf", "max"}
        What to return where the level demands an infinite region; ``"max"`` gives up
        the guarantee.
    method : {"laplace", "exact"}
        How to compute the probability of the observed set.
    random_state : int or numpy.random.Generator
        Source of randomness of the split.

    Attributes
    ----------
    completed_ : ndarray, shape (n_rows, n_cols)
        Completed matrix, from the training cells only.
    calibration_ : Calibration
        After :meth:`conformalize`.
    is_infinite_ : ndarray of bool, shape (m, n_levels)
        Groups of the last :meth:`predict_interval` whose level demands everything.

    Examples
    --------
    >>> import numpy as np
    >>> from notebook_lib.matrix import (ALS, StructuredConformalCompletion,
    ...                                  sample_test_groups, synthetic_ratings)
    >>> ratings = synthetic_ratings(0)
    >>> model = StructuredConformalCompletion(ALS(3, max_sweeps=10), group_size=3)
    >>> model = model.fit(ratings.truth, ratings.observed).conformalize(
    ...     ratings.observation_weights)
    >>> groups = sample_test_groups(~ratings.observed, 3, 2, 1)
    >>> prediction, intervals = model.predict_interval(groups)
    >>> prediction.shape, intervals.shape
    ((2, 3), (2, 3, 2, 1))
    """

    def __init__(
        self,
        completion=None,
        *,
        group_size=2,
        alpha=0.1,
        n_groups=None,
        axis="column",
        rule=None,
        bounds=None,
        infinite="inf",
        method="laplace",
        random_state=0,
    ):
        self.completion = completion
        self.group_size = group_size
        self.alpha = alpha
        self.n_groups = n_groups
        self.axis = axis
        self.rule = rule
        self.bounds = bounds
        self.infinite = infinite
        self.method = method
        self.random_state = random_state

    def fit(self, M, observed=None, *, universe=None):
        """Set calibration groups aside and complete the matrix from the rest.

        Parameters
        ----------
        M : array_like or DataFrame, shape (n_rows, n_cols)
            Values, NaN where missing. A long table of users, items and ratings becomes
            one by ``pivot``; a sparse matrix is refused, because its zeros could be
            values or gaps.
        observed : array_like of bool, shape (n_rows, n_cols), optional
            Observed cells; by default those that are not NaN.
        universe : array_like of bool, shape (n_rows, n_cols), optional
            Cells that exist at all; all by default.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an observed cell is NaN, or no group of this size can be set aside.
        """
        self._check_parameters()
        M = _as_matrix(M)
        observed = ~np.isnan(M) if observed is None else np.asarray(observed)
        observed, universe = check_observed(observed, universe)
        M = check_matrix(M, observed)
        self.shape_ = M.shape
        M, observed, universe = map(self._orient, (M, observed, universe))
        size = check_size(self.group_size, "group_size", len(M))
        n_groups = self.n_groups
        if n_groups is None and max_calibration_groups(observed, size):
            n_groups = default_calibration_size(observed, size)
        n_groups = 1 if n_groups is None else n_groups
        split = structured_split(observed, size, n_groups, check_rng(self.random_state))
        if not split.train.any():
            raise ValueError(
                f"n_groups={n_groups} leaves no cell to train on: use fewer groups"
            )
        fitted = completed(self._new_completion(), M, split.train)
        self._M, self._observed, self._universe = M, observed, universe
        self._split, self._fitted = split, fitted
        self.completed_ = self._orient(fitted)
        self.__dict__.pop("calibration_", None)
        return self

    def conformalize(self, observation_weights=None, test_weights=None):
        """Compute what the weights of any test group need.

        Parameters
        ----------
        observation_weights : array_like, shape (n_rows, n_cols), optional
            Sampling weights ``w``: how cells came to be observed. Ones if not given.
        test_weights : array_like, shape (n_rows, n_cols), optional
            Test weights ``w*``: which groups are asked for. Ones if not given.

        Returns
        -------
        self
        """
        if not hasattr(self, "completed_"):
            raise NotFittedError("call fit before conformalize")
        self.calibration_ = Calibration.from_groups(
            self._M,
            self._observed,
            self._split.groups,
            self._fitted,
            self._orient(observation_weights),
            self._orient(test_weights),
            universe=self._universe,
            rule=self.rule,
            method=self.method,
        )
        return self

    def predict_interval(self, groups):
        """Joint intervals for test groups.

        Parameters
        ----------
        groups : array_like of int, shape (m, K, 2)
            Cells ``(row, column)`` of each group: missing, distinct, in one column
            (one row if ``axis="row"``), in the order in which they are drawn.

        Returns
        -------
        prediction : ndarray, shape (m, K)
            Completed entries.
        intervals : ndarray, shape (m, K, 2, n_levels)
            Ends of the interval of each entry. All ``K`` intervals of a group hold
            their entries together with probability ``1 - alpha``.
        """
        if not hasattr(self, "calibration_"):
            raise NotFittedError("call fit and conformalize before predict_interval")
        groups = np.asarray(groups)
        if self.axis == "row":
            if groups.ndim == 3 and (groups[:, :, 0] != groups[:, :1, 0]).any():
                raise ValueError(
                    "groups: all cells of a group must lie in one row; put cells of "
                    "other rows into groups of their own"
                )
            groups = groups[..., ::-1]
        self._check_groups(groups)
        regions = [
            self.calibration_.regions(groups, level, infinite=self.infinite, warn=False)
            for level in check_alpha(self.alpha)
        ]
        self.is_infinite_ = np.stack([r.is_infinite for r in regions], axis=-1)
        warn_small(self.calibration_.weights.n_groups, regions[0].effective_size)
        warn_infinite(
            int(self.is_infinite_.sum()),
            self.is_infinite_.size,
            "the weight of the test group exceeds alpha; use more calibration groups "
            "or a larger alpha",
        )
        ends = [self._clipped(r.lower, r.upper) for r in regions]
        return regions[0].prediction, np.stack(ends, axis=-1)

    def _new_completion(self):
        if self.completion is None:
            return ALS()
        return clone(self.completion, safe=False)

    def _check_groups(self, groups):
        """Refuse groups that this calibration cannot answer for, in their own name."""
        check_groups(groups, "groups", self._observed.shape)
        size = self.calibration_.weights.group_size
        if groups.shape[1] != size:
            raise ValueError(
                f"groups hold {groups.shape[1]} cells each, but group_size={size} was "
                f"calibrated: give groups of {size}, or fit again with another "
                "group_size"
            )
        rows, columns = groups[..., 0], groups[..., 1]
        if not self.calibration_.weights.askable[rows, columns].all():
            raise ValueError(
                "groups must hold missing cells only: some are observed (their entries "
                "are known) or outside universe; leave those groups out"
            )
        if (self.calibration_.weights.test_weights[rows, columns] == 0).any():
            raise ValueError(
                "groups holds a cell of test_weights 0, which is never asked for: "
                "give it a positive weight in conformalize"
            )

    def _clipped(self, lower, upper):
        if self.bounds is not None:
            lower, upper, _ = clip_to_range(lower, upper, *self.bounds)
        return np.stack([lower, upper], axis=-1)

    def _orient(self, matrix):
        if matrix is None or self.axis == "column":
            return matrix
        return np.ascontiguousarray(np.asarray(matrix).T)

    def _check_parameters(self):
        check_alpha(self.alpha)
        for verb in ("fit", "predict"):
            # A class in the place of an object has both, and can do neither.
            if self.completion is not None and (
                isinstance(self.completion, type)
                or not callable(getattr(self.completion, verb, None))
            ):
                raise ValueError(
                    "completion must be an object with fit(M, observed) and predict(), "
                    f"such as ALS(5), got {self.completion!r}"
                )
        for name, options in (
            ("axis", ("column", "row")),
            ("infinite", ("inf", "max")),
            ("method", ("laplace", "exact")),
        ):
            if getattr(self, name) not in options:
                raise ValueError(
                    f"{name} must be one of {options}, got {getattr(self, name)!r}"
                )
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError(
                f"bounds need low < high, got {self.bounds!r}: give the lowest and the "
                "highest possible entry, such as (1, 5)"
            )


def _as_matrix(M):
    """Values as floats, with NaN for every kind of gap."""
    if issparse(M):
        raise ValueError(
            "M must not be sparse: zeros in it could be values or gaps. Make an array "
            "with NaN for gaps, such as M = np.full(S.shape, np.nan); "
            "M[S.nonzero()] = S.data of a COO matrix S"
        )
    if isinstance(M, pd.DataFrame):
        # NA of pandas' own dtypes is no float.
        M = M.astype(object).where(M.notna(), np.nan)
    try:
        return np.asarray(M, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"M must hold numbers, one row for each user and NaN for gaps: {error}; a "
            "long table becomes one by pivot(index='user', columns='item', "
            "values='rating')"
        ) from None
