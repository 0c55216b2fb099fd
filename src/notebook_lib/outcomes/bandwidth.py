"""Bandwidths for a kernel regression on one feature.

:func:`plug_in_bandwidth` is the direct plug-in of Ruppert, Sheather and Wand (1995),
step for step as in R's ``KernSmooth::dpill`` with its defaults. It is a bandwidth for
a local *linear* fit; the paper uses it in a Nadaraya-Watson fit, and so do we.
"""

from itertools import pairwise

import numpy as np
from scipy.spatial.distance import cdist

from .._validation import check_1d, check_same_length

__all__ = ["leave_one_out_bandwidth", "plug_in_bandwidth"]

_GRID = 401
_SQRT_PI = np.sqrt(np.pi)


def plug_in_bandwidth(x, y):
    """Direct plug-in bandwidth for a local linear regression.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Feature and response; 25 or more rows.

    Returns
    -------
    float
        Standard deviation of the Gaussian kernel; NaN or infinite where the pilot
        estimates break down (a response without curvature).

    Raises
    ------
    ValueError
        If there are fewer than 25 rows or lengths differ.
    """
    x, y = check_1d(x, "x"), check_1d(y, "y")
    check_same_length(x=x, y=y)
    if len(x) < 25:
        raise ValueError(
            f"x has {len(x)} rows: the plug-in needs 25 or more; add rows, or use "
            "leave_one_out_bandwidth"
        )
    x, y = _trimmed(x, y)
    n, span = len(x), x[-1] - x[0]
    if span <= 0:
        return np.nan
    with np.errstate(all="ignore"):
        noise, mixed = _pilot(x, y)
        constant = 3 / (8 * _SQRT_PI) if mixed < 0 else 15 / (16 * _SQRT_PI)
        pilot = (constant * noise * span / (abs(mixed) * n)) ** (1 / 7)
        if not np.isfinite(pilot) or pilot <= 0:
            return np.nan
        grid, count, total = _binned(x, y)
        curvature = _curvature(grid, count, total, pilot)
        c = (4 * (0.5 + 2 * np.sqrt(2) - 4 / 3 * np.sqrt(3)) / np.sqrt(2 * np.pi)) ** (
            1 / 9
        )
        smooth = c * (noise**2 * span / (curvature * n) ** 2) ** (1 / 9)
        variance = _variance(grid, count, total, smooth, y)
        return float((variance * span / (2 * _SQRT_PI * curvature * n)) ** (1 / 5))


def _trimmed(x, y, share=0.01):
    """Sorted rows without one percent at each end."""
    order = np.argsort(x, kind="stable")
    cut = int(share * len(x))
    keep = order[cut : len(x) - cut]
    return x[keep], y[keep]


