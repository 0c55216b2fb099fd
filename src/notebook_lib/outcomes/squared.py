"""pro-CP2: thresholds with squared coverage, in O(n log n).

The guarantee is ``E[miss^2] <= alpha^2`` for the share ``miss`` of missed test
points, which bounds its mean by ``alpha`` and its upper tail by Markov's inequality.
Source: Lee, Dobriban and Tchetgen Tchetgen, appendices B.2-B.3, equations (19)-(23).
"""

import warnings

import numpy as np

from .._validation import check_1d
from ..exceptions import warn_infinite
from .bins import bin_layout
from .thresholds import TOLERANCE, check_choice, check_scores, one_alpha, safe_divide

__all__ = ["cell_levels", "procp2_threshold", "squared_mass_at_infinity"]

_BLOCK = 2_000_000
_VARIANTS = ("paper", "two_rep")


def cell_levels(sizes, alpha, allocation="paper"):
    """Levels of the cells of a partition: equation (21), constant, or given.

    Parameters
    ----------
    sizes : array_like of int, shape (L,)
        Test points of each cell.
    alpha : float
        Overall level in (0, 1).
    allocation : {"paper", "constant"} or array_like, shape (L,)
        ``"paper"``: ``alpha_l = size_l m alpha / sum(size^2)``. ``"constant"``:
        ``alpha``. Or levels whose mean, weighted by size, is at most ``alpha``: any
        of them is valid, by Minkowski's inequality.

    Returns
    -------
    ndarray, shape (L,)
        Levels, cut at 1 with a warning; a cell at level 1 gets empty sets.

    Raises
    ------
    ValueError
        If given levels spend more than `alpha`, or are negative.
    """
    alpha = float(one_alpha(alpha))
    sizes = check_1d(sizes, "sizes")
    if isinstance(allocation, str):
        check_choice(allocation, ("paper", "constant"), "allocation")
        if allocation == "constant" or not len(sizes):
            return np.full(len(sizes), alpha)
        levels = sizes * sizes.sum() * alpha / (sizes**2).sum()
    else:
        levels = check_1d(allocation, "allocation")
        _check_spending(levels, sizes, alpha)
    above = levels > 1
    if above.any():
        warnings.warn(
            f"{int(above.sum())} of {len(levels)} cells have a level above 1 (up to "
            f"{levels.max():.3g}): cut to 1, their sets are empty; "
            "allocation='constant' avoids it",
            stacklevel=3,
        )
    return np.minimum(levels, 1.0)


def _check_spending(levels, sizes, alpha):
    if len(levels) != len(sizes):
        raise ValueError(
            f"allocation has {len(levels)} levels for {len(sizes)} cells: give one "
            "level a cell"
        )
    if (levels < 0).any():
        raise ValueError(
            f"allocation must hold levels >= 0, got {levels.min():g}: raise it to 0"
        )
    spent = float(sizes @ levels / sizes.sum())
    if spent > alpha + TOLERANCE:
        raise ValueError(
            f"allocation spends {spent:.4g} on average over test points, more than "
            f"alpha = {alpha:g}: lower its levels"
        )


def _coefficients(n_cal, n_test, variant):
    """Denominators, and chances that one or two given points of a bin are test."""
    extra = n_test if variant == "paper" else np.minimum(n_test, 2)
    size = n_cal + extra
    single = safe_divide(n_test, size)
    double = safe_divide(n_test * (n_test - 1), size * (size - 1))
    return size, extra, single, double


def _second_moment(exceeding, single, double):
    """Second moment of the number of missed test points, given counts per bin."""
    first = single * exceeding
    own = first + double * exceeding * (exceeding - 1) - first**2
    return first.sum(axis=-1) ** 2 + own.sum(axis=-1)


def squared_mass_at_infinity(bins, test_bins, *, cells=None, variant="paper"):
    """Mass at infinity of the law of the smaller of two scores, for each cell.

    The thresholds of a cell are finite exactly if this is at most its level squared.

    Parameters
    ----------
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.
    cells : array_like of int, shape (m,), optional
        Cells of test points.
    variant : {"paper", "two_rep"}
        As in :func:`procp2_threshold`.

    Returns
    -------
    float or ndarray, shape (L,)
        The mass ``F_2``; one number without cells.
    """
    check_choice(variant, _VARIANTS, "variant")
    layout = bin_layout(bins, test_bins, cells)
    _, extra, single, double = _coefficients(layout.n_cal, layout.n_test, variant)
    m = layout.n_test.sum(axis=1)
    share = safe_divide(_second_moment(extra, single, double), m**2)
    return share if cells is not None else (float(share[0]) if len(share) else 0.0)


