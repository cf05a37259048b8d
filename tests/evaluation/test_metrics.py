"""Metrics obey their laws, and agree with scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from kinelex.errors import BadSamples
from kinelex.evaluation import metrics

CLASSES = 5
Predictions = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def predictions(draw: st.DrawFn) -> Predictions:
    """Truth, predicted classes and probabilities, with classes that may never occur."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    units, occurring = draw(st.integers(1, 80)), draw(st.integers(1, CLASSES))
    truth = rng.integers(0, occurring, units)
    chances = rng.dirichlet(np.full(CLASSES, draw(st.sampled_from([0.1, 1.0, 10.0]))), units)
    # Coarse probabilities make ties likely, which is where ranks and curves can go wrong.
    chances = np.round(chances * 8) + 1e-9
    chances /= chances.sum(axis=1, keepdims=True)
    return truth, chances.argmax(axis=1), chances


@settings(max_examples=40)
@given(predictions())
def test_table_scores_agree_with_scikit_learn(given_predictions: Predictions) -> None:
    truth, predicted, _ = given_predictions
    table = metrics.confusion(truth, predicted, CLASSES)
    labels = np.arange(CLASSES)
    assert np.array_equal(table, reference.confusion_matrix(truth, predicted, labels=labels))
    assert metrics.accuracy(table) == pytest.approx(reference.accuracy_score(truth, predicted))
    expected = reference.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    assert np.allclose(metrics.precision_per_class(table), expected[0])
    assert np.allclose(metrics.recall_per_class(table), expected[1])
    assert np.allclose(metrics.f1_per_class(table), expected[2])


@settings(max_examples=40)
@given(predictions())
def test_each_macro_f1_is_the_scikit_learn_one_over_its_classes(given_predictions: Predictions) -> None:
    truth, predicted, _ = given_predictions
    table = metrics.confusion(truth, predicted, CLASSES)
    for over, labels in (("declared", np.arange(CLASSES)), ("truth", np.unique(truth)), ("union", None)):
        expected = reference.f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)
        assert metrics.macro_f1(table, over) == pytest.approx(expected)  # type: ignore[arg-type]


@settings(max_examples=40)
@given(predictions())
def test_probability_scores_agree_with_scikit_learn(given_predictions: Predictions) -> None:
    truth, _, chances = given_predictions
    one_hot = np.eye(CLASSES)[truth]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = reference.brier_score_loss(truth, chances, labels=np.arange(CLASSES), scale_by_half=False)
    assert metrics.brier(chances, truth) == pytest.approx(expected)
    # With distinct scores, one over the rank is the label-ranking precision of a single true class.
    distinct = chances + np.linspace(0, 1e-6, CLASSES)
    assert metrics.mean_reciprocal_rank(distinct, truth) == pytest.approx(
        reference.label_ranking_average_precision_score(one_hot, distinct)
    )
    for k in (1, 3, 5):
        expected = reference.top_k_accuracy_score(truth, distinct, k=k, labels=np.arange(CLASSES)) if k < 5 else 1.0
        assert metrics.recall_at(distinct, truth, k) == pytest.approx(expected)


@settings(max_examples=40)
@given(predictions(), st.randoms(use_true_random=False))
def test_the_order_of_the_windows_changes_nothing(given_predictions: Predictions, random) -> None:  # type: ignore[no-untyped-def]
    truth, predicted, chances = given_predictions
    order = list(range(len(truth)))
    random.shuffle(order)
    confidence, correct = chances.max(axis=1), predicted == truth

    def scores(at: list[int] | slice) -> list[float]:
        table = metrics.confusion(truth[at], predicted[at], CLASSES)
        return [
            float(metrics.macro_f1(table)),
            metrics.mean_reciprocal_rank(chances[at], truth[at]),
            metrics.brier(chances[at], truth[at]),
            metrics.calibration_error(confidence[at], correct[at]),
            metrics.calibration_error(confidence[at], correct[at], binning="equal_mass"),
            metrics.area_under_risk_coverage(confidence[at], correct[at]),
        ]

    assert scores(order) == pytest.approx(scores(slice(None)))


@settings(max_examples=40)
@given(predictions(), st.permutations(range(CLASSES)))
def test_the_order_of_the_classes_changes_nothing(given_predictions: Predictions, order: list[int]) -> None:
    truth, predicted, chances = given_predictions
    renamed = np.argsort(order)
    table = metrics.confusion(truth, predicted, CLASSES)
    again = metrics.confusion(renamed[truth], renamed[predicted], CLASSES)
    assert metrics.accuracy(again) == metrics.accuracy(table)
    for over in ("declared", "truth", "union"):
        assert metrics.macro_f1(again, over) == pytest.approx(metrics.macro_f1(table, over))  # type: ignore[arg-type]
    assert np.allclose(metrics.ranks(chances[:, order], renamed[truth]), metrics.ranks(chances, truth))


