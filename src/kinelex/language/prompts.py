"""Prompts: sentences around a label, whose vectors are averaged.

One bare label is a noisy point in the text encoder's space ("squat" may be a dwelling); the mean over several
sentences about it is closer to the activity (prompt ensembling: Radford et al., "Learning transferable visual models
from natural language supervision", 2021, section 3.1.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from kinelex.errors import BadLabels
from kinelex.language.words import label_words

_FILE = Path(__file__).with_name("templates.yaml")
# Words that end like a verb form and are none, so that "spring cleaning" is not something "a person is".
_NO_VERBS = frozenset(
    {"anything", "ceiling", "during", "evening", "everything", "king", "morning", "nothing", "ring", "sling"}
    | {"something", "spring", "sting", "string", "swing", "thing", "wing"}
)


class Template(BaseModel):
    """One sentence in two forms, each with ``{}`` where the label goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    doing: str = Field(description="Around a phrase that begins with an -ing form, such as 'walking slowly'.")
    naming: str = Field(description="Around any other phrase, such as 'tennis serve' or 'stand to sit'.")

    @field_validator("doing", "naming")
    @classmethod
    def _has_one_place(cls, form: str) -> str:
        if form.count("{}") != 1:
            raise ValueError(f"'{form}' must have one {{}} where the label goes")
        return form

    def around(self, phrase: str) -> str:
        """The sentence around `phrase`, in the form that fits it."""
        return (self.doing if is_doing(phrase) else self.naming).replace("{}", phrase)


class _TemplateFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    templates: tuple[Template, ...] = Field(min_length=1)


@cache
def templates() -> tuple[Template, ...]:
    """The generic templates, in the order of their file."""
    return _TemplateFile.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8"))).templates


def is_doing(phrase: str) -> bool:
    """Whether `phrase` begins with an -ing form, so that "a person is ..." can stand before it.

    Examples:
        >>> is_doing("walking"), is_doing("slowly sitting down"), is_doing("tennis serve"), is_doing("swing a bat")
        (True, True, False, False)
    """
    for word in phrase.split():
        if word.endswith("ly") and len(word) > 3:
            continue  # an adverb says nothing about what follows it
        return word.endswith("ing") and len(word) > 4 and word not in _NO_VERBS
    return False


def prompts(text: str, synonyms: Iterable[str] = ()) -> list[str]:
    """Every template around a label and each of its synonyms.

    Args:
        text: the label; underscores and camelCase are turned into words first.
        synonyms: other phrases for the same activity.

    Returns:
        All templates around `text`, then all around the first synonym, and so on; a phrase that repeats is left out.

    Raises:
        BadLabels: `text` or a synonym is blank.

    Examples:
        >>> prompts("walking")[:2]
        ['walking', 'a person is walking']
        >>> prompts("tennis_serve", ["serving in tennis"])[:2]
        ['tennis serve', 'a person during the activity: tennis serve']
    """
    phrases = list(dict.fromkeys(label_words(phrase) for phrase in (text, *synonyms)))
    if "" in phrases:
        raise BadLabels("a label is blank: name an activity, such as 'walking'")
    return [template.around(phrase) for phrase in phrases for template in templates()]
