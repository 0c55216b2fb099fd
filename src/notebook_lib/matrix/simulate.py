"""Matrices of the paper's experiments, and ratings that anyone may pass on."""

from typing import NamedTuple

import numpy as np

from .._validation import check_rng
from .sampling import sample_without_replacement

__all__ = [
    "Ratings",
    "column_effect_matrix",
    "low_rank_matrix",
    "sparse_column_weights",
    "synthetic_ratings",
    "theorem_matrix",
]

SIGNAL_SEED = 2024  # the paper's code fixes one signal for all repetitions


def low_rank_matrix(n_rows, n_cols, rank, rng):
    """``U V'`` with standard normal factors.

    Parameters
    ----------
    n_rows, n_cols, rank : int
        Sizes.
    rng : numpy.random.Generator or int
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_rows, n_cols)
        Matrix.
    """
    rng = check_rng(rng)
    return rng.standard_normal((n_rows, rank)) @ rng.standard_normal((n_cols, rank)).T


def column_effect_matrix(
    rng, *, n_rows=200, n_cols=200, rank=5, mu=15.0, share=0.05, signal=SIGNAL_SEED
):
    """Low rank plus column effects, a few of them large (Section 5.2.1, A3.6).

    ``M = (U V' + N) / 2`` with ``N = 0.1 e + 0.9 1 f'``, ``e`` standard normal, and
    ``f_c`` standard normal with probability ``1 - share``, else ``N(mu, 0.1^2)``.

    Parameters
    ----------
    rng : numpy.random.Generator or int
        Noise of this repetition.
    n_rows, n_cols, rank : int
        Sizes.
    mu : float
        Location of the large column effects.
    share : float
        Probability of a large column effect.
    signal : int
        Seed of ``U`` and ``V``, the same in every repetition.

    Returns
    -------
    ndarray, shape (n_rows, n_cols)
        Matrix.
    """
    rng = check_rng(rng)
    low_rank = low_rank_matrix(n_rows, n_cols, rank, signal)
    large = rng.random(n_cols) < share
    effect = np.where(large, rng.normal(mu, 0.1, n_cols), rng.standard_normal(n_cols))
    noise = 0.1 * rng.standard_normal((n_rows, n_cols)) + 0.9 * effect
    return 0.5 * low_rank + 0.5 * noise


def sparse_column_weights(rng, n_rows, n_cols, s, *, share=0.05):
    """Sampling weights ``s`` on a few columns and 1 elsewhere (Section 5.2.2).

    Parameters
    ----------
    rng : numpy.random.Generator or int
        Source of randomness.
    n_rows, n_cols : int
        Sizes.
    s : float
        Weight of the sparse columns, in (0, 1].
    share : float
        Probability that a column is sparse.

    Returns
    -------
    ndarray, shape (n_rows, n_cols)
        Weights, constant in each column.
    """
    sparse = check_rng(rng).random(n_cols) < share
    return np.tile(np.where(sparse, s, 1.0), (n_rows, 1))


def theorem_matrix(rng, *, n_rows=60, n_cols=60):
    """Matrix and weights whose noise and sampling depend on the column.

    ``a_c`` uniform, ``M = exp(1.5 a_c) N(0, 1) + 2 N_c(0, 1)``,
    ``w = exp(-1.2 a_c + 0.3 N)``, ``w* = exp(0.8 a_c + 0.2 N)``: noisy columns are
    seen less and asked for more.

    Parameters
    ----------
    rng : numpy.random.Generator or int
        Source of randomness.
    n_rows, n_cols : int
        Sizes.

    Returns
    -------
    M, observation_weights, test_weights : ndarray, shape (n_rows, n_cols)
    """
    rng = check_rng(rng)
    shape = (n_rows, n_cols)
    a = rng.random(n_cols)
    M = np.exp(1.5 * a) * rng.standard_normal(shape) + 2 * rng.standard_normal(n_cols)
    w = np.exp(-1.2 * a + 0.3 * rng.standard_normal(shape))
    wstar = np.exp(0.8 * a + 0.2 * rng.standard_normal(shape))
    return M, w, wstar


class Ratings(NamedTuple):
    """Ratings of users for films.

    Attributes
    ----------
    truth : ndarray, shape (n_users, n_films)
        All ratings, seen or not, in 1..5.
    observed : ndarray of bool, shape (n_users, n_films)
        Ratings that were given.
    observation_weights : ndarray, shape (n_users, n_films)
        Weights with which they were drawn.
    """

    truth: np.ndarray
    observed: np.ndarray
    observation_weights: np.ndarray


def synthetic_ratings(
    rng, *, n_users=300, n_films=200, n_ratings=15_000, popularity=0.6, noise=0.5
):
    """Ratings in the likeness of a film site, invented from beginning to end.

    ``round(clip(3.5 + rank-3 taste + film effect + noise, 1, 5))``; films are rated in
    proportion to ``(popularity rank)^-popularity``.

    Parameters
    ----------
    rng : numpy.random.Generator or int
        Source of randomness.
    n_users, n_films, n_ratings : int
        Sizes.
    popularity : float
        How unequal films are in the number of ratings.
    noise : float
        Standard deviation of what nobody can predict, in stars.

    Returns
    -------
    Ratings
        With every rating known, which real data never offer.
    """
    rng = check_rng(rng)
    taste = 0.45 * low_rank_matrix(n_users, n_films, 3, rng)
    film = 0.5 * rng.standard_normal(n_films)
    score = 3.5 + taste + film + noise * rng.standard_normal((n_users, n_films))
    weights = np.tile((1.0 + rng.permutation(n_films)) ** -popularity, (n_users, 1))
    observed = sample_without_replacement(weights, n_ratings, rng)
    return Ratings(np.round(np.clip(score, 1, 5)), observed, weights)
