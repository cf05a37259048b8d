"""MHEALTH: the files of two people, one with tabs and one with blanks, all activities with time between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, Written

RATE_HZ = 50
STILL = {"standing_still", "sitting_and_relaxing", "lying_down"}


def write(folder: Path, entry: CatalogEntry) -> Written:
    home = folder / "MHEALTHDATASET"
    home.mkdir(parents=True)
    written = Written(folder, {"subject1", "subject10"})
    for subject, blank in (("subject1", "\t"), ("subject10", " ")):
        rows = [_rows(0, 1.0, moving=True)]
        for code, name in entry.activities.items():
            seconds = STILL_S if name in STILL else MOVING_S
            rows += [_rows(int(code), seconds, moving=name not in STILL), _rows(0, 1.0, moving=True)]
            written.add(name, seconds)
        np.savetxt(home / f"mHealth_{subject}.log", np.concatenate(rows), fmt=["%.5g"] * 23 + ["%d"], delimiter=blank)
    return written


def _rows(code: int, seconds: float, *, moving: bool) -> NDArray[np.float64]:
    """Chest acc, two leads of ECG, then acc, gyro and mag of ankle and arm, and the label."""
    at = made_up.times(seconds, RATE_HZ)
    # Gravity along x at the chest, y at the ankle, z at the arm.
    chest, ankle, arm = (np.roll(made_up.acc(at, moving=moving, seed=i), i - 1, axis=1) for i in range(3))
    heart = np.tile([0.4, -0.3], (len(at), 1))
    # What the set calls gyroscope has a length near 1, at rest as well, and no unit.
    turn, field = np.tile([-0.21, -0.89, -0.51], (len(at), 1)), made_up.mag(at) / 10
    return np.concatenate([chest, heart, ankle, turn, field, arm, turn, field, np.full((len(at), 1), code)], axis=1)
