"""What a model may choose from: candidate texts, their vectors, and the class that each text counts as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadLabels, UnknownName
from kinelex.evaluation.metrics import Over
from kinelex.evaluation.protocol import Grouping, Texts
from kinelex.evaluation.published_figures import Metric
from kinelex.language import Label, PublishedGroups, TextEncoder, Vocabulary, label_vectors, label_words
from kinelex.language.published import bare_vectors

_KINDS = (
    "posture", "transition", "locomotion", "sport", "exercise", "everyday", "work", "gesture", "transport", "fall",
)  # fmt: skip
"""Reports list activities by what the body does, in this order."""

_TITLES: Mapping[Texts, str] = {
    "words": "closed set, official names as words",
    "vocabulary": "closed set, vocabulary labels with synonyms",
}


@dataclass(frozen=True, eq=False)
class Candidates:
    """The texts of one task.

    Args:
        task: short name for files.
        title: the task in words.
        open_set: whether texts beyond the data set's own activities compete.
        texts: candidate texts.
        vectors: ``(text, width)`` raw sentence vectors.
        classes: what is scored: official names, or label groups.
        class_of_text: ``(text,)`` number of the class that a text stands for.
        class_of_label: the class of each official name of the data set.
        macro_f1_over: which classes the headline macro-F1 averages; see `metrics.macro_f1`.
        compares: the published metric that figures of this task may be held against.

    Texts of a closed set are held back where it is crowded (`TextSpace.crowding`). Those of an open set are not: most
    are near to some movement of the training sets because they name it, and would lose to texts that nothing is near
    to (``benchmarks/transduction.py``).
    """

    task: str
    title: str
    open_set: bool
    texts: tuple[str, ...]
    vectors: NDArray[np.float32]
    classes: tuple[str, ...]
    class_of_text: NDArray[np.int64]
    class_of_label: Mapping[str, int]
    macro_f1_over: Over = "declared"
    compares: Metric | None = None


def closed_set(
    dataset: str, declared: Sequence[str], texts: Texts, vocabulary: Vocabulary, encoder: TextEncoder | str
) -> Candidates:
    """The data set's declared activities, one text each.

    Args:
        dataset: its name, by which the vocabulary knows its official names.
        declared: all official names, also those without a session.
        texts: ``"words"``: the official names as words, in general templates only; ``"vocabulary"``: the labels that
            they mean, with synonyms.
        vocabulary: where labels and the order of activities come from.
        encoder: the text encoder that the checkpoint was trained with, or its name and revision.

    Raises:
        BadLabels: fewer than two activities, or two that come to the same text and thus the same vector.
        UnknownName: ``"vocabulary"`` and a name that the vocabulary does not have.
        NoTextEncoder: a vector is not cached, and no text encoder was found.
    """
    if len(declared) < 2:
        raise BadLabels(f"data set '{dataset}' declares {len(declared)} activity: there is nothing to choose between")
    names = ordered(dataset, declared, vocabulary)
    if texts == "words":
        chosen = [label_words(name) for name in names]
    else:
        chosen = [known_label(dataset, name, vocabulary).text for name in names]
    for number, text in enumerate(chosen):
        if (other := chosen.index(text)) != number:
            raise BadLabels(
                f"'{names[other]}' and '{names[number]}' of data set '{dataset}' are both '{text}':"
                " nothing could tell them apart"
            )
    vectors = label_vectors(chosen, encoder, vocabulary=vocabulary, synonyms=texts == "vocabulary")
    return Candidates(
        task=f"closed_{texts}",
        title=_TITLES[texts],
        open_set=False,
        texts=tuple(chosen),
        vectors=vectors,
        classes=tuple(names),
        class_of_text=np.arange(len(names)),
        class_of_label={name: number for number, name in enumerate(names)},
    )


def open_set(
    dataset: str,
    declared: Sequence[str],
    vocabulary: Vocabulary,
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    grouping: Grouping = "standard",
) -> Candidates:
    """Every text that a checkpoint knows, scored by label groups.

    Args:
        dataset: its name, by which the vocabulary knows its official names.
        declared: all official names of the data set.
        vocabulary: which label an official name means, and which group a label belongs to.
        texts: the candidate texts, usually the whole standard vocabulary.
        vectors: ``(text, width)`` their raw sentence vectors.
        grouping: ``"standard"``: the vocabulary's groups; ``"published"``: those that published figures were scored
            with, where a label that they do not have is a group of its own.

    Raises:
        UnknownName: a declared name that the vocabulary does not have.
    """
    label_of_name = {name: known_label(dataset, name, vocabulary) for name in declared}
    if grouping == "published":
        published = PublishedGroups(vocabulary)
        group_of_name = {
            name: published.of_activity(dataset, name) or published.of_label(label.text)
            for name, label in label_of_name.items()
        }
        # A label that is in two published groups is in that of this data set: who finds it is right.
        meant = {label.text: group_of_name[name] for name, label in label_of_name.items()}
        group_of_text = [meant.get(text) or published.of_label(text) for text in texts]
        order = list(published.groups)
    else:
        group_of_name = {name: label.group for name, label in label_of_name.items()}
        group_of_text = [vocabulary.group_of(text) for text in texts]
        order = [group.name for group in sorted(vocabulary.groups, key=lambda group: _kind_rank(group.kind))]
    found = {*group_of_text, *group_of_name.values()}
    groups = [name for name in order if name in found]
    groups += sorted(found - set(groups))
    number_of = {name: number for number, name in enumerate(groups)}
    return Candidates(
        task="open_groups",
        title=f"open set, whole vocabulary by {'published ' * (grouping == 'published')}groups",
        open_set=True,
        texts=tuple(texts),
        vectors=np.asarray(vectors, dtype=np.float32),
        classes=tuple(groups),
        class_of_text=np.array([number_of[group] for group in group_of_text], dtype=np.int64),
        class_of_label={name: number_of[group] for name, group in group_of_name.items()},
        macro_f1_over="truth",
    )


def published_sets(dataset: str, declared: Sequence[str], encoder: TextEncoder | str) -> list[Candidates]:
    """The candidates of published figures: the declared list, and the 87 labels of the published training sets.

    Published figures of aligned models took the label names as they stand, underscores included and in no template, so
    that is one task each. How a text becomes a vector is a part of a model, though, so the same candidates as words
    in our templates are another. The open set is scored by published groups and the union macro-F1: an activity whose
    group no training label has can never be right.

    Args:
        dataset: its name, by which the published names of activities are known.
        declared: all official names of the data set.
        encoder: the text encoder that the checkpoint was trained with, or its name and revision.

    Raises:
        BadLabels: fewer than two activities.
        NoTextEncoder: a vector is not cached, and no text encoder was found.
    """
    if len(declared) < 2:
        raise BadLabels(f"data set '{dataset}' declares {len(declared)} activity: there is nothing to choose between")
    published = PublishedGroups()
    given = {official: published.name_of(dataset, official) for official in sorted(declared)}
    names = list(dict.fromkeys(given.values()))
    candidates = published.training_labels
    group_of_text = [published.of_name(name) for name in candidates]
    groups = list(dict.fromkeys([*group_of_text, *(published.of_name(name) for name in names)]))
    tasks = []
    for suffix, how in (("", "as they stand"), ("_words", "as words")):
        vectors_of = bare_vectors if not suffix else label_vectors
        tasks += [
            Candidates(
                task=f"closed_published{suffix}",
                title=f"published closed set, names {how}",
                open_set=False,
                texts=tuple(names),
                vectors=vectors_of(names, encoder),
                classes=tuple(names),
                class_of_text=np.arange(len(names)),
                class_of_label={official: names.index(name) for official, name in given.items()},
                compares="zero-shot closed",
            ),
            Candidates(
                task=f"open_published{suffix}",
                title=f"published open set of {len(candidates)} labels, names {how}",
                open_set=True,
                texts=candidates,
                vectors=vectors_of(candidates, encoder),
                classes=tuple(groups),
                class_of_text=np.array([groups.index(group) for group in group_of_text], dtype=np.int64),
                class_of_label={official: groups.index(published.of_name(name)) for official, name in given.items()},
                macro_f1_over="union",
                compares="zero-shot open",
            ),
        ]
    return tasks


def known_label(dataset: str, name: str, vocabulary: Vocabulary) -> Label:
    """The vocabulary's label for an official name: by its data set, else by its words.

    Raises:
        UnknownName: neither is known.
    """
    if label := vocabulary.find(vocabulary.official.get(dataset, {}).get(name, name)):
        return label
    raise UnknownName(
        f"the vocabulary knows no label for '{name}' of data set '{dataset}': only a closed set of official names as"
        " words can be evaluated"
    )


def ordered(dataset: str, names: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """Official names by what the body does, so that activities that are alike stand together in tables.

    Names that the vocabulary does not know come last, in their own order.
    """
    position = {label.text: (_kind_rank(label.kind), number) for number, label in enumerate(vocabulary.labels)}

    def place(name: str) -> tuple[int, int]:
        try:
            return position[known_label(dataset, name, vocabulary).text]
        except UnknownName:
            return (len(_KINDS) + 1, 0)

    return sorted(names, key=place)


def _kind_rank(kind: str) -> int:
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
