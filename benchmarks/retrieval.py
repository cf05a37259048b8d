"""How long remembering takes: queries by engine and size, one scan against the memory's bandwidth, recognition with and
without a memory, one example from being shown to being found, and the memory that an index takes.

    python benchmarks/retrieval.py --root FOLDER-OF-IMPORTED-SETS [--most 1000000] [--threads 1]

The vectors are windows of imported sets as `small` sees them; where more are asked for than there are, also points
between two that follow each other. Times depend on the machine; ratios, measured in turns within one run, hardly do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measured import made_up_day
from numpy.typing import NDArray

import kinelex
from kinelex.artifact import write_json
from kinelex.datasets import StoredDataset, data_root
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.units import lay_out
from kinelex.evaluation.zero_shot import versions
from kinelex.retrieval.indexes import FaissConfig, IndexConfig, MilvusConfig, VectorIndex, open_index
from kinelex.retrieval.memory import Memory
from kinelex.signal import Recording

RESULT = Path(__file__).parent / "results" / "retrieval-speed.json"
WIDTH = 384
K = 10
QUERIES = 60
SIZES = (1_000, 10_000, 100_000, 1_000_000)
MILVUS_FILE = "milvus.db"
ENGINES = {
    "exact": IndexConfig(),
    "faiss flat": IndexConfig(engine="faiss", faiss=FaissConfig(kind="flat")),
    "faiss ivf": IndexConfig(engine="faiss", faiss=FaissConfig(kind="ivf")),
    "faiss hnsw": IndexConfig(engine="faiss", faiss=FaissConfig(kind="hnsw")),
    "milvus lite": IndexConfig(engine="milvus", milvus=MilvusConfig(uri=MILVUS_FILE)),
}
LARGEST = {"faiss hnsw": 100_000, "milvus lite": 10_000}
"""Larger ones take minutes to build, or to be filled."""
REMEMBERED_BY = ("exact", "faiss ivf", "faiss hnsw")
TURNS = 7
DATA = ("hapt", "usc_had", "wisdm", "utd_mhad", "dsads")
SEEN = 20_000
MEMORY = 100_000
"""Examples of the memory that recognition is measured with."""
RECORDING_S = 1800.0


def seen_windows(root: Path, data: Sequence[str], most: int) -> NDArray[np.float32]:
    """Windows of imported sets as `small` sees them, in the order of their sessions."""
    checkpoint = kinelex.load("small").checkpoint
    found: list[NDArray[np.float32]] = []
    for name in data:
        units = lay_out(EvaluationSet.stored(StoredDataset.open(root, name)).sessions(), ZeroShotProtocol(window_s=6.0))
        vectors = np.concatenate(checkpoint.embed_many(units.requests, units.window_s))
        found.append(vectors[np.isfinite(vectors).all(axis=1)])
        if sum(map(len, found)) >= most:
            break
    return np.concatenate(found)[:most]


def examples(seen: NDArray[np.float32], count: int, seed: int = 0) -> NDArray[np.float32]:
    """Vectors like those that were seen: each lies between one of them and the next, hardly two are the same."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(seen) - 1, count)
    vectors = rng.random((count, 1), dtype=np.float32) * (seen[rows + 1] - seen[rows])
    vectors += seen[rows]
    vectors += rng.standard_normal((count, WIDTH), dtype=np.float32) * 0.005
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def engine(name: str, count: int, seen: NDArray[np.float32]) -> dict[str, Any]:
    """Building, single queries and memory of one engine at one size; runs in a process of its own."""
    vectors, queries = examples(seen, count), examples(seen, QUERIES, seed=1)
    before = rss_mb()
    index = open_index(WIDTH, ENGINES[name])
    begun = time.perf_counter()
    index.add(np.arange(count), vectors)
    build_s = time.perf_counter() - begun
    index_mb = rss_mb() - before
    index.search(queries[:2], K)
    times = [timed(partial(index.search, query[None], K)) for query in queries]
    found = {
        "build_s": round(build_s, 3),
        "p50_ms": round(1000 * float(np.quantile(times, 0.5)), 3),
        "p99_ms": round(1000 * float(np.quantile(times, 0.99)), 3),
        "index_mb": round(index_mb, 1),
    }
    if name == "exact":
        found["scan_to_bandwidth"] = round(scan_to_bandwidth(index, vectors, queries), 2)
    else:
        truth = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :K]
        own = index.search(queries, K).ids
        found["recall_at_10"] = round(
            float(np.mean([len(set(a) & set(b)) / K for a, b in zip(own, truth, strict=True)])), 3
        )
    return found


