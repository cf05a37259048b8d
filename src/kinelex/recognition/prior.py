"""What a heap of unlabeled windows says about how often each label occurs: transductive recognition.

A window alone is judged as if every label were as likely as any other. Windows that are looked at together tell more,
but what they tell depends on what can be assumed, and the wrong assumption costs more than the right one gains:

* *Few* of many labels occur, as in one recording, or where a whole vocabulary competes. Frequencies are then estimated
  by expectation-maximization (`class_frequencies`), and labels that never win die out.
* *All* labels occur, about equally often, as where a set was recorded with a list of activities in hand. Labels that
  are answered too often then lose a part of that (`balance`).

What each is worth, and what was tried and dropped, ``benchmarks/transduction.py`` shows on sets that were left out of
training. In a recording, frequencies gain 2 to 3 points. In a closed set, over a person or the whole set, they lose 6
to 7 points of accuracy, and balance gains 1 point of macro-F1. Among a whole vocabulary, how many training sets have a
label gains 3 points of accuracy and 7 of macro-F1 without looking at any recording (`familiar`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import BadSamples
from kinelex.model.scoring import softmax

Scope = Literal["recording", "subject", "set"]
"""Which windows are looked at together: those of one recording, of one person, or of the whole data set."""

Occurring = Literal["few", "all"]
"""Which labels are assumed to occur among windows that are looked at together."""

PSEUDO_WINDOWS = 10.0
"""So many windows, spread evenly over the labels, are counted in with those that were seen."""
BALANCE = 0.5
"""The share by which labels that are answered too often are held back; 1 is all the way to equal shares, nearly."""
FAMILIARITY = 3.0
"""How much a label gains by being common: the power of the number of training sets that have its group."""
RARE = 0.1
"""What a label counts that no training set has."""
STEPS = 50
"""Turns of expectation-maximization; the estimate hardly moves after 20."""


def familiar(sets: NDArray[np.floating]) -> NDArray[np.float64]:
    """What labels gain in logits where a whole vocabulary competes, by how many training sets have them, ``(label,)``.

    People walk, sit and stand more than they do archery, and the data sets that activities were recorded in say so: the
    more of them have an activity, the likelier it is. This is a prior from training alone; it needs no recording, and
    is not for a list that somebody asked for, all of whose labels are meant.

    Args:
        sets: ``(label,)`` number of training sets that have an activity of the label's group.
    """
    return np.asarray(FAMILIARITY * np.log(np.asarray(sets, dtype=np.float64) + RARE))


def transductive(
    logits: NDArray[np.floating], together: NDArray[np.integer], occurring: Occurring
) -> NDArray[np.float64]:
    """Probabilities of windows that are looked at together.

    Args:
        logits: ``(window, label)`` calibrated logits; a row of NaN where a window has no signal.
        together: ``(window,)`` number of the heap that each window belongs to; heaps do not see each other.
        occurring: what to assume of each heap; see above.

    Returns:
        ``(window, label)``; every row with signal sums to one, one without stays a row of NaN and tells nothing. One
        window alone, or a single label, is answered in the order of its own logits.

    Raises:
        BadSamples: shapes that do not match.
    """
    table = np.asarray(logits, dtype=np.float64)
    if table.ndim != 2 or together.shape != table.shape[:1]:
        raise BadSamples(f"logits (window, label) need a heap per window, not {table.shape} and {together.shape}")
    result = np.full(table.shape, np.nan)
    usable = np.isfinite(table).all(axis=1)
    for heap in np.unique(together[usable]):
        here = usable & (together == heap)
        chances = softmax(table[here])
        offset = np.log(class_frequencies(chances)) if occurring == "few" else balance(table[here])
        result[here] = softmax(table[here] + offset)
    return result


def class_frequencies(
    chances: NDArray[np.floating], *, pseudo_windows: float = PSEUDO_WINDOWS, steps: int = STEPS
) -> NDArray[np.float64]:
    """How often each label occurs, by expectation-maximization; multiply probabilities with it and norm them.

    By turns, the frequencies are the mean of the probabilities, and the probabilities those under these frequencies. It
    raises the likelihood of the windows with every turn, and needs no label. It believes the model: labels that it
    wrongly misses are starved.

    Args:
        chances: ``(window, label)`` probabilities under equal frequencies, without NaN.
        pseudo_windows: see `PSEUDO_WINDOWS`; above zero, so that no frequency is zero.
        steps: turns.

    Returns:
        ``(label,)``, sums to one.

    Source: Saerens, Latinne, Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities",
    Neural Computation 14, 2002, section 2.2; pseudo-windows are a Dirichlet prior on the frequencies.

    >>> class_frequencies(np.array([[0.9, 0.1], [0.8, 0.2], [0.9, 0.1]]), pseudo_windows=1.0).round(2).tolist()
    [0.86, 0.14]
    """
    labels = chances.shape[1]
    found = np.full(labels, 1 / labels)
    for _ in range(steps):
        weighted = chances * found
        weighted /= weighted.sum(axis=1, keepdims=True)
        found = (weighted.sum(axis=0) + pseudo_windows / labels) / (len(chances) + pseudo_windows)
    return np.asarray(found)


def balance(
    logits: NDArray[np.floating], *, share: float = BALANCE, pseudo_windows: float = PSEUDO_WINDOWS, steps: int = STEPS
) -> NDArray[np.float64]:
    """What to add to each label's logit so that none is answered far more often than others.

    The offset is ``-share * log(frequency * labels)``, with the frequencies of the answers that it leads to itself: a
    label that would be answered twice as often as on average loses ``share * log 2``.

    Args:
        logits: ``(window, label)``, without NaN.
        share: see `BALANCE`; 0 changes nothing.
        pseudo_windows: see `PSEUDO_WINDOWS`: a few windows change little.
        steps: turns, each going half of the way.

    Returns:
        ``(label,)``.

    Source: the logit adjustment of Menon et al., "Long-tail learning via logit adjustment", 2021, section 4.1, with
    frequencies of answers in place of training labels.
    """
    labels = logits.shape[1]
    offset = np.zeros(labels)
    for _ in range(steps):
        answered = softmax(logits + offset).sum(axis=0) + pseudo_windows / labels
        excess = np.log(answered * labels / (len(logits) + pseudo_windows))
        offset += 0.5 * (-share * excess - offset)
    return offset
