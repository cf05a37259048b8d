"""Whatever is wrong with a file, the message says what, where and what to do."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinelex.errors import (
    BadSamples,
    KinelexError,
    UnknownChannel,
    UnknownName,
    UnknownPlacement,
    UnknownRate,
    UnreadableFile,
    UsageError,
    WrongUnit,
)
from kinelex.readers import read, read_sessions

HEADER = "t,acc_x,acc_y,acc_z"


def lines(rows: int = 100, rate_hz: float = 50, unit: float = 1.0) -> list[str]:
    rng = np.random.default_rng(3)
    values = rng.normal([0, 0, 9.81], 0.1, (rows, 3)) / unit
    return [f"{k / rate_hz:.3f},{x:.4f},{y:.4f},{z:.4f}" for k, (x, y, z) in enumerate(values)]


def csv(tmp_path: Path, *content: str) -> Path:
    path = tmp_path / "log.csv"
    path.write_text("\n".join(content))
    return path


def test_a_good_file_is_good(tmp_path: Path) -> None:
    assert len(read(csv(tmp_path, HEADER, *lines())).samples) == 100


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"nowhere\.csv' does not exist: check the path"):
        read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"\n\n  \n", "no rows"),
        (b"# only a comment\n", "no rows"),
        (b"t,acc_x,acc_y,acc_z\n", r"has a header \(t, acc_x, acc_y, acc_z\) but no rows"),
        (b"Dear reader,\nthis is a letter.\n", "no"),
        (bytes(range(256)) * 50, "no text and no Parquet"),
        (b"PAR1", "damaged"),
        (b"PAR1" + b"\x00" * 100, "damaged"),
        (b"PK\x03\x04 not a zip", "damaged"),
        (b"\x1f\x8b\x08\x00 not gzip", "damaged"),
    ],
)
def test_files_without_samples(tmp_path: Path, content: bytes, says: str) -> None:
    for name in ("log.csv", "log.parquet"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableFile, match=says):
            read(tmp_path / name)


def test_text_among_numbers_names_column_and_line(tmp_path: Path) -> None:
    rows = lines()
    rows[40] = "0.8,0.1,oops,9.8"
    with pytest.raises(BadSamples, match=r"log\.csv', line 42, column 'acc_y': 'oops' is no number"):
        read(csv(tmp_path, HEADER, *rows))
    rows[0] = "zero,1,2,3"
    with pytest.raises(BadSamples, match=r"line 4, column 't': 'zero'"):
        read(csv(tmp_path, "# a comment", "", HEADER, *rows))


def test_text_in_every_row_is_still_named(tmp_path: Path) -> None:
    with pytest.raises(BadSamples, match=r"line 2, column 'acc_x': 'low'"):
        read(csv(tmp_path, HEADER, *[f"{k / 50:.2f},low,mid,high" for k in range(60)]))


def test_a_row_with_missing_cells_in_the_middle(tmp_path: Path) -> None:
    rows = lines()
    rows[10] = "0.2,0.1"
    with pytest.raises(BadSamples, match=r"line 14: 2 cells instead of 4"):
        read(csv(tmp_path, "# comment", "", HEADER, *rows))


def test_a_broken_line_before_the_last_is_not_overlooked(tmp_path: Path) -> None:
    rows = lines()
    rows[-2] = "1.96,0.1"
    with pytest.raises(BadSamples, match=r"line 100: 2 cells"):
        read(csv(tmp_path, HEADER, *rows))


def test_a_column_without_values(tmp_path: Path) -> None:
    rows = [row + ",NaN" for row in lines()]
    with pytest.raises(BadSamples, match=r"column 'gyro_x': no value at all in 100 rows.*'gyro_x': 'ignore'"):
        read(csv(tmp_path, HEADER + ",gyro_x", *rows))
    assert len(read(tmp_path / "log.csv", columns={"gyro_x": "ignore"}).channels) == 3


def test_no_rate(tmp_path: Path) -> None:
    path = csv(tmp_path, "acc_x,acc_y,acc_z", *[row.split(",", 1)[1] for row in lines()])
    with pytest.raises(UnknownRate, match=r"no time column and no rate: pass rate_hz=50"):
        read(path)
    assert read(path, rate_hz=50).rate_hz == 50


def test_timestamps_that_stand_still(tmp_path: Path) -> None:
    with pytest.raises(UnknownRate, match="rate_hz"):
        read(csv(tmp_path, HEADER, *[f"7,{row.split(',', 1)[1]}" for row in lines()]))


def test_a_rate_that_is_no_rate(tmp_path: Path) -> None:
    path = csv(tmp_path, HEADER, *lines())
    for rate_hz in (0, -50, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="is no rate"):
            read(path, rate_hz=rate_hz)


def test_wrong_unit(tmp_path: Path) -> None:
    path = csv(tmp_path, HEADER, *lines(unit=9.81))
    with pytest.raises(WrongUnit, match="looks like g"):
        read(path)
    assert read(path, units={"acc": "g"}).gravity
    with pytest.raises(WrongUnit, match="no unit of acc"):
        read(path, units={"acc": "bananas"})
    with pytest.raises(UsageError, match="no sensor"):
        read(path, units={"nose": "g"})  # type: ignore[dict-item]


def test_unknown_placement_format_and_session(tmp_path: Path) -> None:
    path = csv(tmp_path, HEADER, *lines())
    with pytest.raises(UnknownPlacement, match="'elbo'"):
        read(path, placement="elbo")
    with pytest.raises(UnknownName, match=r"no format 'csv'.*tidy, wide, sensor-logger"):
        read(path, format="csv")
    with pytest.raises(UsageError, match="no sessions"):
        read(path, session="one")
    with pytest.raises(UnknownChannel, match="no column 'session'"):
        read(path, format="tidy")
    with pytest.raises(UnknownChannel, match="Sensor Logger"):
        read(path, format="sensor-logger")


def test_columns_that_are_not_there_or_mean_nothing(tmp_path: Path) -> None:
    path = csv(tmp_path, HEADER, *lines())
    with pytest.raises(UnknownChannel, match=r"no column 'acc_X'.*it has acc_"):
        read(path, columns={"acc_X": "acc_x"})
    with pytest.raises(UnknownChannel, match="'acc_q'"):
        read(path, columns={"acc_x": "acc_q"})


def test_no_sensor_column(tmp_path: Path) -> None:
    with pytest.raises(UnknownChannel, match=r"no column that is a sensor axis \(it has date, price\)"):
        read(csv(tmp_path, "date,price", *[f"{k},{k}" for k in range(50)]))


def test_a_folder_that_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"folder but no Sensor Logger export \(it holds nothing\)"):
        read(tmp_path)
    csv(tmp_path, HEADER, *lines())
    with pytest.raises(UnreadableFile, match=r"it holds log\.csv"):
        read(tmp_path)


def test_a_path_that_is_none() -> None:
    for path in ("a\0b.csv", "", "x" * 5000):
        with pytest.raises(UnreadableFile):
            read(path)


def test_an_archive_with_a_password(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("log.csv", "\n".join([HEADER, *lines()]))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[6] |= 1  # the flag of an encrypted file, here and in the list at the end
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(UnreadableFile, match="encrypted"):
        read(tmp_path / "a.zip")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = csv(tmp_path, HEADER, *lines())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableFile, match="may not be read"):
        read(path)


def parquet(tmp_path: Path, **columns: object) -> Path:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_that_is_truncated_or_without_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path, t=np.arange(1000) / 50, acc_x=np.random.default_rng(0).normal(9.8, 0.1, 1000))
    content = path.read_bytes()
    for size in (5, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(UnreadableFile, match=r"log\.parquet' .*(damaged|no text)"):
            read(path)
    with pytest.raises(UnreadableFile, match="no rows"):
        read(parquet(tmp_path, t=np.empty(0), acc_x=np.empty(0)))


def test_text_among_the_numbers_of_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path, t=np.arange(3) / 50, acc_x=["9.8", "9.7", "high"])
    with pytest.raises(BadSamples, match=r"row 3, column 'acc_x': 'high' is no number"):
        read(path)


def test_a_parquet_column_of_lists_is_no_channel(tmp_path: Path) -> None:
    path = parquet(tmp_path, t=np.arange(3) / 50, acc_x=[[1.0], [2.0], [3.0]])
    with pytest.raises(UnknownChannel, match="sensor axis"):
        read(path)
    with pytest.raises(KinelexError):
        read(path, columns={"acc_x": "acc_x"})


@pytest.mark.parametrize("columns", [{"acc_x": "time"}, {"t": "acc_x", "acc_x": "label"}, {"t": "label"}])
def test_odd_mappings_end_in_a_message_or_a_recording(tmp_path: Path, columns: dict[str, str]) -> None:
    try:
        read(csv(tmp_path, HEADER, *lines()), columns=columns)
    except KinelexError as error:
        assert len(str(error)) > 20


def test_iterating_raises_the_same_errors(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="does not exist"):
        list(read_sessions(tmp_path / "nowhere.csv"))
