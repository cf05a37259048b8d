"""The losses of a gate: each against its formula, each with the gradient of its formula."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import gradcheck

from kinelex.retrieval.compat import Compat
from kinelex.retrieval.gate_losses import (
    GateLosses,
    alignment_loss,
    alignment_target,
    classification_loss,
    sparsity_loss,
)

WINDOWS, CLASSES = 7, 4


class Made:
    """Random windows, as arrays for the references and as tensors for the losses."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.z = rng.normal(size=WINDOWS) * 2
        self.p_model, self.p_retrieved = (rng.dirichlet(np.full(CLASSES, 0.7), WINDOWS) for _ in range(2))
        self.y = rng.integers(0, CLASSES, WINDOWS)
        self.w = 1 / (1 + np.exp(-self.z))
        self.true = np.arange(WINDOWS), self.y

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        z, m, r, y = (torch.from_numpy(part) for part in (self.z, self.p_model, self.p_retrieved, self.y))
        return z, m, r, y


def entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([-math.fsum(x * math.log(x) for x in row if x > 0) for row in p])


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20)
def test_every_loss_is_its_formula(seed: int) -> None:
    made = Made(seed)
    z, m, r, y = made.tensors
    fused = (1 - made.w[:, None]) * made.p_model + made.w[:, None] * made.p_retrieved
    assert float(classification_loss(z, m, r, y)) == pytest.approx(-np.log(fused[made.true]).mean())
    target = entropy(made.p_model) / math.log(CLASSES)
    np.testing.assert_allclose(alignment_target(m), target, atol=1e-12)
    cross = -(target * np.log(made.w) + (1 - target) * np.log(1 - made.w)).mean()
    assert float(alignment_loss(z, alignment_target(m))) == pytest.approx(cross)
    gamma = np.random.default_rng(seed).random(WINDOWS)
    assert float(sparsity_loss(z, torch.from_numpy(gamma))) == pytest.approx((gamma * made.w * (1 - made.w)).mean())


