"""aeon's BasicMotions, read without importing aeon."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kinelex.errors import MissingDependency, UnreadableFile
from kinelex.readers import basic_motions
from kinelex.readers.basic_motions import LABELS, _cases


def test_eighty_recordings_of_ten_seconds_each_with_its_label() -> None:
    pytest.importorskip("aeon")
    recordings = basic_motions()
    assert len(recordings) == 80
    assert Counter(r.intervals[0].label for r in recordings) == dict.fromkeys(LABELS, 20)
    for recording in recordings:
        assert recording.samples.shape == (100, 6) and np.isfinite(recording.samples).all()
        assert (recording.rate_hz, recording.gravity, recording.placements) == (10, False, ("wrist",))
        assert [(i.start_s, i.end_s) for i in recording.intervals] == [(0, 10)]
    assert len({recording.name for recording in recordings}) == 80
    still = [np.abs(r.samples).mean() for r in recordings if r.intervals[0].label == "Standing"]
    running = [np.abs(r.samples).mean() for r in recordings if r.intervals[0].label == "Running"]
    assert max(still) < min(running)


def test_aeon_is_not_imported() -> None:
    pytest.importorskip("aeon")
    code = "import sys; from kinelex.readers import basic_motions; basic_motions(); print('aeon' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_aeon_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"kinelex\[demo\]"):
        basic_motions()


@pytest.mark.parametrize("line", ["1,2:3,4:Standing", "a,b:1,2:1,2:1,2:1,2:1,2:Standing", "1:1:1:1:1:1:Flying"])
def test_a_damaged_file_is_named_by_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "BasicMotions_TRAIN.ts"
    path.write_text(f"@classLabel true\n@data\n{line}\n")
    with pytest.raises(UnreadableFile, match="line 3"):
        _cases(path)
    path.unlink()
    with pytest.raises(UnreadableFile, match="does not exist"):
        _cases(path)
