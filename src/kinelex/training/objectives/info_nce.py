"""In-batch contrast of windows with their own texts, with a bank of past pairs: the published objective."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from kinelex.training.memory_bank import Entries

Positives = Literal["identity", "label"]

_LEAST_SPREAD = 0.1
"""Text similarities that hardly differ are not stretched further than this."""


class PairTargets(BaseModel):
    """Which other pairs of batch and bank a window should be near to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    positives: Positives = Field(
        "label",
        description="label: all pairs of an equal label share the target; identity: only a window's own text counts,"
        " as published, so that equal labels push each other away.",
    )
    soft_weight: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="Share of the target that follows the similarity of the texts; 1 as published."
    )
    soft_temperature: float = Field(0.5, gt=0, description="Of the z-scored text similarities.")
    bank_soft: bool = Field(
        True,
        description="Whether past pairs have a part in the soft targets; without it they are negatives there, as"
        " published, even those of an equal label.",
    )


def positive_pairs(
    label: Int[Tensor, " row"], bank_label: Int[Tensor, " bank"] | None = None, positives: Positives = "label"
) -> Bool[Tensor, "row column"]:
    """Which columns, the batch's and then the bank's, are positives of each row.

    Args:
        label: number of each row's label, or of its group where all labels of a group count as equal.
        bank_label: likewise of the past pairs.
        positives: identity counts a row's own column only.
    """
    columns = label if bank_label is None else torch.cat([label, bank_label])
    if positives == "label":
        return label[:, None] == columns[None]
    numbers = torch.arange(len(columns), device=label.device)
    return numbers[: len(label), None] == numbers[None]


def text_similarity(
    texts: Float[Tensor, "row text"], bank_texts: Float[Tensor, "bank text"] | None = None
) -> Float[Tensor, "row column"]:
    """Cosines of the batch's texts with the texts of batch and bank.

    Args:
        texts: unit vectors. Frozen ones give targets that training cannot move; those of a learned pooling follow what
            it has learned so far.
        bank_texts: those of the past pairs, of the same kind.
    """
    return texts @ _columns(texts, bank_texts).T


def pair_targets(
    similarity: Float[Tensor, "row column"],
    label: Int[Tensor, " row"],
    targets: PairTargets,
    bank_label: Int[Tensor, " bank"] | None = None,
) -> Float[Tensor, "row column"]:
    """What share of a row's target goes to each column: hard positives blended with likeness of meaning.

    The soft part is the softmax, along a row, of the similarities' z-scores over the whole matrix. The targets serve
    both directions, from windows to texts and back, and carry no gradient.

    Args:
        similarity: of each row's text with the texts of batch and bank, see `text_similarity` and
            `kinelex.training.objectives.prototypes.prototype_similarity`.
        label: number of each row's label.
        targets: which pairs are positives, and the soft share.
        bank_label: label numbers of the past pairs.

    Returns:
        Rows that sum to one.

    Source: the published aligned model, soft targets; with ``positives="label"`` and no soft share, the targets of
    supervised contrast (Khosla et al. 2020, eq. 2).
    """
    similarity = similarity.detach()
    positive = positive_pairs(label, bank_label, targets.positives).to(similarity)
    hard = positive / positive.sum(1, keepdim=True)
    if targets.soft_weight == 0:
        return hard
    seen = similarity if targets.bank_soft else similarity[:, : len(label)]
    centered = seen - seen.mean()
    # Not `std`: the similarity of a single pair has none.
    spread = (centered.square().sum() / max(seen.numel() - 1, 1)).sqrt().clamp(min=_LEAST_SPREAD)
    soft = torch.softmax(centered / spread / targets.soft_temperature, dim=1)
    soft = torch.nn.functional.pad(soft, (0, similarity.shape[1] - seen.shape[1]))
    return (1 - targets.soft_weight) * hard + targets.soft_weight * soft


def info_nce(
    windows: Float[Tensor, "row text"],
    texts: Float[Tensor, "row text"],
    target: Float[Tensor, "row column"],
    scale: Float[Tensor, ""],
    bank: Entries | None = None,
) -> Float[Tensor, ""]:
    """Symmetric cross-entropy of windows with the texts they came with, among all pairs of batch and bank.

    Each window picks its text out of all texts, and each text its window out of all windows; the past pairs of the bank
    are further columns in both directions, never rows. Whether equal labels attract or repel each other is decided by
    the targets: identity repels them, `PairTargets` by label shares the target among them, so that all of them
    together are pulled, and each of them until it has its share.

    Unlike `kinelex.training.objectives.alignment.alignment_loss`, which compares with every training label once, this
    sees the labels of batch and bank only, as often as they occur there, and lets the text side learn.

    Args:
        windows: unit vectors; a row may also be a patch of a window.
        texts: unit vectors of each row's text.
        target: `pair_targets` of the rows.
        scale: factor from cosine to logit.
        bank: past pairs.

    Source: CLIP (Radford et al. 2021, fig. 3) with the published aligned model's soft targets and bank; InfoNCE (van
    den Oord et al. 2018, eq. 4).
    """
    to_texts = scale * windows @ _columns(texts, None if bank is None else bank.texts).T
    to_windows = scale * texts @ _columns(windows, None if bank is None else bank.windows).T
    return (cross_entropy(to_texts.log_softmax(1), target) + cross_entropy(to_windows.log_softmax(1), target)) / 2


def cross_entropy(
    log_probability: Float[Tensor, "row column"], target: Float[Tensor, "row column"]
) -> Float[Tensor, ""]:
    """Mean over rows of the cross-entropy with targets that are shares."""
    return -(target * log_probability).sum(1).mean()


def _columns(batch: Tensor, bank: Tensor | None) -> Tensor:
    return batch if bank is None else torch.cat([batch, bank.to(batch)])
