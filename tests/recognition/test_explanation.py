"""A reason that can be looked at: the window, the examples that spoke for it, both sides' answers and their weight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import UsageError
from kinelex.recognition import Recognizer


def texts(figure) -> list[str]:
    """Everything that is written in a picture."""
    words = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        words += [axes.get_title(loc="left"), *(text.get_text() for text in axes.texts)]
        words += [label.get_text() for label in axes.get_xticklabels()]
    return words


@pytest.fixture
def timeline(recognizer: Recognizer, moving):
    recognizer.remember(moving(("running", 10), name="shown.csv"), "sprint")
    return recognizer.recognize(moving(("running", 12), ("standing", 12)), ["standing", "sprint", "walking"])


def test_the_picture_has_the_window_its_examples_and_the_weight(timeline, moving, tmp_path: Path) -> None:
    figure = timeline.explain(3.0, tmp_path / "why.png", sources=[moving(("running", 10), name="shown.csv")])
    assert (tmp_path / "why.png").stat().st_size > 10_000
    words = texts(figure)
    assert any(word.startswith("sprint, ") for word in words), "the answer"
    assert "this window, 0.0 s" in words
    assert sum(word.startswith("sprint  ") for word in words) == 3, "three nearest examples, with how near they are"
    assert any(word.startswith("closed form: ") and word.endswith("comes from examples") for word in words)
    assert {"standing", "sprint", "walking"} <= set(words)
    drawn = [axes for axes in figure.axes if axes.lines]
    assert len(drawn) == 4, "the window and three examples, whose recording is there"


def test_an_example_without_its_recording_is_described(timeline) -> None:
    words = " ".join(texts(timeline.explain(3.0)))
    assert "example 0" in words and "shown.csv" in words


def test_a_label_with_signs_of_mathematics_is_written_as_it_is(recognizer: Recognizer, moving, tmp_path: Path) -> None:
    name = r"counting $\frac{100$ and $200_"
    recognizer.remember(moving(("running", 10), name="$shown$.csv"), name)
    recognizer.remember(moving(("standing", 10)), "st$ill$")
    timeline = recognizer.recognize(moving(("running", 12), name="$d_ay^$.csv"), ["st$ill$", name])
    figure = timeline.explain(3.0, tmp_path / "why.svg")
    assert any(name in word for word in texts(figure))
    assert name in (tmp_path / "why.svg").read_text()
    figure.savefig(tmp_path / "again.png")


def test_the_bars_are_the_three_answers(timeline) -> None:
    figure = timeline.explain(3.0)
    heights = [bar.get_height() for bar in figure.axes[-1].patches]
    order = np.argsort(-np.nan_to_num(np.fmax.reduce(
        [timeline.recalled.by_words[0], timeline.recalled.by_examples[0], timeline.probabilities[0]]
    )), kind="stable")  # fmt: skip
    np.testing.assert_allclose(heights[:3], np.nan_to_num(timeline.recalled.by_words[0])[order], atol=1e-6)
    np.testing.assert_allclose(heights[3:6], timeline.recalled.by_examples[0][order], atol=1e-6)
    np.testing.assert_allclose(heights[6:], timeline.probabilities[0][order], atol=1e-6)


def test_words_and_examples_make_the_answer_by_their_weight(timeline) -> None:
    recalled = timeline.recalled
    weight = recalled.weight[:, None]
    mixed = (1 - weight) * recalled.by_words + weight * recalled.by_examples
    np.testing.assert_allclose(mixed, timeline.probabilities, atol=1e-5)


def test_without_a_memory_there_is_nothing_to_explain(recognizer: Recognizer, moving) -> None:
    with pytest.raises(UsageError, match="no memory had a part"):
        recognizer.recognize(moving(("running", 12)), ["standing", "walking"]).explain(3.0)
