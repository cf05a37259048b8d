"""Retrieval around anybody's model: a memory of labeled windows beside it, and a weight between the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.backbones.physical import FEATURE_CHANNELS, FEATURE_RATE_HZ, window_features
from kinelex.backbones.protocol import Backbone, ClassifyingBackbone
from kinelex.errors import BadLabels, BadSamples
from kinelex.language.encoder import TextEncoder
from kinelex.language.words import same_words
from kinelex.retrieval.evidence import EvidenceConfig, LabelTable, evidence
from kinelex.retrieval.fusion import FIXED_WEIGHT, fuse
from kinelex.retrieval.gate import Gate, TrainedFor
from kinelex.retrieval.memory import Memory
from kinelex.retrieval.neighbors import Neighbors
from kinelex.signal.recording import Recording

NEIGHBORS = 5
"""As published."""


@dataclass(frozen=True, eq=False)
class Retrieval:
    """MoRA around a backbone, and a backbone itself: same vectors, answers that know the remembered examples.

    A backbone that knows no activities, or not those that are asked for, answers by its memory alone.

    Args:
        backbone: any encoder; with `predict_proba` it has a say of its own.
        memory: holds vectors of this backbone, and no others.
        gate: the weight of retrieval, one number for all windows, or a trained gate that gives each window its own.
        texts: says how alike the words of labels are; without one, a label is like itself alone.
        evidence: how the labels of the neighbors become a distribution.
        k: neighbors of a window; fewer where no label has so many examples.

    Source: MoRA (arXiv 2605.08117), equation 1: MoRA[B] with a number, MoRA[F] with a gate.

    >>> from kinelex.backbones import CallableBackbone, InputContract
    >>> from kinelex.retrieval.store import Encoder
    >>> def strength(signal, valid):
    ...     return np.stack([signal.std(axis=(1, 2)), np.ones(len(signal))], axis=1)
    >>> encoder = CallableBackbone(strength, InputContract(rate_hz=20.0), width=2)
    >>> rng = np.random.default_rng(0)
    >>> names = ["acc_x", "acc_y", "acc_z"]
    >>> still, shaken = (
    ...     Recording.from_arrays(size * rng.standard_normal((300, 3)), names, rate_hz=50, gravity=False)
    ...     for size in (0.1, 3.0)
    ... )
    >>> mine = Retrieval(encoder, Memory.temporary(Encoder("strength", "1", 2)))
    >>> mine.remember(still, [0.0], 3.0, "resting"), mine.remember(shaken, [0.0], 3.0, "shaking")
    ((0,), (1,))
    >>> mine.predict_proba(shaken, [3.0], 3.0, ["resting", "shaking"]).argmax()
    np.int64(1)
    """

    backbone: Backbone
    memory: Memory
    gate: float | Gate = FIXED_WEIGHT
    texts: TextEncoder | None = None
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    k: int = NEIGHBORS

    @property
    def name(self) -> str:
        """That of the backbone, and what is around it."""
        return f"{getattr(self.backbone, 'name', type(self.backbone).__name__)} with retrieval"

    @property
    def trained_on(self) -> tuple[str, ...]:
        """Names of the data sets that the backbone saw; what is remembered is no training."""
        return tuple(getattr(self.backbone, "trained_on", ()))

    def embed(self, recording: Recording, starts_s: ArrayLike, window_s: float) -> NDArray[np.float32]:
        """The vectors of the backbone; see `Backbone.embed`."""
        return self.backbone.embed(recording, starts_s, window_s)

    def remember(self, recording: Recording, starts_s: ArrayLike, window_s: float, label: str) -> tuple[int, ...]:
        """Remember windows; returns the ids of those that had usable signal.

        Raises:
            BadSamples: none had.
            BadLabels: the label is blank.
        """
        starts = np.asarray(starts_s, dtype=np.float64)
        vectors = self.embed(recording, starts, window_s)
        usable = np.flatnonzero(np.isfinite(vectors).all(axis=1))
        if not len(usable):
            raise BadSamples(f"no window of '{recording.name}' has enough signal to be remembered as '{label}'")
        ids = self.memory.add(
            vectors[usable],
            [label] * len(usable),
            subjects=[recording.subject] * len(usable),
            recordings=[recording.name] * len(usable),
            start_s=starts[usable],
            end_s=np.minimum(starts[usable] + window_s, recording.duration_s),
        )
        return tuple(ids.tolist())

    def neighbors(self, recording: Recording, starts_s: ArrayLike, window_s: float) -> Neighbors:
        """The remembered examples that are nearest to each window, ``(window, k)``."""
        return self.memory.search(self.embed(recording, starts_s, window_s), self.k)

    def predict_proba(
        self, recording: Recording, starts_s: ArrayLike, window_s: float, labels: Sequence[str]
    ) -> NDArray[np.float32]:
        """Windows to probabilities of labels, by the backbone and by the examples; see `ClassifyingBackbone`.

        Raises:
            BadLabels: none, or two that mean the same.
            UsageError: the gate was trained for windows of another length, other evidence, or another encoder.
        """
        starts = np.asarray(starts_s, dtype=np.float64)
        keys = [same_words(label) for label in labels]
        if twice := [label for label, key in zip(labels, keys, strict=True) if keys.count(key) > 1]:
            raise BadLabels(f"{' and '.join(repr(label) for label in twice)} mean the same: name each activity once")
        vectors = self.embed(recording, starts, window_s)
        table = self._table(labels)
        number = {label: row for row, label in enumerate(table.labels)}
        # Those beyond the examples of the largest label would have to be of others.
        most = self.memory.sizes(number, len(number)).max(initial=1)
        rows = self.memory.labels_of(self.memory.search(vectors, min(self.k, int(most))), number)
        by_examples = evidence(rows, table, self.evidence)
        by_examples[~np.isfinite(vectors).all(axis=1)] = np.nan
        by_backbone = self._own(recording, starts, window_s, labels)
        return fuse(by_backbone, by_examples, self._weight(recording, starts, window_s)).astype(np.float32)

    def _table(self, labels: Sequence[str]) -> LabelTable:
        """What the remembered labels mean for those that are asked for."""
        remembered = self.memory.labels
        if self.texts is None:
            return LabelTable.identical(remembered, labels)
        return LabelTable.of_vectors(remembered, labels, self.texts.encode(remembered), self.texts.encode(labels))

    def _own(
        self, recording: Recording, starts: NDArray[np.float64], window_s: float, labels: Sequence[str]
    ) -> NDArray[np.float64]:
        """What the backbone says; rows of NaN where it knows no activities, or not these."""
        if isinstance(self.backbone, ClassifyingBackbone):
            try:
                return self.backbone.predict_proba(recording, starts, window_s, labels).astype(np.float64)
            except BadLabels:
                pass
        return np.full((len(starts), len(labels)), np.nan)

    def _weight(
        self, recording: Recording, starts: NDArray[np.float64], window_s: float
    ) -> float | NDArray[np.floating]:
        if isinstance(self.gate, Gate):
            self.gate.check_use(
                TrainedFor(
                    fingerprint=self.memory.store.encoder.fingerprint,
                    channels=FEATURE_CHANNELS,
                    rate_hz=FEATURE_RATE_HZ,
                    window_s=window_s,
                    evidence={"k": self.k, **self.evidence.model_dump()},
                )
            )
            return self.gate.weights(window_features([(recording, starts)], window_s))
        return self.gate
