"""A data set as every backbone and gate needs it, prepared once: windows, truth, people, physical features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.backbones import AlignedBackbone, ClassifyingBackbone, ClipEncoder, InputContract, adapt_many
from kinelex.backbones.clip_encoder import of_clips
from kinelex.backbones.protocol import Backbone
from kinelex.errors import BadLabels, BadSamples
from kinelex.evaluation.candidates import closed_set
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.retrieval.protocol import RetrievalProtocol
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.units import Request, lay_out
from kinelex.language import TextEncoder, Vocabulary
from kinelex.retrieval.evidence import LabelTable
from kinelex.retrieval.features import physical_features

FEATURE_RATE_HZ = 20.0
"""Of the signal that physical features are taken from, as published."""

_ACC = InputContract(rate_hz=FEATURE_RATE_HZ, channels=("acc_x", "acc_y", "acc_z"), missing="masked", gravity="either")


@dataclass(frozen=True, eq=False)
class Target:
    """A data set that is to be recognized.

    Args:
        source: what it is.
        requests: sessions with the starts of their windows; together they hold every window once, in order.
        truth: ``(window,)`` class numbers.
        subjects: ``(window,)`` numbers of the people in `names`.
        names: of everybody with a window; recordings, where nobody is named.
        named: whether they are people.
        classes: official activity names.
        texts: their words.
        table: how alike these words are.
        features: ``(window, feature)`` physical features of the acceleration, mean over placements; NaN where missing.
        window_s: seconds in a window.
    """

    source: EvaluationSet
    requests: tuple[Request, ...]
    truth: NDArray[np.int64]
    subjects: NDArray[np.int64]
    names: tuple[str, ...]
    named: bool
    classes: tuple[str, ...]
    texts: tuple[str, ...]
    table: LabelTable
    features: NDArray[np.float64]
    window_s: float

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, eq=False)
class Embedded:
    """A target as one backbone sees it.

    Args:
        backbone: its name.
        trained_on: names of the data sets that it saw.
        vectors: ``(window, number)``; NaN without usable signal.
        words: ``(window, class)`` what it says by the words of the activities alone; none where it knows no words.
    """

    backbone: str
    trained_on: tuple[str, ...]
    vectors: NDArray[np.float32]
    words: NDArray[np.float32] | None


def prepare(source: EvaluationSet, protocol: RetrievalProtocol, vocabulary: Vocabulary, encoder: TextEncoder) -> Target:
    """Cut a data set into windows, and take what gates and evidence need of it.

    Raises:
        BadSamples: no session is long enough for a window.
    """
    units = lay_out(source.sessions(), ZeroShotProtocol(window_s=protocol.window_s))
    if not len(units):
        raise BadSamples(f"data set '{source.name}' has no session that is long enough for a window")
    step = 1 if protocol.most_windows is None else -(-len(units) // protocol.most_windows)
    kept = np.arange(0, len(units), step)
    candidates = closed_set(source.name, source.declared, "words", vocabulary, encoder)
    requests = _some(units.requests, kept)
    present, subjects = np.unique(units.subjects[kept], return_inverse=True)
    clips = adapt_many(requests, protocol.window_s, _ACC)
    rows = physical_features(clips.signal, clips.valid, rate_hz=FEATURE_RATE_HZ)
    return Target(
        source=source,
        requests=requests,
        truth=np.array([candidates.class_of_label[units.labels[i]] for i in kept]),
        subjects=subjects.astype(np.int64),
        names=tuple(units.subject_names[i] for i in present),
        named=units.named,
        classes=candidates.classes,
        texts=candidates.texts,
        table=LabelTable.of_vectors(candidates.classes, candidates.classes, candidates.vectors, candidates.vectors),
        features=_means(rows, clips.owner, clips.windows),
        window_s=protocol.window_s,
    )


def embedded(backbone: Backbone, target: Target) -> Embedded:
    """A target as a backbone sees it; its windows go through it together where it can do that."""
    words: NDArray[np.float32] | None = None
    if isinstance(backbone, AlignedBackbone):
        vectors = np.concatenate(backbone.checkpoint.embed_many(target.requests, target.window_s))
        words = backbone.probabilities(vectors, target.texts)
    elif isinstance(backbone, ClipEncoder):
        clips = adapt_many(target.requests, target.window_s, backbone.contract)
        vectors = clips.pooled(of_clips(backbone.encode, clips, backbone.dim, backbone.name))
    else:
        vectors = np.concatenate([backbone.embed(r, starts, target.window_s) for r, starts in target.requests])
    if words is None and isinstance(backbone, ClassifyingBackbone):
        try:
            words = np.concatenate(
                [backbone.predict_proba(r, starts, target.window_s, target.texts) for r, starts in target.requests]
            )
        except BadLabels:
            words = None  # it knows other activities
    name = str(getattr(backbone, "name", type(backbone).__name__))
    return Embedded(name, tuple(getattr(backbone, "trained_on", ())), vectors, words)


def _some(requests: Sequence[Request], kept: NDArray[np.int64]) -> tuple[Request, ...]:
    """The windows of these numbers, in their sessions."""
    found, first = [], 0
    for recording, starts in requests:
        mine = starts[np.isin(np.arange(first, first + len(starts)), kept)]
        first += len(starts)
        if len(mine):
            found.append((recording, mine))
    return tuple(found)


def _means(rows: NDArray[np.float64], owner: NDArray[np.int64], windows: int) -> NDArray[np.float64]:
    """``(clip, feature)`` to ``(window, feature)``: means over the clips that have the feature."""
    there = np.isfinite(rows)
    sums, counts = np.zeros((windows, rows.shape[1])), np.zeros((windows, rows.shape[1]))
    np.add.at(sums, owner, np.where(there, rows, 0.0))
    np.add.at(counts, owner, there)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
