"""What nobody learned: placements and activities that a memory takes up, published heads and windows, and maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import nn

from kinelex.evaluation.label_budget import subject_folds
from kinelex.evaluation.retrieval import RetrievalProtocol
from kinelex.evaluation.retrieval.heads import head_probabilities, published_head
from kinelex.evaluation.retrieval.maps import embedding_maps, landscape_of
from kinelex.evaluation.retrieval.studies.prepared import Prepared
from kinelex.evaluation.retrieval.studies.record import StudyTable
from kinelex.evaluation.retrieval.studies.unseen import unseen
from kinelex.evaluation.retrieval.studies.unseen_classes import some_of_each
from kinelex.evaluation.retrieval.studies.unseen_placements import ELSEWHERE, WITH_FEW, taken_apart
from kinelex.evaluation.retrieval.targets import Embedded, Target, embedded, prepare
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.statistics import Estimate
from kinelex.language import Vocabulary
from kinelex.retrieval.gate_training import GateRecipe
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Interval, Recording
from kinelex.training.randomness import seed_of
from tests.evaluation.conftest import HashEncoder

LABELS = ("walking", "sitting", "jumping")
PLACES = ("waist", "left ankle", "left wrist")
PROTOCOL = RetrievalProtocol(folds=2, draws=(0, 1), bootstrap=100, inner_folds=2, gate=GateRecipe(epochs=2))


def worn(activity: int, person: int, places: Sequence[str] = PLACES, seconds: float = 24.0) -> Recording:
    """A session whose channels hold the activity, the placement and the person, in this order."""
    steps = round(seconds * 25)
    columns = [[activity, PLACES.index(place), person] for place in places]
    samples = np.tile(np.concatenate(columns), (steps, 1)).astype(np.float32)
    samples += np.random.default_rng([activity, person]).normal(0, 1e-3, samples.shape).astype(np.float32)
    channels = tuple(Channel("acc", axis, place) for place in places for axis in ("x", "y", "z"))  # type: ignore[arg-type]
    interval = Interval(0.0, seconds, LABELS[activity])
    return Recording(samples, 25.0, channels, name=f"{person}-{activity}", subject=f"p{person}", intervals=(interval,))


class Noisy:
    """Sees the activity: clearly where all learned it, as if it were the next one elsewhere, but for a direction."""

    name = "noisy"
    noise = 0.25

    def embed(self, recording: Recording, starts_s: Any, window_s: float) -> NDArray[np.float32]:
        activity, place, person = np.round(recording.samples[0, :3]).astype(int)
        rng = np.random.default_rng([activity, place, person, len(recording.placements)])
        vectors = self.noise * rng.normal(0, 1, (len(starts_s), 12))
        vectors[:, (activity + place) % 3] += 0.6
        vectors[:, 3 + 3 * place + activity] += 0.8
        return vectors.astype(np.float32)


class Reading(Noisy):
    """Knows words, too: it takes jumping for walking."""

    name = "reading"

    def predict_proba(
        self, recording: Recording, starts_s: Any, window_s: float, labels: Sequence[str]
    ) -> NDArray[np.float32]:
        meant = LABELS[round(float(recording.samples[0, 0]))].replace("jumping", "walking")
        return np.tile([0.8 if label == meant else 0.1 for label in labels], (len(starts_s), 1)).astype(np.float32)


@pytest.fixture(scope="module")
def source() -> EvaluationSet:
    return EvaluationSet.of("swings", [worn(activity, person) for person in range(4) for activity in range(3)])


@pytest.fixture(scope="module")
def tables(source: EvaluationSet) -> tuple[StudyTable, ...]:
    steps: list[tuple[int, int]] = []
    prepared = Prepared([Reading()], [source], PROTOCOL, Vocabulary.standard(), HashEncoder())
    found = unseen(prepared, lambda what, done, total: steps.append((done, total)))
    assert steps == [(1, 2), (2, 2)]
    return found


def mean(cell: object) -> float:
    assert isinstance(cell, Estimate)
    return cell.mean


def voted(vectors: NDArray[np.float32], truth: Any, memory: Any, test: Any, k: int = 5) -> list[int]:
    """The class of most of the nearest by cosine; of equal shares the first."""
    unit = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    answers = []
    for row in test:
        near = sorted(memory, key=lambda other: -float(unit[row] @ unit[other]))[:k]
        counts = [sum(truth[other] == number for other in near) for number in range(3)]
        answers.append(counts.index(max(counts)))
    return answers


def test_a_few_windows_from_a_new_placement_mend_what_was_learned_elsewhere(tables: tuple[StudyTable, ...]) -> None:
    rows = tables[0].rows
    assert [(row["worn"], row["memory"]) for row in rows] == [
        (place, memory) for place in PLACES for memory in (ELSEWHERE, WITH_FEW)
    ]
    for before, after in zip(rows[::2], rows[1::2], strict=True):
        assert (before["tested"], after["tested"]) == (48, 48)
        assert mean(before["vote"]) < 0.7, "it looks like another activity there"
        assert mean(after["vote"]) > mean(before["vote"]) + 0.2
        assert mean(after["MoRA[B]"]) > mean(before["MoRA[B]"])
        assert mean(after["base"]) == mean(before["base"]), "nothing was trained for them"
        assert isinstance(after["vote"], Estimate) and len(after["vote"].seeds) == len(PROTOCOL.draws)


def test_a_placement_is_answered_to_by_other_people_at_other_placements(
    source: EvaluationSet, tables: tuple[StudyTable, ...]
) -> None:
    target = prepare(source, PROTOCOL, Vocabulary.standard(), HashEncoder())
    apart = taken_apart(target)
    assert apart is not None and len(apart.target) == 3 * len(target) == 144
    seen = embedded(Reading(), apart.target)
    fold = subject_folds(target.names, PROTOCOL.folds, PROTOCOL.seed)[apart.target.subjects]
    truth, predicted = apart.target.truth, np.full(144, -1)
    for k in range(2):
        test = [row for row in range(48, 96) if fold[row] == k]  # worn at the ankle, the second of three
        # Of every window one other placement in turn: even ones at the waist, odd ones at the wrist.
        memory = [row for row in range(144) if fold[row] != k and row // 48 == (0, 2)[row % 48 % 2]]
        predicted[test] = voted(seen.vectors, truth, memory, test)
    expected = f1_score(truth[48:96], predicted[48:96], average="macro")
    assert mean(tables[0].rows[2]["vote"]) == pytest.approx(expected)


def test_what_was_not_worn_everywhere_is_left_out() -> None:
    both = [worn(activity, person, PLACES[:2]) for person in range(2) for activity in range(3)]
    jumping = [worn(2, person, PLACES[1:]) for person in range(2)]
    sessions = EvaluationSet.of("some", [*both[:2], *both[3:5], *jumping])
    target = prepare(sessions, PROTOCOL, Vocabulary.standard(), HashEncoder())
    assert taken_apart(target) is None, "only the ankle has all activities"


def test_a_memory_makes_unknown_activities_known(tables: tuple[StudyTable, ...]) -> None:
    rows = {(row["remembered"], row["activities"]): row for row in tables[1].rows}
    assert list(rows) == [(n, which) for n in ("0", "1", "5", "20", "all") for which in ("unknown", "known")]
    votes = [mean(rows[n, "unknown"]["vote"]) for n in ("0", "1", "5", "20", "all")]
    assert votes[0] == 0 and votes[-1] > 0.8 and votes == sorted(votes)
    for n in ("0", "1", "5", "20", "all"):
        assert mean(rows[n, "unknown"]["base"]) == 0, "a head gives no chance to what it never learned"
        assert mean(rows[n, "known"]["base"]) == mean(rows["0", "known"]["base"]), "nor is it trained again"
    assert mean(rows["all", "unknown"]["MoRA[B]"]) > 0.3
    assert len(rows["5", "known"]["vote"].seeds) == 2 and len(rows["all", "known"]["vote"].seeds) == 1  # type: ignore[union-attr]


def test_figures_of_unknown_and_known_activities_are_means_of_their_f1(
    source: EvaluationSet, tables: tuple[StudyTable, ...]
) -> None:
    target = prepare(source, PROTOCOL, Vocabulary.standard(), HashEncoder())
    seen = embedded(Reading(), target)
    fold = subject_folds(target.names, PROTOCOL.folds, PROTOCOL.seed)[target.subjects]
    predicted = np.full(len(target), -1)
    for k in range(2):
        test = np.flatnonzero(fold == k)
        predicted[test] = voted(seen.vectors, target.truth, np.flatnonzero(fold != k), test)
    f1 = f1_score(target.truth, predicted, average=None)
    rows = {(row["remembered"], row["activities"]): row for row in tables[1].rows}
    # With one activity unknown at a time and all remembered, each is unknown once and known twice.
    assert mean(rows["all", "unknown"]["vote"]) == pytest.approx(f1.mean())
    assert mean(rows["all", "known"]["vote"]) == pytest.approx(f1.mean())
    by_words = [list(target.classes).index(name) for name in ("walking", "sitting")]
    said = np.where(target.truth == by_words[1], by_words[1], by_words[0])
    expected = f1_score(target.truth, said, average="macro", zero_division=0)
    assert mean(rows["1", "unknown"]["words"]) == pytest.approx(expected)


def test_a_larger_memory_holds_a_smaller_one() -> None:
    rows, truth = np.arange(5, 40), np.arange(40) % 3
    one, five = (some_of_each(rows, truth, n, draw=1, fold=0) for n in ("1", "5"))
    assert (len(one), len(five)) == (3, 15) and set(one) <= set(five) <= set(rows)
    assert sorted(truth[five]) == [0] * 5 + [1] * 5 + [2] * 5
    assert not np.array_equal(five, some_of_each(rows, truth, "5", draw=2, fold=0))
    assert not len(some_of_each(rows, truth, "0", draw=1, fold=0))
    assert some_of_each(rows, truth, "all", draw=1, fold=0).tolist() == rows.tolist()


def test_the_published_head_is_what_its_formulas_say() -> None:
    rng = np.random.default_rng(3)
    truth = np.array([0, 1, 2, 0, 1, 2, 0])
    learned = (rng.normal(0, 1, (7, 4)) + 2 * np.eye(4)[truth]).astype(np.float32)
    asked = rng.normal(0, 2, (3, 4)).astype(np.float32)
    torch.manual_seed(seed_of(5, 0, "weights of a head"))
    linear = nn.Linear(4, 3)
    weights = [np.ones(4), np.zeros(4), linear.weight.detach().double().numpy(), linear.bias.detach().double().numpy()]
    averages = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]

    def forward(x: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        centered = x.astype(np.float64) - x.astype(np.float64).mean(axis=1, keepdims=True)
        normal = centered / np.sqrt((centered**2).mean(axis=1, keepdims=True) + 1e-5)
        scaled = normal * weights[0] + weights[1]
        logits = scaled @ weights[2].T + weights[3]
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        return normal, scaled, chances / chances.sum(axis=1, keepdims=True)

    for step in range(1, 13):
        normal, scaled, chances = forward(learned)
        error = (chances - np.eye(3)[truth]) / 7
        back = error @ weights[2]
        gradients = [(back * normal).sum(axis=0), back.sum(axis=0), error.T @ scaled, error.sum(axis=0)]
        for i, gradient in enumerate(gradients):
            first, second = averages[i]
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            averages[i] = first, second
            change = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
            weights[i] = weights[i] * (1 - 1e-4 * 0.05) - 1e-4 * change
    expected = forward(asked)[2]
    found = published_head(learned, truth, asked, seed=5, epochs=12)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_published_head_is_the_same_again_and_knows_only_what_it_learned() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0, 2] * 200)
    vectors = (rng.normal(0, 0.5, (400, 6)) + 3 * np.eye(6)[truth]).astype(np.float32)
    rows = np.arange(400)
    before = torch.get_rng_state()

    def call(seed: int) -> np.ndarray:
        return head_probabilities(vectors, truth, rows[:390], rows[390:], 4, head="published", seed=seed)

    def sure(table: np.ndarray) -> float:
        return float(table[np.arange(10), truth[390:]].mean())

    chances = call(1)
    assert (torch.get_rng_state() == before).all(), "no other randomness is touched"
    assert chances.tobytes() == call(1).tobytes() != call(2).tobytes()
    assert (chances[:, [1, 3]] == 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    logistic = head_probabilities(vectors, truth, rows[:390], rows[390:], 4)
    assert (logistic.argmax(axis=1) == truth[390:]).all()
    assert sure(chances) < sure(logistic), "fifty epochs at this rate are too few for it"


def test_a_protocol_with_the_published_head_scores_that_head(source: EvaluationSet) -> None:
    from kinelex.evaluation.label_budget import LabelSplit
    from kinelex.evaluation.retrieval.systems import answers

    protocol = PROTOCOL.model_copy(update={"head": "published", "calibrated": False})
    target = prepare(source, protocol, Vocabulary.standard(), HashEncoder())
    seen = embedded(Noisy(), target)
    split = LabelSplit(np.flatnonzero(target.subjects > 0), np.empty(0, int), np.flatnonzero(target.subjects == 0))
    said = answers(seen, target, split, "all", protocol, 7)
    expected = published_head(
        seen.vectors[split.labeled], target.truth[split.labeled], seen.vectors[split.test], seed=7
    )
    np.testing.assert_allclose(said.probabilities["base"], expected, rtol=1e-12)


def test_maps_show_every_activity_of_every_backbone(source: EvaluationSet, tmp_path: Path) -> None:
    class Slashed(Noisy):
        name = "noisy/v2"

    paths = embedding_maps([Slashed()], [source], tmp_path, PROTOCOL, encoder=HashEncoder())
    assert [path.name for path in paths] == ["map-swings-noisy-v2.png"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert set(tmp_path.iterdir()) == set(paths)


def test_a_map_takes_about_as_many_windows_of_each_activity() -> None:
    sessions = [worn(0, 0, seconds=600.0), worn(1, 0), worn(2, 0)]
    target: Target = prepare(EvaluationSet.of("long", sessions), PROTOCOL, Vocabulary.standard(), HashEncoder())
    vectors = np.random.default_rng(0).normal(0, 0.1, (len(target), 5)).astype(np.float32)
    vectors[np.arange(len(target)), target.truth] += 1
    vectors[-1] = np.nan
    landscape = landscape_of(Embedded("b", (), vectors, None), target, Vocabulary.standard())
    counts = dict(zip(landscape.texts, np.bincount(landscape.label_of_window), strict=True))
    assert counts == {"walking": 60, "sitting": 4, "jumping": 3}, "one of four has no usable signal"
    assert len(landscape.labels) == len(set(landscape.groups)) == 3, "a color for each"
    walking = landscape.texts.index("walking")
    middle = np.median(landscape.windows[landscape.label_of_window == walking], axis=0)
    np.testing.assert_allclose(landscape.labels[walking], middle)
    assert landscape.kinds[walking] == "locomotion" and "67 windows" in landscape.note
