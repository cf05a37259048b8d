"""Speed and memory of a model: what Kinelex promises about them, measured.

    make bench
    python benchmarks/speed.py --model small --rounds 3

Everything is measured in processes of its own (see `measured.py`), in interleaved rounds, and reported as medians.
Machines differ and are noisy: compare ratios, each of which was taken within one run. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from measured import CHANNELS, made_up_day

from kinelex import artifact
from kinelex.recognition import load

HERE = Path(__file__).resolve().parent
DAY_S, HOUR_S = 86_400.0, 3600.0
LENGTHS_S = (600.0, HOUR_S, 4 * HOUR_S, DAY_S)
THREADS = (1, 2)
PRECISIONS = ("fp32", "bf16")

Findings = dict[str, Any]


class Measurement:
    """A process of `measured.py`, started with the words of its command line."""

    def __init__(self, *words: str, threads: int = max(THREADS)) -> None:
        command = [sys.executable, str(HERE / "measured.py"), *words, "--threads", str(threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Measurement:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def next(self) -> Findings:
        """Wait for its next line of findings."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"stopped without findings: {shlex.join(map(str, self.process.args))}")  # type: ignore[arg-type]
        return dict(json.loads(line))

    def again(self) -> Findings:
        """Ask for another round and wait for its findings."""
        assert self.process.stdin is not None
        self.process.stdin.write("again\n")
        self.process.stdin.flush()
        return self.next()


def throughput(rounds: int, batch_windows: int, *which: str) -> Findings:
    """Windows a second at each number of threads and precision, beside what plain matrix products reach just then."""
    options = ("--batch-windows", str(batch_windows), *which)
    with ExitStack() as stack:
        processes = {
            threads: stack.enter_context(Measurement("throughput", *options, threads=threads)) for threads in THREADS
        }
        about = {threads: process.next() for threads, process in processes.items()}[THREADS[0]]
        found: dict[int, list[Findings]] = {threads: [] for threads in THREADS}
        for _ in range(rounds):
            for threads, process in processes.items():
                found[threads].append(process.again())
    flop = float(about["flop_per_window"])
    one, two = (found[threads] for threads in THREADS)
    gains = [b["fp32"]["windows_per_s"] / a["fp32"]["windows_per_s"] for a, b in zip(one, two, strict=True)]
    return {
        "window": f"6 s, 50 Hz, six channels; resampling included; {batch_windows} windows a batch",
        "parameters": about["parameters"],
        "mflop_per_window": round(flop / 1e6, 2),
        **{
            precision: {str(threads): _rate([row[precision] for row in rows], flop) for threads, rows in found.items()}
            for precision in PRECISIONS
        },
        "gain_of_two_threads": round(statistics.median(gains), 3),
    }


def _rate(rows: list[Findings], flop: float) -> Findings:
    """Medians over rounds; the ratios were taken within each round."""
    return {
        "windows_per_s": round(statistics.median(row["windows_per_s"] for row in rows), 1),
        "matmul_gflop_per_s": round(statistics.median(row["matmul_gflop_per_s"] for row in rows), 1),
        "windows_per_matmul_gflop": round(
            statistics.median(row["windows_per_s"] / row["matmul_gflop_per_s"] for row in rows), 3
        ),
        "share_of_matmul_rate": round(
            statistics.median(row["windows_per_s"] * flop / (row["matmul_gflop_per_s"] * 1e9) for row in rows), 4
        ),
    }


def recognition(model: str, rounds: int) -> Findings:
    """Time, memory and the network's share of it, for recordings of very different length."""
    found: dict[float, list[Findings]] = {seconds: [] for seconds in LENGTHS_S}
    for number in range(rounds):
        for seconds in LENGTHS_S:
            if seconds < DAY_S or number == 0:
                found[seconds].append(_recognized(model, seconds))
    stamped = _recognized(model, DAY_S, "--timestamps")
    lengths = []
    for seconds, rows in found.items():
        middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        lengths.append(
            {
                "hours": round(seconds / HOUR_S, 4),
                "windows": int(middle["windows"]),
                "from_arrays_s": round(middle["from_arrays_s"], 3),
                "recognize_s": round(middle["recognize_s"], 3),
                "seconds_per_hour": round((middle["from_arrays_s"] + middle["recognize_s"]) * HOUR_S / seconds, 3),
                "share_outside_network": round(
                    statistics.median(1 - row["network_s"] / row["recognize_s"] for row in rows), 4
                ),
                "peak_mb": round(middle["peak_bytes"] / 1e6),
            }
        )
    points = [(math.log(row["hours"]), math.log(row["seconds_per_hour"] * row["hours"])) for row in lengths]
    return {
        "recording": "100 Hz, six channels; windows of 6 s every 3 s, everyday labels, segments included",
        "lengths": lengths,
        "log_log_slope": round(statistics.linear_regression(*zip(*points, strict=True)).slope, 3),
        "share_outside_network_of_an_hour": lengths[1]["share_outside_network"],
        "peak_mb_of_a_day": lengths[-1]["peak_mb"],
        "peak_mb_of_a_day_with_timestamps": round(stamped["peak_bytes"] / 1e6),
        "from_arrays_s_of_a_day_with_timestamps": round(stamped["from_arrays_s"], 2),
        "samples_mb_of_a_day": round(stamped["rows"] * len(CHANNELS) * 4 / 1e6),
    }


def _recognized(model: str, seconds: float, *options: str) -> Findings:
    with Measurement("recognition", "--model", model, "--seconds", str(seconds), *options) as process:
        return process.next()


