"""A bar on standard error for fits that take a while."""

from __future__ import annotations

import sys
from collections.abc import Iterator

__all__: list[str] = []

_WIDTH = 24


class Progress:
    """Count the steps of a fit and draw them as a bar.

    Parameters
    ----------
    name : str
        Name of the method, at the start of the line.
    total : int
        Largest number of steps.
    show : bool
        Whether to draw at all.

    Attributes
    ----------
    value : float
        What the fit drives down or up, shown behind the bar; set by the loop.
    """

    def __init__(self, name: str, total: int, show: bool):
        self.name, self.total, self.show = name, int(total), bool(show)
        self.value = float("nan")

    def __iter__(self) -> Iterator[int]:
        step = 0
        try:
            for step in range(1, self.total + 1):
                yield step
                self._draw(step, end="\r")
        finally:  # also when the loop was left early
            self._draw(step, end="\n")

    def _draw(self, step: int, end: str) -> None:
        if self.show:
            done = _WIDTH * step // max(self.total, 1)
            bar = "#" * done + "." * (_WIDTH - done)
            line = f"{self.name} [{bar}] {step}/{self.total}  {self.value:.6g}"
            print(line, end=end, file=sys.stderr, flush=True)
