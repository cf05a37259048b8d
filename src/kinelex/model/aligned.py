"""The aligned model: a window of motion to a vector in the space of sentences."""

from __future__ import annotations

import math

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from kinelex.model.channels import model_channels
from kinelex.model.config import ModelConfig
from kinelex.model.tokenizer import MIN_VALID_SHARE, PatchTokenizer
from kinelex.model.transformer import Attention, DualBranchBlock


class ChannelText(nn.Module):
    """What a channel measures and where it is worn, from the frozen vectors of their descriptions.

    The vectors are part of the checkpoint, so that no text encoder is needed to use a model.
    """

    def __init__(
        self, config: ModelConfig, channels: Float[Tensor, "channel text"], placements: Float[Tensor, "place text"]
    ) -> None:
        super().__init__()
        self.register_buffer("channels", channels)
        self.from_channel = nn.Linear(config.text_dim, config.width)
        self.from_placement: nn.Linear | None = None
        if config.placement_text:
            self.register_buffer("placements", placements)
            self.from_placement = nn.Linear(config.text_dim, config.width, bias=False)
            nn.init.zeros_(self.from_placement.weight)

    def forward(self, placement: Int[Tensor, " window"]) -> Float[Tensor, "row channel width"]:
        """Vectors to add to the tokens of every channel; one row for all windows when placements are not told."""
        meaning: Tensor = self.from_channel(self.channels)[None]
        if self.from_placement is not None:
            meaning = meaning + self.from_placement(self.placements)[placement][:, None]
        return meaning


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


class AlignedModel(nn.Module):
    """Windows of one placement to unit vectors in the text space.

    Patches of every channel become tokens by themselves; each token learns what its channel measures and where it is
    worn; blocks mix tokens along time and across channels; queries pool a window into one vector.

    Args:
        config: the model's shape.
        channel_vectors: text vectors of `kinelex.model.channels.descriptions`, ``(channel, text)``.
        placement_vectors: text vectors of the placements, ``(place, text)``.

    Source: the published aligned model (channel-independent patches, dual-branch attention, query pooling), with
    physical inputs instead of z-scores.
    """

    def __init__(
        self,
        config: ModelConfig,
        channel_vectors: Float[Tensor, "channel text"],
        placement_vectors: Float[Tensor, "place text"],
    ) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = PatchTokenizer(config)
        self.channel_text = ChannelText(config, channel_vectors, placement_vectors) if config.channel_text else None
        self.time_scale = nn.Parameter(torch.tensor(0.3))
        self.blocks = nn.ModuleList(DualBranchBlock(config) for _ in range(config.layers))
        self.pooling = QueryPooling(config)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(
        self,
        signal: Float[Tensor, "window 6 step"],
        valid: Bool[Tensor, "window 6 step"],
        gravity: Bool[Tensor, " window"],
        placement: Int[Tensor, " window"],
    ) -> Float[Tensor, "window text"]:
        """Embed windows.

        Args:
            signal: acc x, y, z (m/s²) and gyro x, y, z (rad/s) on the model's grid.
            valid: which samples were measured; a channel that does not exist is never valid.
            gravity: whether acceleration contains gravity.
            placement: row of the placement vectors; ignored without `placement_text`.

        Returns:
            Unit vectors; undefined for a window without any valid token (see `has_tokens`).
        """
        channels, channels_valid = model_channels(
            signal, valid, gravity, frame=self.config.frame, derived=self.config.derived_channels
        )
        tokens, tokens_valid = self.tokenizer(channels, channels_valid)
        if self.channel_text is not None:
            tokens = tokens + self.channel_text(placement)[:, None]
        tokens = tokens + self.time_scale * self._positions(tokens)[:, None]
        for block in self.blocks:
            tokens = block(tokens, tokens_valid)
        pooled = self.pooling(
            rearrange(tokens, "window patch channel width -> window (patch channel) width"),
            rearrange(tokens_valid, "window patch channel -> window (patch channel)"),
        )
        return F.normalize(pooled.float(), dim=-1)

    def has_tokens(self, valid: Bool[Tensor, "window 6 step"]) -> Bool[Tensor, " window"]:
        """Which windows have enough measured samples for at least one token."""
        share = valid.unfold(2, self.config.patch_steps, self.config.hop_steps).float().mean(-1)
        return (share >= MIN_VALID_SHARE).flatten(1).any(1)

    @property
    def scale(self) -> Tensor:
        """Learned factor from cosine to logit, kept in [1, 50]."""
        return self.log_scale.exp().clamp(1.0, 50.0)

    def _positions(self, tokens: Float[Tensor, "window patch channel width"]) -> Float[Tensor, "patch width"]:
        """Sinusoids of the patch's time in seconds, so that they mean the same for every hop."""
        seconds = torch.arange(tokens.shape[1], device=tokens.device, dtype=torch.float32) * self.config.hop_s
        half = self.config.width // 2
        rates = torch.exp(torch.arange(half, device=tokens.device, dtype=torch.float32) * (-math.log(1000.0) / half))
        angles = seconds[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
