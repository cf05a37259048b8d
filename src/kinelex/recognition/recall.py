"""What a memory says to some windows, and the answer that words and examples give together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kinelex.model.scoring import softmax
from kinelex.recognition.choices import Choices
from kinelex.signal.recording import Recording

if TYPE_CHECKING:
    from kinelex.retrieval.memory import Example, Memory
    from kinelex.retrieval.neighbors import Neighbors

NEIGHBORS = 10
"""So many remembered examples are looked at for each window."""

NEAREST = 3
"""So many remembered examples are named as the reason for a segment."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A remembered example that speaks for an answer.

    Args:
        example: which one.
        similarity: the cosine between it and the window that is nearest to it.
    """

    example: Example
    similarity: float

    def __str__(self) -> str:
        return f"{self.example}: {self.similarity:.2f}"

    def to_record(self) -> dict[str, Any]:
        """Plain rounded values; a time that is not known is None."""
        of = self.example
        start_s, end_s = (None if np.isnan(at) else round(at, 3) for at in (of.start_s, of.end_s))
        return {
            "id": of.id, "label": of.label, "recording": of.recording, "start_s": start_s, "end_s": end_s,
            "similarity": round(self.similarity, 4),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Recalled:
    """What a memory had to say about the windows of a recording.

    Args:
        neighbors: the nearest examples of every window, among those of the labels to choose from.
        examples: each of these, by its id.
        shown: the number of the label that each remembered label means.
        by_words: ``(window, label)`` probabilities by the words alone; NaN where nobody understands them.
        by_examples: ``(window, label)`` probabilities by the examples alone.
        weight: ``(window,)`` how much of the answer comes from examples, 0 to 1; NaN without signal.
        weighed_by: what said so: `Fusion.name`.
    """

    neighbors: Neighbors
    examples: Mapping[int, Example]
    shown: Mapping[str, int]
    by_words: NDArray[np.float32]
    by_examples: NDArray[np.float32]
    weight: NDArray[np.float32]
    weighed_by: str

    def nearest(self, windows: NDArray[np.bool_], label: int, count: int = NEAREST) -> tuple[Neighbor, ...]:
        """The nearest examples of a label among the neighbors of some windows, nearest first."""
        ids, similarity = self.neighbors.ids[windows].ravel(), self.neighbors.similarity[windows].ravel()
        best: dict[int, float] = {}
        for one in np.argsort(-np.nan_to_num(similarity, nan=-np.inf), kind="stable").tolist():
            example = self.examples.get(int(ids[one]))
            if example is not None and self.shown[example.label] == label:
                best.setdefault(example.id, float(similarity[one]))
                if len(best) == count:
                    break
        return tuple(Neighbor(self.examples[i], near) for i, near in best.items())


@dataclass(frozen=True, eq=False)
class Asked:
    """Some windows, and what the words say of them.

    Args:
        requests: where they are: recordings, each with the starts of its windows in seconds.
        window_s: their length in seconds.
        embeddings: ``(window, text)``; a row of NaN for a window without signal.
        choices: what is chosen among.
        logits: ``(window, label)``, see `Choices.word_logits`.
    """

    requests: Sequence[tuple[Recording, NDArray[np.float64]]]
    window_s: float
    embeddings: NDArray[np.floating]
    choices: Choices
    logits: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """What the examples say of these windows.

    Args:
        neighbors: the nearest of the labels to choose from, ``(window, k)``.
        classes: ``(window, k)`` which label each of them has; -1 for none.
        sizes: ``(label,)`` how many examples of each are remembered.
    """

    neighbors: Neighbors
    classes: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, memory: Memory, neighbors: Neighbors, choices: Choices) -> Found:
        """With the labels of neighbors that a memory found."""
        sizes = memory.sizes(choices.shown, len(choices.names))
        return cls(neighbors, memory.labels_of(neighbors, choices.shown), sizes)


@dataclass(frozen=True, eq=False)
class Fused:
    """One answer of words and examples; a row of NaN for a window without signal.

    Args:
        chances: ``(window, label)`` the answer.
        by_words: ``(window, label)``, see `Recalled`.
        by_examples: ``(window, label)``, likewise.
        weight: ``(window,)``, likewise.
    """

    chances: NDArray[np.float64]
    by_words: NDArray[np.float64]
    by_examples: NDArray[np.float64]
    weight: NDArray[np.float64]


class Fusion(Protocol):
    """A way to make one answer of words and examples."""

    @property
    def name(self) -> str:
        """What it is called where reasons are given."""

    def __call__(self, asked: Asked, found: Found) -> Fused:
        """Weigh both sides against each other, window by window."""


class ClosedForm:
    """Words and examples added as chances are, by how near the examples are; see `kinelex.retrieval.recollection`."""

    name = "closed form"

    def __call__(self, asked: Asked, found: Found) -> Fused:
        """See `Fusion`."""
        from kinelex.retrieval.recollection import faded_words, remembered_logits, retrieval_weight, with_remembered

        words = faded_words(asked.logits, found.sizes)
        remembered = remembered_logits(found.neighbors, found.classes, found.sizes)
        return Fused(
            chances=softmax(with_remembered(words, remembered)),
            by_words=chances_of(words),
            by_examples=chances_of(remembered),
            weight=retrieval_weight(words, remembered),
        )


def recall(memory: Memory, asked: Asked, fusion: Fusion) -> tuple[NDArray[np.float64], Recalled]:
    """Ask a memory.

    Args:
        memory: with examples of the model that made the embeddings, some of them of labels to choose from.
        asked: about which windows.
        fusion: makes one answer of words and examples.

    Returns:
        ``(window, label)`` probabilities by both, and what the memory said.
    """
    choices = asked.choices
    neighbors = memory.search(asked.embeddings, NEIGHBORS, choices.shown)
    fused = fusion(asked, Found.of(memory, neighbors, choices))
    ids = np.unique(neighbors.ids[neighbors.present])
    return fused.chances, Recalled(
        neighbors=neighbors,
        examples={example.id: example for example in memory.examples(ids.tolist())},
        shown=choices.shown,
        by_words=fused.by_words.astype(np.float32),
        by_examples=fused.by_examples.astype(np.float32),
        weight=fused.weight.astype(np.float32),
        weighed_by=fusion.name,
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
        weighed_by=parts[0].weighed_by,
    )


def chances_of(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities; a row of NaN where no label has a logit."""
    chances = np.full(logits.shape, np.nan)
    some = np.isfinite(logits).any(axis=1)
    chances[some] = softmax(logits[some])
    return chances
