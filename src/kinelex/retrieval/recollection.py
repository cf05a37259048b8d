"""What remembered examples say in the currency of words, so that both can be weighed against each other.

A class that has a name gets a logit from its text, and a class that has examples gets one from how near they are; the
two are added as chances are. Written out, this is the fusion of MoRA (equation 1) with a weight of its own for every
window: retrieval counts for more the nearer the examples are and the less the words explain. One example is enough, no
class needs both, and nothing is trained. Where labels are many, a trained gate may weigh better (see `gate`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from kinelex.retrieval.neighbors import Neighbors

NEAR = 10.0
"""What a cosine of one is worth more than a cosine of zero, in calibrated logits."""

FAR = -6.0
"""What a cosine of zero is worth, of a class with one example."""

MANY = 0.6
"""What is taken off for every e-fold of examples: among many, some are near by chance."""

FADE = 0.9
"""What a word loses for every e-fold of examples of its class: the more there are, the less it has to add."""

HEARD = 3
"""So many of the nearest neighbors of a class are averaged: one window can look like anything."""

_NOTHING = -np.inf


def remembered_logits(
    neighbors: Neighbors, classes: NDArray[np.int64], sizes: NDArray[np.integer]
) -> NDArray[np.float64]:
    """A logit for every class from its nearest examples.

    Args:
        neighbors: by cosine, best first, ``(window, k)``.
        classes: of the neighbors, ``(window, k)``; -1 for none that counts.
        sizes: ``(class,)`` how many examples of each are remembered.

    Returns:
        ``(window, class)``; minus infinity for a class that no neighbor is of.

    The constants were chosen on sets that were left out of training, by how well one activity is told from all others
    that are known by their words (``benchmarks/remember.py``).
    """
    logits = np.full((len(classes), len(sizes)), _NOTHING)
    for number, size in enumerate(sizes.tolist()):
        mine = classes == number
        heard = mine & (np.cumsum(mine, axis=1) <= HEARD)
        votes = heard.sum(axis=1)
        total = np.where(heard, neighbors.similarity, 0.0).sum(axis=1, dtype=np.float64)
        logits[votes > 0, number] = NEAR * total[votes > 0] / votes[votes > 0] + FAR - MANY * np.log(max(size, 1))
    return logits


def faded_words(text: NDArray[np.floating], sizes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Logits of classes from their words, less what the examples of a class take over.

    Args:
        text: calibrated logits, ``(window, class)``.
        sizes: ``(class,)`` how many examples of each are remembered.
    """
    return np.asarray(np.asarray(text, dtype=np.float64) - FADE * np.log(np.maximum(sizes, 1)))


def with_remembered(text: NDArray[np.floating], remembered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of classes from their words and from their examples, ``(window, class)``.

    Args:
        text: `faded_words`; minus infinity for a class whose words nobody understands, a row of NaN for a window
            without signal, which stays one.
        remembered: `remembered_logits` of the same windows and classes.
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(np.logaddexp(np.asarray(text, dtype=np.float64), remembered))


def retrieval_weight(text: NDArray[np.floating], remembered: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of the answer comes from examples, ``(window,)`` in [0, 1]: the weight of retrieval in MoRA's fusion."""
    with np.errstate(invalid="ignore"):
        words, examples = (
            np.logaddexp.reduce(np.asarray(logits, dtype=np.float64), axis=1) for logits in (text, remembered)
        )
        return np.asarray(expit(examples - words))
