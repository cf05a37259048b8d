"""The words for where a sensor is worn, and a model with room for their vectors."""

from __future__ import annotations

import torch

from kinelex.model.aligned import AlignedModel
from kinelex.model.channels import descriptions
from kinelex.model.config import ModelConfig
from kinelex.signal.channel import PLACEMENTS, UNKNOWN

MODEL_PLACEMENTS = (UNKNOWN, *(p for p in PLACEMENTS if p != UNKNOWN))
"""Rows of a model's placement vectors; left and right share a row."""

PLACEMENT_TEXTS = tuple(
    "worn somewhere on the body" if place == UNKNOWN else f"worn on the {place}" for place in MODEL_PLACEMENTS
)


def placement_row(placement: str) -> int:
    """The row of a standard placement name."""
    return MODEL_PLACEMENTS.index(placement.removeprefix("left ").removeprefix("right "))


def empty_model(config: ModelConfig) -> AlignedModel:
    """A model of this shape without text vectors yet, ready to load weights into."""
    channels = len(descriptions(config.frame, derived=config.derived_channels))
    return AlignedModel(
        config,
        torch.zeros(channels, config.text_dim),
        torch.zeros(len(MODEL_PLACEMENTS), config.text_dim),
    )
