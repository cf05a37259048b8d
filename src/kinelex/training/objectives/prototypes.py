"""In-batch contrast in which every text has several prototypes, and a window need be near to the best of them only."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinelex.training.memory_bank import Entries
from kinelex.training.objectives.info_nce import cross_entropy


def winning_prototypes(
    windows: Float[Tensor, "row text"], prototypes: Float[Tensor, "row prototype text"]
) -> Float[Tensor, "row text"]:
    """Of each row's own prototypes the one nearest to its window: what stands for the text, also in the bank."""
    cosine = (prototypes @ windows[:, :, None])[:, :, 0]
    best = cosine.argmax(1)[:, None, None].expand(-1, 1, prototypes.shape[2])
    return prototypes.gather(1, best)[:, 0]


def prototype_similarity(
    prototypes: Float[Tensor, "row prototype text"], bank_texts: Float[Tensor, "bank text"] | None = None
) -> Float[Tensor, "row column"]:
    """Likeness of two texts: the highest cosine of a prototype of the one with a prototype of the other.

    Args:
        prototypes: unit vectors.
        bank_texts: unit vectors that stand for the texts of past pairs, one each.

    Source: the published aligned model, soft targets of its multi-prototype extension.
    """
    rows, count, _ = prototypes.shape
    flat = prototypes.flatten(0, 1)
    within = (flat @ flat.T).view(rows, count, rows, count).amax((1, 3))
    if bank_texts is None:
        return within
    return torch.cat([within, (prototypes @ bank_texts.to(flat).T).amax(1)], dim=1)


def prototype_loss(
    windows: Float[Tensor, "row text"],
    prototypes: Float[Tensor, "row prototype text"],
    positive: Bool[Tensor, "row column"],
    target: Float[Tensor, "row column"],
    scale: Float[Tensor, ""],
    bank: Entries | None = None,
) -> Float[Tensor, ""]:
    """`info_nce` in which a text is as near to a window as the best of its prototypes.

    "Walking" is slow or fast, on a wrist or in a pocket; several prototypes leave room for that where a single vector
    would be the mean of all. From windows to texts, a positive text counts with its best prototype and its others are
    neither pulled nor pushed; every prototype of a negative text is pushed, and its share of the target, should its
    meaning be alike, is spread evenly over its prototypes. From texts to windows, each row's winning prototype picks
    its windows; those of its label that are nearer to another of its prototypes are left to that one, or else all
    prototypes would be drawn to the same middle. With one prototype this is `info_nce`, to the bit.

    Args:
        windows: unit vectors.
        prototypes: unit vectors of each row's text.
        positive: `kinelex.training.objectives.info_nce.positive_pairs` of the rows.
        target: `kinelex.training.objectives.info_nce.pair_targets` of the rows, from `prototype_similarity`.
        scale: factor from cosine to logit.
        bank: past pairs, each with the prototype that had won.

    Source: the published aligned model, multi-prototype extension, in which positives are by identity; that texts of an
    equal label can be positives is ours.
    """
    to_texts = _to_texts(windows, prototypes, positive, scale, None if bank is None else bank.texts)
    past = windows if bank is None else torch.cat([windows, bank.windows.to(windows)])
    won = (prototypes @ past.T).argmax(1)  # (row, column): which of the row's prototypes is nearest to the column
    left = positive & (won != won.diagonal()[:, None])
    logits = scale * winning_prototypes(windows, prototypes) @ past.T
    to_windows = torch.where(left, 0.0, logits.masked_fill(left, -torch.inf).log_softmax(1))
    kept = target.masked_fill(left, 0.0)
    # Untouched rows are not divided by a sum that is one but for rounding.
    kept = torch.where(left.any(1, keepdim=True), kept / kept.sum(1, keepdim=True), target)
    return (cross_entropy(to_texts, target) + cross_entropy(to_windows, kept)) / 2


def _to_texts(
    windows: Float[Tensor, "row text"],
    prototypes: Float[Tensor, "row prototype text"],
    positive: Bool[Tensor, "row column"],
    scale: Float[Tensor, ""],
    bank_texts: Float[Tensor, "bank text"] | None,
) -> Float[Tensor, "row column"]:
    """Logarithm of the share of each text, of a positive one's best prototype, of a negative one's mean prototype."""
    rows, count, _ = prototypes.shape
    texts = prototypes.flatten(0, 1)
    if bank_texts is not None:
        texts = torch.cat([texts, bank_texts.to(texts)])
    logits = scale * windows @ texts.T
    batch = logits[:, : rows * count].unflatten(1, (rows, count))  # (row, column, prototype)
    best = batch.argmax(2, keepdim=True) == torch.arange(count, device=logits.device)
    own = positive[:, :rows, None]
    batch = batch.masked_fill(own & ~best, -torch.inf)
    share = torch.cat([batch.flatten(1), logits[:, rows * count :]], dim=1).log_softmax(1)
    each = share[:, : rows * count].unflatten(1, (rows, count))
    return torch.cat([torch.where(own[:, :, 0], each.amax(2), each.mean(2)), share[:, rows * count :]], dim=1)
