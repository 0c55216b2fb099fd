"""Mask-conditional conformal prediction around any regressor.

Three verbs: ``fit`` trains the imputer and the model, ``conformalize`` takes other
rows, ``predict_interval`` gives sets. Missing covariates are NaN in ``X``; outcomes
are complete.
"""

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.linear_model import LinearRegression, QuantileRegressor

from .._once import once_over
from .._validation import check_alpha
from ..exceptions import warn_infinite
from ..intervals import IntervalUnion
from ..quantiles import conformal_quantile, smallest_calibration_size
from ..scores import AbsoluteScore, QuantileScore
from ..split import at_quantile_level
from .base import Masked
from .model import MaskedModel, check_outcome
from .nested import closed_rank, covering_segments, unstarred_bounds
from .pairs import PairPlan
from .subsample import Exact, SameMask, as_rule

__all__ = [
    "CPMDAExact",
    "CPMDANested",
    "CPMDANestedStar",
    "ImputedSplitRegressor",
    "PerMaskRegressor",
]


class MaskedRegressor(RegressorMixin, Masked):
    """Regressors: a point model with absolute residuals, or a quantile model."""

    def __init__(
        self,
        estimator=None,
        *,
        imputer=None,
        alpha=0.1,
        score="quantile",
        add_mask=True,
    ):
        self.estimator = estimator
        self.imputer = imputer
        self.alpha = alpha
        self.score = score
        self.add_mask = add_mask

    def _check_parameters(self):
        if self.score not in ("absolute", "quantile"):
            raise ValueError(
                f"score must be 'absolute' or 'quantile', got {self.score!r}"
            )
        return [float(level) for level in check_alpha(self.alpha)]

    def _predictors(self, alpha):
        model = self.estimator
        if self.score == "absolute":
            return [LinearRegression() if model is None else model]
        if model is None:
            model = QuantileRegressor(alpha=0.0, solver="highs")
        if hasattr(model, "quantiles"):
            return [clone(model).set_params(quantiles=(alpha / 2, 1 - alpha / 2))]
        return [at_quantile_level(model, level) for level in (alpha / 2, 1 - alpha / 2)]

    def fit(self, X, y):
        """Fit the imputer on the covariates, then the model on imputed rows.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Training covariates, NaN for missing.
        y : array_like, shape (n,)
            Training outcomes, complete.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter is out of range, `y` holds NaN, or a column is never
            observed.
        """
        levels = self._check_parameters()
        raw, X = X, self._table(X, reset=True)
        if not len(X):
            raise ValueError("X is empty: give fit at least one training row")
        y = check_outcome(y, len(X))
        shared = self.score == "absolute"
        self.models_ = []
        for level in levels[:1] if shared else levels:
            model = MaskedModel(
                self._predictors(level), self.imputer, add_mask=self.add_mask
            )
            self.models_.append(model.fit(X, y))
        self.complete_columns_ = ~np.isnan(X).any(axis=0)
        self._train_ref = raw
        self.X_train_, self.y_train_ = X, y
        for stale in ("X_cal_", "y_cal_", "M_cal_"):
            self.__dict__.pop(stale, None)
        return self

    def conformalize(self, X, y):
        """Take calibration rows that `fit` has not seen.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_cal, d)
            Calibration covariates, NaN for missing.
        y : array_like, shape (n_cal,)
            Calibration outcomes, complete.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `y` holds NaN or infinities, lengths differ, or there are no rows.
        """
        self._check_parameters()
        y = np.asarray(y)
        return self._keep_calibration(X, check_outcome(y, len(X)))

    def predict(self, X):
        """Point predictions under each row's own mask, shape (n,).

        With quantile models this is the middle of the predicted band.
        """
        self._check_fitted()
        X = self._table(X)
        return self._point(X, np.isnan(X))

    def _point(self, X, mask):
        prediction = self.models_[0](X, mask)
        return prediction if prediction.ndim == 1 else prediction.mean(axis=1)

    def _score_and_model(self, level):
        score = AbsoluteScore() if self.score == "absolute" else QuantileScore()
        return score, self.models_[0 if self.score == "absolute" else level]

    def predict_interval(self, X):
        """Prediction intervals.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Test covariates, NaN for missing. A row without any observed entry is
            legal.

        Returns
        -------
        y_pred : ndarray, shape (n,)
            Point predictions.
        intervals : ndarray, shape (n, 2, n_levels)
            Lower and upper ends for each level; infinite, with one warning, where
            there are too few calibration rows; ``lower > upper`` is the empty set.
        """
        X, mask = self._test_table(X)
        self._warn_constant_columns(mask)
        levels = self._check_parameters()
        out = np.empty((len(X), 2, len(levels)))
        with once_over(levels):
            for column, alpha in enumerate(levels):
                out[:, :, column] = self._intervals(X, mask, column, alpha)
        return self._point(X, mask), out