def procp2_threshold(
    scores,
    bins,
    test_bins,
    alpha,
    *,
    cells=None,
    allocation="paper",
    variant="paper",
    allow_infinite=False,
):
    """Thresholds of the squared-coverage set (19), and of pro-CP2 (22), (23).

    Parameters
    ----------
    scores : array_like, shape (n_cal,) or (R, n_cal)
        Calibration scores; rows of a table are replications with the same bins.
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.
    alpha : float
        Level in (0, 1); the square of the missed share has mean at most its square.
    cells : array_like of int, shape (m,), optional
        Partition of the test points.
    allocation : {"paper", "constant"} or array_like, shape (L,)
        Levels of the cells, see :func:`cell_levels`. An array follows the sorted
        cell numbers.
    variant : {"paper", "two_rep"}
        ``"two_rep"`` replaces ``N_k`` by ``N_k1 + min(N_k0, 2)``: equally valid,
        never wider, and often finite without a partition.
    allow_infinite : bool
        Whether scores may be ``+inf``.

    Returns
    -------
    ndarray, shape (m,) or (R, m)
        One threshold a test point, shared inside a cell; ``inf`` where the mass at
        infinity exceeds the squared level, ``-inf`` (empty) at a level of 1.

    Raises
    ------
    ValueError
        If scores, labels, cells, levels or `variant` are out of range.

    Notes
    -----
    The law of the smaller of two scores has ``n^2`` atoms, but its tail beyond ``t``
    depends only on the number ``e_k(t)`` of scores above ``t`` in each bin. Walking
    through the sorted scores changes one count by one, so two cumulative sums give
    the tail everywhere.
    """
    alpha = one_alpha(alpha)
    check_choice(variant, _VARIANTS, "variant")
    layout = bin_layout(bins, test_bins, cells)
    rows, single = check_scores(scores, len(bins), allow_infinite=allow_infinite)
    levels = cell_levels(layout.n_test.sum(axis=1), alpha, allocation)
    table = squared_thresholds(rows, layout, levels, variant)
    _warn_trivial(layout, levels, table, variant)
    out = table[:, layout.cell]
    return out[0] if single else out


def _rank_in_bin(bin_of, n_cal):
    """Rank of each sorted score inside its bin, from 0, for each replication."""
    order = np.argsort(bin_of, axis=1, kind="stable")
    run = np.repeat(np.arange(len(n_cal)), n_cal)  # the same in every replication
    start = np.cumsum(n_cal) - n_cal
    rank = np.empty_like(bin_of)
    ranks = np.broadcast_to(np.arange(bin_of.shape[1]) - start[run], bin_of.shape)
    np.put_along_axis(rank, order, ranks, axis=1)
    return rank


def squared_thresholds(rows, layout, levels, variant):
    """Thresholds (R, L) of scores (R, n) at the levels (L,) of the cells."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    padded = np.append(ordered, np.full((len(rows), 1), np.inf), axis=1)
    bin_of = layout.cal_bin[order]
    rank = _rank_in_bin(bin_of, layout.n_cal)
    out = np.empty((len(rows), len(levels)))
    step = max(1, _BLOCK // max(rows.size, 1))
    for first in range(0, len(levels), step):
        block = slice(first, first + step)
        at = _steps_needed(bin_of, rank, layout, block, levels[block], variant)
        out[:, block] = np.take_along_axis(padded, at.T, axis=1)
    out[:, levels >= 1] = -np.inf
    return out


def _steps_needed(bin_of, rank, layout, block, levels, variant):
    """How many sorted scores lie before the threshold, (L, R)."""
    n_test = layout.n_test[block]
    size, _, single, double = _coefficients(layout.n_cal, n_test, variant)
    m = n_test.sum(axis=1)[:, None, None]
    one, two = single[:, bin_of], double[:, bin_of]
    exceeding = size[:, bin_of] - rank
    own = (single * size + double * size * (size - 1) - (single * size) ** 2).sum(1)
    mean = m - np.cumsum(one, axis=2)
    step = one + 2 * two * (exceeding - 1) - one**2 * (2 * exceeding - 1)
    spread = own[:, None, None] - np.cumsum(step, axis=2)
    above = (mean**2 + spread) / m**2 > (levels**2)[:, None, None] + TOLERANCE
    # The tail falls along the scores, but rounding may wobble: take the first hit.
    reached = np.argmin(above, axis=2) if above.shape[2] else 0
    return np.where(above.all(axis=2), above.shape[2], reached)


def _warn_trivial(layout, levels, table, variant):
    trivial = np.isposinf(table).any(axis=0)
    if not trivial.any():
        return
    _, extra, single, double = _coefficients(layout.n_cal, layout.n_test, variant)
    mass = _second_moment(extra, single, double) / layout.n_test.sum(axis=1) ** 2
    hint = (
        "variant='two_rep', more cells, or a larger epsilon"
        if variant == "paper"
        else "a larger epsilon (see suggest_epsilon), or a cell of their own for rows "
        "whose bins hold few calibration points"
    )
    warn_infinite(
        int(trivial[layout.cell].sum()),
        len(layout.cell),
        f"in {int(trivial.sum())} of {len(trivial)} cells the mass at infinity (up to "
        f"{mass.max():.3g}) exceeds the squared level (down to "
        f"{(levels**2).min():.3g}); try {hint}",
        stacklevel=4,
    )
