"""Data with missing outcomes: section 3 of Lee, Dobriban and Tchetgen Tchetgen."""

from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = [
    "MissingOutcomes",
    "draw_high_dimensional",
    "draw_setting",
    "expit",
    "jobs_design",
    "jobs_propensity",
    "setting_propensity",
]


class MissingOutcomes(NamedTuple):
    """A sample whose truth is known.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Features, always seen.
    A : ndarray of bool, shape (n,)
        True where the outcome is observed.
    Y : ndarray, shape (n,)
        Outcomes, also where ``A`` is False (to check coverage).
    p : ndarray, shape (n,)
        True propensity ``P(A = 1 | X)``.
    """

    X: np.ndarray
    A: np.ndarray
    Y: np.ndarray
    p: np.ndarray

    def seen(self):
        """Outcomes with NaN where they are missing, shape (n,)."""
        return np.where(self.A, self.Y, np.nan)


def expit(x):
    """Logistic function ``1 / (1 + exp(-x))``."""
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))


def setting_propensity(x, setting):
    """Propensity of Setting 1 (linear) or 2 (a wave).

    Parameters
    ----------
    x : array_like
        Feature in [0, 10].
    setting : {1, 2}
        ``.9 - .02 x``, or ``.8 - .1 (1 + .1 x) sin(3 x)``.

    Returns
    -------
    ndarray
        Probability of an observed outcome.
    """
    if setting not in (1, 2):
        raise ValueError(f"setting must be 1 or 2, got {setting!r}")
    x = np.asarray(x, dtype=float)
    return 0.9 - 0.02 * x if setting == 1 else 0.8 - 0.1 * (1 + 0.1 * x) * np.sin(3 * x)


def draw_setting(setting, n, rng):
    """Sample of Setting 1 or 2: ``X ~ U[0, 10]``, ``Y | X ~ N(X, (3 + X)^2)``.

    Parameters
    ----------
    setting : {1, 2}
        Which propensity.
    n : int
        Rows, observed and missing together.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    MissingOutcomes
        The sample, with one feature.
    """
    x = rng.uniform(0, 10, n)
    p = setting_propensity(x, setting)
    A = rng.random(n) < p
    return MissingOutcomes(x[:, None], A, redraw_outcome(x, rng), p)


def redraw_outcome(x, rng, size=None):
    """Outcomes ``N(x, (3 + x)^2)`` for given features, one row a redraw."""
    shape = x.shape if size is None else (size, *x.shape)
    return x + (3 + x) * rng.standard_normal(shape)


def draw_high_dimensional(n, beta, rng, *, scale=2.0):
    """Sample of section 3.2, 30 features.

    ``X ~ N(1, scale I)``, ``Y | X ~ N(5 + beta'X, (|X|^2 / p)^2)``, observed with
    probability ``expit(1.2 + .2 X_1 - .3 X_2 + .2 X_3)``.

    Parameters
    ----------
    n : int
        Rows.
    beta : ndarray, shape (d,)
        Coefficients; the paper draws them once from U(-2, 2).
    rng : numpy.random.Generator
        Source of randomness.
    scale : float
        Variance of a feature: 2 in the text, 1 in the code.

    Returns
    -------
    MissingOutcomes
        The sample.
    """
    X = 1 + np.sqrt(scale) * rng.standard_normal((n, len(beta)))
    p = expit(1.2 + 0.2 * X[:, 0] - 0.3 * X[:, 1] + 0.2 * X[:, 2])
    A = rng.random(n) < p
    return MissingOutcomes(X, A, redraw_high_dimensional(X, beta, rng), p)


def redraw_high_dimensional(X, beta, rng, size=None):
    """Outcomes of section 3.2 for given features, one row a redraw."""
    mean, sd = 5 + X @ beta, (X**2).mean(axis=1)
    shape = mean.shape if size is None else (size, *mean.shape)
    return mean + sd * rng.standard_normal(shape)


_NUMERIC = {
    "econ_hard": -0.05,
    "depress1": 0.05,
    "sex": -0.05,
    "age": 0.03,
    "nonwhite": 0.03,
    "educ": -0.1,
    "income": -0.1,
    "job_seek": -0.1,
    "mastery": 0.03,
    "job_dich": 0.05,
    "job_disc": 0.03,
}
_DUMMIES = {
    "occp": {
        "professionals": 0.05,
        "sales workers": -0.1,
        "clerical/kindred": -0.1,
        "operatives/kindred wrks": 0.05,
        "craftsmen/foremen/kindred": -0.1,
        "manegerial": 0.1,
        "laborers/service wrks": -0.1,
    },
    "marital": {
        "married": -0.1,
        "nevmarr": -0.1,
        "divrcd": -0.2,
        "separtd": -0.1,
        "widowed": -0.2,
    },
}
_ORDERED = {
    "educ": ["lt-hs", "highsc", "somcol", "bach", "gradwk"],
    "income": ["lt15k", "15t24k", "25t39k", "40t49k", "50k+"],
    "job_disc": ["Low-Med", "Medium", "Med-High", "High"],
}


def jobs_design(frame):
    """Features of JOBS II as numbers, in the order of the coefficients of (23).

    Parameters
    ----------
    frame : DataFrame, shape (n, >= 13)
        Columns of :func:`notebook_lib.datasets.load_jobs`. Columns that a version of
        the data does not have are left out.

    Returns
    -------
    DataFrame, shape (n, 23) for the paper's file
        Ordered levels as 0, 1, ...; sex as 1/2 (the factor codes that the authors'
        code uses); one column for each occupation and marital status.
    """
    columns = {}
    for name in _NUMERIC:
        if name in frame:
            columns[name] = _as_number(frame[name], name)
    for name, levels in _DUMMIES.items():
        if name in frame:
            for level in levels:
                columns[f"{name}={level}"] = (frame[name].astype(str) == level) * 1.0
    return pd.DataFrame(columns, index=frame.index)


def _as_number(column, name):
    text = column.astype(str)
    if name in _ORDERED:
        codes = text.map({level: i for i, level in enumerate(_ORDERED[name])})
        if codes.isna().any():
            raise ValueError(
                f"{name} holds unknown levels: {sorted(set(text[codes.isna()]))}; use "
                f"{', '.join(_ORDERED[name])}"
            )
        return codes.astype(float)
    if name == "nonwhite":
        return text.str.contains("non").astype(float)
    if name == "sex":
        return (
            pd.to_numeric(column.astype(str).replace({"male": "0", "female": "1"}))
            + 1.0
        )
    return pd.to_numeric(column).astype(float)


def jobs_propensity(design, *, intercept=1.0):
    """Propensity (23) of section 3.3 for the columns of :func:`jobs_design`.

    Parameters
    ----------
    design : DataFrame
        Features as numbers.
    intercept : float
        1 in the authors' code; the text omits it, and then 43 % would be missing
        instead of the 22 % that it states.

    Returns
    -------
    ndarray, shape (n,)
        Probability of an observed outcome.
    """
    weights = dict(_NUMERIC)
    for name, levels in _DUMMIES.items():
        weights |= {f"{name}={level}": weight for level, weight in levels.items()}
    beta = np.array([weights[column] for column in design.columns])
    return expit(intercept + design.to_numpy(float) @ beta)
