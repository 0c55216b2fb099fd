"""One row of the table of benchmarks, and its verdict."""

import dataclasses
import math

import numpy as np

__all__ = ["COLUMNS", "NOT_MEASURED", "Row", "absent", "measured", "ratio_row"]

NOT_MEASURED = "not measured"


@dataclasses.dataclass(frozen=True)
class Row:
    """What was measured, against what, and whether the goal was reached.

    Attributes
    ----------
    id : str
        Short name, unique.
    group : str
        Part of the book.
    what : str
        What is measured.
    against : str
        What it is compared with; empty for an absolute measure.
    kind : {"naive", "peer", "absolute"}
        Definition-level version, another package, or no comparison.
    sizes : str
        Sizes of the data.
    value : float
        Median over the turns.
    low, high : float
        10 % and 90 % quantiles over the turns.
    unit : {"times faster", "times the time", "times the error", "s", "MB"}
        Unit of the three.
    relation : {">=", "<=", ""}
        How the goal reads.
    goal : float
        The goal; NaN without one.
    source : str
        Where the goal was set.
    difference : float
        Largest difference of the two outputs; NaN if there is one output.
    ours, other : float
        Median CPU seconds of both sides.
    turns : int
        Number of turns.
    note : str
        What else a reader must know.
    """

    id: str
    group: str
    what: str
    against: str = ""
    kind: str = "naive"
    sizes: str = ""
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = "times faster"
    relation: str = ">="
    goal: float = math.nan
    source: str = ""
    difference: float = math.nan
    ours: float = math.nan
    other: float = math.nan
    turns: int = 0
    note: str = ""

    @property
    def verdict(self):
        """``reached``, ``missed``, ``no goal`` or ``not measured: why``."""
        if math.isnan(self.value):
            return f"{NOT_MEASURED}: {self.note}" if self.note else NOT_MEASURED
        if math.isnan(self.goal):
            return "no goal"
        holds = {">=": self.value >= self.goal, "<=": self.value <= self.goal}
        return "reached" if holds[self.relation] else "missed"

    def record(self):
        """The fields and the verdict, as a dict."""
        return dataclasses.asdict(self) | {"verdict": self.verdict}

    def line(self):
        """One line for the terminal."""
        if self.verdict.startswith(NOT_MEASURED):
            return f"{self.id:28} {self.verdict}"
        goal = "" if math.isnan(self.goal) else f"{self.relation} {self.goal:g}"
        span = f"{self.low:.4g} to {self.high:.4g}" if self.turns > 1 else ""
        return (
            f"{self.id:28} {self.value:10.4g} {self.unit:16} {goal:9} "
            f"{self.verdict:8} {span}"
        )


COLUMNS = [field.name for field in dataclasses.fields(Row)] + ["verdict"]


def ratio_row(timed, *, unit="times faster", **fields):
    """Make the row of two functions that were timed in turns.

    Parameters
    ----------
    timed : benchmarks.timing.Turns
        The turns.
    unit : {"times faster", "times the time"}
        Which way round the ratio is told.
    **fields
        Other fields of :class:`Row`.

    Returns
    -------
    Row
    """
    ratios = timed.ratios if unit == "times faster" else 1 / timed.ratios
    return Row(
        value=float(np.median(ratios)),
        low=float(np.quantile(ratios, 0.1)),
        high=float(np.quantile(ratios, 0.9)),
        unit=unit,
        difference=timed.difference,
        ours=timed.ours,
        other=timed.other,
        turns=len(ratios),
        **fields,
    )


def measured(values, *, unit, **fields):
    """Make the row of an absolute measure (seconds, megabytes) taken several times.

    Parameters
    ----------
    values : sequence of float
        One a turn.
    unit : str
        Unit of the values.
    **fields
        Other fields of :class:`Row`.

    Returns
    -------
    Row
    """
    return Row(
        value=float(np.median(values)),
        low=float(np.quantile(values, 0.1)),
        high=float(np.quantile(values, 0.9)),
        unit=unit,
        kind="absolute",
        relation="<=",
        turns=len(values),
        **fields,
    )


def absent(peer, **fields):
    """Make the row of a peer that is not installed."""
    return Row(kind="peer", against=peer, note=f"{peer} is not installed", **fields)
