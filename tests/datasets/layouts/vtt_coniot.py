"""VTT-ConIoT: every task once by each of two people; the columns named g hold half g for one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

STILL = {"laying_back"}
UNITS = ("trousers", "back", "hand")
COLUMNS = ("Ax_g", "Ay_g", "Az_g", "Gx_dps", "Gy_dps", "Gz_dps", "Mx_uT", "My_uT", "Mz_uT")


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"user_1", "user_13"})
    home = folder / "VTT_ConIot_Dataset" / "VTT-ConIot-IMU-Data"
    home.mkdir(parents=True)
    header = ",".join(f"{unit}_{column}" for unit in UNITS for column in COLUMNS)
    for person, per_g in ((1, 1.0), (13, 2.0)):
        for code, name in entry.activities.items():
            at = made_up.times(STILL_S if name in STILL else MOVING_S, 100)
            moving = name not in STILL
            blocks = []
            for seed in range(len(UNITS)):
                acc = made_up.acc(at, moving=moving, seed=seed) / G * per_g
                blocks += [acc, np.rad2deg(made_up.gyro(at, moving=moving, seed=seed)), made_up.mag(at)]
            path = home / f"activity_{code}_user_{person}_combined.csv"
            np.savetxt(path, np.hstack(blocks), fmt="%.6f", delimiter=",", header=header, comments="")
            written.add(name, len(at) / 100)
    return written
