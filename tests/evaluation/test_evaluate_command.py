"""``kinelex evaluate zero-shot`` from the command line, with a real, untrained network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kinelex.cli import main
from kinelex.datasets import StoredDataset
from kinelex.evaluation import read_report
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.units import embed, lay_out
from kinelex.language import PublishedGroups, label_vectors
from kinelex.language.published import bare_vectors
from kinelex.model import AlignedModel, Checkpoint, LabelTable, ModelConfig, TextSpace, save_checkpoint
from kinelex.signal.recording import Recording

KNOWN = ("walking", "running", "sitting", "standing", "jumping", "falling forward")


@pytest.fixture
def make_untrained(encoder: Any) -> Callable[[int], Checkpoint]:
    """An untrained network with a text encoder whose vectors the cache will hold."""

    def make(seed: int) -> Checkpoint:
        torch.manual_seed(seed)
        model = AlignedModel.empty(ModelConfig(width=16, layers=1, heads=2, queries=2, dropout=0.0)).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)  # far from the start of training, so that windows differ
        return Checkpoint(
            name="untrained",
            model=model,
            labels=LabelTable(KNOWN, label_vectors(KNOWN, encoder)),
            text_space=TextSpace(np.zeros(384, dtype=np.float32)),
            text_encoder="hash@0123456789ab",
            trained_on=("hapt",),
        )

    return make


@pytest.fixture
def saved(make_untrained: Callable[[int], Checkpoint], encoder: Any, tmp_path: Path) -> list[str]:
    """Folders of two training seeds; the candidates' vectors are in the cache, so that no text encoder is needed."""
    label_vectors(["walk fast", "front knees lying", "sit chair", "jumping"], encoder)
    label_vectors(["standing", "running", "walking", "jumping", "badminton"], encoder)
    folders = []
    for seed in range(2):
        folders.append(str(tmp_path / f"seed{seed}"))
        save_checkpoint(make_untrained(seed), folders[-1])
    return folders


def test_it_evaluates_and_writes_a_report(
    saved: list[str], tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    words = ["evaluate", "zero-shot", "--model", saved[0], "--model", saved[1], "--data", "tiny", "--root",
             str(tiny_root), "--draws", "100", "--out", str(out)]  # fmt: skip
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "tiny" in printed
    assert max(map(len, printed.splitlines()[:8])) <= 80
    assert "report.md" in printed
    report = read_report(out)
    assert report.command == "kinelex " + " ".join(words)
    assert len(report.checkpoints) == 2
    assert report.data[0].units == 80
    assert report.data[0].sha256 == StoredDataset.open(tiny_root, "tiny").fingerprint
    assert (out / "tiny-closed-words-confusion.png").is_file()
    assert json.loads((out / "results.json").read_text())["kind"] == "zero-shot report"


def test_it_scores_by_published_groups_and_notes_it(saved: list[str], known_root: Path, tmp_path: Path) -> None:
    words = ["evaluate", "zero-shot", "--model", saved[0], "--data", "tiny", "--root", str(known_root), "--open-set",
             "--groups", "published", "--draws", "100", "--no-plots", "--out", str(tmp_path / "r")]  # fmt: skip
    assert main(words) == 0
    report = read_report(tmp_path / "r")
    assert report.protocol.groups == "published"
    assert "--open-set --groups published" in report.command
    assert report.data[0].tasks[1].title == "open set, whole vocabulary by published groups"


def test_it_follows_the_published_protocol(
    saved: list[str], known_root: Path, tmp_path: Path, encoder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = PublishedGroups().training_labels
    declared = ["jumping", "running", "standing", "walking"]
    for names in (declared, labels):
        bare_vectors(names, encoder)
        label_vectors(names, encoder)
    words = ["evaluate", "zero-shot", *(word for folder in saved for word in ("--model", folder)), "--data", "tiny",
             "--root", str(known_root), "--protocol", "published", "--transductive", "set", "--draws", "100",
             "--no-plots", "--out", str(tmp_path / "r")]  # fmt: skip
    assert main(words) == 0
    report = read_report(tmp_path / "r")
    assert report.protocol == ZeroShotProtocol.published(transductive="set", draws=100)
    assert report.command == "kinelex " + " ".join(word for word in words if word != "--no-plots")
    assert [task.task.endswith("_transductive") for task in report.data[0].tasks] == [False, True] * 4
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines()[:10])) <= 80
    assert "splices of overlapping pieces" in " ".join(printed.split())


def test_basic_motions_need_no_import(saved: list[str], tmp_path: Path) -> None:
    pytest.importorskip("aeon")
    words = ["evaluate", "zero-shot", "--model", saved[0], "--data", "basic_motions", "--unit", "recording",
             "--draws", "100", "--no-plots", "--out", str(tmp_path / "r")]  # fmt: skip
    assert main(words) == 0
    (data,) = read_report(tmp_path / "r").data
    assert (data.units, data.sessions, data.interval_over) == (80, 80, "recordings")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "nowhere"], "nowhere"),
        (["--data", "tiny", "--draws", "5"], "--draws 5"),
        (["--data", "tiny", "--window-s", "-1"], "--window-s -1"),
        (["--data", "tiny", "--open-set"], "knows no label"),
        (["--data", "tiny", "--groups", "published"], "add --open-set"),
        (
            ["--data", "tiny", "--protocol", "published", "--open-set", "--unit", "recording"],
            "leave out --open-set, --unit",
        ),
        (["--data", "tiny", "--protocol", "guessed"], "guessed"),
        (["--data", "tiny", "--transductive", "world"], "world"),
        (["--data", "tiny", "--groups", "poems"], "poems"),
        (["--data", "tiny", "--data", "tiny"], "twice"),
        (["--data", "tiny", "--texts", "poems"], "poems"),
        ([], "--data"),
    ],
)
def test_a_wrong_call_says_what_and_writes_nothing(
    saved: list[str], tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str],
    message: str,
) -> None:  # fmt: skip
    out = tmp_path / "results"
    call = ["evaluate", "zero-shot", "--model", saved[0], "--root", str(tiny_root), "--out", str(out)]
    assert main([*call, *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert not out.exists()


def test_a_damaged_checkpoint_is_bad_data(saved: list[str], tiny_root: Path) -> None:
    weights = Path(saved[0]) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert main(["evaluate", "zero-shot", "--model", saved[0], "--data", "tiny", "--root", str(tiny_root)]) == 3


@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 87.3])
def test_sessions_that_are_embedded_together_are_as_if_alone(
    make_untrained: Callable[[int], Checkpoint], make_session: Callable[..., Recording], rate_hz: float
) -> None:
    checkpoint, rng = make_untrained(0), np.random.default_rng(0)
    sessions = []
    for number, seconds in enumerate((13.0, 4.0, 6.0, 31.3)):
        session = make_session(number, "walking", seconds, subject="a", rate_hz=rate_hz)
        noise = np.cumsum(rng.normal(scale=0.3, size=session.samples.shape), axis=0)
        sessions.append(replace(session, samples=(session.samples + noise - noise.mean(axis=0)).astype(np.float32)))
    together = embed(checkpoint, lay_out(sessions, ZeroShotProtocol()))
    requests = lay_out(sessions, ZeroShotProtocol()).requests
    alone = [checkpoint.embed(session, starts, 6.0) for session, starts in requests]
    assert np.abs(together - np.concatenate(alone)).max() < 1e-3 * together.std(axis=0).max()
