"""A model is shown something once and knows it: new words, forgotten ones, and the reasons that it gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kinelex.language
from kinelex.errors import BadLabels, BadSamples, NoTextEncoder, TooShort, UnknownName, WrongEncoder
from kinelex.recognition import Recognizer, load
from kinelex.recognition.recognizer import EVERYDAY, WINDOW_S

LABELS = ["standing", "walking", "gizmo turning"]


@pytest.fixture
def wordless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text encoder anywhere."""

    def label_vectors(texts, encoder):
        raise NoTextEncoder("install one")

    monkeypatch.setattr(kinelex.language, "label_vectors", label_vectors)


@pytest.mark.usefixtures("wordless")
def test_what_was_shown_once_is_recognized_though_nobody_understands_its_name(recognizer: Recognizer, moving) -> None:
    day = moving(("running", 20), ("standing", 20), name="day.csv")
    with pytest.raises(NoTextEncoder):
        recognizer.recognize(day, LABELS)
    ids = recognizer.remember(moving(("running", 10), name="shown.csv"), "gizmo turning")
    assert ids == (0, 1, 2), "windows of six seconds every three, and one to the end"
    timeline = recognizer.recognize(day, LABELS)
    turning, *_, standing = timeline.segments
    assert (turning.activity, standing.activity) == ("gizmo turning", "standing")
    assert {one.example.recording for one in turning.neighbors} == {"shown.csv"}
    assert turning.neighbors[0].similarity > 0.9 and len(turning.neighbors) == 3
    assert standing.neighbors == (), "nothing that was remembered speaks for standing"


@pytest.mark.usefixtures("wordless")
def test_everything_may_be_known_by_examples_alone(recognizer: Recognizer, moving) -> None:
    recognizer.remember(moving(("running", 10)), "gizmo")
    recognizer.remember(moving(("standing", 10)), "gadget")
    answers = recognizer.recognize_many([moving(("standing", 10)), moving(("running", 10))], ["gadget", "gizmo"])
    assert [answer.overall().activity for answer in answers] == ["gadget", "gizmo"]


def test_only_a_part_is_remembered_with_when_it_was(recognizer: Recognizer, moving) -> None:
    shown = moving(("standing", 20), ("running", 8), name="shown.csv")
    recognizer.remember(shown, "sprint", start_s=20, end_s=28)
    examples = recognizer.memory.examples()
    assert [(one.start_s, one.end_s) for one in examples] == [(20.0, 26.0), (22.0, 28.0)]
    recognizer.remember(shown, "sprint", start_s=-5, end_s=4)
    recognizer.remember(shown, "sprint", start_s=24, end_s=99)
    spans = [(one.start_s, one.end_s) for one in recognizer.memory.examples()[2:]]
    assert spans == [(0.0, 4.0), (24.0, 28.0)], "only where there is signal"
    with pytest.raises(TooShort):
        recognizer.remember(shown, "sprint", start_s=20, end_s=10)
    recognizer.remember(moving(("running", 4)), "sprint")
    assert recognizer.memory.examples()[-1].end_s == 4.0, "not more than there is"


def test_remembered_labels_are_among_those_that_are_asked_for_when_none_are_named(recognizer, moving) -> None:
    recognizer.remember(moving(("running", 10)), "gizmo turning")
    recognizer.remember(moving(("walking", 10)), "Walking")
    known = [label for label in EVERYDAY if label in recognizer.checkpoint.labels.texts]
    assert recognizer.default_labels() == (*known, "gizmo turning"), "walking is there already"


def test_a_remembered_synonym_speaks_for_the_label_that_was_asked_for(recognizer: Recognizer, moving) -> None:
    synonym = kinelex.language.Vocabulary.standard().find("walking").synonyms[0]
    recognizer.remember(moving(("walking", 10)), synonym)
    segment = recognizer.recognize(moving(("walking", 12)), ["standing", "walking"]).segments[0]
    assert segment.activity == "walking" and segment.neighbors[0].example.label == synonym


def test_examples_of_labels_that_are_not_asked_for_have_no_part_in_the_answer(recognizer: Recognizer, moving) -> None:
    recording = moving(("walking", 12))
    before = recognizer.recognize(recording, ["standing", "walking"])
    recognizer.remember(recording, "gizmo turning")
    after = recognizer.recognize(recording, ["standing", "walking"])
    np.testing.assert_array_equal(before.probabilities, after.probabilities)
    assert after.recalled is None


def test_what_is_forgotten_or_renamed_is_so_in_the_next_answer(recognizer: Recognizer, moving) -> None:
    recognizer.remember(moving(("running", 10)), "gizmo turning")
    assert recognizer.relabel("Gizmo Turning", "sprint") == 3
    assert recognizer.memory.labels == ("sprint",)
    with pytest.raises(UnknownName, match="nothing is remembered of 'gizmo turning': there is 'sprint'"):
        recognizer.forget("gizmo turning")
    assert recognizer.forget(0) == 1
    assert recognizer.forget("sprint") == 2
    assert len(recognizer.memory) == 0


def test_a_stretch_without_signal_stays_one_and_cannot_be_remembered(recognizer: Recognizer, moving) -> None:
    recognizer.remember(moving(("running", 12), (None, 20)), "sprint")
    assert len(recognizer.memory) < 10, "windows without signal are left out"
    timeline = recognizer.recognize(moving(("running", 12), (None, 20)), ["standing", "sprint", "walking"])
    assert [segment.activity for segment in timeline.segments] == ["sprint", None]
    with pytest.raises(BadSamples, match=r"'walk\.csv' has no window with enough signal"):
        recognizer.remember(moving((None, 10)), "nothing")
    with pytest.raises(TooShort):
        recognizer.remember(moving(("walking", WINDOW_S / 2 - 1)), "walking")
    with pytest.raises(BadLabels):
        recognizer.remember(moving(("walking", 10)), " ")


def test_reasons_are_in_every_form_of_the_result_and_only_with_a_memory(
    recognizer: Recognizer, moving, tmp_path: Path
) -> None:
    recording = moving(("running", 12))
    without = recognizer.recognize(recording, ["standing", "running"])
    assert "neighbors" not in without.to_frame() and "neighbors" not in without.to_records()[0]
    recognizer.remember(moving(("running", 8), name="shown.csv"), "running")
    timeline = recognizer.recognize(recording, ["standing", "running"])
    assert str(timeline.to_frame().neighbors[0][0]).startswith("running (example ")
    record = json.loads(json.dumps(timeline.to_records()))[0]["neighbors"][0]
    assert record["recording"] == "shown.csv" and record["end_s"] - record["start_s"] == 6.0
    text = timeline.to_csv(tmp_path / "t.csv").read_text().splitlines()
    assert text[0].endswith(",neighbors") and "from 'shown.csv'" in text[1]


def test_a_folder_remembers_for_the_next_process_and_for_no_other_model(
    recognizer: Recognizer, moving, tmp_path: Path
) -> None:
    first = recognizer.with_memory(tmp_path / "memory")
    first.remember(moving(("running", 10)), "sprint")
    assert recognizer.memory is None
    assert recognizer.with_memory(tmp_path / "memory").memory.labels == ("sprint",)
    with pytest.raises(WrongEncoder, match="movement"):
        load("small", memory=tmp_path / "memory")
