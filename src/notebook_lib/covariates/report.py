"""Which mask is in trouble? Coverage and length by mask, on a table of one's own."""

import numpy as np
import pandas as pd
from sklearn.base import clone

from .._labels import check_same_order
from .._once import each_kind_once
from .._validation import check_alpha, check_rng
from ..exceptions import InfiniteSetWarning
from ..intervals import contains, is_infinite, length
from ..masks import encode_masks, group_masks, is_submask, mask_label
from ..quantiles import smallest_calibration_size
from .estimators import CPMDAExact, CPMDANestedStar, ImputedSplitRegressor
from .model import as_table, check_outcome

__all__ = ["mask_report"]

#: The verdict is "ok" only if the rows could have shown a coverage this far below.
SHORTFALL = 0.05


def mask_report(
    X, y, *, methods=None, alpha=0.1, n_repeats=10, shares=(0.5, 0.25), rng=0
):
    """Split a table again and again, and report coverage and length by mask.

    Parameters
    ----------
    X : DataFrame or array_like, shape (n, d)
        Covariates, NaN for missing. Columns must hold numbers.
    y : array_like, shape (n,)
        Outcomes, complete.
    methods : dict of str to estimator, optional
        Estimators of this sub-package; by default split CP after imputation,
        CP-MDA-Exact and CP-MDA-Nested* with the adaptive rule, all around linear
        quantile regression.
    alpha : float
        Miscoverage level in (0, 1); set on every method.
    n_repeats : int
        Number of random splits.
    shares : tuple of float
        Shares of rows to train and to calibrate on; the rest is tested.
    rng : numpy.random.Generator or int
        Source of the splits.

    Returns
    -------
    DataFrame
        One row for each method and mask (labels such as ``"010"``, in column order)
        and one for all masks together (``"all"``): ``n_missing``, ``n_rows`` in the
        table, ``usable`` (mean number of calibration rows that CP-MDA-Exact can use),
        ``n_test``, ``coverage``, ``mc_error`` (over distinct rows, splits averaged
        first), ``median_length`` with ``length_low`` and ``length_high`` (order
        statistics around it, about 95 % for that many distinct rows),
        ``share_infinite`` and ``verdict``: ``"undercovers"`` where coverage is below
        the level by more than three errors, ``"too few rows"`` where ``usable`` is
        below ``ceil(1/alpha) - 1`` or fewer than 10 rows were tested, ``"unclear"``
        where the tested rows cannot tell the level from one 0.05 lower (coverage less
        two errors, each at least that of as many independent rows, is below it), else
        ``"ok"``.

    Raises
    ------
    ValueError
        If `y` holds NaN or has the row labels of `X` in another order, an argument is
        out of range, or a column is never observed.

    Notes
    -----
    Rows of one table are tested in several splits, so splits are not independent:
    the error treats each row's average as one value. It does not see that rows share
    calibration sets.
    """
    (level,) = check_alpha(alpha)
    check_same_order(X, y)
    table = as_table(X)
    y = check_outcome(y, len(table))
    methods = _default_methods() if methods is None else methods
    _check_arguments(methods, n_repeats, shares)
    rng, mask = check_rng(rng), np.isnan(table)
    cuts = (np.cumsum(shares) * len(y)).astype(int)
    if not 0 < cuts[0] < cuts[1] < len(y):
        raise ValueError(
            f"X has {len(y)} rows, too few to train, calibrate and test with "
            f"shares={shares!r}: give more rows, or more even shares"
        )
    rows, usable = [], []
    with each_kind_once(leave_out=(InfiniteSetWarning,)):
        for _ in range(n_repeats):
            parts = np.split(rng.permutation(len(y)), cuts)
            usable.append(_usable(mask[parts[1]], mask))
            for name, method in methods.items():
                rows.append(_one_split(name, method, table, y, parts, float(level)))
    frame = pd.concat(rows, ignore_index=True)
    groups = group_masks(mask)
    labels = np.array([mask_label(m) for m in groups.patterns])[groups.labels]
    by_mask = pd.DataFrame({"mask": labels, "usable": np.mean(usable, axis=0)})
    return _summarise(frame, by_mask, float(level))