def scan_to_bandwidth(index: VectorIndex, vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> float:
    """How many times as long one exact query takes as only reading all vectors, both measured in turns."""
    words = vectors.view(np.uint64)
    read = partial(np.bitwise_xor.reduce, words, axis=None)
    pairs = [(timed(partial(index.search, query[None], K)), timed(read)) for query in queries[:20]]
    return float(np.median([search for search, _ in pairs]) / np.median([reading for _, reading in pairs]))


def recognition(seen: NDArray[np.float32]) -> dict[str, Any]:
    """Recognizing half an hour with and without a memory, and one example from being shown to being found."""
    names = [f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"]
    signal = made_up_day(RECORDING_S, 50.0)
    recording = Recording.from_arrays(signal, names, rate_hz=50.0, placement="left wrist", gravity=True)
    plain = kinelex.load("small")
    labels = ["walking", "sitting", "running", "remembered"]
    found: dict[str, Any] = {"examples": MEMORY, "recording_s": RECORDING_S, "engines": {}}
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory.open(folder, plain.encoder)
        memory.add(examples(seen, MEMORY), [("walking", "sitting", "remembered")[i % 3] for i in range(MEMORY)])
        for name in REMEMBERED_BY:
            memory.choose_index(ENGINES[name])
            kept = plain.with_memory(folder)
            with_memory, without = (
                partial(kept.recognize, recording, labels),
                partial(plain.recognize, recording, labels[:3]),
            )
            with_memory()
            pairs = [(timed(with_memory), timed(without)) for _ in range(TURNS)]
            found["engines"][name] = {
                "open_s": round(timed(partial(plain.with_memory, folder)), 2),
                "with_to_without": round(float(np.median([a / b for a, b in pairs])), 3),
                "with_s": round(float(np.median([a for a, _ in pairs])), 3),
            }
        memory.choose_index(ENGINES["exact"])
        kept = plain.with_memory(folder)
        shown = recording.between(0.0, 6.0)
        adds = [timed(partial(kept.remember, shown, "remembered")) for _ in range(10)]
        alone = [timed(partial(added_and_found, memory, examples(seen, 1, seed=2 + i))) for i in range(10)]
    found["remember_ms"] = round(1000 * float(np.median(adds)), 1)
    found["add_and_find_ms"] = round(1000 * float(np.median(alone)), 1)
    return found


def added_and_found(memory: Memory, vector: NDArray[np.float32]) -> None:
    (own,) = memory.add(vector, ["walking"])
    assert memory.search(vector, 1).ids[0, 0] == own


def timed(call: Callable[[], Any]) -> float:
    """Seconds of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def rss_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measured(*words: str) -> dict[str, Any]:
    """A measurement in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def all_engines(most: int, seen: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in ENGINES:
        sizes = [size for size in SIZES if size <= min(most, LARGEST.get(name, most))]
        yield name, {str(n): measured("--engine", name, "--size", str(n), "--seen", str(seen)) for n in sizes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=None, help="folder of the imported data sets")
    parser.add_argument("--most", type=int, default=1_000_000, help="the largest index")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engine", choices=[*ENGINES, "recognition"], help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=1000, help=argparse.SUPPRESS)
    parser.add_argument("--seen", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULT)
    call = parser.parse_args()
    if call.engine:
        torch.set_num_threads(call.threads)
        seen = np.load(call.seen)
        # Milvus leaves a file where it works.
        with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
            found = recognition(seen) if call.engine == "recognition" else engine(call.engine, call.size, seen)
        print(json.dumps(found))
        return
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(call.threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seen.npy"
        np.save(path, seen_windows(call.root or data_root(), DATA, SEEN))
        result: dict[str, Any] = {
            "command": f"python benchmarks/retrieval.py --most {call.most} --threads {call.threads}",
            "width": WIDTH,
            "k": K,
            "windows_of": list(DATA),
            "versions": versions(),
            "recognition": measured("--engine", "recognition", "--seen", str(path)),
            "engines": {},
        }
        print(json.dumps(result["recognition"]), flush=True)
        for name, figures in all_engines(call.most, path):
            result["engines"][name] = figures
            print(name, json.dumps(figures), flush=True)
    write_json(call.out, result)


if __name__ == "__main__":
    main()
