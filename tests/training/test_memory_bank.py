"""A memory bank is a queue: the oldest pairs leave first, and a resumed one goes on as if nothing had happened."""

from __future__ import annotations

from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from kinelex.errors import BadRecipe
from kinelex.training.memory_bank import Entries, MemoryBank

WIDTH = 3


def pairs(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    windows, texts = torch.randn(2, count, WIDTH, generator=generator)
    return windows, texts, torch.randint(9, (count,), generator=generator)


def same(one: Entries, other: Entries) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("windows", "texts", "label"))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    size=st.integers(1, 9),
    pushes=st.lists(st.integers(0, 12), max_size=8),
    saved_after=st.integers(0, 8),
)
def test_it_is_a_queue_also_when_saved_and_loaded_between(
    seed: int, size: int, pushes: list[int], saved_after: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    bank = MemoryBank(size, WIDTH)
    queue: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=size)
    for i, count in enumerate(pushes):
        if i == saved_after:
            resumed = MemoryBank(size, WIDTH)
            resumed.load(load(save(bank.state())))
            assert same(resumed.entries(), bank.entries())
            bank = resumed
        batch = pairs(count, generator)
        bank.push(*batch)
        queue.extend(zip(*batch, strict=True))
        entries = bank.entries()
        assert len(bank) == len(entries) == len(queue)
        for k, (window, text, label) in enumerate(queue):
            assert torch.equal(entries.windows[k], window)
            assert torch.equal(entries.texts[k], text)
            assert entries.label[k] == label


def test_no_gradient_flows_into_past_pairs_and_later_pushes_do_not_change_them() -> None:
    generator = torch.Generator().manual_seed(0)
    windows, texts, label = pairs(4, generator)
    bank = MemoryBank(4, WIDTH)
    bank.push(windows.requires_grad_(), texts.requires_grad_(), label)
    entries, state = bank.entries(), bank.state()
    assert not entries.windows.requires_grad
    assert not entries.texts.requires_grad
    bank.push(*pairs(4, generator))
    assert torch.equal(entries.windows, windows)
    assert torch.equal(state["texts"], texts)


@pytest.mark.parametrize("which", ["window", "text"])
@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_vector_without_a_direction_is_refused_and_nothing_of_its_batch_stays(which: str, value: float) -> None:
    windows, texts, label = pairs(3, torch.Generator().manual_seed(0))
    bank = MemoryBank(8, WIDTH)
    bank.push(windows, texts, label)
    before = bank.entries()
    bad = {"window": windows.clone(), "text": texts.clone()}
    bad[which][1] = value
    with pytest.raises(BadRecipe, match=f"1 of 3 {which} vectors.*learning_rate"):
        bank.push(bad["window"], bad["text"], label)
    assert same(bank.entries(), before)


def test_a_state_of_another_bank_is_refused() -> None:
    bank = MemoryBank(4, WIDTH)
    bank.push(*pairs(4, torch.Generator().manual_seed(0)))
    with pytest.raises(BadRecipe, match=r"holds 4 pairs of width 3, this one at most 2 of width 3.*recipe"):
        MemoryBank(2, WIDTH).load(bank.state())
    with pytest.raises(BadRecipe, match="of width 5"):
        MemoryBank(4, 5).load(bank.state())


def test_a_bank_of_nothing_is_refused() -> None:
    with pytest.raises(BadRecipe, match="at least 1"):
        MemoryBank(0, WIDTH)
