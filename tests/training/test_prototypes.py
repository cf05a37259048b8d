"""Prototypes are where the windows of each training label ended up."""

from __future__ import annotations

import numpy as np
import torch

from kinelex.language import Vocabulary
from kinelex.model import AlignedModel, ModelConfig
from kinelex.training import Corpus
from kinelex.training.alignment.prototypes import label_prototypes
from kinelex.training.batches import Batches
from tests.training.conftest import small_recipe


class ByLoudness(AlignedModel):
    """Answers with one of two directions: quiet windows or loud ones."""

    def forward(self, signal, valid, gravity, placement):  # type: ignore[no-untyped-def]
        loud = signal[:, 3:].abs().amax((1, 2)) > 1.6
        return torch.nn.functional.one_hot(loud.long(), self.config.text_dim).float()


def test_a_prototype_is_the_mean_direction_of_the_windows_of_its_label(corpus: Corpus) -> None:
    recipe = small_recipe(
        batch_windows=256,
        model={"width": 16, "layers": 1, "heads": 2, "queries": 2, "hop_s": 2.0, "text_dim": 8},
        augmentation={"scale": 0, "jitter": 0, "slower_rate": 0, "drop_sensor": 0, "drop_channels": 0, "rotation": 0},
    )
    batches = Batches(corpus, recipe, Vocabulary.standard())
    model = AlignedModel.empty(ModelConfig(**recipe.model.model_dump()))
    model.__class__ = ByLoudness
    found = label_prototypes(model.eval(), batches, recipe)
    assert found.shape == (len(batches.labels), 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    direction = dict(zip(batches.labels, found.argmax(axis=1).tolist(), strict=True))
    assert direction["walking"] == 0, "the quietest swing"
    assert direction["walking upstairs"] == 1, "the loudest"
    np.testing.assert_array_equal(found, label_prototypes(model, batches, recipe), "the same windows again")


def test_a_label_that_is_never_drawn_has_no_prototype(corpus: Corpus) -> None:
    recipe = small_recipe(model={"width": 16, "layers": 1, "heads": 2, "queries": 2, "hop_s": 2.0, "text_dim": 8})
    batches = Batches(corpus, recipe, Vocabulary.standard())
    fall = next(i for i, label in enumerate(batches.labels) if "falling" in label)
    batches._cumulative = np.cumsum(np.where(batches._label == fall, 0.0, batches.weights))
    found = label_prototypes(AlignedModel.empty(recipe.model).eval(), batches, recipe)
    assert len(found) == len(batches.labels) - 1
