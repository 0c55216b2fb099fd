"""nexCP and LCP as estimators (Kong, Liu and Yang 2025)."""

import warnings

import numpy as np

from ..masks import hide, is_submask
from ..quantiles import as_fraction
from ..scores import AbsoluteScore
from .estimators import MaskedRegressor
from .localized import (
    column_ranges,
    heom,
    kernel_weights,
    lcp_radius,
    median_bandwidth,
    nexcp_radius,
    nexcp_weights,
    slcp_bandwidth,
)
from .pairs import PairPlan, predict_blocks
from .subsample import Exact

__all__ = ["LCP", "NexCP"]

_BLOCK = 4_000_000


class _AvailableCases(MaskedRegressor):
    """Over-masked available cases, absolute residuals, a radius for each test row."""

    def _check_parameters(self):
        if self.score != "absolute":
            raise ValueError(
                f"score must be 'absolute' for nexCP and LCP, got {self.score!r}"
            )
        return super()._check_parameters()

    def fit(self, X, y):
        """Fit the imputer, the model, and the column ranges of the distance.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, d)
            Training covariates, NaN for missing.
        y : array_like, shape (n,)
            Training outcomes, complete.

        Returns
        -------
        self
        """
        super().fit(X, y)
        self.ranges_ = column_ranges(self.X_train_)
        return self

    def _intervals(self, X, mask, level, alpha):
        model = self.models_[0]
        plan = PairPlan(self.M_cal_, mask, Exact())
        out = np.tile([-np.inf, np.inf], (len(X), 1))
        self._prepare()
        infinite, poor, empty = 0, {}, 0
        for view in plan.views(model, self.X_cal_, X):
            if len(view.kept):
                scores = np.abs(self.y_cal_[view.kept] - view.calibration)
                radius = self._radius(view, scores, X[view.rows], alpha)
                radius = np.broadcast_to(radius, len(view.rows))
                out[view.rows] = AbsoluteScore().invert(view.test[:, 0], radius)
                empty += int((radius < 0).sum())
                unbounded = int(np.isposinf(radius).sum())
            else:
                unbounded = len(view.rows)
            if unbounded:
                infinite += unbounded
                poor[view.mask.tobytes()] = (view.mask, len(view.kept))
        if empty:
            warnings.warn(
                f"{empty} of {len(X)} sets are empty: the local quantile plus its "
                "correction is negative",
                UserWarning,
                stacklevel=3,
            )
        self._warn_masks(infinite, list(poor.values()), len(X), alpha)
        return out

    def _prepare(self):
        pass


