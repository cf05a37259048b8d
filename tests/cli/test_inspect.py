"""`kinelex inspect`: what people and programs are told about a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kinelex.cli import main


@pytest.fixture
def log(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        ",".join(f"{v:.4f}" for v in [k / 50, *rng.normal([0, 0, 1], 0.005), *rng.normal(0, 5, 3)]) for k in range(200)
    ]
    header = "t,Acc X (g),Acc Y (g),Acc Z (g),gyro_x_dps,gyro_y_dps,gyro_z_dps,heart rate,activity"
    lines = [f"{row},70,{'sitting' if k < 100 else 'walking'}" for k, row in enumerate(rows)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join([header, *lines]))
    return path


def test_people_see_rate_units_placement_gravity_and_activities(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(log), "--placement", "left wrist"]) == 0
    out = capsys.readouterr().out
    for part in ("log.csv", "wide", "50 Hz", "4.00 s", "g → m/s^2", "deg/s → rad/s", "header", "left wrist", "sitting",
                 "seen in the signal", "at rest", "heart rate"):  # fmt: skip
        assert part in out


def test_programs_get_json(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(log), "--json", "--units", "gyro=deg/s", "--gravity"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["rate_hz"], found["duration_s"], found["gravity"]) == ("wide", 50, 4.0, True)
    assert found["gravity_source"] == "caller"
    assert found["ignored"] == ["heart rate"]
    assert found["channels"][3] == {
        "source": "gyro_x_dps", "name": "gyro_x", "sensor": "gyro", "axis": "x", "placement": "unknown",
        "unit_read": "deg/s", "unit_source": "caller", "unit": "rad/s",
    }  # fmt: skip
    assert [i["label"] for i in found["intervals"]] == ["sitting", "walking"]


def test_a_file_of_several_sessions_is_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = 300
    table: dict[str, object] = {
        "session": ["a"] * 100 + ["b"] * 200,
        "subject": ["ann"] * 100 + ["bob"] * 200,
        "activity": ["walking"] * 100 + ["sitting"] * 200,
        "t": np.concatenate([np.arange(100), np.arange(200)]) / 50,
    }
    table |= {f"acc_{axis}": np.random.default_rng(1).normal(axis == "z", 0.005, rows) for axis in "xyz"}
    pq.write_table(pa.table(table), tmp_path / "set.parquet")
    card = {"placement": "waist", "units": {"acc": "g"}, "gravity": True, "rate_hz": 50}
    (tmp_path / "set.yaml").write_text(yaml.safe_dump(card))
    assert main(["inspect", str(tmp_path / "set.parquet"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sessions"], found["subjects"], found["hours"]) == (2, 2, pytest.approx(6 / 3600))
    assert found["seconds"] == {"sitting": 4.0, "walking": 2.0}
    assert found["first"]["name"] == "a"
    assert main(["inspect", str(tmp_path / "set.parquet"), "--session", "b"]) == 0
    assert "bob" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "set.parquet")]) == 0
    assert "2 sessions" in capsys.readouterr().out


def test_every_phone_export_can_be_inspected(recordings_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(recordings_dir / "devices" / "sensor_logger_ios")]) == 0
    out = capsys.readouterr().out
    assert "4 sessions" in out and "AccelerometerUncalibrated x" in out and "says the format" in out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--units", "acc=stones"], 2, "no unit of acc"),
        (["--format", "excel"], 2, "no format 'excel'"),
        (["--columns", "nothing=acc_x"], 3, "no column 'nothing'"),
        (["--placement", "nose"], 3, "no known placement"),
        (["--units", "acc=m/s^2"], 3, "looks like g"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(
    log: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str
) -> None:
    assert main(["inspect", str(log), *words]) == code
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and says in err