def _check_arguments(methods, n_repeats, shares):
    if not isinstance(methods, dict) or not methods:
        raise ValueError(
            "methods must be a dictionary of names and estimators, such as "
            f"{{'CP-MDA-Exact': CPMDAExact()}}, got {methods!r}"
        )
    if isinstance(n_repeats, bool) or int(n_repeats) != n_repeats or n_repeats < 1:
        raise ValueError(
            f"n_repeats must be an integer of at least 1, got {n_repeats!r}"
        )
    if np.shape(shares) != (2,) or min(shares) <= 0 or sum(shares) >= 1:
        raise ValueError(
            "shares must be two positive numbers that add up to less than 1, got "
            f"{shares!r}: leave rows to test on, such as shares=(0.5, 0.25)"
        )


def _default_methods():
    return {
        "impute, then CQR": ImputedSplitRegressor(),
        "CP-MDA-Exact": CPMDAExact(),
        "CP-MDA-Nested* (adaptive)": CPMDANestedStar(subsample="adaptive"),
    }


def _usable(M_cal, mask):
    """Calibration rows that CP-MDA-Exact can use, for each row of the table."""
    _, first, inverse = np.unique(
        encode_masks(mask), return_index=True, return_inverse=True
    )
    counts = [int(is_submask(M_cal, mask[i]).sum()) for i in first]
    return np.array(counts)[inverse.ravel()]


def _one_split(name, method, table, y, parts, alpha):
    train, calibrate, test = parts
    model = clone(method).set_params(alpha=alpha)
    model.fit(table[train], y[train]).conformalize(table[calibrate], y[calibrate])
    intervals = model.predict_interval(table[test])[1][:, :, 0]
    return pd.DataFrame(
        {
            "method": name,
            "row": test,
            "covered": contains(intervals, y[test]),
            "length": length(intervals),
            "infinite": is_infinite(intervals),
        }
    )


def _around_median(lengths, n_rows):
    """Two order statistics around the median, as wide as `n_rows` values allow."""
    ordered, reach = np.sort(lengths), 0.98 / np.sqrt(n_rows)
    middle, last = (len(ordered) - 1) // 2, len(ordered) - 1
    low = min(middle, int(np.floor(last * max(0.5 - reach, 0.0))))
    high = max(middle, int(np.ceil(last * min(0.5 + reach, 1.0))))
    return float(ordered[low]), float(ordered[high])


def _verdict(coverage, error, n_rows, alpha, poor):
    """What the rows of one mask say about the level."""
    if coverage + 3 * error < 1 - alpha:
        return "undercovers"
    if poor:
        return "too few rows"
    # Rows that are all covered have no spread, which is not yet certainty.
    error = max(error, np.sqrt(alpha * (1 - alpha) / n_rows))
    return "unclear" if coverage - 2 * error < 1 - alpha - SHORTFALL else "ok"


def _summarise(frame, by_mask, alpha):
    frame = frame.join(by_mask, on="row")
    everything = frame.assign(mask="all")
    frame = pd.concat([everything, frame])
    counts = by_mask["mask"].value_counts()
    counts["all"] = len(by_mask)
    needed = smallest_calibration_size(alpha)
    out = []
    for (method, mask), part in frame.groupby(["method", "mask"], sort=False):
        each = part.groupby("row")["covered"].mean()
        error = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan
        coverage, usable = float(each.mean()), float(part["usable"].mean())
        poor = usable < needed or len(each) < 10
        ends = _around_median(part["length"].to_numpy(), len(each))
        out.append(
            {
                "method": method,
                "mask": mask,
                "n_missing": -1 if mask == "all" else mask.count("1"),
                "n_rows": int(counts[mask]),
                "usable": usable,
                "n_test": len(each),
                "coverage": coverage,
                "mc_error": float(error),
                "median_length": float(np.sort(part["length"])[(len(part) - 1) // 2]),
                "length_low": ends[0],
                "length_high": ends[1],
                "share_infinite": float(part["infinite"].mean()),
                "verdict": _verdict(coverage, error, len(each), alpha, poor),
            }
        )
    table = pd.DataFrame(out).sort_values(
        ["n_missing", "mask"], kind="stable", ignore_index=True
    )
    return table.assign(n_missing=table["n_missing"].clip(lower=0))
