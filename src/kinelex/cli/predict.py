"""``kinelex predict``: which activity, when and how sure."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kinelex.cli.options import Reading, parse_labels
from kinelex.errors import DataError, KinelexError, UsageError

if TYPE_CHECKING:
    from kinelex.recognition import Recognizer, Segment, Timeline
    from kinelex.signal.recording import Recording

FULL_TABLE = 40
"""Up to so many segments are printed one by one; more are summed up by activity."""

_BAR = 10
_AS_IT_SAYS = Reading()
_LONG_S = 3600.0  # from this length on, recognition takes long enough for a progress bar


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the results of one file go; None for what nobody asked for."""

    csv: Path | None
    plot: Path | None


def predict(
    *files: Annotated[Path, Parameter(name="FILE")],
    labels: str | None = None,
    model: str = "small",
    memory: Path | None = None,
    gate: Path | None = None,
    no_gate: Annotated[bool, Parameter(name="--no-gate", negative="")] = False,
    reading: Reading = _AS_IT_SAYS,
    window_s: float = 6.0,
    hop_s: float | None = None,
    precision: Literal["fp32", "bf16"] = "fp32",
    out: Path | None = None,
    plot: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Say which activity happens when in a recording, and how sure that is.

    The result is printed. Files are written only where --out or --plot say so, whole or not at all. Of several FILEs a
    bad one does not stop the others: what was wrong is listed at the end, and the exit code is 3.

    kinelex predict walk.csv --labels "walking, running, brushing teeth"

    kinelex predict log.csv --rate-hz 50 --units acc=g,gyro=deg/s --placement "left wrist" --plot timeline.png

    kinelex predict monday/*.csv --out results --plot results

    Args:
        files: A CSV or Parquet file, or a Sensor Logger export; any number of them.
        labels: Activities to choose from, in any words, with commas between; everyday ones when left out.
        model: The name of a shipped model, the folder of a checkpoint, or a hub id, owner/model.
        memory: A folder of examples that the model remembers; see kinelex index.
        gate: The folder of a gate in place of the memory's own; see kinelex gate.
        no_gate: Answer as if the memory had no gate.
        window_s: Seconds that are looked at together.
        hop_s: Seconds from one look to the next; half a window when left out.
        precision: bf16 is about twice as fast on processors that multiply it in hardware, and a little less exact.
        out: Write the segments as CSV: a file that ends in .csv, or a folder that gets NAME.timeline.csv of each FILE.
        plot: Draw signal and words: a file that ends in .png, .svg or .pdf, or a folder that gets NAME.timeline.png.
        as_json: Print JSON in place of tables.

    Returns:
        0, or 3 when one of several files could not be recognized.
    """
    from kinelex.recognition import load
    from kinelex.recognition.asked import check_hop, check_labels

    if not files:
        raise UsageError('nothing to recognize: kinelex predict FILE --labels "walking, running, sitting"')
    outputs = _outputs(files, out, plot)
    check_hop(window_s, hop_s)
    reading.check()
    names = check_labels(parse_labels(labels)) if labels is not None else None
    if gate is not None and (no_gate or memory is None):
        raise UsageError("--gate weighs the examples of --memory, and not with --no-gate: drop one, or name a memory")
    recognizer = load(model, precision=precision)
    if memory is not None:
        recognizer = recognizer.with_memory(memory, create=False, gate=gate or not no_gate)
    names = names or recognizer.default_labels()
    recognizer.check_understood(names)  # labels that nobody understands are found out before any file is read

    console = Console(highlight=False)
    results: list[dict[str, Any]] = []
    failures: list[tuple[Path, KinelexError]] = []
    for file, output in zip(files, outputs, strict=True):
        try:
            recording = reading.read(file)
            timeline = _recognize(recognizer, recording, names, window_s, hop_s)
            if output.csv is not None:
                timeline.to_csv(output.csv)
            if output.plot is not None:
                timeline.plot(output.plot)
        except (DataError, UsageError) as problem:
            if len(files) == 1:
                raise
            failures.append((file, problem))
            continue
        if as_json:
            results.append(_as_json(file, timeline, output))
        else:
            _show(console, timeline, output)
    if as_json:
        errors = [{"file": str(file), "error": str(error)} for file, error in failures]
        print(json.dumps({"recordings": results, "errors": errors}, ensure_ascii=False, indent=1))
    for _, error in failures:
        print(f"error: {error}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} of {len(files)} files could not be recognized", file=sys.stderr)
    return DataError.exit_code if failures else 0


def _outputs(files: tuple[Path, ...], out: Path | None, plot: Path | None) -> list[Outputs]:
    """Where each file's results go, checked before any work is done.

    Raises:
        UsageError: one output for several files, two files that would write the same one, or an unknown file type.
    """
    from kinelex.recognition.picture import FILE_TYPES

    columns = [
        _targets(files, target, suffixes, option)
        for target, suffixes, option in ((out, (".csv",), "--out"), (plot, FILE_TYPES, "--plot"))
    ]
    return [Outputs(csv, picture) for csv, picture in zip(*columns, strict=True)]


def _targets(
    files: tuple[Path, ...], target: Path | None, suffixes: tuple[str, ...], option: str
) -> list[Path] | list[None]:
    if target is None:
        return [None] * len(files)
    if target.suffix.lower() in suffixes and not target.is_dir():
        if len(files) > 1:
            raise UsageError(f"{option} '{target}' is one file for {len(files)} recordings: name a folder instead")
        return [target]
    if (target.suffix and not target.is_dir()) or target.is_file():
        raise UsageError(f"{option} '{target}' is neither a folder nor a file that ends in {', '.join(suffixes)}")
    targets = [target / f"{_stem(file)}.timeline{suffixes[0]}" for file in files]
    if twice := sorted({str(path) for path in targets if targets.count(path) > 1}):
        raise UsageError(f"several files would be written to '{twice[0]}': recognize them one by one")
    return targets


def _stem(file: Path) -> str:
    name = file.resolve().name  # "." has no name of its own
    for suffix in (".gz", ".zip", ".csv", ".tsv", ".txt", ".parquet"):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) and len(name) > len(suffix) else name
    return name


def _recognize(
    recognizer: Recognizer, recording: Recording, labels: tuple[str, ...], window_s: float, hop_s: float | None
) -> Timeline:
    with _progress(recording) as tell:
        return recognizer.recognize(recording, labels, window_s=window_s, hop_s=hop_s, progress=tell)


@contextmanager
def _progress(recording: Recording) -> Iterator[Callable[[float], None] | None]:
    """A bar with the time left, for a long recording and somebody who is watching."""
    if recording.duration_s < _LONG_S or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(recording.name, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _show(console: Console, timeline: Timeline, output: Outputs) -> None:
    recording = timeline.recording
    places = ", ".join(place for place in recording.placements if place != "unknown")
    facts = [
        f"{recording.duration_s:.0f} s" if recording.duration_s < 120 else f"{recording.duration_s / 60:.1f} min",
        f"{recording.rate_hz:.4g} Hz",
        places or "placement unknown",
        "gravity" if recording.gravity else "gravity removed",
    ]
    console.print(Text.assemble((recording.name, "bold"), (f"  {' · '.join(facts)}", "dim")))
    whole = timeline.segments
    console.print(segment_table(whole) if len(whole) <= FULL_TABLE else _total_table(timeline))
    if len(whole) > FULL_TABLE:
        more = "" if output.csv else "; --out FILE.csv writes each, --plot FILE.png draws them"
        console.print(Text(f"{len(whole)} segments{more}", style="dim"))
    for note in timeline.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    for path in (output.csv, output.plot):
        if path is not None:
            console.print(Text(f"wrote {path}"), soft_wrap=True)
    console.print()


def segment_table(segments: tuple[Segment, ...]) -> Table:
    """A row for each segment: from when to when, what, how probable, and what is wrong with it."""
    from kinelex.recognition.timeline import GOOD, clock

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("from", "to"):
        table.add_column(title, justify="right")
    for title in ("activity", "probability", ""):
        table.add_column(title)
    for segment in segments:
        known = segment.activity is not None
        remarks = ["unsure"] if segment.unsure and known else []
        remarks += [segment.quality] if segment.quality != GOOD else []
        table.add_row(
            clock(segment.start_s, segments[-1].end_s),
            clock(segment.end_s, segments[-1].end_s),
            Text(segment.activity or "", style="dim italic" if segment.unsure else "bold"),
            Text(bar(segment.probability) if known else "", style="dim" if segment.unsure else "green"),
            Text(", ".join(remarks), style="yellow"),
        )
        if segment.neighbors:
            nearest = segment.neighbors[0]
            table.add_row(
                "", "", Text(f"like {nearest.example}", style="dim"), Text(f"{nearest.similarity:.2f}", style="dim"), ""
            )
    return table


def _total_table(timeline: Timeline) -> Table:
    from kinelex.recognition.timeline import clock

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("activity")
    for title in ("time", "share", "segments", "unsure"):
        table.add_column(title, justify="right")
    duration_s = timeline.recording.duration_s
    rows: list[str | None] = [*timeline.seconds()]
    if any(segment.activity is None for segment in timeline.segments):
        rows.append(None)
    for activity in rows:
        segments = [segment for segment in timeline.segments if segment.activity == activity]
        seconds = sum(segment.duration_s for segment in segments)
        doubtful = sum(segment.duration_s for segment in segments if segment.unsure)
        table.add_row(
            Text(activity or "no signal", style="bold" if activity else "dim"),
            clock(seconds),
            f"{seconds / duration_s:.0%}",
            str(len(segments)),
            f"{doubtful / seconds:.0%}" if activity else "",
        )
    return table


def bar(share: float) -> str:
    """A share as a bar with a number.

    >>> bar(0.5)
    '█████░░░░░  50%'
    """
    full = round(share * _BAR)
    return f"{'█' * full}{'░' * (_BAR - full)} {share:4.0%}"


def _as_json(file: Path, timeline: Timeline, output: Outputs) -> dict[str, Any]:
    recording = timeline.recording
    return {
        "file": str(file),
        "name": recording.name,
        "duration_s": round(recording.duration_s, 3),
        "rate_hz": recording.rate_hz,
        "channels": [channel.name for channel in recording.channels],
        "gravity": recording.gravity,
        "start": recording.start.isoformat() if recording.start else None,
        "model": timeline.model,
        "labels": list(timeline.labels),
        "overall": timeline.overall().to_record(),
        "segments": timeline.to_records(),
        "notes": timeline.notes,
        "csv": str(output.csv) if output.csv else None,
        "plot": str(output.plot) if output.plot else None,
    }
