"""With several prototypes a window need be near to the best of its text's only; with one, nothing changes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from kinelex.training.memory_bank import Entries
from kinelex.training.objectives.info_nce import PairTargets, info_nce, pair_targets, positive_pairs, text_similarity
from kinelex.training.objectives.prototypes import prototype_loss, prototype_similarity, winning_prototypes

LABEL = torch.tensor([0, 0, 1, 2])
BANK_LABEL = torch.tensor([2, 3])
SCALE = torch.tensor(5.0, dtype=torch.float64)


def unit(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1)


def bank() -> Entries:
    return Entries(unit(2, 6, seed=7), unit(2, 6, seed=8), BANK_LABEL)


def reference(windows: Tensor, prototypes: Tensor, positive: Tensor, target: Tensor, past: Entries | None) -> float:
    """The published extension, one window, one text, one prototype at a time."""
    rows, count, _ = prototypes.shape
    scale = float(SCALE)
    total = 0.0
    for i in range(rows):
        kept: list[tuple[int, float]] = []  # (column, logit) of all that window i can pick
        for j in range(rows):
            logits = [scale * float(windows[i] @ prototypes[j, k]) for k in range(count)]
            kept += [(j, max(logits))] if positive[i, j] else [(j, logit) for logit in logits]
        if past is not None:
            kept += [(rows + b, scale * float(windows[i] @ text)) for b, text in enumerate(past.texts)]
        log_sum = math.log(sum(math.exp(logit) for _, logit in kept))
        for column, logit in kept:
            share = float(target[i, column]) / sum(other == column for other, _ in kept)
            total -= share * (logit - log_sum)

        columns = [*windows, *([] if past is None else past.windows)]
        won = [max(range(count), key=lambda k: float(column @ prototypes[i, k])) for column in columns]
        kept_columns = [j for j in range(len(columns)) if not positive[i, j] or won[j] == won[i]]
        logits = [scale * float(prototypes[i, won[i]] @ columns[j]) for j in kept_columns]
        log_sum = math.log(sum(math.exp(logit) for logit in logits))
        shares = [float(target[i, j]) for j in kept_columns]
        total -= sum(s / sum(shares) * (logit - log_sum) for s, logit in zip(shares, logits, strict=True))
    return total / rows / 2


@pytest.mark.parametrize("with_bank", [False, True])
@pytest.mark.parametrize("positives", ["label", "identity"])
@pytest.mark.parametrize("soft_weight", [0.0, 0.4, 1.0])
def test_loss_and_gradient_are_those_of_the_formula(positives: str, soft_weight: float, with_bank: bool) -> None:
    past = bank() if with_bank else None
    windows, prototypes = unit(4, 6, seed=1).requires_grad_(), unit(4, 3, 6, seed=2).requires_grad_()
    positive = positive_pairs(LABEL, past.label if past else None, positives)
    similarity = prototype_similarity(prototypes, past.texts if past else None)
    targets = PairTargets(positives=positives, soft_weight=soft_weight)
    target = pair_targets(similarity, LABEL, targets, past.label if past else None)
    loss = prototype_loss(windows, prototypes, positive, target, SCALE, past)
    expected = reference(windows.detach(), prototypes.detach(), positive, target, past)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(
        lambda w, p, s: prototype_loss(w, p, positive, target, s, past),
        (windows, prototypes, SCALE.clone().requires_grad_()),
        fast_mode=True,
    )


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    rows=st.integers(1, 6),
    past=st.integers(0, 4),
    positives=st.sampled_from(["identity", "label"]),
    soft_weight=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_one_prototype_is_info_nce_to_the_bit(
    seed: int, rows: int, past: int, positives: str, soft_weight: float
) -> None:
    label = torch.randint(3, (rows + past,), generator=torch.Generator().manual_seed(seed))
    windows = unit(rows + past, 8, seed=seed).float()
    texts = unit(rows + past, 8, seed=seed + 1).float()
    held = Entries(windows[rows:], texts[rows:], label[rows:])
    similarity = text_similarity(texts[:rows], texts[rows:])
    torch.testing.assert_close(prototype_similarity(texts[:rows, None], texts[rows:]), similarity)
    target = pair_targets(
        similarity, label[:rows], PairTargets(positives=positives, soft_weight=soft_weight), label[rows:]
    )
    positive = positive_pairs(label[:rows], label[rows:], positives)
    ours, theirs = (texts[:rows].clone().requires_grad_() for _ in range(2))
    one = prototype_loss(windows[:rows], ours[:, None], positive, target, SCALE.float(), held)
    plain = info_nce(windows[:rows], theirs, target, SCALE.float(), held)
    assert torch.equal(one, plain)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss, x in ((one, ours), (plain, theirs))))


def gradient_of_prototypes(seed: int, positives: str = "label") -> tuple[Tensor, Tensor]:
    """Cosines of the windows with all prototypes of all rows, and the gradient with respect to them: prototypes as axes
    make a window's coordinates its cosines."""
    rows, count = len(LABEL), 3
    axes = torch.eye(rows * count, dtype=torch.float64).view(rows, count, rows * count)
    cosines = unit(rows, rows * count, seed=seed).requires_grad_()
    targets = PairTargets(positives=positives, soft_weight=0.0)
    target = pair_targets(prototype_similarity(axes), LABEL, targets)
    loss = prototype_loss(cosines, axes, positive_pairs(LABEL, None, positives), target, SCALE)
    (gradient,) = torch.autograd.grad(loss, cosines)
    return cosines.detach().view(rows, rows, count), gradient.view(rows, rows, count)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_no_prototype_of_an_equal_label_is_a_negative(seed: int) -> None:
    cosines, gradient = gradient_of_prototypes(seed)
    equal = positive_pairs(LABEL)
    best = cosines == cosines.amax(2, keepdim=True)
    assert (gradient[equal[:, :, None] & ~best] == 0).all(), "neither pulled nor pushed"
    assert (gradient * equal[:, :, None]).sum() < 0, "the best ones together are pulled"
    assert (gradient[~equal] > 0).all(), "every prototype of another label is pushed"


