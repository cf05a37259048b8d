"""Training of a gate: it learns whom to trust, stops by people it has not seen, and ends in the same bits each time."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from kinelex.artifact import sha256
from kinelex.errors import BadLabels, BadRecipe, BadSamples
from kinelex.retrieval.compat import Compat
from kinelex.retrieval.fusion import fuse
from kinelex.retrieval.gate import FILES, TrainedFor, save_gate
from kinelex.retrieval.gate_examples import HELD_OUT_FROM, GateExamples, held_out_windows
from kinelex.retrieval.gate_training import FIXED_WEIGHTS, GateRecipe, GateTraining, train_gate

CLASSES, FEATURES, TELLING = 5, 15, 3
QUICK = GateRecipe(epochs=3, hidden=16)


def answers(rng: np.random.Generator, classes: NDArray[np.int64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Probabilities that favor the true class where they are right, and anything elsewhere."""
    logits = rng.normal(size=(len(classes), CLASSES))
    logits[np.arange(len(classes)), classes] += np.where(right, 4.0, 0.0)
    return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


def made_up(seed: int = 0, windows: int = 1200, unit: float = 1.0) -> GateExamples:
    """Windows in which one feature tells which side is right."""
    rng = np.random.default_rng(seed)
    features, classes = rng.normal(size=(windows, FEATURES)), rng.integers(0, CLASSES, windows)
    lively = features[:, TELLING] > 0
    features[:, TELLING] *= unit
    model, retrieved = answers(rng, classes, ~lively), answers(rng, classes, lively)
    return GateExamples(features, model, retrieved, classes, rng.integers(0, 8, windows))


def likelihood(examples: GateExamples, weight: float | NDArray[np.float64]) -> float:
    fused = fuse(examples.p_model, examples.p_retrieved, weight)
    return float(np.log(fused[np.arange(len(fused)), examples.classes]).mean())


def hashes(training: GateTraining, folder: Path) -> list[str]:
    save_gate(training.gate, folder)
    return [sha256(folder / name) for name in FILES]


@pytest.mark.parametrize("unit", [1.0, 1e4], ids=["as drawn", "in another unit"])
def test_a_gate_learns_from_features_which_side_to_trust(unit: float) -> None:
    training, others = train_gate(made_up(0, unit=unit)), made_up(1, unit=unit)
    weights = training.gate.weights(others.features)
    lively = others.features[:, TELLING] > 0
    assert weights[lively].mean() > 0.65
    assert weights[~lively].mean() < 0.35
    best_fixed = max(likelihood(others, weight) for weight in FIXED_WEIGHTS)
    assert likelihood(others, weights) > best_fixed + 0.1
    assert training.curve[training.best - 1].held_out < min(training.fixed.values())


def test_the_same_call_ends_in_the_same_bits_on_any_number_of_threads(tmp_path: Path) -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    first = hashes(train_gate(made_up(), QUICK), tmp_path / "first")
    assert torch.equal(torch.get_rng_state(), before), "nobody else's randomness is touched"
    torch.manual_seed(77)
    torch.set_num_threads(threads + 1)
    try:
        again = hashes(train_gate(made_up(), QUICK), tmp_path / "again")
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(before)
    assert first == again
    other = hashes(train_gate(made_up(), QUICK.model_copy(update={"seed": 1})), tmp_path / "other")
    assert first[0] != other[0]


def test_it_stops_by_whole_people() -> None:
    examples = made_up()
    training = train_gate(examples, QUICK)
    people = np.asarray(examples.subjects)
    assert not set(people[training.held_out]) & set(people[~training.held_out])
    assert training.windows == (~training.held_out).sum()
    assert 0.2 <= training.held_out.mean() <= 0.5


