"""A record is read back as it was written, and nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinelex.errors import CorruptArtifact, UnsupportedFormat
from kinelex.evaluation.record import PAGE, RESULTS, Record, read_record, write_record


class Weather(Record):
    kind: str = "weather report"
    version: int = 2
    rain_mm: tuple[float, ...] = ()


FOUND = Weather(rain_mm=(0.1, 3.0))


def read(path: Path) -> Weather:
    return read_record(path, Weather, "weather report", 2)


def test_it_is_read_from_its_file_or_its_folder(tmp_path: Path) -> None:
    written = write_record(FOUND, "# Rain\n", tmp_path)
    assert written == [tmp_path / RESULTS, tmp_path / PAGE]
    assert read(tmp_path) == read(written[0]) == FOUND
    assert written[1].read_text() == "# Rain\n"


def test_two_records_of_other_names_share_a_folder(tmp_path: Path) -> None:
    write_record(FOUND, "", tmp_path)
    other = Weather(rain_mm=(9.0,))
    write_record(other, "", tmp_path, names=("march.json", "march.md"))
    assert read(tmp_path) == FOUND
    assert read_record(tmp_path, Weather, "weather report", 2, name="march.json") == other


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"version": 3}, UnsupportedFormat, r"report format 3; this Kinelex reads up to 2"),
        ({"kind": "share report"}, CorruptArtifact, r"is a share report, not a weather report"),
        ({"kind": "share report", "version": 9}, CorruptArtifact, r"not a weather report"),
        ({"version": "two"}, CorruptArtifact, r"not a readable report .* evaluate again"),
        ({"rain_mm": [0.1, "much"]}, CorruptArtifact, r"rain_mm\.1: .* evaluate again"),
        ({"snow_mm": []}, CorruptArtifact, r"snow_mm: "),
    ],
)
def test_what_is_something_else_is_refused(
    tmp_path: Path, change: dict[str, object], error: type[Exception], message: str
) -> None:
    path = tmp_path / RESULTS
    path.write_text(json.dumps({**FOUND.model_dump(mode="json"), **change}))
    with pytest.raises(error, match=message) as refused:
        read(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "3", '"a"', "null", "{}", "{"])
def test_what_is_no_record_at_all_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / RESULTS).write_text(text)
    with pytest.raises(CorruptArtifact, match="not a readable report"):
        read(tmp_path)


def test_a_folder_without_a_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptArtifact, match=r"results\.json' is not a readable report"):
        read(tmp_path)
