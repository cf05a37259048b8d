"""The label side that learns: token vectors of a frozen text encoder into label vectors."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinelex.model.config import ModelConfig
from kinelex.model.transformer import Attention

_SMALL = 0.02


class MeanLabelPooling(nn.Module):
    """The mean over a text's tokens, as sentence encoders pool, plus what is learned to add to it: at first nothing."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        last = nn.Linear(config.text_dim, config.text_dim)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.add = nn.Sequential(nn.Linear(config.text_dim, config.text_dim), nn.GELU(), last)

    def forward(
        self, tokens: Float[Tensor, "label token text"], valid: Bool[Tensor, "label token"]
    ) -> Float[Tensor, "label prototype text"]:
        """Unit vectors of texts."""
        weight = valid[..., None].to(tokens.dtype)
        mean = F.normalize((tokens * weight).sum(1) / weight.sum(1).clamp(min=1), dim=-1)
        return F.normalize(mean + self.add(mean), dim=-1)[:, None]


class LabelAttentionPooling(nn.Module):
    """Learned queries look for the words of a label that matter, and are joined into K prototypes of it.

    All prototypes share the attention; each has queries and a projection of its own. At prediction the best prototype
    of a label counts, so that one label may mean movements that are far apart.

    Source: the published model's label attention pooling, and its multi-prototype variant for K > 1.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, count = config.text_dim, config.prototypes
        self.queries = nn.Parameter(torch.randn(count, config.label_queries, width) * _SMALL)
        self.look = Attention(width, config.label_heads)
        self.norm = nn.LayerNorm(width)
        self.join = nn.ModuleList(
            nn.Sequential(nn.Linear(config.label_queries * width, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(count)
        )

    def forward(
        self, tokens: Float[Tensor, "label token text"], valid: Bool[Tensor, "label token"]
    ) -> Float[Tensor, "label prototype text"]:
        """Unit vectors of texts, one per prototype."""
        queries = repeat(self.queries, "prototype query width -> label (prototype query) width", label=len(tokens))
        found = self.norm(queries + self.look(queries, tokens, valid))
        found = rearrange(
            found, "label (prototype query) width -> label prototype query width", query=self.queries.shape[1]
        )
        vectors = [join(found[:, k].flatten(1)) + found[:, k].mean(1) for k, join in enumerate(self.join)]
        return F.normalize(torch.stack(vectors, 1).float(), dim=-1)


def label_pooling(config: ModelConfig) -> nn.Module | None:
    """The label side that a configuration names; none where labels are sentence vectors."""
    if config.label_side == "sentence":
        return None
    pooling: nn.Module = MeanLabelPooling(config) if config.label_side == "mean" else LabelAttentionPooling(config)
    return pooling.requires_grad_(config.label_trainable)