@given(
    seed=st.integers(0, 1000),
    windows=st.integers(0, 200),
    people=st.integers(1, 12),
    share=st.sampled_from([0.05, 0.2, 0.49]),
    uneven=st.booleans(),
)
def test_enough_is_held_out_and_enough_is_left(
    seed: int, windows: int, people: int, share: float, uneven: bool
) -> None:
    rng = np.random.default_rng(seed)
    subjects = [None if who == 0 else f"p{who}" for who in rng.integers(0, people, windows) * (rng.random() > 0.2)]
    if uneven:
        subjects = ["p1" if rng.random() < 0.9 else who for who in subjects]
    held = held_out_windows(windows, subjects, share, seed)
    assert held.shape == (windows,)
    if windows < HELD_OUT_FROM:
        assert not held.any()
        return
    assert share / 2 <= held.mean() <= 0.5
    inside = {who for who, out in zip(subjects, held, strict=True) if out}
    shared = inside & {who for who, out in zip(subjects, held, strict=True) if not out}
    sizes = [subjects.count(who) for who in set(subjects)]
    could = any(share * windows / 2 <= size <= windows / 2 for size in sizes)
    if not could or shared:
        single = held_out_windows(windows, None, share, seed)
        assert not shared or np.array_equal(held, single), "single windows only where people do not come to enough"
    np.testing.assert_array_equal(held, held_out_windows(windows, subjects, share, seed))


def test_the_best_epoch_is_kept_and_training_ends_soon_after() -> None:
    """Noise that says nothing of others: what is learned of it makes the held-out slice worse sooner or later."""
    rng = np.random.default_rng(3)
    few = made_up(3, windows=120)
    noise = replace(few, features=rng.normal(size=(120, FEATURES)))
    training = train_gate(noise, GateRecipe(epochs=60, patience=3, learning_rate=1e-2, batch_windows=16))
    held_out = [epoch.held_out for epoch in training.curve]
    assert training.best == int(np.argmin(held_out)) + 1
    assert len(training.curve) == training.best + 3 < 60
    held = GateExamples(
        *(part[training.held_out] for part in (noise.features, noise.p_model, noise.p_retrieved, noise.classes))
    )
    assert -likelihood(held, training.gate.weights(held.features)) == pytest.approx(min(held_out))


def test_fixed_weights_are_measured_on_the_same_slice() -> None:
    examples = made_up()
    training = train_gate(examples, QUICK)
    held = GateExamples(
        *(
            np.asarray(part)[training.held_out]
            for part in (examples.features, examples.p_model, examples.p_retrieved, examples.classes)
        )
    )
    assert set(training.fixed) == set(FIXED_WEIGHTS)
    for weight, loss in training.fixed.items():
        assert loss == pytest.approx(-likelihood(held, weight))


def test_windows_in_which_nothing_is_to_be_decided_teach_nothing(tmp_path: Path) -> None:
    examples = made_up(windows=300)
    rng = np.random.default_rng(0)
    features = np.concatenate([examples.features, 50 + rng.normal(size=(60, FEATURES))])
    unknown, uniform = np.full((30, CLASSES), np.nan), np.full((30, CLASSES), 1 / CLASSES)
    some = examples.p_model[:30]
    with_more = GateExamples(
        features,
        np.concatenate([examples.p_model, unknown, some]),
        np.concatenate([examples.p_retrieved, some, uniform]),
        np.concatenate([examples.classes, np.zeros(60, dtype=np.int64)]),
        [*np.asarray(examples.subjects), *["somebody else"] * 60],
    )
    training = train_gate(with_more, QUICK)
    assert hashes(training, tmp_path / "more") == hashes(train_gate(examples, QUICK), tmp_path / "less")
    assert training.held_out.shape == (360,)
    assert not training.held_out[300:].any()


def test_the_held_out_slice_teaches_nothing(tmp_path: Path) -> None:
    """Not even mean and deviation of the features; it only says when to stop."""
    examples = made_up(windows=300)
    once = QUICK.model_copy(update={"epochs": 1})
    training = train_gate(examples, once)
    features = examples.features.copy()
    features[training.held_out] += 1000
    assert hashes(train_gate(replace(examples, features=features), once), tmp_path / "a") == hashes(
        training, tmp_path / "b"
    )


def test_inputs_stay_as_they_are_and_missing_features_are_no_obstacle() -> None:
    examples = made_up(windows=200)
    features = examples.features.copy()
    features[::3, 5] = np.nan
    features[:, 7] = np.nan
    examples = replace(examples, features=features)
    copies = [np.array(part) for part in (features, examples.p_model, examples.p_retrieved, examples.classes)]
    training = train_gate(examples, QUICK)
    assert np.isfinite(training.gate.weights(features)).all()
    for part, copy in zip((features, examples.p_model, examples.p_retrieved, examples.classes), copies, strict=True):
        np.testing.assert_array_equal(part, copy)


