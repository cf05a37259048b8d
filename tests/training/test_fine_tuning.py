"""Fine-tuning learns from a few windows, changes only what it may, and goes on to the bit where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kinelex.errors import BadLabels, BadRecipe, BadSamples
from kinelex.model import AlignedModel, Checkpoint, LabelTable, ModelConfig, TextSpace
from kinelex.model.embedding import embed_inputs, embed_windows, window_inputs
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Interval, Recording
from kinelex.training.few_shot.fine_tuning import FineTuning, LabeledWindows, between, fine_tune, labeled_windows
from kinelex.training.few_shot.heads import text_head

SCRIPT = Path(__file__).with_name("run_tiny_fine_tuning.py")
ROOT = SCRIPT.parents[2]
CONFIG = ModelConfig(width=16, layers=1, heads=2, queries=2, dropout=0.1, text_dim=24)
CLASSES = ("sway", "shake", "turn")
CHANNELS = tuple(Channel(sensor, axis, "waist") for sensor in ("acc", "gyro") for axis in ("x", "y", "z"))  # type: ignore[arg-type]


def texts() -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(len(CLASSES), CONFIG.text_dim)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


TEXTS = texts()
LONG = {"steps": 40, "save_every": 4}
"""A run that takes long enough to be killed."""


def untrained() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(
        name="tiny",
        model=AlignedModel.empty(CONFIG).eval(),
        labels=LabelTable(CLASSES, TEXTS),
        text_space=TextSpace(np.zeros(CONFIG.text_dim, dtype=np.float32)),
        text_encoder="fake@1",
    )


def recording(label: int, seconds: float, seed: int, placements: tuple[str, ...] = ("waist",)) -> Recording:
    """A swing of another rate per class."""
    rng = np.random.default_rng([label, seed])
    t = np.arange(round(seconds * 50)) / 50
    samples = rng.normal(0, 0.1, (len(t), 6)) + np.sin(2 * np.pi * (0.7 + label) * t)[:, None] * (1 + label)
    samples[:, 2] += 9.81
    channels = tuple(replace(channel, placement=place) for place in placements for channel in CHANNELS)
    interval = Interval(0.0, seconds, CLASSES[label])
    return Recording(
        np.tile(samples, len(placements)).astype(np.float32), 50.0, channels, name=f"{label}", intervals=(interval,)
    )


def examples(each: int = 3, seed: int = 0) -> LabeledWindows:
    return labeled_windows([recording(k, 6.0 * each, seed) for k in range(3)], CLASSES, 6.0, CONFIG)


def settings(**changes: Any) -> FineTuning:
    return FineTuning.model_validate(
        {"steps": 40, "batch_windows": 8, "learning_rate": 3e-3, "threads": 1, "precision": "fp32", "keep": 0} | changes
    )


def right(checkpoint: Checkpoint, windows: LabeledWindows) -> float:
    predicted = text_head(checkpoint, TEXTS).logits(embed_inputs(checkpoint.model, windows.inputs)).argmax(axis=1)
    return float((predicted == windows.label.numpy()).mean())


@pytest.mark.parametrize("weights", ["all", "head", "low-rank"])
def test_it_learns_from_few_windows_and_leaves_the_model_alone(weights: str) -> None:
    start, held = untrained(), examples(each=6, seed=9)
    before = {name: tensor.clone() for name, tensor in start.model.state_dict().items()}
    losses: list[float] = []
    rate = {"all": 3e-3, "head": 1e-2, "low-rank": 1e-2}[weights]
    chosen = settings(weights=weights, learning_rate=rate, steps=60)
    tuned = fine_tune(start, examples(), TEXTS, chosen, progress=lambda at: losses.append(at.loss))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
    assert right(tuned, held) > max(0.9, right(start, held))
    assert not tuned.model.training
    after = tuned.model.state_dict()
    assert list(after) == list(before), "the same tensors as before, whatever was added in between"
    assert all(tensor.equal(before[name]) for name, tensor in start.model.state_dict().items())
    changed = {name for name in after if not after[name].equal(before[name])}
    if weights == "head":
        assert {name.split(".")[0] for name in changed} == {"pooling"}
    if weights == "low-rank":
        assert all(before[name].ndim == 2 for name in changed)
        assert any(name.startswith("blocks") for name in changed)


def test_low_rank_changes_have_that_rank() -> None:
    start = untrained()
    tuned = fine_tune(start, examples(), TEXTS, settings(weights="low-rank", rank=2, steps=5))
    before = start.model.state_dict()
    ranks = [
        int(torch.linalg.matrix_rank((tensor - before[name]).double(), rtol=1e-4))
        for name, tensor in tuned.model.state_dict().items()
        if not tensor.equal(before[name])
    ]
    assert ranks and max(ranks) <= 2


def test_a_class_without_examples_can_still_be_recognized() -> None:
    windows = examples()
    keep = np.flatnonzero(windows.label.numpy() != 2)
    part = LabeledWindows(windows.inputs.of(keep), windows.label[torch.from_numpy(keep)])
    tuned = fine_tune(untrained(), part, TEXTS, settings(steps=10))
    assert np.isfinite(text_head(tuned, TEXTS).probabilities(embed_inputs(tuned.model, windows.inputs))).all()


def test_every_class_counts_alike() -> None:
    """With 12 windows of one class and 1 of each other, the loss of the first update is that of balanced classes."""
    many = labeled_windows([recording(k, 6.0 * (12, 1, 1)[k], 0) for k in range(3)], CLASSES, 6.0, CONFIG)
    plain = {"augmentation": {"turn_deg": 0, "scale": 0, "jitter": 0}, "smoothing": 0, "batch_windows": 14}
    start = untrained()
    for module in start.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # the same pass as in evaluation
    losses: list[float] = []
    fine_tune(start, many, TEXTS, settings(steps=1, **plain), progress=lambda at: losses.append(at.loss))
    chance = text_head(start, TEXTS).probabilities(embed_inputs(start.model, many.inputs))
    label = many.label.numpy()
    own = -np.log(chance[np.arange(len(label)), label])
    assert losses[0] == pytest.approx(np.mean([own[label == k].mean() for k in range(3)]), rel=1e-4)


def test_what_is_kept_is_a_share_of_the_weights_from_before() -> None:
    start = untrained()
    tuned, half = (fine_tune(start, examples(), TEXTS, settings(steps=5, keep=keep)) for keep in (0, 0.5))
    before, after = start.model.state_dict(), tuned.model.state_dict()
    for name, tensor in half.model.state_dict().items():
        torch.testing.assert_close(tensor, (before[name] + after[name]) / 2, msg=name)
    assert between(start, tuned, 1.0).model.state_dict()["log_scale"].equal(before["log_scale"])


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not() -> None:
    one, again, other = (fine_tune(untrained(), examples(), TEXTS, settings(steps=6, seed=s)) for s in (0, 0, 1))
    assert one.fingerprint == again.fingerprint != other.fingerprint


def test_killed_and_started_again_it_ends_in_the_same_bits(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    call = [sys.executable, str(SCRIPT), str(tmp_path / "killed")]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 10:
            pass
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it must have been running still"
    steps: list[int] = []
    whole = fine_tune(untrained(), examples(), TEXTS, settings(**LONG), tmp_path / "whole")
    again = fine_tune(
        untrained(), examples(), TEXTS, settings(**LONG), tmp_path / "killed", progress=lambda at: steps.append(at.step)
    )
    assert steps[0] > 8, "it went on where it was"
    assert again.fingerprint == whole.fingerprint
    for name, tensor in whole.model.state_dict().items():
        assert tensor.equal(again.model.state_dict()[name]), name


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    fine_tune(untrained(), examples(), TEXTS, settings(steps=2), tmp_path)
    with pytest.raises(BadRecipe, match="other settings"):
        fine_tune(untrained(), examples(), TEXTS, settings(steps=3), tmp_path)
    with pytest.raises(BadRecipe, match="other windows"):
        fine_tune(untrained(), examples(seed=1), TEXTS, settings(steps=2), tmp_path)
    steps: list[int] = []
    fine_tune(untrained(), examples(), TEXTS, settings(steps=2), tmp_path, progress=lambda at: steps.append(at.step))
    assert not steps, "the weights are there already"


def test_what_cannot_be_learned_from_is_refused() -> None:
    windows = examples()
    silent = replace(windows.inputs, valid=torch.zeros_like(windows.inputs.valid))
    with pytest.raises(BadSamples, match="enough signal"):
        fine_tune(untrained(), LabeledWindows(silent, windows.label), TEXTS, settings(steps=1))
    with pytest.raises(BadLabels, match="class 2"):
        fine_tune(untrained(), windows, TEXTS[:2], settings(steps=1))
    with pytest.raises(BadSamples, match="one per window"):
        fine_tune(untrained(), LabeledWindows(windows.inputs, windows.label[:4]), TEXTS, settings(steps=1))


def test_windows_of_recordings_stay_inside_their_intervals() -> None:
    joint = recording(0, 20.0, 0)
    joint = replace(joint, intervals=(Interval(0.0, 7.0, "sway"), Interval(7.0, 20.0, "turn")))
    windows = labeled_windows([joint], CLASSES, 6.0, CONFIG)
    assert windows.label.tolist() == [0, 2, 2]
    with pytest.raises(BadLabels, match="'turn'"):
        labeled_windows([joint], ("sway", "shake"), 6.0, CONFIG)
    with pytest.raises(BadSamples, match="at least 15 s"):
        labeled_windows([joint], CLASSES, 30.0, CONFIG)


def test_windows_as_tensors_are_the_windows_that_are_embedded() -> None:
    model = untrained().model
    requests = [
        (recording(0, 20.0, 1), np.array([0.0, 6.0, 13.5])),
        (recording(1, 8.0, 1, placements=("waist", "left wrist")), np.array([2.0])),
        (recording(2, 4.0, 1), np.array([0.0, 30.0])),  # one reaches over the end, one lies beyond it
    ]
    inputs = window_inputs(requests, 6.0, CONFIG)
    assert (inputs.windows, inputs.owner.tolist()) == (6, [0, 1, 2, 3, 3, 4, 5])
    expected = np.concatenate(embed_windows(model, requests, 6.0))
    np.testing.assert_allclose(embed_inputs(model, inputs, batch_windows=2), expected, atol=1e-5)
    assert np.isnan(expected[5]).all()
    some = np.array([3, 0])
    np.testing.assert_allclose(embed_inputs(model, inputs.of(some)), expected[some], atol=1e-5)
