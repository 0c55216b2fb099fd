"""Matrix completion: black boxes that SCMC wraps (A2.4 and Table A1).

Anything with ``fit(M, observed)`` that returns itself and ``predict()`` that returns
the full matrix will do. A column or row without training cells is predicted as 0 by
the methods here, as in the paper; the conformal regions stay valid.
"""

import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._validation import check_rng
from ..exceptions import NotConvergedWarning
from ._checks import SmallSampleWarning, check_mask, check_matrix, check_size
from ._progress import Progress

__all__ = ["ALS", "SVT", "ColumnMean", "NuclearNorm", "SoftImpute", "completed"]


def completed(completion, M, train):
    """Fit a completion on the training cells and return a finite full matrix.

    Parameters
    ----------
    completion : object
        With ``fit(M, observed)`` and ``predict()``.
    M : ndarray, shape (n_rows, n_cols)
        Values; only those on `train` are shown to the method, the others are NaN.
    train : ndarray of bool, shape (n_rows, n_cols)
        Training cells.

    Returns
    -------
    ndarray, shape (n_rows, n_cols)
        Completed matrix.

    Raises
    ------
    ValueError
        If the completion has another shape or is not finite.
    """
    fitted = completion.fit(np.where(train, M, np.nan), train)
    predicted = np.asarray((completion if fitted is None else fitted).predict(), float)
    if predicted.shape != train.shape:
        raise ValueError(
            f"completion.predict() has shape {predicted.shape}, expected "
            f"{train.shape}: return the whole matrix from it"
        )
    if not np.isfinite(predicted).all():
        raise ValueError(
            "completion.predict() holds NaN or infinite values: return a finite "
            "number for every cell, observed or not"
        )
    return predicted


class _Completion(BaseEstimator):
    """Common part: check the input, keep the completed matrix."""

    def fit(self, M, observed):
        """Fit on the observed cells.

        Parameters
        ----------
        M : array_like, shape (n_rows, n_cols)
            Values; whatever stands on unobserved cells is ignored.
        observed : array_like of bool, shape (n_rows, n_cols)
            Cells to learn from.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If no cell is observed or an observed value is not finite.
        """
        observed = check_mask(observed, "observed")
        M = check_matrix(M, observed)
        if not observed.any():
            raise ValueError(
                "no cell is observed: there is nothing to learn from; set observed to "
                "True where M is known"
            )
        _warn_empty(observed)
        self.completed_ = self._complete(np.where(observed, M, 0.0), observed)
        return self

    def predict(self):
        """Completed matrix, shape (n_rows, n_cols)."""
        check_is_fitted(self, "completed_")
        return self.completed_

    def _progress(self, total):
        return Progress(type(self).__name__, total, self.verbose)


def _warn_empty(observed):
    """Say once that rows or columns without a training cell are predicted as 0."""
    rows, columns = ((~observed.any(axis=axis)).sum() for axis in (1, 0))
    if rows or columns:
        warnings.warn(
            f"{rows} rows and {columns} columns have no training cell: they are "
            "predicted without information, usually as 0",
            SmallSampleWarning,
            stacklevel=4,
        )


class ColumnMean(_Completion):
    """Mean of each column's observed cells; 0 for an empty column."""

    def _complete(self, filled, observed):
        mean = filled.sum(axis=0) / np.maximum(observed.sum(axis=0), 1)
        return np.broadcast_to(mean, filled.shape).copy()


