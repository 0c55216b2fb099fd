"""The results of one run as three tables and a manifest: data/benchmarks/."""

import datetime
import hashlib
import importlib.metadata
import json
import math
import os
import platform
from pathlib import Path

import pandas as pd

from benchmarks.rows import COLUMNS

FOLDER = Path(__file__).resolve().parents[1] / "data" / "benchmarks"
TABLES = ("ratios", "curves", "exponents")
PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas")
PEERS = ("mapie", "crepes", "puncc", "cmfrec")
MANIFEST = "manifest.json"

__all__ = ["FOLDER", "MANIFEST", "TABLES", "digest", "versions", "write"]


def versions(names):
    """Installed version of each package, ``not installed`` where there is none."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def digest(path):
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def write(tables, *, minutes, quick=False, folder=FOLDER):
    """Write the tables, then the manifest that holds their hashes.

    Parameters
    ----------
    tables : dict
        The rows (a list of dict) of each of :data:`TABLES`.
    minutes : float
        Wall time of the run.
    quick : bool
        Whether the curves are on half of their grid; the page says so.
    folder : pathlib.Path
        Where to.

    Returns
    -------
    pathlib.Path
        The manifest.

    Raises
    ------
    ValueError
        If a table is missing or empty.
    """
    short = [name for name in TABLES if not tables.get(name)]
    if short:
        raise ValueError(f"nothing to write for {', '.join(short)}: run all benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        columns = COLUMNS if name == "ratios" else None
        frame = pd.DataFrame(tables[name], columns=columns)
        frame.to_csv(folder / f"{name}.csv", index=False, float_format="%.5g")
    manifest = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "minutes": math.ceil(minutes),
        "quick": quick,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions(PACKAGES),
        "peers": versions(PEERS),
        "sha256": {f"{name}.csv": digest(folder / f"{name}.csv") for name in TABLES},
    }
    path = folder / MANIFEST
    path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return path
