"""Simultaneous conformal thresholds for missing outcomes: naive, (9), pro-CP.

Every function takes scores of the rows whose outcome was seen (calibration), bin
labels of these and of the rows whose outcome is missing (test), and returns one
threshold ``q`` a test point. The prediction set is ``{y : s(x, y) <= q}``; ``inf``
stands for the set of all outcomes. Source: Lee, Dobriban and Tchetgen Tchetgen,
sections 2.2-2.3 and Algorithm 1, with the numbers of test points (superscript 0)
and calibration points (superscript 1) named as in section 2.2.1 throughout.
"""

import numpy as np

from .._validation import check_alpha, check_same_length
from ..exceptions import warn_infinite
from ..quantiles import as_fraction, conformal_rank
from .bins import bin_layout, check_labels

__all__ = ["mass_at_infinity", "naive_threshold", "procp_threshold"]

TOLERANCE = 1e-9  # a cumulative mass this close to the level has reached it
_BLOCK = 2_000_000  # entries of a (cells, replications, scores) array held at once
_VARIANTS = ("paper", "one_rep")


def check_scores(scores, n_bins, *, allow_infinite=False):
    """Return scores as (R, n_cal) and whether they came as one row."""
    try:
        scores = np.asarray(scores, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"scores must hold numbers only: drop the rest ({error})"
        ) from None
    if scores.ndim not in (1, 2):
        raise ValueError(
            f"scores must have shape (n,) or (R, n), got {scores.shape}: give one "
            "score for each calibration row"
        )
    rows = scores if scores.ndim == 2 else scores[None]
    check_same_length(scores=rows[0] if len(rows) else (), bins=range(n_bins))
    if scores.size and not np.isfinite(scores.sum()):
        if np.isnan(scores).any():
            raise ValueError(
                f"scores holds {int(np.isnan(scores).sum())} NaN: an outcome or a "
                "prediction is missing in a calibration row; drop those rows"
            )
        if np.isneginf(scores).any():
            raise ValueError(
                f"scores holds {int(np.isneginf(scores).sum())} values of -inf: drop "
                "those rows, or repair the score"
            )
        if np.isposinf(scores).any() and not allow_infinite:
            raise ValueError(
                f"scores holds {int(np.isposinf(scores).sum())} infinite values; "
                "pass allow_infinite=True if that is meant: they join the mass at "
                "infinity"
            )
    return rows, scores.ndim == 1


def check_choice(value, choices, name):
    """Refuse a word that is not among the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return value


def one_alpha(alpha):
    """Return one level as an exact fraction in (0, 1)."""
    levels = check_alpha(alpha)
    if len(levels) > 1:
        raise ValueError(
            f"alpha must be one level here, got {len(levels)}: call once for each level"
        )
    return as_fraction(levels[0])


def safe_divide(numerator, denominator):
    """Quotient that is 0 where the denominator is 0 (no points, no mass)."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, float), np.asarray(denominator, float)
    )
    return np.divide(
        numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0
    )


def naive_threshold(scores, bins, test_bins, alpha, *, allow_infinite=False):
    """Split conformal thresholds run separately in each bin: equation (7).

    Parameters
    ----------
    scores : array_like, shape (n_cal,) or (R, n_cal)
        Calibration scores; rows of a table are replications with the same bins.
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.
    alpha : float
        Miscoverage level in (0, 1).
    allow_infinite : bool
        Whether scores may be ``+inf``.

    Returns
    -------
    ndarray, shape (m,) or (R, m)
        The ``ceil((1 - alpha)(N + 1))``-th smallest score of the test point's bin,
        with ``N`` its calibration points; ``inf`` if that rank exceeds ``N``.

    Raises
    ------
    ValueError
        If scores, labels or `alpha` are out of range.
    """
    alpha = one_alpha(alpha)
    bins, test_bins = check_labels(bins, "bins"), check_labels(test_bins, "test_bins")
    rows, single = check_scores(scores, len(bins), allow_infinite=allow_infinite)
    layout = bin_layout(bins, test_bins)
    # Sorting by bin, then score, makes each bin a run of sorted scores.
    ordered = np.stack(
        [row[np.lexsort((row, layout.cal_bin))] for row in rows]
    ).reshape(rows.shape)
    start = np.cumsum(layout.n_cal) - layout.n_cal
    rank = conformal_rank(layout.n_cal, alpha)
    finite = rank <= layout.n_cal
    table = np.full((len(rows), len(layout.labels)), np.inf)
    table[:, finite] = ordered[:, (start + rank - 1)[finite]]
    out = table[:, layout.test_bin]
    n_short = int((~finite[layout.test_bin]).sum())
    if n_short:
        warn_infinite(
            n_short,
            len(test_bins),
            f"their bins hold fewer than 1/alpha - 1 = {float(1 / alpha - 1):.4g} "
            "calibration points; use pro-CP, which pools bins, or wider bins",
        )
    return out[0] if single else out


def _representatives(n_test, variant):
    """Test points of a bin that enter its denominator."""
    return n_test if variant == "paper" else np.minimum(n_test, 1)


def procp_weights(n_cal, n_test, variant):
    """Mass of one calibration score of each bin (L, M), and mass at infinity (L,)."""
    extra = _representatives(n_test, variant)
    size = n_test.sum(axis=1, keepdims=True)
    weights = safe_divide(n_test, size * (n_cal + extra))
    return weights, (weights * extra).sum(axis=1)


