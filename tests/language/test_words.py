"""Official names become words, and words stay words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinelex.language import Vocabulary, label_words
from kinelex.language.words import same_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("front_knees_lying", "front knees lying"),
        ("walking", "walking"),
        ("Walking  Upstairs\n", "walking upstairs"),
        ("walkingUpstairs", "walking upstairs"),
        ("StandingUpFS", "standing up fs"),
        ("FallingBackSC", "falling back sc"),
        ("Lying_Down_OnABed", "lying down on a bed"),
        ("running_on_treadmill_8kmh", "running on treadmill 8 km/h"),
        ("running at 8 km/h", "running at 8 km/h"),
        ("walking_on_treadmill_4kmh_15deg_incline", "walking on treadmill 4 km/h 15 degrees incline"),
        ("stand2sit", "stand to sit"),
        ("Sit2Stand", "sit to stand"),
        ("draw_circle_ccw", "draw circle counterclockwise"),
        ("draw_circle_cw", "draw circle clockwise"),
        ("2nd_floor", "2nd floor"),
        ("using an iPhone", "using an iphone"),
        ("push-ups", "push-ups"),
        ("__", ""),
    ],
)
def test_a_name_becomes_words(name: str, words: str) -> None:
    assert label_words(name) == words


@given(st.text(max_size=40))
def test_words_stay_as_they_are(name: str) -> None:
    assert label_words(label_words(name)) == label_words(name)
    assert same_words(same_words(name)) == same_words(name)


@given(st.lists(st.sampled_from(["go", "up", "stairs", "sit", "chair", "fall"]), min_size=1, max_size=5))
def test_underscores_camel_case_and_spaces_say_the_same(words: list[str]) -> None:
    spellings = ["_".join(words), " ".join(words), "  ".join(words).upper(), "".join(word.title() for word in words)]
    assert {label_words(spelling) for spelling in spellings} == {" ".join(words)}


def test_no_official_name_keeps_an_underscore_or_a_capital() -> None:
    names = [name for names in Vocabulary.standard().official.values() for name in names]
    assert not any("_" in label_words(name) or label_words(name) != label_words(name).lower() for name in names)
