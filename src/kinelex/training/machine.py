"""What a run computes on and with: device, number format, threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from kinelex.errors import BadRecipe
from kinelex.model.aligned import AlignedModel
from kinelex.training.recipe import Recipe


def device_of(recipe: Recipe) -> torch.device:
    """The device that a recipe asks for.

    Raises:
        BadRecipe: it asks for a GPU, and there is none.
    """
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise BadRecipe("the recipe asks for device cuda, and PyTorch sees no GPU here: set device to cpu or auto")
    return torch.device("cuda" if recipe.device != "cpu" and torch.cuda.is_available() else "cpu")


def fast_bf16() -> bool:
    """Whether this processor multiplies bf16 matrices in hardware; elsewhere bf16 is slower than fp32."""
    flags = torch.backends.cpu.get_cpu_capability()
    return "AMX" in flags or bool(torch.cpu._is_avx512_bf16_supported())


class Precision:
    """Forward passes in the number format of a recipe, and updates that fit it.

    Half precision with few exponent bits (fp16) loses small gradients: the loss is scaled up before them and the
    gradients down after (Micikevicius et al., "Mixed precision training", 2018, section 3.2).
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        wanted = recipe.precision
        if wanted == "auto":
            wanted = "bf16" if device.type == "cuda" or fast_bf16() else "fp32"
        self.device = device
        self.dtype = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted]
        self.scaler = torch.amp.GradScaler(device.type, init_scale=2.0**12, enabled=wanted == "fp16")

    def autocast(self) -> AbstractContextManager[None]:
        """Where the network runs."""
        return torch.autocast(self.device.type, dtype=self.dtype or torch.bfloat16, enabled=self.dtype is not None)

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss."""
        self.scaler.scale(loss).backward()

    def update(self, optimizer: Optimizer, model: nn.Module, clip_norm: float) -> float:
        """One step of the optimizer with gradients of at most this norm; returns the norm that they had."""
        self.scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        self.scaler.step(optimizer)
        self.scaler.update()
        return float(norm)

    def state(self) -> dict[str, Tensor]:
        """What is to be saved to go on."""
        return {f"scaler/{name}": torch.tensor(value) for name, value in self.scaler.state_dict().items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a saved state."""
        found = {name.removeprefix("scaler/"): value.item() for name, value in state.items() if "scaler/" in name}
        if found:
            self.scaler.load_state_dict(found)


def compile_network(model: AlignedModel) -> None:
    """Compile what a model computes, in place; its weights and their names stay as they are."""
    encode = torch.compile(model.encode)
    model.encode = encode  # type: ignore[method-assign]


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """A fixed number of threads and deterministic kernels, so that sums come out the same each time."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
