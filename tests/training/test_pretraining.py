"""Pretraining: what is hidden is hidden, what is learned arrives in the next stage, and no crash changes a bit."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from torch import Tensor

from kinelex.artifact import sha256
from kinelex.errors import BadRecipe, CorruptArtifact
from kinelex.model import AlignedModel, ModelConfig
from kinelex.model.descriptions import Descriptions
from kinelex.model.patches import cut_patches
from kinelex.training import Corpus, PretrainRecipe, Recipe, pretrain, train
from kinelex.training.alignment import run as alignment_run
from kinelex.training.batches import Batch, Batches
from kinelex.training.machine import Precision
from kinelex.training.masking import Masking
from kinelex.training.metrics import read_metrics
from kinelex.training.pretraining import step as pretraining_step
from kinelex.training.pretraining.encoder import (
    SHAPE,
    encoder_weights,
    load_pretrained,
    read_pretrained,
    save_pretrained,
)
from kinelex.training.pretraining.run import _any_names
from kinelex.training.pretraining.step import Pretrainer, PretrainingStep, cover, samples_of
from kinelex.training.randomness import torch_generator
from tests.training.conftest import small_recipe
from tests.training.run_tiny_pretraining import Words, tiny

SCRIPT = Path(__file__).with_name("run_tiny_pretraining.py")
ROOT = SCRIPT.parents[2]
SMALL = {"width": 16, "layers": 1, "heads": 2, "queries": 2}
SHAPES: dict[str, dict[str, Any]] = {
    "overlapping patches": SMALL,
    "side by side, z-scored": SMALL | {"hop_s": None, "normalization": "zscore"},
    "resized patches": SMALL | {"hop_s": None, "patch_points": 64, "patch_s": 1.5, "tokenizer": "cnn"},
    "shrunk patches": SMALL | {"hop_s": 0.7, "patch_points": 16, "channel_text": False},
    "principal axes": SMALL | {"frame": "principal"},
}
CPU = torch.device("cpu")


def learner(shape: dict[str, Any] = SMALL, seed: int = 0) -> Pretrainer:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = ModelConfig(**shape)
        return Pretrainer(config, Descriptions.encoded(config, Words()), 8)  # type: ignore[arg-type]


def some_windows(count: int = 6, seed: int = 0, steps: int = 150) -> Batch:
    """Six seconds of noise on gravity; the first window ends early, and the second has no gyroscope."""
    generator = torch_generator(seed, 0, "signal")
    signal = torch.randn(count, 6, steps, generator=generator)
    signal[:, 2] += 9.81
    valid = torch.ones_like(signal, dtype=torch.bool)
    valid[0, :, 90:] = False
    valid[1, 3:] = False
    nothing = torch.zeros(count, dtype=torch.long)
    return Batch(signal.masked_fill(~valid, 0.0), valid, nothing == 0, nothing, nothing)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@settings(max_examples=4)
@given(seed=st.integers(0, 2**31))
def test_nothing_that_the_network_sees_depends_on_what_is_hidden(shape: dict[str, Any], seed: int) -> None:
    learning, batch, chosen = learner(shape), some_windows(seed=seed), list[Tensor]()

    def noted(*given: Any) -> Any:
        found = hide(*given)
        chosen.append(found.tokens)
        return found

    hide = pretraining_step.hide
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining_step, "hide", noted)
        before = cover(learning.model, batch, Masking(), torch_generator(seed, 0, "masking"))
    moved = samples_of(chosen[0], 150, learning.model.config) & batch.valid
    keeps = before.hidden.tokens.flatten(1).any(1)  # a window that would be left empty is not hidden
    moved &= keeps[:, None, None]
    assert moved.any()
    noise = torch.randn(batch.signal.shape, generator=torch_generator(seed, 1, "noise"))
    changed = replace(batch, signal=torch.where(moved, batch.signal + noise, batch.signal))
    after = cover(learning.model, changed, Masking(), torch_generator(seed, 0, "masking"))
    assert after.seen.equal(before.seen)
    assert after.seen_measured.equal(before.seen_measured)
    assert after.hidden.tokens.equal(before.hidden.tokens)
    assert not after.signal.equal(before.signal), "the target is what was changed"
    with torch.no_grad():
        assert learning.fill(after, changed).equal(learning.fill(before, batch))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_samples_of_a_patch_are_all_that_it_is_made_of(shape: dict[str, Any]) -> None:
    config = ModelConfig(**shape)
    signal = torch.zeros(150, 1, 150)
    signal[range(150), 0, range(150)] = 1.0  # one sample each: which patches does it reach?
    reached = cut_patches(signal, torch.ones_like(signal, dtype=torch.bool), config)[0][:, :, 0].ne(0).any(2)
    for patch in range(reached.shape[1]):
        chosen = torch.zeros(1, reached.shape[1], 1, dtype=torch.bool)
        chosen[0, patch] = True
        samples = samples_of(chosen, 150, config)[0, 0]
        assert (samples | ~reached[:, patch]).all(), "a sample that the patch is made of stays in sight"
        first, last = reached[:, patch].nonzero()[[0, -1], 0]
        assert samples.sum() <= last - first + 3, "hardly more is hidden than that"


def test_a_channel_that_is_made_of_a_dropped_one_is_hidden_too() -> None:
    batch = some_windows(64)
    masking = Masking(patches=0, spans=0, channels=1, channel_ratio=0.01, beside_ratio=0)  # one each
    covered = cover(learner().model, batch, masking, torch_generator(0, 0, "masking"))
    lost = covered.hidden.dropped.any(1)  # (window, channel)
    assert lost[:, :6].sum(1).eq(1).all()
    without_acc = lost[:, :3].any(1)
    assert 10 < without_acc.sum() < 60
    assert lost[without_acc][2:, 6:].equal(
        torch.tensor([True, True, True, False, True, True]).expand(len(lost[without_acc]) - 2, 6)
    )
    assert lost[~without_acc][2:, 6:].equal(
        torch.tensor([False, False, False, True, True, True]).expand(len(lost[~without_acc]) - 2, 6)
    )


def test_a_window_of_which_nothing_would_be_left_stays_as_it_is() -> None:
    batch = some_windows(32, steps=100)  # three patches that overlap by half: the middle one covers both others
    spans = Masking(patches=0, spans=1, channels=0, patch_ratio=0.5)
    covered = cover(learner().model, batch, spans, torch_generator(0, 0, "masking"))
    there, seen = covered.there.flatten(1).any(1), (covered.there & ~covered.hidden.tokens).flatten(1).any(1)
    assert seen.equal(there)
    assert covered.hidden.tokens.any()


def hidden_in_update(seed: int, step: int, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    found = list[Tensor]()

    def noted(*given: Any) -> Any:
        covered = cover(*given)
        found.append(covered.hidden.tokens)
        return covered

    monkeypatch.setattr(pretraining_step, "cover", noted)
    recipe = tiny(seed=seed)
    PretrainingStep(recipe).loss(learner(), some_windows(40), step, Precision(recipe.as_recipe(), CPU))
    return found[0]


def test_what_is_hidden_is_a_function_of_seed_and_step(monkeypatch: pytest.MonkeyPatch) -> None:
    one, again, later, other = (hidden_in_update(*at, monkeypatch) for at in [(0, 3), (0, 3), (0, 4), (1, 3)])
    assert one.equal(again)
    assert not one.equal(later)
    assert not one.equal(other)


def test_an_objective_without_weight_is_off(corpus: Corpus) -> None:
    batch = some_windows()
    for weight, untouched, gone in [
        ("contrast", "projection", "contrast"),
        ("reconstruction", "decoder", "hidden_patches"),
    ]:
        recipe, learning = tiny(**{weight: {"weight": 0}}), learner()
        loss, told = PretrainingStep(recipe).loss(learning, batch, 0, Precision(recipe.as_recipe(), CPU))
        loss.backward()
        assert gone not in told
        touched = {name.split(".")[0] for name, p in learning.named_parameters() if p.grad is not None}
        assert touched == {"model", "mask_token", "decoder", "projection"} - {untouched}


def test_weights_say_how_far_objectives_pull() -> None:
    """Whatever the scale of a loss: each is divided by its mean, which at first is itself."""
    batch, values = some_windows(), []
    for weights in [(1, 1), (3, 1), (1, 0.5)]:
        recipe = tiny(reconstruction={"weight": weights[0]}, contrast={"weight": weights[1]})
        loss, told = PretrainingStep(recipe).loss(learner(), batch, 0, Precision(recipe.as_recipe(), CPU))
        values.append(float(loss.detach()))
        assert told["loss"] == pytest.approx(weights[0] * told["reconstruction"] + weights[1] * told["contrast"])
    assert values == pytest.approx([2, 4, 1.5])


def test_the_running_means_go_on_where_they_were_saved() -> None:
    recipe, learning = tiny(), learner()
    precision, first = Precision(recipe.as_recipe(), CPU), PretrainingStep(tiny())
    for step in range(3):
        first.loss(learning, some_windows(seed=step), step, precision)
    second = PretrainingStep(recipe)
    fresh, later = (of.loss(learning, some_windows(seed=3), 3, precision)[0] for of in (second, first))
    assert not fresh.equal(later)
    second.load(first.state())
    expected = first.loss(learning, some_windows(seed=4), 4, precision)[0]
    assert second.loss(learning, some_windows(seed=4), 4, precision)[0].equal(expected)


def test_labels_have_no_part_in_it(corpus: Corpus) -> None:
    """Names that mean nothing, or the same for all: the windows that are drawn stay the same."""
    drawn = tiny().as_recipe()
    nameless = replace(corpus, tracks=tuple(replace(t, activity=f"x{i % 2}") for i, t in enumerate(corpus.tracks)))
    one, other = (Batches(c, drawn, _any_names()).at(3) for c in (corpus, nameless))
    assert one.signal.equal(other.signal)


def test_it_learns_to_fill_in_and_to_tell_apart(corpus: Corpus, tmp_path: Path) -> None:
    recipe = tiny(steps=60, save_every=60, batch_windows=16, optimizer={"learning_rate": 3e-3, "warmup_steps": 5})
    pretrain(recipe, corpus, tmp_path, encoder=Words())  # type: ignore[arg-type]
    lines = read_metrics(tmp_path / "metrics.jsonl")
    for name, share in [("reconstruction", 0.8), ("contrast", 0.8)]:
        values = [line[name] for line in lines]
        assert sum(values[-10:]) < share * sum(values[:10]), name
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_killed_while_it_writes_it_ends_in_the_same_bits(corpus: Corpus, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), str(tmp_path / "killed")]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert ended.stdout.splitlines() == [
        "9 staged,step-00000004",  # before the second state took its place
        "9 step-00000004,step-00000008,step-00000012",  # before the oldest one was removed
        "-9 step-00000004,step-00000008,step-00000012",  # by SIGKILL, before another was due
        "9 step-00000016,step-00000020",  # before the encoder took its place
    ], ended.stderr
    assert not (tmp_path / "killed" / "encoder").exists()
    steps: list[int] = []
    pretrain(tiny(), corpus, tmp_path / "killed", encoder=Words(), progress=lambda at: steps.append(at.step))  # type: ignore[arg-type]
    assert not steps, "every update was done before"
    pretrain(tiny(), corpus, tmp_path / "whole", encoder=Words())  # type: ignore[arg-type]
    for name in ("encoder/model.safetensors", "metrics.jsonl", "states/step-00000020/state.safetensors"):
        assert sha256(tmp_path / "killed" / name) == sha256(tmp_path / "whole" / name), name
    assert not list((tmp_path / "killed").rglob(".staged-*"))


def saved(folder: Path, seed: int = 5, trained_on: tuple[str, ...] = ("hapt", "ku_har"), **shape: Any) -> AlignedModel:
    model = learner(small_recipe().model.model_dump() | shape, seed).model
    save_pretrained(folder, model, name="tiny", trained_on=trained_on)
    return model


class _Begun(Exception):
    """Training got as far as its first update."""


def begun(recipe: Recipe, corpus: Corpus, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AlignedModel:
    """The model of a training as its first update sees it."""
    seen: list[AlignedModel] = []

    def first(batch: Any, step: int, recipe: Recipe, objective: Any, model: AlignedModel, *more: Any) -> None:
        seen.append(model)
        raise _Begun

    with monkeypatch.context() as patch, pytest.raises(_Begun):
        patch.setattr(alignment_run, "update_on", first)
        train(recipe, corpus, folder, encoder=Words())  # type: ignore[arg-type]
    return seen[0]


def test_a_pretrained_encoder_arrives_in_the_next_stage_to_the_bit(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrained = saved(tmp_path / "run" / "encoder").state_dict()
    with_it = begun(small_recipe(pretrained=str(tmp_path / "run")), corpus, tmp_path / "with", monkeypatch).state_dict()
    without = begun(small_recipe(), corpus, tmp_path / "without", monkeypatch).state_dict()
    encoder = encoder_weights(pretrained)
    assert {name.split(".")[0] for name in pretrained} - {name.split(".")[0] for name in encoder} == {
        "pooling", "log_scale"
    }  # fmt: skip
    for name, tensor in with_it.items():
        assert tensor.equal(pretrained[name] if name in encoder else without[name]), name
    assert any(not pretrained[name].equal(without[name]) for name in encoder)


def test_what_pretraining_saw_is_named_and_may_not_be_left_out(corpus: Corpus, tmp_path: Path) -> None:
    saved(tmp_path / "encoder")
    recipe = small_recipe(pretrained=str(tmp_path / "encoder"), steps=1)
    assert train(recipe, corpus, tmp_path / "run", encoder=Words()).trained_on == ("hapt", "sisfall", "ku_har")  # type: ignore[arg-type]
    for left_out in ("ku_har", "uci_har"):  # the people of UCI HAR are those of HAPT
        leaky = small_recipe(pretrained=str(tmp_path / "encoder"), train=["sisfall"], left_out=[left_out])
        with pytest.raises(BadRecipe, match=f"leaves out {left_out}, and the encoder .* has seen the same people"):
            train(leaky, corpus, tmp_path / "leaky", encoder=Words())  # type: ignore[arg-type]
        assert not (tmp_path / "leaky").exists()


def test_another_pretrained_encoder_makes_another_run(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(pretrained=str(tmp_path / "encoder"))
    saved(tmp_path / "encoder", seed=5)
    begun(recipe, corpus, tmp_path / "run", monkeypatch)
    begun(recipe, corpus, tmp_path / "run", monkeypatch)  # the same may go on
    saved(tmp_path / "encoder", seed=6)
    with pytest.raises(BadRecipe, match="other pretrained"):
        train(recipe, corpus, tmp_path / "run", encoder=Words())  # type: ignore[arg-type]


OTHERWISE: dict[str, Any] = {
    "width": 32, "layers": 2, "heads": 4, "expansion": 3, "norm": "post", "tokenizer": "cnn", "normalization": "zscore",
    "patch_points": 64, "position": "index", "frame": "principal", "derived_channels": False, "cross_channel": False,
    "channel_text": False, "channel_fusion": True, "placement_text": True, "text_dim": 24, "grid_hz": 50.0,
    "patch_s": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("field", [*SHAPE, "grid_hz", "patch_s"])
def test_an_encoder_of_another_shape_is_refused_by_the_field_that_differs(field: str, tmp_path: Path) -> None:
    shape = {**small_recipe().model.model_dump(), "hop_s": 1.0}
    model = AlignedModel.empty(ModelConfig(**shape))
    save_pretrained(tmp_path, model, name="tiny", trained_on=("hapt",))
    other = AlignedModel.empty(ModelConfig(**shape | {field: OTHERWISE[field]}))
    with pytest.raises(BadRecipe, match=rf"pretrained with model\.{field} .*{OTHERWISE[field]}: set model\.{field} to"):
        load_pretrained(other, tmp_path)


def test_what_the_encoder_does_not_depend_on_may_differ(tmp_path: Path) -> None:
    encoder = saved(tmp_path)
    shape = small_recipe().model.model_dump() | {
        "hop_s": 1.0, "window_s": 8.0, "dropout": 0.3, "head": "alignment", "output": "patch",
        "label_side": "attention",
    }  # fmt: skip
    model = AlignedModel.empty(ModelConfig(**shape))
    load_pretrained(model, tmp_path)
    for name, tensor in encoder_weights(encoder.state_dict()).items():
        assert model.state_dict()[name].equal(tensor), name


def test_a_damaged_encoder_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    weights = tmp_path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CorruptArtifact, match=r"model\.safetensors"):
        read_pretrained(tmp_path)
    with pytest.raises(CorruptArtifact, match="no pretrained-encoder"):
        read_pretrained(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"train": ["hapt", "motionsense"]}, "motionsense is a zero-shot test set"),
        ({"reconstruction": {"weight": 0}, "contrast": {"weight": 0}}, "nothing would be learned"),
        ({"augmentation": {"patch_s": [1.0]}}, "needs model.patch_points"),
        ({"masking": {"patches": 0.9}}, "not 1"),
        ({"targets": {}}, "Extra inputs"),
    ],
)
def test_an_impossible_recipe_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        tiny(**wrong)


def test_every_field_says_what_it_is() -> None:
    parts = [PretrainRecipe, *(f.default_factory for f in PretrainRecipe.model_fields.values() if f.default_factory)]
    for part in parts:
        assert isinstance(part, type) and issubclass(part, BaseModel)
        silent = [name for name, field in part.model_fields.items() if not (field.description or field.default_factory)]
        assert not silent, part


def test_the_shipped_recipe_makes_an_encoder_for_the_shipped_model() -> None:
    recipe = PretrainRecipe.read(ROOT / "recipes" / "pretrain.yaml")
    small = Recipe.read(ROOT / "recipes" / "small.yaml")
    assert set(small.train) < set(recipe.train)
    assert all(getattr(recipe.model, name) == getattr(small.model, name) for name in (*SHAPE, "grid_hz", "patch_s"))
