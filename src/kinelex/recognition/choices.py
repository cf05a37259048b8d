"""What is chosen among: what the words of labels mean to a model, and which remembered labels mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadLabels, NoTextEncoder
from kinelex.model.scoring import label_logits
from kinelex.recognition.asked import same_key

if TYPE_CHECKING:
    from kinelex.model import Checkpoint


@dataclass(frozen=True, eq=False)
class Choices:
    """The labels of a call.

    Args:
        names: as the user wrote them.
        understood: ``(label,)`` whose words the model understands; the others are known by their examples.
        texts: ``(understood label, text)`` the text encoder's vectors of these.
        vectors: ``(understood label, text)`` the same in the model's text space.
        crowding: ``(understood label,)``, see `probabilities`.
        shown: which label each remembered label means; the others have no part.
    """

    names: tuple[str, ...]
    understood: NDArray[np.bool_]
    texts: NDArray[np.float32]
    vectors: NDArray[np.float32]
    crowding: NDArray[np.floating]
    shown: dict[str, int]

    def word_logits(self, checkpoint: Checkpoint, embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
        """What the words alone say, calibrated, ``(window, label)``.

        Minus infinity for a label whose words nobody understands, a row of NaN for a window without signal.
        """
        logits = np.full((len(embeddings), len(self.names)), -np.inf)
        if self.understood.any():
            logits[:, self.understood] = label_logits(
                embeddings, self.vectors, scale=checkpoint.scale, crowding=self.crowding
            )
        logits /= checkpoint.temperature
        logits[~np.isfinite(embeddings).all(axis=1)] = np.nan
        return logits


def choices_among(checkpoint: Checkpoint, names: Sequence[str], remembered: Sequence[str] = ()) -> Choices:
    """What is known of labels.

    Args:
        checkpoint: whose words these are.
        names: at least two, checked.
        remembered: labels of a memory.

    Raises:
        BadLabels: two that mean the same.
        NoTextEncoder: one that is neither known nor remembered, and no text encoder to understand it.
    """
    number = {meaning: i for i, (_, meaning) in enumerate(meanings(checkpoint, names))}
    shown = {label: number[meaning] for label, meaning in meanings(checkpoint, remembered) if meaning in number}
    # Words that the vocabulary does not have may mean anything: examples say it better.
    unknown = {name for name, row in zip(names, known_rows(checkpoint, names), strict=True) if row is None}
    heard = {name for name in unknown if number[same_key(name)] in shown.values()}
    understood = np.array([name not in heard for name in names], dtype=np.bool_)
    read = [name for name in names if name not in heard]
    texts = vectors = np.zeros((0, checkpoint.labels.vectors.shape[1]), dtype=np.float32)
    crowding = np.zeros(0)
    if read:
        texts = text_vectors(checkpoint, read)
        vectors = np.asarray(checkpoint.text_space.project(texts), dtype=np.float32)
        crowding = checkpoint.text_space.crowding(vectors)
    return Choices(tuple(names), understood, texts, vectors, crowding, shown)


def text_vectors(checkpoint: Checkpoint, labels: Sequence[str]) -> NDArray[np.float32]:
    """``(label, text)`` the text encoder's vectors of labels: the checkpoint's own where it knows them.

    Raises:
        BadLabels: two labels that are one and the same to the model.
        NoTextEncoder: a label that the model does not know, and no text encoder to understand it.
    """
    rows = known_rows(checkpoint, labels)
    taken: dict[int, str] = {}
    for label, row in zip(labels, rows, strict=True):
        if row is not None and taken.setdefault(row, label) != label:
            raise BadLabels(
                f"'{taken[row]}' and '{label}' mean the same ('{checkpoint.labels.texts[row]}'):"
                " the model cannot choose between them, so leave one out"
            )
    known = checkpoint.labels.vectors
    raw = np.stack([np.zeros_like(known[0]) if row is None else known[row] for row in rows])
    unknown = [position for position, row in enumerate(rows) if row is None]
    if unknown:
        raw[unknown] = _encoded(checkpoint, [labels[position] for position in unknown])
    return np.asarray(raw, dtype=np.float32)


def known_rows(checkpoint: Checkpoint, labels: Sequence[str]) -> list[int | None]:
    """For each label its row in the checkpoint's table, found by its words or as a synonym; None if unknown."""
    from kinelex.language import Vocabulary

    table = {same_key(text): row for row, text in enumerate(checkpoint.labels.texts)}
    rows: list[int | None] = []
    for label in labels:
        row = table.get(same_key(label))
        # Reading the vocabulary takes longer than everything else here: only when the table has no such words.
        if row is None and (entry := Vocabulary.standard().find(label)) is not None:
            row = table.get(same_key(entry.text))
        rows.append(row)
    return rows


def meanings(checkpoint: Checkpoint, labels: Sequence[str]) -> list[tuple[str, int | str]]:
    """Each label with what is the same for two labels that mean the same."""
    rows = zip(labels, known_rows(checkpoint, labels), strict=True)
    return [(label, same_key(label) if row is None else row) for label, row in rows]


def _encoded(checkpoint: Checkpoint, labels: list[str]) -> NDArray[np.float32]:
    from kinelex.language import label_vectors

    try:
        return label_vectors(labels, checkpoint.label_encoder())
    except NoTextEncoder as error:
        names = ", ".join(f"'{label}'" for label in labels)
        raise NoTextEncoder(f"the model's vocabulary does not have {names}: {error}") from None
