"""A data set as every backbone and gate needs it, prepared once: windows, truth, people, physical features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.backbones import AlignedBackbone, ClassifyingBackbone, ClipEncoder, adapt_many
from kinelex.backbones.clip_encoder import of_clips
from kinelex.backbones.physical import window_features
from kinelex.backbones.protocol import Backbone
from kinelex.errors import BadLabels, BadSamples
from kinelex.evaluation.candidates import closed_set
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.retrieval.protocol import RetrievalProtocol
from kinelex.evaluation.retrieval.wrapped_windows import wrapped_sessions
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.units import Request, lay_out
from kinelex.language import TextEncoder, Vocabulary
from kinelex.retrieval.evidence import LabelTable


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

    With published windows its sessions are wrapped first, so that every backbone is given the same 10 s.

    Raises:
        BadSamples: no session is long enough for a window.
    """
    sessions = source.sessions()
    if protocol.windows == "published":
        sessions = wrapped_sessions(sessions)
    units = lay_out(sessions, ZeroShotProtocol(window_s=protocol.window_s))
    if not len(units):
        raise BadSamples(f"data set '{source.name}' has no session that is long enough for a window")
    step = 1 if protocol.most_windows is None else -(-len(units) // protocol.most_windows)
    kept = np.arange(0, len(units), step)
    candidates = closed_set(source.name, source.declared, "words", vocabulary, encoder)
    requests = _some(units.requests, kept)
    present, subjects = np.unique(units.subjects[kept], return_inverse=True)
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
        features=window_features(requests, protocol.window_s),
        window_s=protocol.window_s,
    )


def embedded(backbone: Backbone, target: Target) -> Embedded:
    """A target as a backbone sees it; its windows go through it together where it can do that."""
    words: NDArray[np.float32] | None = None
    if isinstance(backbone, AlignedBackbone):
        vectors = np.concatenate(backbone.checkpoint.embed_many(target.requests, target.window_s))
        words = _by_words(lambda: backbone.probabilities(vectors, target.texts))
    elif isinstance(backbone, ClipEncoder):
        clips = adapt_many(target.requests, target.window_s, backbone.contract)
        vectors = clips.pooled(of_clips(backbone.encode, clips, backbone.dim, backbone.name))
    else:
        vectors = np.concatenate([backbone.embed(r, starts, target.window_s) for r, starts in target.requests])
    if isinstance(backbone, ClassifyingBackbone) and not isinstance(backbone, AlignedBackbone):
        words = _by_words(
            lambda: np.concatenate(
                [backbone.predict_proba(r, starts, target.window_s, target.texts) for r, starts in target.requests]
            )
        )
    name = str(getattr(backbone, "name", type(backbone).__name__))
    return Embedded(name, tuple(getattr(backbone, "trained_on", ())), vectors, words)


def _by_words(answer: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """What a backbone says by words; none where it knows other activities, or cannot tell two of them apart."""
    try:
        return answer()
    except BadLabels:
        return None


def _some(requests: Sequence[Request], kept: NDArray[np.int64]) -> tuple[Request, ...]:
    """The windows of these numbers, in their sessions."""
    found, first = [], 0
    for recording, starts in requests:
        mine = starts[np.isin(np.arange(first, first + len(starts)), kept)]
        first += len(starts)
        if len(mine):
            found.append((recording, mine))
    return tuple(found)
