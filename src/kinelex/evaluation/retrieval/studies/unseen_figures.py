"""What systems answer when something is unknown to them, collected and scored."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kinelex.evaluation import metrics
from kinelex.evaluation.retrieval.protocol import RetrievalProtocol, System
from kinelex.evaluation.retrieval.targets import Target
from kinelex.evaluation.statistics import Estimate, Statistic, bootstrap_over_subjects

Rows = NDArray[np.int64]
Said = Mapping[System, NDArray[np.float64]] | Mapping[str, NDArray[np.float32]]

_NOT_ASKED = -1


class Collected:
    """Predictions of each system with each memory, drawing by drawing.

    Args:
        target: what was answered to.
        groups: how many times all of it is tested, each time with something else unknown.
    """

    def __init__(self, target: Target, groups: int = 1) -> None:
        self.target, self.groups = target, groups
        self._predicted: dict[tuple[str, str], dict[int, Rows]] = {}

    def note(self, memory: str, said: Said, test: Rows, *, draw: int = 0, group: int = 0) -> None:
        """Keep what was answered to some windows.

        Args:
            memory: what was remembered.
            said: ``(tested, class)`` of each system.
            test: numbers of the windows.
            draw: of the examples.
            group: what was unknown.
        """
        for system, chances in said.items():
            draws = self._predicted.setdefault((memory, system), {})
            if draw not in draws:
                draws[draw] = np.full((self.groups, len(self.target)), _NOT_ASKED, dtype=np.int64)
            draws[draw][group, test] = chances.argmax(axis=1)

    def tested(self, memory: str, system: str) -> Rows:
        """Numbers of the windows that were answered to in every drawing and group."""
        return np.flatnonzero((self._all(memory, system) != _NOT_ASKED).all(axis=(0, 1)))

    def figure(self, memory: str, system: str, statistic: Statistic, protocol: RetrievalProtocol) -> Estimate | None:
        """A figure with its spread over drawings and its interval over people; none where nothing was answered.

        Args:
            memory: what was remembered.
            system: who answered.
            statistic: of confusion tables ``(..., group, truth, predicted)``.
            protocol: how intervals are made.
        """
        if (memory, system) not in self._predicted or not len(tested := self.tested(memory, system)):
            return None
        truth, (_, people) = self.target.truth[tested], np.unique(self.target.subjects[tested], return_inverse=True)
        classes = len(self.target.classes)
        tables = [
            np.stack(
                [metrics.confusion_per_subject(truth, group[tested], people, classes) for group in predicted], axis=1
            )
            for predicted in self._all(memory, system)
        ]
        return bootstrap_over_subjects(
            np.stack(tables), statistic, draws=protocol.bootstrap, level=protocol.level, seed=protocol.seed
        )

    def _all(self, memory: str, system: str) -> NDArray[np.int64]:
        """``(draw, group, window)``."""
        draws = self._predicted[memory, system]
        return np.stack([draws[draw] for draw in sorted(draws)])


def f1_over(classes: NDArray[np.bool_]) -> Statistic:
    """The statistic of mean F1 over some classes, mean over the groups.

    Args:
        classes: ``(group, class)``, at least one in each group.
    """

    def statistic(tables: NDArray[np.generic]) -> NDArray[np.float64]:
        scores = metrics.f1_per_class(tables)
        return np.asarray(((scores * classes).sum(axis=-1) / classes.sum(axis=-1)).mean(axis=-1))

    return statistic
