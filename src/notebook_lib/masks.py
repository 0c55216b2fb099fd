"""Masks of missing covariates: encode, group and order them; make them at will.

A mask is boolean with True for missing. Missing values are NaN in arrays.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = [
    "MaskGroups",
    "all_masks",
    "encode_masks",
    "group_masks",
    "hide",
    "is_submask",
    "mask_label",
    "missing_mask",
]

_MAX_BITS = 62  # bits of a positive int64, with one to spare


def check_mask(mask, name="mask"):
    """Return a two-dimensional boolean mask, refusing anything but 0, 1 and bool."""
    array = np.asarray(mask)
    if array.dtype != bool:
        try:
            numbers = array.astype(float)
        except (TypeError, ValueError):
            raise ValueError(
                f"{name} must be boolean (True = missing), got dtype {array.dtype}: "
                "fill what is unknown and use astype(bool)"
            ) from None
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise ValueError(
                f"{name} must hold only True/False or 1/0: give True where an entry is "
                "missing"
            )
        array = numbers.astype(bool)
    if array.ndim != 2:
        raise ValueError(
            f"{name} must have shape (n, d), got {array.shape}: use reshape(-1, 1) for "
            "one column, reshape(1, -1) for one row"
        )
    return array


def missing_mask(X):
    """Mask of a table: True where an entry is missing.

    Parameters
    ----------
    X : array_like or DataFrame, shape (n, d)
        Numbers (or objects) with NaN, None or NA for missing entries.

    Returns
    -------
    ndarray of bool, shape (n, d)
        The mask.

    Examples
    --------
    >>> missing_mask([[1.0, float("nan")], [2.0, 3.0]])
    array([[False,  True],
           [False, False]])
    """
    if isinstance(X, pd.DataFrame):
        return X.isna().to_numpy(dtype=bool)
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(
            f"X must have shape (n, d), got {X.shape}: use reshape(-1, 1) for one "
            "column, reshape(1, -1) for one row"
        )
    return np.asarray(pd.isna(X), dtype=bool)


def hide(X, mask):
    """Copy of `X` with NaN under the mask, and nothing else changed.

    Parameters
    ----------
    X : array_like, shape (n, d)
        Numbers.
    mask : array_like of bool, shape (n, d) or (d,)
        True where to hide.

    Returns
    -------
    ndarray, shape (n, d)
        The table with the entries hidden.
    """
    X = np.array(X, dtype=float)
    mask = np.asarray(mask)
    if mask.dtype != bool:
        mask = check_mask(np.atleast_2d(mask))
    X[np.broadcast_to(mask, X.shape)] = np.nan
    return X


def is_submask(a, b):
    """Whether everything that mask `a` hides is hidden by `b` too.

    Parameters
    ----------
    a, b : array_like of bool, shapes (..., d)
        Masks; leading axes broadcast.

    Returns
    -------
    bool or ndarray of bool, shape (...)
        ``a`` is included in ``b`` (not strictly).

    Examples
    --------
    >>> is_submask([False, True], [True, True])
    True
    >>> is_submask([[True, False], [False, False]], [False, True])
    array([False,  True])
    """
    a, b = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    inside = ~(a & ~b).any(axis=-1)
    return bool(inside) if inside.ndim == 0 else inside


def encode_masks(mask):
    """One integer a mask, equal for equal masks.

    Parameters
    ----------
    mask : array_like of bool, shape (n, d)
        True where an entry is missing.

    Returns
    -------
    ndarray of int64, shape (n,)
        For ``d <= 62`` column ``j`` is bit ``j``, so that ``a & ~b == 0`` says that
        mask ``a`` is included in ``b`` and ``a | b`` hides what either hides. For
        more columns the codes number the distinct masks of this call, and only
        equality means anything.
    """
    mask = check_mask(mask)
    if mask.shape[1] <= _MAX_BITS:
        return mask @ (np.int64(1) << np.arange(mask.shape[1], dtype=np.int64))
    return np.unique(np.packbits(mask, axis=1), axis=0, return_inverse=True)[1].ravel()


class MaskGroups(NamedTuple):
    """Rows grouped by their mask.

    Attributes
    ----------
    patterns : ndarray of bool, shape (G, d)
        The distinct masks.
    labels : ndarray of int, shape (n,)
        Index into `patterns` for each row.
    counts : ndarray of int, shape (G,)
        Rows that share each mask.
    """

    patterns: np.ndarray
    labels: np.ndarray
    counts: np.ndarray


def group_masks(mask):
    """Distinct masks, and which row has which.

    Parameters
    ----------
    mask : array_like of bool, shape (n, d)
        True where an entry is missing.

    Returns
    -------
    MaskGroups
        Patterns in a fixed order (fewest missing first), labels and counts.
    """
    mask = check_mask(mask)
    codes = encode_masks(mask)
    _, first, labels, counts = np.unique(
        codes, return_index=True, return_inverse=True, return_counts=True
    )
    patterns = mask[first]
    # The order must not depend on which rows are in the batch.
    order = np.lexsort((*patterns.T[::-1], patterns.sum(axis=1)))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return MaskGroups(patterns[order], place[labels.ravel()], counts[order])


def mask_label(mask):
    """Text of a mask, left to right in column order, ``"010"``.

    Parameters
    ----------
    mask : array_like of bool, shape (d,)
        True where an entry is missing.

    Returns
    -------
    str
        One character a column, ``1`` for missing.
    """
    return "".join("1" if missing else "0" for missing in np.asarray(mask, dtype=bool))


def all_masks(d):
    """All masks of `d` columns, fewest missing first.

    Parameters
    ----------
    d : int
        Number of columns, at most 20.

    Returns
    -------
    ndarray of bool, shape (2**d, d)
        The masks.
    """
    if not 1 <= d <= 20:
        raise ValueError(
            f"d must lie in 1..20 (there are 2**d masks), got {d}: use fewer columns"
        )
    codes = np.arange(2**d, dtype=np.int64)
    return group_masks((codes[:, None] >> np.arange(d)) & 1).patterns
