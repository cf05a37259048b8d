"""A gate in use: its weight decides, it belongs to one model, and it is learned from nobody's own examples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import kinelex.language
from kinelex.errors import BadSamples, CorruptArtifact, NoTextEncoder, UnknownName, UsageError, WrongEncoder
from kinelex.recognition import Recognizer
from kinelex.recognition.choices import choices_among
from kinelex.recognition.gate_learning import LearnedGate, Score, learn_gate
from kinelex.recognition.gate_windows import gate_windows, others_neighbors
from kinelex.recognition.gating import GATE, Gated, forget_gate, gated, keep_gate, purpose
from kinelex.recognition.remembering import LabeledRequest
from kinelex.retrieval.gate import Gate, GateConfig, GateNetwork
from kinelex.retrieval.gate_training import GateRecipe
from kinelex.retrieval.recollection import faded_words, remembered_logits, with_remembered
from tests.recognition.conftest import TEXTS, MovementCheckpoint

LABELS = ["standing", "walking", "running"]
FEATURES = 15


class Together(MovementCheckpoint):
    """Embeds recordings together, as learning does."""

    trained_on: tuple[str, ...] = ()

    def embed_many(self, requests, window_s: float) -> list[np.ndarray]:
        return [self.embed(recording, starts_s, window_s) for recording, starts_s in requests]


def always(weight: float, of: Recognizer, **changes: object) -> Gate:
    """A gate that says the same of every window, trained for a recognizer's model."""
    network = GateNetwork(GateConfig(features=FEATURES))
    with torch.no_grad():
        network.net[-1].weight.zero_()
        network.net[-1].bias.fill_({0.0: -800.0, 1.0: 800.0}.get(weight) or float(np.log(weight / (1 - weight))))
    return Gate(network, purpose(of.encoder).model_copy(update=changes))


def weighing(recognizer: Recognizer, weight: float) -> Recognizer:
    return replace(recognizer, fusion=Gated(always(weight, recognizer)))


@pytest.fixture
def taught(recognizer: Recognizer, moving) -> Recognizer:
    recognizer.remember(moving(("running", 20), name="ran.csv"), "running")
    recognizer.remember(moving(("walking", 14), name="walked.csv"), "walking")
    return recognizer


@pytest.fixture
def day(moving):
    return moving(("standing", 12), ("walking", 12), ("running", 12))


def test_a_gate_that_always_says_one_gives_the_evidence_and_nothing_else(taught: Recognizer, day) -> None:
    timeline = weighing(taught, 1.0).recognize(day, LABELS)
    labels = dict(zip(taught.memory.store.ids.tolist(), taught.memory.store.labels.tolist(), strict=True))
    # The vectors of known labels are at right angles here: a neighbor's label is like itself, 1, and no other, 0.
    spoken = np.exp(20.0 * np.eye(3)) / np.exp(20.0 * np.eye(3)).sum(axis=1)
    expected = [
        np.mean([spoken[LABELS.index(labels[one])] for one in ids], axis=0)
        for ids in timeline.recalled.neighbors.ids[:, :5].tolist()
    ]
    np.testing.assert_allclose(timeline.probabilities, expected, atol=1e-6)
    assert (timeline.recalled.weight == 1.0).all() and timeline.recalled.weighed_by == "gate"


def test_a_gate_that_always_says_zero_gives_the_words_and_nothing_else(taught: Recognizer, day) -> None:
    alone = Recognizer(taught.checkpoint).recognize(day, LABELS)
    np.testing.assert_array_equal(weighing(taught, 0.0).recognize(day, LABELS).probabilities, alone.probabilities)


def test_between_them_the_answer_is_the_mixture_that_it_is_said_to_be(taught: Recognizer, day) -> None:
    timeline = weighing(taught, 0.3).recognize(day, LABELS)
    recalled = timeline.recalled
    np.testing.assert_allclose(recalled.weight, 0.3, rtol=1e-6)
    mixed = 0.7 * recalled.by_words + 0.3 * recalled.by_examples
    np.testing.assert_allclose(timeline.probabilities, mixed, atol=1e-6)
    assert any("gate: 30% of" in axes.get_title(loc="left") for axes in timeline.explain(3.0).axes)


