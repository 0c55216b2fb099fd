"""Chapter 1's formulas, from the blueprint, with loops and no care for speed."""

import itertools
import math

import numpy as np


def gaussian_density(point, mean, covariance):
    """Density of a multivariate normal at one point."""
    gap = np.asarray(point) - np.asarray(mean)
    squares = gap @ np.linalg.inv(covariance) @ gap
    return math.exp(-squares / 2) / math.sqrt(
        (2 * math.pi) ** len(gap) * np.linalg.det(covariance)
    )


def e_step(s, weights, means, covariances):
    """Responsibilities and mean log-likelihood, row by row."""
    tau, log_likelihood = [], 0.0
    for row in s:
        joint = [
            w * gaussian_density(row, m, c)
            for w, m, c in zip(weights, means, covariances, strict=True)
        ]
        tau.append([j / sum(joint) for j in joint])
        log_likelihood += math.log(sum(joint)) / len(s)
    return log_likelihood, np.array(tau)


def m_step(s, tau, ridge):
    """Proportions, means and covariances of the weighted classes."""
    n, dim = s.shape
    weights, means, covariances = [], [], []
    for k in range(tau.shape[1]):
        mass = sum(tau[i, k] for i in range(n))
        mean = sum(tau[i, k] * s[i] for i in range(n)) / mass
        spread = sum(tau[i, k] * np.outer(s[i] - mean, s[i] - mean) for i in range(n))
        weights.append(mass / n)
        means.append(mean)
        covariances.append(spread / mass + ridge * np.eye(dim))
    return np.array(weights), np.array(means), np.array(covariances)


def best_alignment(tau, z):
    """Order of the fitted classes with the most agreements, by trying them all."""

    def agreements(order):
        return int((tau[:, list(order)].argmax(axis=1) == z).sum())

    return max(itertools.permutations(range(tau.shape[1])), key=agreements)


def soft_by_alternation(x, tau, y, n_iter=2000):
    """The blueprint's EM-soft: alternate its two closed forms."""
    n_classes = tau.shape[1]
    beta = np.zeros(n_classes)
    gram = sum(np.outer(row, row) * t.sum() for row, t in zip(x, tau, strict=True))
    for _ in range(n_iter):
        right = sum(
            t.sum() * row * (value - t @ beta)
            for row, t, value in zip(x, tau, y, strict=True)
        )
        theta = np.linalg.solve(gram, right)
        for k in range(n_classes):
            beta[k] = sum(
                t[k] * (value - theta @ row)
                for row, t, value in zip(x, tau, y, strict=True)
            ) / sum(t[k] for t in tau)
    return theta, beta


def weighted_loss(x, tau, y, theta, beta):
    """The blueprint's loss ``L(theta, beta)``, summand by summand."""
    return sum(
        tau[i, k] * (y[i] - theta @ x[i] - beta[k]) ** 2
        for i in range(len(y))
        for k in range(tau.shape[1])
    )


def attenuation_matrix(tau):
    """``W[k, l] = mean(tau_k tau_l) / mean(tau_k)``."""
    n, n_classes = tau.shape
    w = np.empty((n_classes, n_classes))
    for k, other in itertools.product(range(n_classes), repeat=2):
        products = sum(tau[i, k] * tau[i, other] for i in range(n)) / n
        w[k, other] = products / (sum(tau[i, k] for i in range(n)) / n)
    return w


def mixture_density(y, weights, means, sigma):
    """Density of a one-dimensional mixture at one point."""
    return sum(
        w * math.exp(-(((y - m) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
        for w, m in zip(weights, means, strict=True)
    )


def outcome_log_likelihood(x, tau, y, theta, beta, sigma):
    """Mean log-likelihood of the mixture of regressions with known priors."""
    total = 0.0
    for i in range(len(y)):
        total += math.log(
            mixture_density(y[i], tau[i], [theta @ x[i] + b for b in beta], sigma)
        )
    return total / len(y)


def quality(tau, z):
    """The four measures of imputation quality, row by row."""
    n = len(z)
    right = top = cross = entropy = 0.0
    for row, label in zip(tau, z, strict=True):
        right += max(range(len(row)), key=lambda k: row[k]) == label
        top += max(row)
        cross -= math.log(row[label])
        entropy -= sum(t * math.log(t) for t in row if t > 0)
    return {
        "accuracy": right / n,
        "max_responsibility": top / n,
        "cross_entropy": cross / n,
        "entropy": entropy / n,
    }