class ALS(_Completion):
    """Alternating least squares for a matrix of low rank.

    Minimises ``sum_observed (M - U V')^2 + ridge (||U||^2 + ||V||^2)`` by exact ridge
    regressions, all rows at once and then all columns at once.

    Parameters
    ----------
    rank : int
        Columns of ``U`` and ``V``.
    ridge : float
        Penalty, > 0; the paper's code has 0.01.
    max_sweeps : int
        Largest number of passes over rows and columns.
    tol : float
        Stop when the completed matrix moves by less than ``tol * n_rows * n_cols`` in
        Frobenius norm; 0 runs all the sweeps and skips the check.
    first : {"rows", "columns"}
        Factors that each sweep solves first. Those solved last fit the training cells
        as well as their penalty lets them, which shows after few sweeps: the paper's
        MovieLens runs (10 sweeps, films in rows) solve the users last.
    random_state : int or numpy.random.Generator
        Seed of the standard normal start.
    verbose : bool
        Whether to show a progress bar on standard error.

    Attributes
    ----------
    row_factors_, column_factors_ : ndarray, shape (n_rows, rank), (n_cols, rank)
        ``U`` and ``V``.
    objective_ : list of float
        Objective after each sweep; non-increasing.
    """

    def __init__(
        self,
        rank=5,
        *,
        ridge=0.01,
        max_sweeps=200,
        tol=1e-6,
        first="rows",
        random_state=0,
        verbose=False,
    ):
        self.rank = rank
        self.ridge = ridge
        self.max_sweeps = max_sweeps
        self.tol = tol
        self.first = first
        self.random_state = random_state
        self.verbose = verbose

    def _complete(self, filled, observed):
        rank = check_size(self.rank, "rank")
        if not self.ridge > 0:
            raise ValueError(
                f"ridge must be positive, got {self.ridge!r}: give one such as "
                "ridge=0.01"
            )
        if self.first not in ("rows", "columns"):
            raise ValueError(f"first must be 'rows' or 'columns', got {self.first!r}")
        rng = check_rng(self.random_state)
        U = rng.standard_normal((filled.shape[0], rank))
        V = rng.standard_normal((filled.shape[1], rank))
        if self.first == "rows":
            U, V = self._sweeps(filled, observed, V)
        else:
            V, U = self._sweeps(filled.T, observed.T, U)
        self.row_factors_, self.column_factors_ = U, V
        return U @ V.T

    def _sweeps(self, filled, observed, V):
        """Solve rows, then columns, over and over, from these column factors."""
        # Both orientations contiguous: the products below are then plain BLAS.
        seen, seen_t = (np.ascontiguousarray(a, float) for a in (observed, observed.T))
        filled, filled_t = (np.ascontiguousarray(a) for a in (filled, filled.T))
        square = np.square(filled).sum()
        self.objective_, previous = [], None
        progress = self._progress(self.max_sweeps)
        for _ in progress:
            U, _ = _ridge_solves(seen, filled, V, self.ridge)
            V, fit = _ridge_solves(seen_t, filled_t, U, self.ridge)
            progress.value = float(square - fit + self.ridge * np.square(U).sum())
            self.objective_.append(progress.value)
            if self.tol > 0:
                current = U @ V.T
                if previous is not None and (
                    np.linalg.norm(current - previous) < self.tol * filled.size
                ):
                    break
                previous = current
        return U, V


def _ridge_solves(seen, filled, factors, ridge):
    """Ridge regression of every row on the factors of the cells it has seen.

    Returns the solutions and ``sum_r b_r' x_r``, by which the penalised sum of squares
    falls below ``sum M^2``.
    """
    rank = factors.shape[1]
    i, j = np.triu_indices(rank)
    packed = seen @ (factors[:, i] * factors[:, j])
    gram = np.empty((len(seen), rank, rank))
    gram[:, i, j] = packed
    gram[:, j, i] = packed
    gram[:, np.arange(rank), np.arange(rank)] += ridge
    right = filled @ factors
    solved = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
    return solved, float((right * solved).sum())