@pytest.mark.parametrize("windows", [2, 3, 9, 10, 33])
def test_few_windows_train_a_gate(windows: int) -> None:
    examples = made_up(windows=windows)
    training = train_gate(replace(examples, subjects=None), GateRecipe(epochs=2, batch_windows=2, hidden=4))
    assert np.isfinite(training.gate.weights(examples.features)).all()
    assert training.windows + training.held_out.sum() == windows
    assert math.isnan(training.curve[0].held_out) == (windows < HELD_OUT_FROM)


def test_as_published_a_gate_is_trained_for_one_epoch_on_all_windows() -> None:
    training = train_gate(made_up(windows=100), GateRecipe(compat=Compat(one_epoch=True)))
    assert [epoch.number for epoch in training.curve] == [1]
    assert training.windows == 100
    assert not training.held_out.any()


def test_as_published_a_gate_sees_features_through_layer_norm() -> None:
    examples = made_up(windows=100)
    training = train_gate(examples, QUICK.model_copy(update={"compat": Compat(normalization="layernorm")}))
    assert training.gate.config.normalization == "layernorm"
    weights = training.gate.weights(examples.features)
    np.testing.assert_allclose(training.gate.weights(3 * examples.features + 7), weights, atol=1e-4)


def test_all_quirks_have_a_name(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text("compat: mora-code\nlearning_rate: 1.0e-4\n")
    recipe = GateRecipe.read(tmp_path / "gate.yaml")
    assert recipe.compat == Compat.mora_code()
    training = train_gate(made_up(windows=50), recipe)
    assert len(training.curve) == 1
    assert training.gate.trained_for.compat == recipe.compat, "so that fusion can do the same"
    (tmp_path / "gate.yaml").write_text("compat: halo-code\n")
    with pytest.raises(BadRecipe, match="no compat 'halo-code'"):
        GateRecipe.read(tmp_path / "gate.yaml")


def test_progress_and_purpose_are_passed_on() -> None:
    seen: list[int] = []
    purpose = TrainedFor(backbone="small", labels=tuple("abcde"))
    training = train_gate(made_up(windows=50), QUICK, purpose, progress=lambda epoch: seen.append(epoch.number))
    assert seen == [1, 2, 3]
    assert training.gate.trained_for == purpose


def test_what_cannot_be_learned_from_is_told() -> None:
    good = made_up(windows=20)
    wrong: list[tuple[dict[str, object], type[Exception], str]] = [
        ({"features": good.features[:-1]}, BadSamples, "features"),
        ({"features": good.features * np.inf}, BadSamples, "features"),
        ({"classes": good.classes[:-1]}, BadSamples, "true class of 20 windows"),
        ({"classes": good.classes.astype(float)}, BadSamples, "float64"),
        ({"classes": good.classes + CLASSES}, BadLabels, "classes are 0 to 4"),
        ({"classes": good.classes - CLASSES}, BadLabels, "classes are 0 to 4"),
        ({"subjects": [1, 2]}, BadSamples, "subject of each of 20"),
        ({"p_model": np.log(good.p_model)}, BadSamples, "softmax"),
        ({"p_retrieved": good.p_retrieved[:, :-1]}, BadSamples, "same classes"),
        ({"p_model": good.p_model * np.nan}, BadSamples, "0 of 20 windows.*fixed weight"),
    ]
    for change, error, words in wrong:
        with pytest.raises(error, match=words):
            train_gate(replace(good, **change), QUICK)  # type: ignore[arg-type]
    with pytest.raises(BadLabels, match="3 labels, and there are 5"):
        train_gate(good, QUICK, TrainedFor(labels=("a", "b", "c")))
    with pytest.raises(BadRecipe, match="lower learning_rate"):
        train_gate(good, GateRecipe(learning_rate=1e300))


def test_a_recipe_is_checked() -> None:
    with pytest.raises(ValidationError):
        GateRecipe(held_out=0.5)
    with pytest.raises(ValidationError):
        GateRecipe(lr=1e-3)  # type: ignore[call-arg]
