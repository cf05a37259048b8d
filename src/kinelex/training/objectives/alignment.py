"""Contrastive alignment of windows with label texts, in which equal labels are positives."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kinelex.training.recipe import Targets


def target_matrix(
    text: Float[Tensor, "label text"], group: Int[Tensor, " label"], targets: Targets
) -> Float[Tensor, "label label"]:
    """What share of a window's target goes to each label, per label of the window.

    Most goes to the label itself and to the labels of its group, some to labels of similar text, a little to all.
    No row ever counts an equal label as a negative: a label occurs once, however many windows carry it.

    Args:
        text: unit vectors of the labels in the text space.
        group: number of each label's group.
        targets: the shares.

    Returns:
        Rows that sum to one.
    """
    count = len(text)
    same = (group[:, None] == group[None]).float()
    own = (1 - targets.group) * torch.eye(count) + targets.group * same / same.sum(1, keepdim=True)
    similarity = text @ text.T
    standard = (similarity - similarity.mean()) / similarity.std().clamp(min=1e-6)
    alike = torch.softmax(standard / targets.text_temperature, dim=1)
    mixed = (1 - targets.text) * own + targets.text * alike
    return (1 - targets.smoothing) * mixed + targets.smoothing / count


def alignment_loss(
    windows: Float[Tensor, "window text"],
    text: Float[Tensor, "label *prototype text"],
    label: Int[Tensor, " window"],
    target: Float[Tensor, "label label"],
    scale: Float[Tensor, ""],
    *,
    windows_per_label: float,
) -> Float[Tensor, ""]:
    """Symmetric cross-entropy between windows and label texts with multi-positive soft targets.

    CLIP's loss takes every other pair of a batch as a negative. Labels repeat, so here a window is compared with every
    training label once, and a label with every window of the batch, where all windows that carry the label (or one of
    its group, or of similar meaning) share its target.

    Args:
        windows: unit vectors.
        text: unit vectors of the training labels, one each or several prototypes each, of which the best counts.
        label: which of them each window carries.
        target: `target_matrix` of the labels.
        scale: factor from cosine to logit.
        windows_per_label: weight of the direction from labels to windows, 0 to 1.

    Source: InfoNCE (van den Oord et al. 2018) with supervised positives (Khosla et al. 2020, eq. 2).
    """
    cosines = windows @ text.flatten(0, -2).T
    logits = scale * (cosines if text.ndim == 2 else cosines.unflatten(1, text.shape[:2]).amax(2))
    loss = -(target[label] * logits.log_softmax(dim=1)).sum(1).mean()
    if windows_per_label == 0:
        return loss
    present = torch.unique(label)
    share = target[label][:, present].T  # (label, window)
    share = share / share.sum(1, keepdim=True)
    backward = -(share * logits[:, present].T.log_softmax(dim=1)).sum(1).mean()
    return (1 - windows_per_label) * loss + windows_per_label * backward
