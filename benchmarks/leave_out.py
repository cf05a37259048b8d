"""Compare recipes on training sets that they leave out: what the shipped recipe and its temperature were chosen by.

    python benchmarks/leave_out.py --root FOLDER-OF-IMPORTED-SETS

trains every variant of `leave_out.yaml` once per fold (an interrupted study goes on where it was) and scores it on the
fold's sets, with the official names as words and with the vocabulary's labels. Every checkpoint is also scored with
parts of its text space taken away, which costs no training. A variant whose figures stand in the result already, from
the same recipe on the same recordings, is not trained again; `--again` does so all the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from kinelex.artifact import write_json
from kinelex.datasets import StoredDataset, data_root
from kinelex.errors import BadLabels
from kinelex.evaluation import metrics
from kinelex.evaluation.candidates import closed_set
from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.units import embed, lay_out
from kinelex.evaluation.zero_shot import versions
from kinelex.language import Vocabulary, resolve_text_encoder
from kinelex.model import Checkpoint, TextSpace, load_checkpoint
from kinelex.recognition.calibration import fit_temperature
from kinelex.recognition.scoring import label_logits
from kinelex.training import Recipe

HERE = Path(__file__).parent
RESULT = HERE / "results" / "leave-out.json"
TEXTS = ("words", "vocabulary")
_NOTHING = np.empty((0, 0), dtype=np.float32)


def text_spaces(whole: TextSpace) -> dict[str, TextSpace]:
    """A checkpoint's text space with parts of it taken away."""
    return {
        "centered": replace(whole, anchors=_NOTHING, prototypes=_NOTHING),
        "leaning": replace(whole, prototypes=_NOTHING),
        "crowding": replace(whole, anchors=_NOTHING),
        "leaning, crowding": whole,
    }


def train(variant: str, changes: dict[str, Any], left_out: list[str], study: Study) -> Path:
    """Train one run unless it is there; returns its folder.

    A finished run of another recipe under the same name is not taken for it: `kinelex train` refuses its folder.
    """
    folder = study.runs / f"{variant}-without-{'-'.join(left_out)}"
    content = {"name": variant, **study.base}
    for key, value in changes.items():
        content[key] = {**content[key], **value} if isinstance(content.get(key), dict) else value
    asked = Recipe.model_validate(content).leaving_out(*left_out)
    finished = folder / "result.json"
    if finished.is_file() and Recipe.model_validate(json.loads(finished.read_text())["recipe"]) == asked:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    recipe = folder.with_suffix(".yaml")
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))
    command = [sys.executable, "-c", "from kinelex.cli import main; raise SystemExit(main())", "train", str(recipe)]
    command += ["--out", str(folder), "--root", str(study.root), "--score-every", str(content["steps"])]
    for name in left_out:
        command += ["--leave-out", name]
    with folder.with_suffix(".log").open("a") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)
    return folder


def score(checkpoint: Checkpoint, name: str, study: Study) -> Iterator[dict[str, Any]]:
    """Closed-set figures of a checkpoint on one set, by every kind of texts and every text space."""
    source, units = study.laid_out(name)
    embeddings = embed(checkpoint, units)
    usable = np.isfinite(embeddings).all(axis=1)
    for texts in TEXTS:
        try:
            candidates = closed_set(name, source.declared, texts, study.vocabulary, study.encoder)
        except BadLabels:
            continue  # two official names that mean one label
        truth = np.array([candidates.class_of_label[label] for label in units.labels])[usable]
        for kind, space in text_spaces(checkpoint.text_space).items():
            vectors = space.project(candidates.vectors)
            logits = label_logits(embeddings[usable], vectors, scale=checkpoint.scale, crowding=space.crowding(vectors))
            table = metrics.confusion(truth, logits.argmax(axis=1), len(candidates.classes))
            yield {
                "set": name,
                "texts": texts,
                "text_space": kind,
                "windows": len(truth),
                "accuracy": round(float(metrics.accuracy(table)), 4),
                "macro_f1": round(float(metrics.macro_f1(table)), 4),
                "temperature": round(fit_temperature(logits, truth), 4),
            }


