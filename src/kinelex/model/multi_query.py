"""Learned queries that gather a set of tokens into one vector: what the alignment head is made of."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinelex.model.transformer import Attention

_SMALL = 0.02


class MultiQueryAttention(nn.Module):
    """Several learned queries look at the tokens, at each other, and are joined into one vector.

    Args:
        width: of tokens and of the result.
        queries: how many; each may look for something else.
        heads: attention heads.
        self_attention: let the queries look at each other, so that they share the work.

    Source: pooling by multi-head attention (Lee et al., "Set Transformer", 2019, section 3.2), as the published model
    uses it: small initial queries, and their mean added to the projected result.
    """

    def __init__(self, width: int, queries: int, heads: int, *, self_attention: bool) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, width) * _SMALL)
        self.look = Attention(width, heads)
        self.look_norm = nn.LayerNorm(width)
        self.share = Attention(width, heads) if self_attention else None
        self.share_norm = nn.LayerNorm(width) if self_attention else None
        self.join = joined(queries, width)

    def forward(
        self, tokens: Float[Tensor, "row token width"], valid: Bool[Tensor, "row token"]
    ) -> Float[Tensor, "row width"]:
        """One vector per row; from all tokens alike in a row without any valid one."""
        queries = repeat(self.queries, "query width -> row query width", row=len(tokens))
        found: Tensor = self.look_norm(queries + self.look(queries, tokens, valid))
        if self.share is not None and self.share_norm is not None:
            all_of_them = torch.ones(found.shape[:2], dtype=torch.bool, device=found.device)
            found = self.share_norm(found + self.share(found, found, all_of_them))
        result: Tensor = self.join(rearrange(found, "row query width -> row (query width)")) + found.mean(1)
        return result


def joined(queries: int, width: int) -> nn.Sequential:
    """What several queries found, side by side, into one vector; at first it adds next to nothing to their mean."""
    last = nn.Linear(width, width)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(queries * width, width), nn.GELU(), last)
