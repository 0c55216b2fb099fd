"""The same training as the numpy network's, by PyTorch's autograd and Adam."""

import numpy as np

__all__ = ["TorchTraining"]


class TorchTraining:
    """One network whose tensors share memory with the numpy parameters.

    Parameters
    ----------
    parameters : _Parameters
        Weights and biases, updated in place.
    quantiles : tuple of float, or None
        Levels, or None for the squared loss.
    rate : float
        Learning rate of Adam.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    """

    def __init__(self, parameters, quantiles, rate):
        try:
            import torch
        except ImportError:
            raise ImportError(
                "QuantileNetwork(backend='torch') needs PyTorch: pip install "
                '"notebook-lib[paper]", or use backend="numpy", which trains the '
                "same network"
            ) from None
        self.torch = torch
        self.weights = self._leaves(parameters.weights)
        self.biases = self._leaves(parameters.biases)
        self.tau = None
        if quantiles is not None:
            self.tau = torch.tensor(np.sort(quantiles), dtype=torch.float32)
        self.optimizer = torch.optim.Adam([*self.weights, *self.biases], lr=rate)

    def _leaves(self, arrays):
        return [self.torch.from_numpy(a).requires_grad_() for a in arrays]

    def epoch(self, Z, target, gates):
        """One full-batch step of Adam with the given dropout; returns the loss."""
        torch = self.torch
        value, target = torch.from_numpy(Z), torch.from_numpy(target)
        hidden = zip(self.weights[:2], self.biases[:2], gates, strict=True)
        for weight, bias, gate in hidden:
            value = torch.relu(value @ weight + bias) * torch.from_numpy(gate)
        raw = value @ self.weights[2] + self.biases[2]
        loss = self._loss(raw, target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def _loss(self, raw, target):
        if self.tau is None:
            return ((raw - target) ** 2).mean()
        error = target - raw.sort(dim=1).values
        return self.torch.maximum(self.tau * error, (self.tau - 1) * error).mean()
