"""PAMAP2's columns, its two folders, its lost packets and the time that is no activity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import UnreadableFile
from kinelex.signal import Recording
from tests.datasets.layouts import pamap2

ENTRY = catalog_entry("pamap2")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    folder = pamap2.write(tmp_path_factory.mktemp("pamap2"), ENTRY).folder
    return {trial.name: trial.read()[0] for trial in trials(ENTRY, folder)}


def test_each_placement_has_its_own_columns(recordings: dict[str, Recording]) -> None:
    """Whoever takes orientation for the last columns of a row reads chest and ankle some columns early."""
    recording = recordings["Protocol_subject101"]
    lying = recording.between(1.0, 1.0 + pamap2.STILL_S)
    assert lying.intervals[0].label == "lying"
    for number, placement in enumerate(("wrist", "chest", "ankle")):
        acc, gyro, mag = (
            np.nanmean(lying.select(sensor, placement).samples, axis=0) for sensor in ("acc", "gyro", "mag")
        )
        assert int(np.argmax(acc)) == number and np.linalg.norm(acc) == pytest.approx(9.8, abs=0.05)
        assert np.abs(gyro).max() < 0.1
        assert mag == pytest.approx(np.array([22, -5, 40]) + 10 * number, abs=0.5)


def test_the_accelerometer_is_the_one_that_does_not_saturate(recordings: dict[str, Recording]) -> None:
    assert np.nanmax(recordings["Protocol_subject101"].select("acc").samples) > pamap2.SIX_G + 10


def test_the_two_files_of_a_person_are_two_trials_of_that_person(recordings: dict[str, Recording]) -> None:
    assert list(recordings) == ["Optional_subject101", "Protocol_subject101", "Protocol_subject102"]
    assert {recordings[name].subject for name in ("Optional_subject101", "Protocol_subject101")} == {"subject101"}


def test_lost_packets_are_missing_at_their_own_place_and_nowhere_else(recordings: dict[str, Recording]) -> None:
    recording = recordings["Protocol_subject102"]
    lost = np.isnan(recording.select(placement="wrist").samples)
    assert np.flatnonzero(lost.all(axis=1)).tolist() == list(range(pamap2.LOST.start, pamap2.LOST.stop))
    assert lost.any(axis=1).sum() == lost.all(axis=1).sum()
    assert not np.isnan(recording.select(placement="chest").samples).any()


def test_time_between_activities_is_none(recordings: dict[str, Recording]) -> None:
    recording = recordings["Protocol_subject101"]
    labelled = sum(interval.end_s - interval.start_s for interval in recording.intervals)
    between = (len(recording.intervals) + 1) * pamap2.BETWEEN_S
    assert labelled == pytest.approx(recording.duration_s - between, abs=0.1)


def test_a_file_that_breaks_off_is_named(tmp_path: Path) -> None:
    pamap2.write(tmp_path, ENTRY)
    path = next(tmp_path.glob("**/Protocol/subject102.dat"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableFile, match=r"subject102\.dat"):
        [trial.read() for trial in trials(ENTRY, tmp_path)]
