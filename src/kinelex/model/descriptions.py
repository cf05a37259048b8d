"""What a model is told about its channels and placements: the frozen text vectors of their descriptions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinelex.errors import BadRecipe
from kinelex.language.encoder import TextEncoder
from kinelex.model.channels import descriptions
from kinelex.model.config import ModelConfig
from kinelex.model.placements import MODEL_PLACEMENTS, PLACEMENT_TEXTS

TOKENS = 24
"""Room for the tokens of a channel's description; longer ones lose their end."""


@dataclass(frozen=True, eq=False)
class Descriptions:
    """Frozen vectors of the words for channels and placements.

    They are part of a checkpoint, so that using a model needs no text encoder.

    Args:
        channels: sentence vectors of `kinelex.model.channels.descriptions`.
        placements: sentence vectors of the placements.
        tokens: token vectors of the channels' descriptions, 0 on padding.
        tokens_valid: which tokens are words.
    """

    channels: Float[Tensor, "channel text"]
    placements: Float[Tensor, "place text"]
    tokens: Float[Tensor, "channel token text"]
    tokens_valid: Bool[Tensor, "channel token"]

    @classmethod
    def encoded(cls, config: ModelConfig, encoder: TextEncoder) -> Descriptions:
        """The vectors of a text encoder.

        Raises:
            BadRecipe: they have another width than the model's text space.
        """
        if encoder.dim != config.text_dim:
            raise BadRecipe(
                f"text encoder '{encoder.name}' has vectors of {encoder.dim} and model.text_dim is {config.text_dim}:"
                f" set model.text_dim to {encoder.dim}"
            )
        texts = list(descriptions(config.frame, derived=config.derived_channels))
        empty = cls.empty(config)
        if config.channel_fusion:
            tokens, mask = encoder.encode_tokens(texts)
            count = min(TOKENS, tokens.shape[1])
            empty.tokens[:, :count] = torch.from_numpy(tokens[:, :count] * mask[:, :count, None])
            empty.tokens_valid[:, :count] = torch.from_numpy(mask[:, :count])
        return cls(
            channels=torch.from_numpy(encoder.encode(texts)),
            placements=torch.from_numpy(encoder.encode(list(PLACEMENT_TEXTS))),
            tokens=empty.tokens,
            tokens_valid=empty.tokens_valid,
        )

    @classmethod
    def empty(cls, config: ModelConfig) -> Descriptions:
        """Zeros of the right shape, to load weights into."""
        channels = len(descriptions(config.frame, derived=config.derived_channels))
        return cls(
            channels=torch.zeros(channels, config.text_dim),
            placements=torch.zeros(len(MODEL_PLACEMENTS), config.text_dim),
            tokens=torch.zeros(channels, TOKENS, config.text_dim),
            tokens_valid=torch.zeros(channels, TOKENS, dtype=torch.bool),
        )
