"""The fast reading of decimals against a general one, and garbage that it must not take for numbers."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kinelex.datasets.parsers.decimals import compiled, parse_decimals, read_decimals
from kinelex.errors import BadSamples, UnreadableFile

DIGITS = st.text("0123456789", min_size=1, max_size=30)
PLAIN = st.builds("{}{}.{}".format, st.sampled_from(["", "-"]), st.sampled_from("0123456789"), DIGITS)
ANY = st.one_of(
    PLAIN,
    st.builds("{}{:.12}{}".format, st.sampled_from(["-", "+", ""]), DIGITS, st.sampled_from(["", "."])),
    st.floats(-1e30, 1e30).map(repr),
    st.floats(-1e30, 1e30).map("{:.7e}".format),
)
LINE_ENDS = st.sampled_from(["\n", "\r\n"])


@st.composite
def tables(draw: st.DrawFn, numbers: st.SearchStrategy[str], blanks: st.SearchStrategy[str]) -> tuple[int, bytes]:
    """A number of columns, and lines of them."""
    columns = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(numbers, min_size=columns, max_size=columns), min_size=1, max_size=12))
    lines = ["".join(word + draw(blanks) for word in row[:-1]) + row[-1] for row in rows]
    end = draw(LINE_ENDS)
    return columns, (end.join(lines) + draw(st.sampled_from(["", end]))).encode()


def general(raw: bytes) -> np.ndarray:
    return np.loadtxt(io.BytesIO(raw), dtype=np.float64, ndmin=2)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decimals") / "acc_exp01_user01.txt"


@given(table=tables(PLAIN, st.just(" ")))
def test_plain_decimals_are_what_a_general_parser_reads(path: Path, table: tuple[int, bytes]) -> None:
    columns, raw = table
    found = parse_decimals(raw, columns)
    assert found is not None or compiled() is None, "the fast way serves what it was made for"
    if found is not None:
        np.testing.assert_array_equal(found, general(raw).astype(np.float32))
    path.write_bytes(raw)
    np.testing.assert_array_equal(read_decimals(path, columns), general(raw).astype(np.float32))


@given(table=tables(ANY, st.sampled_from([" ", "  ", "\t", " \t "])))
def test_any_other_spelling_is_read_as_well(path: Path, table: tuple[int, bytes]) -> None:
    columns, raw = table
    path.write_bytes(raw)
    np.testing.assert_array_equal(read_decimals(path, columns), general(raw).astype(np.float32))


@given(
    table=tables(PLAIN, st.just(" ")),
    where=st.floats(0, 1, exclude_max=True),
    removed=st.integers(0, 3),
    inserted=st.binary(max_size=3),
)
def test_a_damaged_file_is_refused_or_read_as_it_stands(
    path: Path, table: tuple[int, bytes], where: float, removed: int, inserted: bytes
) -> None:
    """Whatever a few bytes are replaced by: no number comes out that does not stand in its line."""
    columns, raw = table
    at = math.floor(where * len(raw))
    raw = raw[:at] + inserted + raw[at + removed :]
    assume(raw.strip())
    path.write_bytes(raw)
    try:
        found = read_decimals(path, columns)
    except (BadSamples, UnreadableFile) as error:
        assert path.name in str(error)
        return
    lines = [line.split() for line in raw.replace(b"\r", b"\n").split(b"\n") if line.strip()]
    assert [len(line) for line in lines] == [columns] * len(found)
    expected = [[np.float32(word.strip(b'"')) if word not in MISSING else np.nan for word in line] for line in lines]
    np.testing.assert_array_equal(found.astype(np.float32), np.array(expected, dtype=np.float32))


MISSING = {b"NaN", b"nan", b"NA", b"null", b"NULL"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", UnreadableFile),
        ("\n", UnreadableFile),
        ("0.1 0.2\n0.3 0.4 0.5 0.6\n", UnreadableFile),  # as many numbers as two lines have
        ("0.1 0.2 0.3 0.4\n0.5 0.6\n", UnreadableFile),
        ("0.1 0.2 0.3\n0.4 0.5", UnreadableFile),
        ("0.1 0.2\n0.3\n", UnreadableFile),
        ("0.1 0.2 0.12345678901234567,5\n", BadSamples),  # garbage after the last decimal that counts
        ("0.1 0.2 0.1234567890123456#\n", BadSamples),
        ("0.1 0.2 0.1234567890123456/5\n", BadSamples),
        ("0.1 0.2 0.3x\n", BadSamples),
        ("0.1 0.2 0.3-\n", BadSamples),
        ("0.1 0.2 0..3\n", BadSamples),
        ("0.1 0.2 --0.3\n", BadSamples),
        ("0.1 0.2 .\n", BadSamples),
        ("0.1 0.2 1.2.3\n", BadSamples),
        ("0.1\x000.2 0.3\n", UnreadableFile),
        ("0.1 0.2 0.3\x00\n", BadSamples),
        ("0.1 0.2\x010.3 0.5\n", BadSamples),
        ("<html> <body> 404\n", BadSamples),
    ],
)
def test_garbage_is_refused(tmp_path: Path, text: str, error: type[Exception]) -> None:
    path = tmp_path / "gyro_exp01_user01.txt"
    path.write_bytes(text.encode())
    with pytest.raises(error, match=r"gyro_exp01_user01\.txt"):
        read_decimals(path, 3)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"nowhere\.txt"):
        read_decimals(tmp_path / "nowhere.txt", 3)
