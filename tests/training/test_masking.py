"""What is hidden: so many patches, spans or channels as asked, only what is there, and never all of a window."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from kinelex.training.masking import Masking, hide
from kinelex.training.randomness import torch_generator

PATCHES = Masking(patches=1, spans=0, channels=0)
SPANS = Masking(patches=0, spans=1, channels=0)
CHANNELS = Masking(patches=0, spans=0, channels=1)
STRATEGIES = [PATCHES, SPANS, CHANNELS, Masking()]


def generator(seed: int = 0) -> torch.Generator:
    return torch_generator(seed, 0, "masking")


def everything(windows: int = 400, patches: int = 10, channels: int = 6) -> Tensor:
    return torch.ones(windows, patches, channels, dtype=torch.bool)


def runs(row: Tensor) -> list[int]:
    """Lengths of the stretches of true."""
    return [len(run) for run in "".join("x" if hidden else " " for hidden in row.tolist()).split()]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 7)),
    share=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
    masking=st.one_of(
        st.sampled_from(STRATEGIES),
        st.builds(
            lambda *ratios: Masking(patch_ratio=ratios[0], channel_ratio=ratios[1], beside_ratio=ratios[2]),
            *[st.floats(0, 1)] * 3,
        ),
    ),
)
def test_only_valid_tokens_are_hidden_and_never_all_of_a_window(
    seed: int, shape: tuple[int, int, int], share: float, masking: Masking
) -> None:
    valid = torch.rand(shape, generator=generator(seed)) < share
    hidden = hide(valid, masking, generator(seed))
    assert not (hidden.tokens & ~valid).any()
    assert not (hidden.dropped & ~hidden.tokens).any()
    seen = valid & ~hidden.tokens
    assert torch.equal(seen.any((1, 2)), valid.any((1, 2)))


def test_what_is_hidden_is_a_function_of_the_generator() -> None:
    valid = everything()
    one, again, other = (hide(valid, Masking(), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.tokens, again.tokens)
    assert torch.equal(one.dropped, again.dropped)
    assert not torch.equal(one.tokens, other.tokens)


def test_a_window_is_hidden_alike_whatever_else_is_in_its_batch() -> None:
    valid = everything(8)
    other = valid.clone()
    other[:4, 3:] = False
    assert torch.equal(hide(valid, Masking(), generator()).tokens[4:], hide(other, Masking(), generator()).tokens[4:])


@pytest.mark.parametrize("masking", [PATCHES, SPANS], ids=["patches", "spans"])
def test_a_hidden_patch_is_hidden_in_all_its_valid_channels(masking: Masking) -> None:
    valid = everything()
    valid[::2, :, 2] = False
    hidden = hide(valid, masking, generator())
    patch = hidden.tokens.any(2, keepdim=True)
    assert patch.any((1, 2)).all()
    assert torch.equal(hidden.tokens, patch & valid)
    assert not hidden.dropped.any()


def test_random_patches_come_to_the_ratio_of_the_valid_ones() -> None:
    valid = everything()
    valid[200:, 6:] = False
    count = hide(valid, PATCHES, generator()).tokens[:, :, 0].sum(1)
    assert (count[:200] == 3).all(), "0.3 of 10"
    assert (count[200:] == 2).all(), "0.3 of 6"


def test_every_patch_is_hidden_equally_often() -> None:
    valid = everything(8000)
    often = hide(valid, PATCHES, generator()).tokens[:, :, 0].float().mean(0)
    torch.testing.assert_close(often, torch.full((10,), 0.3), atol=0.025, rtol=0)  # five standard deviations


def test_spans_are_of_two_to_four_patches_up_to_the_ratio() -> None:
    hidden = hide(everything(2000, 20), SPANS, generator()).tokens[:, :, 0]
    count = hidden.sum(1)
    assert set(count.tolist()) == {5, 6}, "up to 0.3 of 20, less a rest that is too short for a span"
    lengths = [length for row in hidden for length in runs(row)]
    assert min(lengths) == 2
    assert {2, 3, 4} <= set(lengths)
    assert max(len(runs(row)) for row in hidden) == 3


def test_one_span_has_a_length_from_the_shortest_to_the_longest() -> None:
    masking = Masking(patches=0, spans=1, channels=0, patch_ratio=0.25, shortest_span=3, longest_span=5)
    hidden = hide(everything(600, 20), masking, generator()).tokens[:, :, 0]
    assert {tuple(runs(row)) for row in hidden} == {(3,), (4,), (5,)}
    places = hidden.float().argmax(1)
    assert set(places.tolist()) == set(range(18)), "it begins anywhere"


@pytest.mark.parametrize(("patches", "lengths"), [(1, []), (2, [1]), (3, [2]), (4, [2]), (6, [2])])
def test_a_short_window_loses_what_it_can_spare(patches: int, lengths: list[int]) -> None:
    hidden = hide(everything(50, patches), SPANS, generator()).tokens[:, :, 0]
    assert all(runs(row) == lengths for row in hidden)


def test_spans_are_counted_along_the_patches_that_are_there() -> None:
    valid = everything(200, 12)
    valid[:, 1::2] = False
    hidden = hide(valid, SPANS, generator()).tokens[:, :, 0]
    assert all(runs(row) == [2] for row in hidden[:, ::2])


def test_dropped_channels_are_dropped_whole_and_a_few_patches_beside() -> None:
    valid = everything()
    valid[200:, :, 3:] = False
    hidden = hide(valid, CHANNELS, generator())
    dropped = hidden.dropped.any(1)
    assert torch.equal(hidden.dropped, dropped[:, None] & valid)
    assert (dropped[:200].sum(1) == 2).all(), "0.3 of 6"
    assert (dropped[200:].sum(1) == 1).all(), "0.3 of 3"
    beside = hidden.tokens & ~hidden.dropped
    patch = beside.any(2)
    assert (patch.sum(1) == 2).all(), "0.15 of 10"
    assert torch.equal(beside, patch[:, :, None] & valid & ~hidden.dropped)


def test_the_only_channel_is_never_dropped() -> None:
    valid = everything(100, 10, 4)
    valid[:, :, 1:] = False
    hidden = hide(valid, CHANNELS, generator())
    assert not hidden.dropped.any()
    assert (hidden.tokens[:, :, 0].sum(1) == 2).all()


def test_at_least_one_of_two_channels_is_dropped() -> None:
    hidden = hide(everything(100, 10, 2), CHANNELS, generator())
    assert (hidden.dropped.any(1).sum(1) == 1).all()


def test_strategies_are_drawn_per_window_by_their_shares() -> None:
    hidden = hide(everything(10_000, 20), Masking(), generator())
    channels = hidden.dropped.any((1, 2))
    single = torch.tensor([1 in runs(row) for row in hidden.tokens[:, :, 0]]) & ~channels
    assert float(channels.float().mean()) == pytest.approx(0.2, abs=0.02)
    # Six random patches of twenty have a lone one nearly always, spans never.
    assert float(single.float().mean()) == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"patches": 0.9}, "is 1.5, not 1"), ({"shortest_span": 5}, "longer than"), ({"patch_ratio": 1.5}, "patch_ratio")],
)
def test_an_impossible_masking_is_refused(fields: dict[str, float], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Masking(**fields)


def test_nothing_is_made_on_another_device_than_the_mask() -> None:
    """Tensors without values refuse to be mixed with others."""
    hidden = hide(everything().to("meta"), Masking(), generator())
    assert hidden.tokens.device.type == hidden.dropped.device.type == "meta"
