"""Attention along time within a channel, then across channels within a patch."""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinelex.model.config import ModelConfig


class Attention(nn.Module):
    """Multi-head attention in which masked keys are never looked at; a row without any key attends to nothing."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        queries: Float[Tensor, "row query width"],
        tokens: Float[Tensor, "row token width"],
        valid: Bool[Tensor, "row token"],
    ) -> Float[Tensor, "row query width"]:
        q = rearrange(self.query(queries), "row query (head part) -> row head query part", head=self.heads)
        k, v = rearrange(
            self.key_value(tokens), "row token (two head part) -> two row head token part", two=2, head=self.heads
        )
        # Where nothing is valid the softmax would be 0/0: look at everything there, the result is masked later.
        mask = (valid | ~valid.any(-1, keepdim=True))[:, None, None, :]
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        gathered: Tensor = self.out(rearrange(mixed, "row head query part -> row query (head part)"))
        return gathered


class DualBranchBlock(nn.Module):
    """Pre-norm block: temporal attention, cross-channel attention, feed-forward."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.time_norm, self.channel_norm, self.wide_norm = (
            nn.LayerNorm(width),
            nn.LayerNorm(width),
            nn.LayerNorm(width),
        )
        self.time = Attention(width, config.heads)
        self.channel = Attention(width, config.heads)
        hidden = config.expansion * width
        self.wide = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, tokens: Float[Tensor, "window patch channel width"], valid: Bool[Tensor, "window patch channel"]
    ) -> Float[Tensor, "window patch channel width"]:
        windows, patches, channels, _ = tokens.shape
        normed = rearrange(self.time_norm(tokens), "window patch channel width -> (window channel) patch width")
        mixed = self.time(normed, normed, rearrange(valid, "window patch channel -> (window channel) patch"))
        tokens = tokens + self.dropout(
            rearrange(
                mixed, "(window channel) patch width -> window patch channel width", window=windows, channel=channels
            )
        )
        normed = rearrange(self.channel_norm(tokens), "window patch channel width -> (window patch) channel width")
        mixed = self.channel(normed, normed, rearrange(valid, "window patch channel -> (window patch) channel"))
        tokens = tokens + self.dropout(
            rearrange(
                mixed, "(window patch) channel width -> window patch channel width", window=windows, patch=patches
            )
        )
        wide: Tensor = self.dropout(self.wide(self.wide_norm(tokens)))
        return tokens + wide
