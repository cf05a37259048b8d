"""What was recognized, when, and how sure: the result of recognition."""

from __future__ import annotations

import csv
import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinelex import artifact
from kinelex.recognition.calibration import Unsure
from kinelex.recognition.merging import NO_LABEL, Cells, cells_of, merge
from kinelex.recognition.recall import Neighbor, Recalled
from kinelex.signal.recording import Recording

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("start_s", "end_s", "activity", "probability", "unsure", "quality")
"""The columns of `Timeline.to_frame` and of the CSV; with a memory, ``neighbors`` comes behind them."""

GOOD, NO_SIGNAL = "good", "no signal"

_SHOWN = 20  # segments in a printed timeline


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a recording with one activity.

    Args:
        start_s: seconds from the recording's start.
        end_s: seconds from the recording's start.
        activity: the label, as the user wrote it; None where there is no signal.
        probability: mean probability of that label over the stretch; NaN where there is no signal.
        unsure: too close to guessing, or too little signal (see `Unsure`).
        quality: ``"good"``, ``"no signal"``, or how much is missing.
        neighbors: the remembered examples of this activity that are nearest to it.
    """

    start_s: float
    end_s: float
    activity: str | None
    probability: float
    unsure: bool
    quality: str = GOOD
    neighbors: tuple[Neighbor, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def to_record(self) -> dict[str, Any]:
        """Plain rounded values under the names `COLUMNS`; a probability that does not exist is None."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "activity": self.activity,
            "probability": None if np.isnan(self.probability) else round(self.probability, 4),
            "unsure": self.unsure,
            "quality": self.quality,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What the model said about one window, before neighbouring windows were heard.

    Args:
        start_s: seconds from the recording's start.
        end_s: seconds from the recording's start, at most the recording's end.
        probabilities: ``(label,)`` in the order of the timeline's labels; all NaN without usable signal.
        label: the most probable label; None without usable signal.
        unsure: too close to guessing, or too little signal (see `Unsure`).
    """

    start_s: float
    end_s: float
    probabilities: NDArray[np.float32]
    label: str | None
    unsure: bool


@dataclass(frozen=True, eq=False, repr=False)
class Timeline:
    """Activities of one recording: what each window said, and the merged segments.

    Windows overlap. The distribution at any instant is the mean of those of the windows that cover it; neighbouring
    instants with the same most probable label form a segment.

    Args:
        recording: what was recognized.
        labels: the activities that there were to choose from.
        starts_s: ``(window,)`` ascending start of each window.
        window_s: seconds of a window.
        probabilities: ``(window, label)``; a row of NaN for a window without usable signal.
        min_segment_s: shorter segments join a neighbour.
        unsure_when: the rule for ``unsure``.
        model: name of the model that answered.
        recalled: what its memory said; None without one.
    """

    recording: Recording
    labels: tuple[str, ...]
    starts_s: NDArray[np.float64]
    window_s: float
    probabilities: NDArray[np.float32]
    min_segment_s: float = 0.0
    unsure_when: Unsure = field(default_factory=Unsure)
    model: str = ""
    recalled: Recalled | None = None

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """What each window said by itself."""
        measured = self._cut[1]
        tops = np.where(np.isnan(self.probabilities[:, 0]), NO_LABEL, np.nan_to_num(self.probabilities).argmax(axis=1))
        unsure = self.unsure_when(self.probabilities.max(axis=1), measured, len(self.labels))
        return tuple(
            Window(
                start_s=float(start),
                end_s=min(float(start) + self.window_s, self.recording.duration_s),
                probabilities=row,
                label=None if top == NO_LABEL else self.labels[top],
                unsure=bool(doubt),
            )
            for start, row, top, doubt in zip(self.starts_s, self.probabilities, tops, unsure, strict=True)
        )

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Stretches of one activity, in order, without holes, from the recording's start to its end."""
        cells = self.cells
        return tuple(self._segment(run.first, run.last, run.label) for run in merge(cells, self.min_segment_s))

    @property
    def cells(self) -> Cells:
        """The distribution over labels at every instant, as stretches in which it is constant."""
        return self._cut[0]

    @property
    def notes(self) -> list[str]:
        """What was found wrong with the recording, in sentences; empty when nothing was."""
        return self.recording.quality.problems()

    def overall(self) -> Segment:
        """One answer for the whole recording: the label with the highest mean probability over all measured time."""
        mean = self._mean(0, len(self.cells.lengths_s))
        return self._segment(0, len(self.cells.lengths_s), NO_LABEL if np.isnan(mean[0]) else int(mean.argmax()))

    def seconds(self) -> dict[str, float]:
        """Seconds of each activity that occurs, longest first; unsure stretches count for their activity."""
        total: dict[str, float] = {}
        for segment in self.segments:
            if segment.activity is not None:
                total[segment.activity] = total.get(segment.activity, 0.0) + segment.duration_s
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    def to_frame(self) -> pd.DataFrame:
        """Segments as a pandas table with the columns `COLUMNS`."""
        import pandas as pd

        columns = self._columns
        return pd.DataFrame(
            [[getattr(segment, column) for column in columns] for segment in self.segments], columns=list(columns)
        )

    def windows_frame(self) -> pd.DataFrame:
        """Windows as a pandas table: start_s, end_s, activity, unsure, and one column of probabilities per label."""
        import pandas as pd

        frame = pd.DataFrame(
            [[window.start_s, window.end_s, window.label, window.unsure] for window in self.windows],
            columns=["start_s", "end_s", "activity", "unsure"],
        )
        return frame.join(pd.DataFrame(self.probabilities, columns=list(self.labels)), rsuffix=" probability")

    def to_records(self) -> list[dict[str, Any]]:
        """Segments as plain values for JSON."""
        records = [segment.to_record() for segment in self.segments]
        if self.recalled is not None:
            for record, segment in zip(records, self.segments, strict=True):
                record["neighbors"] = [neighbor.to_record() for neighbor in segment.neighbors]
        return records

    def to_csv(self, path: str | Path) -> Path:
        """Write the segments as CSV with the columns `COLUMNS`, whole or not at all.

        Where there is no signal, ``activity`` and ``probability`` are empty.
        """
        with artifact.staged(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self._columns)
            for record, segment in zip(self.to_records(), self.segments, strict=True):
                record["unsure"] = str(record["unsure"]).lower()
                record["neighbors"] = "; ".join(str(neighbor) for neighbor in segment.neighbors)
                writer.writerow(["" if record[column] is None else record[column] for column in self._columns])
        return Path(path)

    def plot(self, path: str | Path | None = None) -> Any:
        """Draw the signal above and the words below.

        Args:
            path: a .png, .svg or .pdf file to write; nothing is written when left out.

        Returns:
            The matplotlib figure.

        Raises:
            UsageError: a file type that is none of these.
        """
        from kinelex.recognition.picture import draw, save

        figure = draw(self)
        if path is not None:
            save(figure, path)
        return figure

    def explain(self, at_s: float, path: str | Path | None = None, *, sources: Iterable[Recording] = ()) -> Any:
        """Draw why a window was answered as it was: its signal, its nearest examples, what words and examples say.

        Args:
            at_s: seconds from the recording's start; the window whose middle is nearest to it is taken.
            path: a .png, .svg or .pdf file to write; nothing is written when left out.
            sources: recordings that examples were cut from, found by their names; an example without one is described
                in words.

        Returns:
            The matplotlib figure.

        Raises:
            UsageError: no memory had a part in the answer, or a file type that is none of these.
        """
        from kinelex.recognition.explanation import draw_explanation
        from kinelex.recognition.picture import save

        figure = draw_explanation(self, at_s, {source.name: source for source in sources})
        if path is not None:
            save(figure, path)
        return figure

    def __str__(self) -> str:
        whole_s = self.recording.duration_s
        lines = [self._headline()]
        for segment in self.segments[:_SHOWN]:
            if segment.activity is None:
                said = f"({segment.quality})"
            else:
                said = f"{segment.activity}  {segment.probability:.0%}{'  unsure' if segment.unsure else ''}"
                said += "" if segment.quality == GOOD else f"  ({segment.quality})"
            lines.append(f"  {clock(segment.start_s, whole_s):>8} - {clock(segment.end_s, whole_s):<8}  {said}")
        if len(self.segments) > _SHOWN:
            lines.append(f"  ... and {len(self.segments) - _SHOWN} more")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        whole_s = self.recording.duration_s
        rows = "".join(
            f"<tr><td>{clock(segment.start_s, whole_s)}</td><td>{clock(segment.end_s, whole_s)}</td>"
            f"<td style='text-align:left'>{html.escape(segment.activity or '')}</td>"
            f"<td>{'' if segment.activity is None else f'{segment.probability:.0%}'}</td>"
            f"<td>{'unsure' if segment.unsure and segment.activity else ''}</td>"
            f"<td>{html.escape('' if segment.quality == GOOD else segment.quality)}</td></tr>"
            for segment in self.segments[:_SHOWN]
        )
        more = f"<p>... and {len(self.segments) - _SHOWN} more</p>" if len(self.segments) > _SHOWN else ""
        head = "".join(f"<th>{name}</th>" for name in ("from", "to", "activity", "probability", "", "quality"))
        return f"<p>{html.escape(self._headline())}</p><table><tr>{head}</tr>{rows}</table>{more}"

    @property
    def _columns(self) -> tuple[str, ...]:
        return COLUMNS if self.recalled is None else (*COLUMNS, "neighbors")

    def _headline(self) -> str:
        count = len(self.segments)
        return (
            f"Timeline of '{self.recording.name}': {clock(self.recording.duration_s)}, {count}"
            f" segment{'' if count == 1 else 's'}, {len(self.labels)} labels"
        )

    @cached_property
    def _cut(self) -> tuple[Cells, NDArray[np.float64]]:
        return cells_of(
            self.recording.samples, self.recording.rate_hz, self.starts_s, self.window_s, self.probabilities
        )

    def _mean(self, first: int, last: int) -> NDArray[np.float64]:
        """``(label,)`` mean distribution over cells, each by its seconds; NaN when none has an answer."""
        rows, seconds = self.cells.probabilities[first:last], self.cells.lengths_s[first:last]
        answered = np.isfinite(rows[:, 0])
        if not answered.any():
            return np.full(len(self.labels), np.nan)
        return np.asarray(seconds[answered] @ rows[answered] / seconds[answered].sum())

    def _segment(self, first: int, last: int, label: int) -> Segment:
        seconds = self.cells.lengths_s[first:last]
        measured = float(seconds @ self.cells.measured[first:last] / seconds.sum())
        support = float(self.cells.support[first:last].max())
        probability = float("nan") if label == NO_LABEL else float(np.clip(self._mean(first, last)[label], 0.0, 1.0))
        start_s, end_s = float(self.cells.edges_s[first]), float(self.cells.edges_s[last])
        neighbors: tuple[Neighbor, ...] = ()
        if self.recalled is not None and label != NO_LABEL:
            inside = (self.starts_s < end_s) & (self.starts_s + self.window_s > start_s)
            neighbors = self.recalled.nearest(inside, label)
        return Segment(
            start_s=start_s,
            end_s=end_s,
            activity=None if label == NO_LABEL else self.labels[label],
            probability=probability,
            unsure=bool(self.unsure_when(probability, min(measured, support), len(self.labels))),
            quality=NO_SIGNAL if label == NO_LABEL else quality_words(measured),
            neighbors=neighbors,
        )


def quality_words(measured: float) -> str:
    """How complete a stretch is, in words: ``"good"``, or how much of it is missing."""
    percent = round(100 * (1 - measured))
    return GOOD if percent == 0 else f"{percent}% missing"


def clock(seconds: float, of_s: float = 0.0) -> str:
    """A time as people read it, written like the whole `of_s` that it is a part of.

    >>> clock(12.5), clock(200), clock(3723), clock(0, of_s=200)
    ('12.5 s', '3:20', '1:02:03', '0:00')
    """
    if round(max(seconds, of_s), 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
