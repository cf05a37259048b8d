"""UCI-HAR: windows that share half of their samples, joined where they follow each other and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal import Recording
from tests.datasets.layouts.made_up import G
from tests.datasets.layouts.uci_har import cut, made_up_signal, write, write_part

ENTRY = catalog_entry("uci_har")


def read(folder: Path) -> dict[str, list[Recording]]:
    return {trial.name: list(trial.read()) for trial in trials(ENTRY, folder)}


def test_the_signal_comes_back_from_its_windows_with_no_sample_twice(tmp_path: Path) -> None:
    signal = made_up_signal(10 * 64, moving=True, seed=1)
    write_part(tmp_path, "train", cut(signal), [1] * 9, [3] * 9)
    (recording,) = read(tmp_path)["user03"]
    np.testing.assert_allclose(recording.samples, signal * [G, G, G, 1, 1, 1], atol=1e-5)
    assert [(i.start_s, i.end_s, i.label) for i in recording.intervals] == [(0.0, pytest.approx(12.8), "walking")]


def test_windows_of_one_activity_that_do_not_follow_each_other_stay_apart(tmp_path: Path) -> None:
    parts = [made_up_signal(rows * 64, moving=True, seed=rows) for rows in (4, 5)]
    write_part(tmp_path, "test", np.concatenate([cut(part) for part in parts]), [1] * 7, [2] * 7)
    found = read(tmp_path)["user02"]
    for recording, part in zip(found, parts, strict=True):
        np.testing.assert_allclose(recording.samples[:, :3], part[:, :3] * G, atol=1e-5)


def test_windows_of_another_person_between_them_part_two_windows(tmp_path: Path) -> None:
    windows = cut(made_up_signal(5 * 64, moving=True, seed=1))
    write_part(tmp_path, "train", windows[[0, 1, 3, 2]], [1] * 4, [1, 1, 5, 1])
    found = read(tmp_path)
    assert [len(recording.samples) for recording in found["user01"]] == [192, 128]
    assert [len(recording.samples) for recording in found["user05"]] == [128]


def test_a_half_that_two_activities_claim_has_no_label(tmp_path: Path) -> None:
    write_part(tmp_path, "train", cut(made_up_signal(5 * 64, moving=True, seed=1)), [1, 1, 2, 2], [1] * 4)
    (recording,) = read(tmp_path)["user01"]
    assert len(recording.samples) == 5 * 64
    assert [(i.start_s, i.end_s, i.label) for i in recording.intervals] == [
        (0.0, pytest.approx(2.56), "walking"),
        (pytest.approx(3.84), pytest.approx(6.4), "walking_upstairs"),
    ]


def test_the_people_are_called_as_in_hapt(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    assert list(read(tmp_path)) == ["user02", "user01"]
    assert catalog_entry("hapt").people == ENTRY.people


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (lambda text: text[: len(text) // 2], UnreadableFile, "windows"),
        (lambda text: text.replace(" ", " 1.0000000e+000 ", 1), UnreadableFile, "no window of 128"),
        (lambda text: text.replace("e", "x", 1), BadSamples, "other than numbers"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, spoil, error: type[Exception], says: str) -> None:
    write(tmp_path, ENTRY)
    path = next(tmp_path.glob("**/body_gyro_y_train.txt"))
    path.write_text(spoil(path.read_text()))
    with pytest.raises(error, match=says) as caught:
        read(tmp_path)
    assert "body_gyro_y_train.txt" in str(caught.value)


def test_rows_of_people_and_activities_must_be_as_many(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    path = next(tmp_path.glob("**/subject_train.txt"))
    path.write_text(path.read_text() + "1\n")
    with pytest.raises(UnreadableFile, match="rows of people"):
        read(tmp_path)
