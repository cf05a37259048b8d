"""Classifiers on frozen vectors: what a backbone says by itself where labels of the target are at hand.

``logistic``: regression on standardized vectors, solved to the end. ``published``: what the published error cuts are
over, LayerNorm and a linear layer after fifty epochs of AdamW. It stops long before it has learned all that the vectors
tell, the earlier the fewer the labels are, and leaves more for retrieval to gain: there for comparison.
"""

from __future__ import annotations

import math
import warnings
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from kinelex.errors import MissingDependency
from kinelex.evaluation.retrieval.protocol import Head
from kinelex.training.machine import reproducible
from kinelex.training.randomness import numpy_generator, seed_of

PUBLISHED_EPOCHS = 50
PUBLISHED_BATCH = 256
PUBLISHED_RATE = 1e-4
PUBLISHED_DECAY = 0.05
PUBLISHED_BETAS = (0.9, 0.999)

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def head_probabilities(
    vectors: NDArray[np.float32],
    truth: Rows,
    labeled: Rows,
    asked: Rows,
    classes: int,
    *,
    head: Head = "logistic",
    seed: int = 0,
) -> Floats:
    """Learn from labeled windows, and say what others are.

    Args:
        vectors: ``(window, number)``.
        truth: ``(window,)`` class numbers.
        labeled: windows to learn from.
        asked: windows to answer to.
        classes: how many there are; one without a labeled window has no chance.
        head: which.
        seed: of the published one's first weights and of its batches.

    Returns:
        ``(asked, class)``.

    Raises:
        MissingDependency: scikit-learn, which the logistic head needs, is not installed.
    """
    chances = np.zeros((len(asked), classes))
    present, numbers = np.unique(truth[labeled], return_inverse=True)
    if len(present) == 1:
        chances[:, present[0]] = 1.0
        return chances
    if head == "logistic":
        chances[:, present] = _logistic(vectors[labeled], numbers, vectors[asked])
    else:
        chances[:, present] = published_head(vectors[labeled], numbers, vectors[asked], seed=seed)
    return chances


def published_head(
    learned: NDArray[np.float32],
    truth: Rows,
    asked: NDArray[np.float32],
    *,
    seed: int = 0,
    epochs: int = PUBLISHED_EPOCHS,
) -> Floats:
    """LayerNorm and a linear layer, as published; the weights after the epoch with the least training loss.

    The loss of an epoch is the mean of its batches' losses, each before its update.

    Args:
        learned: ``(window, number)`` vectors to learn from.
        truth: ``(window,)`` their classes, from 0 without a gap.
        asked: ``(window, number)`` vectors to answer to.
        seed: of the first weights, and of the order of windows in each epoch.
        epochs: times that every window is seen.

    Returns:
        ``(asked, class)``.

    Source: MoRA's public code (github.com/liavonpenn/mora), the head over which its figures are gains.
    """
    inputs, targets = torch.from_numpy(learned.astype(np.float64)), torch.from_numpy(np.asarray(truth, np.int64))
    with reproducible(1):
        torch.manual_seed(seed_of(seed, 0, "weights of a head"))
        network = nn.Sequential(
            nn.LayerNorm(inputs.shape[1]), nn.Linear(inputs.shape[1], int(truth.max()) + 1)
        ).double()
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=PUBLISHED_RATE, betas=PUBLISHED_BETAS, weight_decay=PUBLISHED_DECAY
        )
        least, best = math.inf, deepcopy(network.state_dict())
        for epoch in range(epochs):
            order = torch.from_numpy(numpy_generator(seed, epoch, "order of a head's windows").permutation(len(inputs)))
            losses = []
            for batch in order.split(PUBLISHED_BATCH):
                loss = functional.cross_entropy(network(inputs[batch]), targets[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            if (mean := float(np.mean(losses))) < least:
                least, best = mean, deepcopy(network.state_dict())
        network.load_state_dict(best)
        with torch.inference_mode():
            said = functional.softmax(network(torch.from_numpy(asked.astype(np.float64))), dim=1)
    return np.asarray(said.numpy(), dtype=np.float64)


def _logistic(learned: NDArray[np.float32], truth: Rows, asked: NDArray[np.float32]) -> Floats:
    """``(asked, class)`` of logistic regression on standardized vectors."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise MissingDependency("a head needs scikit-learn: pip install 'kinelex[train]'") from None
    scaler = StandardScaler().fit(learned.astype(np.float64))
    head = LogisticRegression(C=0.1, max_iter=2000)
    with warnings.catch_warnings():
        # With one or two windows of each class it asks whether classes are meant at all.
        warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
        head.fit(scaler.transform(learned), truth)
    return np.asarray(head.predict_proba(scaler.transform(asked)))
