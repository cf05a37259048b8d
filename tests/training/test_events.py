"""TensorBoard shows what the metrics say, each step once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kinelex.errors import MissingDependency
from kinelex.training.events import EventFiles
from kinelex.training.metrics import MetricsLog


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        name: [(event.step, round(event.value, 5)) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def test_lines_are_shown_as_they_come(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl", 0)
    with EventFiles(tmp_path / "metrics.jsonl", tmp_path / "tensorboard") as events:
        events.follow()
        log.write(step=10, loss=3.5, scale=14.0)
        events.follow()
        log.write(step=20, loss=2.5, scale=14.5)
        log.write(step=20, left_out_macro_f1=0.25, stage="align")
    assert shown(tmp_path / "tensorboard") == {
        "loss": [(10, 3.5), (20, 2.5)],
        "scale": [(10, 14.0), (20, 14.5)],
        "left_out_macro_f1": [(20, 0.25)],
    }


def test_steps_that_are_done_again_stand_there_once(tmp_path: Path) -> None:
    metrics, folder = tmp_path / "metrics.jsonl", tmp_path / "tensorboard"
    with EventFiles(metrics, folder) as events:
        log = MetricsLog(metrics, 0)
        for step in (1, 2, 3):
            log.write(step=step, loss=step)
            events.follow()
        log = MetricsLog(metrics, 1)  # the run was interrupted, and goes on after its first step
        log.write(step=2, loss=20)
    assert shown(folder) == {"loss": [(1, 1.0), (2, 20.0)]}
    with EventFiles(metrics, folder) as events:
        events.follow()
    assert shown(folder) == {"loss": [(1, 1.0), (2, 20.0)]}


def test_without_tensorboard_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependency, match=r"kinelex\[train\]"):
        EventFiles(tmp_path / "metrics.jsonl", tmp_path)
