"""The verdicts of chapter 4 on the stored checks at the document's size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .mask_tables import stored_if_any
from .mask_verdicts import assess, family_z, not_stored


def model33() -> None:
    """M3.3: variances within 1 % over all stored samples, and the share beyond."""
    frame, manifest = stored_if_any("mda_model33")
    if frame is None:
        return not_stored("mdan-M3.3", "mda_model33")
    n, each = manifest["n_replicates"], int(frame["n_draws"].iloc[0])
    how = {"scale": "paper", "note": f"{n} stored samples of {each} rows"}
    ratios = frame[["hidden", "seen"]].mean().to_numpy() / [7.5, 1.5]
    assess("mdan-M3.3", ratios, expected=1, tol=0.01, **how)
    error = np.sqrt(0.02535 * 0.97465 / (n * each))
    share, part = frame["beyond"].mean(), "beyond 2.739"
    assess("mdan-M3.3", share, expected=0.02535, mc_error=error, part=part, **how)
    return None


def longer() -> None:
    """E19: rows whose set is longer with fewer calibration rows, and star inside."""
    frame, manifest = stored_if_any("mda_longer")
    if frame is None:
        return not_stored("mdan-E19", "mda_longer")
    note = f"linear model, {manifest['n_replicates']} stored replicates"
    how = {"scale": "paper", "note": note}
    rows = frame["longer"].mean()
    assess("mdan-E19", rows, at_least=0.001, part="rows longer", **how)
    outside, part = frame["outside"].max(), "star inside unstarred"
    assess("mdan-E19", outside, expected=0, tol=0, part=part, **how)
    return None


def gaps(frame: pd.DataFrame, least_rows: int = 200, least_replicates: int = 30):
    """Proper less imposed coverage by mask, and its error, by mechanism.

    Parameters
    ----------
    frame : DataFrame
        The stored study ``mda_conditioning``.
    least_rows, least_replicates : int
        Masks with fewer rows, or replicates, over the study are left out.

    Returns
    -------
    dict of str to DataFrame
        Columns ``gap`` and ``error``, one row a mask.
    """
    wide = frame.pivot_table(
        index=["mechanism", "mask"], columns="metric", values=["mean", "mc_error", "n"]
    )
    table = pd.DataFrame({"gap": wide["mean", "gap"], "error": wide["mc_error", "gap"]})
    replicates = wide["n", "gap"]
    often = (replicates >= least_replicates) & (
        replicates * wide["mean", "rows"] >= least_rows
    )
    kept = table[often]
    return {kind: part.droplevel(0) for kind, part in kept.groupby(level=0)}


def conditioning() -> None:
    """ME1: far apart under self-masking, equal under MCAR."""
    frame, manifest = stored_if_any("mda_conditioning")
    if frame is None:
        return not_stored("mdan-ME1", "mda_conditioning")
    found = gaps(frame)
    note = f"linear model, {manifest['n_replicates']} stored replicates"
    how = {"scale": "paper", "note": note}
    worst = found["self-masked"]["gap"].abs().max()
    assess("mdan-ME1", worst, at_least=0.1, part="self-masked", **how)
    even = found["MCAR"]
    apart = (even["gap"] / even["error"]).abs()
    z, part = family_z(len(apart)), "MCAR, in errors"
    assess("mdan-ME1", apart, at_most=z, part=part, **how)
    return None
