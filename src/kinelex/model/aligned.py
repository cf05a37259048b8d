"""The aligned model: a window of motion to a vector in the space of sentences."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from kinelex.model.channel_text import ChannelText, ChannelTextFusion
from kinelex.model.channels import model_channels
from kinelex.model.config import ModelConfig
from kinelex.model.descriptions import Descriptions
from kinelex.model.heads import AlignmentHead, QueryPooling
from kinelex.model.label_pooling import label_pooling
from kinelex.model.patches import MIN_VALID_SHARE, cut_patches, enough_measured
from kinelex.model.tokenizers import tokenizer
from kinelex.model.transformer import DualBranchBlock


class AlignedModel(nn.Module):
    """Windows of one placement to unit vectors in the text space.

    Patches of every channel become tokens by themselves; each token learns what its channel measures and where it is
    worn; blocks mix tokens along time and across channels; a head pools a window, or each patch, into one vector.

    Args:
        config: the model's shape.
        described: the text vectors of channels and placements.

    Source: the published aligned model (channel-independent patches, dual-branch attention, query pooling); its every
    choice is a field of the configuration, and the defaults are ours: physical inputs instead of z-scores.
    """

    def __init__(self, config: ModelConfig, described: Descriptions) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer(config)
        self.channel_text = ChannelText(config, described) if config.channel_text else None
        self.time_scale = nn.Parameter(torch.tensor(0.3))
        self.blocks = nn.ModuleList(DualBranchBlock(config) for _ in range(config.layers))
        self.channel_fusion = ChannelTextFusion(config, described) if config.channel_fusion else None
        self.pooling = QueryPooling(config) if config.head == "queries" else AlignmentHead(config)
        self.label_pooling = label_pooling(config)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @classmethod
    def empty(cls, config: ModelConfig) -> AlignedModel:
        """A model of this shape without text vectors yet, ready to load weights into."""
        return cls(config, Descriptions.empty(config))

    def forward(
        self,
        signal: Float[Tensor, "window 6 step"],
        valid: Bool[Tensor, "window 6 step"],
        gravity: Bool[Tensor, " window"],
        placement: Int[Tensor, " window"],
        patch_s: float | None = None,
    ) -> Float[Tensor, "window text"]:
        """Embed windows.

        Args:
            signal: acc x, y, z (m/s²) and gyro x, y, z (rad/s) on the model's grid.
            valid: which samples were measured; a channel that does not exist is never valid.
            gravity: whether acceleration contains gravity.
            placement: row of the placement vectors; ignored without `placement_text`.
            patch_s: length of the patches in seconds, instead of the configured one.

        Returns:
            Unit vectors; undefined for a window without any valid token (see `has_tokens`).
        """
        tokens, tokens_valid = self.encode(signal, valid, gravity, placement, patch_s)
        if self.config.output == "window":
            return F.normalize(self.pooling.windows(tokens, tokens_valid).float(), dim=-1)
        vectors = F.normalize(self.pooling.patches(tokens, tokens_valid).float(), dim=-1)
        return F.normalize((vectors * tokens_valid.any(2)[..., None]).sum(1), dim=-1)

    def patch_vectors(
        self,
        signal: Float[Tensor, "window 6 step"],
        valid: Bool[Tensor, "window 6 step"],
        gravity: Bool[Tensor, " window"],
        placement: Int[Tensor, " window"],
        patch_s: float | None = None,
    ) -> tuple[Float[Tensor, "window patch text"], Bool[Tensor, "window patch"]]:
        """Embed every patch by itself; for models whose output is one vector per patch. Arguments as for windows.

        Returns:
            Unit vectors, and which of them rest on a valid token.
        """
        tokens, tokens_valid = self.encode(signal, valid, gravity, placement, patch_s)
        return F.normalize(self.pooling.patches(tokens, tokens_valid).float(), dim=-1), tokens_valid.any(2)

    def encode(
        self,
        signal: Float[Tensor, "window 6 step"],
        valid: Bool[Tensor, "window 6 step"],
        gravity: Bool[Tensor, " window"],
        placement: Int[Tensor, " window"],
        patch_s: float | None = None,
    ) -> tuple[Float[Tensor, "window patch channel width"], Bool[Tensor, "window patch channel"]]:
        """Tokens after the blocks, and which of them stand for measured signal. Arguments as for windows."""
        patches, measured = self.patches(signal, valid, gravity, patch_s)
        return self.mixed(self.tokens(patches, measured, placement), enough_measured(measured), patch_s)

    def patches(
        self,
        signal: Float[Tensor, "window 6 step"],
        valid: Bool[Tensor, "window 6 step"],
        gravity: Bool[Tensor, " window"],
        patch_s: float | None = None,
    ) -> tuple[Float[Tensor, "window patch channel point"], Bool[Tensor, "window patch channel point"]]:
        """Patches of the model's channels, scaled, and which of their samples were measured."""
        channels, channels_valid = model_channels(
            signal, valid, gravity, frame=self.config.frame, derived=self.config.derived_channels
        )
        return cut_patches(channels, channels_valid, self.config, patch_s)

    def tokens(
        self,
        patches: Float[Tensor, "window patch channel point"],
        measured: Bool[Tensor, "window patch channel point"],
        placement: Int[Tensor, " window"],
    ) -> Float[Tensor, "window patch channel width"]:
        """Tokens before the blocks: what a patch looks like and what its channel means."""
        tokens: Tensor = self.tokenizer(patches, measured)
        if self.channel_text is not None:
            tokens = tokens + self.channel_text(placement)[:, None]
        return tokens

    def mixed(
        self,
        tokens: Float[Tensor, "window patch channel width"],
        tokens_valid: Bool[Tensor, "window patch channel"],
        patch_s: float | None = None,
    ) -> tuple[Float[Tensor, "window patch channel width"], Bool[Tensor, "window patch channel"]]:
        """Tokens that know when they happen and have looked at each other; the mask is handed on."""
        tokens = tokens + self.time_scale * self._positions(tokens, patch_s)[:, None]
        for block in self.blocks:
            tokens = block(tokens, tokens_valid)
        if self.channel_fusion is not None:
            tokens = self.channel_fusion(tokens)
        return tokens, tokens_valid

    def has_tokens(self, valid: Bool[Tensor, "window 6 step"]) -> Bool[Tensor, " window"]:
        """Which windows have enough measured samples for at least one token."""
        _, measured = cut_patches(torch.zeros(1, device=valid.device).expand(valid.shape), valid, self.config)
        return (measured.float().mean(-1) >= MIN_VALID_SHARE).flatten(1).any(1)

    @property
    def scale(self) -> Tensor:
        """Learned factor from cosine to logit, kept in [1, 50]."""
        return self.log_scale.exp().clamp(1.0, 50.0)

    def _positions(
        self, tokens: Float[Tensor, "window patch channel width"], patch_s: float | None = None
    ) -> Float[Tensor, "patch width"]:
        """Sinusoids of the patch's time in seconds, so that they mean the same for every hop; or of its number."""
        step_s = self.config.hop_s or patch_s or self.config.patch_s
        apart = step_s if self.config.position == "seconds" else 1.0
        seconds = torch.arange(tokens.shape[1], device=tokens.device, dtype=torch.float32) * apart
        half = self.config.width // 2
        rates = torch.exp(torch.arange(half, device=tokens.device, dtype=torch.float32) * (-math.log(1000.0) / half))
        angles = seconds[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], dim=-1)
