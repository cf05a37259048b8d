"""Two views of a patch find each other among all others; and losses of different scales are summed on one."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kinelex.training.objectives.patch_contrast import BalancedSum, patch_contrast


def views(seed: int = 0, windows: int = 3, patches: int = 4, width: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    one, other = torch.randn(2, windows, patches, width, generator=generator, dtype=torch.float64)
    return one, other


def some(seed: int, share: float) -> Tensor:
    return torch.rand(3, 4, generator=torch.Generator().manual_seed(seed)) < share


def reference(one: Tensor, other: Tensor, valid: Tensor, temperature: float) -> float:
    """NT-Xent, one row, one column at a time."""
    chosen = valid.nonzero().tolist()
    rows = [view[w, p] / view[w, p].norm() for view in (one, other) for w, p in chosen]
    half, total = len(chosen), 0.0
    for i, row in enumerate(rows):
        weight = {j: math.exp(float(row @ column) / temperature) for j, column in enumerate(rows) if j != i}
        total -= math.log(weight[(i + half) % (2 * half)] / sum(weight.values()))
    return total / len(rows) if rows else 0.0


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    share=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
    temperature=st.sampled_from([0.05, 0.2, 1.0]),
)
def test_the_loss_is_that_of_the_formula(seed: int, share: float, temperature: float) -> None:
    valid = some(seed, share)
    loss = patch_contrast(*views(seed), valid, temperature=temperature)
    assert float(loss) == pytest.approx(reference(*views(seed), valid, temperature), rel=1e-9, abs=1e-12)


def test_the_gradient_is_that_of_the_loss() -> None:
    one, other = (view.requires_grad_() for view in views())
    valid = some(1, 0.6)
    assert torch.autograd.gradcheck(lambda a, b: patch_contrast(a, b, valid), (one, other), fast_mode=True)


def test_patches_that_are_not_valid_may_be_anything() -> None:
    (one, other), valid = views(), some(2, 0.5)
    expected = patch_contrast(one, other, valid)
    one[~valid], other[~valid] = torch.nan, torch.inf
    one.requires_grad_()
    loss = patch_contrast(one, other, valid)
    loss.backward()
    torch.testing.assert_close(loss, expected)
    assert torch.equal((one.grad != 0).any(2), valid)


@pytest.mark.parametrize("count", [0, 1])
def test_one_patch_or_none_has_nothing_to_be_taken_for(count: int) -> None:
    one, other = views(1)
    valid = torch.zeros(3, 4, dtype=torch.bool)
    valid.view(-1)[:count] = True
    one.requires_grad_()
    loss = patch_contrast(one, other, valid)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-12)
    assert (one.grad.abs() < 1e-12).all()


def test_views_that_agree_cost_less_than_views_that_were_mixed_up() -> None:
    one, _ = views(2)
    valid = torch.ones(3, 4, dtype=torch.bool)
    assert patch_contrast(one, one + 0.01, valid) < patch_contrast(one, one.roll(1, dims=1), valid)


def test_contrast_makes_nothing_on_another_device_than_its_inputs() -> None:
    """Tensors without values refuse to be mixed with others."""
    one, other = (view.to("meta") for view in views())
    assert patch_contrast(one, other, some(0, 0.5).to("meta")).device.type == "meta"


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=1, max_size=12))
def test_a_balanced_sum_divides_each_loss_by_its_running_mean(steps: list[tuple[float, float]]) -> None:
    total = BalancedSum(("error", "contrast"), decay=0.9)
    means: list[float] | None = None
    for values in steps:
        means = list(values) if means is None else [0.9 * m + 0.1 * v for m, v in zip(means, values, strict=True)]
        found = total(dict(zip(("error", "contrast"), map(torch.tensor, values), strict=True)))
        assert float(found) == pytest.approx(sum(v / m for v, m in zip(values, means, strict=True)), rel=1e-5)


def test_its_gradient_is_that_of_the_losses_over_means_that_stand_still() -> None:
    total = BalancedSum(("error", "contrast"))
    total({"error": torch.tensor(4.0), "contrast": torch.tensor(0.5)})
    losses = {"error": torch.tensor(2.0, requires_grad=True), "contrast": torch.tensor(0.5, requires_grad=True)}
    total(losses).backward()
    assert float(losses["error"].grad) == pytest.approx(1 / (0.99 * 4 + 0.01 * 2))
    assert float(losses["contrast"].grad) == pytest.approx(1 / 0.5)


def test_a_batch_in_which_nothing_was_measured_says_nothing_of_the_scale() -> None:
    total = BalancedSum(("error",))
    assert total({"error": torch.tensor(0.0)}) == 0
    assert total({"error": torch.tensor(8.0)}) == 1, "the first value is the mean"
    total({"error": torch.tensor(0.0)})
    assert total.state()["error"] == 8


def test_a_resumed_sum_goes_on_to_the_bit() -> None:
    values = torch.rand(6, generator=torch.Generator().manual_seed(0)) + 0.1
    whole = BalancedSum(("error",))
    before = [whole({"error": value}) for value in values][3:]
    first, second = BalancedSum(("error",)), BalancedSum(("error",))
    for value in values[:3]:
        first({"error": value})
    second.load(first.state())
    assert [second({"error": value}) for value in values[3:]] == before
