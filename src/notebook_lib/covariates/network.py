"""The papers' quantile network, small enough to train with numpy alone."""

from itertools import pairwise

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, check_random_state

from .._validation import check_1d, check_2d, check_same_length
from ._torch import TorchTraining

__all__ = ["QuantileNetwork"]


class QuantileNetwork(RegressorMixin, BaseEstimator):
    """Two hidden layers, dropout, Adam on the full batch (Zaffran et al. 2023, code).

    Parameters
    ----------
    quantiles : tuple of float, or None
        Levels to predict, with the pinball loss; None predicts the mean, with squared
        loss (as Kong et al. do for CP, nexCP and LCP).
    hidden : int
        Width of both hidden layers.
    dropout : float
        Share of hidden units dropped in each epoch.
    learning_rate : float
        Of Adam.
    epochs : int
        Full-batch steps; no early stopping.
    random_state : int or RandomState
        Seed of weights and dropout.
    backend : {"numpy", "torch"}
        What trains it. The two make the same steps from the same weights and the same
        dropout, up to rounding; ``torch`` needs the extra ``paper``.

    Attributes
    ----------
    loss_ : ndarray, shape (epochs,)
        Training loss.

    Notes
    -----
    Inputs are standardised, the outcome is not; weights start orthogonal, biases at
    zero; several quantiles come sorted, in training too, so they never cross. Single
    precision. A second or two for 500 rows and 2000 epochs.
    """

    def __init__(
        self,
        quantiles=(0.05, 0.95),
        *,
        hidden=64,
        dropout=0.1,
        learning_rate=5e-4,
        epochs=2000,
        random_state=0,
        backend="numpy",
    ):
        self.quantiles = quantiles
        self.hidden = hidden
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.random_state = random_state
        self.backend = backend

    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : array_like, shape (n, p)
            Complete features.
        y : array_like, shape (n,)
            Outcomes.

        Returns
        -------
        QuantileNetwork
            Itself.

        Raises
        ------
        ValueError
            If `backend` is neither "numpy" nor "torch".
        ImportError
            If PyTorch is asked for and not installed.
        """
        if self.backend not in ("numpy", "torch"):
            raise ValueError(
                f"backend must be 'numpy' or 'torch', not {self.backend!r}"
            )
        X, y = check_2d(X, "X"), check_1d(y, "y")
        check_same_length(X=X, y=y)
        seed = check_random_state(self.random_state).randint(2**31)
        rng = np.random.default_rng(seed)
        self.n_features_in_ = X.shape[1]
        self.center_ = X.mean(axis=0)
        spread = X.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        Z = ((X - self.center_) / self.scale_).astype(np.float32)
        target = y.astype(np.float32)[:, None]
        n_out = 1 if self.quantiles is None else len(self.quantiles)
        sizes = [Z.shape[1], self.hidden, self.hidden, n_out]
        parameters = _Parameters(sizes)
        self.weights_, self.biases_ = parameters.weights, parameters.biases
        for weight in self.weights_:
            weight[:] = _orthogonal(*weight.shape, rng)
        training = self._training(parameters, _Parameters(sizes))
        self.loss_ = np.empty(self.epochs)
        for epoch in range(self.epochs):
            gates = _dropout((2, len(Z), self.hidden), self.dropout, rng)
            self.loss_[epoch] = training(Z, target, gates)
        return self

    def _training(self, parameters, gradient):
        """The function that makes one step of Adam and returns the loss before it."""
        if self.backend == "torch":
            return TorchTraining(parameters, self.quantiles, self.learning_rate).epoch
        adam = _Adam(parameters.flat, self.learning_rate)

        def epoch(Z, target, gates):
            loss = self._step(Z, target, gates, gradient)
            adam.update(gradient.flat)
            return loss

        return epoch

    def _step(self, Z, target, gates, gradient):
        """Loss of one full-batch pass; its gradient is written into `gradient`.

        `gates` holds 0 for dropped units and 1 / (share kept) for the others; the
        pass multiplies it by the slope of the rectifier.
        """
        layers, value = [Z], Z
        hidden = zip(self.weights_[:2], self.biases_[:2], gates, strict=True)
        for weight, bias, gate in hidden:
            value = value @ weight
            value += bias
            gate *= value > 0
            value *= gate
            layers.append(value)
        raw = value @ self.weights_[2] + self.biases_[2]
        loss, back = self._loss(raw, target)
        for layer in (2, 1, 0):
            np.matmul(layers[layer].T, back, out=gradient.weights[layer])
            np.sum(back, axis=0, out=gradient.biases[layer])
            if layer:
                back = back @ self.weights_[layer].T
                back *= gates[layer - 1]
        return loss

    def _loss(self, raw, target):
        if self.quantiles is None:
            error = raw - target
            return float((error**2).mean()), 2 * error / error.size
        tau = np.sort(np.asarray(self.quantiles, np.float32))
        # Sorting is the identity in most passes, and costs as much as a layer.
        crossed = (raw[:, 1:] < raw[:, :-1]).any()
        order = np.argsort(raw, axis=1, kind="stable") if crossed else None
        error = target - (np.take_along_axis(raw, order, axis=1) if crossed else raw)
        above = error > 0
        loss = float((error * (tau - ~above)).mean())
        slope = (~above - tau) / np.float32(error.size)
        if not crossed:
            return loss, slope
        back = np.empty_like(raw)
        np.put_along_axis(back, order, slope, axis=1)
        return loss, back

    def predict(self, X):
        """Predicted means, shape (n,), or quantiles in increasing order, (n, q)."""
        check_is_fitted(self, "weights_")
        X = check_2d(X, "X")
        value = ((X - self.center_) / self.scale_).astype(np.float32)
        for weight, bias in zip(self.weights_[:2], self.biases_[:2], strict=True):
            value = np.maximum(value @ weight + bias, 0)
        out = (value @ self.weights_[2] + self.biases_[2]).astype(float)
        return out[:, 0] if out.shape[1] == 1 else np.sort(out, axis=1)


def _orthogonal(rows, columns, rng):
    """Random matrix with orthonormal rows or columns, whichever are fewer."""
    normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diag(r))
    return np.ascontiguousarray(q if rows >= columns else q.T).astype(np.float32)


def _dropout(shape, share, rng):
    """Gates of dropped units: 0 or 1 / (share kept); 16 random bits decide each."""
    if share == 0:
        return np.ones(shape, np.float32)
    size = int(np.prod(shape))
    words = rng.integers(0, 2**64, -(-size // 4), dtype=np.uint64)
    threshold = round((1 - share) * 2**16)
    bits = words.view(np.uint16)[:size].reshape(shape)
    return (bits < threshold) * np.float32(2**16 / threshold)


class _Parameters:
    """Weights and biases of all layers as views of one flat vector."""

    def __init__(self, sizes):
        shapes = [*pairwise(sizes), *((size,) for size in sizes[1:])]
        counts = [int(np.prod(shape)) for shape in shapes]
        self.flat = np.zeros(sum(counts), np.float32)
        parts = np.split(self.flat, np.cumsum(counts)[:-1])
        views = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        self.weights, self.biases = views[: len(sizes) - 1], views[len(sizes) - 1 :]


class _Adam:
    """Adam with its usual constants, updating one vector in place."""

    def __init__(self, parameters, rate):
        self.parameters, self.rate, self.time = parameters, rate, 0
        self.first = np.zeros_like(parameters)
        self.second = np.zeros_like(parameters)

    def update(self, gradient):
        self.time += 1
        rate = self.rate * np.sqrt(1 - 0.999**self.time) / (1 - 0.9**self.time)
        epsilon = 1e-8 * np.sqrt(1 - 0.999**self.time)
        self.first += np.float32(0.1) * (gradient - self.first)
        self.second += np.float32(0.001) * (gradient * gradient - self.second)
        step = np.sqrt(self.second)
        step += np.float32(epsilon)
        np.divide(self.first, step, out=step)
        step *= np.float32(rate)
        self.parameters -= step
