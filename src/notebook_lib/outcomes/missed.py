"""The law of the number of missed test points, and the sets that follow from it.

Put the test scores at infinity and hide ``N_k0`` of the ``N_k`` scores of each bin at
random: the number of hidden scores above ``t`` is a sum of independent
hypergeometric variables. Bounds on its mean, its second or K-th moment, or its tail
give the sets (9), (19), and those of appendix B.4 of Lee, Dobriban and Tchetgen
Tchetgen.
"""

import numpy as np
from scipy import stats

from ..exceptions import warn_infinite
from .bins import bin_layout
from .thresholds import TOLERANCE, check_scores, one_alpha

__all__ = ["kth_order_threshold", "missed_law", "pac_threshold"]


def missed_law(scores, bins, test_bins, threshold, *, allow_infinite=False):
    """Probability of each number of missed test points at a threshold.

    Parameters
    ----------
    scores : array_like, shape (n_cal,)
        Calibration scores.
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.
    threshold : float
        Threshold ``t`` common to all test points.
    allow_infinite : bool
        Whether scores may be ``+inf``.

    Returns
    -------
    ndarray, shape (m + 1,)
        Law of ``W(t)``, the number of test points with a score above ``t`` when
        test points are drawn at random inside bins and their own scores are put at
        infinity.
    """
    layout, row = _check(scores, bins, test_bins, allow_infinite)
    return _law(layout, row, threshold)


def _check(scores, bins, test_bins, allow_infinite):
    layout = bin_layout(bins, test_bins)
    rows, single = check_scores(scores, len(bins), allow_infinite=allow_infinite)
    if not single:
        raise ValueError(
            f"scores must be one-dimensional here, got shape {rows.shape}: call once "
            "for each row"
        )
    return layout, rows[0]


def _law(layout, row, threshold):
    n_test = layout.n_test.sum(axis=0)
    above = np.bincount(layout.cal_bin[row > threshold], minlength=len(n_test))
    law = np.ones(1)
    for cal, test, more in zip(layout.n_cal, n_test, above, strict=True):
        if test:
            possible = np.arange(test + 1)
            one = stats.hypergeom.pmf(possible, cal + test, test + more, test)
            law = np.convolve(law, one)
    return law


def _smallest_score(layout, row, accepts):
    """Smallest score whose law of misses is accepted, by bisection; inf if none."""
    candidates = np.unique(row[np.isfinite(row)])
    low, high = 0, len(candidates)
    while low < high:
        middle = (low + high) // 2
        if accepts(_law(layout, row, candidates[middle])):
            high = middle
        else:
            low = middle + 1
    return float(candidates[low]) if low < len(candidates) else np.inf


def _answer(q, m, reason):
    if m and np.isinf(q):
        warn_infinite(m, m, reason, stacklevel=4)
    return np.full(m, q)


def kth_order_threshold(scores, bins, test_bins, alpha, order, *, allow_infinite=False):
    """Thresholds with ``E[miss^K] <= alpha^K``: appendix B.4.1.

    Parameters
    ----------
    scores : array_like, shape (n_cal,)
        Calibration scores.
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.
    alpha : float
        Level in (0, 1).
    order : int
        ``K >= 1``. 1 gives (9), 2 gives (19).
    allow_infinite : bool
        Whether scores may be ``+inf``.

    Returns
    -------
    ndarray, shape (m,)
        The threshold, the same for all test points.

    Raises
    ------
    ValueError
        If `order` is not an integer of at least 1, or other inputs are out of range.
    """
    alpha = float(one_alpha(alpha))
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 1:
        raise ValueError(f"order must be an integer of at least 1, got {order!r}")
    layout, row = _check(scores, bins, test_bins, allow_infinite)
    m = len(layout.test_bin)
    share = (np.arange(m + 1) / max(m, 1)) ** int(order)
    slack = TOLERANCE * alpha ** (int(order) - 1)

    def accepts(law):
        return law @ share <= alpha**order + slack

    return _answer(
        _smallest_score(layout, row, accepts) if m else np.inf,
        m,
        f"moment {order} of the missed share cannot be brought to alpha^{order}; use "
        "a lower order, a larger alpha or more calibration points",
    )


def pac_threshold(scores, bins, test_bins, alpha, delta, *, allow_infinite=False):
    """Thresholds with ``P(miss <= alpha) >= 1 - delta``: appendix B.4.2.

    Parameters
    ----------
    scores : array_like, shape (n_cal,)
        Calibration scores.
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.
    alpha, delta : float
        Levels in (0, 1).
    allow_infinite : bool
        Whether scores may be ``+inf``.

    Returns
    -------
    ndarray, shape (m,)
        The threshold, the same for all test points.

    Raises
    ------
    ValueError
        If a level, score or label is out of range.

    Notes
    -----
    The paper takes the quantile over all choices of test points in the bins, a
    product of binomial coefficients; the convolution of hypergeometric laws gives
    the same number in ``O(m^2 log n)``. No partitioned version exists: the
    probability of a joint event is not linear.
    """
    alpha, delta = one_alpha(alpha), float(_check_delta(delta))
    layout, row = _check(scores, bins, test_bins, allow_infinite)
    m = len(layout.test_bin)
    allowed = int(m - -(-m * (1 - alpha) // 1))

    def accepts(law):
        return law[: allowed + 1].sum() >= 1 - delta - TOLERANCE

    return _answer(
        _smallest_score(layout, row, accepts) if m else np.inf,
        m,
        f"more than {allowed} of {m} test points would be missed with a probability "
        f"above delta = {delta:g} at every score; use a larger alpha or delta",
    )


def _check_delta(delta):
    try:
        return one_alpha(delta)
    except ValueError as error:
        raise ValueError(
            f"{str(error).split(';')[0].replace('alpha', 'delta')}; it bounds the "
            "chance that the sets miss more than alpha, such as delta=0.1"
        ) from None
