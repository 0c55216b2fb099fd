"""Which calibration rows to use for a test mask: rules that look at masks only.

The guarantee of CP-MDA-Nested* (Theorem 4.3) holds for any rule that may depend on
the masks and on outside randomness, but not on covariates or outcomes. Every rule
here is a function of the calibration masks and one test mask.
"""

from dataclasses import dataclass

import numpy as np

from .._validation import check_alpha
from ..masks import is_submask
from ..quantiles import smallest_calibration_size

__all__ = [
    "AdaptiveAtMost",
    "AllRows",
    "AtMost",
    "Chosen",
    "Exact",
    "RandomSupermask",
    "SameMask",
    "Supermask",
    "as_rule",
    "extra_missing",
]


def extra_missing(M_cal, m):
    """Features that the test mask shows and a calibration row lacks, counted.

    Parameters
    ----------
    M_cal : ndarray of bool, shape (n, d)
        Calibration masks.
    m : ndarray of bool, shape (d,)
        Test mask.

    Returns
    -------
    ndarray of int, shape (n,)
        ``#{j : M_kj = 1, m_j = 0}``; 0 says that the row's mask is included in `m`.
    """
    return (M_cal & ~m).sum(axis=1)


@dataclass(frozen=True)
class Exact:
    """Strategy i: rows whose mask is included in the test mask (CP-MDA-Exact)."""

    def keep(self, M_cal, m):
        """Rows to use, bool (n,), for masks `M_cal` (n, d) and test mask `m` (d,)."""
        return is_submask(M_cal, m)


@dataclass(frozen=True)
class AllRows:
    """Strategy ii: every calibration row (CP-MDA-Nested)."""

    def keep(self, M_cal, m):
        """Rows to use, bool (n,), for masks `M_cal` (n, d) and test mask `m` (d,)."""
        return np.ones(len(M_cal), dtype=bool)


@dataclass(frozen=True)
class SameMask:
    """Rows with the test mask itself (the naive idea; Mondrian calibration)."""

    def keep(self, M_cal, m):
        """Rows to use, bool (n,), for masks `M_cal` (n, d) and test mask `m` (d,)."""
        return (M_cal == m).all(axis=1)


@dataclass(frozen=True)
class AtMost:
    """Rows with at most `h` features missing that the test mask shows (Figure 3).

    Attributes
    ----------
    h : int
        0 is :class:`Exact`; the number of observed features is :class:`AllRows`.
    """

    h: int

    def __post_init__(self):
        if isinstance(self.h, bool | np.bool_) or int(self.h) != self.h or self.h < 0:
            raise ValueError(f"h must be an integer >= 0, got {self.h!r}")

    def keep(self, M_cal, m):
        """Rows to use, bool (n,), for masks `M_cal` (n, d) and test mask `m` (d,)."""
        return extra_missing(M_cal, m) <= self.h


@dataclass(frozen=True)
class AdaptiveAtMost:
    """The smallest `h` that keeps at least `n_min` rows; all rows if none does.

    It looks at masks only, and never gives an infinite set when there are enough
    calibration rows in all. Ours, not in the document.

    Attributes
    ----------
    n_min : int
        Wanted number of rows; at least ``ceil(1/alpha) - 1`` for a finite set.
    """

    n_min: int

    def __post_init__(self):
        if int(self.n_min) != self.n_min or self.n_min < 1:
            raise ValueError(f"n_min must be an integer >= 1, got {self.n_min!r}")

    @classmethod
    def for_level(cls, alpha):
        """The rule that just keeps sets finite at miscoverage level `alpha`."""
        (alpha,) = check_alpha(alpha)
        return cls(smallest_calibration_size(alpha))

    def chosen_h(self, M_cal, m):
        """The `h` used for test mask `m`."""
        extra = np.sort(extra_missing(M_cal, m))
        return int(extra[min(self.n_min, len(extra)) - 1])

    def keep(self, M_cal, m):
        """Rows to use, bool (n,), for masks `M_cal` (n, d) and test mask `m` (d,)."""
        return extra_missing(M_cal, m) <= self.chosen_h(M_cal, m)


