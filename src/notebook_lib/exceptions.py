"""Warnings that the library raises, and the one place that words them."""

import warnings

__all__ = ["InfiniteSetWarning", "NotConvergedWarning", "warn_infinite"]


class InfiniteSetWarning(UserWarning):
    """Some prediction sets are the whole space, because the level demands it."""


class NotConvergedWarning(UserWarning):
    """An iterative fit stopped before it met its tolerance."""


def warn_infinite(n_infinite, n_total, reason, *, stacklevel=3):
    """Warn once that prediction sets are infinite, with their count.

    Parameters
    ----------
    n_infinite, n_total : int
        How many of how many sets are the whole space. Nothing happens at zero.
    reason : str
        What forces it, and what the caller can change.
    stacklevel : int
        Frames up to the caller's line, as in :func:`warnings.warn`.
    """
    if n_infinite:
        warnings.warn(
            f"{n_infinite} of {n_total} prediction sets are infinite: {reason}",
            InfiniteSetWarning,
            stacklevel=stacklevel,
        )