def test_labels_without_words_are_left_to_the_examples(recognizer: Recognizer, moving, monkeypatch) -> None:
    def label_vectors(texts, encoder):
        raise NoTextEncoder("install one")

    monkeypatch.setattr(kinelex.language, "label_vectors", label_vectors)
    recognizer.remember(moving(("running", 20)), "gizmo")
    recognizer.remember(moving(("standing", 20)), "gadget")
    some = weighing(recognizer, 0.0).recognize(moving(("running", 12)), ["standing", "gizmo"])
    assert (some.probabilities[:, 1] == 0).all(), "words alone cannot say it"
    none = weighing(recognizer, 0.0).recognize(moving(("running", 12)), ["gadget", "gizmo"])
    assert none.overall().activity == "gizmo" and (none.recalled.weight == 1.0).all()


def test_a_window_without_signal_stays_one(taught: Recognizer, moving) -> None:
    timeline = weighing(taught, 0.5).recognize(moving(("running", 12), (None, 20)), LABELS)
    assert [segment.activity for segment in timeline.segments] == ["running", None]
    silent = np.isnan(timeline.probabilities[:, 0])
    assert silent.any() and np.isnan(timeline.recalled.weight[silent]).all()


def test_without_its_gate_a_memory_answers_in_the_closed_form_to_the_bit(
    recognizer: Recognizer, moving, day, tmp_path: Path
) -> None:
    first = recognizer.with_memory(tmp_path)
    first.remember(moving(("running", 20)), "running")
    before = first.recognize(day, LABELS)
    keep_gate(always(1.0, first), tmp_path)
    after = recognizer.with_memory(tmp_path, gate=False).recognize(day, LABELS)
    assert before.probabilities.tobytes() == after.probabilities.tobytes()
    assert before.recalled.weighed_by == after.recalled.weighed_by == "closed form"
    found = after.recalled.neighbors
    sizes = np.array([0, 0, len(first.memory)])
    embeddings = recognizer.checkpoint.embed(day, after.starts_s, 6.0)
    words = 10.0 * embeddings[:, :3].astype(np.float64)
    logits = with_remembered(faded_words(words, sizes), remembered_logits(found, np.where(found.present, 2, -1), sizes))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(after.probabilities, expected, atol=1e-6)


def test_a_memory_is_opened_with_its_gate_or_another_and_forgets_it(
    recognizer: Recognizer, moving, day, tmp_path: Path
) -> None:
    opened = recognizer.with_memory(tmp_path / "memory")
    opened.remember(moving(("running", 20)), "running")
    keep_gate(always(1.0, opened), tmp_path / "memory")
    keep_gate(always(0.25, opened), tmp_path / "memory")
    own = recognizer.with_memory(tmp_path / "memory").recognize(day, LABELS)
    np.testing.assert_allclose(own.recalled.weight, 0.25, rtol=1e-6)
    (tmp_path / "memory" / GATE).rename(tmp_path / "elsewhere")
    assert recognizer.with_memory(tmp_path / "memory").fusion.name == "closed form"
    assert recognizer.with_memory(tmp_path / "memory", gate=tmp_path / "elsewhere").fusion.name == "gate"
    with pytest.raises(UnknownName, match="has no gate: kinelex gate train"):
        forget_gate(tmp_path / "memory")
    keep_gate(always(0.25, opened), tmp_path / "memory")
    forget_gate(tmp_path / "memory")
    opened.memory.store.verify()
    assert not (tmp_path / "memory" / GATE).exists() and len(recognizer.with_memory(tmp_path / "memory").memory) > 0


def test_a_gate_of_another_model_or_use_is_refused_and_a_broken_one_named(
    taught: Recognizer, day, tmp_path: Path
) -> None:
    memory = taught.memory.folder
    keep_gate(always(0.5, taught, fingerprint="f00", backbone="other"), memory)
    with pytest.raises(WrongEncoder, match="trained beside 'other'"):
        gated(memory / GATE, taught.encoder)
    keep_gate(always(0.5, taught, evidence={"k": 50}), memory)
    with pytest.raises(UsageError, match="evidence"):
        taught.with_memory(memory)
    keep_gate(always(0.5, taught, window_s=4.0), memory)
    with pytest.raises(UsageError, match=r"window_s 4\.0, not 6\.0"):
        taught.with_memory(memory).recognize(day, LABELS)
    weights = memory / GATE / "gate.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CorruptArtifact, match=r"gate\.safetensors"):
        taught.with_memory(memory)
    (memory / GATE / "manifest.json").unlink()
    with pytest.raises(CorruptArtifact):
        taught.with_memory(memory)
    assert len(taught.with_memory(memory, gate=False).memory) == len(taught.memory)