@dataclass(frozen=True)
class Supermask:
    """Strategy iii: rows whose mask is included in a chosen mask around the test mask.

    Attributes
    ----------
    choose : callable
        ``choose(m)`` returns the larger mask, bool (d,), for test mask `m`.
    """

    choose: object

    def keep(self, M_cal, m):
        """Rows to use, bool (n,), for masks `M_cal` (n, d) and test mask `m` (d,)."""
        larger = np.asarray(self.choose(m.copy()), dtype=bool)
        if larger.shape != m.shape or not is_submask(m, larger):
            raise ValueError(
                "choose(m) must return a mask of the same length that hides at least "
                "what the test mask hides: return m to hide nothing more"
            )
        return is_submask(M_cal, larger)


@dataclass(frozen=True)
class RandomSupermask:
    """Strategy iv: a random mask around the test mask, then as strategy iii.

    Each feature that the test mask shows is hidden with probability one half. The
    draw depends on the seed and the test mask alone, not on the batch. Ours: the
    document leaves the law open.

    Attributes
    ----------
    seed : int
        Seed of the draw.
    """

    seed: int = 0

    def supermask(self, m):
        """The larger mask drawn for test mask `m`, bool (d,)."""
        key = [int(byte) for byte in np.packbits(m)]
        rng = np.random.default_rng([int(self.seed), len(m), *key])
        return m | (rng.random(len(m)) < 0.5)

    def keep(self, M_cal, m):
        """Rows to use, bool (n,), for masks `M_cal` (n, d) and test mask `m` (d,)."""
        return is_submask(M_cal, self.supermask(m))


@dataclass(frozen=True)
class Chosen:
    """Rows chosen by the user, for every test mask.

    The choice must not depend on covariates or outcomes, which cannot be checked.

    Attributes
    ----------
    index : tuple of int
        Positions in the calibration set, without repetition.
    """

    index: tuple

    def keep(self, M_cal, m):
        """Rows to use, bool (n,), for masks `M_cal` (n, d) and test mask `m` (d,)."""
        index = np.asarray(self.index, dtype=np.int64)
        if len(np.unique(index)) != len(index):
            raise ValueError("index holds a calibration row twice: give each row once")
        if index.size and (index.min() < 0 or index.max() >= len(M_cal)):
            raise ValueError(
                f"index must lie in 0..{len(M_cal) - 1}, got {index.min()} to "
                f"{index.max()}: count the calibration rows from 0"
            )
        keep = np.zeros(len(M_cal), dtype=bool)
        keep[index] = True
        return keep


_NAMED = {"exact": Exact, "all": AllRows, "same": SameMask}


def as_rule(subsample, alpha=None):
    """Turn a short form into a rule.

    Parameters
    ----------
    subsample : str, int or rule
        ``"exact"`` (i), ``"all"`` (ii), ``"same"``, ``"adaptive"``, an integer `h`
        (at most `h` more missing features), or an object with ``keep(M_cal, m)``.
    alpha : float, optional
        Level for ``"adaptive"``.

    Returns
    -------
    rule
        Object with ``keep(M_cal, m) -> bool (n,)``.

    Raises
    ------
    ValueError
        If the short form is unknown.
    """
    if hasattr(subsample, "keep"):
        return subsample
    if isinstance(subsample, str):
        if subsample == "adaptive":
            return AdaptiveAtMost.for_level(alpha)
        if subsample in _NAMED:
            return _NAMED[subsample]()
    elif isinstance(subsample, int | float | np.number):
        return AtMost(subsample)
    raise ValueError(
        "subsample must be 'exact', 'all', 'same', 'adaptive', an integer h >= 0 or a "
        f"rule with keep(M_cal, m), got {subsample!r}"
    )
