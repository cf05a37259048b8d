"""`read` and `read_sessions`: look at a file's content, pick the layout, and make recordings of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from kinelex.errors import UnreadableFile, UsageError
from kinelex.readers import export_files, sensor_logger, tidy
from kinelex.readers.blob import Blob, is_archive, members, reading
from kinelex.readers.draft import Draft
from kinelex.readers.request import Request
from kinelex.readers.table import Table
from kinelex.readers.tables import open_table
from kinelex.readers.wide import read_wide
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Recording


def read(
    path: str | Path,
    *,
    rate_hz: float | None = None,
    units: Mapping[Sensor, str] | None = None,
    placement: str | None = None,
    gravity: bool | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    subject: str | None = None,
    name: str | None = None,
    session: str | None = None,
) -> Recording:
    """Read one recording from a file or folder, whatever its format.

    Reads CSV and Parquet (plain, gzipped or zipped) with one column per sensor axis, one session of a tidy table, and
    exports of the Sensor Logger app (folder, zip, one sensor's file, combined file). The layout is found by looking
    at the content. What the file does not say, and what it says wrongly, can be passed.

    Args:
        path: the file or folder.
        rate_hz: samples per second; needed when there is no time column.
        units: unit per sensor, such as ``{"acc": "g", "gyro": "deg/s"}``; otherwise what the file or card says, or SI.
        placement: where it was worn, for columns that do not say.
        gravity: whether acc measures gravity; otherwise what the format or card says, or what the signal shows.
        columns: what columns mean when their names do not say: ``{"clock": "time", "my x": "acc_x", "note": "label",
            "x_filtered": "ignore"}``.
        format: ``"tidy"``, ``"wide"`` or ``"sensor-logger"``, when the content misleads.
        subject: who wore it.
        name: how messages and results call it; the file name when left out.
        session: which session of a tidy table.

    Raises:
        UnreadableFile: missing, empty, truncated, or of no known format.
        BadSamples: text among numbers, or a column without values; the message names column and line.
        UnknownRate: no time column and no `rate_hz`, or timestamps that give no rate between 5 and 400 Hz.
        WrongUnit: values that cannot be in the unit that was claimed.
        UnknownChannel, UnknownPlacement: a column or placement that is not understood.
        UnknownName: no such format or session.
        UsageError: the file has several sessions and none was chosen.

    >>> read("no-such-file.csv")
    Traceback (most recent call last):
    kinelex.errors.UnreadableFile: 'no-such-file.csv' does not exist: check the path
    """
    request = Request(
        Path(path), rate_hz, units or {}, placement, gravity, columns or {}, format, subject, name, session
    )  # fmt: skip
    return read_draft(request).recording(keep=False)


def read_sessions(
    path: str | Path,
    *,
    rate_hz: float | None = None,
    units: Mapping[Sensor, str] | None = None,
    placement: str | None = None,
    gravity: bool | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    subject: str | None = None,
) -> Iterator[Recording]:
    """Read every recording of a file or folder, one after the other.

    A tidy table gives its sessions, a folder of Sensor Logger exports its exports, anything else its only recording.
    The arguments, and what may be raised while iterating, are those of `read`.
    """
    request = Request(Path(path), rate_hz, units or {}, placement, gravity, columns or {}, format, subject)
    return (draft.recording(keep=False) for draft in read_drafts(request))


def read_draft(request: Request) -> Draft:
    """The one recording that is asked for, before conversion; raises what `read` raises."""
    with reading(request.path):
        found = locate(request)
        if isinstance(found, list):
            raise UsageError(
                f"'{request.path}' has {len(found)} recordings: read one, such as '{found[0]}', or all with"
                " kinelex.read_sessions"
            )
        if isinstance(found, dict):
            return sensor_logger.read_export(request.path, found, request)
        layout = layout_of(found, request)
        if request.session is not None and layout != "tidy":
            raise UsageError(f"'{request.path}' has no sessions: leave session='{request.session}' out")
        if layout == "tidy":
            return tidy.read_tidy(found, request)
        if layout == "wide":
            return read_wide(found, request)
        if export_files.is_combined(found):
            return sensor_logger.read_combined(found, request)
        return sensor_logger.read_sensor_file(found, request)


def read_drafts(request: Request) -> Iterator[Draft]:
    """Every recording, before conversion; raises what `read` raises."""
    with reading(request.path):
        found = locate(request)
        if isinstance(found, list):
            for path in found:
                yield read_draft(replace(request, path=path))
        elif not isinstance(found, dict) and layout_of(found, request) == "tidy":
            yield from tidy.read_tidy_sessions(found, request)
        else:
            yield read_draft(request)


def locate(request: Request) -> Table | dict[str, Blob] | list[Path]:
    """What a path leads to: a table, the files of one export, or the folders of several exports.

    Raises:
        UnreadableFile: nothing is there, or nothing that Kinelex reads.
    """
    path = request.path
    if "\0" in str(path):
        raise UnreadableFile(f"{str(path)!r} is no path: check it")
    with reading(path):
        if not path.is_dir() and not is_archive(path):
            table = open_table(Blob(path))
            return table
        files = members(path)
    if export_files.is_export(files):
        return files
    if path.is_dir() and (exports := export_files.exports_in(path, files)):
        return exports
    tables = [blob for name, blob in files.items() if PurePosixPath(name).suffix.lower() in (".csv", ".tsv", ".txt")]
    if not path.is_dir() and len(tables) == 1:
        return open_table(tables[0])
    kind = "folder" if path.is_dir() else "zip archive"
    listed = ", ".join(list(files)[:5]) or "nothing"
    raise UnreadableFile(
        f"'{path}' is a {kind} but no Sensor Logger export (it holds {listed}): pass one file, or a folder with files"
        " such as Accelerometer.csv"
    )


def layout_of(table: Table, request: Request) -> str:
    """The layout of a table: what was asked for, or what its columns look like."""
    if request.format is not None:
        return request.format
    if tidy.is_tidy(table) and not request.columns:
        return "tidy"
    exported = export_files.is_sensor_file(table) or export_files.is_combined(table)
    return "sensor-logger" if exported and not request.columns else "wide"
