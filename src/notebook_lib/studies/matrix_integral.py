"""Executable checks of chapter 2: the probability of a set of observed cells.

Proposition 2, Lemma 4, Theorem A4, Lemma A7 and Newton's iteration; each function
returns the numbers that decide.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.integrate import quad

from ..matrix import (
    exact_log_ratios,
    laplace_log_odds,
    laplace_scale,
    log_probability,
    sample_without_replacement,
)
from ..matrix.enumeration import set_probability


def integral_error(rng, *, h=None) -> float:
    """Proposition 2 against subset sums: 10 cells, all 210 sets of 4.

    With `h` the integral over ``tau`` as printed, by adaptive quadrature; without, the
    library's own in ``log t``.
    """
    w = rng.uniform(0.05, 3, 10)
    worst = 0.0
    for chosen in itertools.combinations(range(10), 4):
        exact = set_probability(chosen, w, w.sum())
        seen, delta = w[list(chosen)], np.delete(w, chosen).sum()
        if h is None:
            ours = np.exp(log_probability(seen, delta))
        else:
            scale = laplace_scale(seen, delta) if h == "root" else h
            ours = quad(_phi, 0, 1, args=(scale, seen, delta), epsabs=1e-13)[0]
        worst = max(worst, abs(ours / exact - 1))
    return worst


def _phi(tau, h, seen, delta):
    power = h * delta
    return power * tau ** (power - 1) * np.prod(1 - tau ** (h * seen))


def sign_changes(rng) -> dict:
    """Lemma 4: sign changes of the slope of log Phi for several ``h delta``."""
    w = rng.uniform(0, 1, 40)
    seen, delta = w[:12], w[12:].sum()
    tau = np.exp(-np.geomspace(1e-4, 200, 4000))  # the peak may sit close to 0
    counts = {}
    for product in (0.5, 1.0, 2.0, 20.0):
        h = product / delta
        phi = (product - 1) * np.log(tau)
        phi = phi + np.log1p(-(tau[:, None] ** (h * seen))).sum(axis=1)
        slope = np.sign(np.diff(phi))
        counts[product] = int((slope[1:] != slope[:-1]).sum())
    return counts


def newton_path(rng, *, size=1000, share=0.3) -> dict:
    """Newton's iterates from 1/delta, the first from twice the root, and z itself.

    ``z`` is looked at on a grid from ``1 / delta`` to three times the root.
    """
    w = rng.uniform(0, 1, size)
    cells = sample_without_replacement(w[None], int(share * size), rng)[0]
    seen, delta = w[cells], w[~cells].sum()

    def z(h):
        odds = seen / np.expm1(h * seen * np.log(2))
        return delta - 1 / np.squeeze(h) - odds.sum(axis=-1)

    def slope(h):
        odds = seen / np.expm1(h * seen * np.log(2))
        return 1 / h**2 + np.log(2) * (odds**2 * np.exp2(h * seen)).sum()

    path = [1 / delta]
    while len(path) < 60 and (len(path) < 2 or path[-1] > path[-2] * (1 + 1e-12)):
        path.append(path[-1] - z(path[-1]) / slope(path[-1]))
    root = laplace_scale(seen, delta)
    grid = z(np.linspace(1 / delta, 3 * root, 60)[:, None])
    return {
        "path": np.array(path),
        "root": root,
        "gradient": abs(2 * root * z(root)) / len(seen),
        "bracket": (1 / delta, (1 + len(seen) / np.log(2)) / delta),
        "increasing": bool((np.diff(grid) > 0).all()),
        "concave": bool((np.diff(grid, 2) < 0).all()),
        "roots": int((np.diff(np.sign(grid)) != 0).sum()),
        "from the right": 2 * root - z(2 * root) / slope(2 * root),
    }


def laplace_ratio_errors(rng, *, sizes=(50, 200, 1000), draws=20) -> np.ndarray:
    """Mean relative error of eta_i(1/2) against quadrature, by number of cells."""
    means = []
    for size in sizes:
        errors = []
        for _ in range(draws):
            w = rng.uniform(0, 1, size)
            cells = sample_without_replacement(w[None], int(0.3 * size), rng)[0]
            cal, test = w[cells][:5][None], w[~cells][:5][None]
            delta = w[~cells].sum()
            h = laplace_scale(w[cells], delta)
            odds = laplace_log_odds(cal, h).sum() - laplace_log_odds(test, h).sum()
            exact = exact_log_ratios(w[cells], delta, cal, test)[0, 0]
            ours = np.log1p((cal.sum() - test.sum()) / delta) + odds
            errors.append(abs(np.expm1(ours - exact)))
        means.append(np.mean(errors))
    return np.array(means)


def odds_identity(rng) -> float:
    """The identity of Section 4.1 with eta written out as in (18)."""
    w = rng.uniform(0, 1, 1000)
    seen, delta = w[:300], w[300:].sum()
    h, cal, test = laplace_scale(seen, delta), w[:5], w[300:305]
    d = cal.sum() - test.sum()
    eta = 0.5 ** (h * d) * (1 + d / delta)
    eta *= np.prod((1 - 0.5 ** (h * test)) / (1 - 0.5 ** (h * cal)))
    odds = laplace_log_odds(cal, h).sum() - laplace_log_odds(test, h).sum()
    return abs((1 + d / delta) * np.exp(odds) / eta - 1)


def constant_weight_error() -> float:
    """Constant w: distance of the exact ratio, by quadrature, from one."""
    groups = np.full((3, 5), 0.4)
    ratios = exact_log_ratios(np.full(300, 0.4), 700 * 0.4, groups, groups)
    return float(np.abs(np.expm1(ratios)).max())


def laplace_theorem_errors(*, sizes=(20, 100, 500, 2000), seeds=10) -> dict:
    """Theorem A4: mean |I / L - 1| with f = 1, and with f = eta of most negative d.

    ``w`` uniform, ``x`` Bernoulli(w); the integral by quadrature, exact to rounding.
    """
    plain, swapped = [], []
    for m in sizes:
        errors = []
        for seed in range(seeds):
            rng = np.random.default_rng([m, seed])
            w = rng.uniform(0, 1, m)
            x = rng.random(m) < w
            errors.append(_laplace_pair(w[x], w[~x]))
        errors = np.mean(errors, axis=0)
        plain.append(errors[0])
        swapped.append(errors[1])
    return {"f = 1": np.array(plain), "f = eta": np.array(swapped)}


def _laplace_pair(seen, rest):
    delta = rest.sum()
    h = laplace_scale(seen, delta)
    x = h * seen
    q = np.exp2(-x)
    curve = -4 * (h * delta - 1) - (4 * x * q * (q + x - 1) / (1 - q) ** 2).sum()
    log_phi = np.log(h * delta) - (h * delta - 1) * np.log(2)
    log_phi += np.log1p(-q).sum()
    approximate = log_phi + 0.5 * np.log(2 * np.pi / -curve)
    exact = log_probability(seen, delta)
    cal, test = np.sort(seen)[:3][None], np.sort(rest)[-3:][None]
    ratio = np.log1p((cal.sum() - test.sum()) / delta)
    ratio += laplace_log_odds(cal, h).sum() - laplace_log_odds(test, h).sum()
    true = exact_log_ratios(seen, delta, cal, test)[0, 0]
    first = np.expm1(exact - approximate)
    return abs(first), abs(np.expm1(exact + true - approximate - ratio))


def root_bounds(*, sizes=(5, 50, 500), draws=50) -> int:
    """Lemma A7 with the corrected lower bound: number of violations."""
    bad = 0
    for m in sizes:
        for seed in range(draws):
            rng = np.random.default_rng([m, seed])
            w = rng.uniform(0, 1, m)
            x = rng.random(m) < w
            if not x.any() or x.all():
                continue
            delta, s = w[~x].sum(), x.sum()
            ratio = 2 * m / delta
            a = ratio / np.expm1(min(ratio * np.log(2), 700))
            h = laplace_scale(w[x], delta)
            bad += not (a * s + 1) / delta <= h <= (1 + s / np.log(2)) / delta
    return bad


def peak_and_eta(rng, *, size, k=10, share=0.1, points=400) -> dict:
    """Figure 2: Phi and one eta on (0, 1), each divided by its maximum."""
    w = rng.uniform(0, 1, size)
    cells = sample_without_replacement(w[None], int(share * size), rng)[0]
    seen, rest = w[cells], w[~cells]
    delta = rest.sum()
    h = laplace_scale(seen, delta)
    tau = np.linspace(0.001, 0.999, points)
    log_phi = (h * delta - 1) * np.log(tau)
    log_phi = log_phi + np.log1p(-(tau[:, None] ** (h * seen))).sum(axis=1)
    cal, test = seen[:k], rest[:k]
    log_eta = h * (cal.sum() - test.sum()) * np.log(tau)
    log_eta += np.log1p(-(tau[:, None] ** (h * test))).sum(axis=1)
    log_eta -= np.log1p(-(tau[:, None] ** (h * cal))).sum(axis=1)
    phi = np.exp(log_phi - log_phi.max())
    mass = phi / phi.sum()
    mean = (mass * tau).sum()
    return {
        "tau": tau,
        "phi": phi,
        "eta": np.exp(log_eta - log_eta.max()),
        "sd": float(np.sqrt((mass * (tau - mean) ** 2).sum())),
    }
