"""Checks of arguments: each error names the argument and says what mends it."""

import numbers
from fractions import Fraction

import numpy as np


def check_alpha(alpha, *, name="alpha"):
    """Return the miscoverage levels as a tuple of floats in (0, 1)."""
    if type(alpha) is float and 0 < alpha < 1:  # the usual case, many times a call
        return (alpha,)
    levels = (alpha,) if np.ndim(alpha) == 0 else tuple(alpha)
    if not levels:
        raise ValueError(f"{name} is empty: give one level, such as {name}=0.1")
    for level in levels:
        real = isinstance(level, numbers.Real) or hasattr(level, "__float__")
        if isinstance(level, bool | np.bool_ | str) or not real:
            raise ValueError(
                f"{name} must be a number in (0, 1), got {level!r}: give one such as "
                f"{name}=0.1"
            )
        if not 0 < level < 1:
            raise ValueError(
                f"{name} must lie in (0, 1), got {level!r}; it is the miscoverage "
                f"level: {name}=0.1 asks for 90 % coverage"
            )
    return tuple(
        level if isinstance(level, Fraction) else float(level) for level in levels
    )


def check_1d(x, name, *, finite=True, dtype=float):
    """Return `x` as a one-dimensional array, refusing NaN (and infinities)."""
    try:
        x = np.asarray(x, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold numbers only: encode or drop the rest ({error})"
        ) from None
    if x.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional, got shape {x.shape}: give a flat list of "
            "values (numpy.ravel flattens a single column)"
        )
    _refuse_nan(x, name, finite)
    return x


def check_2d(x, name, *, finite=True, dtype=float):
    """Return `x` as a two-dimensional array, refusing NaN (and infinities)."""
    try:
        x = np.asarray(x, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold numbers only: encode or drop the rest ({error})"
        ) from None
    if x.ndim != 2:
        raise ValueError(
            f"{name} must be two-dimensional (rows, columns), got shape {x.shape}: use "
            "reshape(-1, 1) for one column, reshape(1, -1) for one row"
        )
    _refuse_nan(x, name, finite)
    return x


def _refuse_nan(x, name, finite):
    if x.dtype.kind != "f":
        return
    # A sum is NaN or infinite if any entry is: one pass for the usual case.
    total = x.sum()
    if np.isfinite(total):
        return
    n_nan = int(np.isnan(x).sum())
    if n_nan:
        raise ValueError(
            f"{name} holds {n_nan} NaN of {x.size} values: drop or impute them first"
        )
    n_infinite = int(np.isinf(x).sum())
    if finite and n_infinite:
        raise ValueError(
            f"{name} holds {n_infinite} infinite of {x.size} values: drop or replace "
            "them first"
        )


def check_same_length(**arrays):
    """Refuse arrays of different lengths, naming each with its length."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name}: {n}" for name, n in lengths.items())
        raise ValueError(f"lengths differ ({told}); give one entry a row in each")


def check_rng(rng):
    """Return a generator from a generator or an integer seed.

    None is refused: a result that nobody can repeat has no place here.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, numbers.Integral | np.random.SeedSequence) and not isinstance(
        rng, bool
    ):
        return np.random.default_rng(rng)
    raise ValueError(
        "rng (or random_state) must be a numpy.random.Generator or an integer seed, "
        f"got {rng!r}: give a seed, such as 0"
    )


def check_rate(rate, *, name="rate"):
    """Return a rate as a float in [0, 1]."""
    if isinstance(rate, bool) or not isinstance(rate, numbers.Real):
        raise ValueError(
            f"{name} must be a number in [0, 1], got {rate!r}: give one such as "
            f"{name}=0.2"
        )
    if not 0 <= rate <= 1:
        raise ValueError(
            f"{name} must lie in [0, 1], got {rate!r}: give a share such as {name}=0.2"
        )
    return float(rate)
