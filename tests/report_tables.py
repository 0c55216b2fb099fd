"""Small tables with gaps of every kind, for the tests of the report."""

import numpy as np
import pandas as pd


def make(n=200, *, seed=0, x_gaps=0.2, y_gaps=0.0, kind="mcar"):
    """Mixed columns; `kind` says whether gaps of ``b`` depend on ``a``."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.normal(size=n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "flag": rng.random(n) < 0.5,
        }
    )
    frame["y"] = 2 * frame["a"] + frame["b"] + rng.normal(size=n)
    if x_gaps:
        odds = np.exp(2.0 * frame["a"]) if kind == "mar" else 1.0
        chance = np.clip(x_gaps * odds, 0, 0.9) if kind == "mar" else x_gaps
        frame.loc[rng.random(n) < chance, "b"] = np.nan
        frame.loc[rng.random(n) < x_gaps / 2, "colour"] = None
    if y_gaps:
        chance = 2 * y_gaps / (1 + np.exp(-frame["a"]))
        frame.loc[rng.random(n) < chance, "y"] = np.nan
    return frame


def write(folder, frame, name="table.csv", **kw):
    """The table as a CSV file; returns its path."""
    path = folder / name
    frame.to_csv(path, index=False, **kw)
    return path
