"""Made-up but possible movement, for tests that must know what is right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Movement = Callable[..., NDArray[np.float32]]


@pytest.fixture(scope="session")
def movement() -> Movement:
    """A function that makes ``(time, 6)`` acc and gyro in SI: at rest, or walking with two steps a second."""

    def make(
        seconds: float = 12.0, rate_hz: float = 50.0, *, rest: bool = False, gravity: bool = True, seed: int = 0
    ) -> NDArray[np.float32]:
        random = np.random.default_rng(seed)
        times = np.arange(round(seconds * rate_hz)) / rate_hz
        up = random.normal(size=3)
        up /= np.linalg.norm(up)
        samples = random.normal(0, 0.02, (len(times), 6))
        if not rest:
            ahead = np.cross(up, random.normal(size=3))
            ahead /= np.linalg.norm(ahead)
            samples[:, :3] += 3.0 * np.sin(2 * np.pi * 2.0 * times)[:, None] * up
            samples[:, :3] += 1.5 * np.sin(2 * np.pi * 1.0 * times + 1)[:, None] * ahead
            samples[:, 3:] += 1.5 * np.sin(2 * np.pi * 1.0 * times)[:, None] * ahead
        if gravity:
            samples[:, :3] += 9.80665 * up
        return samples.astype(np.float32)

    return make
