"""Stored results: a tidy CSV beside a manifest, the same bytes each time."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path

import pandas as pd

from notebook_lib import _checkout
from notebook_lib.studies.study import Study

MAX_BYTES = 5_000_000
SIGNIFICANT_DIGITS = 6
_STORED = ["study", "description", "scenarios", "replicates", "failed"]
_STORED += ["minutes", "date", "rows"]
_PACKAGES = ("joblib", "numpy", "pandas", "scikit-learn", "scipy", "torch")


def aggregate(
    frame: pd.DataFrame, by: str | list[str], values: str | list[str]
) -> pd.DataFrame:
    """Average over replicates, with Monte-Carlo errors and failures counted.

    Rows of one replicate that fall in the same group are averaged first, so the
    Monte-Carlo error is that of independent replicates.

    Parameters
    ----------
    frame : DataFrame
        As returned by :func:`run`.
    by : str or list of str
        Columns that define the groups.
    values : str or list of str
        Columns to average.

    Returns
    -------
    DataFrame
        One row per group and value: ``by``, ``metric``, ``mean``, ``mc_error``
        (standard error over replicates; NaN for fewer than two), ``n``
        (replicates with a value), ``n_failed`` (failed replicates of the
        group's scenarios).
    """
    by = [by] if isinstance(by, str) else list(by)
    values = [values] if isinstance(values, str) else list(values)
    missing = [name for name in (*by, *values) if name not in frame]
    if missing:
        raise ValueError(f"no column {missing[0]!r}: choose from {list(frame.columns)}")
    good = frame[frame["error"] == ""] if "error" in frame else frame
    unit = [n for n in ("scenario", "replicate") if n in frame and n not in by]
    means = good.groupby([*by, *unit], sort=False, dropna=False)[values].mean()
    groups = means.reset_index().groupby(by, sort=False, dropna=False)
    parts = [_moments(groups[value], value) for value in values]
    table = pd.concat(parts).sort_values("group", kind="stable").drop(columns="group")
    table["n_failed"] = _failures(frame, table, by)
    table.attrs = dict(frame.attrs)
    return table.reset_index(drop=True)


def _moments(groups, value: str) -> pd.DataFrame:
    table = groups.agg(mean="mean", sd="std", n="count").reset_index()
    table["mc_error"] = table["sd"] / table["n"] ** 0.5
    table["metric"], table["group"] = value, range(len(table))
    heads = [c for c in table if c not in ("mean", "sd", "n", "mc_error", "metric")]
    heads.remove("group")
    return table[[*heads, "metric", "mean", "mc_error", "n", "group"]]


def _failures(frame, table, by):
    """Failed replicates of each group; they have no method, only a scenario."""
    if "error" not in frame or not (frame["error"] != "").any():
        return 0
    failed = frame[frame["error"] != ""]
    known = [name for name in by if failed[name].notna().any()]
    if not known:
        return len(failed)
    counts = failed.groupby(known, dropna=False).size().rename("n_failed")
    merged = table[known].merge(counts.reset_index(), on=known, how="left")
    return merged["n_failed"].fillna(0).astype(int).to_numpy()


# ------------------------------------------------------------------ save, load


def results_folder() -> Path:
    """Return ``data/results`` of the checkout."""
    return _checkout.data_folder() / "results"


def to_csv(frame: pd.DataFrame) -> str:
    """Write a frame as text: 6 significant digits, unix line ends, no index."""
    return frame.to_csv(
        index=False, float_format=f"%.{SIGNIFICANT_DIGITS}g", lineterminator="\n"
    )


def save(
    study: Study,
    frame: pd.DataFrame,
    *,
    folder: str | Path | None = None,
    note: str = "",
) -> Path:
    """Store a result and its manifest.

    Parameters
    ----------
    study : Study
        Where the frame comes from.
    frame : DataFrame
        Rows of :func:`run`, or what :func:`aggregate` made of them.
    folder : str or Path, optional
        ``data/results`` of the checkout by default.
    note : str
        A remark for the manifest.

    Returns
    -------
    Path
        The CSV; the manifest lies beside it with the suffix ``.json``.

    Raises
    ------
    ValueError
        If the CSV would exceed 5 MB: aggregate first.
    """
    text = to_csv(frame)
    if len(text) > MAX_BYTES:
        raise ValueError(
            f"{study.name} has {len(text) / 1e6:.1f} MB of rows, the limit is "
            f"{MAX_BYTES / 1e6:.0f} MB: store studies.aggregate(frame, by, values)"
        )
    folder = results_folder() if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{study.name}.csv"
    path.write_text(text, encoding="utf-8", newline="\n")
    manifest = _manifest(study, frame, text, note)
    write_manifest(path.with_suffix(".json"), manifest)
    return path


def write_manifest(path: Path, manifest: dict) -> None:
    """Write a manifest, the same bytes for the same content."""
    content = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    path.write_text(content, encoding="utf-8", newline="\n")


def _manifest(study: Study, frame: pd.DataFrame, text: str, note: str) -> dict:
    """What is needed to make the numbers again; nothing about the machine."""
    return {
        "study": study.name,
        "description": study.description,
        "document": study.document,
        "date": datetime.date.today().isoformat(),
        "seed": study.seed,
        "version": study.version,
        "key": study.key,
        **frame.attrs.get("run", {}),
        "scenarios": list(study.scenarios),
        "columns": list(frame.columns),
        "n_rows": len(frame),
        "sha256": hashlib.sha256(text.encode("utf-8")).hexdigest(),
        "note": note,
        "python": platform.python_version(),
        "packages": _versions(),
    }


def _versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on, of those installed."""
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def load(name: str, *, folder: str | Path | None = None) -> tuple[pd.DataFrame, dict]:
    """Return a stored result and its manifest.

    Parameters
    ----------
    name : str
        The study's name.
    folder : str or Path, optional
        ``data/results`` of the checkout by default.

    Raises
    ------
    FileNotFoundError
        If the study was never stored; the message says how to run it.
    ValueError
        If the CSV is not the one the manifest describes.
    """
    folder = results_folder() if folder is None else Path(folder)
    path = folder / f"{name}.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"no stored result of the study {name!r}; run it with "
            f"python -m notebook_lib.studies run {name}"
        )
    manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    content = path.read_bytes().replace(b"\r\n", b"\n")
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise ValueError(f"{name}.csv was changed after it was stored; run it again")
    frame = pd.read_csv(path, dtype={"error": str})
    if "error" in frame:
        frame["error"] = frame["error"].fillna("")
    return frame, manifest


def stored(*, folder: str | Path | None = None) -> pd.DataFrame:
    """List the stored results: what ran, when, how long, with what.

    Parameters
    ----------
    folder : str or Path, optional
        ``data/results`` of the checkout by default.

    Returns
    -------
    DataFrame
        ``study``, ``description``, ``scenarios``, ``replicates``, ``failed``,
        ``minutes`` (of wall time), ``date``, ``rows``; sorted by name.
    """
    folder = results_folder() if folder is None else Path(folder)
    rows = []
    for path in sorted(folder.glob("*.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        rows.append(
            {
                "study": manifest["study"],
                "description": manifest["description"],
                "scenarios": len(manifest["scenarios"]),
                "replicates": manifest.get("n_replicates"),
                "failed": manifest.get("n_failed"),
                "minutes": round(manifest.get("wall_seconds", 0) / 60, 1),
                "date": manifest["date"],
                "rows": manifest["n_rows"],
            }
        )
    names = [
        "study",
        "description",
        "scenarios",
        "replicates",
        "failed",
        "minutes",
        "date",
        "rows",
    ]
    return pd.DataFrame(rows, columns=names)
