"""The labels that somebody asks for, among those that a classifier knows."""

from __future__ import annotations

from collections.abc import Sequence

from kinelex.errors import BadLabels
from kinelex.language.vocabulary import Vocabulary
from kinelex.language.words import same_words


def chosen(labels: Sequence[str], known: Sequence[str], name: str) -> list[int]:
    """For each label the position of the known one that means the same, or else of the only one in its group.

    Args:
        labels: what is asked for.
        known: what the classifier knows.
        name: of the backbone, for messages.

    Raises:
        BadLabels: no label, one that the classifier does not know, or two that it cannot tell apart.

    >>> chosen(["climbing stairs", "running"], ["walking", "jogging", "walking upstairs"], "phone")
    [2, 1]
    """
    if isinstance(labels, str) or not labels:
        raise BadLabels(f"backbone '{name}' needs a list of labels to choose from, such as {list(known[:2])}")
    columns = [_place(label, known) for label in labels]
    unknown = [label for label, column in zip(labels, columns, strict=True) if column is None]
    if unknown:
        raise BadLabels(
            f"backbone '{name}' does not know {', '.join(repr(label) for label in unknown)}: choose among"
            f" {', '.join(known)}"
        )
    taken: dict[int | None, str] = {}
    for label, column in zip(labels, columns, strict=True):
        if column in taken:
            raise BadLabels(f"'{taken[column]}' and '{label}' are the same to backbone '{name}': leave one out")
        taken[column] = label
    return [column for column in columns if column is not None]


def _place(label: str, known: Sequence[str]) -> int | None:
    words = [_meaning(text) for text in known]
    if _meaning(label) in words:
        return words.index(_meaning(label))
    group = Vocabulary.standard().group_of(label)
    alike = [place for place, text in enumerate(known) if Vocabulary.standard().group_of(text) == group]
    return alike[0] if len(alike) == 1 else None


def _meaning(label: str) -> str:
    """The words of a label, or of the one in the vocabulary that it is a synonym of."""
    entry = Vocabulary.standard().find(label)
    return same_words(label if entry is None else entry.text)
