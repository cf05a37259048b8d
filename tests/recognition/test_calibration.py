"""The temperature that was lost is found again, and "unsure" means close to guessing or too little signal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import BadSamples
from kinelex.model.scoring import softmax
from kinelex.recognition import Unsure, fit_temperature
from kinelex.recognition.calibration import TEMPERATURES


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 6.0])
def test_it_finds_the_temperature_that_made_the_truth(temperature: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 4, (4000, 5))
    truth = (softmax(logits / temperature).cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.08)


def test_labels_that_were_no_choice_do_not_count() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 3, (500, 4))
    truth = np.where(rng.random(500) < 0.7, logits.argmax(axis=1), rng.integers(0, 4, 500))
    wide = np.concatenate([logits, np.full((500, 3), -np.inf)], axis=1)
    assert fit_temperature(wide, truth) == pytest.approx(fit_temperature(logits, truth))


def test_a_model_that_is_always_right_or_always_wrong_ends_at_a_bound() -> None:
    logits = np.tile([2.0, 0.0], (20, 1))
    assert TEMPERATURES[0] <= fit_temperature(logits, np.zeros(20, dtype=int)) < 0.1  # the loss is 0 from there on
    assert fit_temperature(logits, np.ones(20, dtype=int)) == pytest.approx(TEMPERATURES[1], rel=0.01)


@pytest.mark.parametrize(
    ("logits", "truth"),
    [
        (np.zeros((0, 3)), np.zeros(0, dtype=int)),
        (np.zeros((2, 3)), np.zeros(3, dtype=int)),
        (np.zeros((2, 3)), np.array([0, 3])),
        (np.zeros((2, 3)), np.array([0, -1])),
        (np.zeros((2, 3)), np.array([0.0, 1.0])),
        (np.full((2, 3), np.nan), np.array([0, 1])),
        (np.array([[0.0, -np.inf]]), np.array([1])),
        (np.zeros(3), np.zeros(3, dtype=int)),
    ],
)
def test_what_cannot_be_fitted_is_refused(logits: np.ndarray, truth: np.ndarray) -> None:
    with pytest.raises(BadSamples):
        fit_temperature(logits, truth)


@given(labels=st.integers(2, 200), top=st.floats(0.0, 1.0), measured=st.floats(0.0, 1.0))
def test_certain_and_well_measured_is_sure_and_chance_is_unsure(labels: int, top: float, measured: float) -> None:
    rule = Unsure()
    assert 1 / labels < rule.threshold(labels) < 1
    assert rule([top, 1 / labels, 1.0], [measured, 1.0, 1.0], labels)[1:].tolist() == [True, False]
    assert rule([1.0], [measured], labels)[0] == (measured < rule.measured)


def test_no_answer_is_unsure() -> None:
    assert Unsure()([np.nan], [1.0], 3)[0]
    assert Unsure().threshold(2) == pytest.approx(0.625)
