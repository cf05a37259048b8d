"""How fast a recipe trains, and how much of a step is spent outside the network.

    python benchmarks/train.py recipes/small.yaml --root FOLDER-OF-IMPORTED-SETS

takes some updates as `kinelex train` does and times their parts: making the batch, the network (forward, loss,
backward, optimizer), averaging the weights. On a GPU every part is waited for. Machines differ: compare shares.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measured import per_second
from torch.utils.flop_counter import FlopCounterMode

from kinelex import artifact
from kinelex.datasets import StoredDataset, data_root
from kinelex.evaluation.zero_shot import versions
from kinelex.language import Vocabulary, resolve_text_encoder
from kinelex.model import AlignedModel
from kinelex.model.descriptions import Descriptions
from kinelex.training import Recipe, open_corpus
from kinelex.training.alignment.run import update_on
from kinelex.training.alignment.step import AlignmentStep
from kinelex.training.averaging import AveragedWeights
from kinelex.training.batches import Batches
from kinelex.training.machine import Precision, device_of
from kinelex.training.text import encode_labels

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "train.json"
_MATRIX = 1024
WARM = 3


def timed(work: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    """What something gives, and the seconds it took, the device's included."""
    began = time.perf_counter()
    found = work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return found, time.perf_counter() - began


def measure(recipe: Recipe, root: Path, steps: int) -> dict[str, Any]:
    """Medians over some updates of a recipe."""
    device, vocabulary, encoder = device_of(recipe), Vocabulary.standard(), resolve_text_encoder()
    torch.set_num_threads(recipe.threads)
    datasets = [StoredDataset.open(root, name) for name in recipe.train]
    corpus = open_corpus(datasets, recipe.model.grid_hz, root / ".corpora")
    batches = Batches(corpus, recipe, vocabulary, device)
    learned = recipe.model.label_side != "sentence"
    text = encode_labels(batches.labels, vocabulary, encoder, center=not learned, tokens=learned)
    model = AlignedModel(recipe.model, Descriptions.encoded(recipe.model, encoder)).to(device).train()
    objective, precision = AlignmentStep(recipe, text, device), Precision(recipe, device)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    average = AveragedWeights(recipe.averaging.decay)
    parts: dict[str, list[float]] = {"batch": [], "network": [], "average": []}
    with FlopCounterMode(display=False) as counter:
        update_on(batches.at(0), 0, recipe, objective, model, optimizer, precision)
    flop = counter.get_total_flops()
    for step in range(1, WARM + steps + 1):
        batch, batch_s = timed(lambda step=step: batches.at(step), device)
        _, network_s = timed(
            lambda step=step, batch=batch: update_on(batch, step, recipe, objective, model, optimizer, precision),
            device,
        )
        _, average_s = timed(lambda: average.update(model), device)
        if step > WARM:
            for name, seconds in zip(parts, (batch_s, network_s, average_s), strict=True):
                parts[name].append(seconds)
    middle = {name: statistics.median(seconds) for name, seconds in parts.items()}
    whole = sum(middle.values())
    left, right = torch.rand(2, _MATRIX, _MATRIX, device=device).to(precision.dtype or torch.float32).unbind()
    rate = per_second(lambda: timed(lambda: torch.mm(left, right), device)) * 2 * _MATRIX**3
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": recipe.threads,
        "load_before": round(os.getloadavg()[0], 2),
        "windows_per_s": round(recipe.batch_windows / whole, 1),
        "step_s": round(whole, 4),
        "share_outside_network": round(1 - middle["network"] / whole, 4),
        "parts_s": {name: round(seconds, 5) for name, seconds in middle.items()},
        "tflop_per_step": round(flop / 1e12, 4),
        "tflop_per_s": round(flop / whole / 1e12, 3),
        "share_of_matmul_rate": round(flop / whole / rate, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", type=Path, nargs="+")
    parser.add_argument("--root", type=Path, default=None, help="folder of the imported data sets")
    parser.add_argument("--steps", type=int, default=20, help="updates that are timed")
    call = parser.parse_args()
    found = json.loads(RESULT.read_text()).get("recipes", {}) if RESULT.is_file() else {}
    for path in call.recipes:
        recipe = Recipe.read(path)
        found[recipe.name] = measure(recipe, call.root or data_root(), call.steps)
        row = found[recipe.name]
        print(
            f"{recipe.name}: {row['windows_per_s']:,.0f} windows/s, {row['share_outside_network']:.1%} of a step"
            f" outside the network, {row['tflop_per_s']} TFLOP/s on {row['device']}"
        )
    words = [word for word in sys.argv[1:] if word != "--root" and word != str(call.root)]
    command = shlex.join(["python", "benchmarks/train.py", *words])
    artifact.write_json(RESULT, {"command": command, "versions": versions(), "recipes": found})


if __name__ == "__main__":
    main()
