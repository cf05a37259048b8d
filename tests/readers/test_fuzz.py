"""However a file is damaged, what comes out is a recording or an error of our own, and never a warning."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinelex.errors import KinelexError
from kinelex.readers import read, read_sessions

ROWS = 60


def columns(text: bool = True) -> dict[str, object]:
    rng = np.random.default_rng(0)
    found: dict[str, object] = {"time": 1717156800000 + 20 * np.arange(ROWS)}
    for sensor, axis, offset in (("acc", "x", 0.0), ("acc", "y", 0.0), ("acc", "z", 9.8), ("gyro", "x", 0.0)):
        found[f"{sensor}_{axis}"] = np.round(rng.normal(offset, 0.1, ROWS), 3).astype(np.float32)
    return found | ({"activity": ["walking"] * 30 + ["sitting, reading"] * 30} if text else {})


def wide_csv() -> bytes:
    table = columns()
    lines = [";".join(table)]
    lines += [";".join(str(cell) for cell in row) for row in zip(*table.values(), strict=True)]  # type: ignore[call-overload]
    return "\n".join(["# from an app, at 50 Hz", *lines]).encode()


def tidy_csv() -> bytes:
    table = columns()
    lines = [",".join(["session", "subject", "activity", "t", "acc_x", "acc_y", "acc_z"])]
    for k in range(ROWS):
        values = [f"{table[name][k]}" for name in ("acc_x", "acc_y", "acc_z")]  # type: ignore[index]
        lines.append(",".join([f"s{k // 20}", "ann", "walking", f"{k % 20 / 50:.2f}", *values]))
    return "\n".join(lines).encode()


def app_csv() -> bytes:
    lines = ["time,seconds_elapsed,accelerometer_z,accelerometer_y,accelerometer_x"]
    lines += [f"{1717156800000000000 + 20000000 * k},{0.02 * k:.3f},9.8,{k % 7 / 10},0.1" for k in range(ROWS)]
    return "\n".join(lines).encode()


def parquet(compression: str, text: bool = True) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns(text)), sink, compression=compression)
    return sink.getvalue()


def zipped() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("Accelerometer", "Gyroscope"):
            lines = ["time,seconds_elapsed,z,y,x"] + [f"{k},{k / 100},0.1,{k % 5},0.3" for k in range(ROWS)]
            archive.writestr(f"{name}.csv", "\n".join(lines))
        archive.writestr("Metadata.csv", "platform,standardisation,recording timezone\nios,false,Europe/Berlin")
        archive.writestr("Annotation.csv", "time,seconds_elapsed,text\n1,0.1,walking\n")
    return sink.getvalue()


WHOLE: dict[str, Callable[[], bytes]] = {
    "wide.csv": wide_csv,
    "tidy.csv": tidy_csv,
    "app.csv": app_csv,
    "plain.parquet": lambda: parquet("none", text=False),
    "packed.parquet": lambda: parquet("zstd"),
    "export.zip": zipped,
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_file_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name]())
    assert all(len(recording.samples) >= 20 for recording in read_sessions(path))


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_never_leaks_a_foreign_error(tmp_path: Path, name: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[name]())
    damage = data.draw(st.sampled_from(["cut", "flip", "overwrite", "insert", "repeat"]))
    place = data.draw(st.integers(0, len(content) - 1))
    if damage == "cut":
        del content[place:]
    elif damage == "flip":
        for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
            content[position] ^= 1 << data.draw(st.integers(0, 7))
    elif damage == "overwrite":
        some = data.draw(st.binary(min_size=1, max_size=40))
        content[place : place + len(some)] = some
    elif damage == "insert":
        content[place:place] = data.draw(
            st.sampled_from([b"\n", b",", b";", b'"', b"\x00", b"nan", b"-", b"1e999", b"\r", b"\xff", b",,,,", b"x"])
        )
    else:
        content[place:place] = content[place : place + 200]
    path = tmp_path / name
    path.write_bytes(content)
    try:
        for recording in read_sessions(path):
            assert not np.isinf(recording.samples).any()
        read(path)
    except KinelexError as error:
        assert len(str(error)) > 20


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.binary(max_size=300), st.text(alphabet='acxyzt_,;"\n\t 0123456789.-e#', max_size=300).map(str.encode))
)
def test_bytes_that_are_no_recording_are_refused_politely(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    for rate_hz in (None, 50):
        try:
            read(path, rate_hz=rate_hz)
        except KinelexError as error:
            assert len(str(error)) > 20
