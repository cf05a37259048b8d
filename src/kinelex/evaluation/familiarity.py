"""How common the classes of an open set were in training: how many data sets have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinelex.evaluation.candidates import Candidates
from kinelex.evaluation.protocol import Grouping
from kinelex.language import PublishedGroups, Vocabulary


def training_sets_with(
    task: Candidates, trained_on: Sequence[str], vocabulary: Vocabulary, grouping: Grouping = "standard"
) -> NDArray[np.float64]:
    """Per candidate text, how many training sets have an activity of its class, ``(text,)``.

    Args:
        task: an open set, whose classes are label groups.
        trained_on: the data sets that a checkpoint saw; one whose names the vocabulary does not list counts
            for nothing.
        vocabulary: what official names mean.
        grouping: whose groups the classes are.
    """
    published = PublishedGroups(vocabulary) if grouping == "published" else None
    counts: Counter[str] = Counter()
    for dataset in trained_on:
        names = vocabulary.official.get(dataset, {})
        if published is None:
            counts.update({vocabulary.group_of(text) for text in names.values()})
        else:
            found = {published.of_activity(dataset, name) or published.of_label(text) for name, text in names.items()}
            counts.update(found)
    per_class = np.array([counts[name] for name in task.classes], dtype=np.float64)
    return np.asarray(per_class[task.class_of_text])
