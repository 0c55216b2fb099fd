"""What chapter 5 draws live for its tables, beside the stored studies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..outcomes import draw_setting, mass_at_infinity, odds_bins, sharp_slack


def cost_of_width(
    widths, n_total: int, rng: np.random.Generator, n_samples: int = 10
) -> pd.DataFrame:
    """Slack and mass at infinity by bin width, means over samples of Setting 1.

    Parameters
    ----------
    widths : sequence of float
        Values of epsilon.
    n_total : int
        Rows of a sample, observed and missing together.
    rng : numpy.random.Generator
        Draws the samples, ``n_samples`` new ones for each width.
    n_samples : int
        Samples for each width.

    Returns
    -------
    DataFrame
        Indexed by ``epsilon``, in units of coverage: ``slack`` (the sharp one of
        Lemma 1), ``mass, paper`` (F of (11), one cell) and ``mass, one_rep`` (one
        representative a bin).
    """
    rows = []
    for width in widths:
        for _ in range(n_samples):
            data = draw_setting(1, n_total, rng)
            bins = odds_bins(data.p, width)
            row = {"epsilon": width, "slack": sharp_slack(width)}
            for variant in ("paper", "one_rep"):
                mass = mass_at_infinity(bins[data.A], bins[~data.A], variant=variant)
                row[f"mass, {variant}"] = mass
            rows.append(row)
    return pd.DataFrame(rows).groupby("epsilon").mean()