@settings(max_examples=40)
@given(predictions())
def test_a_perfect_prediction_scores_one(given_predictions: Predictions) -> None:
    truth, _, _ = given_predictions
    table, chances = metrics.confusion(truth, truth, CLASSES), np.eye(CLASSES)[truth]
    correct = np.ones(len(truth), dtype=bool)
    assert metrics.accuracy(table) == metrics.macro_f1(table, "truth") == metrics.macro_f1(table, "union") == 1.0
    assert metrics.mean_reciprocal_rank(chances, truth) == metrics.recall_at(chances, truth, 1) == 1.0
    assert metrics.brier(chances, truth) == metrics.calibration_error(chances.max(axis=1), correct) == 0.0
    assert metrics.area_under_risk_coverage(chances.max(axis=1), correct) == 0.0


@settings(max_examples=40)
@given(predictions(), st.integers(1, 6))
def test_tables_of_subjects_add_up_to_the_whole(given_predictions: Predictions, people: int) -> None:
    truth, predicted, _ = given_predictions
    subjects = np.arange(len(truth)) % people
    tables = metrics.confusion_per_subject(truth, predicted, subjects, CLASSES)
    assert np.array_equal(tables.sum(axis=0), metrics.confusion(truth, predicted, CLASSES))
    one_by_one = [float(metrics.macro_f1(table)) for table in tables]
    assert np.allclose(metrics.macro_f1(tables), one_by_one), "a stack of tables gives a stack of figures"


@settings(max_examples=40)
@given(predictions())
def test_calibration_parts_of_subjects_add_up_to_the_error(given_predictions: Predictions) -> None:
    truth, predicted, chances = given_predictions
    confidence, correct = chances.max(axis=1), predicted == truth
    parts = metrics.calibration_parts(confidence, correct, np.arange(len(truth)) % 3, bins=15)
    assert metrics.error_of_parts(parts.sum(axis=0)) == pytest.approx(metrics.calibration_error(confidence, correct))


def test_published_union_counts_wrongly_predicted_groups_and_truth_does_not() -> None:
    table = np.zeros((4, 4), dtype=int)
    table[0, 0], table[0, 2], table[1, 1] = 8, 2, 10
    both_right = (2 * 8 / 18 + 1.0) / 2
    assert metrics.macro_f1(table, "truth") == pytest.approx(both_right)
    assert metrics.macro_f1(table, "union") == pytest.approx(both_right * 2 / 3)
    assert metrics.macro_f1(table, "declared") == pytest.approx(both_right * 2 / 4)


def test_calibration_error_is_the_gap_between_claim_and_truth() -> None:
    confidence, correct = np.full(10, 0.9), np.arange(10) < 6
    assert metrics.calibration_error(confidence, correct) == pytest.approx(0.3)
    assert metrics.calibration_error(confidence, correct, binning="equal_mass") == pytest.approx(0.3)


def test_a_confidence_of_one_and_of_zero_have_a_bin() -> None:
    bins = metrics.reliability(np.array([0.0, 1.0]), np.array([False, True]), bins=4)
    assert bins.count.tolist() == [1, 0, 0, 1]
    assert bins.error == 0.0


def test_equal_mass_bins_hold_equally_many() -> None:
    confidence = np.random.default_rng(0).beta(5, 1, 1500)
    bins = metrics.reliability(confidence, confidence > 0.5, bins=15, binning="equal_mass")
    assert set(bins.count.tolist()) == {100}


def test_keeping_only_sure_predictions_lowers_the_risk_when_errors_are_unsure() -> None:
    confidence, correct = np.array([0.9, 0.8, 0.6, 0.5]), np.array([True, True, False, False])
    coverage, risk = metrics.risk_coverage(confidence, correct)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])
    area = metrics.area_under_risk_coverage
    assert area(confidence, correct) < area(-confidence, correct)


def test_a_constant_guess_gains_nothing_from_ties() -> None:
    assert metrics.ranks(np.ones((3, 5)), np.array([0, 2, 4])).tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize(("truth", "predicted"), [([0, 1], [0]), ([0, 3], [0, 1]), ([0, -1], [0, 1])])
def test_numbers_that_are_no_class_are_refused(truth: list[int], predicted: list[int]) -> None:
    with pytest.raises(BadSamples):
        metrics.confusion(np.array(truth), np.array(predicted), 3)
