"""An import that is killed, at whatever moment, goes on where it stopped and ends in the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kinelex.datasets import StoredDataset, import_dataset, list_stored

SHARD_ROWS = 300
IMPORT = f"""
import sys
from kinelex.datasets import import_dataset, shards
shards.SHARD_ROWS = {SHARD_ROWS}
print("ready", flush=True)
import_dataset(sys.argv[1], sys.argv[2])
"""


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def receipts(root: Path) -> int:
    return len(list(root.glob("made_up/*/shard-*.json")))


def import_and_kill(source: Path, root: Path, shards: int, delay_s: float) -> bool:
    """Import in a process of its own and kill it some time after so many shards; whether it was killed on its way."""
    command = [sys.executable, "-c", IMPORT, str(source), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        while receipts(root) < shards and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is for POSIX")
def test_kill_at_random_moments_and_go_on(source, make_table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = source(make_table(subjects=6, sessions=3))
    monkeypatch.setattr("kinelex.datasets.shards.SHARD_ROWS", SHARD_ROWS)
    whole = import_dataset(path, tmp_path / "whole")
    assert len(whole.shards) == 54

    root = tmp_path / "killed"
    seed = random.randrange(1 << 30)
    choice = random.Random(seed)
    killed, finished = 0, {}
    for low, high in ((0, 10), (14, 26), (30, 44)):
        killed += import_and_kill(path, root, choice.randint(low, high), choice.uniform(0, 0.005))
        if not list_stored(root):
            done = sorted(root.glob("made_up/*/shard-*.parquet"))[: max(0, receipts(root))]
            assert all(file.stat().st_mtime_ns == finished.get(file.name, file.stat().st_mtime_ns) for file in done)
            finished |= {file.name: file.stat().st_mtime_ns for file in done}
    assert killed, f"never killed on its way, seed {seed}"

    resumed = import_dataset(path, root)
    assert contents(root / "made_up") == contents(tmp_path / "whole" / "made_up"), f"seed {seed}"
    assert {f: (resumed.folder / resumed.shards[0][0]).with_name(f).stat().st_mtime_ns for f in finished} == finished
    assert resumed.index == whole.index


def test_what_is_not_finished_is_not_there(source, make_table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, root = source(make_table(subjects=2)), tmp_path / "data"
    monkeypatch.setattr("kinelex.datasets.shards.SHARD_ROWS", SHARD_ROWS)

    def stop_half_way(stage: str, done: int, total: int) -> None:
        if done * 2 > total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(path, root, progress=stop_half_way)
    assert receipts(root) > 0
    assert list_stored(root) == ()
    import_dataset(path, root)
    assert list_stored(root) == ("made_up",)
    assert receipts(root) == 0


def test_a_finished_shard_that_was_damaged_is_written_again(
    source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, root = source(), tmp_path / "data"
    whole = import_dataset(path, tmp_path / "whole")

    def stop_at_the_end(stage: str, done: int, total: int) -> None:
        if done == total and stage == "writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(path, root, progress=stop_at_the_end)
    (shard,) = root.glob("made_up/*/shard-*.parquet")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    import_dataset(path, root)
    assert contents(root / "made_up") == contents(tmp_path / "whole" / "made_up")
    assert StoredDataset.open(root, "made_up", verify=True).index == whole.index


def test_two_imports_at_once_end_in_one_data_set(source, make_table, tmp_path: Path) -> None:
    path, root = source(make_table(subjects=2)), tmp_path / "data"
    command = [sys.executable, "-c", IMPORT, str(path), str(root)]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(list(StoredDataset.open(root, "made_up", verify=True).sessions())) == 12
