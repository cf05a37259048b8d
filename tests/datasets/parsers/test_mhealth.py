"""MHEALTH's columns, what it calls a gyroscope, and two real logs of a few rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import BadSamples, UnreadableFile
from tests.datasets.layouts import mhealth

ENTRY = catalog_entry("mhealth")


def test_each_placement_has_its_own_acc_and_nothing_else_is_taken(tmp_path: Path) -> None:
    """Not the electrocardiogram, and neither gyroscope nor magnetometer, whose numbers have no unit."""
    mhealth.write(tmp_path, ENTRY)
    for trial in trials(ENTRY, tmp_path):
        recording = trial.read()[0]
        assert {channel.sensor for channel in recording.channels} == {"acc"}
        standing = recording.between(1.0, 1.0 + mhealth.STILL_S)
        assert standing.intervals[0].label == "standing_still"
        for number, placement in enumerate(("chest", "left ankle", "right wrist")):
            mean = standing.select("acc", placement).samples.mean(axis=0)
            assert int(np.argmax(mean)) == number and np.linalg.norm(mean) == pytest.approx(9.8, abs=0.05)


def test_label_0_is_no_activity(tmp_path: Path) -> None:
    mhealth.write(tmp_path, ENTRY)
    recording = next(trials(ENTRY, tmp_path)).read()[0]
    labelled = sum(interval.end_s - interval.start_s for interval in recording.intervals)
    assert len(recording.intervals) == 12 and labelled == pytest.approx(recording.duration_s - 13)


@pytest.mark.parametrize(
    ("content", "error"), [("", UnreadableFile), ("1 2 3\n", UnreadableFile), ("x " * 23 + "1\n", BadSamples)]
)
def test_a_broken_file_is_named(content: str, error: type[Exception], tmp_path: Path) -> None:
    (tmp_path / "mHealth_subject3.log").write_text(content)
    with pytest.raises(error, match=r"mHealth_subject3\.log"):
        next(trials(ENTRY, tmp_path)).read()


def test_the_real_logs_have_three_rows_of_every_activity(recordings_dir: Path) -> None:
    """Both logs at hand, 36 rows each: the activities in their order, every row against the file's own columns, and
    gravity at all three places in the postures. No converted table of this set is at hand."""
    found = list(trials(ENTRY, recordings_dir / "raw" / "mhealth"))
    assert [trial.subject for trial in found] == ["subject1", "subject2"]
    for trial in found:
        recording, raw = trial.read()[0], np.loadtxt(trial.files[0])
        assert [interval.label for interval in recording.intervals] == list(ENTRY.activities.values())
        assert all(i.end_s - i.start_s == pytest.approx(3 / 50) for i in recording.intervals)
        for placement, first in {"chest": 0, "left ankle": 5, "right wrist": 14}.items():
            acc = recording.select("acc", placement).samples
            assert np.allclose(acc, raw[:, first : first + 3], atol=1e-5)
            assert np.linalg.norm(acc[:9], axis=1) == pytest.approx(9.8, abs=0.4)
