"""Turn a table of numbers and text into numbers, and keep every gap."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted

__all__ = ["TableEncoder", "mask_names"]


class TableEncoder(TransformerMixin, BaseEstimator):
    """Numbers stay, text is one-hot encoded, NaN stays NaN.

    Fit it on the training rows only: what it learns there (levels, columns to leave
    out) is then a fixed rule for calibration and test rows, and validity is kept. A
    missing category is NaN in all its indicators, so that the mask of the encoded row
    says what the mask of the row says. A level that training has not seen is treated
    as missing. Columns without two different training values are left out.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
        Columns of the table it was fitted on.
    columns_ : list of str
        Those in use.
    sources_ : ndarray of str, shape (p,)
        Column that each encoded column comes from.
    """

    def fit(self, X, y=None):
        """Learn levels and columns from training rows.

        Parameters
        ----------
        X : DataFrame, shape (n, d)
            Numbers and text with NaN.
        y : ignored
            Outcomes never enter.

        Returns
        -------
        TableEncoder
            Itself.

        Raises
        ------
        ValueError
            If no column has two different values.
        """
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self._encoders, names, sources = {}, [], []
        for name in X.columns:
            seen = X[name].dropna()
            if seen.nunique() < 2:
                continue
            if pd.api.types.is_numeric_dtype(X[name].dtype):
                self._encoders[name] = None
                labels = [name]
            else:
                encoder = OneHotEncoder(drop="first", sparse_output=False)
                self._encoders[name] = encoder.fit(_column(seen))
                labels = [f"{name}={level}" for level in encoder.categories_[0][1:]]
            names += labels
            sources += [name] * len(labels)
        if not names:
            raise ValueError(
                "no column of X has two different values in these rows: add columns, "
                "or rows that differ"
            )
        self.columns_ = list(self._encoders)
        self._names = np.array(names, dtype=object)
        self.sources_ = np.array(sources, dtype=object)
        return self

    def transform(self, X):
        """Encode rows.

        Parameters
        ----------
        X : DataFrame, shape (m, d)
            Columns in any order; others are ignored.

        Returns
        -------
        DataFrame, shape (m, p)
            Floats with NaN.
        """
        check_is_fitted(self, "columns_")
        absent = [name for name in self.columns_ if name not in X.columns]
        if absent:
            raise ValueError(
                f"X lacks the column {absent[0]!r}: add it (blank where unknown)"
            )
        parts = []
        for name, encoder in self._encoders.items():
            if encoder is None:
                parts.append(X[name].to_numpy(float)[:, None])
            else:
                known = X[name].isin(encoder.categories_[0]).to_numpy()
                block = np.full((len(X), len(encoder.categories_[0]) - 1), np.nan)
                if known.any():
                    block[known] = encoder.transform(_column(X[name][known]))
                parts.append(block)
        return pd.DataFrame(np.hstack(parts), index=X.index, columns=self._names)

    def get_feature_names_out(self, input_features=None):
        """Names of the encoded columns; `input_features` is ignored."""
        check_is_fitted(self, "columns_")
        return self._names

    def missing(self, X):
        """Which entries count as missing.

        Parameters
        ----------
        X : DataFrame, shape (m, d)
            Rows.

        Returns
        -------
        DataFrame of bool, shape (m, len(columns_))
            Gaps, and levels that training has not seen.
        """
        encoded = self.transform(X)
        first = [int(np.flatnonzero(self.sources_ == c)[0]) for c in self.columns_]
        out = encoded.iloc[:, first].isna()
        out.columns = self.columns_
        return out


def _column(values):
    return values.to_numpy(object).reshape(-1, 1)


def mask_names(mask):
    """Readable masks: the names of the missing columns.

    Parameters
    ----------
    mask : DataFrame of bool, shape (n, d)
        True where an entry is missing.

    Returns
    -------
    Series of str, shape (n,)
        ``"complete"``, or names joined by ``" + "``.

    Examples
    --------
    >>> mask_names(pd.DataFrame({"a": [False, True], "b": [False, True]})).tolist()
    ['complete', 'a + b']
    """
    names = np.array(mask.columns, dtype=object)
    values = mask.to_numpy(bool)
    found = {}
    labels = []
    for row in values:
        key = row.tobytes()
        if key not in found:
            found[key] = " + ".join(map(str, names[row])) or "complete"
        labels.append(found[key])
    return pd.Series(labels, index=mask.index, dtype=object)
