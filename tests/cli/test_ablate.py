"""``kinelex ablate``: killed, gone on with, and one table in the end; what cannot be is refused before it begins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kinelex.cli import main
from kinelex.datasets import import_dataset
from tests.evaluation.conftest import session

ACTIVITIES = ("standing", "running", "walking")
ABLATION = """
base:
  train: [ours, theirs]
  steps: 6
  batch_windows: 8
  save_every: 2
  log_every: 1
  threads: 1
  precision: fp32
  model: {width: 16, layers: 1, heads: 2, queries: 2, hop_s: 2.0}
folds: [[theirs]]
text_spaces: [centered]
chosen: longer
variants:
  longer: {changes: {steps: 8}, note: more updates}
  blocked: {changes: {steps: 4}, note: cannot be trained}
"""


def import_made_up(folder: Path, root: Path, name: str) -> None:
    """Three people, three activities, 12 s of each at 20 Hz."""
    rows: dict[str, list[Any]] = {column: [] for column in ("session", "subject", "activity", "t")}
    columns = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    signal_of = []
    for person in range(3):
        for number, activity in enumerate(ACTIVITIES):
            rows["session"] += [f"{person}-{activity}"] * 240
            rows["subject"] += [f"{name}{person}"] * 240
            rows["activity"] += [activity] * 240
            rows["t"] += [i / 20 for i in range(240)]
            signal_of.append(session(number, activity, 12.0, subject=None).samples)
    table = {
        c: pa.array([row for part in signal_of for row in part[:, i]], pa.float64()) for i, c in enumerate(columns)
    }
    pq.write_table(pa.table({**rows, **table}), folder / f"{name}.parquet")
    card = {
        "name": name, "title": f"{name}, made up", "subjects": 3, "placement": "pocket", "gravity": True,
        "units": {"acc": "m/s^2", "gyro": "rad/s"}, "rate_hz": 20, "hours": round(9 * 12 / 3600, 4),
        "columns": list(columns), "activities": dict.fromkeys(ACTIVITIES, 36.0),
    }  # fmt: skip
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(card))
    import_dataset(folder / f"{name}.parquet", root)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made-up")
    for name in ("ours", "theirs"):
        import_made_up(folder, folder / "store", name)
    return folder / "store"


def kill_during_first_run(call: list[str], run: Path) -> None:
    """Start the command as a process group of its own, and kill all of it after some updates."""
    code = "from kinelex.cli import main; raise SystemExit(main())"
    process = subprocess.Popen([sys.executable, "-c", code, *call], start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 600  # on a machine that has all words still to encode
    try:
        while not list((run / "states").glob("step-*")):
            assert process.poll() is None and time.monotonic() < deadline, "it must be training by now"
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_it_goes_on_after_a_kill_names_what_fails_and_writes_one_table(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some.yaml").write_text(ABLATION)
    out = tmp_path / "out"
    call = ["ablate", str(tmp_path / "some.yaml"), "--root", str(store), "--out", str(out), "--jobs", "2"]
    kill_during_first_run([*call[:-1], "1"], out / "base-without-theirs-seed0")
    blocked = out / "blocked-without-theirs-seed0"
    blocked.write_text("a file where its folder would be")

    assert main(call) == 1, "a run has failed"
    printed = capsys.readouterr()
    assert "failed: blocked-without-theirs-seed0 (exit code" in printed.err
    assert "File exists" in printed.err, "the end of its log"
    assert "1 of 3 runs failed: blocked-without-theirs-seed0" in printed.err
    assert "longer: temperature" in printed.out
    lines = (out / "base-without-theirs-seed0" / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines if "loss" in line]
    assert steps == [1, 2, 3, 4, 5, 6], "no update was lost or stands there twice"
    record = json.loads((out / "ablation.json").read_text())
    rows = [(row["variant"], row["text_space"], row["texts"]) for row in record["rows"]]
    assert rows == [
        (variant, space, texts)
        for texts in ("words", "vocabulary")
        for variant in ("base", "longer")
        for space in ("whole", "centered")
    ]
    assert record["missing"] == ["blocked-without-theirs-seed0"]
    assert {run["windows"] for run in record["runs"]} == {18}
    assert set(record["datasets"]) == {"ours", "theirs"}
    assert "| longer | words |" in (out / "ablation.md").read_text()

    result = out / "longer-without-theirs-seed0" / "result.json"
    before = result.stat().st_mtime_ns
    assert main([*call, "--only", "longer"]) == 0, "what is asked for is there"
    assert "0 runs to train, 2 finished before" in capsys.readouterr().err
    assert result.stat().st_mtime_ns == before, "nothing is trained twice"
    assert json.loads((out / "ablation.json").read_text())["rows"] == record["rows"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("steps: 8", "stepz: 8", "variant 'longer': recipes have no field 'stepz': did you mean 'steps'?"),
        ("steps: 8", "model.width: 7", "variant 'longer'"),
        ("[ours, theirs]", "[ours, theirs, nobodys]", "nobodys"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    (tmp_path / "some.yaml").write_text(ABLATION.replace(old, new))
    out = tmp_path / "out"
    assert main(["ablate", str(tmp_path / "some.yaml"), "--root", str(store), "--out", str(out)]) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_of_another_ablation_is_refused(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some.yaml").write_text(ABLATION)
    home = tmp_path / "out" / "longer-without-theirs-seed0"
    home.mkdir(parents=True)
    (home / "recipe.json").write_text("{}")
    call = ["ablate", str(tmp_path / "some.yaml"), "--root", str(store), "--out", str(tmp_path / "out")]
    assert main(call) == 2
    assert "holds a run of another recipe" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == [home.name]


def test_a_variant_that_there_is_not_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "some.yaml").write_text(ABLATION)
    assert main(["ablate", str(tmp_path / "some.yaml"), "--only", "longr"]) == 2
    assert "no variant 'longr': did you mean 'longer'?" in capsys.readouterr().err
