"""How good is the imputed class? Alignment of labels and the blueprint's metrics.

Fitted classes carry no names. They are matched to the true ones for these
metrics only; predictions never need the match.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from .._validation import check_2d


def align_classes(tau, z) -> np.ndarray:
    """Match fitted classes to true ones (Hungarian assignment).

    The match maximises the number of rows whose hard label agrees with ``z``.
    Find it on the training split, apply it to any other.

    Parameters
    ----------
    tau : array-like of shape (n, K)
        Fitted responsibilities.
    z : array-like of shape (n,)
        True classes in ``0 .. K-1``.

    Returns
    -------
    order : ndarray of shape (K,)
        ``tau[:, order]`` has its columns in the order of the true classes.
    """
    tau, z = _check(tau, z)
    n_classes = tau.shape[1]
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (z, tau.argmax(axis=1)), 1)
    return linear_sum_assignment(-table)[1]


def imputation_quality(tau, z) -> dict[str, float]:
    """The blueprint's four measures of imputation quality (section 2, Metrics).

    Parameters
    ----------
    tau : array-like of shape (n, K)
        Responsibilities, columns in the order of the true classes
        (see :func:`align_classes`).
    z : array-like of shape (n,)
        True classes in ``0 .. K-1``.

    Returns
    -------
    dict
        ``accuracy`` (share of rows with ``argmax tau = z``),
        ``max_responsibility`` (mean of ``max_k tau_k``), ``cross_entropy``
        (mean of ``-log tau_z``, nats) and ``entropy`` (mean entropy of ``tau``,
        nats). A responsibility that underflowed to zero counts as the smallest
        positive double in the logarithm.

    Raises
    ------
    ValueError
        If shapes disagree or ``z`` holds a class that ``tau`` has no column for.
    """
    tau, z = _check(tau, z)
    logs = np.log(np.maximum(tau, np.finfo(float).tiny))
    return {
        "accuracy": float((tau.argmax(axis=1) == z).mean()),
        "max_responsibility": float(tau.max(axis=1).mean()),
        "cross_entropy": float(-logs[np.arange(len(z)), z].mean()),
        "entropy": float(-(tau * logs).sum(axis=1).mean()),
    }


def attenuation_matrix(tau) -> np.ndarray:
    """``W`` with ``W[k, l] = E[tau_k tau_l] / E[tau_k]``, rows summing to one.

    The blueprint's EM-soft estimates ``W beta``, not ``beta`` (our addition;
    derived in chapter 1). Means are taken over the rows of ``tau``. A class
    that no row has any responsibility for is left alone: its row of ``W`` is
    that of the identity.

    Parameters
    ----------
    tau : array-like of shape (n, K)

    Returns
    -------
    ndarray of shape (K, K)
    """
    tau = check_2d(tau, "tau")
    mass = tau.sum(axis=0)
    products = tau.T @ tau
    empty = mass <= 0
    products[empty, empty] = 1.0
    return products / np.where(empty, 1.0, mass)[:, None]


def efficiency_gap(lengths, oracle_lengths) -> float:
    """Mean length minus the oracle's mean length (blueprint, Metrics).

    Parameters
    ----------
    lengths, oracle_lengths : array-like
        Lengths of the sets, in the units of the outcome.

    Returns
    -------
    float
    """
    return float(np.mean(lengths) - np.mean(oracle_lengths))


def _check(tau, z) -> tuple[np.ndarray, np.ndarray]:
    tau, z = check_2d(tau, "tau"), np.asarray(z)
    if z.shape != (len(tau),):
        raise ValueError(
            f"z must have shape ({len(tau)},), got {z.shape}: give one class a row."
        )
    if z.size and not (z.min() >= 0 and z.max() < tau.shape[1]):
        raise ValueError(
            f"z must hold classes 0 .. {tau.shape[1] - 1}, the columns of tau; got "
            f"values from {z.min()} to {z.max()}: number the classes from 0."
        )
    return tau, z.astype(int)
