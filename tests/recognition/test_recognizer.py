"""Labels and recordings in, timelines out: what is known, what is refused, what costs nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import kinelex.language
from kinelex.errors import BadLabels, NoTextEncoder, TooShort, UnknownName, UsageError
from kinelex.recognition import Recognizer, load, shipped_models
from kinelex.recognition.asked import check_labels, window_starts
from kinelex.recognition.recognizer import EVERYDAY

LABELS = ["standing", "walking", "running"]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], "no labels"),
        (["walking", ""], "label 2 of 2 is blank"),
        (["walking", "  - "], "blank"),
        (["walking", "Walking "], "named twice"),
        (["push-ups", "push ups"], "named twice"),
        (["walking", None], "label 2 is None"),
        (["walking"], "alone would always win"),
        ("walking,running", "not one string"),
    ],
)
def test_bad_labels_are_refused(labels, words: str, recognizer: Recognizer, moving) -> None:
    with pytest.raises(BadLabels, match=words):
        recognizer.recognize(moving(("walking", 10)), labels)


def test_labels_keep_the_users_spelling() -> None:
    assert check_labels(["  Brushing   Teeth ", "walking"]) == ("Brushing Teeth", "walking")


def test_a_synonym_is_known_and_stands_for_its_label(recognizer: Recognizer, moving) -> None:
    assert recognizer.unknown_labels(["skipping rope", "Jumping_Rope", "watering plants"]) in (
        ["watering plants"], ["skipping rope", "watering plants"]
    )  # fmt: skip
    vocabulary = kinelex.language.Vocabulary.standard()
    synonym = vocabulary.find("walking").synonyms[0]
    np.testing.assert_array_equal(
        recognizer.label_vectors([synonym, "standing"]), recognizer.label_vectors(["walking", "standing"])
    )
    with pytest.raises(BadLabels, match="mean the same"):
        recognizer.recognize(moving(("walking", 10)), ["walking", synonym])


def test_unknown_labels_are_encoded_and_known_ones_are_not(recognizer: Recognizer, moving, monkeypatch) -> None:
    asked = []

    def label_vectors(texts, encoder):
        asked.append((list(texts), encoder))
        return np.eye(384, dtype=np.float32)[[100 + i for i in range(len(texts))]]

    monkeypatch.setattr(kinelex.language, "label_vectors", label_vectors)
    timeline = recognizer.recognize(moving(("walking", 10)), ["watering plants", "walking", "feeding the cat"])
    assert asked == [(["watering plants", "feeding the cat"], recognizer.checkpoint.text_encoder)]
    assert timeline.labels == ("watering plants", "walking", "feeding the cat")
    assert timeline.overall().activity == "walking"


def test_without_a_text_encoder_the_error_names_the_labels(recognizer: Recognizer, moving, monkeypatch) -> None:
    def label_vectors(texts, encoder):
        raise NoTextEncoder("install one")

    monkeypatch.setattr(kinelex.language, "label_vectors", label_vectors)
    with pytest.raises(NoTextEncoder, match="'watering plants': install one"):
        recognizer.recognize(moving(("walking", 10)), ["watering plants", "walking"])


def test_without_labels_it_chooses_among_everyday_ones(recognizer: Recognizer, moving) -> None:
    timeline = recognizer.recognize(moving(("walking", 10)))
    assert timeline.labels == ("standing", "walking", "running")
    vocabulary = kinelex.language.Vocabulary.standard()
    assert all(vocabulary.find(label).text == label for label in EVERYDAY)


def test_windows_cover_every_second(moving) -> None:
    for seconds in (3.0, 4.5, 6.0, 6.04, 10.0, 31.7):
        recording = moving(("walking", seconds))
        for hop_s in (None, 1.0, 6.0, 4.1):
            starts = window_starts(recording, 6.0, hop_s)
            assert starts[0] == 0.0 and (np.diff(starts) > 0).all()
            assert (np.diff(starts) <= (hop_s or 3.0) + 1e-9).all()
            assert starts[-1] + 6.0 >= recording.duration_s - 0.03
            assert len(starts) == 1 or starts[-1] + 6.0 <= recording.duration_s + 1e-6


@pytest.mark.parametrize(
    ("window_s", "hop_s"), [(6.0, 7.0), (0.0, None), (-1.0, None), (6.0, 0.0), (float("nan"), None)]
)
def test_impossible_windows_are_refused(recognizer: Recognizer, moving, window_s: float, hop_s: float | None) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        recognizer.recognize(moving(("walking", 10)), LABELS, window_s=window_s, hop_s=hop_s)


def test_less_than_half_a_window_is_refused_and_half_a_window_answered(recognizer: Recognizer, moving) -> None:
    with pytest.raises(TooShort, match=r"walk\.csv"):
        recognizer.recognize(moving(("walking", 2.9)), LABELS)
    assert recognizer.recognize(moving(("walking", 3.0)), LABELS).overall().activity == "walking"


def test_many_recordings_get_what_each_would_get(recognizer: Recognizer, moving) -> None:
    recordings = [moving((label, seconds)) for label, seconds in (("walking", 10), ("running", 4), ("standing", 21))]
    counted: list[int] = []
    together = recognizer.recognize_many(recordings, LABELS, progress=counted.append)
    assert [timeline.overall().activity for timeline in together] == ["walking", "running", "standing"]
    assert counted == [1, 2, 3]
    for recording, timeline in zip(recordings, together, strict=True):
        np.testing.assert_array_equal(timeline.probabilities, recognizer.recognize(recording, LABELS).probabilities)


def test_progress_rises_to_one_and_work_grows_with_length_only(recognizer: Recognizer, moving) -> None:
    shares: list[float] = []
    recording = moving(("walking", 6000), rate_hz=5.0)
    recognizer.recognize(recording, LABELS, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) > 2
    assert sum(recognizer.checkpoint.seconds) == pytest.approx(2 * 6000, rel=0.01)


def test_a_recording_without_any_signal_gets_no_answer(recognizer: Recognizer, moving) -> None:
    timeline = recognizer.recognize(moving((None, 20)), LABELS)
    assert [(segment.activity, segment.unsure) for segment in timeline.segments] == [(None, True)]
    assert timeline.overall().activity is None
    assert "no signal" in str(timeline)
    timeline.plot()


def test_an_unknown_model_lists_the_shipped_ones() -> None:
    with pytest.raises(UnknownName, match="no model 'smal'"):
        load("smal")
    for name in shipped_models():
        with pytest.raises(UnknownName, match=f"'{name}'"):
            load("smal")


def test_known_labels_import_no_text_encoder() -> None:
    """In a fresh process, because other tests import what they need."""
    code = """
import sys
import numpy as np
from kinelex.recognition import Recognizer, load, shipped_models
from kinelex.signal.channel import Channel
from kinelex.signal.recording import Recording

walk = Recording(np.random.default_rng(0).normal(0, 3, (300, 3)), 25.0, [Channel("acc", a, "wrist") for a in "xyz"])
if "small" in shipped_models():
    print(load("small").recognize(walk, ["walking", "Sitting", "Climbing_Stairs"]))
heavy = {"sentence_transformers", "transformers", "tokenizers", "pandas", "matplotlib", "aeon"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
