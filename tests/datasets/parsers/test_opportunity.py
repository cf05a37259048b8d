"""Opportunity's column numbers, its two accelerometers at one place, and what its radio lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import Trial, trials
from kinelex.errors import UnreadableFile
from tests.datasets.layouts import opportunity
from tests.datasets.layouts.made_up import G

ENTRY = catalog_entry("opportunity")
COLUMNS = {
    1: {"acc": {"back": 38, "right upper arm": 51, "right forearm": 64, "left upper arm": 77, "left forearm": 90,
                "left foot": 109, "right foot": 125, "right knee": 2, "hip": 5, "left hand": 14, "right wrist": 23,
                "left wrist": 32, "right hand": 35},
        "gyro": {"back": 41, "right upper arm": 54, "right forearm": 67, "left upper arm": 80, "left forearm": 93,
                 "left foot": 112, "right foot": 128}},
    2: {"acc": {"back": 17, "right knee": 20, "left upper arm": 8, "right upper arm": 26}},
    3: {"acc": {"left upper arm": 29, "right upper arm": 11}},
}  # fmt: skip
"""The first of three columns, counted from one as in column_names.txt: per recording of a run, sensor and placement."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    folder = opportunity.write(tmp_path_factory.mktemp("opportunity"), ENTRY).folder
    return {trial.name: trial for trial in trials(ENTRY, folder)}


def test_every_sensor_is_read_from_its_documented_columns(runs: dict[str, Trial]) -> None:
    """Motion unit and accelerometer at one place apart, and the shoes in their own axes, not in the room's."""
    run = runs["S1-ADL1"]
    raw = np.loadtxt(run.files[0])
    recordings = run.read()
    assert [recording.name for recording in recordings] == [f"opportunity/S1-ADL1/{number}" for number in COLUMNS]
    for recording, (_, sensors) in zip(recordings, COLUMNS.items(), strict=True):
        assert len(recording.channels) == 3 * sum(len(places) for places in sensors.values())
        for sensor, places in sensors.items():
            for placement, first in places.items():
                si = raw[:, first - 1 : first + 2] * (G / 1000 if sensor == "acc" else 1e-3)
                assert recording.select(sensor, placement).samples == pytest.approx(si, abs=1e-4, nan_ok=True)


def test_time_without_a_posture_is_no_activity(runs: dict[str, Trial]) -> None:
    for recording in runs["S1-ADL1"].read():
        assert [interval.label for interval in recording.intervals] == ["stand", "walk", "sit", "lie"]
        assert recording.rate_hz == 30


def test_a_lost_stretch_is_missing_and_a_silent_device_is_left_out(runs: dict[str, Trial]) -> None:
    recordings = runs["S2-Drill"].read()
    lost = np.isnan(recordings[0].select("acc", "right knee").samples).all(axis=1)
    assert np.flatnonzero(lost).tolist() == list(range(opportunity.LOST.start, opportunity.LOST.stop))
    assert len(recordings) == 2, "the third one's two devices were silent throughout"


def test_a_file_of_other_columns_is_named(tmp_path: Path) -> None:
    (tmp_path / "S3-ADL2.dat").write_text("0 " * 133 + "0\n")
    with pytest.raises(UnreadableFile, match=r"S3-ADL2\.dat"):
        next(trials(ENTRY, tmp_path)).read()
