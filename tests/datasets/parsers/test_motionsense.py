"""MotionSense: gravity that was taken out and must be put back, and the real files held against a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import BadSamples, UnreadableFile
from tests.datasets.layouts.made_up import G
from tests.datasets.layouts.motionsense import write

ENTRY = catalog_entry("motionsense")
CHANNELS = [f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"]
HEAD = ",".join(f"{quantity}.{axis}" for quantity in ("gravity", "rotationRate", "userAcceleration") for axis in "xyz")


def test_acceleration_is_that_of_the_person_and_gravity_together(tmp_path: Path) -> None:
    path = tmp_path / "wlk_7" / "sub_5.csv"
    path.parent.mkdir()
    path.write_text(f",{HEAD}\n" + "".join(f"{n},0,-0.6,0.8,1,2,3,0.5,0.25,-0.125\n" for n in range(50)))
    (trial,) = trials(ENTRY, tmp_path)
    (recording,) = trial.read()
    assert recording.gravity
    np.testing.assert_allclose(recording.samples[7], [0.5 * G, -0.35 * G, 0.675 * G, 1, 2, 3], rtol=1e-5)


@pytest.mark.parametrize("inside", ["", "A_DeviceMotion_data"])
def test_a_trial_is_read_once_though_other_folders_have_files_of_its_name(tmp_path: Path, inside: str) -> None:
    write(tmp_path, ENTRY)
    names = [trial.name for trial in trials(ENTRY, tmp_path / inside)]
    assert len(names) == 12 and "wlk_7_sub24" in names


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dws_1" / "sub_1.csv"
    path.parent.mkdir()
    for text, error, says in (
        ("", UnreadableFile, r"sub_1\.csv"),
        (f",{HEAD}\n", UnreadableFile, r"sub_1\.csv.*no row"),
        (",x,y,z\n0,1,2,3\n", UnreadableFile, r"sub_1\.csv"),
        (f",{HEAD}\n0,1,2,3,4,5,6,7,8\n", UnreadableFile, r"sub_1\.csv"),
        (f",{HEAD}\n0,1,2,3,4,x,6,7,8,9\n", BadSamples, r"sub_1\.csv"),
    ):
        path.write_text(text)
        (trial,) = trials(ENTRY, tmp_path)
        with pytest.raises(error, match=says):
            trial.read()


def test_the_real_files_are_the_table(recordings_dir: Path) -> None:
    """All trials at hand (6, of person 1): person, activity, and every sample within rounding."""
    found = list(trials(ENTRY, recordings_dir / "raw" / "motionsense"))
    names = [trial.name for trial in found]
    rows = pd.read_parquet(recordings_dir / "sessions" / "motionsense.parquet", filters=[("session", "in", names)])
    table = dict(list(rows.groupby("session")))
    assert len(found) == 6 and set(table) == set(names)
    for trial in found:
        (recording,) = trial.read()
        said = table[trial.name].iloc[0]
        assert (said.subject, said.activity) == (recording.subject, recording.intervals[0].label)
        assert recording.intervals[0].end_s == pytest.approx(recording.duration_s)
        published = recording.samples / [G, G, G, 1, 1, 1]
        off = np.abs(published - table[trial.name][CHANNELS].to_numpy()).max(axis=0)
        assert (off <= [0.0021] * 3 + [0.0051] * 3).all(), trial.name
