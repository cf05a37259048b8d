"""MMAct: sensors of two rates, file names without care, files with nothing in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.datasets import catalog_entry
from kinelex.datasets.parsers import trials
from kinelex.errors import BadSamples
from tests.datasets.layouts import made_up
from tests.datasets.layouts.mmact import write, write_table

ENTRY = catalog_entry("mmact")
HOME = Path("subject7", "scene2", "session3")


def write_phone(folder: Path, *, late_s: float = 0.25, names: bool = False) -> None:
    """Three seconds of walking; the gyroscope turns ever faster, so that its reading tells the time."""
    at, gyro = made_up.times(3, 100), made_up.times(3, 50) + late_s
    write_table(folder / "acc_phone_clip" / HOME / "walking.csv", at, made_up.acc(at, moving=True), names=names)
    turned = np.stack([gyro, 0 * gyro, 0 * gyro], axis=1)
    write_table(folder / "gyro_clip" / HOME / "Walking .csv", gyro, turned, names=names)


@pytest.mark.parametrize("names", [False, True], ids=["without a line of names", "with a line of names"])
def test_the_gyroscope_meets_the_accelerometer_by_time(tmp_path: Path, names: bool) -> None:
    write_phone(tmp_path, names=names)
    (recording,) = next(trials(ENTRY, tmp_path)).read()
    assert recording.rate_hz == 100
    assert len(recording.samples) == 300
    turned = recording.samples[:, 3]
    known = np.isfinite(turned)
    assert recording.times_s[known][0] == pytest.approx(0.25)
    np.testing.assert_allclose(turned[known], recording.times_s[known], atol=1e-3)


def test_whole_seconds_are_written_without_milliseconds(tmp_path: Path) -> None:
    write_phone(tmp_path)
    path = tmp_path / "acc_phone_clip" / HOME / "walking.csv"
    assert path.read_text().startswith("20181016_13:34:06,")
    (recording,) = next(trials(ENTRY, tmp_path)).read()
    assert recording.quality.gaps == ()
    assert recording.duration_s == pytest.approx(3)


def test_names_of_one_action_are_one_trial(tmp_path: Path) -> None:
    write(tmp_path, ENTRY)
    found = list(trials(ENTRY, tmp_path))
    assert len(found) == len(ENTRY.activities)
    for trial in found:
        phone = trial.read()[0]
        assert phone.placements == ("right pocket",)
        assert {channel.sensor for channel in phone.channels} == {"acc", "gyro"}


def test_an_empty_file_is_no_sensor_and_no_trial(tmp_path: Path) -> None:
    write_phone(tmp_path)
    for tree, content in (("acc_watch_clip", ""), ("orientation_clip", "20181016_13:34:06.132,1.0,2.0,3.00000000\n")):
        path = tmp_path / tree / HOME / "walking.csv"
        path.parent.mkdir(parents=True)
        path.write_text(content)
    for tree in ("acc_phone_clip", "gyro_clip", "acc_watch_clip"):
        (tmp_path / tree / HOME / "running.csv").write_text("timestamp,x,y,z\n")
    (trial,) = trials(ENTRY, tmp_path)
    assert trial.name == "subject7_scene2_session3_walking"
    assert [recording.placements for recording in trial.read()] == [("right pocket",)]


def test_a_time_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    write_phone(tmp_path)
    path = tmp_path / "gyro_clip" / HOME / "Walking .csv"
    path.write_text(path.read_text().replace("13:34:07", "25:34:07"))
    with pytest.raises(BadSamples, match=r"Walking \.csv.*time"):
        next(trials(ENTRY, tmp_path)).read()
