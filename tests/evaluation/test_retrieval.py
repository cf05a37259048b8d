"""Evaluation with retrieval: nobody is on two sides, gates learn inside the budget, figures say what they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from kinelex.backbones import load_backbone
from kinelex.cli import main
from kinelex.errors import CorruptArtifact, UnsupportedFormat, UsageError
from kinelex.evaluation.retrieval import (
    RetrievalProtocol,
    RetrievalReport,
    evaluate_retrieval,
    read_retrieval,
    write_retrieval,
)
from kinelex.evaluation.retrieval.fold import safe_weight
from kinelex.evaluation.retrieval.heads import head_probabilities
from kinelex.evaluation.retrieval.report import RetrievalScore, TargetUsed, retrieval_page
from kinelex.evaluation.retrieval.targets import embedded, prepare
from kinelex.evaluation.retrieval.wrapped_windows import wrapped
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.statistics import Estimate
from kinelex.language import Vocabulary
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Interval, Recording
from kinelex.signal.windows import cut
from tests.evaluation.conftest import HashEncoder

LABELS = ("walking", "sitting", "jumping")
QUICK = {"draws": (0, 1), "folds": 3, "bootstrap": 100}


def swing(activity: int, person: int) -> Recording:
    """Half a minute of a swing that is faster and wider for each further activity; its gyroscope tells the person."""
    rng = np.random.default_rng([activity, person])
    t = np.arange(1500) / 50
    samples = rng.normal(0, 0.1, (1500, 6)) + np.sin(2 * np.pi * (0.7 + activity) * t)[:, None] * (1 + activity)
    samples[:, 2] += 9.81
    samples[:, 3] = person
    channels = tuple(Channel(sensor, axis, "waist") for sensor in ("acc", "gyro") for axis in ("x", "y", "z"))  # type: ignore[arg-type]
    interval = Interval(0.0, 30.0, LABELS[activity])
    name = f"{person}-{activity}"
    return Recording(samples.astype(np.float32), 50.0, channels, name=name, subject=f"p{person}", intervals=(interval,))


PROTOCOL = RetrievalProtocol(folds=3, bootstrap=100, draws=(0,))


@pytest.fixture(scope="module")
def source() -> EvaluationSet:
    return EvaluationSet.of("swings", [swing(activity, person) for person in range(6) for activity in range(3)])


class Movement:
    """Sees how wide a swing is."""

    name = "movement"
    trained_on = ("another",)

    def embed(self, recording: Recording, starts_s: Any, window_s: float) -> NDArray[np.float32]:
        windows = cut(recording.samples, recording.rate_hz, starts_s, window_s)
        width = windows[:, :, 1].std(axis=1)
        return np.stack([np.cos(width), np.sin(width), 0.1 + 0 * width], axis=1).astype(np.float32)


class Person:
    """Sees who it is, and nothing else: a figure above chance is a leak."""

    name = "person"

    def embed(self, recording: Recording, starts_s: Any, window_s: float) -> NDArray[np.float32]:
        windows = cut(recording.samples, recording.rate_hz, starts_s, window_s)
        person = np.round(windows[:, :, 3].mean(axis=1)).astype(int)
        activity = np.array([LABELS.index(recording.intervals[0].label)] * len(person))
        vectors = np.zeros((len(person), 24))
        # With the activity too, but in a direction that no other person has.
        vectors[np.arange(len(person)), 3 * person + activity] = 1.0
        vectors[:, 18:] = np.random.default_rng(0).normal(0, 0.01, (len(person), 6))
        return vectors.astype(np.float32)


class Guessing(Movement):
    """Sees how wide a swing is, and by words says the same to all."""

    name = "guessing"

    def predict_proba(
        self, recording: Recording, starts_s: Any, window_s: float, labels: Sequence[str]
    ) -> NDArray[np.float32]:
        return np.tile(np.array([0.5, 0.3, 0.2], np.float32), (len(starts_s), 1))


def of(report: RetrievalReport, budget: str, system: str, backbone: str = "movement") -> RetrievalScore:
    (found,) = [s for s in report.scores if (s.budget, s.system, s.backbone) == (budget, system, backbone)]
    return found


@pytest.fixture(scope="module")
def report(source: EvaluationSet) -> RetrievalReport:
    from tests.evaluation.conftest import HashEncoder

    protocol = RetrievalProtocol(budgets=("none", "2", "all"), **QUICK)  # type: ignore[arg-type]
    return evaluate_retrieval([Movement(), Person(), Guessing()], [source], protocol, encoder=HashEncoder(),
                              command="kinelex …")  # fmt: skip


def test_everybody_is_answered_to_by_what_others_taught(report: RetrievalReport) -> None:
    for budget, labeled in (("2", (6, 6)), ("all", (60, 60))):
        for system in ("base", "vote", "fixed", "gated"):
            score = of(report, budget, system)
            assert (score.labeled, score.tested, len(score.per_subject)) == (labeled, 90, 6)
            assert score.accuracy.mean > 0.9, f"{system} with {budget}"
    assert len(of(report, "2", "vote").accuracy.seeds) == 2
    assert len(of(report, "all", "vote").accuracy.seeds) == 1, "there is one way to draw all"


def test_who_knows_people_only_is_not_above_chance(report: RetrievalReport) -> None:
    for budget in ("none", "2", "all"):
        assert of(report, budget, "vote", "person").accuracy.mean < 0.5
        assert of(report, budget, "gated", "person").accuracy.mean < 0.5


def test_without_words_and_without_a_head_retrieval_answers_alone(report: RetrievalReport) -> None:
    assert not [s for s in report.scores if (s.backbone, s.budget, s.system) == ("movement", "none", "base")]
    assert of(report, "none", "gated").accuracy.mean > 0.9
    assert of(report, "none", "fixed").accuracy.mean == of(report, "none", "gated").accuracy.mean


def test_a_gate_learns_to_trust_the_memory_of_who_only_guesses(report: RetrievalReport) -> None:
    assert of(report, "none", "base", "guessing").accuracy.mean == pytest.approx(1 / 3)
    gated = of(report, "none", "gated", "guessing")
    assert gated.accuracy.mean > 0.9
    assert gated.weight is not None and gated.weight > 0.5
    assert sum(gated.gated_by.values()) == 3, "one for each fold"


def test_the_comparison_is_over_sets_and_people(report: RetrievalReport) -> None:
    lines = {(line.backbone, line.budget): line for line in report.comparisons()}
    assert ("movement", "none") not in lines, "nothing to compare with"
    line = lines["guessing", "none"]
    base, gated = of(report, "none", "base", "guessing"), of(report, "none", "gated", "guessing")
    assert line.gain == pytest.approx(gated.macro_f1.mean - base.macro_f1.mean)
    assert line.error_cut == pytest.approx(line.gain / (1 - base.macro_f1.mean))
    assert (line.better_on, line.sets, line.people) == (1, 1, 6)
    assert line.p is not None and line.p == pytest.approx(2 / 2**6), "all six gain"
    assert line.p_holm is not None and line.p_holm >= line.p


def test_the_base_stays_alone_unless_a_weight_is_clearly_better() -> None:
    truth = np.zeros(40, int)
    poor, good = np.tile([0.4, 0.6], (40, 1)), np.tile([0.9, 0.1], (40, 1))
    assert safe_weight(poor, good, truth) == 1.0
    assert safe_weight(good, poor, truth) == 0.0
    assert safe_weight(poor[:1], good[:1], truth[:1]) == 0.0, "one window tells nothing"
    assert safe_weight(np.tile([0.0, 1.0], (40, 1)), good, truth) == 0.0, "the base could not know this class"
    mixed = np.where((np.arange(40) < 20)[:, None], [0.95, 0.05], [0.2, 0.8])
    assert safe_weight(np.tile([0.55, 0.45], (40, 1)), mixed, truth) == 0.0, "as often worse as better"
    assert safe_weight(np.full((40, 2), np.nan), good, truth) == 1.0, "the base has no answer"
    shy = np.where((np.arange(40) < 35)[:, None], [0.52, 0.48], [0.48, 0.52])
    assert safe_weight(shy, np.where((np.arange(40) < 30)[:, None], [0.99, 0.01], [0.3, 0.7]), truth) == 0.0, (
        "likelier by far, and fewer right"
    )


def test_a_base_that_is_too_sure_of_itself_is_tempered_by_the_labeled_windows(source: EvaluationSet) -> None:
    from kinelex.evaluation.label_budget import LabelSplit
    from kinelex.evaluation.retrieval.fold import Fold, tempered
    from kinelex.recognition.calibration import fit_temperature

    target = prepare(source, PROTOCOL, Vocabulary.standard(), HashEncoder())
    split = LabelSplit(np.flatnonzero(target.subjects > 1), np.empty(0, int), np.flatnonzero(target.subjects <= 1))
    seen = embedded(Movement(), target)
    plain = Fold(seen, target, split, PROTOCOL.model_copy(update={"calibrated": False}))
    fold = Fold(seen, target, split, PROTOCOL)
    expected = fit_temperature(np.log(plain.crossed), target.truth[split.labeled])
    assert fold.temperature == pytest.approx(expected) != 1
    np.testing.assert_allclose(fold.base, tempered(plain.base, expected))
    assert (fold.base.argmax(axis=1) == plain.base.argmax(axis=1)).all(), "no answer of the base alone changes"
    np.testing.assert_allclose(tempered(np.array([[0.9, 0.1]]), 2.0), [[0.75, 0.25]])


def test_neighbors_of_a_labeled_window_are_of_those_the_base_learned_from(source: EvaluationSet) -> None:
    from kinelex.evaluation.label_budget import LabelSplit
    from kinelex.evaluation.retrieval.fold import Fold

    target = prepare(source, PROTOCOL, Vocabulary.standard(), HashEncoder())
    split = LabelSplit(np.flatnonzero(target.subjects > 1), np.empty(0, int), np.flatnonzero(target.subjects <= 1))
    fold = Fold(embedded(Movement(), target), target, split, PROTOCOL.model_copy(update={"inner_folds": 2}))
    found = fold.outside(fold.by_vectors)
    part = dict(zip(split.labeled.tolist(), fold.inner.tolist(), strict=True))
    assert len({part[one] for one in split.labeled.tolist()}) == 2
    for window, ids in zip(split.labeled.tolist(), found.ids.tolist(), strict=True):
        assert all(part[one] != part[window] for one in ids if one >= 0)


def test_a_head_gives_no_chance_to_what_it_was_never_shown() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0, 0, 2, 2, 2, 0])
    vectors = (np.eye(3)[truth] + rng.normal(0, 0.05, (6, 3))).astype(np.float32)
    chances = head_probabilities(vectors, truth, np.array([0, 1, 2, 3]), np.array([4, 5]), 4)
    assert chances.argmax(axis=1).tolist() == [2, 0]
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert (chances[:, [1, 3]] == 0).all()
    one_each = head_probabilities(vectors, truth, np.array([0, 2]), np.array([4, 5]), 4)
    assert one_each.argmax(axis=1).tolist() == [2, 0], "without a warning"
    alone = head_probabilities(vectors, truth, np.array([0, 1]), np.array([4]), 4)
    assert alone.tolist() == [[1.0, 0.0, 0.0, 0.0]]


def test_what_is_shorter_than_a_published_window_is_repeated() -> None:
    ramp = np.arange(260, dtype=np.float32)[:, None] * [1, -1]
    long = wrapped(ramp.astype(np.float32), 200)
    assert len(long) == 400
    np.testing.assert_array_equal(long[:260], ramp)
    np.testing.assert_array_equal(long[260:320], ramp[200:])
    np.testing.assert_array_equal(long[380:], ramp[200:220])
    np.testing.assert_array_equal(wrapped(long[:239], 200), ramp[:200], "under two seconds beside a whole window")
    assert len(wrapped(long[:240], 200)) == 400
    assert len(wrapped(long[:7], 200)) == 200 and len(wrapped(long[:200], 200)) == 200


def test_backbones_are_given_published_windows(encoder: Any) -> None:
    rules = RetrievalProtocol(windows="published")
    assert rules.window_s == 10 and RetrievalProtocol.model_validate(rules.model_dump()) == rules
    with pytest.raises(ValidationError, match="published windows are 10 s long, not 6 s"):
        RetrievalProtocol(windows="published", window_s=6.0)
    sessions = [swing(activity, 0) for activity in range(3)]
    target = prepare(
        EvaluationSet.of("short", [sessions[0].between(0, 24), sessions[1].between(0, 4), sessions[2]]),
        rules, Vocabulary.standard(), encoder,
    )  # fmt: skip
    assert [starts.tolist() for _, starts in target.requests] == [[0, 10, 20], [0], [0, 10, 20]]
    for (recording, _), seconds in zip(target.requests, (30, 10, 30), strict=True):
        assert (recording.rate_hz, recording.duration_s) == (20, seconds)
        assert {channel.sensor for channel in recording.channels} == {"acc"}
    short = target.requests[1][0].samples
    np.testing.assert_array_equal(short[80:160], short[:80])
    assert np.isfinite(target.features).all() and target.window_s == 10
    vectors = embedded(Movement(), target).vectors
    assert vectors.shape == (7, 3) and np.isfinite(vectors).all()


def test_words_that_a_model_cannot_tell_apart_are_no_answer(make_session: Any, encoder: Any) -> None:
    for other, words in (("walk", False), ("sitting", True)):
        both = [make_session(number, label, 12.0, subject="p") for number, label in enumerate(("walking", other))]
        target = prepare(EvaluationSet.of("two", both), RetrievalProtocol(), Vocabulary.standard(), encoder)
        seen = embedded(load_backbone("small"), target)
        assert (seen.words is not None) == words
        assert seen.vectors.shape == (4, 384) and np.isfinite(seen.vectors).all()


def test_the_page_has_four_columns_and_says_what_a_memory_of_labels_is(report: RetrievalReport) -> None:
    page = retrieval_page(report)
    assert "| backbone | budget | base | vote | MoRA[B] | MoRA[F] |" in page
    assert "| movement | none | – | " in page
    assert "never zero-shot" in page and "kinelex …" in page
    assert f"| guessing | none | {100 * report.comparisons()[4].gain:+.1f} |" in page


def test_what_the_weights_saw_is_marked() -> None:
    estimate = Estimate(mean=0.5, seeds=(0.5,), sd=None, low=None, high=None)
    score = RetrievalScore(
        backbone="b", data="d", seen_in_training=True, budget="all", system="base", labeled=(3, 3), tested=9,
        accuracy=estimate, macro_f1=estimate, per_subject={"p": 0.5}, weight=None, gated_by={},
    )  # fmt: skip
    used = TargetUsed(name="d", title="D", sha256="00", classes=2, people=1, named=False, windows=9)
    report = RetrievalReport(
        command="", protocol=RetrievalProtocol().model_dump(mode="json"), versions={}, data=(used,), scores=(score,)
    )
    page = retrieval_page(report)
    assert "| b * | all |" in page and "the weights of b saw d" in page and "d does not say who was recorded" in page
    assert report.comparisons() == []
    assert "as published" not in page
    published = RetrievalProtocol(head="published", windows="published").model_dump(mode="json")
    page = retrieval_page(report.model_copy(update={"protocol": published}))
    assert "10-second windows" in page and "Head as published" in page and "Windows as published" in page


def test_a_report_is_read_back_and_nothing_else_is(report: RetrievalReport, tmp_path: Path) -> None:
    write_retrieval(report, tmp_path)
    assert read_retrieval(tmp_path) == report
    path = tmp_path / "results.json"
    content = json.loads(path.read_text())
    for change, error in (({"kind": "few-shot report"}, CorruptArtifact), ({"version": 9}, UnsupportedFormat),
                          ({"scores": [{}]}, CorruptArtifact)):  # fmt: skip
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(error):
            read_retrieval(tmp_path)
    path.write_text("half a fi")
    with pytest.raises(CorruptArtifact, match="evaluate again"):
        read_retrieval(tmp_path)


def test_what_cannot_be_compared_is_refused(source: EvaluationSet, encoder: Any) -> None:
    quick = RetrievalProtocol(budgets=("1",), draws=(0,), bootstrap=100)
    with pytest.raises(UsageError, match="at least one backbone"):
        evaluate_retrieval([], [source], quick, encoder=encoder)
    with pytest.raises(UsageError, match="two backbones are called 'movement'"):
        evaluate_retrieval([Movement(), Movement()], [source], quick, encoder=encoder)
    alone = EvaluationSet.of("alone", [swing(activity, 0) for activity in range(3)])
    with pytest.raises(UsageError, match="different people"):
        evaluate_retrieval([Movement()], [alone], quick, encoder=encoder)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--budget", "few"], "a budget of 'few'"),
        (["--weight", "2"], "--weight"),
        (["--strategy", "loud"], "--strategy"),
        (["--strategy", "combine"], "independent answers without"),
        (["--backbone", "no-such"], "no backbone 'no-such'"),
    ],
)
def test_a_wrong_call_says_which_option(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["evaluate", "retrieval", "--data", "basic_motions", "--backbone", "small", *options]
    assert main(call) == 2
    assert says in capsys.readouterr().err


def test_the_command_writes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["evaluate", "retrieval", "--backbone", "small", "--data", "basic_motions", "--budget", "none", "--budget",
            "2", "--draws", "1", "--bootstrap", "100", "--out", str(tmp_path / "report")]  # fmt: skip
    assert main(call) == 0
    assert "MoRA[F]" in capsys.readouterr().out
    found = read_retrieval(tmp_path / "report")
    assert found.command.startswith("kinelex evaluate retrieval --backbone small --data basic_motions --budget none")
    assert of(found, "2", "fixed", "small").accuracy.mean > 0.8
