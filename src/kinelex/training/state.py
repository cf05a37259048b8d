"""What a run needs to go on where it was: weights, their average, the optimizer's moments, the step.

Generations ``step-000500/`` of safetensors + JSON behind a manifest; the newest that is whole is resumed from. Random
numbers are functions of the step, so that none need saving.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import AdamW

from kinelex.artifact import read_manifest, remove_leftovers, staged_folder, write_manifest
from kinelex.errors import ArtifactError
from kinelex.training.averaging import AveragedWeights

KIND = "training-state"
VERSION = 1
_KEPT = 2
_FILE = "state.safetensors"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def save_state(
    folder: Path,
    step: int,
    run_hash: str,
    model: nn.Module,
    average: AveragedWeights,
    optimizer: AdamW,
    more: Mapping[str, Tensor] | None = None,
) -> None:
    """Write the state after `step` updates and remove all but the two newest generations; `more` is kept with it."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    tensors: dict[str, Tensor] = {f"model/{name}": t for name, t in model.state_dict().items()}
    tensors |= {f"average/{name}": t for name, t in average.weights.items()}
    for parameter, moments in optimizer.state.items():
        tensors |= {f"{key}/{names[parameter]}": moments[key] for key in _MOMENTS}
    tensors |= {f"more/{name}": t for name, t in (more or {}).items()}
    with staged_folder(folder / f"step-{step:08d}") as draft:
        save_file({name: t.detach().contiguous().clone() for name, t in tensors.items()}, draft / _FILE)
        fields = {"step": step, "run": run_hash, "averaged": average.count}
        write_manifest(draft, KIND, VERSION, [_FILE], fields)
    for old in _generations(folder)[_KEPT:]:
        shutil.rmtree(old)


def resume_state(
    folder: Path,
    run_hash: str,
    model: nn.Module,
    average: AveragedWeights,
    optimizer: AdamW,
    more: dict[str, Tensor] | None = None,
) -> int:
    """Load the newest whole state of this run into model, average and optimizer, and what else was saved into `more`.

    Returns:
        The number of updates that it has seen; 0 when there is nothing to resume from.
    """
    if not folder.is_dir():
        return 0
    remove_leftovers(folder)
    for generation in _generations(folder):
        try:
            manifest = read_manifest(generation, KIND, VERSION)
        except ArtifactError:
            continue  # an older generation is still whole
        if manifest.get("run") != run_hash:
            continue
        tensors = load_file(generation / _FILE)
        if more is not None:
            more.update(_part(tensors, "more/"))
        model.load_state_dict(_part(tensors, "model/"))
        device = next(model.parameters()).device
        average.weights = {name: t.to(device) for name, t in _part(tensors, "average/").items()}
        average.count = int(manifest["averaged"])
        for name, parameter in model.named_parameters():
            if f"exp_avg/{name}" in tensors:
                optimizer.state[parameter] = {
                    key: tensors[f"{key}/{name}"].to("cpu" if key == "step" else device) for key in _MOMENTS
                }
        return int(manifest["step"])
    return 0


def _generations(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
