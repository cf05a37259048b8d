"""The published grouping of labels, kept with its flaws, so that an evaluation can be scored as published figures were.

The content is data, in ``published_groups.yaml``; it says what is wrong with it. Everything but that comparison uses
the groups of the standard vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from kinelex.language.cache import VectorCache, cache_root
from kinelex.language.encoder import TextEncoder
from kinelex.language.resolution import pinned_revision, resolve_text_encoder
from kinelex.language.vocabulary import Vocabulary
from kinelex.language.words import label_words

_FILE = Path(__file__).with_name("published_groups.yaml")


class _PublishedFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: dict[str, tuple[str, ...]]
    training_labels: tuple[str, ...]
    names: dict[str, dict[str, str]]


class PublishedGroups:
    """Which published group an activity of a data set, or a label of the vocabulary, belongs to.

    The published grouping goes by the name that a data set's activity was given, so that one label of the vocabulary
    can be in two groups: sitting down is a posture where it was called ``sitting_down`` and a transition where it was
    called ``stand_to_sit``. Ask by activity where there is one.

    Args:
        vocabulary: what official names mean; the standard vocabulary when left out.

    Examples:
        >>> published = PublishedGroups()
        >>> published.of_activity("mobifall", "sit_chair"), published.of_activity("hapt", "stand_to_sit")
        ('sitting', 'transition_to_sitting')
        >>> published.of_label("drinking"), published.of_label("dancing")
        ('eating', 'dancing')
    """

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        self._vocabulary = vocabulary or Vocabulary.standard()
        content = _PublishedFile.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))
        self.groups = content.groups
        self.names = content.names
        self.training_labels = content.training_labels
        self._group_of_name = {name: group for group, names in self.groups.items() for name in names}
        self._group_of_label = self._claims()

    def of_activity(self, dataset: str, official: str) -> str | None:
        """The group of a data set's activity, by the name it was given; none where it was given none."""
        return self._group_of_name.get(self.name_of(dataset, official))

    def of_name(self, name: str) -> str:
        """The group of a published label name; a name that the grouping does not have is its own group."""
        return self._group_of_name.get(name, name)

    def name_of(self, dataset: str, official: str) -> str:
        """The label name that a data set's activity was given; its official one where it was given none."""
        return self.names.get(dataset, {}).get(official, official)

    def of_label(self, text: str) -> str:
        """The group of a label of the vocabulary; a label that no published name means is its own group."""
        label = self._vocabulary.find(text)
        return label_words(text) if label is None else self._group_of_label.get(label.text, label.text)

    def _claims(self) -> dict[str, str]:
        """Label text to group; where several groups claim a label, the first of the file has it."""
        claims = [(group, self._vocabulary.find(name)) for name, group in self._group_of_name.items()]
        for dataset in self.names:
            for official, text in self._vocabulary.official.get(dataset, {}).items():
                if group := self.of_activity(dataset, official):
                    claims.append((group, self._vocabulary.find(text)))
        order = list(self.groups)
        claims.sort(key=lambda claim: order.index(claim[0]), reverse=True)
        return {label.text: group for group, label in claims if label is not None}


def bare_vectors(names: Sequence[str], encoder: TextEncoder | str) -> NDArray[np.float32]:
    """Unit vectors ``(name, dim)`` of label names as they stand, underscores included, in no template.

    So published figures took them; `label_vectors` turns names into words and averages over templates.

    Args:
        names: published label names.
        encoder: a text encoder, or its name and revision.

    Raises:
        NoTextEncoder: a name is not in the cache and no text encoder was found.
    """
    revision = encoder.revision if isinstance(encoder, TextEncoder) else pinned_revision(encoder)
    store, vectors = VectorCache(cache_root() / "text"), None
    if revision is not None:
        vectors = store.get(revision, names)
    if vectors is None:
        encoder = encoder if isinstance(encoder, TextEncoder) else resolve_text_encoder(encoder)
        vectors = np.asarray(encoder.encode(names), np.float32)
        store.put(encoder.revision, names, vectors)
    return vectors
