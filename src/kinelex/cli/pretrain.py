"""``kinelex pretrain``: an encoder learns from imported signal without labels, for a training to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

if TYPE_CHECKING:
    from kinelex.datasets import StoredDataset
    from kinelex.training import Corpus, PretrainRecipe


def pretrain(
    recipe: Path,
    *,
    out: Path | None = None,
    root: Path | None = None,
    seed: Annotated[int | None, Parameter(help="Use this seed instead of the recipe's.")] = None,
    fields: Annotated[list[str] | None, Parameter(name="--set", negative=())] = None,
    tensorboard: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Pretrain an encoder as a recipe says. The same call again resumes a run that was interrupted, to the bit.

    The folder of the run holds the resolved recipe, metrics.jsonl, curves.png, states to resume from, and in the end
    result.json and the encoder: kinelex train RECIPE --set pretrained=RUN begins with it.

    Args:
        recipe: A YAML file; see recipes/pretrain.yaml.
        out: Folder of the run; runs/NAME-seed0 when left out.
        root: The folder of all data sets; KINELEX_DATA or the user's data folder when left out.
        fields: Set a field of the recipe otherwise, such as --set masking.patch_ratio=0.5 --set train=hapt,dsads.
        tensorboard: Also write TensorBoard's event files, into the folder tensorboard of the run.
    """
    from kinelex.cli.train import bar, events
    from kinelex.datasets import StoredDataset, data_root
    from kinelex.language import resolve_text_encoder
    from kinelex.training import PretrainRecipe, open_corpus
    from kinelex.training import pretrain as run
    from kinelex.training.overrides import read_as

    plan = read_as(PretrainRecipe, recipe, fields or (), **({} if seed is None else {"seed": seed}))
    folder = out or Path("runs") / f"{plan.name}-seed{plan.seed}"
    console = Console(stderr=True)
    home = data_root() if root is None else root
    datasets = [StoredDataset.open(home, name) for name in plan.train]
    with events(folder, tensorboard) as shown:
        with console.status("reading the training signal") as status:
            encoder = resolve_text_encoder(plan.text_encoder)
            corpus = open_corpus(
                datasets, plan.model.grid_hz, home / ".corpora", lambda name: status.update(f"converting {name}")
            )
        with bar(plan.steps, console, shown) as progress:
            run(plan, corpus, folder, encoder=encoder, progress=progress)
    last = _finish(folder, plan, corpus, datasets)
    said = [f"{label} {last[name]:.3f}" for name, label in _SAID.items() if name in last]
    console.print(f"after step {last['step']}: {', '.join(said)}", highlight=False, soft_wrap=True)
    console.print(f"encoder: {folder / 'encoder'}", highlight=False, markup=False, soft_wrap=True)


_SAID = {
    "hidden_patches": "error of hidden patches",
    "dropped_channels": "of dropped channels",
    "contrast": "contrast",
}


def _finish(folder: Path, plan: PretrainRecipe, corpus: Corpus, datasets: list[StoredDataset]) -> dict[str, Any]:
    """Write down what the encoder is the result of, and give back the last line of metrics."""
    from kinelex.artifact import write_json
    from kinelex.cli.train import versions_of
    from kinelex.training.metrics import read_metrics
    from kinelex.training.pretraining.encoder import read_pretrained

    last = read_metrics(folder / "metrics.jsonl")[-1]
    result: dict[str, Any] = {
        "recipe": plan.model_dump(mode="json"),
        "corpus_hours": round(corpus.hours, 2),
        "encoder": read_pretrained(folder).fingerprint,
        "last": last,
        "datasets": {d.name: d.fingerprint for d in datasets},
        "versions": versions_of(plan.as_recipe()),
    }
    write_json(folder / "result.json", result)
    return last
