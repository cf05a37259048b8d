"""Labels of neighbors become a distribution over classes, whatever is missing and whatever was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.errors import BadLabels, BadSamples
from kinelex.retrieval.evidence import CombinedText, EvidenceConfig, LabelTable, evidence

LABELS = ("walking", "climbing stairs", "lying", "running")
CLASSES = ("running", "walking", "lying")
STRATEGIES = ("independent", "weighted", "vote")


def table() -> LabelTable:
    generator = np.random.default_rng(0)
    words = {name: generator.standard_normal(5) for name in LABELS}
    return LabelTable.of_vectors(
        LABELS, CLASSES, np.stack([words[name] for name in LABELS]), np.stack([words[name] for name in CLASSES])
    )


class Letters:
    """A text encoder that counts letters, and remembers what it was asked."""

    name, revision, dim = "letters", "0", 27

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        rows = np.array(
            [[1 + text.count(chr(97 + letter)) for letter in range(26)] + [1] for text in texts], np.float32
        )
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def encode_tokens(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError


def softmax(scores: Sequence[float]) -> list[float]:
    parts = [math.exp(score - max(scores)) for score in scores]
    return [part / sum(parts) for part in parts]


def reference(row: Sequence[int], similarity: np.ndarray, config: EvidenceConfig) -> list[float]:
    """The formulas, one query and one class at a time."""
    found = [label for label in row if label >= 0]
    if not found:
        return [1 / len(CLASSES)] * len(CLASSES)
    if config.strategy == "vote":
        counted = [CLASSES.index(LABELS[label]) for label in found if LABELS[label] in CLASSES]
        return [counted.count(c) / len(counted) if counted else 1 / len(CLASSES) for c in range(len(CLASSES))]
    weights = [config.decay**rank if config.strategy == "weighted" else 1.0 for rank in range(len(found))]
    scores = [[config.temperature * value for value in similarity[label]] for label in found]
    if config.average == "probabilities":
        scores = [softmax(one) for one in scores]
    mean = [sum(w * one[c] for w, one in zip(weights, scores, strict=True)) / sum(weights) for c in range(len(CLASSES))]
    return mean if config.average == "probabilities" else softmax(mean)


@given(
    rows=st.lists(st.lists(st.integers(0, 3), max_size=5), max_size=6),
    strategy=st.sampled_from(STRATEGIES),
    average=st.sampled_from(["probabilities", "scores"]),
    temperature=st.floats(0.1, 50),
    decay=st.floats(0.1, 1),
)
def test_evidence_follows_the_formulas_and_sums_to_one(
    rows: list[list[int]], strategy: str, average: str, temperature: float, decay: float
) -> None:
    config = EvidenceConfig(strategy=strategy, average=average, temperature=temperature, decay=decay)
    labels = np.array([row + [-1] * (5 - len(row)) for row in rows], dtype=np.int64).reshape(-1, 5)
    found = evidence(labels, table(), config)
    assert found.dtype == np.float64
    assert found.shape == (len(rows), 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    for row, distribution in zip(rows, found, strict=True):
        np.testing.assert_allclose(distribution, reference(row, table().similarity, config), atol=1e-9)


def test_by_default_each_neighbor_speaks_for_itself_at_temperature_20() -> None:
    labels = np.array([[1, 0, -1]])
    scores = 20 * table().similarity
    np.testing.assert_allclose(evidence(labels, table()), [np.mean([softmax(scores[1]), softmax(scores[0])], axis=0)])


def test_a_higher_temperature_is_sharper() -> None:
    labels = np.array([[0, 2, 2]])
    peaks = [evidence(labels, table(), EvidenceConfig(temperature=tau)).max() for tau in (1, 5, 20)]
    assert peaks == sorted(peaks)


def test_a_label_that_is_no_class_spreads_by_meaning_and_has_no_vote() -> None:
    stairs = np.array([[1, 1]])
    spread = evidence(stairs, table())[0]
    assert np.ptp(spread) > 0.1
    assert spread.argmax() == table().similarity[1].argmax()
    np.testing.assert_array_equal(evidence(stairs, table(), EvidenceConfig(strategy="vote")), np.full((1, 3), 1 / 3))
    mixed = evidence(np.array([[1, 3, 3, 0]]), table(), EvidenceConfig(strategy="vote"))
    np.testing.assert_allclose(mixed, [[2 / 3, 1 / 3, 0]])


def test_without_text_a_label_is_the_class_of_the_same_words() -> None:
    found = LabelTable.identical(["Push-ups", "lying_down"], ["lying down", "push ups"])
    assert found.same.tolist() == [[False, True], [True, False]]
    # With the identity as likeness, a sharp independent strategy is the vote.
    labels = np.array([[0, 0, 1]])
    sharp = evidence(labels, found, EvidenceConfig(temperature=1000))
    np.testing.assert_allclose(sharp, evidence(labels, found, EvidenceConfig(strategy="vote")), atol=1e-12)


def test_the_nearer_neighbor_weighs_more_only_if_asked() -> None:
    labels = np.array([[0, 3], [3, 0]])
    same = evidence(labels, table())
    np.testing.assert_allclose(same[0], same[1])
    nearer = evidence(labels, table(), EvidenceConfig(strategy="weighted"))
    alone = evidence(np.array([[0], [3]]), table())
    np.testing.assert_allclose(nearer[0], (alone[0] + 0.9 * alone[1]) / 1.9)


def test_combined_labels_are_one_text_in_order_of_rank_and_read_once() -> None:
    encoder = Letters()
    vectors = encoder.encode(LABELS), encoder.encode(CLASSES)
    words = LabelTable.of_vectors(LABELS, CLASSES, *vectors)
    text = CombinedText(encoder, CLASSES)
    encoder.asked = []
    config = EvidenceConfig(strategy="combine", temperature=10)
    labels = np.array([[0, 1, 0], [0, 1, 0], [1, 0, 0], [2, -1, -1], [-1, -1, -1]])
    found = evidence(labels, words, config, text=text)
    assert encoder.asked == ["walking, climbing stairs, walking", "climbing stairs, walking, walking", "lying"]
    expected = 10 * Letters().encode(encoder.asked).astype(np.float64) @ vectors[1].astype(np.float64).T
    np.testing.assert_allclose(found[[0, 2, 3]], [softmax(row) for row in expected], atol=1e-5)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[4], 1 / 3)
    again = evidence(labels, words, config, text=text)
    np.testing.assert_array_equal(found, again)
    assert len(encoder.asked) == 3


def test_remembered_texts_are_forgotten_when_there_are_too_many() -> None:
    encoder = Letters()
    words = LabelTable.of_vectors(LABELS, CLASSES, encoder.encode(LABELS), encoder.encode(CLASSES))
    text = CombinedText(encoder, CLASSES, remembered=2)
    config = EvidenceConfig(strategy="combine")
    first = evidence(np.array([[0], [1]]), words, config, text=text)
    evidence(np.array([[2], [3]]), words, config, text=text)
    assert len(text._known) == 2
    np.testing.assert_array_equal(evidence(np.array([[0], [1], [2]]), words, config, text=text)[:2], first)


def test_more_labels_than_an_encoder_reads_are_cut_off_and_do_not_raise(tiny_clip: Path) -> None:
    from kinelex.language import ClipText

    encoder = ClipText(tiny_clip)
    names = ("walking", "running", "sitting down")
    words = LabelTable.of_vectors(names, names, encoder.encode(names), encoder.encode(names))
    text, config = CombinedText(encoder, names), EvidenceConfig(strategy="combine")
    long = np.array([[0] * 60, [0] * 59 + [2]])
    found = evidence(long, words, config, text=text)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    # What differs stands beyond the 77 tokens.
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_what_does_not_fit_together_is_refused() -> None:
    words = table()
    for labels in (np.array([0, 1]), np.array([[4]]), np.array([[-2]])):
        with pytest.raises(BadLabels, match="neighbor labels"):
            evidence(labels, words)
    with pytest.raises(BadLabels, match="pass text="):
        evidence(np.array([[0]]), words, EvidenceConfig(strategy="combine"))
    with pytest.raises(BadLabels, match="not for"):
        evidence(np.array([[0]]), words, EvidenceConfig(strategy="combine"), text=CombinedText(Letters(), ["lying"]))
    with pytest.raises(BadLabels, match="'lying' is listed twice"):
        LabelTable.identical(["lying"], ["lying", "lying"])
    with pytest.raises(BadLabels, match="at least one class"):
        LabelTable.identical(["lying"], [])
    with pytest.raises(BadSamples, match="finite"):
        LabelTable.of_vectors(["a"], ["b"], np.zeros((1, 2)), np.ones((1, 2)))
    with pytest.raises(BadSamples, match="2 texts"):
        LabelTable.of_vectors(["a", "b"], ["b"], np.ones((1, 2)), np.ones((1, 2)))


def test_remembered_labels_are_found_in_the_table_by_name() -> None:
    words = table()
    assert words.numbers(np.array(["lying", "walking", "lying"])).tolist() == [2, 0, 2]
    assert words.numbers([]).tolist() == []
    with pytest.raises(BadLabels, match="does not have 'rowing'"):
        words.numbers(["rowing"])


def test_no_queries_have_no_evidence() -> None:
    for strategy in STRATEGIES:
        assert evidence(np.empty((0, 4), dtype=np.int64), table(), EvidenceConfig(strategy=strategy)).shape == (0, 3)


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text tower of CLIP with 77 places and random weights."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    from tests.language.conftest import CLIP_WORDS, clip_text_settings, word_tokenizer

    folder = tmp_path_factory.mktemp("encoders") / "tiny-clip"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(**clip_text_settings())).save_pretrained(
            folder
        )
    word_tokenizer(CLIP_WORDS, *CLIP_WORDS[-2:], CLIP_WORDS[-1]).save(str(folder / "tokenizer.json"))
    return folder
