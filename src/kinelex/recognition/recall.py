"""What a memory says to some windows, and the answer that words and examples give together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinelex.recognition.scoring import softmax
from kinelex.recognition.timeline import Recalled

if TYPE_CHECKING:
    from kinelex.retrieval.memory import Memory

NEIGHBORS = 10
"""So many remembered examples are looked at for each window."""


def recall(
    memory: Memory, embeddings: NDArray[np.floating], logits: NDArray[np.float64], shown: Mapping[str, int]
) -> tuple[NDArray[np.float64], Recalled]:
    """Ask a memory.

    Args:
        memory: with examples of the model that made the embeddings.
        embeddings: ``(window, text)``; NaN rows for windows without signal.
        logits: ``(window, label)``, calibrated, by the words; minus infinity for a label whose words nobody
            understands.
        shown: which label each remembered label means; examples of others have no part.

    Returns:
        Logits by words and examples, likewise, and what the memory said.
    """
    from kinelex.retrieval.recollection import faded_words, remembered_logits, retrieval_weight, with_remembered

    neighbors = memory.search(embeddings, NEIGHBORS, shown)
    sizes = memory.sizes(shown, logits.shape[1])
    words, remembered = (
        faded_words(logits, sizes),
        remembered_logits(neighbors, memory.labels_of(neighbors, shown), sizes),
    )
    ids = np.unique(neighbors.ids[neighbors.present])
    return with_remembered(words, remembered), Recalled(
        neighbors=neighbors,
        examples={example.id: example for example in memory.examples(ids.tolist())},
        shown=shown,
        by_words=_chances(words),
        by_examples=_chances(remembered),
        weight=retrieval_weight(words, remembered).astype(np.float32),
    )


def joined(parts: Sequence[Recalled]) -> Recalled:
    """What a memory said to one part of the windows after the other."""
    neighbors = [part.neighbors for part in parts]
    return Recalled(
        neighbors=neighbors[0].stacked(neighbors, NEIGHBORS),
        examples={number: example for part in parts for number, example in part.examples.items()},
        shown=parts[0].shown,
        by_words=np.concatenate([part.by_words for part in parts]),
        by_examples=np.concatenate([part.by_examples for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
    )


def _chances(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Probabilities; a row of NaN where no label has a logit."""
    chances = np.full(logits.shape, np.nan, dtype=np.float32)
    some = np.isfinite(logits).any(axis=1)
    chances[some] = softmax(logits[some])
    return chances
