"""RecGym: subjects as the file names them, places and sessions kept apart, and no unit that anybody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinelex.datasets import CatalogEntry, catalog_entry
from kinelex.datasets.parsers import ranges, trials
from kinelex.errors import UnreadableFile, WrongUnit
from tests.datasets.layouts import recgym
from tests.datasets.layouts.made_up import MOVING_S

ENTRY = catalog_entry("recgym")
TRIALS = [("1_1", "1"), ("1_2", "1"), ("10_1", "10"), ("10_2", "10")]


@pytest.fixture
def with_units() -> CatalogEntry:
    """The set as it would be if its values had been published as they were measured."""
    devices = tuple(
        device.model_copy(update={"sensors": {"acc": "g", "gyro": "deg/s"}, "gravity": True})
        for device in ENTRY.devices
    )
    return ENTRY.model_copy(update={"devices": devices})


def test_subjects_and_sessions_are_those_of_the_file_every_time(tmp_path: Path) -> None:
    recgym.write(tmp_path, ENTRY)
    for _ in range(2):
        assert [(trial.name, trial.subject) for trial in trials(ENTRY, tmp_path)] == TRIALS


def test_values_without_a_unit_are_refused_instead_of_guessed(tmp_path: Path) -> None:
    recgym.write(tmp_path, ENTRY)
    with pytest.raises(WrongUnit, match=r"recgym/1_1/leg.*without a unit"):
        next(iter(trials(ENTRY, tmp_path))).read()


@pytest.mark.parametrize("block_bytes", [1 << 12, 1 << 24])
def test_places_and_sessions_are_kept_apart_however_the_file_is_cut(
    tmp_path: Path, with_units: CatalogEntry, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(ranges, "BLOCK_BYTES", block_bytes)
    recgym.write(tmp_path, with_units, normalised=False)
    found = {trial.name: trial.read() for trial in trials(with_units, tmp_path)}
    assert set(found) == {name for name, _ in TRIALS}
    for name, recordings in found.items():
        assert [recording.name for recording in recordings] == [
            f"recgym/{name}/{place}" for place in ("leg", "pocket", "wrist")
        ]
        assert [recording.placements for recording in recordings] == [("shin",), ("pocket",), ("wrist",)]
        for recording in recordings:
            assert recording.rate_hz == 20
            assert [interval.label for interval in recording.intervals] == list(ENTRY.activities.values())
            assert all(i.end_s - i.start_s == pytest.approx(MOVING_S) for i in recording.intervals)


def test_a_copy_that_calls_the_subject_object_is_read_as_well(tmp_path: Path) -> None:
    recgym.write(tmp_path, ENTRY)
    path = tmp_path / "RecGym.csv"
    path.write_text(path.read_text().replace("Subject", "Object", 1))
    assert [(trial.name, trial.subject) for trial in trials(ENTRY, tmp_path)] == TRIALS


@pytest.mark.parametrize(
    "content", ["", "A_x,A_y,A_z,G_x,G_y,G_z,C_1,Workout,Position,Session\n1,1,1,1,1,1,1,Null,leg,1\n"]
)
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "RecGym.csv").write_text(content)
    with pytest.raises(UnreadableFile, match=r"RecGym\.csv"):
        list(trials(ENTRY, tmp_path))
