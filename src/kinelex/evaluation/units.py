"""Which stretches of a data set get one prediction each, and their embeddings.

No window crosses from one session into another, so that none mixes activities or people; and where windows are the
units, no signal counts twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples, TooShort
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.model import Checkpoint
from kinelex.recognition.asked import window_starts
from kinelex.recognition.prior import Scope
from kinelex.signal.recording import Recording
from kinelex.signal.windows import windows_of

Request = tuple[Recording, NDArray[np.float64]]
"""A session and the starts of its windows in seconds."""

_WINDOWS_AT_ONCE = 1024  # between two calls of `progress`


@dataclass(frozen=True, eq=False)
class Units:
    """The units of one data set: what is predicted, by whom it was done, and the signal of it.

    Args:
        labels: ``(unit,)`` official activity name of each.
        subject_names: every subject with a unit.
        subjects: ``(unit,)`` number of each unit's subject in `subject_names`.
        named: whether every session says who was recorded; else each recording stands for a subject.
        sessions: ``(unit,)`` number of each unit's session.
        unit_of_window: ``(window,)`` which unit each window belongs to.
        weights: ``(window,)`` how much each window counts in its unit.
        requests: each session with its windows' starts; together they hold every window once, in order.
        seconds: of signal inside windows.
        too_short: sessions with less than half a window, which give no unit.
        window_s: seconds of signal in a window.
        repeats: how many windows hold a stretch of signal on average; above 1 in published windows only.
    """

    labels: tuple[str, ...]
    subject_names: tuple[str, ...]
    subjects: NDArray[np.int64]
    named: bool
    sessions: NDArray[np.int64]
    unit_of_window: NDArray[np.int64]
    weights: NDArray[np.float64]
    requests: tuple[Request, ...]
    seconds: float
    too_short: int
    window_s: float
    repeats: float = 1.0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def worn(self) -> tuple[str, ...]:
        """``(unit,)`` where the sensors of each unit were worn."""
        return self._of_units([" and ".join(sorted(recording.placements)) for recording, _ in self.requests])

    @property
    def rates(self) -> tuple[str, ...]:
        """``(unit,)`` the rate at which each unit was recorded."""
        return self._of_units([f"{recording.rate_hz:g} Hz" for recording, _ in self.requests])

    def together(self, scope: Scope) -> NDArray[np.int64]:
        """``(window,)`` the number of the recording or subject that each window is of; 0 for the whole set."""
        if scope == "set":
            return np.zeros(len(self.unit_of_window), dtype=np.int64)
        return (self.sessions if scope == "recording" else self.subjects)[self.unit_of_window]

    def _of_units(self, of_requests: list[str]) -> tuple[str, ...]:
        found = [""] * len(self)
        windows = [what for what, (_, starts) in zip(of_requests, self.requests, strict=True) for _ in starts]
        for unit, what in zip(self.unit_of_window, windows, strict=True):
            found[unit] = what
        return tuple(found)


def shares_of_windows(starts_s: NDArray[np.float64], window_s: float, duration_s: float) -> NDArray[np.float64]:
    """How much of a recording each of its windows answers for, ``(window,)``, adding up to 1.

    A second that several windows cover belongs to them in equal parts, as in a timeline's overall answer.

    >>> shares_of_windows(np.array([0.0, 3.0, 4.0]), 6.0, 10.0).round(3).tolist()
    [0.417, 0.267, 0.317]
    """
    ends_s = np.minimum(starts_s + window_s, duration_s)
    edges = np.unique(np.concatenate([starts_s, ends_s]))
    first, last = np.searchsorted(edges, starts_s), np.searchsorted(edges, ends_s)
    steps = np.bincount(first, minlength=len(edges)) - np.bincount(last, minlength=len(edges))
    covering = np.maximum(np.cumsum(steps)[:-1], 1)
    before = np.concatenate([[0.0], np.cumsum(np.diff(edges) / covering)])
    seconds = before[last] - before[first]
    return np.asarray(seconds / seconds.sum())


def lay_out(sessions: Iterable[Recording], protocol: ZeroShotProtocol) -> Units:
    """Cut sessions into units.

    Args:
        sessions: recordings with exactly one interval each, whose label is the activity.
        protocol: window length, and whether a window or a recording is the unit.

    Raises:
        BadSamples: a session without or with more than one activity, or nothing that is long enough.
    """
    labels: list[str] = []
    people: list[str | None] = []
    session_of: list[int] = []
    unit_of_window: list[int] = []
    weights: list[float] = []
    requests: list[Request] = []
    too_short, seconds = 0, 0.0
    for number, session in enumerate(sessions):
        label = only_activity(session)
        try:
            starts, units, shares = _windows(session, protocol)
        except TooShort:
            too_short += 1
            continue
        seconds += min(session.duration_s, float(starts[-1]) + protocol.window_s)
        weights += shares
        unit_of_window += [len(labels) + (i if units > 1 else 0) for i in range(len(starts))]
        labels += [label] * units
        people += [session.subject] * units
        session_of += [number] * units
        requests.append((session, starts))
    if not labels:
        raise BadSamples(
            f"no session is at least {protocol.window_s / 2:g} s long, half a window: there is nothing to evaluate"
        )
    named = None not in people
    # Recordings of nobody in particular stand for themselves: the interval is then over recordings.
    owners = [str(p) for p in people] if named else [f"{number}" for number in session_of]
    names, subjects = np.unique(np.array(owners), return_inverse=True)
    return Units(
        labels=tuple(labels),
        subject_names=tuple(str(name) for name in names),
        subjects=subjects.astype(np.int64),
        named=named,
        sessions=np.array(session_of, dtype=np.int64),
        unit_of_window=np.array(unit_of_window, dtype=np.int64),
        weights=np.array(weights),
        requests=tuple(requests),
        seconds=seconds,
        too_short=too_short,
        window_s=protocol.window_s,
    )


def only_activity(session: Recording) -> str:
    """The official name of what a session is.

    Raises:
        BadSamples: it has none, or several.
    """
    if len(session.intervals) != 1:
        raise BadSamples(
            f"session '{session.name}' has {len(session.intervals)} annotated activities: it needs exactly 1"
        )
    return session.intervals[0].label


def embed(model: Checkpoint, units: Units, progress: Callable[[int], None] | None = None) -> NDArray[np.float32]:
    """Embed every window of `units` once, ``(window, width)``, in window order.

    Args:
        model: turns windows into vectors.
        units: as laid out by `lay_out`.
        progress: called with the number of windows that were just embedded.
    """
    vectors: list[NDArray[np.float32]] = []
    batch: list[Request] = []
    waiting = 0
    for number, request in enumerate(units.requests, 1):
        batch.append(request)
        waiting += len(request[1])
        if waiting >= _WINDOWS_AT_ONCE or number == len(units.requests):
            vectors += model.embed_many(batch, units.window_s)
            if progress is not None:
                progress(waiting)
            batch, waiting = [], 0
    return np.concatenate(vectors)


def per_unit(values: NDArray[np.floating], units: Units) -> NDArray[np.float64]:
    """The weighted mean of each unit's window rows, ``(unit, column)``; NaN for a unit without a usable window.

    Args:
        values: ``(window, column)``; a row with NaN is a window without usable signal.
        units: which windows belong to which unit.
    """
    usable = np.isfinite(values).all(axis=1)
    owner, weights = units.unit_of_window[usable], units.weights[usable]
    sums = np.zeros((len(units), values.shape[1]))
    np.add.at(sums, owner, values[usable] * weights[:, None])
    totals = np.bincount(owner, weights, minlength=len(units))[:, None]
    return np.asarray(np.divide(sums, totals, out=np.full(sums.shape, np.nan), where=totals > 0))


def _windows(session: Recording, protocol: ZeroShotProtocol) -> tuple[NDArray[np.float64], int, list[float]]:
    """Starts of a session's windows, how many units they make, and how much each counts in its unit."""
    if protocol.unit == "window":
        # Whole windows and no rest; one for a session between half a window and a whole one.
        starts = windows_of(session.duration_s, protocol.window_s, keep_tail=False, name=session.name)
        return starts, len(starts), [1.0] * len(starts)
    starts = window_starts(session, protocol.window_s)
    return starts, 1, shares_of_windows(starts, protocol.window_s, session.duration_s).tolist()
