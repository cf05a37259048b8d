"""SisFall's counts, lines and ends of files, and real trials against a converted table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import Trial, trials
from kinelex.errors import BadSamples, UnreadableFile
from tests.datasets.layouts.made_up import G
from tests.datasets.parsers.tables import columns, low_passed, sessions

ENTRY = catalog_entry("sisfall")
LINE = " 256,   0,   0,   0,16384,-1638,   0,-4096,   0;\r\n"


def one_trial(folder: Path, text: str) -> Trial:
    path = folder / "SisFall_dataset" / "SE06" / "D14_SE06_R01.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode())
    (trial,) = trials(ENTRY, folder)
    return trial


def test_counts_are_those_of_the_wide_accelerometer_and_the_gyroscope(tmp_path: Path) -> None:
    """The other accelerometer beside it, in the last columns, counts four times as finely, on other axes."""
    (recording,) = one_trial(tmp_path, LINE * 800).read()
    assert (recording.rate_hz, recording.subject, recording.duration_s) == (200, "SE06", 4.0)
    expected = [G, 0, 0, 0, np.radians(1000), np.radians(-1638 * 4000 / 65536)]
    np.testing.assert_allclose(recording.samples, np.tile(expected, (800, 1)), rtol=1e-5)


def test_lines_without_numbers_are_no_samples(tmp_path: Path) -> None:
    (recording,) = one_trial(tmp_path, LINE * 400 + "\r\n" + LINE * 400 + " \r\n \r\n" + LINE + " ").read()
    assert len(recording.samples) == 801


@pytest.mark.parametrize("text", ["", " ", LINE * 400 + " 256,   0", LINE * 400 + LINE[:-4], LINE * 400 + "12,5;\r\n"])
def test_a_file_that_breaks_off_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableFile, match=r"D14_SE06_R01\.txt"):
        one_trial(tmp_path, text).read()


def test_garbage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSamples, match=r"D14_SE06_R01\.txt"):
        one_trial(tmp_path, LINE * 400 + LINE.replace("256", "2 6")).read()


def test_real_trials_agree_with_the_converted_table(recordings_dir: Path) -> None:
    """All 24 real trials, every row: the table holds their first 20 s at 50 Hz, in g and deg/s."""
    found = list(trials(ENTRY, recordings_dir / "raw" / "sisfall"))
    table = sessions(recordings_dir, "sisfall", [trial.name for trial in found])
    assert len(found) == len(table) == 24
    for trial in found:
        (recording,) = trial.read()
        rows = table[trial.name]
        assert set(rows.subject) == {trial.subject}
        assert set(rows.activity) == {interval.label for interval in recording.intervals}
        samples = low_passed(recording.samples, 4)[::4][: len(rows)]
        np.testing.assert_allclose(samples[:, :3] / G, columns(rows, "waist_acc"), atol=0.002)
        np.testing.assert_allclose(np.degrees(samples[:, 3:]), columns(rows, "waist_gyro"), atol=0.25)
