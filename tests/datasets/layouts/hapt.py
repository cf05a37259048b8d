"""HAPT's RawData: two experiments of two people, every activity once, with a stretch between that nobody labelled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

STILL = {"sitting", "standing", "laying"}


def write(folder: Path, entry: CatalogEntry) -> Written:
    raw = folder / "RawData"
    raw.mkdir(parents=True)
    written = Written(folder, {"user01", "user02"})
    labels = []
    for experiment, user in ((1, 1), (3, 2)):
        acc, gyro, row = [], [], 0
        for code, name in entry.activities.items():
            at = made_up.times(STILL_S if name in STILL else MOVING_S, 50)
            acc.append(made_up.acc(at, moving=name not in STILL) / G)
            gyro.append(made_up.gyro(at, moving=name not in STILL))
            labels.append(f"{experiment} {user} {code} {row + 1} {row + len(at) - 50}\n")
            written.add(name, (len(at) - 50) / 50)
            row += len(at)
        for sensor, values in (("acc", acc), ("gyro", gyro)):
            np.savetxt(raw / f"{sensor}_exp{experiment:02}_user{user:02}.txt", np.concatenate(values), fmt="%.16f")
    (raw / "labels.txt").write_text("".join(labels))
    (folder / "activity_labels.txt").write_text("".join(f"{c} {n.upper()}\n" for c, n in entry.activities.items()))
    return written