def cold_start(model: str, rounds: int) -> Findings:
    """What a user waits for before anything happens, in fresh processes with warm file caches."""
    timed = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"
    kinelex_s, torch_s, predict_s = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ten-minutes.csv"
        _write_csv(path, 600.0, 100.0)
        predict = "import sys; from kinelex.cli import main; sys.exit(main(sys.argv[1:]))"
        words = ["predict", str(path), "--labels", "walking, sitting, running", "--model", model]
        for _ in range(max(rounds, 3)):
            kinelex_s.append(float(_run("-c", timed.format("kinelex"))))
            torch_s.append(float(_run("-c", timed.format("torch"))))
            began = time.perf_counter()
            _run("-c", predict, *words)
            predict_s.append(time.perf_counter() - began)
    return {
        "import_kinelex_ms": round(1000 * statistics.median(kinelex_s), 1),
        "import_torch_s": round(statistics.median(torch_s), 2),
        "predict": "kinelex predict, known labels, a CSV of 10 minutes at 100 Hz, six channels; the whole process",
        "predict_s": round(statistics.median(predict_s), 2),
        "predict_over_import_torch": round(
            statistics.median(a / b for a, b in zip(predict_s, torch_s, strict=True)), 2
        ),
    }


def _run(*words: str) -> str:
    return subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True).stdout


def _write_csv(path: Path, seconds: float, rate_hz: float) -> None:
    samples = made_up_day(seconds, rate_hz)
    with artifact.staged(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", *CHANNELS])
        for number, row in enumerate(samples):
            writer.writerow([f"{number / rate_hz:.3f}", *(f"{value:.4f}" for value in row)])


def promises(result: Findings) -> list[Findings]:
    """What is promised, and whether this run kept it."""
    many, starting = result["recognition"], result["cold_start"]
    values = [
        ("peak memory of a day, MB", max(many["peak_mb_of_a_day"], many["peak_mb_of_a_day_with_timestamps"]), 1000),
        ("cost against length, log-log slope", many["log_log_slope"], 1.1),
        ("kinelex predict, s", starting["predict_s"], 4.0),
        ("import kinelex, ms", starting["import_kinelex_ms"], 300.0),
    ]
    kept = [{"promise": name, "value": value, "below": limit, "kept": value < limit} for name, value, limit in values]
    small, base = result["throughput"]["bf16"]["2"], result["base"]["bf16"]["2"]
    wanted = [
        ("windows per GFLOP of bf16 products", small["windows_per_matmul_gflop"], 2.8),
        ("base: share of the bf16 matrix rate", base["share_of_matmul_rate"], 0.55),
    ]
    return kept + [
        {"promise": name, "value": value, "above": limit, "kept": value >= limit} for name, value, limit in wanted
    ]


def machine() -> Findings:
    """What it ran on, as far as it bears on speed."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        name = lines[0] if lines else name
    versions = {package: metadata.version(package) for package in ("torch", "numpy", "scipy", "pyarrow")}
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),  # much above 0: others were at work, times are too long
        "system": platform.system(),
        "python": platform.python_version(),
        **versions,
    }


def table(result: Findings) -> str:
    """The figures for a person to read."""
    many, starting = result["recognition"], result["cold_start"]
    lines = []
    for name, fast in ((result["model"], result["throughput"]), ("base, random weights", result["base"])):
        lines += [f"{name}: {fast['parameters']:,} parameters, {fast['mflop_per_window']} MFLOP per window"]
        lines += [f"{'':8}{'threads':>8}{'windows/s':>12}{'share of matmul rate':>24}"]
        for precision in PRECISIONS:
            for threads, row in fast[precision].items():
                rate, share = row["windows_per_s"], row["share_of_matmul_rate"]
                lines.append(f"{precision:>8}{threads:>8}{rate:>12,.0f}{share:>24.1%}")
        lines += [f"two threads are {fast['gain_of_two_threads']:.2f} times as fast as one", ""]
    lines.append(f"{'hours':>8}{'s per hour':>12}{'outside network':>18}{'peak MB':>10}")
    for row in many["lengths"]:
        lines.append(
            f"{row['hours']:>8.2f}{row['seconds_per_hour']:>12.2f}{row['share_outside_network']:>18.1%}"
            f"{row['peak_mb']:>10,}"
        )
    lines.append(f"a day with timestamps: {many['peak_mb_of_a_day_with_timestamps']:,} MB")
    ratio = starting["predict_over_import_torch"]
    lines.append(f"kinelex predict takes {ratio:.2f} times as long as import torch alone")
    lines.append("")
    for promise in result["promises"]:
        kept = "kept" if promise["kept"] else "BROKEN"
        side = "below" if "below" in promise else "above"
        lines.append(f"{kept:>8}  {promise['promise']}: {promise['value']:g} (promised: {side} {promise[side]:g})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure speed and memory of a model.")
    parser.add_argument("--model", default="small", help="a shipped model, or the folder of a checkpoint")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds; medians are reported")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "speed.json", help="where the figures go")
    call = parser.parse_args()
    checkpoint = load(call.model).checkpoint
    ran_on = machine()
    result: Findings = {
        "command": shlex.join(["python", "benchmarks/speed.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "model": checkpoint.name,
        "weights_sha256": checkpoint.fingerprint,
        "rounds": call.rounds,
        "machine": ran_on,
        "throughput": throughput(call.rounds, 512, "--model", call.model),
        "base": throughput(call.rounds, 64, "--preset", "base"),
        "recognition": recognition(call.model, call.rounds),
        "cold_start": cold_start(call.model, call.rounds),
    }
    result["promises"] = promises(result)
    artifact.write_json(call.out, result)
    print(table(result))
    print(f"\nwrote {os.path.relpath(call.out)}")


if __name__ == "__main__":
    main()
