"""Criteria of chapter 5 as data: make them, and put many into one verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .study import Study

Check = dict


def first_replicates(study: Study, n_replicates: int, **only) -> pd.DataFrame:
    """Rows of the first replicates of a study, in memory.

    They are exactly the first rows of the stored study, since every replicate has
    its own seed.

    Parameters
    ----------
    study : Study
        What to run.
    n_replicates : int
        Replicates of each scenario.
    **only
        Keep the scenarios that have this value, or one of these.
    """
    rows = []
    for index, scenario in enumerate(study.scenarios):
        if any(scenario[name] not in _many(value) for name, value in only.items()):
            continue
        for replicate in range(n_replicates):
            found = study.replicate(dict(scenario), study.rng(index, replicate))
            head = {"scenario": index} | scenario | {"replicate": replicate}
            rows += [head | row for row in found]
    frame = pd.DataFrame(rows).assign(error="")
    return frame if study.summarise is None else study.summarise(frame)


def _many(value):
    return value if isinstance(value, tuple) else (value,)


def criterion(id: str, part: str, observed, **rule) -> Check:
    """Arguments of one call of :func:`notebook_lib.claims.check`.

    ``noise`` is a Monte-Carlo error that few live replicates may add to a criterion
    which is stated without one: at paper scale it is dropped.
    """
    return {"id": id, "part": part, "observed": observed} | rule


def pivot(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Aggregated rows with one column a metric, and its error beside it."""
    wide = frame.pivot_table(index=by, columns="metric", values=["mean", "mc_error"])
    wide.columns = [
        metric if kind == "mean" else f"{metric}_se" for kind, metric in wide.columns
    ]
    return wide.reset_index()


_KINDS = {
    ("at_least",): "lower bounds",
    ("at_most",): "upper bounds",
    ("at_least", "at_most"): "ranges",
    ("expected",): "values",
}


def merge(checks, scale: str = "quick") -> list[Check]:
    """Put checks of one claim and one kind of criterion into one, with arrays.

    A page with a line for each of some hundred checks hides what it shows; of an
    array, the element with the least slack is shown. Checks against published
    numbers, differences and flags stay alone.

    Parameters
    ----------
    checks : iterable of dict
        As :func:`criterion` makes them.
    scale : str
        At any but ``"quick"`` no ``noise`` is allowed for.
    """
    groups: dict[tuple, list[Check]] = {}
    for position, one in enumerate(checks):
        one = dict(one)
        noise = one.pop("noise", None)
        if noise is not None and scale == "quick":
            one["mc_error"] = noise
        kind = tuple(n for n in ("at_least", "at_most", "expected") if n in one)
        alone = "published" in one or "why" in one or kind not in _KINDS
        key = (one["id"], position) if alone else (one["id"], kind, "tol" in one)
        groups.setdefault(key, []).append(one)
    return [_merged(group) for group in groups.values()]


def _merged(group: list[Check]) -> Check:
    if len(group) == 1:
        return group[0]
    out = {"id": group[0]["id"]}
    kind = tuple(n for n in ("at_least", "at_most", "expected") if n in group[0])
    out["part"] = f"{group[0]['part']} and {len(group) - 1} more {_KINDS[kind]}"
    if len({one.get("note", "") for one in group}) == 1:
        out["note"] = group[0].get("note", "")
    sizes = [np.size(one["observed"]) for one in group]
    for name in ("observed", "tol", "mc_error", *kind):
        if any(name in one for one in group):
            parts = [one.get(name, 0.0) for one in group]
            spread = [
                np.broadcast_to(np.ravel(part), size)
                for part, size in zip(parts, sizes, strict=True)
            ]
            out[name] = np.concatenate(spread).astype(float)
    return out
