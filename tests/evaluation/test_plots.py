"""The pictures show what the report says, and nothing that is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinelex.errors import BadSamples
from kinelex.evaluation import plots
from kinelex.evaluation.candidates import open_set
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.report import DataResult, TaskResult
from kinelex.evaluation.zero_shot import score
from kinelex.language import Vocabulary

PNG = b"\x89PNG"


@pytest.fixture
def result() -> tuple[DataResult, TaskResult]:
    """An open set: 3 of 4 walks right and one taken for typing, all 2 jogs right, typing itself never done."""
    task = open_set("x", ["jogging", "walking"], Vocabulary.standard(), ("walking", "running", "typing"), np.eye(3))
    right, wrong = np.array([0.8, 0.1, 0.1]), np.array([0.3, 0.1, 0.6])
    chances = np.array([right, right, right, wrong, right[[1, 0, 2]], right[[1, 0, 2]]])
    truth = np.array([task.class_of_label[name] for name in ["walking"] * 4 + ["jogging"] * 2])
    scored = score([chances], truth, np.array([0, 0, 1, 1, 0, 1]), ["a", "b"], task, ZeroShotProtocol(draws=100))
    data = DataResult(
        name="x", title="X", sha256="0", seen_in_training=None, interval_over="subjects", subjects=2, sessions=2,
        units=6, hours=0.01, sessions_too_short=0, units_without_signal=0, tasks=(scored,),
    )  # fmt: skip
    return data, scored


def test_other_groups_of_an_open_set_share_a_column(result: Any) -> None:
    names, table, columns = plots._visible_confusion(result[1])
    assert names == ["walking", "running"]
    assert columns == ["walking", "running", "any other"]
    assert table.tolist() == [[3, 0, 1], [0, 2, 0]]


def test_pictures_are_written_whole(result: Any, tmp_path: Path) -> None:
    confusion = plots.plot_confusion(*result, tmp_path / "a.png")
    reliability = plots.plot_reliability(*result, tmp_path / "b.png")
    risk = plots.plot_risk_coverage(*result, tmp_path / "c.png")
    assert confusion.read_bytes()[:4] == reliability.read_bytes()[:4] == risk.read_bytes()[:4] == PNG
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]


def test_the_risk_curve_ends_at_the_error_rate_and_begins_with_the_surest(
    result: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = []
    monkeypatch.setattr(plots, "_save", lambda figure, target: figures.append(figure) or target)
    plots.plot_risk_coverage(*result, tmp_path / "a.png")
    (axes,) = figures[0].axes
    curve = axes.lines[1].get_ydata()
    assert (curve[0], curve[-1]) == (0.0, pytest.approx(100 / 6)), "the only error is the least sure of six"


def test_a_report_without_a_risk_curve_says_so(result: Any, tmp_path: Path) -> None:
    data, task = result
    with pytest.raises(BadSamples, match="no risk-coverage curve"):
        plots.plot_risk_coverage(data, task.model_copy(update={"risk_coverage": None}), tmp_path / "a.png")


def test_every_cell_says_its_percent(result: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = []
    monkeypatch.setattr(plots, "_save", lambda figure, target: figures.append(figure) or target)
    plots.plot_confusion(*result, tmp_path / "a.png")
    (axes,) = figures[0].axes
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "75", (0, 2): "25", (1, 1): "100"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["walking  4", "running  2"]


def test_drawing_leaves_the_settings_of_the_user_alone(result: Any, tmp_path: Path) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plots.plot_confusion(*result, tmp_path / "a.png")
    assert dict(mpl.rcParams) == before
