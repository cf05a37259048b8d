"""MotionSense: every activity once by two people, and beside it what must not be read a second time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

STILL = {"standing", "sitting"}
TRIALS = {"dws": 1, "ups": 12, "wlk": 7, "jog": 9, "std": 6, "sit": 13}
QUANTITIES = ("attitude", "gravity", "rotationRate", "userAcceleration")


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"sub_1", "sub_24"})
    for code, name in entry.activities.items():
        for person in (1, 24):
            at = made_up.times(STILL_S if name in STILL else MOVING_S, 50)
            felt = made_up.acc(at, moving=name not in STILL, seed=person) / G
            gyro = made_up.gyro(at, moving=name not in STILL, seed=person)
            gravity = np.tile([0.28, 0.95, -0.15], (len(at), 1)) / np.linalg.norm([0.28, 0.95, -0.15])
            attitude = np.tile([1.5, -1.4, 1.9], (len(at), 1))
            place = f"{code}_{TRIALS[code]}/sub_{person}.csv"
            parts = dict(zip(QUANTITIES, (attitude, gravity, gyro, felt - gravity), strict=True))
            _write_table(folder / "A_DeviceMotion_data" / place, parts)
            _write_table(folder / "B_Accelerometer_data" / place, {"": felt})
            hidden = folder / "__MACOSX" / "A_DeviceMotion_data" / place
            hidden.parent.mkdir(parents=True, exist_ok=True)
            hidden.write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
            written.add(name, len(at) / 50)
    (folder / "data_subjects_info.csv").write_text("code,weight,height,age,gender\n1,102,188,46,1\n24,74,173,18,0\n")
    return written


def _write_table(path: Path, parts: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = {"attitude": ("roll", "pitch", "yaw")}
    names = [f"{part}.{axis}".lstrip(".") for part in parts for axis in axes.get(part, "xyz")]
    rows = np.hstack(list(parts.values())).tolist()
    body = "".join(f"{number},{','.join(f'{value:.6f}' for value in row)}\n" for number, row in enumerate(rows))
    path.write_text("," + ",".join(names) + "\n" + body)
