"""Killed at any moment, on a full disk, or with a bit turned: a store loses nothing in silence, and nothing is torn."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from kinelex.artifact import MANIFEST
from kinelex.errors import CorruptArtifact, KinelexError
from kinelex.retrieval import store_writing
from kinelex.retrieval.store import ExampleStore
from tests.retrieval.store_lives import ENCODER, MERGED_AT

SCRIPT = Path(__file__).with_name("store_lives.py")
ROOT = SCRIPT.parents[2]
KILLS = 200

Held = dict[int, tuple[int, str]]
"""Number and label of each example by its id."""


def held(folder: Path) -> Held:
    store = ExampleStore.open(folder, encoder=ENCODER)
    assert np.all(store.vectors[:, 1:] == 1), "an example is torn"
    numbers = store.vectors[:, 0].astype(int).tolist()
    return dict(zip(store.ids.tolist(), zip(numbers, store.labels.tolist(), strict=True), strict=True))


def small_store(folder: Path) -> None:
    """A store of ids 0 to 8, less two, that one more small segment makes merge, with changes to fold."""
    ExampleStore.create(folder, ENCODER)
    with ExampleStore.write(folder, encoder=ENCODER) as writer:
        for number in (1, 4, 7):
            writer.add([[number, 1, 1], [number + 1, 1, 1], [number + 2, 1, 1]], ["walking", "sitting", "lying"])
        writer.delete([3, 4])
        writer.relabel([5, 6], "running")


class Lives:
    """A process that starts short-lived ones; see `store_lives.py`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1"},
        )

    def one(
        self,
        folder: Path,
        *,
        seed: int = 0,
        steps: list[list[object]] | None = None,
        die_at: int | None = None,
        kill_after: tuple[int, float] | None = None,
    ) -> int:
        """Let a child live, up to so many lines in its log and some seconds more; returns how it ended."""
        order = {"folder": str(folder), "log": str(log_of(folder)), "seed": seed, "steps": steps, "die_at": die_at}
        ask, answer = self._pipes
        ask.write(json.dumps(order) + "\n")
        ask.flush()
        child = int(answer.readline())
        if kill_after is not None:
            lines, seconds = kill_after
            patience = time.monotonic() + 60
            while lines and (not (log := log_of(folder)).exists() or log.read_bytes().count(b"\n") < lines):
                assert time.monotonic() < patience, "the child does nothing"
                time.sleep(0.002)
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(int(answer.readline()))

    @property
    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None and self.process.stdout is not None
        return self.process.stdin, self.process.stdout


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    started = Lives()
    with started.process:
        yield started
        started.process.communicate()


def log_of(folder: Path) -> Path:
    return folder.parent / "log"


