"""Enough overlap? Effective sizes, bins without calibration points, balance."""

import numpy as np
import pandas as pd

from .._validation import check_1d
from .bins import bin_layout, check_propensity, odds_bins
from .propensity import check_indicator
from .squared import squared_mass_at_infinity
from .thresholds import mass_at_infinity
from .weighted import missing_odds

__all__ = [
    "balance_by_bin",
    "bin_table",
    "effective_sample_size",
    "overlap_report",
    "suggest_epsilon",
]

_CANDIDATES = tuple(0.05 * 1.3**k for k in range(20))


def effective_sample_size(weights):
    """Kish's size ``(sum w)^2 / sum w^2`` of a weighted sample.

    Parameters
    ----------
    weights : array_like, shape (n,)
        Weights, >= 0.

    Returns
    -------
    float
        Between 1 and ``n``; 0 without any weight.
    """
    weights = check_1d(weights, "weights")
    square = float((weights**2).sum())
    return float(weights.sum() ** 2 / square) if square else 0.0


def bin_table(bins, test_bins):
    """Calibration and test points of each bin.

    Parameters
    ----------
    bins, test_bins : array_like of int, shape (n_cal,), (m,)
        Bin labels.

    Returns
    -------
    DataFrame
        Indexed by bin: ``n_cal``, ``n_test``.
    """
    layout = bin_layout(bins, test_bins)
    return pd.DataFrame(
        {"n_cal": layout.n_cal, "n_test": layout.n_test.sum(axis=0)},
        index=pd.Index(layout.labels, name="bin"),
    )


def overlap_report(propensity, test_propensity, *, epsilon=0.1):
    """What the data can support, in one column of numbers.

    Parameters
    ----------
    propensity, test_propensity : array_like, shape (n_cal,), (m,)
        Probability of an observed outcome at calibration and test rows.
    epsilon : float
        Bin width.

    Returns
    -------
    Series
        Sizes; range of the test propensities; effective calibration size of weighted
        CP; occupied bins; share of test points in bins without calibration points;
        mass at infinity of pro-CP in both forms (finite sets need it below
        ``alpha``), and its square root for pro-CP2 (same scale).
    """
    propensity = check_propensity(propensity)
    test = check_propensity(test_propensity, "test_propensity")
    bins, test_bins = odds_bins(propensity, epsilon), odds_bins(test, epsilon)
    alone = ~np.isin(test_bins, bins)
    squared = {
        variant: squared_mass_at_infinity(bins, test_bins, variant=variant) ** 0.5
        for variant in ("paper", "two_rep")
    }
    return pd.Series(
        {
            "calibration rows": len(bins),
            "test rows": len(test_bins),
            "lowest test propensity": test.min(initial=np.inf),
            "highest test propensity": test.max(initial=-np.inf),
            "effective calibration rows": effective_sample_size(
                missing_odds(propensity)
            ),
            "occupied bins": len(np.unique(np.concatenate([bins, test_bins]))),
            "test rows without calibration bin": alone.mean() if len(alone) else 0.0,
            "smallest alpha, pro-CP (11)": mass_at_infinity(bins, test_bins),
            "smallest alpha, pro-CP one_rep": mass_at_infinity(
                bins, test_bins, variant="one_rep"
            ),
            "smallest alpha, pro-CP2 (22)": squared["paper"],
            "smallest alpha, pro-CP2 two_rep": squared["two_rep"],
        },
        name="value",
        dtype=float,
    )


def suggest_epsilon(propensity, A, alpha, *, share=0.5, candidates=_CANDIDATES):
    """Smallest bin width that keeps the mass at infinity low, on training rows.

    Parameters
    ----------
    propensity : array_like, shape (n,)
        Probability of an observed outcome at training rows.
    A : array_like of 0/1, shape (n,)
        1 where the outcome is observed.
    alpha : float
        Miscoverage level in (0, 1).
    share : float
        Part of `alpha` that the mass at infinity of the one-representative form may
        take.
    candidates : sequence of float
        Widths to try, in increasing order; from 0.05 in steps of 30 % by default.

    Returns
    -------
    float
        The first width that will do, or the largest.

    Raises
    ------
    ValueError
        If all training rows are of one kind.

    Notes
    -----
    Choose it on training rows: a width picked by looking at the features that are
    calibrated and predicted would no longer be one binning to condition on. The cost
    in coverage is ``sharp_slack(epsilon)``, at most ``epsilon / 4``.
    """
    propensity, A = check_propensity(propensity), check_indicator(A)
    if A.all() or not A.any():
        raise ValueError(
            "A must hold both kinds of rows to compare them: give rows with and rows "
            "without an outcome"
        )
    for epsilon in candidates:
        bins = odds_bins(propensity, epsilon)
        mass = mass_at_infinity(bins[A], bins[~A], variant="one_rep")
        if mass <= share * alpha:
            break
    return float(epsilon)


def balance_by_bin(X, A, bins):
    """Difference of feature means between missing and observed rows, raw and by bin.

    Parameters
    ----------
    X : DataFrame or array_like, shape (n, d)
        Features, numeric.
    A : array_like of 0/1, shape (n,)
        1 where the outcome is observed.
    bins : array_like of int, shape (n,)
        Bin labels of all rows.

    Returns
    -------
    DataFrame
        For each feature the standardised mean difference (missing minus observed, in
        standard deviations): ``raw``, and ``within bins`` (averaged over bins with
        both kinds, weighted by missing rows). Good bins bring it near 0.
    """
    X = pd.DataFrame(X).astype(float)
    A, bins = check_indicator(A), np.asarray(bins)
    spread = X.std(ddof=1).replace(0, np.nan)
    means = X.groupby([bins, A]).mean()
    counts = pd.Series(~A).groupby(bins).sum()
    both = [b for b in counts.index if (b, True) in means.index and counts[b] > 0]
    difference = pd.DataFrame(
        {b: means.loc[(b, False)] - means.loc[(b, True)] for b in both}
    )
    weight = counts.loc[both].to_numpy(float)
    inside = difference.to_numpy() @ weight / weight.sum() if both else np.nan
    raw = X[~A].mean() - X[A].mean()
    return pd.DataFrame({"raw": raw / spread, "within bins": inside / spread})
