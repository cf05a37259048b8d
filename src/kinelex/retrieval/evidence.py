"""From the labels of the neighbors to a distribution over the classes that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import softmax

from kinelex.errors import BadLabels, BadSamples
from kinelex.language.encoder import TextEncoder
from kinelex.language.words import same_words

Floats = NDArray[np.float64]

Strategy = Literal["independent", "weighted", "vote", "combine"]
Average = Literal["probabilities", "scores"]


class EvidenceConfig(BaseModel):
    """How the labels of the neighbors become a distribution."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: Strategy = Field(
        "independent",
        description="independent: each neighbor's label speaks for itself, all alike; weighted: nearer ones more;"
        " vote: each class's share of the neighbors, without likeness of meaning; combine: all labels as one text.",
    )
    temperature: Annotated[float, Field(gt=0)] = Field(
        20.0, description="Multiplies cosines before the softmax: the larger, the sharper."
    )
    average: Average = Field(
        "probabilities",
        description="What is averaged over the neighbors: probabilities (a mixture), or scores before the softmax.",
    )
    decay: Annotated[float, Field(gt=0, le=1)] = Field(
        0.9, description="Weight of a neighbor over that of the one before it, with weighted."
    )


@dataclass(frozen=True, eq=False)
class LabelTable:
    """What remembered labels mean for the classes that are asked for; made once, so that a query needs no text encoder.

    Args:
        labels: those of the remembered examples; need not be among the classes.
        classes: those asked for.
        similarity: ``(label, class)``, cosines of their texts.
        same: ``(label, class)``, whether a label is that class.

    Raises:
        BadLabels: no class, or a label or class twice.
        BadSamples: tables of another shape, or with NaN.
    """

    labels: tuple[str, ...]
    classes: tuple[str, ...]
    similarity: Floats
    same: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for what, names in (("label", self.labels), ("class", self.classes)):
            if len(set(names)) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise BadLabels(f"the {what} '{twice}' is listed twice: name each once")
        if not self.classes:
            raise BadLabels("evidence needs at least one class, such as ['walking', 'running']")
        shape = (len(self.labels), len(self.classes))
        if self.similarity.shape != shape or self.same.shape != shape or not np.isfinite(self.similarity).all():
            raise BadSamples(
                f"{shape[0]} labels and {shape[1]} classes need a finite table, not {self.similarity.shape}"
            )

    @classmethod
    def of_vectors(
        cls,
        labels: Sequence[str],
        classes: Sequence[str],
        label_vectors: NDArray[np.floating],
        class_vectors: NDArray[np.floating],
    ) -> LabelTable:
        """From text vectors, which need not be of unit length, ``(label, text)`` and ``(class, text)``.

        `kinelex.language.label_vectors` gives them averaged over prompts and from its cache; what a text encoder makes
        of the bare labels is the published choice.

        Raises:
            BadLabels: as with the class.
            BadSamples: a vector of zeros or NaN, or vectors of different lengths.
        """
        similarity = _unit(label_vectors, len(labels)) @ _unit(class_vectors, len(classes)).T
        return cls(tuple(labels), tuple(classes), similarity, _same(labels, classes))

    @classmethod
    def identical(cls, labels: Sequence[str], classes: Sequence[str]) -> LabelTable:
        """Without any text vectors: a label is like the class of the same words and like no other."""
        same = _same(labels, classes)
        return cls(tuple(labels), tuple(classes), same.astype(np.float64), same)

    def numbers(self, labels: NDArray[np.str_] | Sequence[str]) -> NDArray[np.int64]:
        """The row of each label, such as those of all remembered examples, ``(example,)``.

        Raises:
            BadLabels: a label that the table does not have.
        """
        rows = {label: row for row, label in enumerate(self.labels)}
        try:
            return np.asarray([rows[label] for label in np.asarray(labels).tolist()], dtype=np.int64)
        except KeyError as error:
            raise BadLabels(f"the label table does not have {error}: make it from all remembered labels") from None


