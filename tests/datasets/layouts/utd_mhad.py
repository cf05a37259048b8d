"""UTD-MHAD's inertial part: every action once, by two people in turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

STILL = {"clap", "push", "walk", "sit2stand"}


def write(folder: Path, entry: CatalogEntry) -> Written:
    home = folder / "Inertial"
    home.mkdir(parents=True)
    written = Written(folder, {"s1", "s2"})
    for code, name in entry.activities.items():
        at = made_up.times(STILL_S if name in STILL else MOVING_S, 50)
        acc = made_up.acc(at, moving=name not in STILL) / G
        gyro = np.rad2deg(made_up.gyro(at, moving=name not in STILL))
        savemat(home / f"a{code}_s{1 + int(code) % 2}_t1_inertial.mat", {"d_iner": np.hstack([acc, gyro])})
        written.add(name, len(at) / 50)
    return written
