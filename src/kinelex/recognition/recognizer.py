"""A trained model in the hands of a user: recordings and activity names in, timelines out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

import kinelex
from kinelex.artifact import MANIFEST
from kinelex.errors import BadLabels, NoTextEncoder, UnknownName, UsageError
from kinelex.hub import fetch_from_hub, hub_file, is_hub_id
from kinelex.recognition.calibration import Unsure
from kinelex.recognition.scoring import probabilities
from kinelex.recognition.timeline import Timeline
from kinelex.signal.recording import Recording
from kinelex.signal.windows import windows_of

if TYPE_CHECKING:
    from kinelex.model import Checkpoint

WINDOW_S = 6.0
"""Seconds that the shipped models see at once."""

EVERYDAY = (
    "lying", "sitting", "standing", "walking", "walking upstairs", "walking downstairs", "running", "jumping",
    "cycling",
)  # fmt: skip
"""The activities to choose from when a call names none: what most bodies do on most days."""

_CHUNK_WINDOWS = 512  # windows between two calls of `progress`; also bounds the memory of a day-long recording


def shipped_models() -> dict[str, Path]:
    """The models inside this package: name and folder."""
    folder = Path(kinelex.__file__).parent / "weights"
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/manifest.json"))}


def load(name_or_path: str | Path = "small", *, precision: Literal["fp32", "bf16"] = "fp32") -> Recognizer:
    """Load a model by the name of a shipped one, from a folder, or from the hub.

    Args:
        name_or_path: ``"small"``; the folder of a checkpoint; or a hub id, ``owner/model``, which is fetched once.
        precision: bf16 is about twice as fast on processors that multiply it in hardware, and a little less exact.

    Raises:
        UnknownName: neither a shipped model, nor a folder, nor a hub id; the message lists the shipped ones.
        MissingDependency: a hub id, and the hub's client is not installed.
        DownloadFailed: a hub id that is not on this machine and could not be fetched.
        CorruptArtifact: a file of the checkpoint is missing, or not what was written.
        UnsupportedFormat: the checkpoint was written by a newer Kinelex.
    """
    from kinelex.model import load_checkpoint
    from kinelex.model.checkpoint import FILES as CHECKPOINT_FILES

    shipped = shipped_models()
    folder = shipped.get(str(name_or_path), Path(name_or_path))
    if not folder.is_dir() and isinstance(name_or_path, str) and is_hub_id(name_or_path) and not folder.exists():
        manifest = hub_file(name_or_path, MANIFEST)
        folder = manifest.parent if manifest else fetch_from_hub(name_or_path, "model", CHECKPOINT_FILES)
    if not folder.is_dir():
        names = ", ".join(f"'{name}'" for name in shipped) or "none in this installation"
        raise UnknownName(
            f"no model '{name_or_path}': the shipped ones are {names}; or pass a checkpoint's folder, or a hub id"
            " such as owner/model"
        )
    return Recognizer(load_checkpoint(folder).described(precision=precision))


@dataclass(frozen=True, eq=False)
class Recognizer:
    """Recognizes activities by their names.

    Args:
        checkpoint: a trained model with its text space and the vectors of its known labels.
        unsure_when: the rule for ``unsure``.
    """

    checkpoint: Checkpoint
    unsure_when: Unsure = field(default_factory=Unsure)

    def recognize(
        self,
        recording: Recording,
        labels: Sequence[str] | None = None,
        *,
        window_s: float = WINDOW_S,
        hop_s: float | None = None,
        min_segment_s: float | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Timeline:
        """Say which of the activities happens when in a recording.

        Args:
            recording: any rate from 5 to 400 Hz, any subset of channels, any length from half a window up.
            labels: at least two names of activities, in any words; `EVERYDAY` when left out. Names that the model's
                vocabulary knows, or knows a synonym of, need no text encoder.
            window_s: seconds that are looked at together.
            hop_s: seconds from one window's start to the next, at most `window_s`; half of it when left out.
            min_segment_s: a shorter segment joins the better of its neighbours; half a window when left out, and 0
                keeps every one.
            progress: called with the share that is done, 0 to 1.

        Raises:
            BadLabels: fewer than two labels, a blank one, or two that mean the same.
            NoTextEncoder: a label that the model does not know, and no text encoder to understand it.
            TooShort: the recording is shorter than half a window.
            UsageError: windows or hops of no or impossible length.
        """
        names = check_labels(self.default_labels() if labels is None else labels)
        return self._timeline(recording, names, self.label_vectors(names), window_s, hop_s, min_segment_s, progress)

    def recognize_many(
        self,
        recordings: Iterable[Recording],
        labels: Sequence[str] | None = None,
        *,
        window_s: float = WINDOW_S,
        hop_s: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Timeline]:
        """Recognize many recordings with the same labels, which are turned into vectors once.

        ``timeline.overall()`` is the one answer for a recording of one activity.

        Args:
            recordings: read one by one; the timelines keep them.
            labels: as in `recognize`.
            window_s: as in `recognize`.
            hop_s: as in `recognize`.
            progress: called with the number of recordings that are done.

        Raises:
            BadLabels, NoTextEncoder, TooShort, UsageError: as in `recognize`.
        """
        names = check_labels(self.default_labels() if labels is None else labels)
        vectors = self.label_vectors(names)
        timelines = []
        for recording in recordings:
            timelines.append(self._timeline(recording, names, vectors, window_s, hop_s, None, None))
            if progress is not None:
                progress(len(timelines))
        return timelines

    def default_labels(self) -> tuple[str, ...]:
        """Those of `EVERYDAY` that the model knows; its whole vocabulary when it knows fewer than two."""
        everyday = tuple(label for label in EVERYDAY if label in self.checkpoint.labels.texts)
        return everyday if len(everyday) > 1 else tuple(self.checkpoint.labels.texts)

    def unknown_labels(self, labels: Sequence[str]) -> list[str]:
        """Those of the labels that need a text encoder."""
        return [label for label, row in zip(labels, self._rows(labels), strict=True) if row is None]

    def label_vectors(self, labels: Sequence[str]) -> NDArray[np.float32]:
        """``(label, text)`` unit vectors of the labels in the model's text space.

        Raises:
            BadLabels: two labels that are one and the same to the model.
            NoTextEncoder: a label that the model does not know, and no text encoder to understand it.
        """
        rows = self._rows(labels)
        taken: dict[int, str] = {}
        for label, row in zip(labels, rows, strict=True):
            if row is not None and taken.setdefault(row, label) != label:
                raise BadLabels(
                    f"'{taken[row]}' and '{label}' mean the same ('{self.checkpoint.labels.texts[row]}'):"
                    " the model cannot choose between them, so leave one out"
                )
        known = self.checkpoint.labels.vectors
        raw = np.stack([np.zeros_like(known[0]) if row is None else known[row] for row in rows])
        unknown = [position for position, row in enumerate(rows) if row is None]
        if unknown:
            raw[unknown] = self._encode([labels[position] for position in unknown])
        return np.asarray(self.checkpoint.text_space.project(raw), dtype=np.float32)

    def _rows(self, labels: Sequence[str]) -> list[int | None]:
        """For each label its row in the checkpoint's table, found by its words or as a synonym; None if unknown."""
        from kinelex.language import Vocabulary

        table = {_key(text): row for row, text in enumerate(self.checkpoint.labels.texts)}
        rows: list[int | None] = []
        for label in labels:
            row = table.get(_key(label))
            # Reading the vocabulary takes longer than everything else here: only when the table has no such words.
            if row is None and (entry := Vocabulary.standard().find(label)) is not None:
                row = table.get(_key(entry.text))
            rows.append(row)
        return rows

    def _encode(self, labels: list[str]) -> NDArray[np.float32]:
        from kinelex.language import label_vectors

        try:
            return label_vectors(labels, self.checkpoint.label_encoder())
        except NoTextEncoder as error:
            names = ", ".join(f"'{label}'" for label in labels)
            raise NoTextEncoder(f"the model's vocabulary does not have {names}: {error}") from None

    def _timeline(
        self,
        recording: Recording,
        labels: tuple[str, ...],
        vectors: NDArray[np.float32],
        window_s: float,
        hop_s: float | None,
        min_segment_s: float | None,
        progress: Callable[[float], None] | None,
    ) -> Timeline:
        starts_s = window_starts(recording, window_s, hop_s)
        rows = np.empty((len(starts_s), len(labels)), dtype=np.float32)
        crowding = self.checkpoint.text_space.crowding(vectors)
        for first in range(0, len(starts_s), _CHUNK_WINDOWS):
            part = slice(first, min(first + _CHUNK_WINDOWS, len(starts_s)))
            embeddings = self.checkpoint.embed(recording, starts_s[part], window_s)
            rows[part] = probabilities(
                embeddings,
                vectors,
                scale=self.checkpoint.scale,
                crowding=crowding,
                temperature=self.checkpoint.temperature,
            )
            if progress is not None:
                progress(part.stop / len(starts_s))
        return Timeline(
            recording=recording,
            labels=labels,
            starts_s=starts_s,
            window_s=window_s,
            probabilities=rows,
            min_segment_s=window_s / 2 if min_segment_s is None else min_segment_s,
            unsure_when=self.unsure_when,
            model=self.checkpoint.name,
        )


