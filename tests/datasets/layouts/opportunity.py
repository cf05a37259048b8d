"""Opportunity: two runs of two people, every posture, time without a label, a lost stretch and a silent device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import STILL_S, G, Written

RATE_HZ = 30
ACCELEROMETERS, UNITS, SHOES, AROUND = 12, 5, 2, 109
"""What stands side by side: 3, 13, 16 and 1 columns each."""
LOST = slice(40, 61)
"""Rows without the accelerometer above the knee."""


def write(folder: Path, entry: CatalogEntry) -> Written:
    home = folder / "OpportunityUCIDataset" / "dataset"
    home.mkdir(parents=True)
    written = Written(folder, {"S1", "S2"}, missing=LOST.stop - LOST.start)
    for run in ("S1-ADL1", "S2-Drill"):
        rows = [_rows(0, 1.0, moving=True)]
        for code, name in entry.activities.items():
            rows += [_rows(int(code), STILL_S, moving=name == "walk"), _rows(0, 1.0, moving=True)]
            written.add(name, STILL_S)
        table = np.round(np.concatenate(rows))
        table[:, 0] = np.floor(np.arange(len(table)) * 1000 / RATE_HZ)
        table[LOST, 1:4] = np.nan
        if run == "S2-Drill":
            table[:, 10:13] = np.nan  # RUA_
            table[:, 28:31] = np.nan  # LUA_
        np.savetxt(home / f"{run}.dat", table, fmt="%.0f")
        (home / f"{run}.dat").write_text((home / f"{run}.dat").read_text().replace("nan", "NaN"))
    return written


def _rows(locomotion: int, seconds: float, *, moving: bool) -> NDArray[np.float64]:
    at = made_up.times(seconds, RATE_HZ)
    rng = np.random.default_rng(7)
    parts = [np.zeros((len(at), 1))]

    def acc(seed: int) -> NDArray[np.float64]:
        """In milli-g, of a sensor that hangs in a way of its own."""
        turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        return np.asarray(made_up.acc(at, moving=moving, seed=seed) @ turned * 1000 / G)

    def gyro(seed: int) -> NDArray[np.float64]:
        return made_up.gyro(at, moving=moving, seed=seed) * 1000

    parts += [acc(seed) for seed in range(ACCELEROMETERS)]
    for seed in range(UNITS):
        parts += [acc(seed), gyro(seed), made_up.mag(at) * 20, np.tile([1000.0, 0.0, 0.0, 0.0], (len(at), 1))]
    for seed in range(SHOES):
        angles, in_the_room = np.tile([10.0, 2.0, -80.0], (len(at), 1)), np.zeros((len(at), 3))
        parts += [angles, in_the_room, acc(seed), gyro(seed), -gyro(seed), np.full((len(at), 1), 80.0)]
    parts += [np.full((len(at), AROUND), np.nan)]
    # Locomotion, then six tracks of high-level activity, arms, objects and gestures.
    parts += [np.tile([locomotion, 101, 0, 0, 401, 301, 406516], (len(at), 1))]
    return np.concatenate(parts, axis=1)
