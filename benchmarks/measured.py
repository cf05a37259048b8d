"""One measurement per process: what `speed.py` starts, so that no measurement warms, fills or slows another.

Each function below is one kind of process; `python benchmarks/measured.py KIND ...` prints its findings as JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kinelex.recognition import Recognizer
    from kinelex.signal import Recording

CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
WINDOW_S = 6.0
_WINDOWS = 512  # per round of throughput
_COUNTED = 8  # windows whose floating-point operations are counted
_MATRIX = 1024
_PIECE_S = 300.0
_GRAVITY = 9.80665


def made_up_day(seconds: float, rate_hz: float, seed: int = 0) -> NDArray[np.float32]:
    """Six channels of somebody's day, ``(time, channel)``, made piece by piece so that nothing else takes memory.

    Every five minutes something else: rest, sitting with small movements, walking, running, handwork, a device that
    was turned; one piece in twenty is missing, as when the device was not worn.
    """
    rng = np.random.default_rng(seed)
    rows, piece = round(seconds * rate_hz), round(_PIECE_S * rate_hz)
    samples = np.empty((rows, len(CHANNELS)), dtype=np.float32)
    for number, first in enumerate(range(0, rows, piece)):
        part = samples[first : first + piece]
        if number % 20 == 19:
            part[:] = np.nan
            continue
        # Strength of movement (m/s²) and its rate (Hz): most of a day is quiet.
        strength, cadence_hz = ((0.02, 0.3), (0.15, 0.4), (2.5, 1.8), (0.05, 0.2), (8.0, 2.7), (1.2, 1.1))[number % 6]
        down = rng.normal(size=3)
        down *= _GRAVITY / np.linalg.norm(down)
        turn = 2 * np.pi * cadence_hz * np.arange(len(part), dtype=np.float32) / rate_hz
        for column in range(len(CHANNELS)):
            size = strength if column < 3 else strength / 4
            wave = np.sin(turn * rng.choice([1, 2]) + rng.uniform(0, 2 * np.pi)).astype(np.float32)
            part[:, column] = size * rng.uniform(0.3, 1.0) * wave
            part[:, column] += rng.normal(0, 0.02, len(part)).astype(np.float32)
        part[:, :3] += down.astype(np.float32)
    return samples


def throughput(recognizer: Recognizer, threads: int, batch_windows: int) -> None:
    """For every line on standard input, embed windows for a while, and multiply matrices for as long."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from kinelex.signal import Recording

    torch.set_num_threads(threads)
    rate_hz = 50.0
    checkpoint = recognizer.checkpoint
    recording = Recording.from_arrays(made_up_day(_WINDOWS * WINDOW_S, rate_hz), CHANNELS, rate_hz=rate_hz)
    starts_s = np.arange(_WINDOWS) * WINDOW_S
    signal = torch.rand(_COUNTED, len(CHANNELS), checkpoint.model.config.window_steps)
    with FlopCounterMode(display=False) as counter:  # which follows modules by their gradients
        every = torch.ones(_COUNTED, dtype=torch.bool)
        checkpoint.model(signal, torch.ones_like(signal, dtype=torch.bool), every, every.long())
    flop = counter.get_total_flops() / _COUNTED
    say({"flop_per_window": flop, "parameters": sum(p.numel() for p in checkpoint.model.parameters())})
    for _ in sys.stdin:
        found = {}
        for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            model = checkpoint.described(precision=precision)
            left, right = torch.rand(2, _MATRIX, _MATRIX).to(dtype).unbind()
            embedded = per_second(partial(model.embed, recording, starts_s, WINDOW_S, batch_windows)) * _WINDOWS
            multiplied = per_second(partial(torch.mm, left, right)) * 2 * _MATRIX**3
            found[precision] = {"windows_per_s": embedded, "matmul_gflop_per_s": multiplied / 1e9}
        say(found)


