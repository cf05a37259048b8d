"""The text side of training: frozen vectors of every prompt of every label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from kinelex.language.encoder import TextEncoder
from kinelex.language.prompts import templates
from kinelex.language.tokens import token_vectors
from kinelex.language.vectors import label_prompts, label_vectors, prompt_vectors
from kinelex.language.vocabulary import Vocabulary
from kinelex.language.words import label_words
from kinelex.model.checkpoint import LabelTable
from kinelex.model.text_space import TextSpace

OWN = "own"
"""The kind of a label that no vocabulary lists."""


@dataclass(frozen=True, eq=False)
class TrainingText:
    """What the labels of a run look like to the text encoder.

    Args:
        labels: the training labels.
        group: number of each label's group.
        prompts: ``(prompt, text)`` projected unit vectors of all prompts, label after label, the label itself first.
        tokens: ``(prompt, token, text)`` token vectors of the same prompts, where the label side learns; else empty.
        tokens_valid: which of them are words.
        first: row of each label's first prompt, and one past the last.
        means: ``(label, text)`` projected unit vectors of the labels' prompt means.
        phrases: ``(phrase, text)`` likewise of each label and each synonym by itself.
        space: the text space they were projected into.
        table: raw vectors of the whole vocabulary and of labels beyond it, for the checkpoint.
    """

    labels: tuple[str, ...]
    group: Int[Tensor, " label"]
    prompts: Float[Tensor, "prompt text"]
    tokens: Float[Tensor, "sentence token text"]
    tokens_valid: Bool[Tensor, "sentence token"]
    first: Int[Tensor, " boundary"]
    means: Float[Tensor, "label text"]
    phrases: NDArray[np.float32]
    space: TextSpace
    table: LabelTable

    def to(self, device: torch.device) -> TrainingText:
        """The same with all that training looks at on a device."""
        names = ("prompts", "tokens", "tokens_valid", "means")
        return replace(self, group=self.group.to(device), **{name: getattr(self, name).to(device) for name in names})

    def draw(self, label: Int[Tensor, " row"], generator: torch.Generator, share: float = 1.0) -> Int[Tensor, " row"]:
        """A prompt for each of some labels, drawn evenly: another synonym in another sentence each time.

        Args:
            label: numbers of labels.
            generator: source of randomness.
            share: of the prompts that are drawn; the others are the label itself, which is each label's first prompt.
        """
        first, count = self.first[:-1][label], (self.first[1:] - self.first[:-1])[label]
        chosen = (torch.rand(len(label), generator=generator) * count).long()
        if share < 1:
            chosen = torch.where(torch.rand(len(label), generator=generator) < share, chosen, 0)
        return first + chosen


def training_label(vocabulary: Vocabulary, dataset: str, activity: str) -> tuple[str, str]:
    """The text and the kind of label that an activity is trained as.

    A set of one's own may name activities as it likes: what the vocabulary has no word for becomes a label of its own
    words, in a group of its own. A set whose names the vocabulary lists must keep to them.

    Args:
        vocabulary: labels and official names.
        dataset: name of the data set.
        activity: what it calls the activity.

    Raises:
        UnknownName: the vocabulary lists the names of this set, and this is none of them.
    """
    known = vocabulary.label_for(dataset, activity) if dataset in vocabulary.official else vocabulary.find(activity)
    return (label_words(activity), OWN) if known is None else (known.text, known.kind)


def encode_labels(
    labels: Sequence[str],
    vocabulary: Vocabulary,
    encoder: TextEncoder,
    *,
    center: bool = True,
    tokens: bool = False,
) -> TrainingText:
    """Encode the prompts of all labels, and the standard vocabulary that the text space is centered on.

    Args:
        labels: texts of labels, of the vocabulary or not.
        vocabulary: synonyms and groups.
        encoder: a frozen text encoder.
        center: take the vocabulary's mean vector out.
        tokens: also give the token vectors of all prompts, for a label side that learns.
    """
    texts = tuple(label.text for label in vocabulary.labels)
    own = tuple(label for label in labels if label not in texts)
    table = LabelTable(texts + own, label_vectors(texts + own, encoder, vocabulary=vocabulary, synonyms=True))
    middle = table.vectors[: len(texts)].mean(axis=0)
    space = TextSpace(np.asarray(middle if center else np.zeros_like(middle), dtype=np.float32))
    raw = [prompt_vectors(label, encoder, vocabulary=vocabulary) for label in labels]
    per_label = [space.project(vectors) for vectors in raw]
    # Every phrase comes in all templates, one phrase after the other.
    by_phrase = np.concatenate(raw).reshape(-1, len(templates()), encoder.dim)
    groups = sorted({vocabulary.group_of(label) for label in labels})
    row = {text: i for i, text in enumerate(table.texts)}
    words, words_valid = np.zeros((0, 0, encoder.dim), np.float32), np.zeros((0, 0), np.bool_)
    if tokens:
        everything = [prompt for label in labels for prompt in label_prompts(label, vocabulary, synonyms=True)]
        words, words_valid = token_vectors(everything, encoder)
    means = space.project(table.vectors[[row[label] for label in labels]])
    return TrainingText(
        labels=tuple(labels),
        group=torch.tensor([groups.index(vocabulary.group_of(label)) for label in labels]),
        prompts=F.normalize(torch.from_numpy(np.concatenate(per_label)), dim=-1),
        tokens=torch.from_numpy(words),
        tokens_valid=torch.from_numpy(words_valid),
        first=torch.tensor(np.cumsum([0, *(len(vectors) for vectors in per_label)])),
        means=torch.from_numpy(means),
        phrases=space.project(by_phrase.mean(axis=1)),
        space=space,
        table=table,
    )