def _quartics(x, y, n_blocks):
    """Residual sum of squares, and second and fourth derivatives, of block fits."""
    edges = [(len(x) // n_blocks) * b for b in range(n_blocks)] + [len(x)]
    rss, second, fourth = 0.0, [], []
    for first, last in pairwise(edges):
        u, v = x[first:last], y[first:last]
        centre, scale = u.mean(), max(np.ptp(u) / 2, 1e-300)
        fit = np.polynomial.Polynomial(
            np.polynomial.polynomial.polyfit((u - centre) / scale, v, 4)
        )
        z = (u - centre) / scale
        rss += ((v - fit(z)) ** 2).sum()
        second.append(fit.deriv(2)(z) / scale**2)
        fourth.append(fit.deriv(4)(z) / scale**4)
    return rss, np.concatenate(second), np.concatenate(fourth)


def _pilot(x, y, most=5, least=20):
    """Noise variance and mean of f'' f'''' from quartics in blocks, by Mallows' C."""
    n = len(x)
    largest = max(min(n // least, most), 1)
    fits = [_quartics(x, y, blocks) for blocks in range(1, largest + 1)]
    rss = np.array([fit[0] for fit in fits])
    blocks = np.arange(1, largest + 1)
    criterion = rss * (n - 5 * largest) / rss[-1] + 10 * blocks - n
    chosen = int(np.argmin(criterion))
    _, second, fourth = fits[chosen]
    return rss[chosen] / (n - 5 * (chosen + 1)), float((second * fourth).mean())


def _binned(x, y):
    """Linear binning of counts and responses on a regular grid."""
    grid = np.linspace(x[0], x[-1], _GRID)
    at = (x - x[0]) / (grid[1] - grid[0])
    low = np.minimum(at.astype(int), _GRID - 2)
    share = at - low
    count, total = np.zeros(_GRID), np.zeros(_GRID)
    for shift, part in ((0, 1 - share), (1, share)):
        count += np.bincount(low + shift, part, _GRID)
        total += np.bincount(low + shift, part * y, _GRID)
    return grid, count, total


def _moments(grid, weight, kernel, highest):
    """``sum_i kernel_ji weight_i (g_i - g_j)^r`` for r = 0..highest, (grid, r)."""
    distance = grid[None, :] - grid[:, None]
    power, out = kernel * weight, []
    for _ in range(highest + 1):
        out.append(power.sum(axis=1))
        power = power * distance
    return np.stack(out, axis=1)


def _kernel(grid, h):
    return np.exp(-0.5 * ((grid[None, :] - grid[:, None]) / h) ** 2)


def _hankel(moments, degree):
    index = np.arange(degree + 1)
    return moments[:, index[:, None] + index[None, :]]


def _curvature(grid, count, total, h):
    """Mean squared second derivative of a local cubic fit, ends dropped."""
    kernel = _kernel(grid, h)
    left = _hankel(_moments(grid, count, kernel, 6), 3)
    right = _moments(grid, total, kernel, 3)
    try:
        second = 2 * np.linalg.solve(left, right[:, :, None])[:, 2, 0]
    except np.linalg.LinAlgError:
        return np.nan
    cut = int(0.05 * _GRID)
    inner = slice(cut, _GRID - cut)
    return float((second[inner] ** 2 * count[inner]).sum() / count.sum())


def _variance(grid, count, total, h, y):
    """Noise variance from a local linear fit, with its degrees of freedom."""
    if not np.isfinite(h):
        return np.nan
    kernel = _kernel(grid, h)
    left = _hankel(_moments(grid, count, kernel, 2), 1)
    right = _moments(grid, total, kernel, 1)
    try:
        inverse = np.linalg.inv(left)
    except np.linalg.LinAlgError:
        return np.nan
    fit = (inverse[:, 0] * right).sum(axis=1)
    middle = _hankel(_moments(grid, count, kernel**2, 2), 1)
    trace = inverse[:, 0, 0]
    trace2 = np.einsum("gi,gij,gj->g", inverse[:, 0], middle, inverse[:, 0])
    rss = (y**2).sum() - 2 * (fit * total).sum() + (fit**2 * count).sum()
    return rss / (len(y) - 2 * (trace * count).sum() + (trace2 * count).sum())


def leave_one_out_bandwidth(x, y, *, n_candidates=25):
    """Bandwidth of a Nadaraya-Watson fit by leave-one-out squared error.

    Parameters
    ----------
    x : array_like, shape (n,) or (n, d)
        Features, in comparable units.
    y : array_like, shape (n,)
        Response.
    n_candidates : int
        Bandwidths tried, on a log grid from 1/200 to 1/2 of the range.

    Returns
    -------
    float
        The best candidate.
    """
    x, y = np.asarray(x, dtype=float), check_1d(y, "y")
    x = x[:, None] if x.ndim == 1 else x
    check_same_length(x=x, y=y)
    span = np.ptp(x, axis=0).max(initial=0.0)
    if span <= 0:
        return 1.0  # one feature value: every kernel gives the overall share
    candidates = span * np.geomspace(1 / 200, 1 / 2, n_candidates)
    square = -0.5 * cdist(x, x, "sqeuclidean")
    np.fill_diagonal(square, -np.inf)
    errors = []
    for h in candidates:
        exponent = square / h**2
        kernel = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        errors.append(((y - kernel @ y / kernel.sum(axis=1)) ** 2).mean())
    return float(candidates[int(np.argmin(errors))])
