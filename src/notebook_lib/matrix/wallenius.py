"""How likely is the observed set, with one group swapped against another?

The set of observed cells follows Wallenius' law: weighted draws without replacement.
Its probability is an integral (Proposition 2). A generalised Laplace approximation
turns the ratio of two such probabilities into a closed form once a scale ``h`` is
found (Section 4.1 and A2.3 of Liang et al. 2024); quadrature gives it to rounding.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

__all__ = [
    "exact_log_ratios",
    "laplace_log_odds",
    "laplace_scale",
    "log_probability",
]


def laplace_scale(observed_weights, missing_total, *, tol=1e-12, max_steps=60):
    """Scale ``h`` at which the integrand of Proposition 2 peaks at one half.

    Root of ``z(h) = delta - 1/h - sum_x w_x / (2^(h w_x) - 1)``, which is increasing
    and concave. Newton's steps from ``1/delta`` climb to it without overshooting; from
    the right of the root they may leave the domain.

    Parameters
    ----------
    observed_weights : array_like
        Weights of the observed cells, > 0.
    missing_total : float
        ``delta``, the sum of the weights of the missing cells, > 0.
    tol : float
        Relative step at which Newton stops.
    max_steps : int
        Newton steps before bisection takes over.

    Returns
    -------
    float
        The root, in ``(1/delta, (1 + n_obs / log 2) / delta]``.

    Raises
    ------
    ValueError
        If `missing_total` is not positive or a weight is not.
    """
    weights, counts = np.unique(np.ravel(observed_weights), return_counts=True)
    delta = float(missing_total)
    if not (delta > 0 and np.isfinite(delta)):
        raise ValueError(
            "the missing cells must carry positive, finite weight, got "
            f"missing_total={delta:g}: give the sum of their weights"
        )
    if weights[0] <= 0:
        raise ValueError(
            f"observed_weights must be positive, got {weights[0]:g}: leave out cells "
            "of weight 0, which are never observed"
        )
    low = 1 / delta
    high = (1 + counts.sum() / np.log(2)) / delta

    def z(h):
        return delta - 1 / h - (counts * weights / _pow2m1(h * weights)).sum()

    def slope(h):
        x = h * weights
        ratio = (weights / _pow2m1(x)) ** 2 * np.exp2(np.minimum(x, 500))
        return 1 / h**2 + np.log(2) * (counts * ratio).sum()

    h = low
    for _ in range(max_steps):
        step = z(h) / slope(h)
        new = h - step
        if not low <= new <= high:
            break
        if abs(step) <= tol * new:
            return float(new)
        h = new
    return float(brentq(z, low, high * (1 + 1e-9), xtol=1e-300, rtol=4e-15))


def _pow2m1(x):
    """``2**x - 1`` without cancellation, capped so that nothing overflows."""
    return np.expm1(np.minimum(x, 500) * np.log(2))


def laplace_log_odds(weights, h):
    """Log odds of a cell being missing, ``-log(2^(h w) - 1)``.

    The Laplace approximation of Liang et al. (2024, equation 18) is a ratio of
    products of these odds times ``1 + d_i / delta``: the weights of Gui, Barber and Ma
    (2023), with ``1 - 2^(-h w)`` in the place of the probability of observation.

    Parameters
    ----------
    weights : array_like
        Sampling weights, >= 0.
    h : float
        From :func:`laplace_scale`.

    Returns
    -------
    ndarray
        Log odds; ``inf`` where the weight is 0.
    """
    x = h * np.asarray(weights, dtype=float)
    with np.errstate(divide="ignore"):
        # For large x the minus one is lost anyway, and 2**x overflows.
        return np.where(x > 50, -x * np.log(2), -np.log(_pow2m1(x)))


def _log_one_minus_exp(x):
    """``log(1 - exp(-x))`` for x >= 0."""
    with np.errstate(divide="ignore"):
        return np.log(-np.expm1(-x))


def log_probability(observed_weights, missing_total, *, n_points=None):
    """Log probability that exactly these cells are the observed ones.

    Parameters
    ----------
    observed_weights : array_like
        Weights of the observed cells, > 0.
    missing_total : float
        Sum of the weights of the missing cells, > 0.
    n_points : int, optional
        Quadrature points; by default as many as rounding accuracy needs.

    Returns
    -------
    float
        Log probability of the unordered set.

    Notes
    -----
    Proposition 2 with ``tau = exp(-t / h)`` is the race itself: every observed clock
    rings before the first missing one. In ``log t`` the integrand is smooth and falls
    off exponentially, so the trapezoidal rule converges to rounding error.
    """
    weights = np.ravel(np.asarray(observed_weights, dtype=float))
    return float(_Grid(weights, float(missing_total), n_points).log_integral)


class _Grid:
    """Quadrature nodes in ``s = log t`` for the race integral and its swaps.

    ``smallest`` is the least total weight that the missing cells keep after a swap:
    it sets how far the slowest tail reaches.
    """

    def __init__(self, weights, delta, n_points=None, *, smallest=None):
        self.weights, self.counts = np.unique(weights, return_counts=True)
        self.delta = delta
        slowest = min(delta if smallest is None else smallest, delta)
        peak = np.log(laplace_scale(weights, delta) * np.log(2))
        # The peak is about 1 / sqrt(n) wide in log t, wider for a handful of cells.
        step = min(0.1, 0.25 / np.sqrt(len(weights)))
        low = self._edge(peak, -step, delta)
        high = self._edge(peak, step, slowest)
        size = n_points or int(np.ceil((high - low) / step)) + 1
        nodes = np.linspace(low, high, size)
        self.t = np.exp(nodes)
        self.log_mass = np.array([self._log_integrand(s, delta) for s in nodes])
        self.log_mass += np.log(nodes[1] - nodes[0])
        self.log_integral = float(logsumexp(self.log_mass))

    def _log_integrand(self, s, delta):
        t = np.exp(s)
        rung = (self.counts * _log_one_minus_exp(t * self.weights)).sum()
        return np.log(delta) + s - delta * t + rung

    def _edge(self, s, step, delta):
        """First place beyond `s` where the integrand is e^-60 of what it was."""
        top = value = self._log_integrand(s, delta)
        while value > top - 60:
            s, step = s + step, 1.2 * step
            value = self._log_integrand(s, delta)
            top = max(top, value)
        return s


def exact_log_ratios(observed_weights, missing_total, calibration, tests):
    """Log of the probability of each swapped observed set, relative to the real one.

    Parameters
    ----------
    observed_weights : array_like
        Weights of all observed cells.
    missing_total : float
        Sum of the weights of the missing cells.
    calibration : array_like, shape (n, K)
        Weights of the cells of the calibration groups.
    tests : array_like, shape (m, K)
        Weights of the cells of the test groups.

    Returns
    -------
    ndarray, shape (m, n)
        ``log P(D_obs + test_j - cal_i) - log P(D_obs)``; the exact counterpart of the
        Laplace ratio ``log eta_i(1/2; h)``.

    Notes
    -----
    The integrand splits into a calibration part and a test part, so that all pairs
    come out of one matrix product over the quadrature nodes.
    """
    weights = np.ravel(np.asarray(observed_weights, dtype=float))
    calibration, tests = np.asarray(calibration, float), np.asarray(tests, float)
    delta = float(missing_total)
    gained, lost = calibration.sum(axis=1), tests.sum(axis=1)
    smallest = max(delta + gained.min() - lost.max(), gained.min(), 1e-12 * delta)
    grid = _Grid(weights, delta, smallest=smallest)
    share = grid.log_mass - grid.log_integral
    left = _log_swap(tests, grid.t)
    right = _log_swap(calibration, grid.t)
    # Scale each row by its largest node, or the products of odds overflow.
    row = share + left
    row_top = row.max(axis=1, keepdims=True)
    column = -right
    column_top = column.max(axis=1, keepdims=True)
    product = np.exp(row - row_top) @ np.exp(column - column_top).T
    shift = np.log1p((gained[None, :] - lost[:, None]) / delta)
    with np.errstate(divide="ignore"):
        return np.log(product) + row_top + column_top.T + shift


def _log_swap(groups, t):
    """``sum_k log(1 - exp(-w t)) + t sum_k w`` for each group and node."""
    exponent = groups[:, :, None] * t
    return (_log_one_minus_exp(exponent) + exponent).sum(axis=1)
