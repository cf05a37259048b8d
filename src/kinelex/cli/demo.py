"""``kinelex demo``: real smartwatch recordings, recognized by words that the model was never trained on."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from kinelex.recognition import Timeline
    from kinelex.signal.recording import Interval, Recording

LABELS: Final = ("standing", "walking", "running", "playing badminton")
OFFICIAL: Final = {
    "Standing": "standing",
    "Walking": "walking",
    "Running": "running",
    "Badminton": "playing badminton",
}
"""What the data set calls its activities, and the words that the demo uses for them."""

STORY: Final = ("standing", "walking", "playing badminton", None, "walking", "running", "standing")
"""What the wearer of the one long recording does, 30 s each; at None the watch is off for a while."""

_EACH = 3  # ten-second recordings in a row
_OFF_S = 10.0
_EPOCH_NS = 1_767_261_600_000_000_000  # a morning in January 2026: the recordings have no date of their own


def demo(*, out: Path = Path("kinelex-demo"), model: str = "small") -> None:
    """Recognize real smartwatch recordings by words the model was never trained on.

    Takes the 80 recordings of BasicMotions (four students with a smartwatch, 10 Hz, gravity removed), which come with
    the aeon package, and says for each which of four activities it is. Then writes some of them one after the other
    into a log as a phone app would, reads it back, and draws its timeline.

    Args:
        out: Folder for the log, its timeline as CSV and the picture.
        model: The name of a shipped model, or the folder of a checkpoint.
    """
    from kinelex.cli.predict import segment_table
    from kinelex.readers import basic_motions, read
    from kinelex.recognition import load

    console = Console(highlight=False)
    began = time.perf_counter()
    recordings = basic_motions()
    recognizer = load(model)
    truth = [OFFICIAL[recording.intervals[0].label] for recording in recordings]
    timelines = recognizer.recognize_many(recordings, LABELS)
    said = [timeline.overall().activity or "" for timeline in timelines]

    console.print(f"[bold]{len(recordings)} smartwatch recordings[/], ten seconds each, and what they are called\n")
    console.print(_confusion(truth, said))
    right = sum(a == b for a, b in zip(truth, said, strict=True))
    console.print(f"\nAccuracy [bold]{right / len(truth):.3f}[/] ({right} of {len(truth)}; guessing gives 0.250).")
    console.print(_unseen(recognizer.unknown_labels(LABELS)))

    log, intervals = write_log(out / "watch.csv", recordings)
    recording = replace(read(log, placement="wrist", gravity=False, name="A morning with a watch"), intervals=intervals)
    timeline = recognizer.recognize(recording, LABELS)
    table, picture = timeline.to_csv(out / "timeline.csv"), out / "timeline.png"
    timeline.plot(picture)
    console.print(f"\n[bold]One recording of changing activities[/], {agreement(timeline):.0%} of its time right\n")
    console.print(segment_table(timeline.segments))
    console.print(Text(f"\nPicture: {picture}\nTable:   {table}\nLog:     {log}"), soft_wrap=True)
    console.print(f"{time.perf_counter() - began:.1f} s in all.", style="dim")
    words = ", ".join(LABELS)
    console.print("\nNext:", style="bold")
    for line in (
        f'kinelex predict {log} --labels "{words}" --placement wrist --no-gravity',
        'kinelex predict YOUR.csv --labels "walking, cycling, vacuum cleaning" --plot timeline.png',
        "kinelex inspect YOUR.csv",
    ):
        console.print(Text(f"  {line}"), soft_wrap=True)


def _confusion(truth: Sequence[str], said: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("they were")
    for label in LABELS:
        table.add_column(f'"{label}"', justify="right")
    table.add_column("right", justify="right")
    for label in LABELS:
        row = [b for a, b in zip(truth, said, strict=True) if a == label]
        counts = [
            Text(str(row.count(other) or "·"), style="bold green" if other == label else "yellow") for other in LABELS
        ]
        table.add_row(label, *counts, f"{row.count(label) / len(row):.0%}")
    return table


def _unseen(unknown: Sequence[str]) -> str:
    """What is new to the model here."""
    words = " and ".join(f"'{label}'" for label in unknown)
    known = "In training the model saw neither these recordings, nor their device, nor the people who wore it"
    return f"{known}; and {words} was in no training label: only the words say what it is." if words else f"{known}."


def write_log(path: Path, recordings: Sequence[Recording]) -> tuple[Path, tuple[Interval, ...]]:
    """Write recordings in the order of `STORY` as one log, laid out like an export of the Sensor Logger app.

    The first recordings of each activity that were not yet used are taken, whatever the model says about them.

    Returns:
        The file, and what is done when.
    """
    from kinelex import artifact
    from kinelex.signal.recording import Interval

    names = ("accelerometer", "gyroscope")
    queue = {label: [r for r in recordings if OFFICIAL[r.intervals[0].label] == label] for label in LABELS}
    intervals: list[Interval] = []
    now_s = 0.0
    with artifact.staged(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", "seconds_elapsed", *(f"{name}_{axis}" for name in names for axis in "xyz")])
        for label in STORY:
            if label is None:
                now_s += _OFF_S
                continue
            start_s = now_s
            for recording in queue[label][:_EACH]:
                for offset_s, row in zip(recording.times_s, recording.samples, strict=True):
                    at_s = now_s + float(offset_s)
                    writer.writerow([_EPOCH_NS + round(at_s * 1e9), f"{at_s:.3f}", *(f"{v:.4f}" for v in row)])
                now_s += recording.duration_s
            queue[label] = queue[label][_EACH:]
            intervals.append(Interval(start_s, now_s, label))
    return path, tuple(intervals)


def agreement(timeline: Timeline) -> float:
    """The share of the annotated time in which a timeline says what the annotation says."""
    agreed = sum(
        max(0.0, min(segment.end_s, interval.end_s) - max(segment.start_s, interval.start_s))
        for interval in timeline.recording.intervals
        for segment in timeline.segments
        if segment.activity == interval.label
    )
    return agreed / sum(interval.end_s - interval.start_s for interval in timeline.recording.intervals)
