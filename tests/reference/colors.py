"""How different two colours look, also to readers who do not see all of them.

Dichromatic vision by the matrices of Machado, Oliveira and Fernandes (2009) at
full severity, on linear RGB; difference as Euclidean distance in CIELAB (D65).
"""

import numpy as np

VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}

_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def linear_rgb(color: str) -> np.ndarray:
    """A hex colour as linear RGB in [0, 1]."""
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    low = srgb <= 0.04045
    return np.where(low, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(linear: np.ndarray) -> np.ndarray:
    """CIELAB coordinates of linear RGB."""
    ratio = _TO_XYZ @ linear / (_TO_XYZ @ np.ones(3))
    f = np.where(
        ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29
    )
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def lab_distance(one: str, two: str, vision: str) -> float:
    """Distance of two hex colours as seen with one kind of vision."""
    seen = [np.clip(VISIONS[vision] @ linear_rgb(c), 0, 1) for c in (one, two)]
    return float(np.linalg.norm(lab(seen[0]) - lab(seen[1])))
