"""USC-HAD: file names that are right where what the files say is not, and the real files held against a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat
from scipy.signal import butter, sosfiltfilt

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import UnreadableFile
from tests.datasets.layouts.made_up import G
from tests.datasets.layouts.usc_had import write

ENTRY = catalog_entry("usc_had")
CHANNELS = [f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"]


def test_the_activity_is_that_of_the_file_name(tmp_path: Path) -> None:
    """Person 13's files have the number under a misspelled name, and a 0 for it."""
    write(tmp_path, ENTRY)
    found = {trial.name: trial.read()[0] for trial in trials(ENTRY, tmp_path)}
    assert found["s13_a11_t1"].intervals[0].label == "elevator_up"
    assert [recording.intervals[0].label for name, recording in found.items() if name.startswith("s13")] == [
        recording.intervals[0].label for name, recording in found.items() if name.startswith("s01")
    ]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Subject3" / "a4t2.mat"
    path.parent.mkdir()
    (trial,) = _listed(tmp_path, path, {"sensor_readings": np.ones((50, 5))})
    with pytest.raises(UnreadableFile, match=r"a4t2\.mat.*50 by 5"):
        trial.read()
    (trial,) = _listed(tmp_path, path, {"readings": np.ones((50, 6))})
    with pytest.raises(UnreadableFile, match=r"a4t2\.mat.*no variable 'sensor_readings'"):
        trial.read()
    (trial,) = _listed(tmp_path, path, {"sensor_readings": np.ones((50, 6))})
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UnreadableFile, match=r"a4t2\.mat.*damaged"):
        trial.read()


def _listed(folder: Path, path: Path, variables: dict[str, np.ndarray]):
    savemat(path, variables)
    return trials(ENTRY, folder)


def test_the_real_files_are_the_table(recordings_dir: Path) -> None:
    """All trials at hand (72, of persons 1 and 2): person, activity, length, and every sample.

    The table has every second sample after a low pass whose measured response is that of a zero-phase Butterworth
    filter of order 9 at 21.5 Hz, but for one percent of what a channel spans (0.3 % at most was found).
    """
    found = list(trials(ENTRY, recordings_dir / "raw" / "usc_had"))
    table = _sessions(recordings_dir, [trial.name for trial in found])
    assert len(found) == 72 and set(table) == {trial.name for trial in found}
    smooth = butter(9, 21.5, fs=100, output="sos")
    for trial in found:
        (recording,) = trial.read()
        rows = table[trial.name]
        assert (rows.subject.iloc[0], rows.activity.iloc[0]) == (recording.subject, recording.intervals[0].label)
        assert recording.intervals[0].end_s == pytest.approx(recording.duration_s)
        published = np.hstack([recording.samples[:, :3] / G, np.rad2deg(recording.samples[:, 3:])])
        expected = sosfiltfilt(smooth, published, axis=0)[::2]
        assert len(expected) == len(rows)
        off = np.abs(expected - rows[CHANNELS].to_numpy()).max(axis=0)
        assert (off <= [0.002] * 3 + [0.25] * 3 + 0.01 * np.ptp(published, axis=0)).all(), trial.name


def _sessions(recordings_dir: Path, names: list[str]) -> dict[str, pd.DataFrame]:
    rows = pd.read_parquet(recordings_dir / "sessions" / "usc_had.parquet", filters=[("session", "in", names)])
    return dict(list(rows.groupby("session")))
