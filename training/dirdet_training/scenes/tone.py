"""Light and colour: random tone curves, a slope of light, and noise."""

import math

import numpy as np
from numpy.typing import NDArray


def tone_curves(rng: np.random.Generator, *, strength: float) -> list[int]:
    """A random change of brightness, contrast, gamma and colour.

    Args:
        rng: what it is drawn from.
        strength: 0 changes nothing, 1 a lot.

    Returns:
        3 x 256 values from 0 to 255: what each value of red, green and blue becomes, for `Image.point`.
    """
    gamma = math.exp(strength * rng.uniform(-0.35, 0.35))
    contrast = math.exp(strength * rng.uniform(-0.35, 0.25))
    brightness = strength * rng.uniform(-0.14, 0.14)
    gains = np.exp(strength * rng.uniform(-0.12, 0.12, size=3))[:, None]  # [3, 1]
    values = np.linspace(0.0, 1.0, 256)[None] ** gamma  # [1, 256]
    curves = ((values - 0.5) * contrast + 0.5 + brightness) * gains  # [3, 256]
    return np.rint(np.clip(curves, 0, 1) * 255).astype(int).ravel().tolist()


def slope_of_light(rng: np.random.Generator, *, size_hw: tuple[int, int], strength: float) -> NDArray[np.float32]:
    """Light that grows in a random direction.

    Args:
        rng: what it is drawn from.
        size_hw: height and width, pixels.
        strength: the largest difference between two corners, as a factor around 1.

    Returns:
        Factors [H, W, 1].
    """
    height, width = size_hw
    angle, change = rng.uniform(0, 2 * math.pi), rng.uniform(0, strength)
    rows = np.linspace(-0.5, 0.5, height)[:, None] * math.sin(angle)  # [H, 1]
    columns = np.linspace(-0.5, 0.5, width)[None] * math.cos(angle)  # [1, W]
    return (1 + change * (rows + columns)).astype(np.float32)[..., None]  # [H, W, 1]


def noise(rng: np.random.Generator, *, size_hw: tuple[int, int], deviation: float) -> NDArray[np.float32]:
    """Gaussian noise [H, W, 3] of a standard deviation in units of the picture's values."""
    return rng.standard_normal((*size_hw, 3), dtype=np.float32) * np.float32(deviation)
