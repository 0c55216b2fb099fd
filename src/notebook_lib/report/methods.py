"""The methods that the report knows, with what each of them promises."""

from __future__ import annotations

from typing import NamedTuple

from .. import guide

__all__ = ["METHODS", "Method", "applicable", "check_method", "method_name"]


class Method(NamedTuple):
    """One method, in words.

    Attributes
    ----------
    name : str
        Name in the book.
    short : str
        Guarantee in a few words, as in the guide.
    guarantee : str
        In a sentence, as in the guide.
    assumption : str
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


def _method(key, assumption, why_not, cases, *, name=None, labels=True):
    """One method: what it promises is the guide's word, under the report's name."""
    entry = guide.advice(key)
    chapter = entry.page.lower() if entry.chapter[0].isdigit() else "the book's start"
    return Method(
        name or entry.method,
        entry.guarantee,
        f"{entry.in_full}.",
        assumption,
        chapter,
        why_not,
        cases,
        labels,
    )


METHODS = {
    "split": _method(
        "split-cp",
        _EXCHANGEABLE,
        "it cannot take gaps.",
        ("none",),
        name="split CQR",
    ),
    "exact": _method(
        "cp-mda-exact",
        _EXCHANGEABLE + _MCAR,
        "infinite on masks that too few other rows fit under.",
        ("covariates",),
    ),
    "nested": _method(
        "nested-star",
        _EXCHANGEABLE + _MCAR,
        "longer where rows are complete: every calibration row is used, under a larger "
        "mask.",
        ("covariates",),
    ),
    "adaptive": _method(
        "nested-star",
        _EXCHANGEABLE + _MCAR,
        "it leaves calibration rows out: without independent gaps it promises nothing.",
        ("covariates",),
        name="CP-MDA-Nested* (adaptive)",
    ),
    "imputed": _method(
        "impute-cqr",
        _EXCHANGEABLE,
        "one threshold for all masks: too short for rows with many gaps, too long for "
        "complete ones. Enough if only the average matters.",
        ("covariates",),
    ),
    "per-mask": _method(
        "same-mask",
        _EXCHANGEABLE,
        "infinite on every mask with few rows of its own.",
        ("covariates",),
        name="same mask",
    ),
    "weighted": _method(
        "weighted-cp",
        _MAR,
        "an average over all missing rows, whatever their propensity.",
        ("outcome", "both"),
    ),
    "pro-cp": _method(
        "pro-cp",
        _MAR,
        "wider than weighted CP, and infinite where bins hold few rows.",
        ("outcome", "both"),
        name="pro-CP (one representative)",
        labels=False,
    ),
    "pro-cp2": _method(
        "pro-cp2",
        _MAR,
        "wider still; for when a bad draw costs more than an average one.",
        ("outcome", "both"),
        labels=False,
    ),
    "matrix": _method(
        "scmc",
        "which entries are seen follows known (or well estimated) sampling weights.",
        "it fills entries of a matrix; here one column is wanted from the others.",
        ("matrix",),
        labels=False,
    ),
}


#: Quantile regression is for numbers; labels have these methods under other names.
_FOR_LABELS = {"split": "split CP", "imputed": "impute, then split CP"}


def method_name(key, task):
    """Name of a method in the book, for numbers or labels.

    Parameters
    ----------
    key : str
        Key of :data:`METHODS`.
    task : {"regression", "classification"}
        What is predicted.

    Returns
    -------
    str
        The name.

    Examples
    --------
    >>> method_name("split", "regression"), method_name("split", "classification")
    ('split CQR', 'split CP')
    """
    if task == "classification" and key in _FOR_LABELS:
        return _FOR_LABELS[key]
    return METHODS[key].name


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
