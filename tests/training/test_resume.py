"""Killed at any moment and started again, a run ends in the same bits as one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kinelex.artifact import sha256
from kinelex.errors import BadRecipe
from kinelex.language import Vocabulary
from kinelex.training import Corpus, Recipe, train
from kinelex.training.metrics import MetricsLog, read_metrics
from tests.training.conftest import small_recipe

SCRIPT = Path(__file__).with_name("run_tiny.py")
ROOT = SCRIPT.parents[2]


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(folder: Path) -> str:
    """Run to the end; returns what it printed."""
    process = start(folder)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def test_a_run_killed_three_times_ends_in_the_same_bits(tmp_path: Path) -> None:
    finish(tmp_path / "whole")
    rng = random.Random(os.environ.get("CI") or time.time())
    killed_at = []
    for _ in range(3):
        with start(tmp_path / "killed") as process:
            assert process.stdout is not None
            # After a random update of this life, but not before something was saved; at a random moment within the next
            # update or its saving.
            for _ in range(rng.randint(5, 8)):
                step = int(process.stdout.readline())
            killed_at.append(step)
            time.sleep(rng.random() * 0.05)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, "it must have been running still"
    printed = finish(tmp_path / "killed")
    assert int(printed.split()[0]) > 1, f"it started from the beginning again (killed at {killed_at})"
    for name in ("checkpoint/model.safetensors", "checkpoint/labels.safetensors", "metrics.jsonl"):
        same = sha256(tmp_path / "killed" / name) == sha256(tmp_path / "whole" / name)
        assert same, f"{name} differs (killed at {killed_at})"
    assert not list((tmp_path / "killed" / "states").glob(".staged-*"))


@pytest.fixture(scope="module")
def encoder() -> object:
    from kinelex.language import resolve_text_encoder

    return resolve_text_encoder()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_damaged_state_is_passed_over_for_an_older_one(
    precision: str, corpus: Corpus, tmp_path: Path, encoder: object
) -> None:
    steps: list[int] = []
    short = small_recipe(steps=12, precision=precision, augmentation={"shorten": 0.5})
    whole = train(short, corpus, tmp_path / "whole", encoder=encoder)  # type: ignore[arg-type]
    train(short, corpus, tmp_path / "run", encoder=encoder)  # type: ignore[arg-type]
    newest = max((tmp_path / "run" / "states").iterdir())
    (newest / "state.safetensors").write_bytes(b"gone")
    resumed = train(short, corpus, tmp_path / "run", encoder=encoder, progress=lambda p: steps.append(p.step))  # type: ignore[arg-type]
    assert steps == [9, 10, 11, 12]
    for name, tensor in whole.model.state_dict().items():
        assert tensor.equal(resumed.model.state_dict()[name]), name


def test_another_temperature_is_no_other_run(corpus: Corpus, tmp_path: Path, encoder: object) -> None:
    train(small_recipe(steps=4), corpus, tmp_path, encoder=encoder)  # type: ignore[arg-type]
    steps: list[int] = []
    warmer = small_recipe(steps=4, temperature=1.5)
    train(warmer, corpus, tmp_path, encoder=encoder, progress=lambda p: steps.append(p.step))  # type: ignore[arg-type]
    assert not steps, "the weights are there already"
    assert Recipe.model_validate_json((tmp_path / "recipe.json").read_bytes()).temperature == 1.5


def test_a_folder_with_another_recipes_run_is_refused(corpus: Corpus, tmp_path: Path, encoder: object) -> None:
    train(small_recipe(steps=4), corpus, tmp_path, encoder=encoder)  # type: ignore[arg-type]
    with pytest.raises(BadRecipe, match="another recipe"):
        train(small_recipe(steps=5), corpus, tmp_path, encoder=encoder)  # type: ignore[arg-type]


def test_a_run_on_other_recordings_or_with_other_words_is_not_gone_on_with(
    corpus: Corpus, tmp_path: Path, encoder: object
) -> None:
    train(small_recipe(steps=2), corpus, tmp_path, encoder=encoder)  # type: ignore[arg-type]
    samples = corpus.samples.copy()
    samples[7, 3] += 0.01  # one sample, and no peak elsewhere for it
    moved = replace(corpus, samples=samples)
    with pytest.raises(BadRecipe, match="other recordings"):
        train(small_recipe(steps=2), moved, tmp_path, encoder=encoder)  # type: ignore[arg-type]
    content = Vocabulary.standard().model_dump()
    walking = next(label for label in content["labels"] if label["text"] == "walking")
    walking["synonyms"] = (*walking["synonyms"][:2], "ambling about")
    other = Vocabulary.model_validate(content)
    with pytest.raises(BadRecipe, match="other words"):
        train(small_recipe(steps=2), corpus, tmp_path, encoder=encoder, vocabulary=other)  # type: ignore[arg-type]


def test_training_lowers_the_loss(corpus: Corpus, tmp_path: Path, encoder: object) -> None:
    recipe = small_recipe(steps=60, save_every=60, optimizer={"learning_rate": 3e-3, "warmup_steps": 5})
    train(recipe, corpus, tmp_path, encoder=encoder)  # type: ignore[arg-type]
    losses = [line["loss"] for line in read_metrics(tmp_path / "metrics.jsonl")]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_metrics_of_steps_that_are_done_again_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 3}\n{"step": 2, "loss": 2}\n{"step": 3, "lo')
    MetricsLog(path, from_step=1).write(step=2, loss=2)
    assert read_metrics(path) == [{"step": 1, "loss": 3}, {"step": 2, "loss": 2}]
