"""MobiFall v2.0: every kind of trial once; sensors that start apart and run at their own pace, one of them unevenly."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import Written

FALLS = {"FOL", "FKL", "BSC", "SDL"}
START_NS = 1_871_372_113_000


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"sub2"})
    rng = np.random.default_rng(4)
    for code, name in entry.activities.items():
        seconds = 10.0 if code in FALLS else 6.0
        home = folder / "MobiFall_Dataset_v2.0" / "sub2" / ("FALLS" if code in FALLS else "ADL") / code
        home.mkdir(parents=True)
        uneven = np.cumsum(rng.choice([0.010, 0.011, 0.014], round(seconds * 87)))
        uneven = uneven[uneven < seconds]
        even = made_up.times(seconds, 200) + 0.05
        orientation = np.tile([120.0, -80.0, 3.0], (len(even), 1))
        for sensor, unit, at, values in (
            ("acc", "m/s^2", uneven, made_up.acc(uneven, moving=name != "standing")),
            ("gyro", "rad/s", even, made_up.gyro(even, moving=name != "standing")),
            ("ori", "degrees", even, orientation),
        ):
            head = f"#{sensor} data\n#\n#Activity: 1 - {code} - {name} - {seconds:.0f}s\n#Subject ID: 2\n#\n"
            head += f"#timestamp(ns),x,y,z({unit})\n@DATA\n"
            rows = zip((at * 1e9).astype(np.int64) + START_NS, values.tolist(), strict=True)
            body = "".join(f"{ns}, {x:.6f}, {y:.6f}, {z:.6f}\n" for ns, (x, y, z) in rows)
            (home / f"{code}_{sensor}_2_1.txt").write_text(head + body)
        written.add(name, uneven[-1] - uneven[0])
    return written