def test_identity_makes_them_negatives() -> None:
    """The same measurement on the published positives, to show that it can fail."""
    _, gradient = gradient_of_prototypes(3, "identity")
    assert (gradient[0, 1] > 0).all(), "window 1 carries the label of window 0"


def test_texts_are_as_alike_as_their_nearest_prototypes() -> None:
    prototypes, past = unit(4, 3, 6, seed=1), unit(2, 6, seed=2)
    found = prototype_similarity(prototypes, past)
    for i in range(4):
        for j in range(4):
            assert float(found[i, j]) == pytest.approx(max(float(a @ b) for a in prototypes[i] for b in prototypes[j]))
        for b in range(2):
            assert float(found[i, 4 + b]) == pytest.approx(max(float(a @ past[b]) for a in prototypes[i]))


def test_the_winner_is_the_nearest_of_a_windows_own() -> None:
    windows, prototypes = unit(4, 6, seed=1), unit(4, 3, 6, seed=2)
    for i, winner in enumerate(winning_prototypes(windows, prototypes)):
        cosines = prototypes[i] @ windows[i]
        assert torch.equal(winner, prototypes[i, int(cosines.argmax())])


def test_prototypes_of_a_label_stay_with_the_windows_that_each_has_won() -> None:
    """Windows of each label point in two directions: prototypes that all of them pull would end in the middle."""
    generator = torch.Generator().manual_seed(0)
    ways = torch.eye(8).view(4, 2, 8)
    raw = (ways + 0.05 * torch.randn(4, 2, 8, generator=generator)).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.1)
    for _ in range(25):
        label, way = torch.randint(4, (24,), generator=generator), torch.randint(2, (24,), generator=generator)
        prototypes = F.normalize(raw, dim=2)[label]
        target = pair_targets(prototype_similarity(prototypes), label, PairTargets(soft_weight=0.0))
        loss = prototype_loss(ways[label, way], prototypes, positive_pairs(label), target, SCALE.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    nearest = (F.normalize(raw.detach(), dim=2) @ ways.transpose(1, 2)).amax(1)
    assert nearest.min() > 0.85, "a middle would be at 0.71"


def test_nothing_is_made_on_another_device_than_the_inputs() -> None:
    """Tensors without values refuse to be mixed with others."""
    windows, prototypes = torch.empty(4, 6, device="meta"), torch.empty(4, 3, 6, device="meta")
    past = Entries(torch.empty(2, 6, device="meta"), torch.empty(2, 6, device="meta"), BANK_LABEL.to("meta"))
    label = LABEL.to("meta")
    target = pair_targets(prototype_similarity(prototypes, past.texts), label, PairTargets(), past.label)
    loss = prototype_loss(
        windows, prototypes, positive_pairs(label, past.label), target, torch.empty((), device="meta"), past
    )
    assert loss.device.type == "meta"
