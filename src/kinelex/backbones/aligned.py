"""The aligned model as a backbone: its embedding is its place among the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.backbones.contract import InputContract
from kinelex.errors import BadLabels
from kinelex.language.vectors import label_vectors
from kinelex.language.vocabulary import Vocabulary
from kinelex.language.words import same_words
from kinelex.model.channels import MEASURED
from kinelex.model.checkpoint import Checkpoint
from kinelex.model.scoring import probabilities
from kinelex.signal.recording import Recording


@dataclass(frozen=True, eq=False)
class AlignedBackbone:
    """A checkpoint, which adapts recordings by itself; any label text is a class to it.

    Args:
        checkpoint: the trained model with its text space and the vectors of its known labels.
    """

    checkpoint: Checkpoint

    @property
    def name(self) -> str:
        """The checkpoint's."""
        return self.checkpoint.name

    @property
    def trained_on(self) -> tuple[str, ...]:
        """Names of the data sets that it saw."""
        return self.checkpoint.trained_on

    @property
    def dim(self) -> int:
        """That of the text space."""
        return self.checkpoint.model.config.text_dim

    @cached_property
    def contract(self) -> InputContract:
        """What it brings recordings to."""
        return InputContract(
            rate_hz=self.checkpoint.model.config.grid_hz,
            channels=tuple(MEASURED),
            missing="masked",
            gravity="either",
            needs=("acc", "gyro"),
        )

    def embed(self, recording: Recording, starts_s: ArrayLike, window_s: float) -> NDArray[np.float32]:
        """Windows to unit vectors in the text space; see `Backbone.embed`."""
        return self.checkpoint.embed(recording, np.asarray(starts_s, np.float64).reshape(-1), window_s)

    def predict_proba(
        self, recording: Recording, starts_s: ArrayLike, window_s: float, labels: Sequence[str]
    ) -> NDArray[np.float32]:
        """Windows to probabilities of labels, as `Recognizer` gives them; see `ClassifyingBackbone.predict_proba`.

        Raises:
            BadLabels: no label, or two that are one and the same to the model.
            NoTextEncoder: a label that the model does not know, and no text encoder to understand it.
        """
        embeddings = self.embed(recording, starts_s, window_s)
        return self.probabilities(embeddings, labels)

    def probabilities(self, embeddings: NDArray[np.floating], labels: Sequence[str]) -> NDArray[np.float32]:
        """Vectors that `embed` gave to probabilities of labels, ``(window, label)``; a row of NaN stays one."""
        space = self.checkpoint.text_space
        vectors = space.project(self._raw(labels))
        return probabilities(
            embeddings,
            vectors,
            scale=self.checkpoint.scale,
            crowding=space.crowding(vectors),
            temperature=self.checkpoint.temperature,
        )

    def _raw(self, labels: Sequence[str]) -> NDArray[np.float32]:
        """``(label, text)`` vectors of the label side: the checkpoint's own where it knows the label."""
        if isinstance(labels, str) or not labels:
            raise BadLabels(
                f"backbone '{self.name}' needs a list of labels to choose from, such as ['walking', 'sitting']"
            )
        rows = [self._row(label) for label in labels]
        taken: dict[int, str] = {}
        for label, row in zip(labels, rows, strict=True):
            if row is not None and row in taken:
                raise BadLabels(f"'{taken[row]}' and '{label}' are the same to backbone '{self.name}': leave one out")
            if row is not None:
                taken[row] = label
        known = self.checkpoint.labels.vectors
        raw = np.stack([np.zeros_like(known[0]) if row is None else known[row] for row in rows])
        unknown = [place for place, row in enumerate(rows) if row is None]
        if unknown:
            raw[unknown] = label_vectors([labels[place] for place in unknown], self.checkpoint.label_encoder())
        return raw

    def _row(self, label: str) -> int | None:
        found = self._table.get(same_words(label))
        if found is None and (entry := Vocabulary.standard().find(label)) is not None:
            found = self._table.get(same_words(entry.text))
        return found

    @cached_property
    def _table(self) -> dict[str, int]:
        return {same_words(text): row for row, text in enumerate(self.checkpoint.labels.texts)}
