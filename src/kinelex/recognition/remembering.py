"""Whole data sets into a memory: which of their windows, and in what portions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinelex.datasets import StoredDataset
from kinelex.errors import UnknownName
from kinelex.language import Vocabulary
from kinelex.recognition.recognizer import Recognizer
from kinelex.signal.recording import Recording
from kinelex.signal.windows import windows_of

if TYPE_CHECKING:
    from kinelex.retrieval.memory import Memory


@dataclass(frozen=True, eq=False)
class LabeledRequest:
    """Windows of one session that are to be remembered.

    Args:
        recording: the session.
        starts_s: ``(window,)`` where they begin in it.
        label: what is done in all of them.
    """

    recording: Recording
    starts_s: NDArray[np.float64]
    label: str


def labeled_requests(
    dataset: StoredDataset,
    window_s: float,
    *,
    subjects: Sequence[str] | None = None,
    per_label: int | None = None,
    seed: int = 0,
    vocabulary: Vocabulary | None = None,
) -> list[LabeledRequest]:
    """The windows of an imported data set, side by side inside its sessions.

    Args:
        dataset: which one.
        window_s: seconds in a window; a session of less than half of it has none.
        subjects: only of these people.
        per_label: at most so many of each label, drawn at random.
        seed: of that drawing.
        vocabulary: gives labels their words; the standard one when left out.

    Raises:
        UnknownName: a subject whom the set does not have.
    """
    words = vocabulary or Vocabulary.standard()
    if missing := sorted(set(subjects or ()) - set(dataset.subjects)):
        raise UnknownName(
            f"data set '{dataset.name}' has no subject '{missing[0]}': it has {', '.join(dataset.subjects)}"
        )
    requests = []
    for recording in dataset.sessions():
        (interval,) = recording.intervals
        if (subjects is not None and recording.subject not in subjects) or recording.duration_s < window_s / 2:
            continue
        known = words.label_for(dataset.name, interval.label) if dataset.name in words.official else None
        starts_s = windows_of(recording.duration_s, window_s, keep_tail=False, name=recording.name)
        requests.append(LabeledRequest(recording, starts_s, interval.label if known is None else known.text))
    return requests if per_label is None else _drawn(requests, per_label, seed)


def drawn_requests(
    dataset: StoredDataset, window_s: float, count: int, seed: int = 0
) -> list[tuple[Recording, NDArray[np.float64]]]:
    """At most so many windows of an imported data set, drawn at random whatever is done in them: sessions, starts."""
    found = [LabeledRequest(one.recording, one.starts_s, "") for one in labeled_requests(dataset, window_s)]
    return [(one.recording, one.starts_s) for one in _drawn(found, count, seed)]


def not_remembered(memory: Memory, requests: Sequence[LabeledRequest], window_s: float) -> list[LabeledRequest]:
    """What of the requests a memory does not hold yet, whatever it calls it: a build that broke off goes on there.

    Args:
        memory: with examples of recordings by their names.
        requests: windows that are to be remembered.
        window_s: their length in seconds.
    """
    store = memory.store
    known = set(zip(store.recordings.tolist(), store.start_s.tolist(), store.end_s.tolist(), strict=True))
    left = []
    for one in requests:
        name, ends_s = one.recording.name, np.minimum(one.starts_s + window_s, one.recording.duration_s)
        new = [(name, *span) not in known for span in zip(one.starts_s.tolist(), ends_s.tolist(), strict=True)]
        if any(new):
            left.append(LabeledRequest(one.recording, one.starts_s[new], one.label))
    return left


def remember_requests(
    recognizer: Recognizer,
    requests: Sequence[LabeledRequest],
    window_s: float,
    *,
    at_once: int = 2000,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Remember windows, in portions each of which is durable when it is done.

    Args:
        recognizer: with a memory.
        requests: the windows.
        window_s: their length in seconds.
        at_once: about how many in a portion.
        progress: called with how many windows are done.

    Returns:
        How many were remembered: not those without enough signal.
    """
    memory, kept, done = recognizer.own_memory(), 0, 0
    portion: list[LabeledRequest] = []
    for request in (*requests, None):
        if request is not None:
            portion.append(request)
        count = sum(len(one.starts_s) for one in portion)
        if not count or (request is not None and count < at_once):
            continue
        embedded = recognizer.checkpoint.embed_many([(one.recording, one.starts_s) for one in portion], window_s)
        vectors = np.concatenate(embedded)
        usable = np.asarray(np.isfinite(vectors).all(axis=1))
        rows = [(one, float(start)) for one in portion for start in one.starts_s]
        chosen = [row for row, good in zip(rows, usable, strict=True) if good]
        if chosen:
            memory.add(
                vectors[usable],
                [one.label for one, _ in chosen],
                subjects=[one.recording.subject for one, _ in chosen],
                recordings=[one.recording.name for one, _ in chosen],
                start_s=[start for _, start in chosen],
                end_s=[min(start + window_s, one.recording.duration_s) for one, start in chosen],
            )
        kept, done, portion = kept + len(chosen), done + count, []
        if progress is not None:
            progress(done)
    return kept


def _drawn(requests: Sequence[LabeledRequest], per_label: int, seed: int) -> list[LabeledRequest]:
    """At most so many windows of each label."""
    rng = np.random.default_rng(seed)
    windows = [(i, j) for i, request in enumerate(requests) for j in range(len(request.starts_s))]
    kept: dict[str, list[tuple[int, int]]] = {}
    for at in rng.permutation(len(windows)).tolist():
        mine = kept.setdefault(requests[windows[at][0]].label, [])
        if len(mine) < per_label:
            mine.append(windows[at])
    starts: dict[int, list[int]] = {}
    for i, j in sorted(one for mine in kept.values() for one in mine):
        starts.setdefault(i, []).append(j)
    return [
        LabeledRequest(requests[i].recording, requests[i].starts_s[js], requests[i].label) for i, js in starts.items()
    ]
