"""Matrix completion: weights against the definition, ALS against cmfrec.

Run from the checkout: ``python -m benchmarks.matrix``. cmfrec is no dependency of the
book; install it in a throw-away environment beside this package to have that ratio,
otherwise the line says that it was skipped.
"""

import math
import time

import numpy as np

from notebook_lib.matrix import (
    ALS,
    ConformalizationWeights,
    low_rank_matrix,
    sample_test_groups,
    sample_without_replacement,
    structured_split,
)
from notebook_lib.matrix.enumeration import literal_weights

SIZE, K, N_GROUPS, N_TESTS = 1000, 5, 2000, 500
RANK, SHARE, NOISE = 8, 0.2, 0.1


def best(function, *args, repeats=5):
    """Least CPU time of a call in this thread, and its value."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        value = function(*args)
        times.append(time.process_time() - started)
    return min(times), value


def weights():
    """Set-up, time of a test group, and the ratio to the definition."""
    rng = np.random.default_rng(0)
    w = rng.uniform(0.2, 1, (SIZE, SIZE))
    observed = sample_without_replacement(w, int(SHARE * SIZE**2), rng)
    groups = structured_split(observed, K, N_GROUPS, rng).groups
    tests = sample_test_groups(~observed, K, N_TESTS, rng, test_weights=w)
    set_up, made = best(ConformalizationWeights, observed, groups, w, w)

    def all_tests():
        return [p[-1] for _, p in made.blocks(tests)]

    each = best(all_tests)[0] / N_TESTS
    test = tests[0]
    loop, slow = best(loop_weights, observed, groups, test, w, made.scale, repeats=1)
    np.testing.assert_allclose(made.matrix(tests[:1])[0], slow, rtol=1e-9)
    # With every sum taken again for every group, as formula (12) is written.
    few = groups[:5].tolist()
    naive, _ = best(literal_weights, observed, few, test, w, w, made.scale, repeats=1)
    naive *= (N_GROUPS + 1) / (len(few) + 1)
    print(f"weights set-up              {set_up:.3f} s (goal 0.25)")
    print(f"weights, one test group     {1e3 * each:.3f} ms (goal 1)")
    print(f"loop over groups, over ours {loop / each:.0f} x (goal 100)")
    print(f"definition over ours        {naive / each:.0f} x")


def loop_weights(observed, groups, test, w, h):
    """One test group, a loop over groups and cells; sums of the matrix taken once."""
    missing = ~observed
    n_obs, count = observed.sum(axis=0), missing.sum(axis=0)
    mass, delta = np.where(missing, w, 0).sum(axis=0), w[missing].sum()
    total, b = mass[count >= K].sum(), test[0, 1]
    s = sum(w[r, c] for r, c in test)
    values = []
    for group in [*groups, test]:
        a, star = group[0, 1], [w[r, c] for r, c in group]
        d = sum(star) - s
        value = (1 + d / delta) * 0.5 ** (h * d)
        for x, y in zip(group, test, strict=True):
            value *= (1 - 0.5 ** (h * w[y[0], y[1]])) / (1 - 0.5 ** (h * w[x[0], x[1]]))
        u = 0.0
        if a != b:
            u = (count[a] < K) * mass[a] - (count[b] < 2 * K) * (mass[b] - s)
        value *= star[0] / (total - s + sum(star) + u)
        for k in range(1, K):
            value *= star[k] / (mass[a] + sum(star[k:]) - (a == b) * s)
        if a != b:
            na, nb = int(n_obs[a]), int(n_obs[b])
            ka, kb = na - na % K, nb - nb % K
            value *= math.comb(na, ka) / math.comb(na - K, ka - K)
            value *= math.comb(nb, kb) / math.comb(nb + K, kb + K)
            for k in range(1, K):
                value *= (ka - k) / (kb + K - k)
        values.append(value)
    return np.array(values) / sum(values)


def completion():
    """Time and error of ALS and of cmfrec on one matrix."""
    rng = np.random.default_rng(1)
    signal = low_rank_matrix(SIZE, SIZE, RANK, rng) / np.sqrt(RANK)
    M = signal + NOISE * rng.standard_normal(signal.shape)
    observed = rng.random(M.shape) < SHARE

    def error(predicted):
        return np.sqrt(np.square(predicted - M)[~observed].mean())

    # One thread each, so CPU time is the time, whatever else the machine does.
    ours = ALS(RANK, ridge=0.03, max_sweeps=6, tol=0)
    time_ours, fitted = best(ours.fit, M, observed)
    mine = error(fitted.predict())
    print(f"ALS                         {time_ours:.2f} s, RMSE {mine:.4f}")
    try:
        from cmfrec import CMF
    except ImportError:
        print("cmfrec                      skipped: not installed")
        return
    from scipy.sparse import coo_matrix

    cells = np.nonzero(observed)
    given = coo_matrix((M[observed], cells), shape=M.shape)
    outcomes = []
    for lam in (0.03, 0.1, 0.3, 1.0):
        peer = CMF(
            k=RANK,
            lambda_=lam,
            niter=10,
            use_cg=False,
            user_bias=False,
            item_bias=False,
            center=False,
            verbose=False,
            nthreads=1,
        )
        took, _ = best(peer.fit, given)
        outcomes.append((error(peer.A_ @ peer.B_.T), took, lam))
    theirs, took, lam = min(outcomes)
    print(f"cmfrec (lambda {lam:g})        {took:.2f} s, RMSE {theirs:.4f}")
    print(f"ALS over cmfrec             {time_ours / took:.2f} x time (goal 0.5), ")
    print(f"                            {mine / theirs:.3f} x error (goal 1.02)")


if __name__ == "__main__":
    weights()
    completion()
