"""Batches are a function of seed and step, follow the weights of the recipe, and never make signal up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinelex.errors import UsageError
from kinelex.language import Vocabulary
from kinelex.training import Corpus
from kinelex.training.batches import Batches, cut, track_weights
from kinelex.training.randomness import seed_of
from kinelex.training.recipe import Augmentation, Sampling
from tests.training.conftest import GRID_HZ, small_corpus, small_recipe

VOCABULARY = Vocabulary.standard()
UNCHANGED = {
    "rotation": 0, "stretch": 0, "scale": 0, "jitter": 0, "slower_rate": 0, "remove_gravity": 0, "drop_sensor": 0,
    "drop_channels": 0,
}  # fmt: skip


def test_a_batch_is_a_function_of_seed_and_step(corpus: Corpus) -> None:
    one, again = (Batches(corpus, small_recipe(), VOCABULARY).at(7) for _ in range(2))
    for name in ("signal", "valid", "gravity", "placement", "label"):
        assert torch.equal(getattr(one, name), getattr(again, name)), name
    other_step = Batches(corpus, small_recipe(), VOCABULARY).at(8)
    other_seed = Batches(corpus, small_recipe(seed=1), VOCABULARY).at(7)
    assert not torch.equal(one.signal, other_step.signal)
    assert not torch.equal(one.signal, other_seed.signal)


def test_seeds_differ_by_every_part() -> None:
    seeds = {seed_of(s, t, p) for s in range(5) for t in range(5) for p in ("windows", "prompts")}
    assert len(seeds) == 50


def test_batches_mix_data_sets(corpus: Corpus) -> None:
    batches = Batches(corpus, small_recipe(batch_windows=64), VOCABULARY)
    texts = {batches.labels[i] for i in batches.at(0).label.tolist()}
    assert {"walking", "jogging slowly"} <= texts


def test_unchanged_windows_are_stretches_of_their_track(corpus: Corpus) -> None:
    recipe = small_recipe(augmentation=UNCHANGED, sampling={"brief_kinds": []})
    batch = Batches(corpus, recipe, VOCABULARY).at(0)
    assert batch.valid.all()
    # Linear between neighbours: never outside what the whole corpus has.
    for axis in range(6):
        assert batch.signal[:, axis].min() >= corpus.samples[:, axis].min()
        assert batch.signal[:, axis].max() <= corpus.samples[:, axis].max()


def test_windows_of_a_brief_activity_hold_its_peak(corpus: Corpus) -> None:
    recipe = small_recipe(batch_windows=128, augmentation=UNCHANGED)
    batches = Batches(corpus, recipe, VOCABULARY)
    batch = batches.at(0)
    falls = [i for i, label in enumerate(batch.label.tolist()) if "falling" in batches.labels[label]]
    assert len(falls) > 5
    assert (batch.signal[falls, 0].amax(-1) > 20).all()
    anywhere = Batches(corpus, recipe.model_copy(update={"sampling": Sampling(brief_kinds=())}), VOCABULARY).at(0)
    falls = [i for i, label in enumerate(anywhere.label.tolist()) if "falling" in batches.labels[label]]
    assert not (anywhere.signal[falls, 0].amax(-1) > 20).all()


def test_shortened_windows_end_early_whatever_they_show(corpus: Corpus) -> None:
    recipe = small_recipe(batch_windows=256, augmentation=UNCHANGED | {"shorten": 1})
    batches = Batches(corpus, recipe, VOCABULARY)
    batch = batches.at(0)
    length = batch.valid.all(1).sum(1)
    assert batch.valid.any(1).sum(1).equal(length)  # all channels end together
    steps = batch.valid.shape[2]
    assert 0.5 * steps <= length.min() < 0.6 * steps
    assert 0.9 * steps < length.max() <= steps
    assert (batch.signal.masked_select(~batch.valid) == 0).all()
    falls = [i for i, label in enumerate(batch.label.tolist()) if "falling" in batches.labels[label]]
    assert (batch.signal[falls, 0].amax(-1) > 20).all()  # the peak of a brief activity stays inside
    half = Batches(corpus, recipe.model_copy(update={"augmentation": Augmentation(shorten=0.5)}), VOCABULARY).at(0)
    share = (half.valid.any(1).sum(1) < steps).float().mean()
    assert 0.4 < share < 0.6


@given(first=st.floats(0, 60), stretch=st.floats(0.5, 2.0), steps=st.integers(1, 60), hole=st.integers(0, 59))
@settings(max_examples=60)
def test_nothing_is_valid_beyond_the_track_or_in_a_hole(first: float, stretch: float, steps: int, hole: int) -> None:
    samples = torch.arange(100, dtype=torch.float32)[:, None].repeat(1, 6)
    samples[20 + hole] = torch.nan
    signal, valid = cut(
        samples, torch.tensor([20]), torch.tensor([steps]), torch.tensor([first]), torch.tensor([stretch]), 30
    )
    at = first + np.arange(30) * np.float32(stretch)
    for i, position in enumerate(at.tolist()):
        near_edge = abs(position - round(position)) < 1e-3
        if not near_edge:
            touches_hole = int(position) == hole or int(position) + 1 == hole
            assert bool(valid[0, 0, i]) is (position + 1 < steps and not touches_hole) or position > steps - 1
        if valid[0, 0, i]:
            assert abs(float(signal[0, 0, i]) - (20 + position)) < 1e-2
            assert position <= steps - 1 + 1e-3
        else:
            assert signal[0, 0, i] == 0


def test_sets_and_labels_are_tempered() -> None:
    tracks = small_corpus().tracks
    label = np.array([0 if t.dataset == "hapt" else 1 for t in tracks])
    even = track_weights(tracks, label, Sampling(dataset_power=0.0))
    hapt = np.array([t.dataset == "hapt" for t in tracks])
    assert even.sum() == pytest.approx(1)
    assert even[hapt].sum() == pytest.approx(0.5)
    heavier = track_weights(tracks, label, Sampling(dataset_power=0.0, weights={"hapt": 3.0}))
    assert heavier[hapt].sum() == pytest.approx(0.75)


def test_placement_is_told_as_often_as_the_recipe_says(corpus: Corpus) -> None:
    for share, told in ((0.0, 0.0), (1.0, 1.0)):
        batch = Batches(corpus, small_recipe(sampling={"known_placement": share}), VOCABULARY).at(0)
        assert (batch.placement > 0).float().mean() == told


def test_a_corpus_without_the_recipes_sets_is_refused(corpus: Corpus) -> None:
    with pytest.raises(UsageError, match="wisdm"):
        Batches(corpus, small_recipe(train=["wisdm"]), VOCABULARY)


def test_the_grid_is_the_models() -> None:
    assert small_recipe().model.grid_hz == GRID_HZ


def test_nothing_of_a_group_that_is_left_out_is_in_a_batch(corpus: Corpus) -> None:
    whole = Batches(corpus, small_recipe(batch_windows=64), VOCABULARY)
    rest = Batches(corpus, small_recipe(batch_windows=64, without=("running",)), VOCABULARY)
    assert {VOCABULARY.group_of(text) for text in whole.labels} - {
        VOCABULARY.group_of(text) for text in rest.labels
    } == {"running"}
    assert len(rest.tracks) == sum(
        VOCABULARY.group_of(whole.labels[number]) != "running" for number in whole._label.tolist()
    )
    seen = {rest.labels[i] for step in range(5) for i in rest.at(step).label.tolist()}
    assert "walking" in seen and "jogging slowly" not in seen


def test_what_cannot_be_left_out_is_said(corpus: Corpus) -> None:
    with pytest.raises(UsageError, match=r"nothing of swimming to leave out: there is .*walking"):
        Batches(corpus, small_recipe(without=("running", "swimming")), VOCABULARY)
    everything = tuple({VOCABULARY.group_of(text) for text in Batches(corpus, small_recipe(), VOCABULARY).labels})
    with pytest.raises(UsageError, match="nothing is left"):
        Batches(corpus, small_recipe(without=everything), VOCABULARY)
