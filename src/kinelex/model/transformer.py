"""Attention along time within a channel, then across channels within a patch."""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinelex.model.config import ModelConfig


class Attention(nn.Module):
    """Multi-head attention of queries to tokens in which masked tokens are never looked at."""

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
        """What each query gathers; from all tokens alike in a row without any valid one."""
        q = rearrange(self.query(queries), "row query (head part) -> row head query part", head=self.heads)
        k, v = rearrange(
            self.key_value(tokens), "row token (two head part) -> two row head token part", two=2, head=self.heads
        )
        mixed = _attend(q, k, v, rearrange(_seen(valid), "row token -> row 1 1 token"))
        gathered: Tensor = self.out(rearrange(mixed, "row head query part -> row query (head part)"))
        return gathered


class SelfAttention(nn.Module):
    """Multi-head attention of the tokens of a window among each other, along one axis of them.

    Tokens stay where they lie in memory: axes that do not take part are merged with the windows or with the heads.
    """

    def __init__(self, width: int, heads: int, along: Literal["patch", "channel"]) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        if along == "patch":
            self.axis, self.layout, self.mask = 1, "window (channel head) patch part", "window (channel head) 1 patch"
        else:
            self.axis, self.layout, self.mask = 2, "(window patch) head channel part", "(window patch) head 1 channel"

    def forward(
        self, tokens: Float[Tensor, "window patch channel width"], valid: Bool[Tensor, "window patch channel"]
    ) -> Float[Tensor, "window patch channel width"]:
        """What each token gathers from the valid ones; from all alike where none is valid."""
        windows, patches, channels, _ = tokens.shape
        q = rearrange(self.query(tokens), f"window patch channel (head part) -> {self.layout}", head=self.heads)
        k, v = rearrange(
            self.key_value(tokens), f"window patch channel (two head part) -> two {self.layout}", two=2, head=self.heads
        )
        mask = repeat(_seen(valid, self.axis), f"window patch channel -> {self.mask}", head=self.heads)
        mixed = rearrange(
            _attend(q, k, v, mask),
            f"{self.layout} -> window patch channel (head part)",
            window=windows,
            patch=patches,
            channel=channels,
            head=self.heads,
        )
        gathered: Tensor = self.out(mixed)
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
        self.time = SelfAttention(width, config.heads, "patch")
        self.channel = SelfAttention(width, config.heads, "channel")
        hidden = config.expansion * width
        self.wide = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, tokens: Float[Tensor, "window patch channel width"], valid: Bool[Tensor, "window patch channel"]
    ) -> Float[Tensor, "window patch channel width"]:
        tokens = tokens + self.dropout(self.time(self.time_norm(tokens), valid))
        tokens = tokens + self.dropout(self.channel(self.channel_norm(tokens), valid))
        wide: Tensor = self.dropout(self.wide(self.wide_norm(tokens)))
        return tokens + wide


def _seen(valid: Tensor, axis: int = -1) -> Tensor:
    # Where nothing is valid the softmax would be 0/0: look at everything there, the result is masked later.
    return valid | ~valid.any(axis, keepdim=True)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    # In float32 even under autocast: over the few tokens of a window, bf16 attention is several times slower.
    with torch.autocast(q.device.type, enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask)
