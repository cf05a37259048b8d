"""What a channel means, in words, given to its tokens: added before the blocks, or through a gate after them."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kinelex.model.config import ModelConfig
from kinelex.model.descriptions import Descriptions
from kinelex.model.multi_query import joined
from kinelex.model.transformer import Attention

_HEADS = 4
_QUERIES = 4


class ChannelText(nn.Module):
    """What a channel measures and where it is worn, from the frozen vectors of their descriptions.

    The vectors are part of the checkpoint, so that no text encoder is needed to use a model.
    """

    def __init__(self, config: ModelConfig, described: Descriptions) -> None:
        super().__init__()
        self.register_buffer("channels", described.channels)
        self.from_channel = nn.Linear(config.text_dim, config.width)
        self.from_placement: nn.Linear | None = None
        if config.placement_text:
            self.register_buffer("placements", described.placements)
            self.from_placement = nn.Linear(config.text_dim, config.width, bias=False)
            nn.init.zeros_(self.from_placement.weight)

    def forward(self, placement: Int[Tensor, " window"]) -> Float[Tensor, "row channel width"]:
        """Vectors to add to the tokens of every channel; one row for all windows when placements are not told."""
        meaning: Tensor = self.from_channel(self.channels)[None]
        if self.from_placement is not None:
            meaning = meaning + self.from_placement(self.placements)[placement][:, None]
        return meaning


class ChannelTextFusion(nn.Module):
    """Every token takes in the words of its channel, as far as a gate lets it.

    The words of each channel are gathered once by learned queries, however many windows there are, and then given to
    all its tokens: ``token + sigmoid(A token + B text + c) * text``.

    Source: the published model's channel-text fusion (its code; its document has sensor tokens as queries).
    """

    tokens: Tensor
    tokens_valid: Tensor

    def __init__(self, config: ModelConfig, described: Descriptions) -> None:
        super().__init__()
        self.register_buffer("tokens", described.tokens)
        self.register_buffer("tokens_valid", described.tokens_valid)
        width = config.width
        self.words: nn.Module = nn.Linear(config.text_dim, width) if config.text_dim != width else nn.Identity()
        self.queries = nn.Parameter(torch.randn(_QUERIES, width) * 0.02)
        self.look = Attention(width, _HEADS)
        self.norm = nn.LayerNorm(width)
        self.join = joined(_QUERIES, width)
        self.gate_token = nn.Linear(width, width)
        self.gate_text = nn.Linear(width, width, bias=False)

    def forward(
        self, tokens: Float[Tensor, "window patch channel width"]
    ) -> Float[Tensor, "window patch channel width"]:
        """Tokens that know what their channel measures."""
        text = self.meanings(self.tokens, self.tokens_valid)
        gate = torch.sigmoid(self.gate_token(tokens) + self.gate_text(text))
        return tokens + gate * text

    def meanings(
        self, words: Float[Tensor, "channel token text"], valid: Bool[Tensor, "channel token"]
    ) -> Float[Tensor, "channel width"]:
        """One vector per channel from the words of its description."""
        queries = repeat(self.queries, "query width -> channel query width", channel=len(words))
        found = self.norm(queries + self.look(queries, self.words(words), valid))
        meaning: Tensor = self.join(rearrange(found, "channel query width -> channel (query width)")) + found.mean(1)
        return meaning
