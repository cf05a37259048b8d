"""LIMU-BERT and LIMU-BERT-X: small transformers that learned to fill in what was masked of a phone's movement.

Source: Xu et al., "LIMU-BERT: Unleashing the potential of unlabeled data for IMU sensing applications", SenSys 2021,
section 4; Xu et al., "Adopting activity recognition in on-demand food delivery business", MobiCom 2025. This is an
implementation of its own; the names of the tensors are those of the published weights, so that these can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from kinelex.backbones.adaptation import clip_starts

WIDTH = 72
HEADS = 4
LAYERS = 4
EXPANDED = 144
CHANNELS = 6
PIECE_STEPS = 20
"""Samples that a published classifier judges at once: one second at 20 Hz."""


class _Norm(nn.Module):
    """Layer norm with an epsilon that only keeps from dividing by zero."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(WIDTH))
        self.beta = nn.Parameter(torch.zeros(WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        return F.layer_norm(tokens, (WIDTH,), self.gamma, self.beta, 1e-12)


class LimuBert(nn.Module):
    """The encoder, one token per sample, and the head that reconstructs the samples.

    One block is run four times with the same weights, and attention has no shortcut around it: a block is
    ``h = attention(h); h = norm(h + projection(h)); h = norm(h + feed_forward(h))``.

    Args:
        steps: the longest clip that it has positions for, in samples.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.transformer = nn.ModuleDict({
            "embed": nn.ModuleDict({
                "lin": nn.Linear(CHANNELS, WIDTH), "pos_embed": nn.Embedding(steps, WIDTH), "norm": _Norm()
            }),
            "attn": nn.ModuleDict({name: nn.Linear(WIDTH, WIDTH) for name in ("proj_q", "proj_k", "proj_v")}),
            "proj": nn.Linear(WIDTH, WIDTH),
            "norm1": _Norm(),
            "pwff": nn.ModuleDict({"fc1": nn.Linear(WIDTH, EXPANDED), "fc2": nn.Linear(EXPANDED, WIDTH)}),
            "norm2": _Norm(),
        })  # fmt: skip
        self.fc = nn.Linear(WIDTH, WIDTH)  # published, and used by nothing
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.norm = _Norm()
        self.decoder = nn.Linear(WIDTH, CHANNELS)

    def forward(self, signal: Float[Tensor, "clip channel step"]) -> Float[Tensor, "clip step width"]:
        """Tokens of clips of at most `steps` samples: acceleration in units of 9.8 m/s², rotation in rad/s."""
        part: Any = self.transformer
        embed = part["embed"]
        tokens: Tensor = embed["norm"](embed["lin"](rearrange(signal, "clip channel step -> clip step channel")))
        tokens = embed["norm"](tokens + embed["pos_embed"].weight[: tokens.shape[1]])
        for _ in range(LAYERS):
            tokens = self._attend(tokens)
            tokens = part["norm1"](tokens + part["proj"](tokens))
            tokens = part["norm2"](tokens + part["pwff"]["fc2"](F.gelu(part["pwff"]["fc1"](tokens))))
        return tokens

    def reconstruct(self, signal: Float[Tensor, "clip channel step"]) -> Float[Tensor, "clip channel step"]:
        """What it takes the samples to have been; masked ones are zero in `signal`."""
        samples: Tensor = self.decoder(self.norm(F.gelu(self.linear(self(signal)))))
        return rearrange(samples, "clip step channel -> clip channel step")

    def _attend(self, tokens: Tensor) -> Tensor:
        projections: Any = self.transformer["attn"]
        query, key, value = (
            rearrange(projection(tokens), "clip step (head width) -> clip head step width", head=HEADS)
            for projection in projections.values()
        )
        attended: Tensor = F.scaled_dot_product_attention(query, key, value)
        return rearrange(attended, "clip head step width -> clip step (head width)")


class GruHead(nn.Module):
    """The published classifier on the tokens: recurrent layers, of which the last step decides.

    Args:
        labels: how many activities it tells apart.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.gru0 = nn.GRU(WIDTH, 20, num_layers=2, batch_first=True)
        self.gru1 = nn.GRU(20, 10, batch_first=True)
        self.lin0 = nn.Linear(10, labels)

    def forward(self, tokens: Float[Tensor, "clip step width"]) -> Float[Tensor, "clip label"]:
        """Probabilities, averaged over the pieces of `PIECE_STEPS` samples that cover a clip."""
        starts = clip_starts(tokens.shape[1], PIECE_STEPS)
        pieces = torch.stack([tokens[:, at : at + PIECE_STEPS] for at in starts], dim=1)
        hidden, _ = self.gru0(rearrange(pieces, "clip piece step width -> (clip piece) step width"))
        hidden, _ = self.gru1(hidden)
        shares: Tensor = F.softmax(self.lin0(hidden[:, -1]), dim=1)
        return rearrange(shares, "(clip piece) label -> clip piece label", piece=len(starts)).mean(dim=1)


@dataclass(frozen=True)
class Published:
    """What is known of a published file of weights.

    Args:
        name: what it is called here.
        trained_on: names, as in the catalog, of the data sets that it saw; sets of the same people included.
        labels: of a classifier, in the order of its rows.
    """

    name: str
    trained_on: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


_HHAR = ("cycling", "sitting", "walking downstairs", "walking upstairs", "standing", "walking")
_MOTION = ("walking downstairs", "walking upstairs", "sitting", "standing", "walking", "jogging")
_SHOAIB = ("walking", "sitting", "standing", "jogging", "cycling", "walking upstairs", "walking downstairs")
_UCI = ("walking", "walking upstairs", "walking downstairs", "sitting", "standing", "lying")
_UCI_PEOPLE = ("hapt", "uci_har")  # both were recorded in the same sessions

PUBLISHED = {
    "65697e7017020f36429a221382253f1fc370fdfd493cfb71667f95846c18516c": Published("limu-bert-x"),
    "22dab2ba528cd88954395c7f043a006c74fbc38e7d329a64d21e2eb54114b463": Published("limu-bert-hhar", ("hhar",)),
    "d5359962a969a09986d6942d501e32707c03d2d3457ce200cd7268b8d1a5a0bc": Published("limu-bert-motion", ("motionsense",)),
    "4472105a6500e127021a29634972f5c938e0d69c2aa2130548d05c7b121898dd": Published("limu-bert-shoaib", ("shoaib",)),
    "a966f8d5e737f1d203ca7c470e76da6a22b95d01f1d861c6217a1edd44185798": Published("limu-bert-uci", _UCI_PEOPLE),
    "fb82b569c1e38bfab3b3334c132f1a839c53be07302f3f3c48977cf377a4cc48": Published("gru-hhar", ("hhar",), _HHAR),
    "43b7559ea9c00919d0cc5c520ec9eb280a5cafa2c721a7d131ef384542c6a70a": Published(
        "gru-motion", ("motionsense",), _MOTION
    ),
    "2223e9af3fefa766a7b0f5d822b63e7ca2cb7d67e8a1ac7d5ecd9ee4feff1167": Published("gru-shoaib", ("shoaib",), _SHOAIB),
    "fe92ed1cf439338ba532dbeee309c46f00f3312468602051ddc81bbf2383e5ea": Published("gru-uci", _UCI_PEOPLE, _UCI),
}
"""The weights that the authors published, by the SHA-256 of their file: WANDS-HKUST/LIMU-BERT_Experience (``weights/``)
and dapowan/LIMU-BERT-Public (``saved/``), both under the MIT license. Order of labels: ``dataset/data_config.json``
and the scripts beside it."""
