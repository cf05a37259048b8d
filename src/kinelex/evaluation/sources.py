"""What is evaluated on: labeled sessions, the activities that were declared, and a hash that pins them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kinelex.datasets import StoredDataset
from kinelex.errors import BadSamples
from kinelex.signal.recording import Recording

BASIC_MOTIONS = "basic_motions"


@dataclass(frozen=True)
class EvaluationSet:
    """A data set as evaluation sees it.

    Args:
        name: short name.
        title: full name.
        declared: official names of all its activities, also of those without a session.
        sha256: changes when any sample or label does.
        sessions: gives its recordings, each with exactly one interval: its activity.
    """

    name: str
    title: str
    declared: tuple[str, ...]
    sha256: str
    sessions: Callable[[], Iterable[Recording]]

    @classmethod
    def stored(cls, dataset: StoredDataset) -> EvaluationSet:
        """An imported data set, with all activities that its card declares."""
        return cls(
            name=dataset.name,
            title=dataset.about.title.split(",")[0] or dataset.name,
            declared=dataset.about.declared,
            sha256=dataset.fingerprint,
            sessions=dataset.sessions,
        )

    @classmethod
    def of(cls, name: str, recordings: Sequence[Recording], *, title: str = "") -> EvaluationSet:
        """Recordings in memory, each with exactly one interval; the activities that occur are the declared ones.

        Raises:
            BadSamples: a recording with no or more than one interval.
        """
        digest = hashlib.sha256()
        for recording in recordings:
            if len(recording.intervals) != 1:
                raise BadSamples(f"recording '{recording.name}' has {len(recording.intervals)} activities: it needs 1")
            about = (recording.intervals[0].label, recording.subject, recording.rate_hz, recording.gravity)
            channels = [channel.name for channel in recording.channels]
            digest.update(repr((about, channels, recording.samples.shape)).encode())
            digest.update(np.ascontiguousarray(recording.samples, dtype="<f4").tobytes())
        labels = tuple(sorted({recording.intervals[0].label for recording in recordings}))
        return cls(name, title or name, labels, digest.hexdigest(), lambda: recordings)
