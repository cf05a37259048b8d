"""The standard vocabulary: labels in words, the groups that count as the same, and what data sets call them.

The content is data, in ``vocabulary/*.yaml``: one file per kind of activity, and ``official.yaml`` with the names that
published data sets use. This file checks it and answers questions about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kinelex.errors import BadRecipe, UnknownName
from kinelex.language.words import label_words, same_words

_FOLDER = Path(__file__).with_name("vocabulary")
_OFFICIAL = "official.yaml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Frozen):
    """An activity in words."""

    text: str = Field(min_length=1, description="The activity in words, such as 'walking upstairs'.")
    group: str = Field(description="The group of labels that count as the same.")
    kind: str = Field(description="What sort of activity: posture, transition, locomotion, fall, gesture, ...")
    synonyms: tuple[str, ...] = Field(
        min_length=3, max_length=8, description="Other words for it, and what the body does."
    )

    @property
    def phrases(self) -> tuple[str, ...]:
        """The text and its synonyms."""
        return (self.text, *self.synonyms)


class Group(_Frozen):
    """Labels that count as the same when a prediction is scored by group."""

    name: str = Field(min_length=1, description="The text of the label that stands for the group.")
    kind: str = Field(description="What sort of activity.")
    labels: tuple[str, ...] = Field(min_length=1, description="The texts of its labels.")
    related: tuple[str, ...] = Field(
        default=(), description="Groups that are close to this one and yet not the same, such as both ways on stairs."
    )


class _LabelEntry(_Frozen):
    text: str = Field(min_length=1)
    synonyms: tuple[str, ...]


class _GroupEntry(_Frozen):
    name: str
    related: tuple[str, ...] = ()
    labels: tuple[_LabelEntry, ...]


class _File(_Frozen):
    kind: str
    groups: tuple[_GroupEntry, ...]


class Vocabulary(_Frozen):
    """Labels, groups and official names, checked against each other.

    Examples:
        >>> vocabulary = Vocabulary.standard()
        >>> vocabulary.label_for("mobifall", "sit_chair").text
        'sitting down'
        >>> vocabulary.group_of("jogging")
        'running'
        >>> vocabulary.find("Climbing_Stairs").text
        'walking upstairs'
        >>> vocabulary.find("feeding the cat") is None
        True
    """

    groups: tuple[Group, ...] = Field(min_length=1, description="All groups, by kind.")
    labels: tuple[Label, ...] = Field(min_length=1, description="All labels, in the order of their groups.")
    official: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Data set name to official activity name to label text."
    )

    @staticmethod
    def standard() -> Vocabulary:
        """The vocabulary that ships with Kinelex; it is read once."""
        return _standard()

    @classmethod
    def read(cls, folder: str | Path) -> Vocabulary:
        """Read a folder of vocabulary files, laid out like the standard one.

        Args:
            folder: holds one YAML file per kind, and optionally ``official.yaml``.

        Raises:
            BadRecipe: a file is no valid YAML or lacks a field, a label or synonym occurs twice, or a name refers to
                a label or group that does not exist.
        """
        folder = Path(folder)
        groups: list[Group] = []
        labels: list[Label] = []
        try:
            for path in sorted(folder.glob("*.yaml")):
                if path.name == _OFFICIAL:
                    continue
                file = _File.model_validate(_load(path))
                for group in file.groups:
                    labels += [
                        Label(text=label.text, group=group.name, kind=file.kind, synonyms=label.synonyms)
                        for label in group.labels
                    ]
                    texts = tuple(label.text for label in group.labels)
                    groups.append(Group(name=group.name, kind=file.kind, labels=texts, related=group.related))
            official = _load(folder / _OFFICIAL) if (folder / _OFFICIAL).exists() else {}
            return cls(groups=tuple(groups), labels=tuple(labels), official=official)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadRecipe(f"vocabulary '{folder}' is wrong at '{where}': {first['msg']}") from None

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of every label."""
        return tuple(label.text for label in self.labels)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The data sets whose official names are known."""
        return tuple(self.official)

    def find(self, text: str) -> Label | None:
        """The label with this text or synonym; case, underscores, hyphens and spacing do not matter."""
        # Read as camelCase first ("BrushingTeeth"), then as a word in odd case ("wALKing").
        return self._by_phrase.get(same_words(text)) or self._by_phrase.get(same_words(text.lower()))

    def label_for(self, dataset: str, official: str) -> Label:
        """The label that an official activity name of a data set means.

        Raises:
            UnknownName: the data set or the activity is not in the vocabulary.
        """
        names = self.official.get(dataset)
        if names is None:
            raise UnknownName(
                f"the vocabulary has no names for data set '{dataset}': known are {', '.join(self.official)}"
            )
        if official not in names:
            raise UnknownName(
                f"data set '{dataset}' has no activity '{official}' in the vocabulary: known are {', '.join(names)}"
            )
        return self._by_phrase[same_words(names[official])]

    def group_of(self, text: str) -> str:
        """The name of the group that a label belongs to; a text that the vocabulary does not know is its own group."""
        label = self.find(text)
        return label_words(text) if label is None else label.group

    @cached_property
    def _by_phrase(self) -> dict[str, Label]:
        return {same_words(phrase): label for label in self.labels for phrase in label.phrases}

    @model_validator(mode="after")
    def _hangs_together(self) -> Vocabulary:
        groups = {group.name for group in self.groups}
        texts = {label.text for label in self.labels}
        placed = {(label.text, label.group) for label in self.labels}
        listed = {(text, group.name) for group in self.groups for text in group.labels}
        related = {(group.name, name) for group in self.groups for name in group.related}
        meant = {(f"{d}.{name}", text) for d, names in self.official.items() for name, text in names.items()}
        phrases = (same_words(phrase) for label in self.labels for phrase in label.phrases)
        _refuse("groups occur twice", _repeated(group.name for group in self.groups))
        _refuse("labels or synonyms occur twice", _repeated(phrases))
        _refuse("labels are not in the group that lists them", {text for text, _ in placed ^ listed})
        _refuse(
            "groups are not named after one of their labels", groups - {name for name, group in listed if name == group}
        )
        _refuse("related groups do not exist", {name for _, name in related if name not in groups})
        _refuse("groups are related one way only", {f"{a} to {b}" for a, b in related if (b, a) not in related})
        _refuse("official names mean no label", {f"{name}: {text}" for name, text in meant if text not in texts})
        return self


@cache
def _standard() -> Vocabulary:
    return Vocabulary.read(_FOLDER)


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadRecipe(f"vocabulary file '{path}' cannot be read: {error}") from None


def _repeated(names: Iterable[str]) -> Iterator[str]:
    return (name for name, count in Counter(names).items() if count > 1)


def _refuse(complaint: str, names: Iterable[str]) -> None:
    if culprits := sorted(names):
        raise ValueError(f"{complaint}: {', '.join(culprits)}")
