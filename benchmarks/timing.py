"""Time two functions in turns, so that a busy machine disturbs both alike.

Times are CPU seconds of this process, which runs one thread (`make bench` sees to
it): what else the machine does at the same time is not counted.
"""

import dataclasses
import gc
import tracemalloc
import warnings
from time import process_time

import numpy as np

_FILL = 0.005  # seconds

__all__ = ["Turns", "calls_for", "peak_memory", "seconds", "turns"]


@dataclasses.dataclass(frozen=True)
class Turns:
    """What the turns of two functions gave.

    Attributes
    ----------
    ratios : ndarray, shape (repeats,)
        Time of the other over time of ours, turn by turn.
    ours, other : float
        Median CPU seconds.
    difference : float
        Largest absolute difference of the outputs.
    """

    ratios: np.ndarray
    ours: float
    other: float
    difference: float


def seconds(function, calls=1):
    """CPU seconds of one call, the mean over `calls`, warnings aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _timed(function, calls)


def _timed(function, calls=1):
    start = process_time()
    for _ in range(calls):
        function()
    return (process_time() - start) / calls


def calls_for(function):
    """How many calls fill a few milliseconds: a short one alone is told by chance."""
    return max(1, min(1000, round(_FILL / max(seconds(function), 1e-6))))


def turns(ours, other, *, repeats=20, rtol=1e-9, atol=0.0, part=1.0):
    """Time two functions in alternating order, after asserting equal outputs.

    Parameters
    ----------
    ours, other : callable
        Without arguments; each returns an array (or a tuple of arrays).
    repeats : int
        Turns. Each turn runs both, a short one several times.
    rtol, atol : float
        Tolerances of the comparison of outputs.
    part : float
        Share of the test points that `other` works on: its time is divided by this
        share, and its output is compared with the first rows of ours.

    Returns
    -------
    Turns
    """
    times = {ours: [], other: []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine, theirs = _flat(ours()), _flat(other())
        mine = mine[: len(theirs)] if part < 1 else mine
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=atol)
        calls = {ours: calls_for(ours), other: calls_for(other)}
        for turn in range(repeats):
            for function in (ours, other) if turn % 2 else (other, ours):
                times[function].append(_timed(function, calls[function]))
    mine_s, other_s = np.array(times[ours]), np.array(times[other]) / part
    finite = np.isfinite(mine)
    gap = np.abs(mine[finite] - theirs[finite]).max() if finite.any() else 0.0
    return Turns(
        other_s / mine_s, float(np.median(mine_s)), float(np.median(other_s)), gap
    )


def peak_memory(function):
    """Largest sum of the arrays and objects that one call holds at a time, in MB."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tracemalloc.start()
        try:
            function()
            return tracemalloc.get_traced_memory()[1] / 2**20
        finally:
            tracemalloc.stop()


def _flat(value):
    parts = value if isinstance(value, tuple) else (value,)
    return np.hstack([np.ravel(a) for a in parts])
