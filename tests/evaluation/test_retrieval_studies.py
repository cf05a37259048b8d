"""Studies of retrieval: each table says what an independent computation finds, and is read back as it was written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import accuracy_score, f1_score

from kinelex.cli import main
from kinelex.errors import CorruptArtifact, UnknownName, UnsupportedFormat, UsageError
from kinelex.evaluation.label_budget import LabelSplit
from kinelex.evaluation.retrieval import RetrievalProtocol, evaluate_retrieval
from kinelex.evaluation.retrieval.fold import Fold
from kinelex.evaluation.retrieval.studies import STUDIES
from kinelex.evaluation.retrieval.studies.cost import parameters_of
from kinelex.evaluation.retrieval.studies.prepared import Prepared
from kinelex.evaluation.retrieval.studies.raw_neighbors import DTW_EXAMPLES, RawSignal
from kinelex.evaluation.retrieval.studies.record import (
    StudyReport,
    StudyTable,
    read_studies,
    studies_page,
    write_studies,
)
from kinelex.evaluation.retrieval.studies.running import run_studies
from kinelex.evaluation.retrieval.studies.strategies import RAW, WHOLE, _by_linear, _RawNeighbors
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.statistics import Estimate
from kinelex.language import Vocabulary
from kinelex.signal.recording import Recording
from tests.evaluation.conftest import HashEncoder
from tests.evaluation.test_retrieval import Movement, swing

PROTOCOL = RetrievalProtocol(folds=3, bootstrap=100, draws=(0,))


class Blurred(Movement):
    """Sees how wide a swing is, not well, in vectors of 140 numbers."""

    name = "blurred"

    def embed(self, recording: Recording, starts_s: Any, window_s: float) -> NDArray[np.float32]:
        seen = super().embed(recording, starts_s, window_s)
        rng = np.random.default_rng([int(part) for part in recording.name.split("-")])
        noise = rng.normal(0, 0.06, (len(seen), 140))
        noise[:, :3] += seen + rng.normal(0, 0.2, seen.shape)
        return noise.astype(np.float32)


@pytest.fixture(scope="module")
def source() -> EvaluationSet:
    return EvaluationSet.of("swings", [swing(activity, person) for person in range(6) for activity in range(3)])


@pytest.fixture(scope="module")
def prepared(source: EvaluationSet) -> Prepared:
    return Prepared([Blurred()], [source], PROTOCOL, Vocabulary.standard(), HashEncoder())


@pytest.fixture(scope="module")
def tables(prepared: Prepared) -> dict[str, StudyTable]:
    return {name: STUDIES[name](prepared) for name in ("strategies", "labels", "grid", "cost")}  # type: ignore[misc]


@pytest.fixture(scope="module")
def folds(prepared: Prepared) -> tuple[Fold, ...]:
    return prepared.folds(prepared.data[0], prepared.backbones[0])


def row(table: StudyTable, **wanted: Any) -> dict[str, Any]:
    (found,) = [one for one in table.rows if all(one[name] == value for name, value in wanted.items())]
    return found


def nearest(fold: Fold, asked: NDArray[np.int64], k: int, others: bool = False) -> NDArray[np.int64]:
    """The classes of the nearest labeled windows by cosine, one window after the other, in float64."""
    vectors, target = fold.seen.vectors.astype(np.float64), fold.target
    found = []
    for window in asked:
        cosine = vectors[fold.labeled] @ vectors[window]
        cosine /= np.linalg.norm(vectors[fold.labeled], axis=1)
        if others:
            cosine[target.subjects[fold.labeled] == target.subjects[window]] = -np.inf
        found.append(target.truth[fold.labeled[np.argsort(-cosine, kind="stable")[:k]]])
    return np.array(found)


def shares(classes: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.eye(3)[classes].mean(axis=1)


def test_whole_vectors_are_what_the_evaluation_by_budgets_finds(
    tables: dict[str, StudyTable], source: EvaluationSet
) -> None:
    protocol = PROTOCOL.model_copy(update={"budgets": ("all",)})
    report = evaluate_retrieval([Blurred()], [source], protocol, encoder=HashEncoder())
    by_budget = {score.system: score for score in report.scores}
    found = row(tables["strategies"], strategy=WHOLE)
    assert 0.5 < found["base"].mean < 1, "a figure that tells something"
    assert found["base"] == by_budget["base"].macro_f1
    assert found["vote"] == by_budget["vote"].macro_f1
    assert found["MoRA[F]"] == by_budget["gated"].macro_f1
    assert found["MoRA[F], accuracy"] == by_budget["gated"].accuracy
    assert found["splits with a gate"] == f"{by_budget['gated'].gated_by.get('gate', 0)} of 3"
    assert (found["numbers per window"], found["time per query"]) == (140, 1.0)
    same = row(tables["labels"], strategy="independent")
    assert same["MoRA[B]"] == by_budget["fixed"].macro_f1


def test_raw_windows_find_swings_and_have_their_own_neighbors(
    tables: dict[str, StudyTable], prepared: Prepared, folds: tuple[Fold, ...]
) -> None:
    for name in RAW:
        found = row(tables["strategies"], strategy=name)
        assert found["vote"].mean > 0.95, f"{name}: swings of other speeds and widths"
        assert found["numbers per window"] == (6 * 24 if "wavelets" in name else 6 * 120)
        assert found["time per query"] > 0
    target, fold = prepared.target(prepared.data[0]), folds[0]
    signal = RawSignal.of(target)
    assert signal.values.shape == (90, 6, 120)
    finder = signal.finder("pearson", fold.labeled, target.truth, 0)
    window = fold.test[0]
    by_hand = [np.mean([np.corrcoef(signal.values[window, c], signal.values[one, c])[0, 1] for c in (0, 1, 2, 4, 5)])
               for one in fold.labeled]  # fmt: skip
    assert fold.labeled[np.argmax(by_hand)] == finder.search(np.array([window]), 1).ids[0, 0]


def test_neighbors_of_labeled_windows_are_of_other_people(prepared: Prepared, folds: tuple[Fold, ...]) -> None:
    fold, target = folds[0], prepared.target(prepared.data[0])
    raw = RawSignal.of(target).finder("pearson", fold.labeled, target.truth, 0)
    for finder in (fold.by_vectors, raw):
        found = fold.outside(finder)
        assert found.present.all()
        assert (target.subjects[found.ids] != target.subjects[fold.labeled][:, None]).all()
    np.testing.assert_array_equal(fold.labels(fold.outside(fold.by_vectors)), nearest(fold, fold.labeled, 5, True))


def test_dynamic_time_warping_looks_among_a_few_of_every_class(prepared: Prepared) -> None:
    truth = np.repeat([0, 1, 2], [500, 100, 20])
    signal = RawSignal(
        np.random.default_rng(0).normal(size=(620, 1, 60)).astype(np.float32), np.ones((620, 1, 60), bool)
    )
    finder = signal.finder("dtw", np.arange(620), truth, 0)
    assert np.bincount(truth[finder.ids]).tolist() == [90, 90, 20]
    assert len(finder.ids) == DTW_EXAMPLES and (np.diff(finder.ids) > 0).all()
    assert len(signal.finder("pearson", np.arange(620), truth, 0).ids) == 620


def test_shorter_vectors_are_fitted_to_labeled_windows_only(
    tables: dict[str, StudyTable], prepared: Prepared, folds: tuple[Fold, ...]
) -> None:
    assert "vote" not in row(tables["strategies"], strategy="PCA to 128"), "60 windows have no 128 directions"
    assert "vote" not in row(tables["strategies"], strategy="linear map to 256"), "vectors have 140 numbers"
    found = row(tables["strategies"], strategy="linear map to 128")
    assert found["numbers per window"] == 128
    assert found["vote"].mean > 0.5

    # Another signal in tested windows changes the neighbors of nobody who is labeled.
    fold = folds[0]
    changed = fold.seen.vectors.copy()
    changed[fold.test] = np.random.default_rng(1).normal(size=(len(fold.test), 140))
    split = LabelSplit(fold.labeled, fold.labeled[:0], fold.test)
    other = Fold(replace(fold.seen, vectors=changed), fold.target, split, PROTOCOL)
    raw = _RawNeighbors(fold.target, PROTOCOL)
    before, after = _by_linear(16, fold, raw), _by_linear(16, other, raw)
    np.testing.assert_array_equal(before.labeled.ids, after.labeled.ids)
    found_in, asked_in = fold.inner[np.searchsorted(fold.labeled, before.labeled.ids)], fold.inner[:, None]
    assert (found_in != asked_in).all(), "the map of a labeled window was not learned from its person"
    assert (before.tested.ids != after.tested.ids).any()


def test_labels_become_evidence_in_four_ways(tables: dict[str, StudyTable], folds: tuple[Fold, ...]) -> None:
    target = folds[0].target
    words = HashEncoder().encode(list(target.texts)).astype(np.float64)
    truth, expected = [], {name: [] for name in ("combine", "weighted", "vote", "base")}
    for fold in folds:
        classes = nearest(fold, fold.test, 5)
        one_text = HashEncoder().encode([", ".join(target.texts[c] for c in some) for some in classes])
        each = softmax(20 * target.table.similarity, axis=1)
        decay = 0.9 ** np.arange(5)
        truth.append(target.truth[fold.test])
        expected["combine"].append(softmax(20 * one_text.astype(np.float64) @ words.T, axis=1).argmax(axis=1))
        expected["weighted"].append(np.einsum("k,qkc->qc", decay / decay.sum(), each[classes]).argmax(axis=1))
        expected["vote"].append(shares(classes).argmax(axis=1))
        expected["base"].append(fold.base.argmax(axis=1))
    right = np.concatenate(truth)
    for name in ("combine", "weighted", "vote"):
        found, said = row(tables["labels"], strategy=name), np.concatenate(expected[name])
        assert found["evidence"].mean == pytest.approx(f1_score(right, said, average="macro", zero_division=0)), name
        assert found["evidence, accuracy"].mean == pytest.approx(accuracy_score(right, said))
        assert found["base"].mean == pytest.approx(f1_score(right, np.concatenate(expected["base"]), average="macro"))


def test_times_of_labels_are_ratios_to_a_table_of_likeness(tables: dict[str, StudyTable]) -> None:
    times = {one["strategy"]: one for one in tables["labels"].rows}
    assert times["independent"]["time, remembered"] == 1
    assert times["independent"]["time, encoder asked"] > 10, "five texts for each window"
    assert times["vote"]["time, encoder asked"] is None, "a vote knows no words"


def test_the_grid_is_the_base_at_one_end_and_neighbors_at_the_other(
    tables: dict[str, StudyTable], folds: tuple[Fold, ...]
) -> None:
    grid = tables["grid"]
    assert len(grid.rows) == 5 * 5
    base = row(tables["strategies"], strategy=WHOLE)["base"].mean
    assert [one["alpha 0"].mean for one in grid.rows] == [pytest.approx(base)] * 25
    right = np.concatenate([fold.target.truth[fold.test] for fold in folds])
    for k, tau, alpha in ((1, 20.0, 1.0), (3, 5.0, 0.25), (10, 1.0, 0.75)):
        said = []
        for fold in folds:
            each = softmax(tau * fold.target.table.similarity, axis=1)
            retrieved = each[nearest(fold, fold.test, k)].mean(axis=1)
            said.append(((1 - alpha) * fold.base + alpha * retrieved).argmax(axis=1))
        expected = f1_score(right, np.concatenate(said), average="macro")
        assert row(grid, k=k, tau=tau)[f"alpha {alpha:g}"].mean == pytest.approx(expected), (k, tau, alpha)
    votes = [shares(nearest(fold, fold.test, 3)).argmax(axis=1) for fold in folds]
    assert row(grid, k=3, tau=20.0)["vote"].mean == pytest.approx(
        f1_score(right, np.concatenate(votes), average="macro")
    )


def test_the_cost_is_what_is_kept_and_where_time_goes(tables: dict[str, StudyTable]) -> None:
    (found,) = tables["cost"].rows
    assert found["parameters"] is None, "its embedding has no weights"
    assert found["numbers per vector"] == 140
    assert found["parameters of the gate"] == 2 * 15 + 15 * 128 + 128 + 128 + 1
    assert 4 * 140 < found["bytes per example"] < 4 * 140 + 200
    assert 1 <= found["epochs"] <= 20 and found["loss at 20"] > 0
    steps = [found[f"share: {step}"] for step in ("embedding", "search", "evidence", "gate")]
    assert sum(steps) == pytest.approx(1) and min(steps) > 0
    assert found["time over embedding alone"] == pytest.approx(1 / steps[0])


def test_every_network_of_an_encoder_is_counted_once() -> None:
    from kinelex.backbones import load_backbone

    small: Any = load_backbone("small")
    assert parameters_of(small) == sum(p.numel() for p in small.checkpoint.model.parameters())
    assert parameters_of(Movement()) == 0


@pytest.fixture
def report(source: EvaluationSet) -> StudyReport:
    return run_studies(["grid", "grid"], [Blurred()], [source], PROTOCOL, encoder=HashEncoder(), command="kinelex …")


def test_a_report_is_read_back_and_nothing_else_is(report: StudyReport, tmp_path: Path) -> None:
    assert [table.name for table in report.tables] == ["grid"], "named twice, run once"
    assert [used.windows for used in report.data] == [90]
    write_studies(report, tmp_path)
    assert read_studies(tmp_path) == report
    path = tmp_path / "studies.json"
    content = json.loads(path.read_text())
    for change, error in (({"kind": "retrieval report"}, CorruptArtifact), ({"version": 9}, UnsupportedFormat),
                          ({"tables": [{}]}, CorruptArtifact)):  # fmt: skip
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(error):
            read_studies(tmp_path)


def test_the_page_has_every_table_with_its_remarks(report: StudyReport) -> None:
    estimate = Estimate(mean=0.5, seeds=(0.5,), sd=None, low=0.4, high=0.6)
    cells = {"way": "a|b", "figure": estimate, "ratio": 1234.5678}
    table = StudyTable(
        name="t", title="T", about=("Careful.",), columns=("way", "figure", "ratio", "more"), rows=(cells,)
    )
    page = studies_page(report.model_copy(update={"tables": (*report.tables, table)}))
    assert "| way | figure | ratio | more |\n|---|--:|--:|--:|\n| a\\|b | 50.0 [40.0, 60.0] | 1,235 | – |" in page
    assert "* Careful." in page and "kinelex …" in page and "## Weight, neighbors and temperature (RQ4)" in page
    with pytest.raises(ValueError, match="finite"):
        StudyTable(name="t", title="T", about=(), columns=("x",), rows=({"x": float("nan")},))


def test_what_cannot_be_studied_is_refused(source: EvaluationSet, encoder: Any) -> None:
    with pytest.raises(UnknownName, match=f"no study 'loud'.*{', '.join(STUDIES)}"):
        run_studies(["loud"], [Movement()], [source], encoder=encoder)
    with pytest.raises(UsageError, match="at least one name"):
        run_studies([], [Movement()], [source], encoder=encoder)
    with pytest.raises(UsageError, match="two data sets are called 'swings'"):
        run_studies(["grid"], [Movement()], [source, source], encoder=encoder)


def test_the_command_knows_its_studies(capsys: pytest.CaptureFixture[str]) -> None:
    call = ["evaluate", "retrieval", "--data", "basic_motions", "--backbone", "small", "--study", "loud"]
    assert main(call) == 2
    said = capsys.readouterr().err
    assert "'loud'" in said and all(name in said for name in STUDIES)


def test_the_command_writes_the_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["evaluate", "retrieval", "--backbone", "small", "--data", "basic_motions", "--study", "grid", "--bootstrap",
            "100", "--out", str(tmp_path / "report")]  # fmt: skip
    assert main(call) == 0
    assert "RQ4" in capsys.readouterr().out
    found = read_studies(tmp_path / "report")
    assert found.command == "kinelex " + " ".join([*call[:-2], "--out", str(tmp_path / "report")])
    assert [used.name for used in found.data] == ["basic_motions"]
    assert not (tmp_path / "report" / "results.json").exists(), "the budgets were not looked at"


def test_the_page_says_what_weights_have_seen(report: StudyReport) -> None:
    assert report.seen and not any(report.seen.values()), "its weights saw another set"
    page = studies_page(report.model_copy(update={"seen": {"blurred": ("swings",), "other": ()}}))
    assert page.count("Careful") == 1 and "Careful: the weights of blurred saw swings." in page
