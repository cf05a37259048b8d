"""The metrics of a run as TensorBoard's event files, for whoever watches runs there."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from kinelex.errors import MissingDependency
from kinelex.training.metrics import read_metrics


class EventFiles:
    """Follows ``metrics.jsonl`` and shows its lines to TensorBoard.

    The metrics are the truth and the events a copy of them: what an earlier life of the run wrote is replaced, so that
    steps that are done again stand there once. They are appended by TensorBoard's own writer, because it is looked at
    while the run goes on; a crash loses what can be copied again.

    Args:
        metrics: the file of lines, which need not exist yet.
        folder: where event files go; what is in it is removed.

    Raises:
        MissingDependency: TensorBoard is not installed.
    """

    def __init__(self, metrics: Path, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingDependency(
                "event files are written by TensorBoard, which is not installed: pip install 'kinelex[train]'"
            ) from None
        self._metrics, self._folder, self._type = metrics, folder, SummaryWriter
        self._shown: list[dict[str, Any]] = []
        self._size = -1
        self._writer: Any = None

    def __enter__(self) -> EventFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def follow(self) -> None:
        """Show the lines that were added since the last call; cheap when there are none."""
        size = self._metrics.stat().st_size if self._metrics.is_file() else 0
        if size == self._size:
            return
        self._size = size
        lines = read_metrics(self._metrics)
        if self._writer is None or lines[: len(self._shown)] != self._shown:
            self._start_again()
        for line in lines[len(self._shown) :]:
            for name, value in line.items():
                if name != "step" and isinstance(value, int | float):
                    self._writer.add_scalar(name, value, line["step"])
        self._shown = lines

    def close(self) -> None:
        """Show what is left, and end the file."""
        self.follow()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _start_again(self) -> None:
        if self._writer is not None:
            self._writer.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._writer = self._type(str(self._folder))
        self._shown = []
