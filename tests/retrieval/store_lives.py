"""Lives that end early: a process that imports the store once and forks a child for each line that it is told.

A line is JSON: the folder of a store, its log, a seed, what to do, and at which change to a file to die (null: never).
The process answers with the number of the child, then with how it ended. The child logs what it begins and has done.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path

import pyarrow.compute  # noqa: F401  # once, before children are made

from kinelex.retrieval import store_writing
from kinelex.retrieval.store import Encoder, ExampleStore, ExampleWriter

ENCODER = Encoder(name="tiny", fingerprint="9f2c41d07b5e", width=3)
MERGED_AT = 4
"""Few segments are enough to be merged, so that it happens often."""

_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def live(folder: Path, log: Path, seed: int, steps: list[list[object]] | None) -> None:
    """Take the given steps, or else random ones without end."""
    rng = random.Random(seed)
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with ExampleStore.write(folder, encoder=ENCODER) as writer:
        known = ExampleStore.open(folder).ids.tolist()
        for number, step in enumerate(steps or iter(lambda: chosen(rng, known), None)):
            os.write(handle, json.dumps(["begins", *step]).encode() + b"\n")
            taken = take(writer, known, f"{seed}-{number}", step)
            os.write(handle, json.dumps(["done", taken]).encode() + b"\n")


def chosen(rng: random.Random, known: list[int]) -> list[object]:
    """A step at random; stores stay small, so that many fit into a test."""
    what = rng.choices(("add", "delete", "relabel", "compact", "snapshot"), (50, 20, 15, 10, 5))[0]
    if what == "add":
        return ["add", [rng.randrange(1, 1000) for _ in range(rng.randint(1, 4))]]
    some = rng.sample(known, min(len(known), rng.randint(1, 6)))
    if what == "delete":
        return ["delete", some]
    return ["relabel", some, f"label {rng.randrange(1000)}"] if what == "relabel" else [what]


def take(writer: ExampleWriter, known: list[int], name: str, step: list[object]) -> object:
    what, *details = step
    if what == "add":
        numbers: list[int] = details[0]  # type: ignore[assignment]
        ids = writer.add([[number, 1, 1] for number in numbers], [f"label {number}" for number in numbers]).tolist()
        known += ids
        return ids
    if what == "delete":
        writer.delete(details[0])  # type: ignore[arg-type]
        known[:] = [id_ for id_ in known if id_ not in details[0]]  # type: ignore[operator]
    elif what == "relabel":
        writer.relabel(*details)  # type: ignore[arg-type]
    elif what == "compact":
        writer.compact()
    elif what == "snapshot":
        copy = writer.folder.parent / f"copy-{name}"
        ExampleStore.open(writer.folder).snapshot(copy)
        return str(copy)
    return None


def die_at(change: int, folder: Path) -> None:
    """End this process for good right before it changes a file of the store, or of a copy, for the `change`-th time."""
    left = change

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        changes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir")
        # Of an opened file, the last argument says what for.
        changes |= event == "open" and bool(int(arguments[2]) & _TO_WRITE)  # type: ignore[call-overload]
        if changes and any(part in str(arguments[0]) for part in (str(folder), f"{folder.parent}/copy-")):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main() -> None:
    # A killed process loses nothing that it has written, flushed or not: waiting for the disk would only take time.
    os.fsync = lambda handle: None
    store_writing.MERGED_AT = MERGED_AT
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            folder = Path(order["folder"])
            if order["die_at"] is not None:
                die_at(order["die_at"], folder)
            try:
                live(folder, Path(order["log"]), order["seed"], order["steps"])
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