@pytest.mark.parametrize(
    ("subject", "asked", "found"),
    [
        ("anna", ("anna", "b.csv"), 0),
        ("anna", ("", "a.csv"), 0),
        (None, ("anna", "a.csv"), 0),
        (None, ("", "a.csv"), 0),
        ("anna", ("bert", "b.csv"), 3),
        ("anna", ("", "b.csv"), 3),
    ],
)
def test_nobody_is_a_neighbor_of_himself(recognizer: Recognizer, moving, subject, asked, found) -> None:
    shown = replace(moving(("running", 10), name="a.csv"), subject=subject)
    recognizer.remember(shown, "running")
    choices = choices_among(recognizer.checkpoint, TEXTS[:3], recognizer.memory.labels)
    vectors = recognizer.checkpoint.embed(shown, [0.0], 6.0)
    neighbors = others_neighbors(recognizer.memory, vectors, [asked], choices)
    assert neighbors.present.sum() == found


def by_people(moving, count: int) -> list[LabeledRequest]:
    """Each of so many people stands, walks and runs for a while."""
    return [
        LabeledRequest(replace(moving((label, 36), name=f"{i}-{label}"), subject=f"p{i}"), np.arange(6) * 6.0, label)
        for i in range(count)
        for label in LABELS
    ]


def test_a_gate_is_learned_from_some_people_and_judged_by_others(moving, tmp_path: Path) -> None:
    recognizer = Recognizer(Together()).with_memory(tmp_path)
    requests = by_people(moving, 5)
    for one in requests:
        recognizer.remember(one.recording, one.label)
    stranger = LabeledRequest(moving(("running", 12)), np.array([0.0]), "rowing")
    silent = LabeledRequest(replace(moving((None, 12)), subject="p0"), np.array([0.0]), "walking")
    seen: list[int] = []
    windows = gate_windows(recognizer, [*requests, stranger, silent], 6.0, progress=seen.append)
    assert (len(windows), windows.unknown, windows.alone, seen) == (90, 1, 1, [91])
    assert windows.labels == tuple(LABELS)
    learned = learn_gate(recognizer, windows, GateRecipe(epochs=2, hidden=8), sets=["mine"])
    assert learned.learned == (72, 4) and learned.judged == (18, 1)
    known = learned.gate.trained_for
    assert (known.fingerprint, known.window_s, known.sets) == (recognizer.encoder.fingerprint, 6.0, ("mine",))
    assert 0 < learned.weight < 1 and learned.fixed[0.0].accuracy == 1.0
    keep_gate(learned.gate, tmp_path)
    assert recognizer.with_memory(tmp_path).fusion.name == "gate"


def test_too_few_people_teach_no_gate(moving, tmp_path: Path) -> None:
    recognizer = Recognizer(Together()).with_memory(tmp_path)
    requests = by_people(moving, 2)
    recognizer.remember(requests[0].recording, "standing")
    with pytest.raises(UsageError, match="has 1 labels"):
        gate_windows(recognizer, requests, 6.0)
    recognizer.remember(requests[1].recording, "walking")
    windows = gate_windows(recognizer, requests, 6.0)
    assert set(windows.people) == {"p1"}, "the other one is alone in the memory"
    with pytest.raises(BadSamples, match="at least 3 people"):
        learn_gate(recognizer, windows)
    with pytest.raises(BadSamples, match="has a label that the memory knows"):
        gate_windows(recognizer, [replace(requests[0], label="rowing")], 6.0)


def test_a_gate_that_is_no_better_is_said_to_be_so(recognizer: Recognizer) -> None:
    fixed = {0.0: Score(0.9, 0.5), 0.5: Score(0.6, 0.7)}
    gate = always(0.5, recognizer)

    def beaten(loss: float, closed_form: float) -> list[str]:
        return LearnedGate(gate, (9, 3), (3, 1), Score(loss, 0.7), fixed, Score(closed_form, 0.7), 0.5).beaten_by

    assert beaten(0.5, 0.7) == []
    assert beaten(0.6, 0.7) == ["the fixed weight 0.5"]
    assert beaten(0.5, 0.4) == ["the closed form"]
    assert beaten(float("nan"), 0.4) == ["the fixed weight 0.5", "the closed form"]
