"""UniMiB SHAR: windows that stand in several files, codes that start again, two releases, two pockets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal import Recording
from tests.datasets.layouts.unimib_shar import window, write, write_kind

ENTRY = catalog_entry("unimib_shar")


def read(folder: Path) -> dict[str, Recording]:
    return {trial.name: trial.read()[0] for trial in trials(ENTRY, folder)}


def same(one: dict[str, Recording], other: dict[str, Recording]) -> bool:
    return list(one) == list(other) and all(
        a.intervals == b.intervals and a.placements == b.placements and np.array_equal(a.samples, b.samples)
        for a, b in zip(one.values(), other.values(), strict=True)
    )


def test_every_window_comes_once_be_it_from_the_whole_or_from_movements_and_falls(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    whole = read(tmp_path)
    assert len(whole) == 2 * (9 * 2 + 8 * 6)
    (home,) = tmp_path.glob("**/data")
    (home / "acc_data.mat").unlink()
    parts = read(tmp_path)
    assert same(parts, whole)
    assert parts["fall01_s30_000"].intervals[0].label == "falling_forward"
    (home / "adl_data.mat").unlink()
    assert set(read(tmp_path)) == {name for name in whole if name.startswith("fall")}


def test_a_row_is_x_then_y_then_z(tmp_path: Path) -> None:
    values = window(3, moving=True)
    write_kind(tmp_path, "acc", values.T.reshape(1, -1), np.array([[3, 7, 2]], dtype=np.uint8))
    (recording,) = read(tmp_path).values()
    assert (recording.subject, recording.intervals[0].label) == ("s07", "walking")
    np.testing.assert_allclose(recording.samples, values, atol=1e-5)


def test_the_first_release_has_a_row_for_each_axis(tmp_path: Path) -> None:
    values = [window(seed, moving=True, samples=51) for seed in range(3)]
    labels = np.repeat([[1, 4], [1, 4], [2, 5]], 3, axis=0).astype(np.uint8)
    write_kind(tmp_path, "fall", np.concatenate([each.T for each in values]), labels)
    found = read(tmp_path)
    assert list(found) == ["fall01_s04_000", "fall01_s04_001", "fall02_s05_000"]
    for recording, each in zip(found.values(), values, strict=True):
        np.testing.assert_allclose(recording.samples, each, atol=1e-5)
        assert recording.placements == ("pocket",)
    assert found["fall02_s05_000"].intervals[0].label == "falling_right"


def test_the_trial_tells_the_pocket(tmp_path: Path) -> None:
    """The first of two and the first three of six are in the right one, also where a person lacks the last ones."""
    labels = [(3, 1, 1), (3, 1, 2), *((10, 1, trial) for trial in range(1, 7)), *((10, 2, trial) for trial in (2, 4))]
    data = np.array([window(seed, moving=True).T.ravel() for seed in range(len(labels))])
    write_kind(tmp_path, "acc", data, np.array(labels, dtype=np.uint8))
    found = read(tmp_path)
    right, left = ("right pocket",), ("left pocket",)
    assert [recording.placements for recording in found.values()] == [
        right, left, right, right, right, left, left, left, right, left
    ]  # fmt: skip


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    data = np.array([window(seed, moving=True).T.ravel() for seed in range(2)])
    labels = np.array([[3, 1, 1], [3, 1, 2]], dtype=np.uint8)
    write_kind(tmp_path, "acc", data[:1], labels)
    with pytest.raises(UnreadableFile, match=r"acc_data\.mat.*2 rows"):
        read(tmp_path)
    write_kind(tmp_path, "acc", data[:, :-1], labels)
    with pytest.raises(UnreadableFile, match=r"acc_data\.mat.*2 by 452"):
        read(tmp_path)
    write_kind(tmp_path, "acc", data, labels + np.array([20, 0, 0], dtype=np.uint8))
    with pytest.raises(UnreadableFile, match=r"acc_labels\.mat.*activity 23 in row 1"):
        read(tmp_path)
    write_kind(tmp_path, "acc", data, labels[:, :1])
    with pytest.raises(UnreadableFile, match=r"acc_labels\.mat.*activity, person and trial"):
        read(tmp_path)
    write_kind(tmp_path, "acc", np.array([["a", "b"]], dtype=object), labels)
    with pytest.raises(BadSamples, match=r"acc_data\.mat"):
        read(tmp_path)
    (tmp_path / "acc_labels.mat").unlink()
    with pytest.raises(UnreadableFile, match=r"acc_labels\.mat.*cannot be read"):
        read(tmp_path)


def test_the_real_files_are_the_table(recordings_dir: Path) -> None:
    """All windows at hand (1,699 falls of 30 people): person, activity, and every sample within rounding."""
    found = read(recordings_dir / "raw" / "unimib_shar")
    rows = pd.read_parquet(recordings_dir / "sessions" / "unimib_shar.parquet")
    table = dict(list(rows.groupby("session")))
    assert len(found) == 1699 and set(table) == set(found)
    for name, recording in found.items():
        said = table[name].iloc[0]
        assert (said.subject, said.activity) == (recording.subject, recording.intervals[0].label)
        assert recording.intervals[0].end_s == pytest.approx(recording.duration_s)
        off = np.abs(recording.samples - table[name][["acc_x", "acc_y", "acc_z"]].to_numpy())
        assert off.max() <= 0.021, name
