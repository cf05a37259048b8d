"""Retrieval around any encoder: what was remembered is known, with and without a say of the encoder's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kinelex.backbones import CallableBackbone, CallableClassifier, ClassifyingBackbone, InputContract, Retrieval
from kinelex.backbones.physical import window_features
from kinelex.errors import BadLabels, BadSamples, UsageError, WrongEncoder
from kinelex.retrieval.evidence import EvidenceConfig
from kinelex.retrieval.gate import Gate, GateConfig, GateNetwork, TrainedFor
from kinelex.retrieval.memory import Memory
from kinelex.retrieval.store import Encoder
from tests.backbones.conftest import Moving

CONTRACT = InputContract(rate_hz=20.0)
STARTS = np.arange(0, 24, 6.0)
KINDS = ("stirring", "sawing", "digging", "sweeping")


def spread(signal: np.ndarray, valid: np.ndarray) -> np.ndarray:
    return np.concatenate([signal.std(axis=2), signal.mean(axis=2)], axis=1)


def empty(width: int = 12) -> Memory:
    return Memory.temporary(Encoder("spread", "1", width))


@pytest.fixture
def around(moving: Moving) -> Retrieval:
    """Around an encoder that knows no activities, with one window of each of four movements."""
    made = Retrieval(
        CallableBackbone(spread, CONTRACT, width=12), empty(), evidence=EvidenceConfig(strategy="vote"), k=1
    )
    for start, kind in zip(STARTS, KINDS, strict=True):
        made.remember(moving(4), [start], 6.0, kind)
    return made


def test_an_encoder_that_knows_nothing_knows_what_it_was_shown(around: Retrieval, moving: Moving) -> None:
    assert isinstance(around, ClassifyingBackbone), "it can stand wherever a backbone stands"
    chances = around.predict_proba(moving(4, rate_hz=100.0), STARTS, 6.0, KINDS)
    assert chances.argmax(axis=1).tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)
    examples = around.memory.examples()
    assert [(one.recording, one.start_s, one.end_s) for one in examples] == [("made up", s, s + 6) for s in STARTS]
    assert around.neighbors(moving(4), STARTS, 6.0).ids[:, 0].tolist() == [0, 1, 2, 3]


def test_both_sides_are_mixed_by_the_weight(around: Retrieval, moving: Moving) -> None:
    sure = np.array([0.7, 0.1, 0.1, 0.1])
    knows = CallableClassifier(
        spread, CONTRACT, width=12, classifier=lambda signal, valid: np.tile(sure, (len(signal), 1)), labels=KINDS
    )
    for weight in (0.0, 0.25, 1.0):
        both = Retrieval(knows, around.memory, gate=weight, evidence=around.evidence, k=1)
        expected = (1 - weight) * np.tile(sure, (4, 1)) + weight * np.eye(4)
        np.testing.assert_allclose(both.predict_proba(moving(4), STARTS, 6.0, KINDS), expected, atol=1e-6)
    other = Retrieval(knows, around.memory, gate=0.0, evidence=around.evidence, k=1)
    alone = other.predict_proba(moving(4), STARTS, 6.0, ("digging", "rowing"))
    assert alone[2].tolist() == [1.0, 0.0], "labels that the backbone does not know are answered by the memory"


def test_a_gate_gives_each_window_its_weight(around: Retrieval, moving: Moving) -> None:
    recording = moving(4)
    features = window_features([(recording, STARTS)], 6.0)
    network = GateNetwork(GateConfig(features=features.shape[1])).double()
    network.standardize_by(torch.from_numpy(features))
    gate = Gate(network.eval())
    sure = np.array([0.7, 0.1, 0.1, 0.1])
    knows = CallableClassifier(
        spread, CONTRACT, width=12, classifier=lambda signal, valid: np.tile(sure, (len(signal), 1)), labels=KINDS
    )
    weights = gate.weights(features)[:, None]
    assert np.ptp(weights) > 1e-3
    found = Retrieval(knows, around.memory, gate=gate, evidence=around.evidence, k=1)
    expected = (1 - weights) * sure + weights * np.eye(4)
    np.testing.assert_allclose(found.predict_proba(recording, STARTS, 6.0, KINDS), expected, atol=1e-6)

    for other in ({"window_s": 3.0}, {"fingerprint": "another"}, {"evidence": {"k": 7}}, {"rate_hz": 50.0}):
        stranger = replace(found, gate=Gate(network, TrainedFor(**other)))
        with pytest.raises(UsageError, match="this gate was trained for"):
            stranger.predict_proba(recording, STARTS, 6.0, KINDS)
    fitting = replace(found, gate=Gate(network, TrainedFor(window_s=6.0)))
    assert fitting.predict_proba(recording, STARTS, 6.0, KINDS).shape == (4, 4)


def test_what_the_backbone_saw_is_not_forgotten(around: Retrieval) -> None:
    assert around.trained_on == ()
    assert replace(around, backbone=replace(around.backbone, trained_on=("hapt",))).trained_on == ("hapt",)


def test_a_window_without_signal_has_no_answer_and_is_not_remembered(around: Retrieval, moving: Moving) -> None:
    gone = moving(4, gap=1)
    chances = around.predict_proba(gone, STARTS, 6.0, KINDS)
    assert np.isnan(chances).all(axis=1).tolist() == [False, True, False, False]
    assert around.remember(gone, STARTS, 6.0, "sawing") == (4, 5, 6)
    with pytest.raises(BadSamples, match="no window of 'made up'"):
        around.remember(gone, [6.0], 6.0, "sawing")


def test_vectors_of_another_encoder_and_equal_labels_are_refused(around: Retrieval, moving: Moving) -> None:
    with pytest.raises(BadLabels, match="'digging' and 'Digging ' mean the same"):
        around.predict_proba(moving(4), STARTS, 6.0, ["digging", "Digging "])
    with pytest.raises(WrongEncoder):
        Memory.open(around.memory.folder, Encoder("other", "2", 12))
