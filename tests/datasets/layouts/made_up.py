"""What a made-up sensor measures, for small files in the official layouts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

G = 9.80665
STILL_S = 4.0
MOVING_S = 3.0


@dataclass
class Written:
    """What stands in the files that a layout wrote.

    Args:
        subjects: everybody, by the names that the parser must give them.
        seconds: per official activity name, over all devices of one trial once; only what was written.
        missing: how many rows were written with a missing value of a sensor that stays in the recording, in the way in
            which the set's own files lack values; 0 for sets whose files never do.
        folder: what to hand to the parser.
    """

    folder: Path
    subjects: set[str] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    missing: int = 0

    def add(self, activity: str, seconds: float) -> None:
        self.seconds[activity] = self.seconds.get(activity, 0.0) + seconds


def times(seconds: float, rate_hz: float) -> NDArray[np.float64]:
    """Even timestamps from 0."""
    return np.arange(round(seconds * rate_hz)) / rate_hz


def acc(at_s: NDArray[np.float64], *, moving: bool, gravity: bool = True, seed: int = 0) -> NDArray[np.float64]:
    """``(time, 3)`` in m/s²: a sensor that hangs askew, at rest or walking at 1.8 steps per second."""
    rng = np.random.default_rng(seed)
    down = np.array([0.28, 0.95, -0.15]) / np.linalg.norm([0.28, 0.95, -0.15])
    swing = np.sin(2 * np.pi * 1.8 * at_s)[:, None] * np.array([1.0, 3.0, 0.8]) * moving
    return rng.normal(0, 0.03, (len(at_s), 3)) + G * down * gravity + swing


def gyro(at_s: NDArray[np.float64], *, moving: bool, seed: int = 0) -> NDArray[np.float64]:
    """``(time, 3)`` in rad/s."""
    rng = np.random.default_rng(seed + 1)
    swing = np.cos(2 * np.pi * 1.8 * at_s)[:, None] * np.array([1.5, 0.4, 0.3]) * moving
    return rng.normal(0, 0.01, (len(at_s), 3)) + swing


def mag(at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(time, 3)`` in µT."""
    return np.tile([22.0, -5.0, 40.0], (len(at_s), 1)) + np.random.default_rng(2).normal(0, 0.3, (len(at_s), 3))
