"""Where things lie, and which notebooks there are."""

from __future__ import annotations

import dataclasses
import pathlib

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
#: The pages that are made of what the executed chapters record.
LEDGER = ("ledger", "errata", "additions", "what_ran", "speed")


class BookError(Exception):
    """Something a person can mend; shown without a traceback."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """The folders of one checkout.

    Parameters
    ----------
    root : pathlib.Path
        The checkout; tests give a toy one.
    """

    root: pathlib.Path = REPOSITORY

    @property
    def book(self) -> pathlib.Path:
        """The pages' sources."""
        return self.root / "book"

    @property
    def build(self) -> pathlib.Path:
        """Everything made; never committed."""
        return self.root / "_build"

    @property
    def stage(self) -> pathlib.Path:
        """The tree that is confirmed and then rendered."""
        return self.build / "stage"

    @property
    def stage_book(self) -> pathlib.Path:
        """The staged notebooks and pages."""
        return self.stage / "book"

    @property
    def site(self) -> pathlib.Path:
        """What jupyter-book writes into."""
        return self.build / "site"

    @property
    def html(self) -> pathlib.Path:
        """The finished pages."""
        return self.site / "_build" / "html"

    @property
    def variants(self) -> pathlib.Path:
        """Chapters run with other parameters."""
        return self.build / "variants"

    @property
    def staged_record(self) -> pathlib.Path:
        """From what each staged notebook was made."""
        return self.build / "staged.json"

    @property
    def manifest(self) -> pathlib.Path:
        """The hashes of the notebooks that nbval confirmed."""
        return self.build / "tested.json"

    def chapters(self) -> list[pathlib.Path]:
        """The numbered notebooks, in the book's order."""
        return sorted(self.book.glob("[0-9][0-9]_*.ipynb"))

    def ledger(self) -> list[pathlib.Path]:
        """The ledger and the pages beside it, which read the executed chapters."""
        paths = [self.book / f"{name}.ipynb" for name in LEDGER]
        return [path for path in paths if path.exists()]

    def notebooks(self) -> list[pathlib.Path]:
        """Every notebook of the book; the ledger and its like last."""
        return self.chapters() + self.ledger()

    def sources(self) -> list[pathlib.Path]:
        """The percent scripts that people edit; the ledger and its like last."""
        scripts = sorted(self.book.glob("[0-9][0-9]_*.py"))
        ledger = [self.book / f"{name}.py" for name in LEDGER]
        return scripts + [script for script in ledger if script.exists()]

    def find(self, name: str) -> pathlib.Path:
        """The one notebook whose name begins with `name`.

        Parameters
        ----------
        name : str
            A unique prefix such as ``"04"``; a path or an extension is cut off.

        Raises
        ------
        BookError
            If no notebook or more than one fits.
        """
        known = sorted({p.with_suffix(".ipynb") for p in self.sources()})
        known = sorted({*known, *self.notebooks()})
        wanted = pathlib.PurePath(name).name
        wanted = wanted.removesuffix(".ipynb").removesuffix(".py")
        exact = [p for p in known if p.stem == wanted]
        fits = exact or [p for p in known if wanted and p.stem.startswith(wanted)]
        if len(fits) != 1:
            names = ", ".join(p.stem for p in known) or "none"
            many = "more than one chapter fits" if fits else "no chapter fits"
            raise BookError(f"{many} {name!r}; the chapters are: {names}")
        return fits[0]
