"""How fast official files are parsed, and in how much memory a large set is imported.

    python benchmarks/import.py --raw FOLDER-OF-OFFICIAL-FILES --large 10

Every parser of the catalog reads its set: official files where the folder has some (``FOLDER/NAME``), else the small
made-up files that the tests write in the official layout, so small that opening them is most of the time. HAPT's text
is read as an import does and by `numpy.loadtxt`, in turns. With ``--large``, HAPT experiments are repeated (as links)
until the set has that many gigabytes, and imported by a process of its own, whose memory is measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from kinelex import artifact
from kinelex.datasets import catalog_entry, catalog_names, import_official
from kinelex.datasets.official import READERS
from kinelex.datasets.parsers import trials
from kinelex.datasets.parsers.decimals import read_decimals
from kinelex.errors import WrongUnit

HERE = Path(__file__).resolve().parent
ROUNDS = 15


def seconds(run: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def parse(name: str, folder: Path) -> dict[str, Any]:
    """Parse all trials of a set, twice, and keep the faster time."""
    entry = catalog_entry(name)
    found = list(trials(entry, folder))
    size = sum(path.stat().st_size for path in {path for trial in found for path in trial.files})
    hours = 0.0
    times = []
    for _ in range(2):
        start = time.perf_counter()
        try:
            hours = sum(recording.duration_s for trial in trials(entry, folder) for recording in trial.read()) / 3600
        except WrongUnit:
            return {"megabytes": round(size / 1e6, 3), "refused": "published without units"}
        times.append(time.perf_counter() - start)
    return {
        "megabytes": round(size / 1e6, 3),
        "trials": len(found),
        "hours": round(hours, 3),
        "megabytes_per_s": round(size / 1e6 / min(times), 2),
    }


def against_loadtxt(folder: Path) -> dict[str, Any]:
    """The text of all experiments, read as an import reads it (so many trials at a time) and by NumPy, in turns."""
    accs = sorted(folder.glob("**/acc_exp*.txt"))
    pairs = [(acc, acc.with_name(acc.name.replace("acc", "gyro", 1))) for acc in accs]
    files = [path for pair in pairs for path in pair]
    for path in files:
        np.testing.assert_array_equal(read_decimals(path, 3), np.loadtxt(path).astype(np.float32))
    ours, theirs = [], []
    with ThreadPoolExecutor(READERS) as pool:
        for _ in range(ROUNDS):
            theirs.append(seconds(lambda: [np.loadtxt(path) for path in files]))
            # Short times are measured over several calls.
            ours.append(seconds(lambda: list(pool.map(read_pair, pairs * 10))) / 10)
    ratios = [t / o for o, t in zip(ours, theirs, strict=True)]
    return {
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 3),
        "megabytes_per_s": round(sum(path.stat().st_size for path in files) / 1e6 / statistics.median(ours)),
        "ratios": [round(ratio, 1) for ratio in sorted(ratios)],
        "median_ratio": round(statistics.median(ratios), 1),
    }


def read_pair(pair: tuple[Path, Path]) -> None:
    """Read the text of one experiment."""
    for path in pair:
        read_decimals(path, 3)


def large_set(folder: Path, source: Path, gigabytes: float) -> float:
    """Repeat HAPT experiments as links until there are so many gigabytes; returns how many there are."""
    raw = next(source.glob("**/RawData"))
    pairs = sorted((acc, acc.with_name(acc.name.replace("acc", "gyro", 1))) for acc in raw.glob("acc_exp*.txt"))
    labels = np.loadtxt(raw / "labels.txt", dtype=int)
    target = folder / "RawData"
    target.mkdir(parents=True)
    rows, total, number = [], 0, 0
    while total < gigabytes * 1e9:
        acc, gyro = pairs[number % len(pairs)]
        original, number = int(acc.name[7:9]), number + 1
        person = f"user{number % 30 + 1:02}"
        for path, sensor in ((acc, "acc"), (gyro, "gyro")):
            (target / f"{sensor}_exp{number:05}_{person}.txt").symlink_to(path.resolve())
            total += path.stat().st_size
        rows += [[number, number % 30 + 1, *row[2:]] for row in labels[labels[:, 0] == original].tolist()]
    np.savetxt(target / "labels.txt", np.array(rows), fmt="%d")
    return total / 1e9


def import_large(source: Path, gigabytes: float) -> dict[str, Any]:
    """Import a large set in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        size = large_set(Path(folder) / "raw", source, gigabytes)
        command = [sys.executable, __file__, "--import-and-measure", folder]
        start = time.perf_counter()
        peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
        took = time.perf_counter() - start
        stored = sum(file.stat().st_size for file in (Path(folder) / "store").rglob("*.parquet"))
    return {
        "gigabytes": round(size, 2),
        "peak_megabytes": round(peak / 1e6),
        "megabytes_per_s": round(1000 * size / took, 1),
        "stored_gigabytes": round(stored / 1e9, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, help="folder with official files, NAME/… each")
    parser.add_argument("--large", type=float, default=0.0, help="gigabytes of the large set; none when left out")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "import.json")
    parser.add_argument("--import-and-measure", type=Path, help=argparse.SUPPRESS)
    call = parser.parse_args()
    if call.import_and_measure:
        folder = call.import_and_measure
        import_official(catalog_entry("hapt"), folder / "store", folder=folder / "raw")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return
    sys.path.insert(0, str(HERE.parent))
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in catalog_names():
            official = call.raw and (call.raw / name).is_dir()
            folder = call.raw / name if official else Path(scratch) / name
            if not official:
                folder.mkdir()
                folder = import_module(f"tests.datasets.layouts.{name}").write(folder, catalog_entry(name)).folder
            found[name] = {"files": "official" if official else "made up", **parse(name, folder)}
            print(f"{name:12} {found[name].get('megabytes_per_s', 0):9.1f} MB/s  {found[name]['files']}", flush=True)
            if name == "hapt":
                text = against_loadtxt(folder)
                print(f"{'':12} {text['median_ratio']:9.1f} times numpy.loadtxt", flush=True)
                large = partial(import_large, folder.resolve(), call.large) if call.large and official else None
        memory = large() if large else None
        if memory:
            print(f"{memory['gigabytes']} GB imported in {memory['peak_megabytes']} MB of memory")
    artifact.write_json(
        call.out,
        {
            "command": "python benchmarks/import.py --raw FOLDER" + (f" --large {call.large:g}" if call.large else ""),
            "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__},
            "parsers": found,
            "hapt_text": text,
            "large_set": memory,
        },
    )


if __name__ == "__main__":
    main()
