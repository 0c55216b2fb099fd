"""Describe the gaps of a table: how many, which masks, and whether they depend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from sklearn.model_selection import KFold

from .._validation import check_rng
from ..masks import encode_masks, group_masks
from .encoding import TableEncoder, mask_names

__all__ = ["Gaps", "describe_gaps", "mask_table", "missingness_auc"]

MIN_GAPS = 10
_MAX_ROWS = 2000
_MAX_TESTED = 30
UNTENABLE, NO_SIGN = "MCAR looks untenable", "no sign against MCAR"
TOO_FEW = "too few gaps to say"


@dataclass(frozen=True)
class Gaps:
    """What is missing in a table.

    Attributes
    ----------
    case : str
        ``"none"``, ``"covariates"``, ``"outcome"``, ``"both"``, or ``"matrix"`` for a
        wide table of one type that is mostly missing.
    summary : Series
        Counts.
    columns : DataFrame
        ``column``, ``missing`` (rows) and ``share``, most missing first.
    masks : DataFrame
        The most frequent masks of the covariates, see :func:`mask_table`.
    related : DataFrame
        See :func:`missingness_auc`.
    notes : tuple of str
        What it means, in sentences.
    """

    case: str
    summary: pd.Series
    columns: pd.DataFrame
    masks: pd.DataFrame
    related: pd.DataFrame
    notes: tuple

    @property
    def untenable(self):
        """Columns whose gaps depend on other columns, list of str."""
        bad = self.related["verdict"] == UNTENABLE
        return self.related.loc[bad, "column"].tolist()


def describe_gaps(table, *, n_masks=8, rng=0):
    """Count gaps, list masks, and test whether gaps depend on what is seen.

    Parameters
    ----------
    table : Table
        From :func:`read_table`.
    n_masks : int
        Masks to list; the others are added up in one row.
    rng : numpy.random.Generator or int
        Source of the folds and permutations.

    Returns
    -------
    Gaps
        Tables and sentences.

    Examples
    --------
    >>> from notebook_lib import report
    >>> gaps = report.describe_gaps(report.read_table(None, "weight"))
    >>> gaps.case, gaps.columns["column"].tolist()[:2]
    ('covariates', ['father_age', 'visits'])
    """
    rng = check_rng(rng)
    columns = _share_by_column(table)
    related = _related(table, columns, rng)
    missing = table.X.isna().to_numpy()
    case = _case(table, missing)
    groups = group_masks(missing)
    summary = pd.Series(
        {
            "rows": len(table.X),
            "covariates": table.X.shape[1],
            "entries missing, share": float(missing.mean()),
            "rows without any gap": int((~missing.any(axis=1) & table.observed).sum()),
            "outcomes missing": int((~table.observed).sum()),
            "masks": len(groups.counts),
            "rows with a mask of fewer than 10 rows": int(
                groups.counts[groups.counts < 10].sum()
            ),
        },
        name="value",
        dtype=object,
    )
    notes = _notes(table, case, related)
    masks = mask_table(table.X, n_masks=n_masks)
    return Gaps(case, summary, columns, masks, related, tuple(notes))


def mask_table(X, *, n_masks=8):
    """The most frequent masks of a table.

    Parameters
    ----------
    X : DataFrame, shape (n, d)
        Rows with NaN for missing entries.
    n_masks : int
        Masks to list, at least 1.

    Returns
    -------
    DataFrame
        ``mask`` (names of the missing columns), ``n_missing``, ``rows``, ``share``,
        ``included`` (rows whose mask is included in this one, which CP-MDA-Exact can
        use); most frequent first, then one row for all others together.

    Raises
    ------
    ValueError
        If `n_masks` is below 1.
    """
    if isinstance(n_masks, bool) or int(n_masks) != n_masks or n_masks < 1:
        raise ValueError(f"n_masks must be an integer of at least 1, got {n_masks!r}")
    groups = group_masks(X.isna().to_numpy())
    order = np.lexsort((np.arange(len(groups.counts)), -groups.counts))
    shown, rest = order[:n_masks], order[n_masks:]
    names = mask_names(pd.DataFrame(groups.patterns, columns=X.columns))
    rows = [
        {
            "mask": names[g],
            "n_missing": int(groups.patterns[g].sum()),
            "rows": int(groups.counts[g]),
            "share": groups.counts[g] / len(X),
            "included": _included(groups, groups.patterns[g]),
        }
        for g in shown
    ]
    frame = pd.DataFrame(rows).astype({"n_missing": "Int64", "included": "Int64"})
    if len(rest):
        count = int(groups.counts[rest].sum())
        frame.loc[len(frame)] = [
            f"{len(rest)} other masks",
            pd.NA,
            count,
            count / len(X),
            pd.NA,
        ]
    return frame


def _included(groups, pattern):
    inside = ~(groups.patterns & ~pattern).any(axis=1)
    return int(groups.counts[inside].sum())


def _share_by_column(table):
    frame = table.X.assign(**{table.target: table.y})
    missing = frame.isna().sum()
    out = pd.DataFrame(
        {
            "column": missing.index,
            "missing": missing.to_numpy(),
            "share": missing.to_numpy() / len(frame),
        }
    )
    return out.sort_values("missing", ascending=False, kind="stable", ignore_index=True)


def _case(table, missing):
    if _like_ratings(table, missing):
        return "matrix"
    in_x, in_y = bool(missing.any()), not table.observed.all()
    return {(0, 0): "none", (1, 0): "covariates", (0, 1): "outcome"}.get(
        (in_x, in_y), "both"
    )


def _like_ratings(table, missing):
    """Wide, mostly missing, and few different numbers, the same in every column."""
    numeric = table.X.select_dtypes("number")
    if numeric.shape[1] < 15 or numeric.shape[1] < 0.9 * table.X.shape[1]:
        return False
    values = numeric.to_numpy()
    distinct = np.unique(values[~np.isnan(values)])
    return missing.mean() > 0.5 and 3 <= len(distinct) <= 21


# ---------------------------------------------------------- do the gaps depend?


def _related(table, columns, rng):
    some = columns[(columns["missing"] > 0) & (columns["share"] < 1)]
    rows = []
    for name, missing in zip(some["column"], some["missing"], strict=True):
        enough = MIN_GAPS <= missing <= len(table.y) - MIN_GAPS
        rows.append(
            _one_column(table, name, missing, rng, enough and len(rows) < _MAX_TESTED)
        )
    names = ["column", "rows_missing", "auc", "error", "z", "verdict"]
    frame = pd.DataFrame(rows, columns=names)
    # One chance in a hundred of a false alarm among all columns together.
    limit = norm.isf(0.01 / max(int(frame["z"].notna().sum()), 1))
    frame.loc[frame["z"] > limit, "verdict"] = UNTENABLE
    return frame


def _one_column(table, name, n_missing, rng, enough):
    nothing = (name, n_missing, np.nan, np.nan, np.nan, TOO_FEW)
    if not enough:
        return nothing
    others = table.X.drop(columns=name, errors="ignore")
    if name != table.target and table.observed.all():
        others = pd.concat([others, table.y.rename(table.target)], axis=1)
    masked = table.y.isna() if name == table.target else table.X[name].isna()
    if not others.shape[1]:
        return nothing
    auc, error, z = missingness_auc(others, masked, rng=rng)
    return (name, n_missing, auc, error, z, NO_SIGN if np.isfinite(z) else TOO_FEW)


def missingness_auc(others, masked, *, n_permutations=199, rng=0):
    """Cross-validated AUC of a mask from the other columns, with its error.

    A ridge regression on the other columns and their squares (text one-hot encoded,
    gaps at the mean) scores each row in five folds. The null law comes from permuting
    the mask among rows whose other columns have the same gaps: if masks are
    independent of the data, that changes nothing, whatever the masks have to do with
    each other.

    Parameters
    ----------
    others : DataFrame, shape (n, d)
        The other columns, NaN for missing.
    masked : array_like of bool, shape (n,)
        True where the column in question is missing.
    n_permutations : int
        Permutations.
    rng : numpy.random.Generator or int
        Source of folds and permutations.

    Returns
    -------
    auc : float
        0.5 says that the score knows nothing.
    error : float
        Standard deviation of the AUC under permutation.
    z : float
        ``(auc - mean under permutation) / error``; NaN if there is nothing to permute.

    Notes
    -----
    It sees dependence on what is observed only. Whether a gap depends on the value
    that is missing cannot be tested, so a low `z` never says that gaps are random.
    """
    rng, masked = check_rng(rng), np.asarray(masked, dtype=bool)
    if len(masked) > _MAX_ROWS:
        rows = np.sort(rng.choice(len(masked), _MAX_ROWS, replace=False))
        others, masked = others.iloc[rows], masked[rows]
    try:
        encoded = TableEncoder().fit(others).transform(others).to_numpy()
    except ValueError:
        return np.nan, np.nan, np.nan
    strata = encode_masks(others.isna().to_numpy())
    draws = np.column_stack(
        [masked, *(_permute(masked, strata, rng) for _ in range(n_permutations))]
    )
    auc = _auc(_scores(_features(encoded), draws, rng), draws)
    error = float(auc[1:].std(ddof=1))
    if not error > 1e-12:
        return float(auc[0]), np.nan, np.nan
    return float(auc[0]), error, float((auc[0] - auc[1:].mean()) / error)


def _features(encoded):
    mean = np.nanmean(encoded, axis=0)
    spread = np.nanstd(encoded, axis=0)
    standard = (encoded - mean) / np.where(spread > 0, spread, 1.0)
    standard = np.clip(np.where(np.isnan(encoded), 0.0, standard), -5, 5)
    many = np.array([len(np.unique(c[~np.isnan(c)])) > 2 for c in encoded.T])
    squares = standard[:, many] ** 2
    return np.hstack([standard, squares - squares.mean(axis=0)])


def _permute(masked, strata, rng):
    """Shuffle within groups of equal other gaps."""
    keys = rng.random(len(masked))
    before = np.argsort(strata, kind="stable")
    after = np.lexsort((keys, strata))
    out = np.empty_like(masked)
    out[before] = masked[after]
    return out


def _scores(Z, draws, rng):
    """Out-of-fold ridge predictions of every draw at once, shape (n, B)."""
    out = np.empty(draws.shape)
    folds = KFold(5, shuffle=True, random_state=int(rng.integers(2**31)))
    for train, test in folds.split(Z):
        gram = Z[train].T @ Z[train] + 0.1 * len(train) * np.eye(Z.shape[1])
        target = draws[train] - draws[train].mean(axis=0)
        out[test] = Z[test] @ np.linalg.solve(gram, Z[train].T @ target)
    return out


def _auc(scores, draws):
    ranks = rankdata(scores, axis=0)
    n_one = draws.sum(axis=0)
    n_zero = len(draws) - n_one
    total = (ranks * draws).sum(axis=0) - n_one * (n_one + 1) / 2
    return total / (n_one * n_zero)


def _notes(table, case, related):
    notes = []
    bad = related[related["verdict"] == UNTENABLE]
    for row in bad.itertuples(index=False):
        notes.append(
            f"MCAR looks untenable for {row.column!r}: the other columns tell its gaps "
            f"with AUC {row.auc:.2f} (0.5 by chance, error {row.error:.2f})."
        )
    tested = related["verdict"] != TOO_FEW
    if len(related) and not tested.any():
        notes.append(
            "There are too few gaps, or too few rows, to test whether gaps depend on "
            "other columns: nothing is known of it."
        )
    elif len(related) and not len(bad):
        notes.append(
            "The test finds no sign that gaps depend on other columns. That is no "
            "proof: dependence on the missing values themselves cannot be seen."
        )
    if not table.observed.all():
        notes.append(
            f"Whether {table.target!r} is missing at random given the covariates (MAR) "
            "cannot be tested: it is an assumption, and yours to defend."
        )
    if case == "matrix":
        notes.append(
            "The table is wide, of one type and mostly missing, like ratings: chapter "
            "2 (StructuredConformalCompletion) fills such matrices."
        )
    return notes
