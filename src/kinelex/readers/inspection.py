"""What was understood of a file, for people to check before they trust a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinelex.readers import tidy
from kinelex.readers.draft import Draft
from kinelex.readers.reading import layout_of, locate, read_draft, read_drafts
from kinelex.readers.request import Request
from kinelex.signal.channel import Sensor
from kinelex.signal.recording import Interval, Recording
from kinelex.signal.units import SI_UNITS, parse_unit


@dataclass(frozen=True)
class ChannelFact:
    """One channel and where it came from.

    Args:
        source: the file's own name for the column.
        name: the channel, placement included.
        sensor: ``"acc"``, ``"gyro"`` or ``"mag"``.
        axis: ``"x"``, ``"y"`` or ``"z"``.
        placement: where it was worn.
        unit_read: the unit of the file.
        unit_source: who says so: ``"caller"``, ``"header"``, ``"card"``, ``"format"``, or ``"assumed"``.
        unit: the SI unit that it has now.
    """

    source: str
    name: str
    sensor: Sensor
    axis: str
    placement: str
    unit_read: str
    unit_source: str
    unit: str


@dataclass(frozen=True)
class Inspection:
    """What was understood of one recording.

    Args:
        file: the path that was given.
        format: the layout it was read as.
        name: how results will call it.
        channels: every channel with its origin.
        rate_hz: the rate of the recording.
        rate_stated_hz: the nominal rate that the caller or the file gives.
        rate_measured_hz: what the timestamps say.
        duration_s: its length.
        gravity: whether acc measures gravity.
        gravity_source: ``"caller"`` or the format when it was said, ``"signal"`` when it was seen.
        resting_acc: median |acc| while it lay still, m/s².
        subject, start, intervals: as in `Recording`; start as ISO 8601.
        ignored: columns that were not used.
        problems: what is wrong or noteworthy, in sentences.
    """

    file: str
    format: str
    name: str
    channels: tuple[ChannelFact, ...]
    rate_hz: float
    rate_stated_hz: float | None
    rate_measured_hz: float | None
    duration_s: float
    gravity: bool
    gravity_source: str
    resting_acc: float | None
    subject: str | None
    start: str | None
    intervals: tuple[Interval, ...]
    ignored: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def seconds(self) -> dict[str, float]:
        """Annotated seconds of each activity, most first."""
        return _seconds((interval.label, interval.end_s - interval.start_s) for interval in self.intervals)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "file": self.file,
            "format": self.format,
            "name": self.name,
            "channels": [
                {
                    "source": channel.source, "name": channel.name, "sensor": channel.sensor, "axis": channel.axis,
                    "placement": channel.placement, "unit_read": channel.unit_read, "unit_source": channel.unit_source,
                    "unit": channel.unit,
                }
                for channel in self.channels
            ],
            "rate_hz": self.rate_hz,
            "rate_stated_hz": self.rate_stated_hz,
            "rate_measured_hz": self.rate_measured_hz,
            "duration_s": self.duration_s,
            "gravity": self.gravity,
            "gravity_source": self.gravity_source,
            "resting_acc": self.resting_acc,
            "subject": self.subject,
            "start": self.start,
            "intervals": [{"start_s": i.start_s, "end_s": i.end_s, "label": i.label} for i in self.intervals],
            "ignored": list(self.ignored),
            "problems": list(self.problems),
        }  # fmt: skip


@dataclass(frozen=True)
class Survey:
    """What was understood of a file with several recordings.

    Args:
        file: the path that was given.
        sessions: how many recordings there are.
        subjects: how many people.
        hours: their length together.
        seconds: seconds of each activity, most first.
        first: the first recording in detail.
    """

    file: str
    sessions: int
    subjects: int
    hours: float
    seconds: Mapping[str, float]
    first: Inspection

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "file": self.file,
            "sessions": self.sessions,
            "subjects": self.subjects,
            "hours": self.hours,
            "seconds": dict(self.seconds),
            "first": self.first.to_json(),
        }


def examine(request: Request) -> Inspection | Survey:
    """Read a file and say what was understood: one recording in full, or several in numbers and the first in full.

    Raises:
        KinelexError: whatever `kinelex.read` raises, but not for having several recordings.
    """
    found = locate(request)
    if isinstance(found, list):
        return _survey_of(request, list(read_drafts(request)))
    if not isinstance(found, dict) and request.session is None and layout_of(found, request) == "tidy":
        sessions = tidy.load_sessions(found, request)
        if len(sessions.names) > 1:
            return _survey_of_sessions(request, sessions)
        return describe(request, tidy.session_draft(sessions, 0, request))
    return describe(request, read_draft(request))


def describe(request: Request, draft: Draft) -> Inspection:
    """What was understood of one recording; raises what converting it raises."""
    recording = draft.recording()
    quality = recording.quality
    return Inspection(
        file=str(request.path),
        format=draft.format,
        name=recording.name,
        channels=_channel_facts(draft, recording),
        rate_hz=recording.rate_hz,
        rate_stated_hz=draft.rate_hz,
        rate_measured_hz=quality.rate_measured_hz,
        duration_s=recording.duration_s,
        gravity=recording.gravity,
        gravity_source=_gravity_source(request, draft),
        resting_acc=quality.resting_acc,
        subject=recording.subject,
        start=None if recording.start is None else recording.start.isoformat(timespec="milliseconds"),
        intervals=recording.intervals,
        ignored=draft.ignored,
        problems=tuple(quality.problems()),
    )


def _channel_facts(draft: Draft, recording: Recording) -> tuple[ChannelFact, ...]:
    facts = []
    for source, channel in zip(draft.sources, recording.channels, strict=True):
        unit = SI_UNITS[channel.sensor]
        read = draft.units.get(channel.sensor)
        facts.append(
            ChannelFact(
                source=source,
                name=channel.name,
                sensor=channel.sensor,
                axis=channel.axis,
                placement=channel.placement,
                unit_read=unit if read is None else parse_unit(channel.sensor, read),
                unit_source=draft.unit_sources.get(channel.sensor, "assumed"),
                unit=unit,
            )
        )
    return tuple(facts)


def _gravity_source(request: Request, draft: Draft) -> str:
    if request.gravity is not None:
        return "caller"
    if draft.gravity is None:
        return "signal"
    return {"tidy": "card", "wide": "header"}.get(draft.format, "format")


def _survey_of(request: Request, drafts: list[Draft]) -> Survey:
    """Of a few recordings in a folder; every one is read."""
    recordings = [draft.recording() for draft in drafts]
    return Survey(
        file=str(request.path),
        sessions=len(recordings),
        subjects=len({recording.subject for recording in recordings if recording.subject}),
        hours=sum(recording.duration_s for recording in recordings) / 3600,
        seconds=_seconds((i.label, i.end_s - i.start_s) for recording in recordings for i in recording.intervals),
        first=describe(request, drafts[0]),
    )


def _survey_of_sessions(request: Request, sessions: tidy.Sessions) -> Survey:
    """Of a tidy table; counted in its rows, because thousands of sessions take minutes to convert."""
    first = describe(request, tidy.session_draft(sessions, 0, request))
    people, activity = sessions.words("subject"), sessions.words("activity")
    rows = sum(len(part) for part in sessions.rows)
    seconds: dict[str, float] = {}
    if activity is not None:
        counts = np.bincount(activity.codes[activity.codes >= 0], minlength=len(activity.words))
        seconds = _seconds(zip(activity.words, (counts / first.rate_hz).tolist(), strict=True))
    return Survey(
        file=str(request.path),
        sessions=len(sessions.names),
        subjects=0 if people is None else len(people.words),
        hours=rows / first.rate_hz / 3600,
        seconds=seconds,
        first=first,
    )


def _seconds(parts: Iterable[tuple[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for label, seconds in parts:
        total[label] += seconds  # type: ignore[assignment]  # a Counter adds floats as well as it adds integers
    return dict(total.most_common())
