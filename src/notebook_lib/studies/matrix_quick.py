"""What chapter 2 measures live of its theory, several numbers at a time.

The statements themselves are in :mod:`~.matrix_theory`, :mod:`~.matrix_integral` and
:mod:`~.matrix_parts`, whose code must stay as the stored studies ran it;
:mod:`~.matrix_quick_verdicts` says what the numbers must be.
"""

from __future__ import annotations

import numpy as np

from .. import matrix
from ..metrics import mean_estimate
from ..quantiles import weighted_quantile
from . import matrix_integral as integrals
from . import matrix_theory as theory

#: The case of :func:`enumeration`: rows, columns, observed cells, K, n.
CASE = (4, 2, 4, 2, 1)


def enumeration(rng) -> dict[str, float]:
    """Lemma 3 on tiny matrices: what varies beside the sampling weights.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Largest gap between the weights and the enumerated law for ten cells
        (``"5 x 2"``), constant ``w``, all feasible groups (``"n = xi"``), and cells of
        test weight zero (``"zeros"``, and ``"zeros counted"`` as the authors count
        them); the largest deviation of a test cell's law from its weight
        (``"constant w*"``, ``"varied w*"``); ``"swaps that change xi"``.
    """
    fixed = np.random.default_rng
    blank = dict(zeros=[(0, 0), (3, 1)], every=8)

    def gap(case, rng, **options):
        return theory.enumeration_gap(case, rng, **options)["gap"]

    return {
        "5 x 2": gap((5, 2, 5, 2, 2), rng, every=100),
        "constant w": gap(CASE, rng, constant=True, every=4),
        "n = xi": gap((*CASE[:4], "all"), rng, every=5),
        "zeros": gap(CASE, rng, **blank),
        "zeros counted": gap(CASE, fixed(0), count_zeros=True, **blank),
        "constant w*": theory.marginal_of_test_cells(rng, constant=True),
        "varied w*": theory.marginal_of_test_cells(fixed(0), constant=False),
        "swaps that change xi": theory.swap_keeps_xi(rng),
    }


def integral(rng) -> dict:
    """Proposition 2, Lemma 4 and Section 4.1 at random weights.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``newton``: the iteration for h (:func:`~.matrix_integral.newton_path`);
        ``ratio``: mean error of the Laplace ratio by size; ``sign changes`` of the
        slope of log Phi at h delta = 0.5, 1, 2 and 20; ``integral``: error of the
        integral in log t, at the root and at h = 1.7; ``outside``: draws that break
        Lemma A7; ``odds``: error of the identity of Section 4.1.
    """
    return {
        "newton": integrals.newton_path(rng),
        "ratio": integrals.laplace_ratio_errors(rng),
        "sign changes": list(integrals.sign_changes(rng).values()),
        "integral": [integrals.integral_error(rng, h=h) for h in (None, "root", 1.7)],
        "outside": integrals.root_bounds(),
        "odds": integrals.odds_identity(rng),
    }


def metrics(rng) -> dict[str, float]:
    """Regions, widths and sizes on cases that can be done in the head.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the intervals that are clipped.

    Returns
    -------
    dict
        ``closed``: whether a score on the edge is inside and one beyond is not;
        ``width of 9 +- 2`` on 1 to 5 and whether it is ``flagged``; the ``least
        width`` of 500 wild intervals clipped to that range; the ``effective size`` of
        50 equal weights; the quantile of ``nine scores`` whose mass is 0.9.
    """
    cube, centre = matrix.HyperCube(), np.zeros((1, 3))
    edge = cube.score(np.array([[1.0, -1.0, 0.0]]), centre)[0]
    beyond = cube.score(np.array([[1.01, 0.0, 0.0]]), centre)[0]
    low, high, outside = matrix.clip_to_range([7.0], [11.0], 1, 5)
    wild = np.sort(rng.normal(3, 6, (2, 500)), axis=0)
    lower, upper, _ = matrix.clip_to_range(*wild, 1, 5)
    masses = np.full(9, 0.1)
    nine = weighted_quantile(np.arange(9.0), masses, 0.9, mass_at_infinity=0.1)
    return {
        "closed": bool(edge <= 1 < beyond),
        "width of 9 +- 2": high[0] - low[0],
        "flagged": bool(outside[0]),
        "least width": (upper - lower).min(),
        "effective size": matrix.effective_sample_size(np.full((1, 50), 0.02))[0],
        "nine scores": nine,
    }


def coverage_by(covered, names) -> dict[str, tuple[float, float]]:
    """Coverage and its Monte-Carlo error for each column of a table of hits.

    Parameters
    ----------
    covered : array-like of bool or float, shape (n_replicates, n_columns)
    names : sequence of str
        Of the columns.
    """
    columns = np.asarray(covered, dtype=float).T
    pairs = zip(names, columns, strict=True)
    return {name: mean_estimate(column)[:2] for name, column in pairs}
