"""Shoaib 2014: five blocks of columns, two accelerations in each, and labels with slips of the pen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import BadSamples, UnreadableFile
from kinelex.signal import Recording
from tests.datasets.layouts import made_up, shoaib
from tests.datasets.layouts.made_up import MOVING_S, G

ENTRY = catalog_entry("shoaib")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    folder = tmp_path_factory.mktemp("shoaib")
    shoaib.write(folder, ENTRY)
    return {recording.name: recording for trial in trials(ENTRY, folder) for recording in trial.read()}


def test_every_block_goes_to_its_own_place(recordings) -> None:
    recording = recordings["shoaib/Participant_1/sitting"]
    assert recording.placements == ENTRY.placements
    assert len(recording.channels) == 45
    at = made_up.times(4.0, 50)
    for place in range(5):
        wanted = shoaib.block(at, moving=False, place=place)[:, [0, 1, 2, 6, 7, 8, 9, 10, 11]]
        np.testing.assert_allclose(recording.samples[:, 9 * place : 9 * place + 9], wanted, atol=1e-4)


def test_of_two_accelerations_the_one_with_gravity_is_taken(recordings) -> None:
    level = np.linalg.norm(recordings["shoaib/Participant_1/standing"].samples[:, :3], axis=1)
    assert np.median(level) == pytest.approx(G, rel=0.01)


def test_misspelled_and_padded_labels_are_not_lost(recordings) -> None:
    for activity in ("upstairs", "walking"):
        (interval,) = recordings[f"shoaib/Participant_8/{activity}"].intervals
        assert interval.label == activity
        assert interval.end_s == pytest.approx(MOVING_S)


def test_the_signal_is_cut_where_the_label_changes(recordings) -> None:
    assert all(len(recording.intervals) == 1 for recording in recordings.values())
    assert len(recordings) == 14


@pytest.mark.parametrize(
    ("row", "error"), [("1,2,3,walking", UnreadableFile), (",".join(["fast"] * 69) + ",walking", BadSamples)]
)
def test_a_broken_file_is_named(tmp_path: Path, row: str, error: type[Exception]) -> None:
    (tmp_path / "Participant_3.csv").write_text(f"Left_pocket\ntime_stamp\n{row}\n")
    (trial,) = trials(ENTRY, tmp_path)
    with pytest.raises(error, match="Participant_3"):
        trial.read()
