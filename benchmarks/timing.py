"""Time two functions in turns, so that a busy machine disturbs both alike."""

from time import perf_counter

import numpy as np

__all__ = ["ratio", "report"]


def ratio(ours, other, *, repeats=20, rtol=1e-9):
    """Time of `ours` over that of `other`, after asserting equal outputs.

    Parameters
    ----------
    ours, other : callable
        Without arguments; each returns an array (or a tuple of arrays).
    repeats : int
        Turns. Each turn runs both, in alternating order.
    rtol : float
        Relative tolerance of the comparison of outputs.

    Returns
    -------
    dict
        ``ratio``, and the seconds ``ours`` and ``other``: each the lower decile over
        the turns, since whatever else the machine does can only add time.
    """
    np.testing.assert_allclose(
        np.hstack([np.ravel(a) for a in _tuple(ours())]),
        np.hstack([np.ravel(a) for a in _tuple(other())]),
        rtol=rtol,
    )
    times = {ours: [], other: []}
    for turn in range(repeats):
        for function in (ours, other) if turn % 2 else (other, ours):
            start = perf_counter()
            function()
            times[function].append(perf_counter() - start)
    a, b = np.quantile(times[ours], 0.1), np.quantile(times[other], 0.1)
    return {"ratio": a / b, "ours": a, "other": b}


def _tuple(value):
    return value if isinstance(value, tuple) else (value,)


def report(rows):
    """Print rows of (name, result of :func:`ratio`, goal) as a table."""
    print(f"{'what':45s} {'ratio':>10s} {'goal':>10s} {'ours':>11s} {'other':>11s}")
    for name, result, goal in rows:
        print(
            f"{name:45s} {result['ratio']:10.4g} {goal:>10s} "
            f"{1e3 * result['ours']:8.3f} ms {1e3 * result['other']:8.3f} ms"
        )
