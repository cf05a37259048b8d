"""``kinelex backbone``: the encoders that retrieval and its evaluation can stand on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from kinelex.errors import UsageError

app = App(name="backbone", help="Encoders that retrieval can stand on: list them, fit those that have no weights.")


@app.command(name="list")
def list_() -> None:
    """List the encoders that are known by name."""
    from kinelex.backbones import BACKBONES
    from kinelex.recognition import shipped_models

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("name", no_wrap=True)
    table.add_column("is")
    for name in shipped_models():
        table.add_row(name, "a model of Kinelex, shipped with the package")
    for name, what in BACKBONES.items():
        table.add_row(name, what)
    Console(highlight=False).print(table)


@app.command
def fit(
    encoder: Annotated[Literal["statistics", "ts2vec"], Parameter(name="ENCODER")],
    *,
    data: Annotated[list[str], Parameter(negative=())],
    out: Path,
    windows: int = 4000,
    window_s: float = 6.0,
    seed: int = 0,
    steps: int | None = None,
    root: Path | None = None,
) -> None:
    """Fit an encoder to the windows of imported data sets, without their labels.

    kinelex backbone fit ts2vec --data umafall --data sisfall --out backbones/ts2vec

    Args:
        encoder: statistics: what is average among windows; ts2vec: convolutions that learn to tell windows apart.
        data: Name of an imported data set, best none that it is evaluated on; several times for more.
        out: The folder to write.
        windows: At most so many of each data set, drawn at random.
        window_s: Seconds in a window.
        seed: Of the drawing and of the training.
        steps: Of the training.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
    """
    from kinelex.backbones import (
        STATISTICS_CONTRACT,
        TS2VEC_CONTRACT,
        TS2VecConfig,
        adapt_many,
        fit_statistics,
        fit_ts2vec,
        save_backbone,
    )
    from kinelex.datasets import StoredDataset, data_root
    from kinelex.recognition.remembering import drawn_requests

    if windows < 2 or (steps is not None and steps < 1):
        raise UsageError("--windows takes at least 2, --steps at least 1")
    if encoder == "statistics" and steps is not None:
        raise UsageError("statistics are not trained in steps: leave out --steps")
    home = data_root() if root is None else root
    stored = [StoredDataset.open(home, name) for name in data]
    requests = [one for dataset in stored for one in drawn_requests(dataset, window_s, windows, seed)]
    console = Console(stderr=True)
    with console.status(f"fitting {encoder}") as status:
        if encoder == "statistics":
            clips = adapt_many(requests, window_s, STATISTICS_CONTRACT)
            save_backbone(fit_statistics(clips, trained_on=tuple(data)), out)
        else:
            config = TS2VecConfig(seed=seed) if steps is None else TS2VecConfig(seed=seed, steps=steps)
            clips = adapt_many(requests, window_s, TS2VEC_CONTRACT)

            def tell(step: int, loss: float) -> None:
                status.update(f"fitting {encoder}: step {step + 1}/{config.steps}, loss {loss:.3f}")

            save_backbone(fit_ts2vec(clips, config, trained_on=tuple(data), progress=tell), out)
    count = sum(len(starts) for _, starts in requests)
    Console(highlight=False).print(f"{encoder} of {count} windows: {out}", markup=False, soft_wrap=True)
