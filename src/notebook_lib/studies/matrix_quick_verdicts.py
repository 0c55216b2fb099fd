"""What the live checks of chapter 2's theory must find, as data for ``claims.check``.

Unlike the criteria of :mod:`~.matrix_verdicts` these name their own scale and hold at
every size: they are identities, bounds with a wide margin, or read off stored rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from .matrix_integral import constant_weight_error
from .matrix_verdicts import Check, Measures, criterion

#: Rounding of a probability of a tiny matrix.
EXACT = 1e-12
ANY = {"scale": "any"}


def split_law(law: Measures) -> Iterator[Check]:
    """Proposition 1 and Lemma A6, from :func:`~.matrix_parts.split_law_check`."""
    gap = law["asymmetry"] + law["lemma A6"]
    rule = dict(expected=0, tol=EXACT, **ANY)
    yield criterion("scmc-T3", "symmetric, Lemma A6", gap, **rule)
    rule = dict(expected=1, tol=EXACT, **ANY)
    yield criterion("scmc-T3", "total probability", law["total"], **rule)


def inflation(bounds: Measures, moved: int, collapsed: float) -> Iterator[Check]:
    """Lemmas 1, A5 and 2.

    Parameters
    ----------
    bounds : mapping
        From :func:`~.matrix_theory.quantile_inflation`.
    moved : int
        Cases in which the atom at infinity changed the event.
    collapsed : float
        Largest gap between the weights of Lemmas 1 and 2.
    """
    lower, upper = bounds["lower"], bounds["upper"]
    yield criterion("scmc-T1", "coverage less beta", lower, at_least=0, **ANY)
    told = "beta + E max p less it"
    yield criterion("scmc-T1", told, upper, at_least=0, **ANY)
    yield criterion("scmc-T2", "", moved, expected=0, **ANY)
    yield criterion("scmc-T4", "", collapsed, at_most=EXACT, **ANY)


def enumeration(gaps, printed: float, m: Measures) -> Iterator[Check]:
    """Lemma 3 and its neighbours by full enumeration.

    Parameters
    ----------
    gaps : sequence of float
        Of the weights, every twelfth law of each case.
    printed : float
        Of the weights as printed in (13) and (14).
    m : mapping
        From :func:`~.matrix_quick.enumeration`.
    """
    exact = dict(at_most=EXACT)
    yield criterion("scmc-A4", "every twelfth law", gaps, **exact)
    yield criterion("scmc-A4", "(13)-(14) without u, gap", printed, at_least=0.05)
    yield criterion("scmc-T5", "every hundredth law", m["5 x 2"], **exact)
    yield criterion("scmc-T15", "weights", m["constant w"], **exact, **ANY)
    yield criterion("scmc-T15", "eta", constant_weight_error(), **exact, **ANY)
    yield criterion("scmc-T17", "enumeration, n = xi", m["n = xi"], **exact)
    swaps = m["swaps that change xi"]
    yield criterion("scmc-T17", "swaps that change xi", swaps, expected=0)
    yield criterion("scmc-E3", "positive cells counted", m["zeros"], **exact, **ANY)
    counted = m["zeros counted"]
    yield criterion("scmc-E3", "all cells counted, gap", counted, at_least=0.1, **ANY)
    yield criterion("scmc-T16", "constant w*", m["constant w*"], **exact, **ANY)
    varied = m["varied w*"]
    yield criterion("scmc-T16", "heterogeneous w*", varied, at_least=0.05, **ANY)


def integral(m: Mapping, laplace: pd.DataFrame, spread) -> Iterator[Check]:
    """Proposition 2, Lemma 4, Theorem A4 and the odds of Section 4.1.

    Parameters
    ----------
    m : mapping
        From :func:`~.matrix_quick.integral`.
    laplace : DataFrame
        Relative errors by number of cells, columns ``f = 1`` and ``f = eta``.
    spread : array-like
        Standard deviation of the peak, for sizes that grow tenfold.
    """
    spread = np.asarray(spread)
    root = 10**0.5
    rule = dict(expected=root, tol=0.15 * root, **ANY)
    yield criterion("scmc-F2", "", spread[:-1] / spread[1:], **rule)
    rule = dict(at_most=1e-8, note="in log t, at the root, at h = 1.7", **ANY)
    yield criterion("scmc-T9", "", m["integral"], **rule)
    yield criterion("scmc-T10", "", m["sign changes"] == [0, 0, 1, 1], **ANY)
    ratio = m["ratio"]
    yield criterion("scmc-A7", "1000 cells", ratio[-1], at_most=2e-3)
    falls = -np.diff(ratio)
    yield criterion("scmc-A7", "error falls with size", falls, at_least=0)
    for name, bound in (("f = 1", 0.002), ("f = eta", 0.02)):
        errors = laplace[name].to_numpy()
        told = f"{name}, m = {laplace.index[-1]}"
        yield criterion("scmc-T12", told, errors[-1], at_most=bound, **ANY)
        told = f"{name}, error falls with size"
        yield criterion("scmc-T12", told, -np.diff(errors), at_least=0, **ANY)
    yield criterion("scmc-T13", "up to 500 cells", m["outside"], expected=0)
    yield criterion("scmc-T18", "", m["odds"], at_most=1e-10, **ANY)


def metrics(m: Measures, centre_covered: bool, infinite_share: bool) -> Iterator[Check]:
    """What regions cover, their widths, the effective size (Section 5.1, A2).

    Parameters
    ----------
    m : mapping
        From :func:`~.matrix_quick.metrics`.
    centre_covered : bool
        Whether regions hold their own centres.
    infinite_share : bool
        Whether a region is infinite just if the test group's weight exceeds alpha.
    """
    yield criterion("scmc-M1", "regions are closed", m["closed"], **ANY)
    yield criterion("scmc-M1", "centre", bool(centre_covered), **ANY)
    clipped = [m["width of 9 +- 2"], 1 - m["flagged"]]
    told = "9 +- 2 on [1, 5]: no width, flagged"
    yield criterion("scmc-M2", told, clipped, expected=0, **ANY)
    yield criterion("scmc-M2", "never negative", m["least width"], at_least=0, **ANY)
    rule = dict(expected=50, tol=1e-9, **ANY)
    yield criterion("scmc-M3", "ESS", m["effective size"], **rule)
    yield criterion("scmc-M3", "infinite share", bool(infinite_share), **ANY)
    rule = dict(expected=8, note="the largest of nine scores, not infinity", **ANY)
    yield criterion("scmc-E1", "", m["nine scores"], **rule)


def one_cell(cover: Mapping[str, tuple[float, float]]) -> Iterator[Check]:
    """Coverage of one cell at a time by the weights of Gui, Barber and Ma.

    Parameters
    ----------
    cover : mapping
        Coverage and its Monte-Carlo error with ``odds`` and with ``equal`` weights.
    """
    value, error = cover["odds"]
    rule = dict(at_least=0.9, mc_error=error, **ANY)
    yield criterion("scmc-T14", "odds weights", value, **rule)
    yield criterion("scmc-B3", "", value, **rule)
    yield criterion("scmc-T14", "equal weights", cover["equal"][0], at_most=0.87, **ANY)


def theorems(exact, guess: Measures, spy: Measures, simulated) -> Iterator[Check]:
    """Theorems 1 to 3, by enumeration and by the stored simulation.

    Parameters
    ----------
    exact : sequence of mapping
        From :func:`~.matrix_theory.conditional_coverage`, at several levels.
    guess : mapping
        The same under a fixed wrong estimate.
    spy : mapping
        From :func:`~.matrix_theory.adversarial_estimate`.
    simulated : DataFrame
        Summary of the study ``matrix-theorem``.
    """
    rows = simulated[simulated["metric"] == "coverage"].set_index("method")
    right, error = rows.loc["SCMC", ["mean", "mc_error"]]
    wrong = rows.loc[["SCMC (w = 1)", "SCMC (equal weights)"], "mean"]
    largest = simulated.loc[simulated["metric"] == "max_p", "mean"].iloc[0]
    paper = dict(scale="paper")
    noisy = dict(mc_error=error, **paper)
    slack, over = [e["slack"] for e in exact], [e["over"] for e in exact]
    yield criterion("scmc-T6", "enumeration", slack, at_least=-EXACT)
    yield criterion("scmc-T7", "enumeration", over, at_most=EXACT)
    told = "right weights, 60 x 60"
    yield criterion("scmc-T6", told, right, at_least=0.9, **noisy)
    yield criterion("scmc-T6", "w ignored; equal", wrong, at_most=0.85, **paper)
    yield criterion("scmc-T7", told, right, at_most=0.9 + largest, **noisy)
    told = "fixed wrong w, enumeration"
    yield criterion("scmc-T8", told, guess["slack"], at_least=-EXACT, **ANY)
    told = "an estimate that looks at the test cell"
    rule = dict(expected=0.8, tol=0.01, **ANY)
    yield criterion("scmc-T8", told, spy["coverage"], **rule)
    below = spy["coverage"] - spy["bound"]
    yield criterion("scmc-T8", "it breaks the bound", below, at_most=-0.05, **ANY)


def mapped(m: Measures) -> Iterator[Check]:
    """Weights from probabilities, from :func:`~.matrix_parts.consistent_map`."""
    rule = dict(expected=0.1, tol=0.002, **ANY)
    yield criterion("scmc-E2", "mapped ratio", m["mapped"], **rule)
    yield criterion("scmc-E2", "raw ratio", m["raw"], at_least=0.115, **ANY)