def read_log(folder: Path) -> list[list[Any]]:
    """What was logged, in whole lines; the log starts anew."""
    log = log_of(folder)
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    log.unlink(missing_ok=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def after(state: Held, step: list[Any], next_id: int) -> Held:
    what, *details = step
    if what == "add":
        return state | {next_id + at: (number, f"label {number}") for at, number in enumerate(details[0])}
    if what == "delete":
        return {id_: kept for id_, kept in state.items() if id_ not in details[0]}
    if what == "relabel":
        return state | {id_: (state[id_][0], details[1]) for id_ in details[0]}
    return state


def leftovers(folder: Path) -> set[str]:
    """Files that are neither the manifest's, nor it, nor locks."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    listed = {segment["file"] for segment in (*manifest["examples"], *manifest["changes"])}
    return {path.name for path in folder.iterdir()} - listed - {MANIFEST, "writer.lock", "readers.lock"}


@pytest.fixture
def as_in_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the disk, and merging is early, as in the children."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(store_writing, "MERGED_AT", MERGED_AT)


@pytest.mark.usefixtures("as_in_lives")
def test_whenever_a_writer_is_killed_what_it_acknowledged_is_there(lives: Lives, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    ExampleStore.create(folder, ENCODER)
    rng = random.Random(os.environ.get("CI") or time.time())
    state, next_id, acknowledged, undecided = Held(), 0, 0, 0
    for life in range(KILLS):
        ended = lives.one(folder, seed=life, kill_after=(rng.randrange(7), rng.random() * 0.01))
        assert ended == -signal.SIGKILL, "it must have been alive still"
        began: list[Any] | None = None
        for kind, *details in read_log(folder):
            if kind == "begins":
                began = details
                continue
            assert began is not None
            state, began, acknowledged = after(state, began, next_id), None, acknowledged + 1
            if isinstance(details[0], list):
                assert details[0] == list(range(next_id, next_id + len(details[0]))), "ids ascend without a gap"
                next_id += len(details[0])
            elif details[0]:
                check_copy(Path(details[0]), state)
        found = held(folder)
        if began is not None:
            undecided += 1
            done = after(state, began, next_id)
            assert found in (state, done), f"life {life}: {began} was done in part"
            next_id += len(began[1]) if began[0] == "add" and found == done else 0
            state = found
        assert found == state, f"life {life}"
        for copy in tmp_path.glob("copy-*"):
            finish_copy(folder, copy, state)
    with ExampleStore.write(folder, encoder=ENCODER) as writer:
        assert not leftovers(folder)
        assert writer.add([[1, 1, 1]], ["label 1"]).tolist() == [next_id]
    assert acknowledged > KILLS / 2 and undecided > KILLS / 10, "kills did not meet writers at work"


def check_copy(copy: Path, state: Held) -> None:
    assert held(copy) == state
    shutil.rmtree(copy)


def finish_copy(folder: Path, copy: Path, state: Held) -> None:
    """A copy that was not acknowledged is whole, or none and can be made again."""
    if not (copy / MANIFEST).exists():
        ExampleStore.open(folder).snapshot(copy)
        assert not leftovers(copy)
    check_copy(copy, state)


STEPS: dict[str, list[object]] = {
    "an addition that merges small segments": ["add", [20, 21]],
    "a delete": ["delete", [0, 1]],
    "a relabel": ["relabel", [0, 8], "label 9"],
    "compaction": ["compact"],
    "a snapshot": ["snapshot"],
}


@pytest.mark.usefixtures("as_in_lives")
@pytest.mark.parametrize("name", STEPS)
def test_killed_at_any_change_to_a_file_a_step_is_done_or_not(lives: Lives, tmp_path: Path, name: str) -> None:
    step, original = STEPS[name], tmp_path / "original"
    small_store(original)
    before = held(original)
    done, change = False, 0
    while not done:
        folder = tmp_path / str(change) / "store"
        shutil.copytree(original, folder)
        ended = lives.one(folder, steps=[step], die_at=change)
        assert ended in (0, -signal.SIGKILL)
        done, change = ended == 0, change + 1
        acknowledged = any(kind == "done" for kind, *_ in read_log(folder))
        found = held(folder)
        wanted = after(before, step, 9)
        assert found == wanted if acknowledged else found in (before, wanted)
        for copy in folder.parent.glob("copy-*"):
            finish_copy(folder, copy, found)
        with ExampleStore.write(folder, encoder=ENCODER) as writer:
            assert not leftovers(folder)
            writer.add([[30, 1, 1]], ["label 30"])
            writer.compact()
        assert [*held(folder).values()] == [*found.values(), (30, "label 30")]
    assert change > 6, "there was nothing to be killed at"


@pytest.mark.usefixtures("as_in_lives")
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
@pytest.mark.parametrize("name", [name for name in STEPS if STEPS[name] != ["snapshot"]])
def test_a_step_that_breaks_off_is_done_or_not_and_the_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException
) -> None:
    step, original = STEPS[name], tmp_path / "original"
    left = -1

    def now_or_later(really: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise error
            really(*arguments)

        return call

    replace = os.replace
    small_store(original)
    before = held(original)
    monkeypatch.setattr(os, "fsync", now_or_later(lambda handle: None))
    monkeypatch.setattr(os, "replace", now_or_later(replace))
    for broken_at in range(1, 30):
        folder = tmp_path / str(broken_at)
        shutil.copytree(original, folder)
        with ExampleStore.write(folder, encoder=ENCODER) as writer:
            left, raised = broken_at, False
            try:
                call, arguments = getattr(writer, str(step[0])), step[1:]
                if step[0] == "add":
                    arguments = [[[20, 1, 1], [21, 1, 1]], ["label 20", "label 21"]]
                call(*arguments)
            except type(error):
                raised = True
            finished, left = left > 0, -1
            found = held(folder)
            assert found in (before, after(before, step, 9))
            assert raised or found == after(before, step, 9)
            ids = writer.add([[30, 1, 1]], ["label 30"]).tolist()
            writer.delete(ids)
            writer.compact()
            assert not leftovers(folder)
        assert held(folder) == found
        if finished:
            return
    raise AssertionError("it never came to its end")


def test_nothing_is_acknowledged_before_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, int | str]] = []
    fsync, replace = os.fsync, os.replace

    def flushed(handle: int) -> None:
        fsync(handle)
        events.append(("flush", os.fstat(handle).st_ino))

    def renamed(draft: Path, target: Path) -> None:
        assert ("flush", draft.stat().st_ino) in events, f"'{target.name}' took its place before it was on the disk"
        replace(draft, target)
        events.append(("rename", target.name))

    folder = tmp_path / "store"
    ExampleStore.create(folder, ENCODER)
    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    with ExampleStore.write(folder, encoder=ENCODER) as writer:
        for change in (
            lambda: writer.add([[1, 1, 1]], ["label 1"]),
            lambda: writer.relabel(0, "label 2"),
            lambda: writer.compact(),
        ):
            events.clear()
            change()
            flushed_folder = ("flush", folder.stat().st_ino)
            segment, manifest = [at for at, event in enumerate(events) if event[0] == "rename"]
            assert events[manifest] == ("rename", MANIFEST)
            assert flushed_folder in events[segment:manifest], "the manifest may come to the disk before what it lists"
            assert flushed_folder in events[manifest:], "the manifest may be lost"


# Damage.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with a file of every kind."""
    path = tmp_path / "store"
    ExampleStore.create(path, ENCODER)
    with ExampleStore.write(path, encoder=ENCODER) as writer:
        writer.add([[number, 1, 1] for number in range(1, 40)], ["walking", "sitting", "lying"] * 13)
        writer.add([[40, 1, 1]], ["label 40"], subjects=["Ada"], recordings=["walk.csv"], start_s=[1], end_s=[2])
        writer.delete([1, 2])
        writer.relabel([0], "running")
    return path


def test_every_turned_bit_is_found(folder: Path) -> None:
    reader = ExampleStore.open(folder)
    rng = random.Random(os.environ.get("CI") or time.time())
    paths = [path for path in folder.iterdir() if path.stat().st_size]
    assert len(paths) == 5
    for path in paths:
        content = path.read_bytes()
        # Every byte of the manifest, which is cheap, and as many everywhere else.
        for at in range(len(content)) if path.name == MANIFEST else np.linspace(0, len(content) - 1, 150).astype(int):
            damaged = bytearray(content)
            damaged[at] ^= 1 << (bit := rng.randrange(8))
            path.write_bytes(damaged)
            for looking in (reader.verify, lambda: ExampleStore.open(folder)):
                with pytest.raises(CorruptArtifact):
                    looking()
                    print(f"bit {bit} of byte {at} of {path.name} was turned")
        path.write_bytes(content)
    reader.verify()


@pytest.mark.parametrize("name", ["examples-00000000.parquet", "changes-00000002.parquet", MANIFEST])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "longer", "another's"])
def test_other_damage_is_found_too(folder: Path, name: str, damage: str, tmp_path: Path) -> None:
    reader = ExampleStore.open(folder)
    path, content = folder / name, (folder / name).read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "another's":
        small_store(tmp_path / "other")
        shutil.copy(tmp_path / "other" / (name if name == MANIFEST else "examples-00000001.parquet"), path)
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "longer": content + b"\n"}[damage])
    with pytest.raises(CorruptArtifact, match=r"'.*'"):
        reader.verify()
    with pytest.raises(KinelexError):
        ExampleStore.open(folder)
    with pytest.raises(CorruptArtifact):
        reader.snapshot(tmp_path / "copy")
    assert not list((tmp_path / "copy").glob("*.parquet"))


def test_damage_is_not_carried_on(folder: Path) -> None:
    path = folder / "examples-00000001.parquet"
    damaged = bytearray(path.read_bytes())
    damaged[20] ^= 1
    path.write_bytes(damaged)
    with ExampleStore.write(folder, encoder=ENCODER) as writer:
        with pytest.raises(CorruptArtifact):
            writer.compact()
        # These do not merge with it, and are no less durable for that.
        ids = [int(writer.add([[number, 1, 1]], [f"label {number}"])[0]) for number in range(41, 61)]
    assert path.read_bytes() == damaged
    damaged[20] ^= 1
    path.write_bytes(damaged)
    assert [held(folder)[id_] for id_ in ids] == [(number, f"label {number}") for number in range(41, 61)]
