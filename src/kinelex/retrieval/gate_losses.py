"""What a gate is trained with: the fused answer is right, doubt of the model calls for retrieval, no half-heartedness.

Each loss is a mean over windows. Weights are those of retrieval and come in as logits, so that no gate is too sure to
learn. Which class a window has is only known, and only used, in training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from kinelex.retrieval.compat import AlignmentTarget, Compat

_LEAST = 1e-12
"""What the true class is given at least: where both sides exclude it, no weight helps, and nothing is learned."""
_THETA = 1.0
"""Nats of entropy at which the sigmoid target of the public code is one half; it is said to be learned, and is not."""


def classification_loss(
    gate_logit: Float[Tensor, " window"],
    p_model: Float[Tensor, "window class"],
    p_retrieved: Float[Tensor, "window class"],
    truth: Int[Tensor, " window"],
    *,
    mixed_logits: bool = False,
) -> Float[Tensor, ""]:
    """Negative log likelihood of the true class in the fused answer.

    Args:
        gate_logit: of the weight w of retrieval.
        p_model: what the model says; rows sum to one.
        p_retrieved: what the neighbors say, likewise.
        truth: number of each window's class.
        mixed_logits: the fused answer is the softmax of (1 - w) log p_model + w p_retrieved, as in the public code,
            instead of (1 - w) p_model + w p_retrieved.

    Source: MoRA (arXiv 2605.08117), equation 1 and appendix D.
    """
    weight = gate_logit.sigmoid()[:, None]
    if mixed_logits:
        return F.cross_entropy((1 - weight) * p_model.clamp(min=_LEAST).log() + weight * p_retrieved, truth)
    fused = (1 - weight) * p_model + weight * p_retrieved
    return F.nll_loss(fused.clamp(min=_LEAST).log(), truth)


def alignment_target(
    p_model: Float[Tensor, "window class"], kind: AlignmentTarget = "entropy"
) -> Float[Tensor, " window"]:
    """How far the model's own doubt calls for retrieval, in [0, 1].

    Args:
        p_model: what the model says.
        kind: ``"entropy"``: H / ln C, with H the entropy in nats and C the number of classes: 0 when it is certain, 1
            when it has no idea, 0 with a single class; ``"sigmoid"``: sigmoid(H - 1) of the public code, which reaches
            neither end, and rises with the number of classes.
    """
    entropy: Tensor = torch.special.entr(p_model).sum(1)
    if kind == "sigmoid":
        return (entropy - _THETA).sigmoid()
    classes = p_model.shape[1]
    if classes == 1:
        return torch.zeros_like(entropy)
    return (entropy / math.log(classes)).clamp(0, 1)


def alignment_loss(gate_logit: Float[Tensor, " window"], target: Float[Tensor, " window"]) -> Float[Tensor, ""]:
    """Binary cross entropy between weight and target: least where they are equal, though not zero between 0 and 1.

    Source: MoRA (arXiv 2605.08117), appendix D.
    """
    return F.binary_cross_entropy_with_logits(gate_logit, target)


def sparsity_loss(gate_logit: Float[Tensor, " window"], class_weight: Float[Tensor, " window"]) -> Float[Tensor, ""]:
    """Mean of class weight x w (1 - w): zero for weights of 0 and 1, largest for one half.

    Args:
        gate_logit: of the weight w of retrieval.
        class_weight: what the window's class counts, see `GateLosses`.

    Source: MoRA (arXiv 2605.08117), appendix D.
    """
    weight = gate_logit.sigmoid()
    return (class_weight * weight * (1 - weight)).mean()


@dataclass(frozen=True, eq=False)
class Losses:
    """The losses of a batch.

    Args:
        total: what is minimized.
        classification: see `classification_loss`.
        alignment: see `alignment_loss`.
        sparsity: see `sparsity_loss`.
    """

    total: Float[Tensor, ""]
    classification: Float[Tensor, ""]
    alignment: Float[Tensor, ""]
    sparsity: Float[Tensor, ""]


class GateLosses(nn.Module):
    """The three losses, and what is learned of how they count.

    * Each loss L counts as exp(-2 s) / 2 x L + s, s being learned: at its best, exp(2 s) = L, so that losses of any
      size count alike, and none can be got rid of.
    * Each class counts in the sparsity loss by a learned weight: a softplus, divided by its mean over the training
      windows. That mean is one, so that not all can fall, and a class that no window has cannot take it up.

    Args:
        class_shares: ``(class,)`` share of the training windows that each class has.
        compat: which quirks of the public code to keep. Free class weights begin at one as well, but every update
            lowers them, below zero in the end.

    Source: Kendall, Gal, Cipolla, "Multi-task learning using uncertainty to weigh losses", 2018, section 3.2, as in the
    public code of MoRA.
    """

    shares: Tensor

    def __init__(self, class_shares: Float[Tensor, " class"], compat: Compat | None = None) -> None:
        super().__init__()
        self.compat = compat or Compat()
        self.register_buffer("shares", class_shares)
        self.log_sigma = nn.Parameter(torch.zeros(3, dtype=class_shares.dtype))
        self.class_scores = nn.Parameter(torch.ones_like(class_shares))

    def class_weights(self) -> Float[Tensor, " class"]:
        """What each class counts in the sparsity loss."""
        if self.compat.class_weights == "free":
            return self.class_scores
        positive = F.softplus(self.class_scores)
        return positive / (self.shares * positive).sum()

    def forward(
        self,
        gate_logit: Float[Tensor, " window"],
        p_model: Float[Tensor, "window class"],
        p_retrieved: Float[Tensor, "window class"],
        truth: Int[Tensor, " window"],
    ) -> Losses:
        """The losses of windows of which the true class is known."""
        classification = classification_loss(
            gate_logit, p_model, p_retrieved, truth, mixed_logits=self.compat.mixed_logits
        )
        alignment = alignment_loss(gate_logit, alignment_target(p_model, self.compat.alignment))
        sparsity = sparsity_loss(gate_logit, self.class_weights()[truth])
        each = torch.stack([classification, alignment, sparsity])
        total = (0.5 * (-2 * self.log_sigma).exp() * each + self.log_sigma).sum()
        return Losses(total, classification, alignment, sparsity)
