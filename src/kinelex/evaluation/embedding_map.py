"""A map of what a model has learned: training windows and the words of their labels, side by side in two dimensions.

Distances on such a map are faithful nearby only: what lies together is alike, how far apart two clusters lie means
little. It is a picture to look at, no measure to choose by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples, MissingDependency
from kinelex.language import TextEncoder, Vocabulary, label_vectors
from kinelex.model import Checkpoint
from kinelex.model.channels import MEASURED
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Recording
from kinelex.training import Corpus, Track
from kinelex.training.randomness import numpy_generator, seed_of
from kinelex.training.text import OWN, training_label

PERPLEXITY = 30.0
WINDOWS_PER_SET = 300
_WINDOW_S = 6.0


@dataclass(frozen=True, eq=False)
class Landscape:
    """Training windows and label texts on a plane.

    Args:
        windows: ``(window, 2)`` where each window lies.
        labels: ``(label, 2)`` where each label's text lies.
        label_of_window: ``(window,)`` number of each window's label.
        texts: ``(label,)`` the labels.
        groups: ``(label,)`` the group that each label counts as.
        kinds: ``(label,)`` what sort of activity it is.
        note: how the map was made, one line.
    """

    windows: NDArray[np.float64]
    labels: NDArray[np.float64]
    label_of_window: NDArray[np.int64]
    texts: tuple[str, ...]
    groups: tuple[str, ...]
    kinds: tuple[str, ...]
    note: str


def can_map() -> bool:
    """Whether scikit-learn, which lays the map out, is installed."""
    from importlib.util import find_spec

    return find_spec("sklearn") is not None


def survey(
    checkpoint: Checkpoint,
    corpus: Corpus,
    encoder: TextEncoder,
    *,
    vocabulary: Vocabulary | None = None,
    per_set: int = WINDOWS_PER_SET,
    perplexity: float = PERPLEXITY,
    seed: int = 0,
) -> Landscape:
    """Lay out windows of every training set and the texts of their labels by t-SNE.

    Within a set each activity gives about as many windows, so that what is rare is seen, too.

    Args:
        checkpoint: the trained model.
        corpus: its training signal.
        encoder: the text encoder that it was trained with.
        vocabulary: what labels mean; the standard one when left out.
        per_set: windows of each data set, at most.
        perplexity: how many neighbors a point minds; fewer where there are few points.
        seed: decides which windows, and how the layout begins.

    Raises:
        MissingDependency: scikit-learn is not installed.
        BadSamples: fewer than three windows have usable signal.

    Source: van der Maaten, Hinton, "Visualizing data using t-SNE", JMLR 9, 2008.
    """
    vocabulary = vocabulary or Vocabulary.standard()
    vectors, meant = _embedded(checkpoint, corpus, vocabulary, per_set, seed)
    if len(vectors) < 3:
        raise BadSamples(f"{len(vectors)} training windows have usable signal: a map needs at least 3")
    texts = tuple(sorted(set(meant)))
    labels = _label_directions(checkpoint, texts, encoder, vocabulary)
    perplexity = min(perplexity, (len(vectors) + len(labels) - 1) / 3)
    places = laid_out(np.concatenate([vectors, labels]), perplexity, seed)
    known = {label.text: label for label in vocabulary.labels}
    return Landscape(
        windows=places[: len(vectors)],
        labels=places[len(vectors) :],
        label_of_window=np.array([texts.index(text) for text in meant]),
        texts=texts,
        groups=tuple(known[text].group if text in known else text for text in texts),
        kinds=tuple(known[text].kind if text in known else OWN for text in texts),
        note=f"t-SNE of {len(vectors):,} training windows (dots, up to {per_set} of each data set) and"
        f" {len(texts)} label texts (diamonds): cosine distance, perplexity {perplexity:.3g}, seed {seed}",
    )


def _label_directions(
    checkpoint: Checkpoint, texts: Sequence[str], encoder: TextEncoder, vocabulary: Vocabulary
) -> NDArray[np.float32]:
    """Where each text points, ``(label, text)``; a label of several prototypes is at their middle."""
    reader = checkpoint.label_encoder(encoder)
    vectors = checkpoint.text_space.project(label_vectors(texts, reader, vocabulary=vocabulary, synonyms=True))
    width = len(checkpoint.text_space.center)
    return np.asarray(vectors.reshape(len(texts), -1, width).mean(axis=1), dtype=np.float32)


def _embedded(
    checkpoint: Checkpoint, corpus: Corpus, vocabulary: Vocabulary, per_set: int, seed: int
) -> tuple[NDArray[np.float32], list[str]]:
    """Vectors of drawn windows, and the label of each."""
    requests, meant = [], []
    for dataset in dict.fromkeys(track.dataset for track in corpus.tracks):
        for track, starts in _drawn(corpus.of([dataset]), corpus.grid_hz, per_set, seed).items():
            label = training_label(vocabulary, dataset, track.activity)[0]
            requests.append((_recording(corpus, track), starts))
            meant += [label] * len(starts)
    vectors = np.concatenate(checkpoint.embed_many(requests, _WINDOW_S))
    usable = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    return vectors[usable], [meant[i] for i in usable]


def _drawn(tracks: Sequence[Track], grid_hz: float, per_set: int, seed: int) -> dict[Track, NDArray[np.float64]]:
    """Starts of windows in seconds, a like number of each activity, each at random in a random track of it."""
    rng = numpy_generator(seed, 0, f"map/{tracks[0].dataset}")
    activities = sorted({track.activity for track in tracks})
    starts: dict[Track, list[float]] = {}
    for number, activity in enumerate(activities):
        of = [track for track in tracks if track.activity == activity]
        count = (number + 1) * per_set // len(activities) - number * per_set // len(activities)
        for i in rng.integers(len(of), size=count):
            last_s = max(0.0, of[i].steps / grid_hz - _WINDOW_S)
            starts.setdefault(of[i], []).append(float(rng.uniform(0, last_s)))
    return {track: np.array(found) for track, found in starts.items()}


def _recording(corpus: Corpus, track: Track) -> Recording:
    channels = tuple(Channel.parse(name, track.placement) for name in MEASURED)
    samples = np.asarray(corpus.samples[track.start : track.start + track.steps])
    return Recording(samples, corpus.grid_hz, channels, gravity=track.gravity, name=track.session)


def laid_out(vectors: NDArray[np.float32], perplexity: float, seed: int) -> NDArray[np.float64]:
    """Vectors on a plane by t-SNE with cosine distance, ``(vector, 2)``; the same call gives the same map.

    Raises:
        MissingDependency: scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingDependency(
            "a map is laid out by scikit-learn, which is not installed: pip install 'kinelex[train]'"
        ) from None
    layout = TSNE(perplexity=perplexity, metric="cosine", init="pca", random_state=seed_of(seed, 0, "map") % 2**32)
    with threadpool_limits(1):  # sums in one order, so that the same call gives the same map
        return np.asarray(layout.fit_transform(vectors.astype(np.float64)), dtype=np.float64)