class ImputedSplitRegressor(MaskedRegressor):
    """Impute, then split conformal prediction: marginal coverage only.

    Each calibration row keeps its own mask, and one threshold serves all masks
    (Zaffran et al. 2023; equation 6 of Kong et al. 2025).

    Parameters
    ----------
    estimator : scikit-learn regressor, optional
        For ``score="quantile"`` a quantile regressor with a level to set (linear
        quantile regression by default), for ``score="absolute"`` any regressor
        (least squares by default).
    imputer : scikit-learn imputer, optional
        Fitted on the training covariates; iterative ridge by default.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    score : {"quantile", "absolute"}
        Conformalized quantile regression, or absolute residuals.
    add_mask : bool
        Whether the mask is appended to the features.

    Notes
    -----
    Valid for any mechanism that leaves rows exchangeable, on average over masks. It
    says nothing about any single mask.
    """

    def _intervals(self, X, mask, level, alpha):
        score, model = self._score_and_model(level)
        scores = score.score(self.y_cal_, model(self.X_cal_, self.M_cal_))
        q = conformal_quantile(scores, alpha)
        if np.isposinf(q):
            warn_infinite(
                len(X),
                len(X),
                f"{len(scores)} calibration rows are too few for alpha={alpha}; give "
                f"at least {smallest_calibration_size(alpha)}",
                stacklevel=4,
            )
        return score.invert(model(X, mask), q)


class _OneThresholdPerMask(MaskedRegressor):
    """Calibrate each test mask on its own rows: one threshold a mask."""

    def _intervals(self, X, mask, level, alpha):
        score, model = self._score_and_model(level)
        plan = PairPlan(self.M_cal_, mask, self._rule())
        out = np.tile([-np.inf, np.inf], (len(X), 1))
        infinite, poor = 0, []
        for view in plan.views(model, self.X_cal_, X):
            if len(view.kept):
                scores = score.score(self.y_cal_[view.kept], view.calibration)
                q = conformal_quantile(scores, alpha)
                out[view.rows] = score.invert(view.test[:, 0], q)
            if len(view.kept) < smallest_calibration_size(alpha):
                infinite += len(view.rows)
                poor.append((view.mask, len(view.kept)))
        self._warn_masks(infinite, poor, len(X), alpha)
        return out


class CPMDAExact(_OneThresholdPerMask):
    """CP-MDA-Exact: calibrate on rows that observe at least what the test row does.

    Those rows are hidden down to the test mask and scored there (Zaffran et al. 2023;
    strategy i of CP-MDA-Nested*). Mask-conditional coverage at least ``1 - alpha``
    when masks are independent of covariates and outcome; infinite where fewer than
    ``ceil(1/alpha) - 1`` rows remain.

    Parameters
    ----------
    estimator, imputer, alpha, score, add_mask
        As in :class:`ImputedSplitRegressor`.
    """

    def _rule(self):
        return Exact()


class PerMaskRegressor(_OneThresholdPerMask):
    """Calibrate on rows with the test mask itself (Mondrian split conformal).

    Mask-conditional coverage at least ``1 - alpha`` for any mechanism, and infinite on
    every mask with too few rows: hardness (Theorem 2.3) says that this is the price.

    Parameters
    ----------
    estimator, imputer, alpha, score, add_mask
        As in :class:`ImputedSplitRegressor`.
    """

    def _rule(self):
        return SameMask()


