"""USC-HAD: every activity once, by two people, one of them with the misspelled number and a wrong text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from kinelex.datasets import CatalogEntry
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import MOVING_S, STILL_S, G, Written

STILL = {"sitting", "standing", "sleeping"}


def write(folder: Path, entry: CatalogEntry) -> Written:
    written = Written(folder, {"subject1", "subject13"})
    for person in (1, 13):
        home = folder / "USC-HAD" / f"Subject{person}"
        home.mkdir(parents=True)
        for code, name in entry.activities.items():
            at = made_up.times(STILL_S if name in STILL else MOVING_S, 100)
            acc = made_up.acc(at, moving=name not in STILL, seed=person) / G
            gyro = np.rad2deg(made_up.gyro(at, moving=name not in STILL, seed=person))
            said = "activity_number" if person == 1 else "activity_numbr"
            savemat(
                home / f"a{code}t1.mat",
                {
                    "title": "USC Human Activity Dataset (USC-HAD)",
                    "version": "1.0",
                    "date": "June-2012",
                    "subject": str(person),
                    "age": "27",
                    "height": "164cm",
                    "weight": "43kg",
                    "activity": name.split("_")[0],
                    said: "0" if person == 13 else code,
                    "trial": "1",
                    "sensor_location": "front-right-hip",
                    "sensor_orientation": "x-gravity-y-walking-direction-z-vertical-to-walking-direction",
                    "sensor_readings": np.hstack([acc, gyro]),
                },
            )
            written.add(name, len(at) / 100)
    return written
