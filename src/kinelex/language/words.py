"""Names that programmers gave to activities, turned into words that a text encoder can read."""

from __future__ import annotations

import re

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_TO = re.compile(r"(?<=[^\W\d_])2(?=[^\W\d_])")
_SPEED = re.compile(r"(?<=\d)\s*(?:km/?h|kmph|kph)\b")
_ANGLE = re.compile(r"(?<=\d)\s*deg\b")
_NUMBER_THEN_LETTER = re.compile(r"(?<=\d)(?=[^\W\d_])(?!(?:st|nd|rd|th)\b)")
_ABBREVIATIONS = {"cw": "clockwise", "ccw": "counterclockwise"}


def label_words(name: str) -> str:
    """Turn an official activity name into lower-case words.

    Underscores and runs of white space become single spaces; a name without spaces is also split where camelCase
    starts a new word. ``2`` between letters reads "to", and numbers keep their units. Words are left as they are: what
    a data set abbreviates beyond recognition is the vocabulary's business. Applying it twice changes nothing.

    Examples:
        >>> label_words("front_knees_lying")
        'front knees lying'
        >>> label_words("running_on_treadmill_8kmh")
        'running on treadmill 8 km/h'
        >>> label_words("StandingUpFS"), label_words("stand2sit"), label_words("Brushing  teeth")
        ('standing up fs', 'stand to sit', 'brushing teeth')
    """
    words = _TO.sub(" to ", name)
    if not re.search(r"\s", name.strip()):
        words = _CAMEL.sub(" ", words)
    words = words.replace("_", " ").lower()
    words = _ANGLE.sub(" degrees", _SPEED.sub(" km/h", words))
    words = _NUMBER_THEN_LETTER.sub(" ", words)
    return " ".join(_ABBREVIATIONS.get(word, word) for word in words.split())


def same_words(name: str) -> str:
    """The key under which two spellings of one label meet: `label_words`, with hyphens as spaces.

    Examples:
        >>> same_words("Push-ups") == same_words("push_ups")
        True
    """
    return " ".join(label_words(name).replace("-", " ").split())