class CPMDANestedStar(MaskedRegressor):
    """CP-MDA-Nested*: calibration and test rows meet under the larger of their masks.

    Parameters
    ----------
    estimator, imputer, alpha, score, add_mask
        As in :class:`ImputedSplitRegressor`.
    subsample : str, int or rule
        Which calibration rows to use, from masks only: ``"exact"`` (strategy i),
        ``"all"`` (ii), an integer `h` (at most `h` more missing features),
        ``"adaptive"`` (the least `h` that keeps sets finite), ``"same"``, or a rule
        of :mod:`notebook_lib.covariates.subsample` (iii, iv, your own).
    shape : {"set", "hull", "unstarred"}
        What :meth:`predict_interval` returns: the ends of the exact set if it is one
        interval and of its hull otherwise (``"set"`` and ``"hull"`` give the same
        array; :meth:`predict_union` gives the set itself), or the larger interval of
        CP-MDA-Nested 2023 on the same rows.

    Notes
    -----
    With masks independent of covariates and outcome, coverage on every mask is at
    least ``1 - 2 alpha`` (Theorem 4.3); without sub-sampling the marginal coverage is
    at least that for any exchangeable law (Theorem 4.2). The factor 2 cannot be
    dropped in general, and shows in no experiment of the document.
    """

    def __init__(
        self,
        estimator=None,
        *,
        imputer=None,
        alpha=0.1,
        score="quantile",
        add_mask=True,
        subsample="all",
        shape="set",
    ):
        super().__init__(
            estimator, imputer=imputer, alpha=alpha, score=score, add_mask=add_mask
        )
        self.subsample = subsample
        self.shape = shape

    def _check_parameters(self):
        levels = super()._check_parameters()
        if self.shape not in ("set", "hull", "unstarred"):
            raise ValueError(
                f"shape must be 'set', 'hull' or 'unstarred', got {self.shape!r}"
            )
        as_rule(self.subsample, levels[0])
        return levels

    def _views(self, X, mask, level, alpha):
        """Test rows with the intervals of each calibration row, mask by mask."""
        score, model = self._score_and_model(level)
        plan = PairPlan(self.M_cal_, mask, as_rule(self.subsample, alpha))
        infinite, poor = 0, {}
        for view in plan.views(model, self.X_cal_, X):
            r = closed_rank(len(view.kept), alpha)
            if r == 0:
                infinite += len(view.rows)
                poor[view.mask.tobytes()] = (view.mask, len(view.kept))
            lower, upper = augmented_intervals(score, view, self.y_cal_)
            yield view.rows, lower, upper, r
        self._warn_masks(infinite, list(poor.values()), len(X), alpha)

    def _intervals(self, X, mask, level, alpha):
        out = np.empty((len(X), 2))
        for rows, lower, upper, r in self._views(X, mask, level, alpha):
            if self.shape == "unstarred":
                out[rows] = unstarred_bounds(lower, upper, r)
            else:
                segments = covering_segments(lower, upper, r)
                out[rows] = IntervalUnion(*segments, len(rows)).hull()
        return out

    def predict_union(self, X):
        """The exact sets, which may be unions of intervals, or empty.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Test covariates, NaN for missing.

        Returns
        -------
        y_pred : ndarray, shape (n,)
            Point predictions.
        unions : list of IntervalUnion
            One for each level, with ``n`` rows.

        Raises
        ------
        ValueError
            If ``shape="unstarred"``, which is one interval by definition.
        """
        if self.shape == "unstarred":
            raise ValueError("shape='unstarred' is one interval: use predict_interval")
        X, mask = self._test_table(X)
        unions = []
        for column, alpha in enumerate(self._check_parameters()):
            parts = [(np.empty(0, np.int64), np.empty(0), np.empty(0))]
            for rows, lower, upper, r in self._views(X, mask, column, alpha):
                row, start, end = covering_segments(lower, upper, r)
                parts.append((rows[row], start, end))
            segments = [np.concatenate(part) for part in zip(*parts, strict=True)]
            unions.append(IntervalUnion(*segments, len(X)))
        return self._point(X, mask), unions


def augmented_intervals(score, view, y_cal):
    """Interval of outcomes that do not lose to each kept row, for each test row.

    Parameters
    ----------
    score : AbsoluteScore or QuantileScore
        Score whose sublevel sets are intervals.
    view : GroupView
        Predictions for one test mask.
    y_cal : ndarray, shape (n_cal,)
        Calibration outcomes.

    Returns
    -------
    lower, upper : ndarray, shape (n_g, N)
        Closed intervals; inverted ones are empty.
    """
    if not len(view.kept):  # then the call may hold no predictions to take shape from
        none = np.empty((len(view.rows), 0))
        return none, none
    scores = score.score(y_cal[view.kept], view.calibration)
    test = view.test[:, view.slot]
    low, high = (test, test) if test.ndim == 2 else (test[..., 0], test[..., 1])
    return low - scores, high + scores


class CPMDANested(CPMDANestedStar):
    """CP-MDA-Nested as published in 2023: one interval from two order statistics.

    It contains the set of :class:`CPMDANestedStar` on the same rows.

    Parameters
    ----------
    estimator, imputer, alpha, score, add_mask
        As in :class:`ImputedSplitRegressor`.
    tails : {"alpha", "half"}
        Level of each end: ``alpha`` as in the 2023 code, or ``alpha / 2``, which fits
        the tables of Kong et al. (2025).
    """

    def __init__(
        self,
        estimator=None,
        *,
        imputer=None,
        alpha=0.1,
        score="quantile",
        add_mask=True,
        tails="alpha",
    ):
        super().__init__(
            estimator,
            imputer=imputer,
            alpha=alpha,
            score=score,
            add_mask=add_mask,
            subsample="all",
            shape="unstarred",
        )
        self.tails = tails

    def _check_parameters(self):
        if self.tails not in ("alpha", "half"):
            raise ValueError(f"tails must be 'alpha' or 'half', got {self.tails!r}")
        return super()._check_parameters()

    def _views(self, X, mask, level, alpha):
        tail = alpha if self.tails == "alpha" else alpha / 2
        for rows, lower, upper, _ in super()._views(X, mask, level, tail):
            yield rows, lower, upper, closed_rank(lower.shape[1], tail)