def _shrink(matrix, threshold):
    """Soft-threshold the singular values of a matrix, for a positive threshold.

    The eigenvectors of the smaller Gram matrix take half the time of a singular value
    decomposition. What squaring loses lies far below any threshold used here.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return _shrink(matrix.T, threshold).T
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    kept = values > threshold**2
    values, vectors = values[kept], vectors[:, kept]
    return (vectors * (1 - threshold / np.sqrt(values))) @ (vectors.T @ matrix)


class SoftImpute(_Completion):
    """Soft-impute: fill the gaps with the estimate, shrink, repeat.

    Minimises ``sum_observed (M - Z)^2 / 2 + penalty ||Z||_*`` (Mazumder, Hastie and
    Tibshirani 2010), with warm starts along a falling penalty.

    Parameters
    ----------
    penalty : float or None
        Nuclear-norm penalty; None takes 5 % of the largest singular value of the
        zero-filled matrix.
    max_iter : int
        Iterations in total.
    tol : float
        Relative change at which the iteration stops.
    verbose : bool
        Whether to show a progress bar on standard error.
    """

    def __init__(self, penalty=None, *, max_iter=100, tol=1e-4, verbose=False):
        self.penalty = penalty
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose

    def _complete(self, filled, observed):
        top = np.linalg.norm(filled, 2)
        last = 0.05 * top if self.penalty is None else float(self.penalty)
        path = np.geomspace(max(top / 2, last), last, 5) if last > 0 else [last]
        Z, path = np.zeros_like(filled), iter(path)
        penalty, progress = next(path), self._progress(self.max_iter)
        for _ in progress:
            new = _shrink(np.where(observed, filled, Z), penalty)
            progress.value = np.linalg.norm(new - Z) / max(np.linalg.norm(Z), 1e-12)
            Z = new
            if progress.value < self.tol:
                penalty = next(path, None)
                if penalty is None:
                    break
        return Z


class NuclearNorm(_Completion):
    """Smallest nuclear norm that agrees with the observed cells, by ADMM.

    Minimises ``||Z||_*`` subject to ``Z = M`` on the observed cells. No solver is
    needed; each iteration is one singular-value shrinkage.

    Parameters
    ----------
    max_iter : int
        Iterations.
    step : float
        Shrinkage as a share of the largest singular value of the zero-filled matrix.
    tol : float
        Relative residual on the observed cells at which the iteration stops.
    verbose : bool
        Whether to show a progress bar on standard error.

    Attributes
    ----------
    residual_ : float
        Largest absolute gap on the observed cells, relative to the largest value.
    """

    def __init__(self, *, max_iter=200, step=0.05, tol=1e-4, verbose=False):
        self.max_iter = max_iter
        self.step = step
        self.tol = tol
        self.verbose = verbose

    def _complete(self, filled, observed):
        threshold = self.step * np.linalg.norm(filled, 2)
        scale = max(np.abs(filled).max(), 1e-300)
        Z, dual = filled.copy(), np.zeros_like(filled)
        low = np.zeros_like(filled)
        progress = self._progress(self.max_iter)
        for _ in progress:
            if threshold > 0:
                low = _shrink(Z - dual, threshold)
            Z = np.where(observed, filled, low + dual)
            dual = dual + low - Z
            progress.value = np.abs((low - filled)[observed]).max() / scale
            if progress.value < self.tol:
                break
        self.residual_ = float(progress.value)
        return low


class SVT(_Completion):
    """Singular value thresholding (Cai, Candès and Shen 2010).

    It often diverges on noisy matrices; the iterate with the smallest residual on the
    observed cells is returned.

    Parameters
    ----------
    threshold : float or None
        Shrinkage; None takes ``5 (n_rows + n_cols) / 2``.
    step : float or None
        Step length; None takes ``1.2 n_rows n_cols / n_observed``.
    max_iter : int
        Iterations.
    tol : float
        Relative residual at which the iteration stops.
    verbose : bool
        Whether to show a progress bar on standard error.

    Attributes
    ----------
    residual_ : float
        Relative residual of the iterate returned.
    """

    def __init__(
        self, threshold=None, *, step=None, max_iter=200, tol=1e-6, verbose=False
    ):
        self.threshold = threshold
        self.step = step
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose

    def _complete(self, filled, observed):
        threshold = self.threshold
        if threshold is None:
            threshold = 5 * sum(filled.shape) / 2
        step = self.step or 1.2 * filled.size / observed.sum()
        norm = max(np.linalg.norm(filled), 1e-300)
        best, smallest = np.zeros_like(filled), 1.0
        # The first iterations only add up: start where shrinkage leaves something.
        first = np.ceil(threshold / (step * max(np.linalg.norm(filled, 2), 1e-300)))
        Y = first * step * filled
        progress = self._progress(self.max_iter)
        for _ in progress:
            Z = _shrink(Y, threshold)
            gap = np.where(observed, filled - Z, 0.0)
            progress.value = residual = np.linalg.norm(gap) / norm
            if residual < smallest:
                best, smallest = Z, residual
            if residual < self.tol or not residual < 1e6:
                break
            Y = Y + step * gap
        self.residual_ = float(smallest)
        if smallest >= 1.0:
            warnings.warn(
                "SVT never came closer than the zero matrix: give a smaller step",
                NotConvergedWarning,
                stacklevel=4,
            )
        return best
