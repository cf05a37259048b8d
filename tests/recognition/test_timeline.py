"""The result as people use it: text, HTML, tables, CSV, picture."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import UsageError
from kinelex.recognition import Recognizer, Timeline
from kinelex.recognition.picture import envelope
from kinelex.recognition.timeline import COLUMNS, clock
from kinelex.signal.recording import Interval

LABELS = ("standing", "walking", "running")


@pytest.fixture
def timeline(recognizer: Recognizer, moving) -> Timeline:
    return recognizer.recognize(moving(("standing", 30), ("walking", 30), (None, 12), ("running", 30)), LABELS)


def test_it_says_what_happened_when(timeline: Timeline) -> None:
    said = [(segment.activity, round(segment.start_s), round(segment.end_s)) for segment in timeline.segments]
    assert [activity for activity, _, _ in said] == ["standing", "walking", None, "running"]
    assert said[2][1:] == (60, 72)
    assert abs(said[0][2] - 30) <= 3
    assert timeline.segments[2].quality == "no signal" and timeline.segments[2].unsure
    assert timeline.segments[0].quality == "good" and not timeline.segments[0].unsure


def test_the_csv_is_the_frame(timeline: Timeline, tmp_path: Path) -> None:
    path = timeline.to_csv(tmp_path / "new" / "timeline.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    frame = timeline.to_frame()
    assert tuple(rows[0]) == tuple(frame.columns) == COLUMNS
    assert [row["activity"] for row in rows] == ["standing", "walking", "", "running"]
    assert [row["probability"] == "" for row in rows] == frame["probability"].isna().tolist()
    assert [row["unsure"] for row in rows] == ["false", "false", "true", "false"]
    assert [float(row["end_s"]) for row in rows] == pytest.approx(frame["end_s"].tolist(), abs=1e-3)


def test_a_failing_write_leaves_what_was_there(timeline: Timeline, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "timeline.csv"
    path.write_text("before")

    def fail(self: object, row: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Timeline, "to_records", fail)
    with pytest.raises(TypeError):
        timeline.to_csv(path)
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["timeline.csv"]


def test_windows_have_a_table_of_their_own(timeline: Timeline) -> None:
    frame = timeline.windows_frame()
    assert list(frame.columns) == ["start_s", "end_s", "activity", "unsure", *LABELS]
    assert len(frame) == len(timeline.windows)


def test_text_and_html_show_segments_and_escape_labels(recognizer: Recognizer, moving) -> None:
    timeline = recognizer.recognize(moving(("walking", 20)), ("walking", "standing"))
    timeline = replace(timeline, labels=("<b>walking</b>", "standing"))
    assert "<b>walking</b>" in str(timeline) and "20.0 s" in str(timeline)
    assert "&lt;b&gt;walking" in timeline._repr_html_() and "<b>walking" not in timeline._repr_html_()


def test_a_long_timeline_is_printed_in_part(recognizer: Recognizer, moving) -> None:
    timeline = recognizer.recognize(moving(*[("walking", 12), ("standing", 12)] * 15), LABELS)
    assert len(timeline.segments) == 30
    assert "and 10 more" in str(timeline) and "and 10 more" in timeline._repr_html_()


def test_seconds_add_up(timeline: Timeline) -> None:
    assert sum(timeline.seconds().values()) == pytest.approx(timeline.recording.duration_s - 12)
    assert list(timeline.seconds().values()) == sorted(timeline.seconds().values(), reverse=True)


def test_overall_is_what_was_done_most(recognizer: Recognizer, moving) -> None:
    overall = recognizer.recognize(moving(("walking", 40), ("standing", 12)), LABELS).overall()
    assert overall.activity == "walking" and (overall.start_s, overall.end_s) == (0.0, 52.0)
    assert 0.5 < overall.probability < 1.0


def test_times_are_written_as_people_read_them() -> None:
    assert [clock(s) for s in (0, 59.94, 59.97, 61, 3599.6, 90000)] == [
        "0.0 s", "59.9 s", "1:00", "1:01", "1:00:00", "25:00:00"
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_the_picture_is_written(timeline: Timeline, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"timeline{suffix}"
    timeline.plot(path)
    assert path.stat().st_size > 5000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_another_file_type_is_refused_and_nothing_written(timeline: Timeline, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        timeline.plot(tmp_path / "timeline.docx")
    assert not list(tmp_path.iterdir())


def words_in(figure) -> list[str]:
    texts = [text.get_text() for panel in figure.axes for text in panel.texts]
    ticks = [text.get_text() for panel in figure.axes for text in panel.get_yticklabels()]
    key = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return texts + ticks + key + [text.get_text() for text in figure.texts]


def test_the_picture_names_every_activity_the_truth_and_the_gap(timeline: Timeline) -> None:
    truth = (Interval(0.0, 30.0, "Standing"), Interval(30.0, 60.0, "walk_fast"))
    words = words_in(replace(timeline, recording=replace(timeline.recording, intervals=truth)).plot())
    assert {"standing", "walking", "running", "truth", "walk.csv"} <= set(words)
    assert any(word.startswith("no signal") for word in words)


def test_many_short_segments_get_lanes(recognizer: Recognizer, moving) -> None:
    timeline = recognizer.recognize(moving(*[("walking", 12), ("standing", 12)] * 60), LABELS)
    figure = timeline.plot()
    assert [text.get_text() for text in figure.axes[-1].get_yticklabels()] == list(timeline.seconds())


def test_a_spike_survives_the_envelope() -> None:
    values = np.zeros(1_000_000, dtype=np.float32)
    values[543_210] = 80.0
    values[:1000] = np.nan
    times, low, high = envelope(values, 100.0, 500)
    assert len(times) == 500 and np.nanmax(high) == 80.0 and np.nanmin(low) == 0.0


@pytest.mark.parametrize("labels", [("$walking$", "standing"), ("_walking", "standing"), ("w" * 200, "standing")])
def test_odd_names_do_not_break_the_picture(recognizer: Recognizer, moving, tmp_path: Path, labels) -> None:
    recording = moving(("walking", 20), ("standing", 20), name="a $x_1$ {b}.csv")
    timeline = recognizer.recognize(recording, ("walking", "standing"))
    replace(timeline, labels=labels).plot(tmp_path / "timeline.png")
