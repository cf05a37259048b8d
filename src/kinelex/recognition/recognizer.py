"""A trained model in the hands of a user: recordings and activity names in, timelines out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples
from kinelex.model.scoring import softmax
from kinelex.recognition.asked import check_labels, window_starts
from kinelex.recognition.calibration import Unsure
from kinelex.recognition.choices import Choices, choices_among, known_rows, meanings, text_vectors
from kinelex.recognition.recall import Asked, ClosedForm, Fusion, Recalled, joined, recall
from kinelex.recognition.timeline import Timeline
from kinelex.signal.recording import Recording

if TYPE_CHECKING:
    from kinelex.model import Checkpoint
    from kinelex.retrieval.memory import Memory
    from kinelex.retrieval.store import Encoder

WINDOW_S = 6.0
"""Seconds that the shipped models see at once."""

EVERYDAY = (
    "lying", "sitting", "standing", "walking", "walking upstairs", "walking downstairs", "running", "jumping",
    "cycling",
)  # fmt: skip
"""The activities to choose from when a call names none: what most bodies do on most days."""

_CHUNK_WINDOWS = 512  # windows between two calls of `progress`; also bounds the memory of a day-long recording


@dataclass(frozen=True, eq=False)
class Recognizer:
    """Recognizes activities by their names.

    Args:
        checkpoint: a trained model with its text space and the vectors of its known labels.
        unsure_when: the rule for ``unsure``.
        memory: what it was shown; nothing at first.
        fusion: makes one answer of words and examples.
    """

    checkpoint: Checkpoint
    unsure_when: Unsure = field(default_factory=Unsure)
    memory: Memory | None = None
    fusion: Fusion = field(default_factory=ClosedForm)

    def with_memory(self, folder: str | Path, *, create: bool = True, gate: bool | str | Path = True) -> Recognizer:
        """The same model with the memory in a folder, and with the gate that was trained for it.

        Args:
            folder: where it is.
            create: make an empty one where there is none.
            gate: True is the memory's own where it has one, False is none, and a folder is the gate in there.

        Raises:
            UnknownName: there is none, and none is to be made.
            WrongEncoder: another model filled it, or its gate was trained beside another.
            CorruptArtifact: a file of it or of the gate is missing, or not what was written.
            UsageError: the folder holds something else, or the gate was trained for something else.
        """
        from kinelex.recognition.gating import gate_of
        from kinelex.retrieval.memory import Memory

        memory = Memory.open(folder, self.encoder, create=create)
        chosen = gate_of(folder) if gate is True else gate
        opened = replace(self, memory=memory, fusion=ClosedForm())
        return opened.with_gate(chosen) if chosen else opened

    def with_gate(self, folder: str | Path) -> Recognizer:
        """The same model and memory, with a gate that says how far examples are to be trusted.

        Args:
            folder: where it is.

        Raises:
            WrongEncoder: it was trained beside another model.
            CorruptArtifact: a file of it is missing, or not what was written.
            UsageError: it was trained for other features or evidence.
        """
        from kinelex.recognition.gating import gated

        return replace(self, fusion=gated(folder, self.encoder))

    @property
    def encoder(self) -> Encoder:
        """What a memory of this model writes down about whose vectors it holds."""
        from kinelex.retrieval.store import Encoder

        checkpoint = self.checkpoint
        return Encoder(checkpoint.name, checkpoint.fingerprint, checkpoint.model.config.text_dim)

    def remember(
        self,
        recording: Recording,
        label: str,
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
        window_s: float = WINDOW_S,
        hop_s: float | None = None,
    ) -> tuple[int, ...]:
        """Remember what something looks like; the next recognition knows it.

        The label may be new to the model, or a word that it knows and is to hear better.

        Args:
            recording: in which it is done.
            label: what it is, in any words.
            start_s: from when.
            end_s: until when; to the end when left out.
            window_s: as in `recognize`.
            hop_s: as in `recognize`.

        Returns:
            The ids of the remembered windows, for `forget` and `relabel`.

        Raises:
            BadLabels: a blank label.
            BadSamples: no window has enough signal.
            TooShort: less than half a window, or nothing between the two times.
            UsageError: as in `recognize`.
        """
        # Not before its beginning nor after its end, so that the times of examples are those of signal.
        start_s, end = max(start_s, 0.0), min(recording.duration_s, np.inf if end_s is None else end_s)
        part = recording if (start_s, end) == (0.0, recording.duration_s) else recording.between(start_s, end)
        starts_s = window_starts(part, window_s, hop_s)
        vectors = self.checkpoint.embed(part, starts_s, window_s)
        usable = np.isfinite(vectors).all(axis=1)
        if not usable.any():
            raise BadSamples(
                f"recording '{recording.name}' has no window with enough signal between {start_s:g} and {end:g} s:"
                " nothing can be remembered of it"
            )
        begin = start_s + starts_s[usable]
        count = len(begin)
        ids = self.own_memory().add(
            vectors[usable],
            [label] * count,
            subjects=[recording.subject] * count,
            recordings=[recording.name] * count,
            start_s=begin,
            end_s=np.minimum(begin + window_s, end),
        )
        return tuple(ids.tolist())

    def forget(self, what: str | int | Iterable[int]) -> int:
        """Forget examples by their ids, or all of a label.

        Returns:
            How many were forgotten.

        Raises:
            UnknownName: nothing is remembered of it; then nothing is forgotten.
        """
        ids = self._remembered(what)
        self.own_memory().forget(ids)
        return len(ids)

    def relabel(self, what: str | int | Iterable[int], label: str) -> int:
        """Give examples, or all of a label, another label.

        Returns:
            How many have it now.

        Raises:
            UnknownName: nothing is remembered of it; then nothing is changed.
            BadLabels: the new label is blank.
        """
        ids = self._remembered(what)
        self.own_memory().relabel(ids, label)
        return len(ids)

    def own_memory(self) -> Memory:
        """Its memory; one that lives as long as it does where it has none yet."""
        if self.memory is None:
            from kinelex.retrieval.memory import Memory

            object.__setattr__(self, "memory", Memory.temporary(self.encoder))
        assert self.memory is not None
        return self.memory

    def _remembered(self, what: str | int | Iterable[int]) -> list[int]:
        """The ids of all examples of a label, or the ids themselves."""
        if isinstance(what, str):
            return self.own_memory().ids_of(what)
        return [what] if isinstance(what, int) else list(what)

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
            labels: at least two names of activities, in any words; `EVERYDAY` and all that is remembered when left
                out. Names that the model's vocabulary knows, or knows a synonym of, need no text encoder; nor do those
                that are remembered.
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
        return self._timeline(recording, self._choices(names), window_s, hop_s, min_segment_s, progress)

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
        choices = self._choices(names)
        timelines = []
        for recording in recordings:
            timelines.append(self._timeline(recording, choices, window_s, hop_s, None, None))
            if progress is not None:
                progress(len(timelines))
        return timelines

    def default_labels(self) -> tuple[str, ...]:
        """Those of `EVERYDAY` that the model knows, its whole vocabulary when it knows fewer than two, and what is
        remembered.
        """
        everyday = tuple(label for label in EVERYDAY if label in self.checkpoint.labels.texts)
        known = everyday if len(everyday) > 1 else tuple(self.checkpoint.labels.texts)
        remembered = () if self.memory is None else self.memory.labels
        first: dict[int | str, str] = {}
        for label, meaning in meanings(self.checkpoint, (*known, *remembered)):
            first.setdefault(meaning, label)
        return tuple(first.values())

    def unknown_labels(self, labels: Sequence[str]) -> list[str]:
        """Those of the labels that need a text encoder."""
        return [label for label, row in zip(labels, known_rows(self.checkpoint, labels), strict=True) if row is None]

    def check_understood(self, labels: Sequence[str]) -> None:
        """Refuse labels that are neither words that the model understands nor remembered.

        Raises:
            BadLabels, NoTextEncoder: as in `recognize`.
        """
        self._choices(check_labels(labels))

    def label_vectors(self, labels: Sequence[str]) -> NDArray[np.float32]:
        """``(label, text)`` unit vectors of the labels in the model's text space.

        Raises:
            BadLabels: two labels that are one and the same to the model.
            NoTextEncoder: a label that the model does not know, and no text encoder to understand it.
        """
        raw = text_vectors(self.checkpoint, labels)
        return np.asarray(self.checkpoint.text_space.project(raw), dtype=np.float32)

    def _choices(self, names: tuple[str, ...]) -> Choices:
        return choices_among(self.checkpoint, names, () if self.memory is None else self.memory.labels)

    def _timeline(
        self,
        recording: Recording,
        choices: Choices,
        window_s: float,
        hop_s: float | None,
        min_segment_s: float | None,
        progress: Callable[[float], None] | None,
    ) -> Timeline:
        starts_s = window_starts(recording, window_s, hop_s)
        rows = np.empty((len(starts_s), len(choices.names)), dtype=np.float32)
        recalled: list[Recalled] = []
        for first in range(0, len(starts_s), _CHUNK_WINDOWS):
            part = slice(first, min(first + _CHUNK_WINDOWS, len(starts_s)))
            embeddings = self.checkpoint.embed(recording, starts_s[part], window_s)
            logits = choices.word_logits(self.checkpoint, embeddings)
            if self.memory is not None and choices.shown:
                asked = Asked([(recording, starts_s[part])], window_s, embeddings, choices, logits)
                rows[part], of_part = recall(self.memory, asked, self.fusion)
                recalled.append(of_part)
            else:
                rows[part] = softmax(logits)
            if progress is not None:
                progress(part.stop / len(starts_s))
        return Timeline(
            recording=recording,
            labels=choices.names,
            starts_s=starts_s,
            window_s=window_s,
            probabilities=rows,
            min_segment_s=window_s / 2 if min_segment_s is None else min_segment_s,
            unsure_when=self.unsure_when,
            model=self.checkpoint.name,
            recalled=joined(recalled) if recalled else None,
        )
