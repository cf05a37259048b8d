from __future__ import annotations

import numpy as np
import pytest
import torch

from kinelex.model import AlignedModel, Checkpoint, LabelTable, ModelConfig, TextSpace

TINY = ModelConfig(width=16, layers=1, heads=2, queries=2, dropout=0.0, text_dim=24, placement_text=True)


def untrained(config: ModelConfig = TINY) -> AlignedModel:
    torch.manual_seed(0)
    model = AlignedModel.empty(config)
    for parameter in model.parameters():
        if parameter.ndim > 1:  # also what starts at zero, so that every path is visible
            torch.nn.init.normal_(parameter, std=0.3)
    for part in (model.channel_text, model.channel_fusion):
        for vectors in [] if part is None else part.buffers():
            vectors.fill_(True) if vectors.dtype == torch.bool else vectors.normal_()
    return model.eval()


@pytest.fixture(scope="session")
def model() -> AlignedModel:
    return untrained()


@pytest.fixture
def checkpoint(model: AlignedModel) -> Checkpoint:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Checkpoint(
        name="tiny",
        model=model,
        labels=LabelTable(("walking", "running", "lying"), vectors),
        text_space=TextSpace(vectors.mean(0), anchors=vectors[:2], prototypes=vectors[1:]),
        text_encoder="fake@1",
        temperature=1.5,
        card="# tiny\n",
        trained_on=("hapt",),
    )
