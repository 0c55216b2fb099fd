"""Which method for these gaps, with which guarantee, and why not the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .._validation import check_alpha
from ..masks import encode_masks, group_masks
from ..quantiles import smallest_calibration_size
from .gaps import describe_gaps
from .many_rows import NESTED_ROWS
from .methods import METHODS, applicable, check_method, method_name
from .outcome import overlap
from .reading import MIN_MISSING_OUTCOMES

__all__ = ["Recommendation", "recommend"]

CALIBRATION_SHARE = 0.25


@dataclass(frozen=True)
class Recommendation:
    """A method, what it promises, and what else was considered.

    Attributes
    ----------
    method : str
        Key, as :func:`predict_gaps` takes it.
    name : str
        Name of the method in the book.
    guarantee : str
        What it promises.
    assumption : str
        Under which assumption, and that it cannot be tested.
    why : str
        Why this one.
    chapter : str
        Chapter that explains it.
    needs : tuple of str
        What it needs, and what is there.
    cautions : tuple of str
        What to be careful about.
    alternatives : DataFrame
        ``method``, ``guarantee``, ``why_not``.
    """

    method: str
    name: str
    guarantee: str
    assumption: str
    why: str
    chapter: str
    needs: tuple
    cautions: tuple
    alternatives: pd.DataFrame

    def text(self):
        """The recommendation as Markdown, str."""
        name = self.name.replace("*", r"\*")
        lines = [
            f"**{name}** ({self.chapter}).",
            "",
            f"* Why: {self.why}",
            f"* Guarantee: {self.guarantee}",
            f"* Assumption: {self.assumption}",
            *(f"* Needs: {need}" for need in self.needs),
            *(f"* Careful: {caution}" for caution in self.cautions),
        ]
        return "\n".join(lines)


def recommend(table, *, alpha=0.1, gaps=None, method="auto"):
    """Say which method applies to a table, and why.

    Parameters
    ----------
    table : Table
        From :func:`read_table`.
    alpha : float or sequence of float
        Miscoverage level(s); the smallest decides what is needed.
    gaps : Gaps, optional
        From :func:`describe_gaps`, which is called if not given.
    method : str
        ``"auto"``, or the key of a method that you want: then it is checked.

    Returns
    -------
    Recommendation
        The choice, and the alternatives.

    Raises
    ------
    ValueError
        If the method asked for does not apply to these gaps.

    Examples
    --------
    >>> from notebook_lib import report
    >>> report.recommend(report.read_table(None, "weight")).name
    'CP-MDA-Nested*'
    """
    level = float(min(check_alpha(alpha)))
    gaps = describe_gaps(table) if gaps is None else gaps
    case = _working_case(table, gaps)
    if method == "auto":
        method, why = _choose(table, gaps, case, level)
    else:
        check_method(method, case, table)
        why = "you asked for it."
    entry = METHODS[method]
    return Recommendation(
        method,
        method_name(method, table.task),
        entry.guarantee,
        entry.assumption,
        why,
        entry.chapter,
        tuple(_needs(table, gaps, method, level)),
        tuple(_cautions(table, gaps, case, method)),
        _alternatives(table, case, method),
    )


def _working_case(table, gaps):
    """The case, with a handful of missing outcomes left out of it."""
    n_missing = int((~table.observed).sum())
    if gaps.case in ("outcome", "both") and n_missing < MIN_MISSING_OUTCOMES:
        return "covariates" if gaps.case == "both" else "none"
    return gaps.case


def _choose(table, gaps, case, alpha):
    if case == "matrix":
        return "matrix", "the table is wide, of one type, and mostly missing."
    if case == "none":
        return "split", "no covariate is missing, so nothing more is needed."
    if case == "covariates":
        return _choose_masks(table, gaps, alpha)
    return _choose_outcome(table, alpha)


def _choose_masks(table, gaps, alpha):
    if gaps.untenable:
        return "nested", (
            "covariates are missing, and the gaps of "
            f"{', '.join(map(repr, gaps.untenable[:3]))} depend on other columns. Used "
            "with all calibration rows, this one keeps a promise on average over masks "
            "whatever makes the gaps, and adapts to the mask of each row."
        )
    usable = _usable_rows(table)
    wanted = 3 * smallest_calibration_size(alpha)
    if usable.min() >= wanted:
        return "exact", (
            "covariates are missing, and every mask has at least "
            f"{int(usable.min())} calibration rows whose mask is included in it: "
            "enough to calibrate on these alone, without the factor 2 of "
            "CP-MDA-Nested*."
        )
    return "adaptive", (
        "covariates are missing, and some masks have too few calibration rows "
        f"({int(usable.min())} at the least) to be calibrated on their own: rows with "
        "other masks are brought under a common one."
    )


def _usable_rows(table):
    """Expected calibration rows with a mask included in each mask, shape (n_masks,)."""
    groups = group_masks(table.X.isna().to_numpy())
    patterns, counts = groups.patterns, groups.counts
    # Sixty-two columns fit into one integer, which is thirty times as fast as rows of
    # booleans: a table of 100 000 rows may have 30 000 masks.
    wide = patterns.shape[1] > 62
    codes = None if wide else encode_masks(patterns)
    inside = np.array(
        [
            counts[~(patterns & ~patterns[g]).any(axis=1)].sum()
            if wide
            else counts[codes & ~codes[g] == 0].sum()
            for g in range(len(counts))
        ]
    )
    return np.floor(inside * CALIBRATION_SHARE)


def _choose_outcome(table, alpha):
    found = overlap(table)
    mass = found["smallest alpha, pro-CP one_rep"]
    if table.task == "regression" and mass <= alpha / 2:
        return "pro-cp", (
            "outcomes are missing for many rows at once, and rows are plentiful enough "
            "to compare each with rows that were about as likely to be observed."
        )
    return "weighted", (
        "outcomes are missing, and observed rows are reweighted to look like the "
        "missing ones"
        + (
            "; there are too few rows for each propensity to promise more."
            if table.task == "regression"
            else "; this is what there is for labels."
        )
    )


def _needs(table, gaps, method, alpha):
    needed = smallest_calibration_size(alpha)
    n = int(table.observed.sum())
    if method in ("weighted", "pro-cp", "pro-cp2"):
        found = overlap(table)
        yield (
            f"overlap: the lowest estimated propensity of a missing row is "
            f"{found['lowest test propensity']:.2f}, and the {n} observed rows count "
            f"as {found['effective calibration rows']:.0f} per part after weighting "
            f"({found['calibration rows']:.0f} before)."
        )
        if method != "weighted":
            key = (
                "smallest alpha, pro-CP one_rep"
                if method == "pro-cp"
                else "smallest alpha, pro-CP2 two_rep"
            )
            yield (
                f"filled bins: finite sets need alpha above {found[key]:.3f}; it is "
                f"{alpha:g}."
            )
        return
    calibration = int(n * CALIBRATION_SHARE)
    if method in ("nested", "adaptive"):
        calibration = min(calibration, NESTED_ROWS)
    yield (
        f"at least {needed} usable calibration rows for alpha = {alpha:g}; about "
        f"{calibration} rows will calibrate."
    )
    if method in ("exact", "per-mask"):
        groups = group_masks(table.X.isna().to_numpy())
        usable = (
            _usable_rows(table)
            if method == "exact"
            else np.floor(groups.counts * CALIBRATION_SHARE)
        )
        poor = usable < needed
        if poor.any():
            yield (
                f"{needed} of them on each mask: {int(poor.sum())} of {len(poor)} "
                f"masks ({int(groups.counts[poor].sum())} rows) have fewer, and get "
                "infinite sets."
            )


def _cautions(table, gaps, case, method):
    if method in ("nested", "adaptive", "exact") and gaps.untenable:
        yield (
            "the promise for each mask needs gaps independent of the data, which looks "
            f"untenable for {', '.join(map(repr, gaps.untenable[:3]))}: look at the "
            "coverage by mask on held-out rows, and read it as a check, not a promise."
        )
    if gaps.case in ("outcome", "both") and case in ("none", "covariates"):
        yield (
            f"{int((~table.observed).sum())} outcomes are missing, too few to learn "
            "who is missing: their sets suppose that these rows are like the others."
        )
    if case == "both" and method in ("weighted", "pro-cp", "pro-cp2"):
        yield (
            "covariates are missing too: they are filled in, and the mask is a "
            "feature. What is said holds on average, with the observed entries and "
            "the mask in the propensity; nothing is promised for each mask."
        )
    if method in ("weighted", "pro-cp", "pro-cp2"):
        found = overlap(table)
        if found["effective calibration rows"] < 50:
            yield (
                f"few observed rows look like the missing ones (they count as "
                f"{found['effective calibration rows']:.0f}): the sets rest on few "
                "rows, and change with the seed."
            )
        if found["lowest test propensity"] < 0.02:
            yield (
                "some missing rows are of a kind that is hardly ever observed: there "
                "the sets rest on the model."
            )
        yield (
            "the propensity is estimated: its error adds to the miscoverage (chapter 5 "
            "bounds it)."
        )
    if method == "imputed":
        yield "rows with many gaps may be covered less than others; see the masks."
    yield (
        "a class that nobody recorded is a gap too: if you suspect hidden groups, see "
        "chapter 1."
    )


def _alternatives(table, case, chosen):
    rows = [
        {
            "method": method_name(key, table.task),
            "key": key,
            "guarantee": METHODS[key].short,
            "why_not": METHODS[key].why_not,
        }
        for key in applicable(case, table.task)
        if key != chosen
    ]
    return pd.DataFrame(rows, columns=["method", "key", "guarantee", "why_not"])
