"""KU-HAR: two clocks in a file, no gravity, and transitions that go both ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal import Recording
from tests.datasets.layouts import ku_har

ENTRY = catalog_entry("ku_har")


def read_file(folder: Path, lines: list[str], parent: str = "11.Walk", name: str = "1002_L_1.csv") -> Recording:
    home = folder / "1.Raw_time_domian_data" / parent
    home.mkdir(parents=True)
    (home / name).write_text("\n".join(lines) + "\n")
    (trial,) = trials(ENTRY, folder)
    (recording,) = trial.read()
    return recording


def test_each_sensor_keeps_its_own_times(tmp_path: Path) -> None:
    """The gyroscope is 2 % slower and starts later: read by row it would be 0.1 s off after 5 s."""
    recording = read_file(tmp_path, ku_har.rows(moving=True, seconds=8.0))
    at = recording.times_s[400:700] + 0.01
    turning = np.cos(2 * np.pi * 1.8 * at) * 1.5
    assert np.abs(recording.samples[400:700, 3] - turning).max() < 0.1


def test_gravity_is_not_there_and_not_put_back(tmp_path: Path) -> None:
    recording = read_file(tmp_path, ku_har.rows(moving=False))
    assert not recording.gravity
    assert np.abs(recording.samples[:, :3]).max() < 0.5


@pytest.mark.parametrize(("parent", "label"), [("4.Stand-sit", "stand_sit"), ("6.Lay-stand", "lay_stand")])
def test_a_transition_there_and_back_is_one_stretch_with_the_name_of_both(
    tmp_path: Path, parent: str, label: str
) -> None:
    recording = read_file(tmp_path, ku_har.rows(moving=True), parent, "1002_E_1.csv")
    (interval,) = recording.intervals
    assert interval.label == label
    assert interval.end_s == pytest.approx(recording.duration_s, abs=0.02)


def test_the_folder_s_number_tells_the_activity_however_its_name_is_spelled(tmp_path: Path) -> None:
    recording = read_file(tmp_path, ku_har.rows(moving=True), "12.Walk-backwards", "1002_M_3.csv")
    assert recording.intervals[0].label == "walk_backward"
    assert (recording.name, recording.subject) == ("ku_har/1002_M_3", "1002")


def test_rows_filled_up_with_zeros_are_missing(tmp_path: Path) -> None:
    recording = read_file(tmp_path, ku_har.rows(moving=True, filling="0.0"))
    assert np.isnan(recording.samples[-25:, 3:]).all()
    assert not np.isnan(recording.samples[-25:, :3]).any()


def test_the_trimmed_copy_of_a_trial_is_not_read_again(tmp_path: Path) -> None:
    trimmed = tmp_path / "2.Trimmed_interpolated_data" / "11.Walk"
    trimmed.mkdir(parents=True)
    (trimmed / "1002_L_1.csv").write_text("\n".join(ku_har.rows(moving=True)) + "\n")
    assert read_file(tmp_path, ku_har.rows(moving=True)).name == "ku_har/1002_L_1"


@pytest.mark.parametrize(
    ("lines", "error"),
    [(["1,2,3"], UnreadableFile), ([",,,,0.1,1,1,1"] * 3, UnreadableFile), (["time,x,y,z,time,x,y,z"], BadSamples)],
)
def test_a_broken_file_is_named(tmp_path: Path, lines: list[str], error: type[Exception]) -> None:
    with pytest.raises(error, match="1002_L_1"):
        read_file(tmp_path, lines)
