"""Attention along time within a channel, then across channels within a patch."""

from __future__ import annotations

import math
from collections.abc import Callable
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
    """Temporal attention, cross-channel attention, feed-forward, each added to what comes in.

    Source: the published dual-branch transformer, which normalizes after; before is the steadier choice (Xiong et al.,
    "On layer normalization in the transformer architecture", 2020).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.post = config.norm == "post"
        self.time_norm = nn.LayerNorm(width)
        self.channel_norm = nn.LayerNorm(width) if config.cross_channel else None
        self.wide_norm = nn.LayerNorm(width)
        self.time = SelfAttention(width, config.heads, "patch")
        self.channel = SelfAttention(width, config.heads, "channel") if config.cross_channel else None
        self.wide = feed_forward(width, config.expansion, config.dropout)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, tokens: Float[Tensor, "window patch channel width"], valid: Bool[Tensor, "window patch channel"]
    ) -> Float[Tensor, "window patch channel width"]:
        tokens = self._added(tokens, self.time_norm, lambda x: self.time(x, valid))
        channel = self.channel
        if channel is not None and self.channel_norm is not None:
            tokens = self._added(tokens, self.channel_norm, lambda x: channel(x, valid))
        return self._added(tokens, self.wide_norm, self.wide)

    def _added(self, tokens: Tensor, norm: nn.LayerNorm, change: Callable[[Tensor], Tensor]) -> Tensor:
        if self.post:
            after: Tensor = norm(tokens + self.dropout(change(tokens)))
            return after
        before: Tensor = self.dropout(change(norm(tokens)))
        return tokens + before


class TemporalBlock(nn.Module):
    """Pre-norm block over a sequence of patches: attention, feed-forward."""

    def __init__(self, width: int, heads: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.time_norm, self.wide_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.time = Attention(width, heads)
        self.wide = feed_forward(width, expansion, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, patches: Float[Tensor, "window patch width"], valid: Bool[Tensor, "window patch"]
    ) -> Float[Tensor, "window patch width"]:
        normed = self.time_norm(patches)
        patches = patches + self.dropout(self.time(normed, normed, valid))
        wide: Tensor = self.dropout(self.wide(self.wide_norm(patches)))
        return patches + wide


def feed_forward(width: int, expansion: int, dropout: float) -> nn.Sequential:
    """Each token by itself through a wider layer."""
    layers: list[nn.Module] = [nn.Linear(width, expansion * width), nn.GELU()]
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(expansion * width, width))


def _seen(valid: Tensor, axis: int = -1) -> Tensor:
    # Where nothing is valid the softmax would be 0/0: look at everything there, the result is masked later.
    return valid | ~valid.any(axis, keepdim=True)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    if q.dtype == torch.bfloat16 and not torch.is_grad_enabled():
        # Over the few tokens of a window, plain products are twice as fast as the fused kernel.
        scores = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
        weights: Tensor = scores.masked_fill(~mask, -math.inf).softmax(-1).to(v.dtype)
        return weights @ v
    # In float32 even under autocast: with gradients, bf16 attention is several times slower here.
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask)
