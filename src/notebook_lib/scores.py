"""Conformity scores, each with its inverse to a prediction set.

A score says how badly an outcome fits a prediction. Its inverse at a threshold ``q``
is the set of outcomes whose score is at most ``q``.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .densities import GaussianMixture1D

__all__ = [
    "AbsoluteScore",
    "CumulativeLabelScore",
    "LabelScore",
    "MixtureDensityScore",
    "NormalizedScore",
    "QuantileScore",
    "Score",
]


class Score(Protocol):
    """What a score must offer: :meth:`score` and its inverse :meth:`invert`."""

    def score(self, y, prediction):
        """Scores of outcomes `y` given the predictions, shape (n,)."""

    def invert(self, prediction, q):
        """Sets of outcomes whose score is at most `q`, a number or shape (n,)."""


def _pair(lower, upper, q):
    """Ends ``(lower - q, upper + q)``, shape (n, 2)."""
    # Each end is written in one stretch of memory: twice as fast as stacking.
    ends = np.empty((2, len(lower)))
    np.subtract(lower, q, out=ends[0])
    np.add(upper, q, out=ends[1])
    return ends.T


@dataclass(frozen=True)
class AbsoluteScore:
    """Absolute residual ``|y - mu(x)|``; the set is ``[mu - q, mu + q]``."""

    def score(self, y, prediction):
        """Absolute residuals.

        Parameters
        ----------
        y, prediction : array_like, shape (n,)
            Outcomes and point predictions, in the same units.

        Returns
        -------
        ndarray, shape (n,)
            Scores, in the units of the outcome.
        """
        return np.abs(np.asarray(y) - np.asarray(prediction))

    def invert(self, prediction, q):
        """Intervals of half-width `q`.

        Parameters
        ----------
        prediction : array_like, shape (n,)
            Point predictions.
        q : float or array_like, shape (n,)
            Threshold(s). A negative one gives the empty set.

        Returns
        -------
        ndarray, shape (n, 2)
            Lower and upper ends.
        """
        prediction = np.asarray(prediction, dtype=float)
        return _pair(prediction, prediction, q)


@dataclass(frozen=True)
class NormalizedScore:
    """Residual in units of a predicted spread, ``|y - mu(x)| / sigma(x)``."""

    def score(self, y, prediction):
        """Normalised residuals.

        Parameters
        ----------
        y : array_like, shape (n,)
            Outcomes.
        prediction : array_like, shape (n, 2)
            Columns ``mu`` and ``sigma > 0``.

        Returns
        -------
        ndarray, shape (n,)
            Scores, without unit.

        Raises
        ------
        ValueError
            If a spread is not positive.
        """
        mu, sigma = _location_and_spread(prediction)
        return np.abs(np.asarray(y) - mu) / sigma

    def invert(self, prediction, q):
        """Intervals ``mu -/+ q sigma``.

        Parameters
        ----------
        prediction : array_like, shape (n, 2)
            Columns ``mu`` and ``sigma > 0``.
        q : float or array_like, shape (n,)
            Threshold(s).

        Returns
        -------
        ndarray, shape (n, 2)
            Lower and upper ends.
        """
        mu, sigma = _location_and_spread(prediction)
        half = np.asarray(q, dtype=float) * sigma
        return _pair(mu, mu, half)


def _location_and_spread(prediction):
    prediction = np.asarray(prediction, dtype=float)
    if prediction.ndim != 2 or prediction.shape[1] != 2:
        raise ValueError(
            "prediction must have the two columns mu and sigma, got shape "
            f"{prediction.shape}: use numpy.column_stack([mu, sigma])"
        )
    if not (prediction[:, 1] > 0).all():
        raise ValueError(
            "prediction: sigma must be positive; floor the predicted spread"
        )
    return prediction[:, 0], prediction[:, 1]


@dataclass(frozen=True)
class QuantileScore:
    """Conformalized quantile regression, ``max(lo(x) - y, y - hi(x))``.

    The score is negative inside the band (Romano, Patterson and Candès 2019).
    """

    def score(self, y, prediction):
        """Signed distances to the band.

        Parameters
        ----------
        y : array_like, shape (n,)
            Outcomes.
        prediction : array_like, shape (n, 2)
            Predicted lower and upper quantiles. Crossing quantiles are taken as they
            are.

        Returns
        -------
        ndarray, shape (n,)
            Scores, in the units of the outcome.
        """
        prediction = np.asarray(prediction, dtype=float)
        below = prediction[:, 0] - y
        return np.maximum(below, y - prediction[:, 1], out=below)

    def invert(self, prediction, q):
        """Bands widened by `q`.

        Parameters
        ----------
        prediction : array_like, shape (n, 2)
            Predicted lower and upper quantiles.
        q : float or array_like, shape (n,)
            Threshold(s); a negative one narrows the band, and may empty it.

        Returns
        -------
        ndarray, shape (n, 2)
            Lower and upper ends; an inverted pair is the empty set.
        """
        prediction = np.asarray(prediction, dtype=float)
        return _pair(prediction[:, 0], prediction[:, 1], q)


@dataclass(frozen=True)
class MixtureDensityScore:
    """Minus the log density of a Gaussian mixture; the set is a density level set.

    It adapts in length and may be a union of intervals, one around each plausible
    class.
    """

    def score(self, y, prediction):
        """Minus log densities.

        Parameters
        ----------
        y : array_like, shape (n,)
            Outcomes.
        prediction : GaussianMixture1D
            Predictive density of each row.

        Returns
        -------
        ndarray, shape (n,)
            Scores, without unit.
        """
        return -self._mixture(prediction).logpdf(y)

    def invert(self, prediction, q):
        """Level sets ``{y : -log p(y) <= q}``.

        Parameters
        ----------
        prediction : GaussianMixture1D
            Predictive density of each row.
        q : float or array_like, shape (n,)
            Threshold(s).

        Returns
        -------
        IntervalUnion
            Up to K intervals a row.
        """
        return self._mixture(prediction).level_set(-np.asarray(q, dtype=float))

    @staticmethod
    def _mixture(prediction):
        if not isinstance(prediction, GaussianMixture1D):
            raise ValueError(
                "prediction must be a GaussianMixture1D, got "
                f"{type(prediction).__name__}: make one of the weights, means and sds "
                "of each row"
            )
        return prediction


@dataclass(frozen=True)
class LabelScore:
    """One minus the predicted probability of the label (least ambiguous sets)."""

    def score(self, y, prediction):
        """Scores of the labels.

        Parameters
        ----------
        y : array_like of int, shape (n,)
            Column of each row's label.
        prediction : array_like, shape (n, C)
            Predicted probabilities.

        Returns
        -------
        ndarray, shape (n,)
            Scores in [0, 1].
        """
        return np.take_along_axis(
            self.score_all(prediction), np.asarray(y)[:, None], axis=1
        )[:, 0]

    def score_all(self, prediction):
        """Scores of every label, shape (n, C)."""
        return 1.0 - np.asarray(prediction, dtype=float)

    def invert(self, prediction, q):
        """Labels whose score is at most `q`.

        Parameters
        ----------
        prediction : array_like, shape (n, C)
            Predicted probabilities.
        q : float or array_like, shape (n,)
            Threshold(s).

        Returns
        -------
        ndarray of bool, shape (n, C)
            True for the labels in the set.
        """
        q = np.asarray(q, dtype=float)
        return self.score_all(prediction) <= (q[:, None] if q.ndim else q)


@dataclass(frozen=True)
class CumulativeLabelScore(LabelScore):
    """Probability of the labels at least as likely as this one (adaptive sets)."""

    def score_all(self, prediction):
        """Scores of every label, shape (n, C)."""
        prediction = np.asarray(prediction, dtype=float)
        order = np.argsort(-prediction, axis=1, kind="stable")
        mass = np.cumsum(np.take_along_axis(prediction, order, axis=1), axis=1)
        scores = np.empty_like(prediction)
        np.put_along_axis(scores, order, mass, axis=1)
        return scores
