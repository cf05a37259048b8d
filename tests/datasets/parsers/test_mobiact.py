"""MobiAct: what is done changes within a file, and its people are those of MobiFall."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import UnreadableFile
from tests.datasets.layouts import mobiact, mobifall

ENTRY = catalog_entry("mobiact")


@pytest.mark.parametrize("code", sorted(mobiact.FALLS))
def test_only_the_fall_itself_is_called_a_fall(tmp_path: Path, code: str) -> None:
    mobiact.write(tmp_path, ENTRY)
    trial = next(trial for trial in trials(ENTRY, tmp_path) if trial.name == f"{code}_2_1")
    (recording,) = trial.read()
    found = [(interval.label, round(interval.end_s - interval.start_s, 3)) for interval in recording.intervals]
    assert found == [("standing", 4.0), (ENTRY.activities[code], 1.5), ("lying", 4.0)]


def test_a_fall_onto_the_knees_is_a_fall_forward() -> None:
    assert ENTRY.activities["FKL"] == catalog_entry("mobifall").activities["FKL"] == "front_knees_lying"


def test_a_scenario_is_what_its_rows_say(tmp_path: Path) -> None:
    mobiact.write(tmp_path, ENTRY)
    trial = next(trial for trial in trials(ENTRY, tmp_path) if trial.name == "SLH_33_1")
    (recording,) = trial.read()
    assert [interval.label for interval in recording.intervals] == [
        ENTRY.activities[code] for code in mobiact.SCENARIO
    ]  # fmt: skip


def test_people_are_called_as_in_mobifall(tmp_path: Path) -> None:
    mobiact.write(tmp_path / "act", ENTRY)
    fall = catalog_entry("mobifall")
    mobifall.write(tmp_path / "fall", fall)
    assert ENTRY.people == fall.people
    theirs = {trial.subject for trial in trials(fall, tmp_path / "fall")}
    assert theirs == {"sub2"}
    assert theirs < {trial.subject for trial in trials(ENTRY, tmp_path / "act")}


def test_a_file_without_labels_is_refused_by_name(tmp_path: Path) -> None:
    home = tmp_path / "Annotated Data" / "WAL"
    home.mkdir(parents=True)
    (home / "WAL_2_1_annotated.csv").write_text("timestamp,rel_time,acc_x,acc_y,acc_z\n0,0,0,9.8,0\n")
    with pytest.raises(UnreadableFile, match=r"WAL_2_1_annotated\.csv"):
        next(trials(ENTRY, tmp_path)).read()