class NexCP(_AvailableCases):
    """nexCP: weighted calibration on over-masked available cases (Algorithm 1).

    Parameters
    ----------
    estimator : scikit-learn regressor, optional
        Point model; least squares by default.
    imputer : scikit-learn imputer, optional
        Fitted on the training covariates; iterative ridge by default.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    rho : float
        Decay of the weights, in (0, 1]; 1 gives equal weights.
    weights : {"rank", "mask", "equal"}
        ``"rank"`` as published: ``rho`` to the rank of the HEOM distance, 1 for rows
        with the test mask. ``"mask"``: ``rho`` to the number of features by which the
        masks differ. ``"equal"``: CP-MDA-Exact with absolute residuals.
    nominal : sequence of int
        Columns that the distance compares by equality.
    add_mask : bool
        Whether the mask is appended to the features; the document does not.

    Notes
    -----
    Rank weights depend on the covariates, so Lemma 1 (for fixed weights) does not
    apply and Theorem 3 fails for them; with ``weights="mask"`` or ``"equal"`` the
    mask-conditional guarantee holds when masks are independent of ``(X, Y)``. Rows
    whose masks are not seen in calibration get an infinite radius for every
    calibration size unless ``rho > 1 - alpha``.
    """

    def __init__(
        self,
        estimator=None,
        *,
        imputer=None,
        alpha=0.1,
        rho=0.99,
        weights="rank",
        nominal=(),
        add_mask=False,
    ):
        super().__init__(
            estimator, imputer=imputer, alpha=alpha, score="absolute", add_mask=add_mask
        )
        self.rho = rho
        self.weights = weights
        self.nominal = nominal

    def _check_parameters(self):
        levels = super()._check_parameters()
        if isinstance(self.rho, bool) or not 0 < self.rho <= 1:
            raise ValueError(f"rho must lie in (0, 1], got {self.rho!r}")
        if self.weights not in ("rank", "mask", "equal"):
            raise ValueError(
                f"weights must be 'rank', 'mask' or 'equal', got {self.weights!r}"
            )
        tight = [a for a in levels if as_fraction(self.rho) <= 1 - as_fraction(a)]
        if tight and self.weights == "rank":
            warnings.warn(
                f"rho={self.rho} is at most 1 - alpha={1 - tight[0]:g}: masks unseen "
                "in calibration get infinite intervals at any calibration size",
                UserWarning,
                stacklevel=3,
            )
        return levels

    def _radius(self, view, scores, X, alpha):
        step = max(1, _BLOCK // max(len(scores), 1))
        if self.weights != "rank":
            step = len(X)
        parts = []
        for start in range(0, len(X), step):
            weights = nexcp_weights(
                self.weights,
                view,
                self.X_cal_,
                self.M_cal_,
                X[start : start + step],
                rho=self.rho,
                ranges=self.ranges_,
                nominal=tuple(self.nominal),
            )
            radius = nexcp_radius(scores, weights, alpha)
            parts.append(np.broadcast_to(radius, len(X[start : start + step])))
        return np.concatenate(parts)


class LCP(_AvailableCases):
    """LCP: scores less a kernel-smoothed conditional quantile (Algorithm 2).

    Parameters
    ----------
    estimator : scikit-learn regressor, optional
        Point model; least squares by default.
    imputer : scikit-learn imputer, optional
        Fitted on the training covariates; iterative ridge by default.
    alpha : float or sequence of float
        Miscoverage level(s) in (0, 1).
    h : float or {"median_train", "median_all", "slcp"}
        Bandwidth on the scale of the HEOM distance: the median distance over pairs of
        training rows; over training and calibration rows, as published (then validity
        is no longer exact); the narrower one of the SLCP code; or a number.
    kernel : {"gaussian", "epanechnikov", "box"} or callable
        Kernel of ``d / h``.
    distance_mask : {"over", "own"}
        Whether distances see rows hidden down to the test mask (valid) or under their
        own masks (which breaks exchangeability; for demonstration).
    nominal : sequence of int
        Columns that the distance compares by equality.
    add_mask : bool
        Whether the mask is appended to the features; the document does not.

    Attributes
    ----------
    h_ : float
        The bandwidth used.
    """

    def __init__(
        self,
        estimator=None,
        *,
        imputer=None,
        alpha=0.1,
        h="median_train",
        kernel="gaussian",
        distance_mask="over",
        nominal=(),
        add_mask=False,
    ):
        super().__init__(
            estimator, imputer=imputer, alpha=alpha, score="absolute", add_mask=add_mask
        )
        self.h = h
        self.kernel = kernel
        self.distance_mask = distance_mask
        self.nominal = nominal

    def _check_parameters(self):
        levels = super()._check_parameters()
        if isinstance(self.h, str):
            if self.h not in ("median_train", "median_all", "slcp"):
                raise ValueError(
                    "h must be a positive number, 'median_train', 'median_all' or "
                    f"'slcp', got {self.h!r}"
                )
        elif isinstance(self.h, bool) or not self.h > 0:
            raise ValueError(
                f"h must be positive, got {self.h!r}: give a number above 0, "
                "'median_train', 'median_all' or 'slcp'"
            )
        if not callable(self.kernel) and self.kernel not in (
            "gaussian",
            "epanechnikov",
            "box",
        ):
            raise ValueError(
                "kernel must be 'gaussian', 'epanechnikov', 'box' or a function of "
                f"d / h, got {self.kernel!r}"
            )
        if self.distance_mask not in ("over", "own"):
            raise ValueError(
                f"distance_mask must be 'over' or 'own', got {self.distance_mask!r}"
            )
        return levels

    def _prepare(self):
        nominal = tuple(self.nominal)
        if not isinstance(self.h, str):
            self.h_ = float(self.h)
        elif self.h == "slcp":
            self.h_ = slcp_bandwidth(self.X_train_, self.ranges_, nominal=nominal)
        else:
            rows = [self.X_train_]
            if self.h == "median_all":
                rows.append(self.X_cal_)
            self.h_ = median_bandwidth(
                np.concatenate(rows), self.ranges_, nominal=nominal
            )

    def _radius(self, view, scores, X, alpha):
        train = np.flatnonzero(is_submask(np.isnan(self.X_train_), view.mask))
        if not len(train):
            return np.inf
        hidden = np.broadcast_to(view.mask, (len(train), len(view.mask)))
        fitted = predict_blocks(self.models_[0], self.X_train_, train, hidden)
        scores_train = np.abs(self.y_train_[train] - fitted)
        weights_cal = self._weights(self.X_cal_[view.kept], train, view.mask)
        step = max(1, _BLOCK // len(train))
        parts = [
            lcp_radius(
                scores_train,
                scores,
                weights_cal,
                self._weights(X[start : start + step], train, view.mask),
                alpha,
            )
            for start in range(0, len(X), step)
        ]
        return np.concatenate(parts)

    def _weights(self, rows, train, mask):
        """Kernel weights of the available training rows around each row."""
        reference = self.X_train_[train]
        if self.distance_mask == "over":
            rows, reference = hide(rows, mask), hide(reference, mask)
        squared = heom(
            rows, reference, self.ranges_, nominal=tuple(self.nominal), squared=True
        )
        return kernel_weights(squared, self.h_, self.kernel, int(mask.sum()))
