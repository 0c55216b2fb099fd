"""Weighted conformal prediction for missing outcomes, whole and within bins.

Missing at random makes the test law a covariate shift of the calibration law with
density ratio proportional to ``(1 - p) / p``, where ``p`` is the probability of being
observed. (Section 3.1 and appendix A of Lee, Dobriban and Tchetgen Tchetgen print the
inverse.) Method: Tibshirani, Barber, Candès and Ramdas 2019; with quantile scores
Lei and Candès 2021.
"""

import numpy as np

from .._validation import check_1d, check_same_length
from ..exceptions import warn_infinite
from ..quantiles import weighted_conformal_quantile
from .bins import check_labels, check_propensity
from .thresholds import check_scores, one_alpha

__all__ = [
    "binned_weighted_threshold",
    "missing_odds",
    "shift_threshold",
    "weighted_threshold",
]


def missing_odds(propensity):
    """Odds ``(1 - p) / p`` of a missing outcome: the weights of weighted CP.

    Parameters
    ----------
    propensity : array_like, shape (n,)
        Probability of an observed outcome, strictly inside (0, 1).

    Returns
    -------
    ndarray, shape (n,)
        Density ratio of test to calibration features, up to a constant.
    """
    propensity = check_propensity(propensity)
    return (1 - propensity) / propensity


def weighted_threshold(
    scores, propensity, test_propensity, alpha, *, allow_infinite=False
):
    """Weighted conformal thresholds of all test points, from one sort.

    Parameters
    ----------
    scores : array_like, shape (n_cal,)
        Calibration scores.
    propensity, test_propensity : array_like, shape (n_cal,), (m,)
        Probability of an observed outcome at calibration and test points. Weights
        are made here, so that their direction cannot be mistaken.
    alpha : float
        Miscoverage level in (0, 1).
    allow_infinite : bool
        Whether scores may be ``+inf``.

    Returns
    -------
    ndarray, shape (m,)
        Thresholds, ``inf`` where a test point outweighs what ``alpha`` allows.

    Raises
    ------
    ValueError
        If scores or propensities are out of range, or lengths differ.
    """
    propensity = check_propensity(propensity)
    test = check_propensity(test_propensity, "test_propensity")
    return shift_threshold(
        scores,
        missing_odds(propensity),
        missing_odds(test),
        alpha,
        allow_infinite=allow_infinite,
        _stacklevel=5,
    )


def shift_threshold(
    scores, weights, test_weights, alpha, *, allow_infinite=False, _stacklevel=4
):
    """Weighted conformal thresholds for a known density ratio.

    Parameters
    ----------
    scores : array_like, shape (n_cal,)
        Calibration scores.
    weights, test_weights : array_like, shape (n_cal,), (m,)
        Density ratio of the test law to the calibration law, up to one constant,
        >= 0.
    alpha : float
        Miscoverage level in (0, 1).
    allow_infinite : bool
        Whether scores may be ``+inf``.

    Returns
    -------
    ndarray, shape (m,)
        Thresholds.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or lengths differ.
    """
    alpha = one_alpha(alpha)
    weights = _check_weights(weights, "weights")
    test_weights = _check_weights(test_weights, "test_weights")
    (row,), _ = check_scores(
        check_1d(scores, "scores", finite=False),
        len(weights),
        allow_infinite=allow_infinite,
    )
    q = weighted_conformal_quantile(row, weights, test_weights, alpha)
    _warn(q, alpha, _stacklevel)
    return q


def _check_weights(weights, name):
    weights = check_1d(weights, name)
    if weights.size and weights.min() < 0:
        raise ValueError(
            f"{name} holds {int((weights < 0).sum())} negative values: a density ratio "
            "is >= 0; raise estimates below 0 to 0"
        )
    return weights


def _warn(q, alpha, stacklevel):
    warn_infinite(
        int(np.isposinf(q).sum()),
        len(q),
        "the calibration points carry too little weight there for alpha = "
        f"{float(alpha):g}; check overlap",
        stacklevel=stacklevel,
    )


def binned_weighted_threshold(
    scores,
    propensity,
    test_propensity,
    bins,
    test_bins,
    alpha,
    *,
    allow_infinite=False,
):
    """Weighted conformal thresholds inside the bin of each test point: appendix A.

    Parameters
    ----------
    scores : array_like, shape (n_cal,)
        Calibration scores.
    propensity, test_propensity : array_like, shape (n_cal,), (m,)
        Probability of an observed outcome.
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Labels of any binning, not only of the propensity (Proposition 1).
    alpha : float
        Miscoverage level in (0, 1).
    allow_infinite : bool
        Whether scores may be ``+inf``.

    Returns
    -------
    ndarray, shape (m,)
        Thresholds, ``inf`` where the bin holds too few calibration points.

    Raises
    ------
    ValueError
        If inputs are out of range or lengths differ.
    """
    alpha = one_alpha(alpha)
    weights = missing_odds(propensity)
    test_weights = missing_odds(check_propensity(test_propensity, "test_propensity"))
    bins, test_bins = check_labels(bins, "bins"), check_labels(test_bins, "test_bins")
    check_same_length(propensity=weights, bins=bins)
    check_same_length(test_propensity=test_weights, test_bins=test_bins)
    (row,), _ = check_scores(scores, len(bins), allow_infinite=allow_infinite)
    q = np.full(len(test_bins), np.inf)
    for label in np.unique(test_bins):
        cal, test = bins == label, test_bins == label
        q[test] = weighted_conformal_quantile(
            row[cal], weights[cal], test_weights[test], alpha
        )
    _warn(q, alpha, 4)
    return q
