"""Labels repeat inside a batch: equal labels are positives, in both directions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kinelex.training.objectives.alignment import alignment_loss, target_matrix
from kinelex.training.recipe import Targets

LABELS = 5
GROUPS = torch.tensor([0, 0, 1, 2, 3])  # the first two labels count as the same
LABEL_OF_WINDOW = torch.tensor([0, 0, 1, 2, 2, 4])
PLAIN = Targets(text=0.0, smoothing=0.0)


@pytest.fixture
def text() -> Tensor:
    return F.normalize(torch.randn(LABELS, 16, generator=torch.Generator().manual_seed(1)), dim=1)


def gradient_of_cosines(text: Tensor, targets: Targets, windows_per_label: float) -> Tensor:
    """Gradient of the loss with respect to each window's cosine with each label, all cosines equal: what is pulled
    (below zero) and what is pushed (above)."""
    basis = torch.eye(LABELS)  # labels as axes, so that a window's coordinates are its cosines
    windows = torch.full((len(LABEL_OF_WINDOW), LABELS), 0.1, requires_grad=True)
    loss = alignment_loss(
        windows, basis, LABEL_OF_WINDOW, target_matrix(text, GROUPS, targets), torch.tensor(10.0),
        windows_per_label=windows_per_label,
    )  # fmt: skip
    (gradient,) = torch.autograd.grad(loss, windows)
    return gradient


@pytest.mark.parametrize("windows_per_label", [0.0, 0.5, 1.0])
def test_no_window_is_pushed_from_its_own_label_however_often_it_occurs(text: Tensor, windows_per_label: float) -> None:
    gradient = gradient_of_cosines(text, PLAIN, windows_per_label)
    own = gradient[torch.arange(len(LABEL_OF_WINDOW)), LABEL_OF_WINDOW]
    assert (own < 0).all()


def test_no_window_is_pushed_from_labels_of_its_group(text: Tensor) -> None:
    gradient = gradient_of_cosines(text, PLAIN, 0.5)
    same_group = GROUPS[LABEL_OF_WINDOW][:, None] == GROUPS[None]
    assert (gradient[same_group] < 0).all()
    assert (gradient[:, 2:][~same_group[:, 2:]] > 0).all(), "other labels are pushed"


def test_identity_targets_would_push_equal_labels_apart() -> None:
    """The same measurement on CLIP's loss, to show that it can fail."""
    windows = torch.full((len(LABEL_OF_WINDOW), LABELS), 0.1, requires_grad=True)
    logits = 10.0 * windows @ torch.eye(LABELS)[LABEL_OF_WINDOW].T
    loss = F.cross_entropy(logits, torch.arange(len(LABEL_OF_WINDOW)))
    (gradient,) = torch.autograd.grad(loss, logits)
    twin = gradient[0, 1]  # window 0 against window 1's text, which is its own label
    assert twin > 0


def test_targets_are_shares_and_follow_meaning(text: Tensor) -> None:
    targets = target_matrix(text, GROUPS, Targets(text=0.4, smoothing=0.1))
    torch.testing.assert_close(targets.sum(1), torch.ones(LABELS))
    assert (targets.argmax(1)[2:] == torch.arange(LABELS)[2:]).all()
    nearest = (text @ text.T - 2 * torch.eye(LABELS)).argmax(1)
    for label in (2, 3, 4):
        others = [k for k in range(LABELS) if k not in (label, int(nearest[label]))]
        assert targets[label, nearest[label]] >= targets[label, others].max()


def test_the_loss_is_least_at_the_targets(text: Tensor) -> None:
    target = target_matrix(text, GROUPS, PLAIN)
    good = text[LABEL_OF_WINDOW]
    bad = text[(LABEL_OF_WINDOW + 2) % LABELS]
    scale = torch.tensor(10.0)
    losses = [alignment_loss(w, text, LABEL_OF_WINDOW, target, scale, windows_per_label=0.5) for w in (good, bad)]
    assert losses[0] < losses[1]