def test_every_loss_has_the_gradient_of_its_formula() -> None:
    z, m, r, y = Made(1).tensors
    z.requires_grad_()
    gamma = torch.rand(WINDOWS, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for mixed in (False, True):
        assert gradcheck(lambda logit, q=mixed: classification_loss(logit, m, r, y, mixed_logits=q), (z,))
    assert gradcheck(lambda logit: alignment_loss(logit, alignment_target(m)), (z,))
    assert gradcheck(sparsity_loss, (z, gamma))
    for quirks in (Compat(), Compat.mora_code()):
        losses = GateLosses(torch.bincount(y, minlength=CLASSES).double() / WINDOWS, quirks)
        for i, name in product(range(3), ("log_sigma", "class_scores")):
            with torch.no_grad():
                getattr(losses, name)[i] += 0.3 * (i + 1)
        total = losses(z, m, r, y).total
        names = ("log_sigma", "class_scores")
        found = torch.autograd.grad(total, [getattr(losses, name) for name in names])
        for name, gradient in zip(names, found, strict=True):
            for i in range(len(gradient)):
                assert float(gradient[i]) == pytest.approx(slope(losses, name, i, z, m, r, y), abs=1e-8)


def slope(losses: GateLosses, name: str, i: int, *batch: Tensor) -> float:
    """Central difference of the total along one learned number."""
    values = []
    with torch.no_grad():
        for step in (1e-5, -2e-5):
            getattr(losses, name)[i] += step
            values.append(losses(*batch).total.item())
        getattr(losses, name)[i] += 1e-5
    return (values[0] - values[1]) / 2e-5


def test_the_right_side_is_trusted_more() -> None:
    """Equal labels or not: the slope of a window's weight points to the side that gives its class more."""
    z, m, r, y = Made(2).tensors
    z.requires_grad_()
    classification_loss(z, m, r, y).backward()
    assert z.grad is not None
    better = (r - m).gather(1, y[:, None]).squeeze(1)
    assert torch.equal(z.grad.sign(), -better.sign())


def test_where_both_sides_exclude_the_class_nothing_is_learned_and_nothing_breaks() -> None:
    z = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    nothing = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    loss = classification_loss(z, nothing, nothing, torch.tensor([1]))
    loss.backward()
    assert math.isfinite(loss.item())
    assert z.grad is not None
    assert float(z.grad) == 0


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_a_gate_that_is_too_sure_still_learns(logit: float) -> None:
    z = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
    alignment_loss(z, torch.tensor([0.5], dtype=torch.float64)).backward()
    assert z.grad is not None
    assert float(z.grad) == pytest.approx(0.5 * np.sign(logit))


def test_doubt_calls_for_retrieval_whatever_the_number_of_classes() -> None:
    for classes in (2, 6, 35):
        sure = torch.eye(classes, dtype=torch.float64)[:1]
        no_idea = torch.full((1, classes), 1 / classes, dtype=torch.float64)
        assert float(alignment_target(sure)) == 0
        assert float(alignment_target(no_idea)) == pytest.approx(1)
    assert float(alignment_target(torch.ones(1, 1))) == 0, "one class leaves no doubt"


def test_as_published_the_target_is_a_sigmoid_of_entropy_less_one() -> None:
    """The published bounds: .269 to .688 for 6 classes, to .928 for 35."""
    for classes, highest in ((6, 0.688), (35, 0.928)):
        rows = torch.stack([torch.eye(classes)[0], torch.full((classes,), 1 / classes)]).double()
        assert alignment_target(rows, "sigmoid").numpy().round(3).tolist() == [0.269, highest]
    made = Made(3)
    wanted = 1 / (1 + np.exp(1 - entropy(made.p_model)))
    np.testing.assert_allclose(alignment_target(made.tensors[1], "sigmoid"), wanted)


def test_as_published_logits_are_mixed_with_probabilities() -> None:
    made = Made(4)
    z, m, r, y = made.tensors
    mixed = (1 - made.w[:, None]) * np.log(made.p_model) + made.w[:, None] * made.p_retrieved
    chance = np.exp(mixed) / np.exp(mixed).sum(axis=1, keepdims=True)
    found = classification_loss(z, m, r, y, mixed_logits=True)
    assert float(found) == pytest.approx(-np.log(chance[made.true]).mean())


def test_sparsity_is_least_where_the_gate_decides() -> None:
    one = torch.ones(1, dtype=torch.float64)
    half, sure = (float(sparsity_loss(torch.tensor([z], dtype=torch.float64), one)) for z in (0.0, 40.0))
    assert half == pytest.approx(0.25)
    assert sure == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("published", [False, True])
def test_the_total_weighs_by_learned_uncertainty(published: bool) -> None:
    """Sum of exp(-2 s) / 2 x loss + s, for any s."""
    made = Made(5)
    quirks = Compat.mora_code() if published else Compat()
    losses = GateLosses(torch.full((CLASSES,), 1 / CLASSES, dtype=torch.float64), quirks)
    s = np.array([0.3, -0.7, 1.1])
    with torch.no_grad():
        losses.log_sigma.copy_(torch.from_numpy(s))
    found = losses(*made.tensors)
    each = np.array([found.classification.item(), found.alignment.item(), found.sparsity.item()])
    assert found.total.item() == pytest.approx((np.exp(-2 * s) / 2 * each + s).sum())


def test_every_loss_gets_its_own_quirk_and_no_other() -> None:
    made = Made(6)
    shares = torch.full((CLASSES,), 1 / CLASSES, dtype=torch.float64)
    plain = GateLosses(shares)(*made.tensors)
    for quirk, name in (({"mixed_logits": True}, "classification"), ({"alignment": "sigmoid"}, "alignment")):
        found = GateLosses(shares, Compat(**quirk))(*made.tensors)  # type: ignore[arg-type]
        for loss in ("classification", "alignment", "sparsity"):
            same = torch.equal(getattr(found, loss), getattr(plain, loss))
            assert same == (loss != name), (quirk, loss)


def test_class_weights_start_at_one_and_stay_positive_with_a_mean_of_one() -> None:
    shares = torch.tensor([0.7, 0.2, 0.1, 0.0], dtype=torch.float64)
    losses = GateLosses(shares)
    np.testing.assert_allclose(losses.class_weights().detach(), 1)
    with torch.no_grad():
        losses.class_scores.copy_(torch.tensor([-30.0, 2.0, 0.0, 50.0]))
    weights = losses.class_weights().detach()
    assert (weights > 0).all()
    assert float((weights * shares).sum()) == pytest.approx(1)
    scores = np.log1p(np.exp([-30.0, 2.0, 0.0, 50.0]))
    np.testing.assert_allclose(weights, scores / (scores * shares.numpy()).sum())


def learned_class_weights(quirks: Compat, updates: int) -> Tensor:
    """Class weights after so many steps down the sparsity loss, with windows of all classes but the last."""
    losses = GateLosses(torch.tensor([0.5, 0.25, 0.25, 0.0], dtype=torch.float64), quirks)
    classes = torch.tensor([0, 0, 1, 2])
    logit = torch.tensor([0.0, 0.0, 3.0, 3.0], dtype=torch.float64)
    for _ in range(updates):
        sparsity = sparsity_loss(logit, losses.class_weights()[classes])
        (gradient,) = torch.autograd.grad(sparsity, losses.class_scores)
        with torch.no_grad():
            losses.class_scores -= 2.0 * gradient
    return losses.class_weights().detach()


def test_classes_cannot_all_escape_sparsity() -> None:
    weights = learned_class_weights(Compat(), 200)
    assert (weights > 0).all()
    assert weights[0] < 1 < weights[1]
    assert float(weights @ torch.tensor([0.5, 0.25, 0.25, 0.0], dtype=torch.float64)) == pytest.approx(1)


def test_as_published_class_weights_only_fall_and_below_zero() -> None:
    quirk = Compat(class_weights="free")
    before, later, late = (learned_class_weights(quirk, updates) for updates in (0, 1, 200))
    assert before.tolist() == [1.0] * 4
    assert (later[:3] < 1).all()
    assert (late[:1] < 0).all()
    assert late[3] == 1, "a class without windows stays"
