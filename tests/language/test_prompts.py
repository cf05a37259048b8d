"""Prompts are sentences, always in the same order."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from kinelex.errors import BadLabels
from kinelex.language import Vocabulary, prompts, templates
from kinelex.language.prompts import Template, is_doing


def test_there_are_eight_to_twelve_templates_and_the_bare_label_is_one() -> None:
    assert 8 <= len(templates()) <= 12
    assert prompts("walking")[0] == "walking"
    assert len(set(prompts("walking"))) == len(templates())


def test_templates_name_no_device_brand_placement_or_data_set() -> None:
    text = " ".join(prompts("x")).lower()
    words = ["phone", "watch", "wrist", "pocket", "waist", *Vocabulary.standard().official]
    assert not any(word in text for word in words)


def test_an_activity_in_ing_form_and_a_noun_are_both_put_grammatically() -> None:
    assert "a person is walking" in prompts("walking")
    assert "a person is slowly sitting down" in prompts("slowly sitting down")
    for noun in ("tennis serve", "fall forward", "stand to sit", "swing", "spring cleaning", "upstairs"):
        assert f"a person is {noun}" not in prompts(noun)
        assert all(noun in prompt for prompt in prompts(noun))


@pytest.mark.parametrize("phrase", ["running", "lying on the back", "quickly taking a seat", "being asleep"])
def test_an_ing_form_is_recognized(phrase: str) -> None:
    assert is_doing(phrase)


@pytest.mark.parametrize("phrase", ["", "quickly", "tennis serve", "morning run", "swing", "stairs", "hand washing"])
def test_anything_else_is_a_name(phrase: str) -> None:
    assert not is_doing(phrase)


def test_every_label_of_the_vocabulary_can_follow_a_person_is() -> None:
    nouns = sorted(label.text for label in Vocabulary.standard().labels if not is_doing(label.text))
    assert nouns == ["Nordic walking", "vacuum cleaning"]


def test_synonyms_follow_the_label_in_order_and_repeat_nothing() -> None:
    found = prompts("walking", ["strolling", "Walking", "taking_steps"])
    assert found == prompts("walking") + prompts("strolling") + prompts("taking steps")


def test_spelling_does_not_change_the_prompts() -> None:
    assert prompts("Brushing_teeth") == prompts("brushing teeth") == prompts("brushingTeeth")


@pytest.mark.parametrize("blank", ["", "  ", "_"])
def test_a_blank_label_is_refused(blank: str) -> None:
    with pytest.raises(BadLabels, match="blank"):
        prompts(blank)
    with pytest.raises(BadLabels, match="blank"):
        prompts("walking", [blank])


@pytest.mark.parametrize("form", ["a person", "{} and {}"])
def test_a_template_has_exactly_one_place_for_the_label(form: str) -> None:
    with pytest.raises(ValidationError, match="must have one"):
        Template(doing=form, naming="{}")


def test_braces_in_a_label_are_letters_like_any_other() -> None:
    assert "a person during the activity: {} {0}" in prompts("{} {0}")
