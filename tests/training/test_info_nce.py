"""Windows pick their texts out of batch and bank, and equal labels share the target instead of repelling each other."""

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

LABEL = torch.tensor([0, 0, 1, 2, 2])
BANK_LABEL = torch.tensor([2, 0, 3])
SCALE = torch.tensor(7.0, dtype=torch.float64)
PUBLISHED = PairTargets(positives="identity", soft_weight=1.0, bank_soft=False)
HARD = PairTargets(soft_weight=0.0)
IDENTITY = PairTargets(positives="identity", soft_weight=0.0)


def unit(rows: int, seed: int, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, width, generator=generator, dtype=torch.float64), dim=1)


def bank(seed: int = 9) -> Entries:
    return Entries(unit(3, seed), unit(3, seed + 1), BANK_LABEL)


def reference(windows: Tensor, texts: Tensor, target: Tensor, scale: float, past: Entries | None) -> float:
    """The formula, one row, one direction, one column at a time."""
    total = 0.0
    for rows, columns, more in (
        (windows, texts, past.texts if past else []),
        (texts, windows, past.windows if past else []),
    ):
        everything = [*columns, *more]
        for i, row in enumerate(rows):
            logits = [scale * float(row @ column) for column in everything]
            log_sum = math.log(sum(math.exp(logit) for logit in logits))
            total -= sum(float(target[i, j]) * (logit - log_sum) for j, logit in enumerate(logits)) / len(rows) / 2
    return total


def reference_targets(similarity: Tensor, targets: PairTargets, bank_label: list[int]) -> Tensor:
    columns = [*LABEL.tolist(), *bank_label]
    rows = len(LABEL)
    width = len(columns) if targets.bank_soft else rows
    values = [float(similarity[i, j]) for i in range(rows) for j in range(width)]
    mean = sum(values) / len(values)
    spread = max(math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)), 0.1)
    result = torch.zeros(rows, len(columns), dtype=torch.float64)
    for i in range(rows):
        if targets.positives == "identity":
            equal = [j == i for j in range(len(columns))]
        else:
            equal = [columns[j] == columns[i] for j in range(len(columns))]
        weight = [math.exp((float(similarity[i, j]) - mean) / spread / targets.soft_temperature) for j in range(width)]
        for j in range(len(columns)):
            soft = weight[j] / sum(weight) if j < width else 0.0
            result[i, j] = (1 - targets.soft_weight) * equal[j] / sum(equal) + targets.soft_weight * soft
    return result


