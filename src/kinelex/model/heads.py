"""Tokens of a window into the space of sentences: pooled at once, or first over channels and then along time."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinelex.model.config import ModelConfig
from kinelex.model.multi_query import MultiQueryAttention
from kinelex.model.transformer import Attention, TemporalBlock


class QueryPooling(nn.Module):
    """Learned queries gather the tokens of a window into one vector."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(config.queries, config.width) * 0.5)
        self.norm = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads)
        self.out = nn.Sequential(
            nn.LayerNorm(config.queries * config.width),
            nn.Linear(config.queries * config.width, 2 * config.width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * config.width, config.text_dim),
        )

    def forward(
        self, tokens: Float[Tensor, "window token width"], valid: Bool[Tensor, "window token"]
    ) -> Float[Tensor, "window text"]:
        queries = repeat(self.queries, "query width -> window query width", window=len(tokens))
        gathered = self.attention(queries, self.norm(tokens), valid)
        pooled: Tensor = self.out(rearrange(gathered, "window query width -> window (query width)"))
        return pooled

    def windows(
        self, tokens: Float[Tensor, "window patch channel width"], valid: Bool[Tensor, "window patch channel"]
    ) -> Float[Tensor, "window text"]:
        """One vector per window."""
        return self(tokens.flatten(1, 2), valid.flatten(1, 2))  # type: ignore[no-any-return]

    def patches(
        self, tokens: Float[Tensor, "window patch channel width"], valid: Bool[Tensor, "window patch channel"]
    ) -> Float[Tensor, "window patch text"]:
        """One vector per patch, from its own channels."""
        return self(tokens.flatten(0, 1), valid.flatten(0, 1)).unflatten(0, tokens.shape[:2])  # type: ignore[no-any-return]


class AlignmentHead(nn.Module):
    """Channels of a patch into one vector, patches among each other, patches into one vector, into the text space.

    With one vector per patch there is nothing along time to learn, and no such layers exist.

    Source: the published semantic alignment head (cross-channel fusion, temporal attention, multi-query pooling,
    projection).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, share = config.width, config.query_self_attention
        self.enter = nn.Linear(width, width)
        self.fusion = MultiQueryAttention(width, config.queries, config.heads, self_attention=share)
        layers, self.pooling = 0, None
        if config.output == "window":
            layers = config.head_layers
            self.pooling = MultiQueryAttention(width, config.queries, config.heads, self_attention=share)
        self.time = nn.ModuleList(
            TemporalBlock(width, config.heads, config.expansion, config.dropout) for _ in range(layers)
        )
        self.project = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, config.text_dim),
        )

    def windows(
        self, tokens: Float[Tensor, "window patch channel width"], valid: Bool[Tensor, "window patch channel"]
    ) -> Float[Tensor, "window text"]:
        """One vector per window."""
        patches, seen = self._fused(tokens, valid), valid.any(2)
        for block in self.time:
            patches = block(patches, seen)
        pooled = patches.mean(1) if self.pooling is None else self.pooling(patches, seen)
        result: Tensor = self.project(pooled)
        return result

    def patches(
        self, tokens: Float[Tensor, "window patch channel width"], valid: Bool[Tensor, "window patch channel"]
    ) -> Float[Tensor, "window patch text"]:
        """One vector per patch, from its own channels."""
        result: Tensor = self.project(self._fused(tokens, valid))
        return result

    def _fused(self, tokens: Tensor, valid: Tensor) -> Tensor:
        fused = self.fusion(self.enter(tokens).flatten(0, 1), valid.flatten(0, 1))
        per_patch: Tensor = fused.unflatten(0, tokens.shape[:2])
        return per_patch