def window_starts(recording: Recording, window_s: float, hop_s: float | None = None) -> NDArray[np.float64]:
    """Where windows begin so that they cover the whole recording.

    Where whole hops do not reach the end, one more window ends exactly there.

    Raises:
        TooShort: the recording is shorter than half a window.
        UsageError: see `check_hop`.
    """
    hop = check_hop(window_s, hop_s)
    starts = windows_of(recording.duration_s, window_s, hop, keep_tail=False, name=recording.name)
    last_s = recording.duration_s - window_s
    return np.append(starts, last_s) if last_s - starts[-1] > 0.5 / recording.rate_hz else starts


def check_hop(window_s: float, hop_s: float | None = None) -> float:
    """The seconds from one window to the next: half a window when left out.

    Raises:
        UsageError: a window of no or endless length, or a hop that is not above zero or leaves holes between windows.
    """
    hop = window_s / 2 if hop_s is None else hop_s
    if not (0 < window_s < float("inf") and 0 < hop <= window_s):
        raise UsageError(
            f"windows of {window_s:g} s every {hop:g} s cannot be: window_s must be above zero, and hop_s above zero"
            " and at most window_s, so that no second is left out"
        )
    return hop


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels without surrounding blanks, at least two, no two alike.

    Raises:
        BadLabels: a single string, an empty list, one label alone, a blank one, or one that is named twice.
    """
    if isinstance(labels, str):
        raise BadLabels(f"labels must be a list of names, not one string: pass {labels.split(',')!r}")
    names: list[str] = []
    seen: dict[str, str] = {}
    for position, label in enumerate(labels, 1):
        if not isinstance(label, str):
            raise BadLabels(f"label {position} is {label!r}, not a name of an activity")
        name = " ".join(label.split())
        if not any(character.isalnum() for character in name):
            raise BadLabels(f"label {position} of {len(labels)} is blank: leave it out, or name an activity")
        if _key(name) in seen:
            raise BadLabels(f"'{seen[_key(name)]}' and '{name}' are one label named twice: leave one out")
        seen[_key(name)] = name
        names.append(name)
    if not names:
        raise BadLabels('no labels: name at least two activities, such as ["walking", "sitting"]')
    if len(names) == 1:
        raise BadLabels(f"'{names[0]}' alone would always win: name at least one other activity, such as 'standing'")
    return tuple(names)


def _key(label: str) -> str:
    from kinelex.language.words import same_words

    return same_words(label)
