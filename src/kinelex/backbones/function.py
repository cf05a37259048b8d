"""Anybody's function as a backbone: a contract says what it wants, and the rest is done here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinelex.backbones.clip_encoder import ClipClassifier, ClipEncoder, OfClips
from kinelex.backbones.contract import InputContract


@dataclass(frozen=True, eq=False)
class CallableBackbone(ClipEncoder):
    """A backbone around a function.

    Args:
        function: takes clips ``(clip, channel, step)`` float32 as the contract has them, and an array alike that is
            true where a sample was measured; gives finite vectors ``(clip, dim)``, as an array, a list or a tensor.
        contract: what it wants to be fed.
        width: the length of a vector.
        name: what to call it.
        trained_on: names of the data sets that it saw, if it was trained.

    >>> from kinelex.signal import Recording
    >>> spread = CallableBackbone(lambda signal, valid: signal.std(axis=2), InputContract(rate_hz=20.0), width=6)
    >>> walk = Recording.from_arrays(np.ones((300, 3)), ["acc_x", "acc_y", "acc_z"], rate_hz=50, gravity=False)
    >>> spread.embed(walk, [0.0, 3.0], window_s=3.0).shape
    (2, 6)
    """

    function: OfClips
    contract: InputContract
    width: int
    name: str = "function"
    trained_on: tuple[str, ...] = ()

    @property
    def dim(self) -> int:
        """As it was said to be."""
        return self.width

    def encode(self, signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> ArrayLike:
        """What the function gives."""
        return self.function(signal, valid)


@dataclass(frozen=True, eq=False, kw_only=True)
class CallableClassifier(CallableBackbone, ClipClassifier):
    """A backbone around two functions, the second of which knows activities.

    Args:
        classifier: takes the same as `function`; gives probabilities ``(clip, label)``.
        labels: what it knows, in the order of its columns.
    """

    classifier: OfClips
    labels: tuple[str, ...]

    def classify(self, signal: NDArray[np.float32], valid: NDArray[np.bool_]) -> ArrayLike:
        """What the classifier gives."""
        return self.classifier(signal, valid)
