"""Labels of training: the vocabulary's where it has the words, a set's own words where it has not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kinelex.errors import UnknownName
from kinelex.language import Vocabulary
from kinelex.training.text import OWN, encode_labels, training_label

VOCABULARY = Vocabulary.standard()


class Numbers:
    """A text encoder whose vectors are drawn from the text."""

    name, revision, dim = "numbers", "1", 8

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = [np.random.default_rng(list(text.encode())).normal(size=self.dim) for text in texts]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)

    def encode_tokens(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [self.encode([text]) for text in texts]


@pytest.mark.parametrize(
    ("dataset", "activity", "label"),
    [
        ("hapt", "laying", ("lying", "posture")),
        ("mine", "Strolling", ("walking", "locomotion")),
        ("mine", "waxing_skis", ("waxing skis", OWN)),
    ],
)
def test_known_words_are_known_labels_and_others_their_own(dataset: str, activity: str, label: tuple[str, str]) -> None:
    assert training_label(VOCABULARY, dataset, activity) == label


def test_a_set_whose_names_are_listed_keeps_to_them() -> None:
    with pytest.raises(UnknownName, match="'hapt' has no activity 'waxing_skis'"):
        training_label(VOCABULARY, "hapt", "waxing_skis")


def test_labels_of_ones_own_are_encoded_beside_the_vocabulary() -> None:
    labels = ["filing ski edges", "walking", "waxing skis"]
    text = encode_labels(labels, VOCABULARY, Numbers())
    alone = encode_labels(["walking"], VOCABULARY, Numbers())
    assert text.table.texts == (*VOCABULARY.texts, "filing ski edges", "waxing skis")
    assert len(set(text.group.tolist())) == 3, "each in a group of its own"
    np.testing.assert_array_equal(text.space.center, alone.space.center)
    np.testing.assert_array_equal(text.means[1], alone.means[0])
    np.testing.assert_allclose(text.means[2].numpy(), text.space.project(text.table.vectors[-1:])[0], rtol=1e-6)