def evidence(
    labels: NDArray[np.int64],
    table: LabelTable,
    config: EvidenceConfig | None = None,
    *,
    text: CombinedText | None = None,
) -> Floats:
    """A distribution over the classes from the labels of the neighbors.

    A neighbor whose label is no class spreads over the classes that its text is like; in a ``vote`` it counts for
    nothing. A query without any neighbor, or in a vote without one that counts, gets the uniform distribution.

    Args:
        labels: rows of the table, ``(query, k)`` best first, -1 for no neighbor.
        table: what the labels mean for the classes.
        config: how; by default each neighbor's distribution, averaged.
        text: needed by the strategy ``combine`` only.

    Returns:
        ``(query, class)``, rows that sum to one.

    Raises:
        BadLabels: a label that the table does not have, or ``combine`` without its text.

    Source: MoRA (arXiv 2605.08117), label strategies Combine, Independent and Weighted. Since remembered labels are
    few, the latter two need no text encoder but one table.

    Examples:
        >>> table = LabelTable.identical(["walking", "running", "rowing"], ["running", "walking"])
        >>> labels = np.array([[0, 0, 1, 2], [2, -1, -1, -1]])
        >>> evidence(labels, table, EvidenceConfig(strategy="vote")).round(2).tolist()
        [[0.33, 0.67], [0.5, 0.5]]
    """
    config = config or EvidenceConfig()
    if labels.ndim != 2 or (labels.size and (labels.min() < -1 or labels.max() >= len(table.labels))):
        raise BadLabels(
            f"neighbor labels (query, k) count from 0 to {len(table.labels) - 1}, or are -1 for none; these,"
            f" {labels.shape}, are from {labels.min(initial=-1)} to {labels.max(initial=-1)}"
        )
    if config.strategy == "combine":
        if text is None:
            raise BadLabels("the strategy 'combine' reads all labels as one text: pass text=CombinedText(...)")
        return text.evidence(labels, table, config.temperature)
    weights = (labels >= 0).astype(np.float64)
    if config.strategy == "weighted":
        weights *= config.decay ** np.arange(labels.shape[1])
    if config.strategy == "vote":
        spoken = table.same / np.maximum(table.same.sum(axis=1, keepdims=True), 1)
        return _normalized(_summed(labels, weights, spoken))
    scores = config.temperature * table.similarity
    if config.average == "probabilities":
        return _normalized(_summed(labels, weights, softmax(scores, axis=1)))
    return np.asarray(
        softmax(_summed(labels, weights, scores) / np.maximum(weights.sum(1, keepdims=True), 1e-300), axis=1)
    )


class CombinedText:
    """All labels of a query's neighbors as one text in order of rank, as published: ``walking, walking, running``.

    Each such text is encoded once and remembered. An encoder that reads so many words only, such as CLIP's with 77
    tokens, cuts the text off at its end, where the furthest neighbors stand.

    Args:
        encoder: a text encoder.
        classes: those asked for, encoded as they stand.
        remembered: how many texts to remember; when there are more, all are forgotten.
    """

    def __init__(self, encoder: TextEncoder, classes: Sequence[str], *, remembered: int = 100_000) -> None:
        self._encoder = encoder
        self._classes = tuple(classes)
        self._vectors = _unit(encoder.encode(list(classes)), len(classes))
        self._remembered = remembered
        self._known: dict[tuple[str, ...], Floats] = {}

    def evidence(self, labels: NDArray[np.int64], table: LabelTable, temperature: float) -> Floats:
        """Softmax of the temperature times the cosines of the combined text with the classes; see `evidence`.

        Raises:
            BadLabels: the table is about other classes.
        """
        if self._classes != table.classes:
            raise BadLabels(f"the combined text was made for {list(self._classes)}, not for {list(table.classes)}")
        keys = [tuple(table.labels[label] for label in row if label >= 0) for row in labels.tolist()]
        similarity = self._similarity(dict.fromkeys(key for key in keys if key))
        nothing = np.zeros(len(self._classes))
        scores = np.asarray([similarity.get(key, nothing) for key in keys]).reshape(len(keys), len(nothing))
        return np.asarray(softmax(temperature * scores, axis=1))

    def _similarity(self, keys: dict[tuple[str, ...], None]) -> dict[tuple[str, ...], Floats]:
        if len(self._known) + len(keys) > self._remembered:
            self._known = {}
        missing = [key for key in keys if key not in self._known]
        if missing:
            vectors = _unit(self._encoder.encode([", ".join(key) for key in missing]), len(missing))
            self._known.update(zip(missing, vectors @ self._vectors.T, strict=True))
        return {key: self._known[key] for key in keys}


def _summed(labels: NDArray[np.int64], weights: Floats, rows: Floats) -> Floats:
    """The weighted sum over the neighbors of their labels' rows, ``(query, class)``."""
    # By label first: queries x labels and labels x classes are both small.
    mass = np.zeros((len(labels), len(rows)))
    queries = np.broadcast_to(np.arange(len(labels))[:, None], labels.shape)
    np.add.at(mass, (queries[labels >= 0], labels[labels >= 0]), weights[labels >= 0])
    return mass @ rows


def _normalized(mass: Floats) -> Floats:
    """Rows that sum to one; those of nothing are uniform."""
    total = mass.sum(axis=1, keepdims=True)
    return np.where(total > 0, mass / np.where(total > 0, total, 1), 1 / mass.shape[1])


def _same(labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.bool_]:
    words, asked = ([same_words(name) for name in names] for names in (labels, classes))
    return np.asarray([[one == other for other in asked] for one in words], dtype=np.bool_).reshape(
        len(words), len(asked)
    )


def _unit(vectors: NDArray[np.floating], count: int) -> Floats:
    rows = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True) if rows.ndim == 2 else np.zeros(1)
    if rows.ndim != 2 or len(rows) != count or not ((lengths > 0) & np.isfinite(lengths)).all():
        raise BadSamples(
            f"{count} texts need one finite vector each that is not all zeros, not a table of {rows.shape}"
        )
    return np.asarray(rows / lengths)