def mass_at_infinity(bins, test_bins, *, cells=None, variant="paper"):
    """Share of the mass that pro-CP puts at infinity, for each cell.

    The thresholds of a cell are finite exactly if this is at most ``alpha``.

    Parameters
    ----------
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.
    cells : array_like of int, shape (m,), optional
        Cells of test points.
    variant : {"paper", "one_rep"}
        As in :func:`procp_threshold`.

    Returns
    -------
    float or ndarray, shape (L,)
        ``F = sum_k N_k0^2 / (m N_k)`` for ``"paper"``, ``sum_k N_k0/(m (N_k1 + 1))``
        for ``"one_rep"``; one number without cells.
    """
    check_choice(variant, _VARIANTS, "variant")
    layout = bin_layout(bins, test_bins, cells)
    share = procp_weights(layout.n_cal, layout.n_test, variant)[1]
    return share if cells is not None else (float(share[0]) if len(share) else 0.0)


def procp_threshold(
    scores,
    bins,
    test_bins,
    alpha,
    *,
    cells=None,
    variant="paper",
    allow_infinite=False,
):
    """Thresholds of the simultaneous set (9), and of pro-CP (11) on propensity bins.

    Parameters
    ----------
    scores : array_like, shape (n_cal,) or (R, n_cal)
        Calibration scores; rows of a table are replications with the same bins.
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Labels: distinct features for (9), :func:`odds_bins` for pro-CP.
    alpha : float
        Miscoverage level in (0, 1).
    cells : array_like of int, shape (m,), optional
        Partition of the test points (Algorithm 1); each cell is treated alone, with
        all calibration points. It may depend on features, never on outcomes.
    variant : {"paper", "one_rep"}
        ``"paper"`` is the printed formula: a calibration score of bin ``k`` weighs
        ``N_k0 / (m N_k)``. ``"one_rep"`` weighs it ``N_k0 / (m (N_k1 + 1))``: equally
        valid, never wider, and what the authors' code runs.
    allow_infinite : bool
        Whether scores may be ``+inf``; they join the mass at infinity.

    Returns
    -------
    ndarray, shape (m,) or (R, m)
        One threshold a test point, shared inside a cell; ``inf`` where the mass at
        infinity exceeds ``alpha``.

    Raises
    ------
    ValueError
        If scores, labels, cells, `alpha` or `variant` are out of range.

    Notes
    -----
    One sort for all cells, then cumulative sums: ``O(n log n + L n)``. Guarantee:
    ``E[share of missed test points | bins] <= alpha + sharp_slack(epsilon)``
    (Theorem 2), and ``<= alpha`` if outcomes are exchangeable inside a bin
    (Theorem 1).

    Examples
    --------
    >>> import numpy as np
    >>> bins, test_bins = np.repeat([0, 1], 6), np.array([0, 1])
    >>> scores = np.arange(1.0, 13.0)
    >>> procp_threshold(scores, bins, test_bins, alpha=0.25)
    array([11., 11.])
    """
    alpha = one_alpha(alpha)
    check_choice(variant, _VARIANTS, "variant")
    layout = bin_layout(bins, test_bins, cells)
    rows, single = check_scores(scores, len(bins), allow_infinite=allow_infinite)
    weights, infinity = procp_weights(layout.n_cal, layout.n_test, variant)
    level = np.full(len(weights), float(1 - alpha))
    table = first_to_reach(rows, layout.cal_bin, weights, level)
    _warn_trivial(layout, infinity, float(alpha), table, variant)
    out = table[:, layout.cell]
    return out[0] if single else out


def first_to_reach(rows, cal_bin, weights, level):
    """Smallest score at which the mass of each cell reaches its level.

    Parameters
    ----------
    rows : ndarray, shape (R, n)
        Scores.
    cal_bin : ndarray of int, shape (n,)
        Bin of each score.
    weights : ndarray, shape (L, M)
        Mass of one score of each bin, by cell.
    level : ndarray, shape (L,)
        Masses to reach.

    Returns
    -------
    ndarray, shape (R, L)
        Scores, ``inf`` where the level is never reached.
    """
    n_rows, n = rows.shape
    if n_rows == 1 and len(weights) == 1:  # the common call, without the overhead
        order = np.argsort(rows[0], kind="stable")
        mass = np.cumsum(weights[0][cal_bin[order]])
        at = np.searchsorted(mass, level[0] - TOLERANCE)
        return np.array([[rows[0, order[at]] if at < n else np.inf]])
    order = np.argsort(rows, axis=1, kind="stable")
    padded = np.append(
        np.take_along_axis(rows, order, axis=1), np.full((n_rows, 1), np.inf), axis=1
    )
    bin_of = cal_bin[order]
    out = np.empty((n_rows, len(weights)))
    step = max(1, _BLOCK // max(n_rows * n, 1))
    for first in range(0, len(weights), step):
        block = slice(first, first + step)
        mass = np.cumsum(weights[block][:, bin_of], axis=2)
        at = (mass < (level[block] - TOLERANCE)[:, None, None]).sum(axis=2)
        out[:, block] = np.take_along_axis(padded, at.T, axis=1)
    return out


def _warn_trivial(layout, infinity, alpha, table, variant):
    trivial = np.isinf(table).any(axis=0) & (infinity > alpha + TOLERANCE)
    if not trivial.any():
        return
    hint = (
        "variant='one_rep', more cells, or a larger epsilon"
        if variant == "paper"
        else "a larger epsilon (see suggest_epsilon), or a cell of their own for rows "
        "whose bins hold few calibration points"
    )
    warn_infinite(
        int(trivial[layout.cell].sum()),
        len(layout.cell),
        f"in {int(trivial.sum())} of {len(trivial)} cells the mass at infinity (up to "
        f"{infinity.max():.3g}) exceeds alpha = {alpha:g}; try {hint}",
        stacklevel=4,
    )