def untrained(preset: str) -> Recognizer:
    """A model of a named shape with random weights: as fast as a trained one."""
    from kinelex.model import AlignedModel, Checkpoint, LabelTable, ModelConfig, TextSpace
    from kinelex.recognition import Recognizer

    config = ModelConfig.model_validate({"preset": preset})
    nothing = np.zeros((1, config.text_dim), np.float32)
    model = AlignedModel.empty(config).eval()
    return Recognizer(Checkpoint(preset, model, LabelTable(("walking",), nothing), TextSpace(nothing[0]), "none@0"))


def recognition(recognizer: Recognizer, seconds: float, rate_hz: float, timestamps: bool) -> None:
    """Recognize one recording: seconds of each step, seconds inside the network, and the peak of memory."""
    from kinelex.signal import Recording

    warm = Recording.from_arrays(made_up_day(120.0, rate_hz), CHANNELS, rate_hz=rate_hz)
    assert recognizer.recognize(warm).segments
    before = peak_bytes()
    with network_time(recognizer) as inside:
        recording, made_s = made_recording(seconds, rate_hz, timestamps)
        began = time.perf_counter()
        timeline = recognizer.recognize(recording)
        segments = timeline.segments
        ended = time.perf_counter()
    say(
        {
            "seconds": seconds,
            "rows": len(recording.samples),
            "windows": len(timeline.starts_s),
            "segments": len(segments),
            "from_arrays_s": made_s,
            "recognize_s": ended - began,
            "network_s": inside[0],
            "peak_bytes": peak_bytes(),
            "peak_bytes_before": before,
        }
    )


def made_recording(seconds: float, rate_hz: float, timestamps: bool) -> tuple[Recording, float]:
    """A recording, and the seconds that `from_arrays` took; the arrays that it was made from are given away."""
    from kinelex.signal import Recording

    samples = made_up_day(seconds, rate_hz)
    clock: dict[str, Any] = {"rate_hz": rate_hz}
    if timestamps:  # those of a device: a millisecond's resolution, a little late now and then
        times_s = np.arange(len(samples)) / rate_hz
        rng = np.random.default_rng(1)
        for part in np.array_split(times_s, max(1, len(times_s) // 100_000)):
            part += rng.uniform(0, 0.002, len(part))
            np.round(part, 3, out=part)
        clock = {"times_s": times_s}
    began = time.perf_counter()
    recording = Recording.from_arrays(samples, CHANNELS, **clock, copy=False)
    return recording, time.perf_counter() - began


@contextmanager
def network_time(recognizer: Recognizer) -> Iterator[list[float]]:
    """The seconds spent inside the network's forward pass, summed up in a list of one."""
    total, entered = [0.0], [0.0]

    def enter(*_: object) -> None:
        entered[0] = time.perf_counter()

    def leave(*_: object) -> None:
        total[0] += time.perf_counter() - entered[0]

    model = recognizer.checkpoint.model
    hooks = model.register_forward_pre_hook(enter), model.register_forward_hook(leave)
    yield total
    for hook in hooks:
        hook.remove()


def per_second(work: Callable[[], object], least_s: float = 1.0) -> float:
    """How often a second something can be done, measured for at least `least_s` seconds."""
    began, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < least_s:
        work()
        count += 1
    return count / elapsed


def peak_bytes() -> int:
    """The most memory that this process ever had resident."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def say(findings: dict[str, Any]) -> None:
    print(json.dumps(findings), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["throughput", "recognition"])
    parser.add_argument("--model", default="small")
    parser.add_argument("--preset", help="a shape with random weights in place of a model")
    parser.add_argument("--batch-windows", type=int, default=_WINDOWS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate-hz", type=float, default=100.0)
    parser.add_argument("--timestamps", action="store_true")
    call = parser.parse_args()

    from kinelex.recognition import load

    recognizer = untrained(call.preset) if call.preset else load(call.model)
    if call.kind == "throughput":
        throughput(recognizer, call.threads, call.batch_windows)
    else:
        recognition(recognizer, call.seconds, call.rate_hz, call.timestamps)


if __name__ == "__main__":
    main()