@pytest.mark.parametrize("with_bank", [False, True])
@pytest.mark.parametrize("targets", [PUBLISHED, HARD, PairTargets(soft_weight=0.4)], ids=["published", "hard", "ours"])
def test_targets_loss_and_gradient_are_those_of_the_formulas(targets: PairTargets, with_bank: bool) -> None:
    past = bank() if with_bank else None
    windows, texts = unit(5, 1).requires_grad_(), unit(5, 2).requires_grad_()
    similarity = text_similarity(texts.detach(), past.texts if past else None)
    target = pair_targets(similarity, LABEL, targets, past.label if past else None)
    expected = reference_targets(similarity, targets, BANK_LABEL.tolist() if past else [])
    torch.testing.assert_close(target, expected)
    loss = info_nce(windows, texts, target, SCALE, past)
    reached = reference(windows.detach(), texts.detach(), expected, float(SCALE), past)
    assert float(loss.detach()) == pytest.approx(reached, rel=1e-12)
    inputs = (windows, texts, SCALE.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda w, t, s: info_nce(w, t, target, s, past), inputs, fast_mode=True)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    rows=st.integers(1, 8),
    past=st.integers(0, 8),
    positives=st.sampled_from(["identity", "label"]),
    soft_weight=st.floats(0, 1),
    bank_soft=st.booleans(),
)
def test_targets_are_shares(
    seed: int, rows: int, past: int, positives: str, soft_weight: float, bank_soft: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(4, (rows + past,), generator=generator)
    texts = unit(rows + past, seed)
    targets = PairTargets(positives=positives, soft_weight=soft_weight, bank_soft=bank_soft)
    target = pair_targets(text_similarity(texts[:rows], texts[rows:]), label[:rows], targets, label[rows:])
    assert (target >= 0).all()
    torch.testing.assert_close(target.sum(1), torch.ones(rows, dtype=torch.float64))


def test_past_pairs_of_an_equal_label_share_the_target() -> None:
    target = pair_targets(text_similarity(unit(5, 1), unit(3, 2)), LABEL, HARD, BANK_LABEL)
    assert torch.equal(target[:, 5:] > 0, LABEL[:, None] == BANK_LABEL)
    torch.testing.assert_close(target[0, [0, 1, 6]], torch.full((3,), 1 / 3, dtype=torch.float64))


def test_past_pairs_have_a_soft_target_unless_the_published_one_is_asked_for() -> None:
    texts = unit(8, 1)
    similarity = text_similarity(texts[:5], texts[5:])
    assert (pair_targets(similarity, LABEL, PUBLISHED, BANK_LABEL)[:, 5:] == 0).all()
    assert (pair_targets(similarity, LABEL, PairTargets(soft_weight=1.0), BANK_LABEL)[:, 5:] > 0).all()


def test_texts_that_hardly_differ_are_not_told_apart_by_force() -> None:
    similarity = 0.9 + 0.001 * text_similarity(unit(5, 1))
    target = pair_targets(similarity, LABEL, PairTargets(soft_weight=1.0))
    torch.testing.assert_close(target, torch.full((5, 5), 0.2, dtype=torch.float64), atol=0.01, rtol=0)


def test_targets_do_not_train_the_texts() -> None:
    texts = unit(5, 1).requires_grad_()
    assert not pair_targets(text_similarity(texts), LABEL, PairTargets()).requires_grad


def gradient_of_cosines(targets: PairTargets, cosines: Tensor) -> Tensor:
    """Gradient of the loss with respect to the cosine of each window with the text of each row, both directions
    together: what is pulled (below zero) and what is pushed (above)."""
    rows = len(LABEL)
    basis = torch.eye(rows, dtype=cosines.dtype)  # texts as axes, so that a window's coordinates are its cosines
    windows = cosines.clone().requires_grad_()
    target = pair_targets(text_similarity(basis), LABEL, targets)
    (gradient,) = torch.autograd.grad(info_nce(windows, basis, target, SCALE), windows)
    return gradient


def test_no_window_is_pushed_from_a_text_of_its_label() -> None:
    gradient = gradient_of_cosines(HARD, torch.full((5, 5), 0.1, dtype=torch.float64))
    equal = positive_pairs(LABEL)
    assert (gradient[equal] < 0).all()
    assert (gradient[~equal] > 0).all()


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_texts_of_its_label_together_always_pull_a_window(seed: int) -> None:
    """Whatever was learned so far: a positive beyond its share gives way to the others, never to a negative."""
    cosines = torch.rand(5, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1
    windows, texts = cosines.clone().requires_grad_(), torch.eye(5, dtype=torch.float64)
    target = pair_targets(text_similarity(texts), LABEL, HARD)
    equal = positive_pairs(LABEL)
    for logits in (SCALE * windows @ texts.T, (SCALE * windows @ texts.T).T):
        (gradient,) = torch.autograd.grad(-(target * logits.log_softmax(1)).sum(), logits, retain_graph=True)
        assert ((gradient * equal).sum(1) < 0).all()
    gradient = gradient_of_cosines(HARD, cosines)
    assert (gradient[equal].sum()) < 0


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_windows_of_a_label_with_one_text_are_never_pushed_from_it(seed: int) -> None:
    """Each text of the label is then as near as the others, and none can be beyond its share."""
    texts = unit(5, seed)[LABEL]
    windows = unit(5, seed + 1)
    target = pair_targets(text_similarity(texts), LABEL, HARD)
    logits = (SCALE * windows @ texts.T).requires_grad_()
    (gradient,) = torch.autograd.grad(-(target * logits.log_softmax(1)).sum(), logits)
    assert (gradient[positive_pairs(LABEL)] <= 1e-12).all()


def test_identity_targets_push_equal_labels_apart() -> None:
    """The same measurement on the published targets, to show that it can fail."""
    gradient = gradient_of_cosines(IDENTITY, torch.full((5, 5), 0.1, dtype=torch.float64))
    others = positive_pairs(LABEL) & ~torch.eye(5, dtype=torch.bool)
    assert (gradient[others] > 0).all()
    assert (gradient.diagonal() < 0).all()


def test_identity_without_a_bank_is_the_loss_of_clip() -> None:
    windows, texts = unit(5, 1), unit(5, 2)
    logits = SCALE * windows @ texts.T
    expected = (F.cross_entropy(logits, torch.arange(5)) + F.cross_entropy(logits.T, torch.arange(5))) / 2
    target = pair_targets(text_similarity(texts), LABEL, IDENTITY)
    torch.testing.assert_close(info_nce(windows, texts, target, SCALE), expected)


def test_past_pairs_are_further_columns_in_both_directions() -> None:
    """A past text near to the windows makes picking harder, and so does a past window near to the texts."""
    windows, texts = unit(5, 1), unit(5, 2)
    far = -windows.mean(0, keepdim=True)
    target = F.pad(torch.eye(5, dtype=torch.float64), (0, 1))
    label = torch.tensor([7])
    calm = info_nce(windows, texts, target, SCALE, Entries(-texts.mean(0, keepdim=True), far, label))
    near_text = info_nce(windows, texts, target, SCALE, Entries(-texts.mean(0, keepdim=True), windows[:1], label))
    near_window = info_nce(windows, texts, target, SCALE, Entries(texts[:1], far, label))
    assert near_text > calm
    assert near_window > calm


def test_a_single_pair_has_nothing_to_be_taken_for() -> None:
    one = unit(1, 1).requires_grad_()
    target = pair_targets(text_similarity(one), torch.tensor([0]), PairTargets())
    loss = info_nce(one, unit(1, 2), target, SCALE)
    loss.backward()
    assert loss == 0
    assert (one.grad == 0).all()


def test_nothing_is_made_on_another_device_than_the_inputs() -> None:
    """Tensors without values refuse to be mixed with others."""
    rows, past = torch.empty(5, 6, device="meta"), torch.empty(3, 6, device="meta")
    label, past_label = LABEL.to("meta"), BANK_LABEL.to("meta")
    for targets in (PUBLISHED, PairTargets()):
        target = pair_targets(text_similarity(rows, past), label, targets, past_label)
        loss = info_nce(rows, rows, target, torch.empty((), device="meta"), Entries(past, past, past_label))
        assert loss.device.type == "meta"
