"""PAMAP2: two people by the protocol, one of them also besides; time between activities, and lost packets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

RATE_HZ = 100
STILL = {"lying", "sitting", "standing", "watching_tv", "computer_work", "car_driving"}
BESIDES = {"watching_tv", "computer_work", "car_driving", "folding_laundry", "house_cleaning", "playing_soccer"}
BETWEEN_S = 1.0
LOST = slice(120, 135)
"""Rows of each file without the hand's packets."""
SIX_G = 6 * G


def write(folder: Path, entry: CatalogEntry) -> Written:
    home = folder / "PAMAP2_Dataset"
    written = Written(folder, {"subject101", "subject102"}, missing=LOST.stop - LOST.start)
    for part, subject in (("Protocol", "subject101"), ("Protocol", "subject102"), ("Optional", "subject101")):
        rows = [_rows(0, BETWEEN_S, moving=True)]
        for code, name in entry.activities.items():
            if (name in BESIDES) == (part == "Optional"):
                seconds = STILL_S if name in STILL else MOVING_S
                rows += [_rows(int(code), seconds, moving=name not in STILL), _rows(0, BETWEEN_S, moving=True)]
                written.add(name, seconds)
        table = np.concatenate(rows)
        table[:, 0] = 8.38 + np.arange(len(table)) / RATE_HZ
        table[np.arange(len(table)) % 11 != 0, 2] = np.nan
        table[LOST, 3:20] = np.nan
        (home / part).mkdir(parents=True, exist_ok=True)
        np.savetxt(home / part / f"{subject}.dat", table, fmt="%.6g")
        text = (home / part / f"{subject}.dat").read_text()
        (home / part / f"{subject}.dat").write_text(text.replace("nan", "NaN"))
    return written


def _rows(code: int, seconds: float, *, moving: bool) -> NDArray[np.float64]:
    """Time, activity, heart rate, and 17 columns for each of hand, chest and ankle."""
    at = made_up.times(seconds, RATE_HZ)
    units = [_unit(at, moving, number) for number in range(3)]
    return np.concatenate([np.zeros((len(at), 1)), np.full((len(at), 1), code), np.full((len(at), 1), 96), *units], 1)


def _unit(at: NDArray[np.float64], moving: bool, number: int) -> NDArray[np.float64]:
    """Gravity mostly along x at the hand, y at the chest, z at the ankle; the field stronger from one to the next."""
    acc = np.roll(made_up.acc(at, moving=moving, seed=number), number - 1, axis=1)
    gyro, mag = made_up.gyro(at, moving=moving, seed=number), made_up.mag(at) + 10 * number
    acc[:3, 0] += 80 * moving
    orientation = np.tile([1.0, 0.0, 0.0, 0.0], (len(at), 1))
    return np.concatenate(
        [np.full((len(at), 1), 31.8), acc, np.clip(acc + 0.4, -SIX_G, SIX_G), gyro, mag, orientation], axis=1
    )
