"""Maps of data sets as backbones see them: windows that lie together are alike to the encoder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinelex.backbones import Backbone
from kinelex.errors import BadSamples, UnknownName
from kinelex.evaluation.candidates import known_label
from kinelex.evaluation.embedding_map import PERPLEXITY, Landscape, laid_out
from kinelex.evaluation.embedding_map_picture import draw_map
from kinelex.evaluation.retrieval.protocol import RetrievalProtocol
from kinelex.evaluation.retrieval.targets import Embedded, Target, embedded, prepare
from kinelex.evaluation.sources import EvaluationSet
from kinelex.language import TextEncoder, Vocabulary, resolve_text_encoder
from kinelex.training.text import OWN

WINDOWS_PER_ACTIVITY = 60


def embedding_maps(
    backbones: Sequence[Backbone],
    data: Sequence[EvaluationSet],
    folder: str | Path,
    protocol: RetrievalProtocol | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    encoder: TextEncoder | None = None,
    seed: int = 0,
) -> list[Path]:
    """Draw each data set as each backbone sees it, a color for every activity.

    Args:
        backbones: encoders, each with a name of its own.
        data: the data sets.
        folder: where ``map-SET-BACKBONE.png`` goes.
        protocol: how windows are cut; the defaults when left out.
        vocabulary: says what sort of movement an activity is; the standard one when left out.
        encoder: the default text encoder when left out.
        seed: decides how the layout begins.

    Returns:
        The pictures, set by set.

    Raises:
        MissingDependency: scikit-learn is not installed.
        BadSamples: a backbone sees fewer than three windows of a data set.
        NoTextEncoder: none was found.
    """
    protocol, vocabulary = protocol or RetrievalProtocol(), vocabulary or Vocabulary.standard()
    encoder = encoder or resolve_text_encoder()
    written = []
    for source in data:
        target = prepare(source, protocol, vocabulary, encoder)
        for backbone in backbones:
            seen = embedded(backbone, target)
            path = Path(folder) / re.sub(r"[^\w.-]+", "-", f"map-{source.name}-{seen.backbone}.png")
            draw_map(
                landscape_of(seen, target, vocabulary, seed), path, title=f"{source.title} as {seen.backbone} sees it"
            )
            written.append(path)
    return written


def landscape_of(seen: Embedded, target: Target, vocabulary: Vocabulary, seed: int = 0) -> Landscape:
    """Windows on a plane by t-SNE, of each activity about as many; its mark stands in the middle of them.

    Raises:
        MissingDependency: scikit-learn is not installed.
        BadSamples: fewer than three windows with usable signal.
    """
    rows = _shown(target.truth, np.flatnonzero(np.isfinite(seen.vectors).all(axis=1)))
    if len(rows) < 3:
        raise BadSamples(
            f"backbone '{seen.backbone}' sees {len(rows)} windows of '{target.source.name}': a map needs at least 3"
        )
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    places = laid_out(seen.vectors[rows], perplexity, seed)
    present, of = np.unique(target.truth[rows], return_inverse=True)
    texts = tuple(target.texts[number] for number in present)
    return Landscape(
        windows=places,
        labels=np.stack([np.median(places[of == number], axis=0) for number in range(len(present))]),
        label_of_window=of.astype(np.int64),
        texts=texts,
        groups=texts,
        kinds=tuple(_kind(target, target.classes[number], vocabulary) for number in present),
        note=f"t-SNE of {len(rows):,} windows (dots, up to {WINDOWS_PER_ACTIVITY} of each activity; diamonds: their"
        f" medians): cosine distance, perplexity {perplexity:.3g}, seed {seed}",
    )


def _shown(truth: NDArray[np.int64], usable: NDArray[np.int64]) -> NDArray[np.int64]:
    """Evenly spread windows of every activity, ascending."""
    chosen = [np.empty(0, dtype=np.int64)]
    for number in np.unique(truth[usable]):
        rows = usable[truth[usable] == number]
        count = min(len(rows), WINDOWS_PER_ACTIVITY)
        chosen.append(rows[np.arange(count) * len(rows) // count])
    return np.sort(np.concatenate(chosen))


def _kind(target: Target, name: str, vocabulary: Vocabulary) -> str:
    try:
        return known_label(target.source.name, name, vocabulary).kind
    except UnknownName:
        return OWN
