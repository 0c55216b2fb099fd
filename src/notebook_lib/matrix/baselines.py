"""What SCMC is compared with: each entry of a group treated alone.

The first two are SCMC with groups of one cell: unadjusted at level ``alpha``
(Algorithm A3 of Liang et al. 2024), Bonferroni at ``alpha / K`` (Algorithm A4). The
third is the individual-level method of Gui, Barber and Ma (2023).
"""

import numpy as np

from .._validation import check_1d, check_same_length
from ..quantiles import weighted_conformal_quantile
from ._checks import check_groups
from .sampling import default_calibration_size
from .scmc import calibrate, one_level

__all__ = ["bonferroni", "individual_thresholds", "unadjusted"]


def unadjusted(
    M, observed, tests, completion, rng, *, alpha=0.1, infinite="inf", **options
):
    """Each entry at level `alpha`, alone: no guarantee for the group (Algorithm A3).

    Parameters
    ----------
    M, observed, tests, completion, rng, alpha, infinite, **options
        As in :func:`scmc`. ``n_groups`` counts groups of ``K`` cells, so that the
        training set has the same size as that of :func:`scmc`.

    Returns
    -------
    GroupRegions
        Regions with one threshold for each cell.
    """
    one_level(alpha)
    cells = _calibrate_cells(M, observed, np.asarray(tests), completion, rng, options)
    return cells.cell_regions(tests, alpha, infinite=infinite)


def bonferroni(
    M, observed, tests, completion, rng, *, alpha=0.1, infinite="inf", **options
):
    """Each entry at level ``alpha / K`` (Algorithm A4).

    Parameters
    ----------
    M, observed, tests, completion, rng, alpha, infinite, **options
        As in :func:`unadjusted`.

    Returns
    -------
    GroupRegions
        Regions with one threshold for each cell. The union bound is rigorous if the
        test weights are constant; otherwise the later cells of a group do not follow
        the law that the weights assume.
    """
    level = one_level(alpha)
    tests = np.asarray(tests)
    cells = _calibrate_cells(M, observed, tests, completion, rng, options)
    return cells.cell_regions(tests, level / tests.shape[1], infinite=infinite)


def _calibrate_cells(M, observed, tests, completion, rng, options):
    tests, options = check_groups(tests, "tests", np.shape(M)), dict(options)
    k, n_groups = tests.shape[1], options.pop("n_groups", None)
    if n_groups is None:
        n_groups = default_calibration_size(np.asarray(observed), k)
    return calibrate(M, observed, 1, completion, rng, n_groups=k * n_groups, **options)


def individual_thresholds(scores, probability, test_probability, alpha=0.1):
    """Thresholds of the individual-level method of Gui, Barber and Ma (2023).

    Cells are observed independently with known probabilities; the weight of a
    calibration cell is its odds of being missing, ``(1 - p) / p`` (A21 to A25).

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores of the calibration cells.
    probability : array_like, shape (n,)
        Probability of observation of the calibration cells, in (0, 1].
    test_probability : array_like, shape (m,)
        The same for the test cells.
    alpha : float
        Miscoverage level in (0, 1).

    Returns
    -------
    ndarray, shape (m,)
        Thresholds, ``inf`` where the finite weight is short.

    Raises
    ------
    ValueError
        If a probability lies outside (0, 1].
    """
    scores = check_1d(scores, "scores", finite=False)
    p = check_1d(probability, "probability")
    q = check_1d(test_probability, "test_probability")
    check_same_length(scores=scores, probability=p)
    for name, value in (("probability", p), ("test_probability", q)):
        if value.size and not ((value > 0) & (value <= 1)).all():
            raise ValueError(
                f"{name} must lie in (0, 1], got {value.min():g} to {value.max():g}: "
                "clip estimates away from 0, since an observed cell had a positive "
                "chance"
            )
    return weighted_conformal_quantile(scores, (1 - p) / p, (1 - q) / q, alpha)
