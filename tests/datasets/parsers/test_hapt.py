"""HAPT's labels, damaged files, and real experiments against a converted table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import Trial, trials
from kinelex.errors import BadSamples, UnreadableFile
from tests.datasets.layouts import made_up
from tests.datasets.layouts.made_up import G
from tests.datasets.parsers.tables import columns, sessions

ENTRY = catalog_entry("hapt")
ROWS = 200


def experiment(folder: Path, labels: str) -> Trial:
    """One experiment of four seconds."""
    raw = folder / "RawData"
    raw.mkdir()
    at = made_up.times(ROWS / 50, 50)
    np.savetxt(raw / "acc_exp07_user04.txt", made_up.acc(at, moving=False) / G, fmt="%.16f")
    np.savetxt(raw / "gyro_exp07_user04.txt", made_up.gyro(at, moving=False), fmt="%.16f")
    (raw / "labels.txt").write_text(labels)
    (trial,) = trials(ENTRY, folder)
    return trial


def test_labelled_rows_are_counted_from_one_and_the_last_one_belongs(tmp_path: Path) -> None:
    (recording,) = experiment(tmp_path, f"6 3 1 1 90\n7 4 5 1 100\n7 4 7 101 150\n7 4 4 151 {ROWS}\n").read()
    stretches = [recording.between(interval.start_s, interval.end_s) for interval in recording.intervals]
    assert [interval.label for interval in recording.intervals] == ["standing", "stand_to_sit", "sitting"]
    np.testing.assert_array_equal(np.concatenate([stretch.samples for stretch in stretches]), recording.samples)
    assert [len(stretch.samples) for stretch in stretches] == [100, 50, 50]


@pytest.mark.parametrize("label", ["7 4 13 1 100", "7 4 5 0 100", "7 4 5 100 99", f"7 4 5 1 {ROWS + 1}", "7 4 5 1 x"])
def test_labels_that_cannot_be_are_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(BadSamples, match=r"labels\.txt"):
        experiment(tmp_path, f"{label}\n").read()


def test_labels_that_break_off_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"labels\.txt"):
        experiment(tmp_path, "7 4 5 1 100\n7 4")


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda raw: raw[: len(raw) // 2], UnreadableFile),
        (lambda raw: raw[: raw.rindex(b" ")], UnreadableFile),
        (lambda raw: raw.replace(b"\n", b"", 1), UnreadableFile),
        (lambda raw: b"", UnreadableFile),
        (lambda raw: raw.replace(b".", b"?", 1), BadSamples),
        (lambda raw: raw[:100] + bytes(8) + raw[108:], BadSamples),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage, error: type[Exception]) -> None:
    trial = experiment(tmp_path, "7 4 5 1 100\n")
    gyro = trial.files[1]
    gyro.write_bytes(damage(gyro.read_bytes()))
    with pytest.raises(error, match=r"gyro_exp07_user04\.txt"):
        trial.read()


def test_a_missing_gyroscope_is_refused(tmp_path: Path) -> None:
    trial = experiment(tmp_path, "7 4 5 1 100\n")
    trial.files[1].unlink()
    with pytest.raises(UnreadableFile, match=r"gyro_exp07_user04\.txt"):
        trial.read()


def test_real_stretches_agree_with_the_converted_table(recordings_dir: Path) -> None:
    """Every labelled stretch of both real experiments, every row: the table has a session for each, in order."""
    compared = 0
    for trial in trials(ENTRY, recordings_dir / "raw" / "hapt"):
        (recording,) = trial.read()
        names = [f"{trial.name}_seg{number:03}" for number in range(len(recording.intervals))]
        table = sessions(recordings_dir, "hapt", names)
        for name, interval in zip(names, recording.intervals, strict=True):
            rows, samples = table[name], recording.between(interval.start_s, interval.end_s).samples
            assert (set(rows.subject), set(rows.activity)) == ({trial.subject}, {interval.label})
            np.testing.assert_allclose(samples[:, :3] / G, columns(rows, "acc"), atol=0.002)
            np.testing.assert_allclose(samples[:, 3:], columns(rows, "gyro"), atol=0.005)
            compared += 1
    assert compared >= 40
