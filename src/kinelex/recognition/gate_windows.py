"""What a gate learns from: windows whose truth is known, as words see them and the examples of other people.

No window finds itself or anybody's own examples, as no stranger's windows are in a memory either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples, UsageError
from kinelex.recognition.choices import Choices, choices_among, meanings
from kinelex.recognition.gating import both_sides
from kinelex.recognition.recall import NEIGHBORS, Asked, ClosedForm, Found
from kinelex.recognition.recognizer import Recognizer
from kinelex.recognition.remembering import LabeledRequest
from kinelex.retrieval.fusion import undecided
from kinelex.retrieval.gate_examples import GateExamples
from kinelex.retrieval.neighbors import Neighbors, search_outside

if TYPE_CHECKING:
    from kinelex.retrieval.memory import Memory

_AT_ONCE = 1000  # windows between two calls of `progress`

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GateWindows:
    """Windows that a gate may learn from, and all that is said of them.

    Args:
        examples: both sides, features and truth; the neighbors are other people's.
        people: ``(window,)`` who did it; a recording, where nobody is named.
        closed_form: ``(window, label)`` the answer without a gate.
        labels: those of the memory, each meaning once.
        unknown: how many windows were left out because the memory has nothing of their label.
        alone: how many because nobody else's example, or too little signal, was there.
        window_s: seconds in a window.
    """

    examples: GateExamples
    people: NDArray[np.str_]
    closed_form: Floats
    labels: tuple[str, ...]
    unknown: int
    alone: int
    window_s: float

    def __len__(self) -> int:
        return len(self.people)


def gate_windows(
    recognizer: Recognizer,
    requests: Sequence[LabeledRequest],
    window_s: float,
    *,
    progress: Callable[[int], None] | None = None,
) -> GateWindows:
    """Ask words and memory about windows whose truth is known.

    Args:
        recognizer: with a memory.
        requests: the windows; those whose label the memory does not have are left out.
        window_s: their length in seconds.
        progress: called with how many windows are done.

    Raises:
        UsageError: the memory has fewer than two labels.
        NoTextEncoder: one of them is known neither by words nor by examples.
    """
    memory, checkpoint = recognizer.own_memory(), recognizer.checkpoint
    first: dict[int | str, str] = {}
    for label, meaning in meanings(checkpoint, memory.labels):
        first.setdefault(meaning, label)
    if len(first) < 2:
        raise UsageError(
            f"the memory in '{memory.folder}' has {len(first)} labels, and a gate decides between several:"
            " remember more first"
        )
    choices = choices_among(checkpoint, tuple(first.values()), memory.labels)
    names = sorted({one.label for one in requests})
    number = {label: list(first).index(m) for label, m in meanings(checkpoint, names) if m in first}
    known = [one for one in requests if one.label in number]
    embeddings, features = _seen(recognizer, known, window_s, progress)
    usable = np.asarray(np.isfinite(embeddings).all(axis=1))
    truth = np.array([number[one.label] for one in known for _ in one.starts_s], dtype=np.int64)[usable]
    names_of = [(one.recording.subject or "", one.recording.name) for one in known for _ in one.starts_s]
    owners = [names_of[i] for i in np.flatnonzero(usable)]
    embeddings, features = embeddings[usable], features[usable]
    asked = Asked((), window_s, embeddings, choices, choices.word_logits(checkpoint, embeddings))
    found = Found.of(memory, others_neighbors(memory, embeddings, owners, choices), choices)
    words, evidence = both_sides(asked, found)
    kept = np.asarray(undecided(words, evidence) & found.neighbors.present[:, 0])
    return GateWindows(
        examples=GateExamples(features[kept], words[kept], evidence[kept], truth[kept]),
        people=np.array([subject or name for subject, name in owners], dtype=np.str_)[kept],
        # With the sizes of the whole memory: one person less changes their logarithms little.
        closed_form=ClosedForm()(asked, found).chances[kept],
        labels=choices.names,
        unknown=sum(len(one.starts_s) for one in requests if one.label not in number),
        alone=int(len(usable) - kept.sum()),
        window_s=window_s,
    )


def others_neighbors(
    memory: Memory, embeddings: NDArray[np.floating], owners: Sequence[tuple[str, str]], choices: Choices
) -> Neighbors:
    """The nearest examples of other people.

    A window's own example is among those of its recording, so that none finds itself either.

    Args:
        memory: what is searched.
        embeddings: ``(window, text)``.
        owners: ``(window,)`` subject, empty where not known, and recording.
        choices: whose labels count.
    """
    # Somebody may be named in one place and not in the other.
    person = {name: subject for subject, name in owners if subject and name}
    store = memory.store
    person |= {
        name: subject
        for subject, name in zip(store.subjects.tolist(), store.recordings.tolist(), strict=True)
        if subject and name
    }

    def group(subject: str, name: str) -> tuple[str, str] | str:
        who = subject or person.get(name, "")
        return ("person", who) if who else ("recording", name) if name else ""

    stored = zip(store.subjects.tolist(), store.recordings.tolist(), strict=True)
    return search_outside(
        lambda rows, k: memory.search(embeddings[rows], k, choices.shown),
        len(embeddings),
        NEIGHBORS,
        ids=store.ids,
        groups=[group(*one) for one in stored],
        own_groups=[group(*one) for one in owners],
    )


def _seen(
    recognizer: Recognizer, requests: Sequence[LabeledRequest], window_s: float, progress: Callable[[int], None] | None
) -> tuple[NDArray[np.float32], Floats]:
    """``(window, text)`` embeddings and ``(window, feature)`` physical features, portion by portion."""
    from kinelex.backbones.physical import window_features

    embeddings, features, done = [], [], 0
    portion: list[LabeledRequest] = []
    for request in (*requests, None):
        portion += [request] if request is not None else []
        count = sum(len(one.starts_s) for one in portion)
        if not count or (request is not None and count < _AT_ONCE):
            continue
        places = [(one.recording, one.starts_s) for one in portion]
        embeddings += recognizer.checkpoint.embed_many(places, window_s)
        features.append(window_features(places, window_s))
        done, portion = done + count, []
        if progress is not None:
            progress(done)
    if not embeddings:
        raise BadSamples("no window to learn from has a label that the memory knows: name data sets that share some")
    return np.concatenate(embeddings), np.concatenate(features)
