"""KU-HAR's raw files: every activity once for two people; sensors with times of their own, of which some repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, Written

STILL = {"stand", "sit", "lay", "talk_sit", "talk_stand"}
LETTERS = "ABCDEFGHIJKLMNOSTU"
GYRO_ENDS_EARLY_S = 0.3


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"1001", "1002"}, missing=round(GYRO_ENDS_EARLY_S * 100) - 2)
    for person in sorted(written.subjects):
        for (code, name), letter in zip(entry.activities.items(), LETTERS, strict=True):
            home = folder / "1.Raw_time_domian_data" / f"{code}.{name.replace('_', '-').capitalize()}"
            home.mkdir(parents=True, exist_ok=True)
            lines = rows(moving=name not in STILL, seed=int(code))
            (home / f"{person}_{letter}_1.csv").write_text("\n".join(lines) + "\n")
            written.add(name, MOVING_S)
    return written


def rows(*, moving: bool, seed: int = 0, seconds: float = MOVING_S, filling: str = "") -> list[str]:
    """Lines of 8 values; `filling` stands where the gyroscope, which starts later and ends earlier, has nothing."""
    acc_at = np.round(made_up.times(seconds, 100) + 0.01 + 0.001 * np.random.default_rng(seed).random(), 6)
    gyro_at = np.round(made_up.times(seconds - GYRO_ENDS_EARLY_S, 98) + 0.017, 6)
    acc_at[40] = acc_at[39]
    acc = made_up.acc(acc_at, moving=moving, gravity=False, seed=seed)
    gyro = made_up.gyro(gyro_at, moving=moving, seed=seed)
    left = [f"{t:.6f},{x:.8f},{y:.8f},{z:.8f}" for t, (x, y, z) in zip(acc_at, acc, strict=True)]
    right = [f"{t:.6f},{x:.8f},{y:.8f},{z:.8f}" for t, (x, y, z) in zip(gyro_at, gyro, strict=True)]
    right += [",".join([filling] * 4)] * (len(left) - len(right))
    return [f"{mine},{other}" for mine, other in zip(left, right, strict=True)]