class Study:
    """What all runs share."""

    def __init__(self, definition: Path, root: Path, runs: Path) -> None:
        content = yaml.safe_load(definition.read_text())
        self.base, self.folds, self.variants = content["base"], content["folds"], content["variants"]
        self.chosen: str = content["chosen"]
        self.root, self.runs = root, runs
        self.encoder, self.vocabulary = resolve_text_encoder(), Vocabulary.standard()
        self._laid_out: dict[str, Any] = {}

    def standing(self) -> dict[str, list[dict[str, Any]]]:
        """The figures per variant that the committed result holds already, of this study's recipes and recordings."""
        if not RESULT.is_file():
            return {}
        before = json.loads(RESULT.read_text())
        asked = before["study"]
        if asked["base"] != self.base or asked["folds"] != self.folds or before["datasets"] != self.datasets():
            return {}
        same = [name for name, changes in self.variants.items() if asked["variants"].get(name) == changes]
        return {name: [row for row in before["runs"] if row["variant"] == name] for name in same}

    def datasets(self) -> dict[str, str]:
        """Hashes of the sets that are left out."""
        return {name: self.laid_out(name)[0].sha256 for fold in self.folds for name in fold}

    def laid_out(self, name: str) -> Any:
        """A set and its windows, cut once."""
        if name not in self._laid_out:
            source = EvaluationSet.stored(StoredDataset.open(self.root, name))
            self._laid_out[name] = source, lay_out(source.sessions(), ZeroShotProtocol())
        return self._laid_out[name]


def means(rows: list[dict[str, Any]], **chosen: str) -> tuple[float, float]:
    """Mean accuracy and macro-F1 over the sets, in percent, of the rows that match."""
    these = [row for row in rows if all(row[key] == value for key, value in chosen.items())]
    found: NDArray[np.float64] = 100 * np.mean([[row["accuracy"], row["macro_f1"]] for row in these], axis=0)
    return round(float(found[0]), 1), round(float(found[1]), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=HERE / "leave_out.yaml")
    parser.add_argument("--root", type=Path, default=None, help="folder of the imported data sets")
    parser.add_argument("--runs", type=Path, default=Path("runs/leave-out"), help="where runs are kept")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once, each on one thread")
    parser.add_argument("--again", action="store_true", help="train what stands in the result, too")
    call = parser.parse_args()
    study = Study(call.study, call.root or data_root(), call.runs)

    standing = {} if call.again else study.standing()
    missing = [name for name in study.variants if name not in standing]
    jobs = [(name, study.variants[name], fold) for name in missing for fold in study.folds]
    with ThreadPoolExecutor(call.jobs) as pool:
        folders = list(pool.map(lambda job: train(*job, study), jobs))
    rows = [row for kept in standing.values() for row in kept] + [
        {"variant": name, **row}
        for (name, _, fold), folder in zip(jobs, folders, strict=True)
        for left_out in fold
        for row in score(load_checkpoint(folder / "checkpoint"), left_out, study)
    ]
    summary = []
    for name in study.variants:
        for kind in text_spaces(TextSpace(_NOTHING)):
            figures = {texts: means(rows, variant=name, texts=texts, text_space=kind) for texts in TEXTS}
            summary.append({"variant": name, "text_space": kind, **figures})
            print(f"{name:18} {kind:18}", *(f"{texts} {a:.1f} / {f:.1f}" for texts, (a, f) in figures.items()))
    fitted = [
        row["temperature"]
        for row in rows
        if (row["variant"], row["texts"], row["text_space"]) == (study.chosen, "words", "leaning, crowding")
    ]
    temperature = round(float(np.exp(np.mean(np.log(fitted)))), 2)  # temperatures are factors
    print(f"{study.chosen}: temperature {temperature}")
    write_json(
        RESULT,
        {
            "command": "python benchmarks/leave_out.py",
            "study": {"base": study.base, "folds": study.folds, "variants": study.variants, "chosen": study.chosen},
            "versions": versions(),
            "datasets": study.datasets(),
            "means": summary,
            "temperature": temperature,
            "runs": rows,
        },
    )


if __name__ == "__main__":
    main()
