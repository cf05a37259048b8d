"""How long remembering takes: queries by engine and size, one scan against the memory's bandwidth, recognition with and
without a memory, one example from being shown to being found, and the memory that an index takes.

    python benchmarks/retrieval.py [--most 1000000] [--threads 1]

Times depend on the machine; ratios, measured in turns within one run, hardly do.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measured import made_up_day
from numpy.typing import NDArray

from kinelex.artifact import write_json
from kinelex.evaluation.zero_shot import versions
from kinelex.retrieval.indexes import FaissConfig, IndexConfig, open_index

RESULT = Path(__file__).parent / "results" / "retrieval-speed.json"
WIDTH = 384
K = 10
QUERIES = 60
SIZES = (1_000, 10_000, 100_000, 1_000_000)
ENGINES = {
    "exact": IndexConfig(),
    "faiss flat": IndexConfig(engine="faiss", faiss=FaissConfig(kind="flat")),
    "faiss ivf": IndexConfig(engine="faiss", faiss=FaissConfig(kind="ivf")),
    "faiss hnsw": IndexConfig(engine="faiss", faiss=FaissConfig(kind="hnsw")),
}
LARGEST = {"faiss hnsw": 100_000}
"""Larger ones take minutes to build."""
MEMORY = 100_000
"""Examples of the memory that recognition is measured with."""
RECORDING_S = 1800.0


def clustered(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors around a few hundred centers, as windows of a few hundred kinds of movement are."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((300, WIDTH), dtype=np.float32)
    vectors = centers[rng.integers(0, 300, count)] + 0.5 * rng.standard_normal((count, WIDTH), dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def engine(name: str, count: int) -> dict[str, Any]:
    """Building, single queries and memory of one engine at one size; runs in a process of its own."""
    vectors, queries = clustered(count), clustered(QUERIES, seed=1)
    before = rss_mb()
    index = open_index(WIDTH, ENGINES[name])
    begun = time.perf_counter()
    index.add(np.arange(count), vectors)
    build_s = time.perf_counter() - begun
    index.search(queries[:2], K)
    times = [timed(lambda q=query: index.search(q[None], K)) for query in queries]  # type: ignore[misc]
    found = {
        "build_s": round(build_s, 3),
        "p50_ms": round(1000 * float(np.quantile(times, 0.5)), 3),
        "p99_ms": round(1000 * float(np.quantile(times, 0.99)), 3),
        "index_mb": round(rss_mb() - before, 1),
    }
    if name == "exact":
        found["scan_to_bandwidth"] = round(scan_to_bandwidth(index, vectors, queries), 2)
    return found


def scan_to_bandwidth(index: Any, vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> float:
    """How many times as long one exact query takes as only reading all vectors, both measured in turns."""
    words = vectors.view(np.uint64)

    def read() -> None:
        np.bitwise_xor.reduce(words, axis=None)

    pairs = [(timed(lambda q=query: index.search(q[None], K)), timed(read)) for query in queries[:20]]  # type: ignore[misc]
    return float(np.median([search for search, _ in pairs]) / np.median([reading for _, reading in pairs]))


def recognition() -> dict[str, Any]:
    """Recognizing half an hour with and without a memory, and one example from being shown to being found."""
    import kinelex
    from kinelex.retrieval.memory import Memory
    from kinelex.signal import Recording

    names = [f"{sensor}_{axis}" for sensor in ("acc", "gyro") for axis in "xyz"]
    signal = made_up_day(RECORDING_S, 50.0)
    recording = Recording.from_arrays(signal, names, rate_hz=50.0, placement="left wrist", gravity=True)
    plain = kinelex.load("small")
    labels = ["walking", "sitting", "running", "remembered"]
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory.open(folder, plain.encoder)
        memory.add(clustered(MEMORY), [("walking", "sitting", "remembered")[i % 3] for i in range(MEMORY)])
        kept = plain.with_memory(folder)
        pairs = [
            (timed(lambda: kept.recognize(recording, labels)), timed(lambda: plain.recognize(recording, labels[:3])))
            for _ in range(5)
        ]
        shown = recording.between(0.0, 6.0)
        adds = [timed(lambda: kept.remember(shown, "remembered")) for _ in range(10)]
        one = clustered(1, seed=2)
        alone = [timed(lambda: (memory.add(one, ["walking"]), memory.search(one, 1))) for _ in range(10)]
    return {
        "examples": MEMORY,
        "recording_s": RECORDING_S,
        "with_to_without": round(float(np.median([w for w, _ in pairs]) / np.median([wo for _, wo in pairs])), 3),
        "with_s": round(float(np.median([w for w, _ in pairs])), 3),
        "remember_ms": round(1000 * float(np.median(adds)), 1),
        "add_and_find_ms": round(1000 * float(np.median(alone)), 1),
    }


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


def all_engines(most: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in ENGINES:
        sizes = [size for size in SIZES if size <= min(most, LARGEST.get(name, most))]
        yield name, {str(size): measured("--engine", name, "--size", str(size)) for size in sizes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000_000, help="the largest index")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engine", choices=[*ENGINES, "recognition"], help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=1000, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULT)
    call = parser.parse_args()
    if call.engine:
        print(json.dumps(recognition() if call.engine == "recognition" else engine(call.engine, call.size)))
        return
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(call.threads)
    result: dict[str, Any] = {
        "command": f"python benchmarks/retrieval.py --most {call.most} --threads {call.threads}",
        "width": WIDTH,
        "k": K,
        "versions": versions(),
        "recognition": measured("--engine", "recognition"),
        "engines": {},
    }
    print(json.dumps(result["recognition"]), flush=True)
    for name, found in all_engines(call.most):
        result["engines"][name] = found
        print(name, json.dumps(found), flush=True)
    write_json(call.out, result)


if __name__ == "__main__":
    main()
