"""The methods that the report knows, with what each of them promises."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["METHODS", "Method", "applicable", "check_method"]


class Method(NamedTuple):
    """One method, in words.

    Attributes
    ----------
    name : str
        Name in the book.
    short : str
        Guarantee in three words.
    guarantee, assumption : str
        In sentences.
    chapter : str
        Where it is explained.
    why_not : str
        What speaks against it.
    cases : tuple of str
        Gaps it is for.
    labels : bool
        Whether it makes sets of labels too.
    """

    name: str
    short: str
    guarantee: str
    assumption: str
    chapter: str
    why_not: str
    cases: tuple
    labels: bool = True


_EXCHANGEABLE = (
    "rows are exchangeable (as if drawn at random from one population, in random "
    "order). That cannot be tested from the table."
)
_MCAR = (
    " For the promise by mask, gaps must be independent of the covariates and the "
    "outcome; that can be refuted, never confirmed."
)
_MAR = (
    "outcomes are missing at random given the covariates (MAR), and every row had a "
    "chance of being observed. MAR cannot be tested."
)

METHODS = {
    "split": Method(
        "split CQR",
        "marginal, 1 - alpha",
        "marginal: a new row is covered with probability at least 1 - alpha, on "
        "average over rows.",
        _EXCHANGEABLE,
        "the library's `split`",
        "it cannot take gaps.",
        ("none",),
    ),
    "exact": Method(
        "CP-MDA-Exact",
        "mask-conditional, 1 - alpha",
        "mask-conditional: at least 1 - alpha on every mask.",
        _EXCHANGEABLE + _MCAR,
        "chapter 4",
        "infinite on masks that too few other rows fit under.",
        ("covariates",),
    ),
    "nested": Method(
        "CP-MDA-Nested*",
        "marginal and mask-conditional, 1 - 2 alpha",
        "at least 1 - 2 alpha on average over masks, whatever makes the gaps; the same "
        "on every mask if gaps are independent of the data (in practice about "
        "1 - alpha).",
        _EXCHANGEABLE + _MCAR,
        "chapter 4",
        "longer where rows are complete: every calibration row is used, under a larger "
        "mask.",
        ("covariates",),
    ),
    "adaptive": Method(
        "CP-MDA-Nested* (adaptive)",
        "mask-conditional, 1 - 2 alpha",
        "mask-conditional: at least 1 - 2 alpha on every mask (in practice about "
        "1 - alpha).",
        _EXCHANGEABLE + _MCAR,
        "chapter 4",
        "without independent gaps it promises nothing.",
        ("covariates",),
    ),
    "imputed": Method(
        "impute, then split CQR",
        "marginal, 1 - alpha",
        "marginal: at least 1 - alpha on average over all masks together.",
        _EXCHANGEABLE,
        "chapter 4",
        "one threshold for all masks: too short for rows with many gaps, too long for "
        "complete ones. Enough if only the average matters.",
        ("covariates",),
    ),
    "per-mask": Method(
        "same mask",
        "mask-conditional, 1 - alpha",
        "mask-conditional: at least 1 - alpha on every mask, whatever makes the gaps.",
        _EXCHANGEABLE,
        "chapter 4",
        "infinite on every mask with few rows of its own.",
        ("covariates",),
    ),
    "weighted": Method(
        "weighted CP",
        "marginal over missing rows, 1 - alpha",
        "marginal over the rows whose outcome is missing: at least 1 - alpha with the "
        "true propensity.",
        _MAR,
        "chapter 5",
        "an average over all missing rows, whatever their propensity.",
        ("outcome", "both"),
    ),
    "pro-cp": Method(
        "pro-CP (one representative)",
        "bin-conditional and simultaneous, 1 - alpha - slack",
        "bin-conditional and simultaneous: the expected share of missing rows that are "
        "missed is at most alpha plus the slack of the bins (at most epsilon / 4), "
        "given the propensity bins of all rows.",
        _MAR,
        "chapter 5",
        "wider than weighted CP, and infinite where bins hold few rows.",
        ("outcome", "both"),
        False,
    ),
    "pro-cp2": Method(
        "pro-CP2",
        "bin-conditional, in squared miss rate",
        "bin-conditional, for the square of the share missed: protects against bad "
        "draws more than pro-CP.",
        _MAR,
        "chapter 5",
        "wider still; for when a bad draw costs more than an average one.",
        ("outcome", "both"),
        False,
    ),
    "matrix": Method(
        "StructuredConformalCompletion",
        "simultaneous over a group of entries",
        "simultaneous: all entries of a group are covered with probability at least "
        "1 - alpha.",
        "which entries are seen follows known (or well estimated) sampling weights.",
        "chapter 2",
        "it fills entries of a matrix; here one column is wanted from the others.",
        ("matrix",),
        False,
    ),
}


def applicable(case, task):
    """Keys of the methods for a case.

    Parameters
    ----------
    case : str
        As in :class:`Gaps`.
    task : {"regression", "classification"}
        Intervals or sets of labels.

    Returns
    -------
    list of str
        Keys of ``METHODS``.
    """
    wanted = "covariates" if case == "matrix" else case
    found = [key for key, method in METHODS.items() if wanted in method.cases]
    if case == "matrix":
        found = ["matrix", *found]
    return [key for key in found if METHODS[key].labels or task == "regression"]


def check_method(method, case, table):
    """Refuse a method that does not apply.

    Parameters
    ----------
    method : str
        Key.
    case : str
        As in :class:`Gaps`.
    table : Table
        For the words of the message.

    Raises
    ------
    ValueError
        With the methods that do apply.
    """
    fit = [key for key in applicable(case, table.task) if key != "matrix"]
    if method in fit:
        return
    if method not in METHODS:
        raise ValueError(
            f"method must be 'auto' or one of {', '.join(fit)}, got {method!r}"
        )
    missing = int((~table.observed).sum())
    state = {
        "none": "nothing is missing",
        "covariates": f"covariates are missing and {table.target!r} is complete",
        "outcome": f"{table.target!r} is missing in {missing} rows",
        "both": f"{table.target!r} is missing in {missing} rows, and covariates too",
        "matrix": "the table looks like a matrix of ratings",
    }[case]
    words = "" if table.task == "regression" else " and labels are wanted"
    raise ValueError(
        f"method {method!r} does not apply where {state}{words}: choose 'auto' or "
        f"{', '.join(fit)}"
    )
