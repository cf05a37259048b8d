"""A few-shot evaluation learns from its budget, tests everybody once, and says so when it leaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kinelex.cli import main
from kinelex.errors import CorruptArtifact, UnsupportedFormat, UsageError
from kinelex.evaluation.few_shot import FewShotProtocol, evaluate_few_shot
from kinelex.evaluation.few_shot_report import FewShotReport, few_shot_page, read_few_shot, write_few_shot
from kinelex.evaluation.sources import EvaluationSet
from kinelex.language import label_vectors
from kinelex.model import AlignedModel, Checkpoint, LabelTable, ModelConfig, TextSpace, save_checkpoint
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Interval, Recording

TEXTS = ("walk fast", "front knees lying", "sit chair", "jumping")
Make = Callable[..., Checkpoint]


@pytest.fixture
def make_untrained(encoder: Any) -> Make:
    """An untrained network: its windows differ by activity, and the words mean nothing to it."""

    def make(seed: int) -> Checkpoint:
        torch.manual_seed(seed)
        model = AlignedModel.empty(ModelConfig(width=16, layers=1, heads=2, queries=2)).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)  # far from the start of training, so that windows differ
        return Checkpoint(
            name=f"untrained-{seed}",
            model=model,
            labels=LabelTable(TEXTS, label_vectors(TEXTS, encoder)),
            text_space=TextSpace(np.zeros(384, dtype=np.float32)),
            text_encoder="hash@0123456789ab",
            fingerprint=f"{seed}",
            trained_on=("hapt",),
        )

    return make


def swing(activity: int, person: int) -> Recording:
    """Half a minute of a swing that is faster and wider for each further activity."""
    rng = np.random.default_rng([activity, person])
    t = np.arange(1500) / 50
    samples = rng.normal(0, 0.1, (1500, 6)) + np.sin(2 * np.pi * (0.7 + activity) * t)[:, None] * (1 + activity)
    samples[:, 2] += 9.81
    channels = tuple(Channel(sensor, axis, "waist") for sensor in ("acc", "gyro") for axis in ("x", "y", "z"))  # type: ignore[arg-type]
    interval = Interval(0.0, 30.0, TEXTS[activity].replace(" ", "_"))
    name = f"{person}-{activity}"
    return Recording(samples.astype(np.float32), 50.0, channels, name=name, subject=f"p{person}", intervals=(interval,))


@pytest.fixture(scope="module")
def source() -> EvaluationSet:
    return EvaluationSet.of("swings", [swing(activity, person) for person in range(4) for activity in range(4)])


@pytest.fixture
def report(make_untrained: Make, source: EvaluationSet, encoder: Any) -> FewShotReport:
    protocol = FewShotProtocol(budgets=("2", "20%"), methods=("ridge", "prototype"), draws=100)
    return evaluate_few_shot([make_untrained(0)], [source], protocol, encoder=encoder, command="kinelex …")


def test_everybody_is_tested_once_and_examples_teach(report: FewShotReport) -> None:
    (data,) = report.data
    assert (data.subjects, data.units, data.seen_in_training) == (4, 80, False)
    by_name = {(result.method, result.budget): result for result in data.results}
    words = by_name["zero-shot", "2"]
    assert words.labeled == (0, 0)
    assert words.accuracy == by_name["zero-shot", "20%"].accuracy, "without labels the budget changes nothing"
    for method in ("ridge", "prototype"):
        two, fifth = by_name[method, "2"], by_name[method, "20%"]
        assert (two.labeled, fifth.labeled) == ((8, 8), (12, 12)), "of 3 people's 60 windows, 4 activities"
        assert two.tested == fifth.tested == 80
        assert np.sum(two.confusion) == 3 * 80, "once per drawing"
        assert fifth.accuracy.mean > words.accuracy.mean + 0.3
        assert len(fifth.accuracy.seeds) == 3
        assert set(fifth.per_subject) == {"p0", "p1", "p2", "p3"}
        assert len(fifth.pulls) == 3 * 4, "one per drawing and fold"


def test_fine_tuning_learns_too(make_untrained: Make, source: EvaluationSet, encoder: Any) -> None:
    protocol = FewShotProtocol.model_validate(
        {"budgets": ["3"], "methods": ["finetune", "finetune+logistic"], "seeds": [0], "folds": 2, "draws": 100,
         "fine_tuning": {"steps": 40, "learning_rate": 3e-3, "threads": 1, "precision": "fp32",
                         "keep": 0}}
    )  # fmt: skip
    steps: list[tuple[int, int]] = []
    start = make_untrained(0)
    found = evaluate_few_shot(
        [start], [source], protocol, encoder=encoder, progress=lambda _, done, total: steps.append((done, total))
    )
    words, tuned, both = found.data[0].results
    assert min(tuned.accuracy.mean, both.accuracy.mean) > words.accuracy.mean + 0.2
    assert steps[0] == (0, 82) and steps[-1] == (82, 82), "the network is tuned once for both"
    assert start.model.state_dict()["log_scale"].equal(make_untrained(0).model.state_dict()["log_scale"])


def test_training_seeds_take_turns_over_the_drawings(make_untrained: Make, source: EvaluationSet, encoder: Any) -> None:
    protocol = FewShotProtocol(budgets=("1",), draws=100, seeds=(0,))
    each = [evaluate_few_shot([make_untrained(k)], [source], protocol, encoder=encoder) for k in range(2)]
    both = evaluate_few_shot([make_untrained(k) for k in range(2)], [source], protocol, encoder=encoder)
    seeds = both.data[0].results[1].accuracy.seeds
    assert seeds == tuple(one.data[0].results[1].accuracy.mean for one in each)


def test_the_published_protocol_leaks_and_says_so(make_untrained: Make, source: EvaluationSet, encoder: Any) -> None:
    protocol = FewShotProtocol(protocol="published", budgets=("10%",), draws=100)
    found = evaluate_few_shot([make_untrained(0)], [source], protocol, encoder=encoder)
    result = found.data[0].results[1]
    assert result.tested == found.data[0].units - int(0.8 * found.data[0].units) - int(0.1 * found.data[0].units)
    page = few_shot_page(found)
    assert "published protocol (leaky)" in page.splitlines()[0]
    assert any(remark.startswith("Leaky:") for remark in found.remarks())
    assert any(len(set(result.accuracy.seeds)) == 1 for result in found.data[0].results), "there is one drawing"


def test_a_report_survives_writing_and_nothing_else_is_read(report: FewShotReport, tmp_path: Path) -> None:
    results, page = write_few_shot(report, tmp_path)
    assert read_few_shot(tmp_path) == report
    text = page.read_text()
    assert text.count("| swings | – | zero-shot |") == 1
    assert "Nobody that was tested was learned from" in text
    content = json.loads(results.read_text())
    for change, error, message in (
        ({"version": 99}, UnsupportedFormat, "reads up to"),
        ({"kind": "zero-shot report"}, CorruptArtifact, "not a few-shot report"),
        ({"data": 3}, CorruptArtifact, "data"),
    ):
        results.write_text(json.dumps({**content, **change}))
        with pytest.raises(error, match=message):
            read_few_shot(results)
    results.write_text("[")
    with pytest.raises(CorruptArtifact, match="not a readable report"):
        read_few_shot(results)


def test_nothing_to_evaluate_is_a_wrong_call(source: EvaluationSet) -> None:
    with pytest.raises(UsageError, match="at least one"):
        evaluate_few_shot([], [source])


@pytest.fixture
def saved(make_untrained: Make, encoder: Any, tmp_path: Path) -> str:
    """A checkpoint's folder; the candidates' vectors are in the cache, so that no text encoder is needed."""
    label_vectors(list(TEXTS), encoder)
    save_checkpoint(make_untrained(0), tmp_path / "model")
    return str(tmp_path / "model")


def test_the_command_prints_a_table_and_writes_a_report(
    saved: str, tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    words = ["evaluate", "few-shot", "--model", saved, "--data", "tiny", "--root", str(tiny_root), "--budget", "10%",
             "--budget", "3", "--method", "ridge", "--method", "logistic", "--seeds", "2", "--draws", "100",
             "--out", str(out)]  # fmt: skip
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "zero-shot" in printed and "logistic" in printed and "3 per class" in printed
    assert "…" not in printed, "it fits 80 columns"
    assert "tiny: 4 subjects, 80 windows tested" in printed
    found = read_few_shot(out)
    assert found.command == "kinelex " + " ".join(words)
    assert [(result.budget, result.method) for result in found.data[0].results] == [
        (budget, method) for budget in ("10%", "3") for method in ("zero-shot", "ridge", "logistic")
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "half"], "half"),
        (["--budget", "5", "--budget", "5"], "--budget"),
        (["--method", "magic"], "magic"),
        (["--protocol", "poems"], "poems"),
        (["--seeds", "0"], "--seeds"),
        (["--folds", "1"], "--folds"),
        (["--steps", "0", "--method", "finetune"], "--steps"),
    ],
)
def test_a_wrong_call_says_what_and_writes_nothing(
    saved: str, tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    out = tmp_path / "results"
    call = ["evaluate", "few-shot", "--model", saved, "--data", "tiny", "--root", str(tiny_root), "--out", str(out)]
    assert main([*call, *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert not out.exists()
