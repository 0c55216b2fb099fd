"""Where the book's files are, when the library runs inside a checkout of it.

The package installs alone, without the book. What needs the book's own files
(claims, stored results, shipped data) asks here, and gets a plain answer when
there is no checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT_VARIABLE = "NOTEBOOK_LIB_ROOT"


class CheckoutNotFound(FileNotFoundError):
    """The book's files are needed and no checkout of the book was found."""


def _is_root(folder: Path) -> bool:
    return (folder / "data" / "claims.csv").is_file()


def find_root() -> Path | None:
    """Return the root of the checkout, or None outside one.

    ``NOTEBOOK_LIB_ROOT`` wins; otherwise the folders above this file are tried
    (an editable install), then the working folder and those above it.

    Raises
    ------
    ValueError
        If ``NOTEBOOK_LIB_ROOT`` is set to a folder that is not a checkout: a
        wrong setting must not be passed over in silence.
    """
    wanted = os.environ.get(ROOT_VARIABLE)
    if wanted:
        folder = Path(wanted).expanduser()
        if not _is_root(folder):
            raise ValueError(
                f"{ROOT_VARIABLE}={wanted!r} is not a checkout of the book "
                "(it has no data/claims.csv); point it at the folder that holds "
                "pyproject.toml and data/, or unset it"
            )
        return folder.resolve()
    starts = (Path(__file__).resolve().parent, Path.cwd())
    for start in starts:
        for folder in (start, *start.parents):
            if _is_root(folder):
                return folder
    return None


def root() -> Path:
    """Return the root of the checkout.

    Raises
    ------
    CheckoutNotFound
        Outside a checkout; the message says what to do.
    """
    folder = find_root()
    if folder is None:
        raise CheckoutNotFound(
            "this needs the book's own files, and no checkout of the book was found: "
            "clone the repository and work inside it, or set "
            f"{ROOT_VARIABLE} to its folder"
        )
    return folder


def data_folder() -> Path:
    """Return ``data/`` of the checkout (raises like :func:`root`)."""
    return root() / "data"
