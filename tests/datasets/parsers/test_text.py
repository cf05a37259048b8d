"""Official text files as arrays: what is missing stays missing, and what is no table says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.datasets.parsers import text
from kinelex.datasets.parsers.text import MISSING, read_columns, stacked
from kinelex.errors import BadSamples, UnreadableFile

NAMES = ("t", "x", "y")


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "subject 3.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("word", MISSING)
def test_a_missing_value_is_nan_and_never_zero(word: str) -> None:
    columns = read_columns(f"0,1.5,{word}\n1,2.5,3.5\n".encode(), NAMES)
    np.testing.assert_array_equal(columns["y"], [np.nan, 3.5])
    np.testing.assert_array_equal(stacked(columns, "xy"), np.float32([[1.5, np.nan], [2.5, 3.5]]))


@given(table=st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3), min_size=1, max_size=30))
def test_numbers_come_back_as_they_were_written(table: list[tuple[float, ...]]) -> None:
    content = "\r\n".join(";".join(map(repr, row)) for row in table)
    columns = read_columns(content.encode(), NAMES, delimiter=";")
    np.testing.assert_array_equal(np.stack([columns[name] for name in NAMES], axis=1), table)


def test_names_stand_in_the_file_or_are_given(tmp_path: Path) -> None:
    path = write(tmp_path, "# made by an app\r\nt,x,y\r\n0,1,2\r\n3,4,5\r\n")
    named, given_names = read_columns(path, skip_rows=1), read_columns(path, NAMES, skip_rows=2)
    assert list(named) == list(given_names) == list(NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(named[name], given_names[name])
    assert list(read_columns(path, skip_rows=1, only=["y"])) == ["y"]


def test_kinds_other_than_numbers(tmp_path: Path) -> None:
    columns = read_columns(write(tmp_path, "7,a b,2\n8,,3"), NAMES, kinds={"t": int, "x": str})
    assert columns["t"].dtype == np.int64 and columns["t"].tolist() == [7, 8]
    assert columns["x"][0] == "a b"


def test_latin_letters_do_not_hurt(tmp_path: Path) -> None:
    columns = read_columns(write(tmp_path, "t,x,posición\n0,1,dañado\n".encode("latin-1")), kinds={"posición": str})
    assert columns["posición"].tolist() == ["dañado"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", UnreadableFile),
        ("0,1\n", UnreadableFile),
        ("0,1,2\n3,4\n", UnreadableFile),
        ("0,1,2\n3,4,5,6\n", UnreadableFile),
        ("0,1,2\n3,oops,5\n", BadSamples),
        ("0,1,2\n3,4 5,6\n", BadSamples),
        ("0,1,2\n3,1.012.598.156,6\n", BadSamples),
        (b"0,1,2\n3,\xff,5\n", BadSamples),
        (b"0,1,2\n3,\x00\x00,5\n", BadSamples),
        (",1,2\n", BadSamples),
        ("0.5,1,2\n", BadSamples),
    ],
)
def test_what_is_no_table_of_numbers_says_so(tmp_path: Path, content: str | bytes, error: type[Exception]) -> None:
    path = write(tmp_path, content)
    with pytest.raises(error, match=r"subject 3\.csv"):
        read_columns(path, NAMES, kinds={"t": int})


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "t,x\n0,1\n")
    with pytest.raises(UnreadableFile, match=r"subject 3\.csv.*'y'"):
        read_columns(path, only=["y"])
    for names in (None, NAMES):
        with pytest.raises(UnreadableFile, match=r"nowhere\.csv"):
            read_columns(tmp_path / "nowhere.csv", names)
    with pytest.raises(UnreadableFile, match="a table within"):
        read_columns(b"", NAMES, label="a table within")


def test_a_header_alone_holds_no_sample(tmp_path: Path) -> None:
    assert [len(column) for column in read_columns(write(tmp_path, "t,x,y\n")).values()] == [0, 0, 0]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_of_many_blocks_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 200)
    rows = np.random.default_rng(0).normal(size=(500, 3)).tolist()
    path = write(tmp_path, "t,x,y" + ends + "".join(",".join(map(repr, row)) + ends for row in rows))
    whole = read_columns(path)
    for place, name in enumerate(NAMES):
        np.testing.assert_array_equal(whole[name], [row[place] for row in rows])


def test_a_late_block_is_held_to_the_same_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 200)
    path = write(tmp_path, "0,1,2\n" * 500 + "0,late,2\n")
    with pytest.raises(BadSamples, match=r"subject 3\.csv"):
        read_columns(path, NAMES)
