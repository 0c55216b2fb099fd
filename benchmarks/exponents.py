"""The exponent of a cost curve, fitted by least squares on its upper half."""

import math

import numpy as np

__all__ = ["fit_exponent"]


def fit_exponent(sizes, costs):
    """Slope of log cost against log size over the larger half of the sizes.

    Parameters
    ----------
    sizes : array_like, shape (n,)
        Different positive sizes.
    costs : array_like, shape (n,)
        Positive costs: seconds, megabytes.

    Returns
    -------
    exponent : float
        The slope: 1 for a cost that grows in proportion to the size. NaN with fewer
        than two sizes.
    error : float
        Standard error of the slope; NaN with fewer than three points.

    Raises
    ------
    ValueError
        If the lengths differ, or a size or a cost is not positive.
    """
    sizes, costs = np.asarray(sizes, float), np.asarray(costs, float)
    if sizes.shape != costs.shape or sizes.ndim != 1:
        raise ValueError(
            f"sizes and costs must be of one length, got {sizes.shape}, {costs.shape}"
        )
    if not ((sizes > 0).all() and (costs > 0).all()):
        raise ValueError("sizes and costs must be positive: both are put on log scales")
    upper = np.argsort(sizes)[len(sizes) // 2 :]
    if len(upper) < 2:
        return math.nan, math.nan
    x, y = np.log(sizes[upper]), np.log(costs[upper])
    spread = np.square(x - x.mean()).sum()
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
    if len(upper) < 3:
        return slope, math.nan
    rest = y - y.mean() - slope * (x - x.mean())
    return slope, float(np.sqrt(np.square(rest).sum() / (len(x) - 2) / spread))
