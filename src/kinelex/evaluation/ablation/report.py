"""The result of an ablation: a record as JSON, and one table as a Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from kinelex import artifact
from kinelex.evaluation.ablation.comparison import Row
from kinelex.evaluation.ablation.plan import BASE, Ablation, Run, Variant
from kinelex.evaluation.ablation.scoring import WHOLE, SetScore, accuracy_of, macro_f1_of
from kinelex.evaluation.report import percent
from kinelex.evaluation.statistics import Estimate

RECORD = "ablation.json"
PAGE = "ablation.md"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunScore(_Record):
    """One run on one set that it left out."""

    variant: str = Field(description="Name of the variant.")
    seed: int = Field(description="Its training seed.")
    set: str = Field(description="Name of the left-out set.")
    texts: str = Field(description="words or vocabulary.")
    text_space: str = Field(description="whole, or the part of the text space.")
    windows: int = Field(description="Windows that were scored.")
    accuracy: float = Field(description="Share of them that is right.")
    macro_f1: float = Field(description="Mean over the declared activities.")
    temperature: float = Field(description="That fits best.")


class AblationReport(_Record):
    """Everything that an ablation found, and what is needed to repeat it."""

    kind: str = Field("ablation report", description="What this file is.")
    version: int = Field(1, description="Format version.")
    command: str = Field(description="The command that made it.")
    ablation: Ablation = Field(description="What was compared, with the base recipe's fields.")
    versions: dict[str, str] = Field(description="Of Kinelex and what it computes with.")
    datasets: dict[str, str] = Field(description="Hash of every imported set that was trained or scored on.")
    draws: int = Field(description="Bootstrap draws of subjects.")
    rows: tuple[Row, ...] = Field(description="The table.")
    temperature: float | None = Field(description="Of the chosen variant, with the official names.")
    missing: tuple[str, ...] = Field(description="Runs that failed or were not asked for.")
    runs: tuple[RunScore, ...] = Field(description="Each run on each of its sets.")


def run_scores(run: Run, scores: Sequence[SetScore]) -> list[RunScore]:
    """The figures of one run."""
    return [
        RunScore(
            variant=run.variant,
            seed=run.seed,
            set=score.set,
            texts=score.texts,
            text_space=score.text_space,
            windows=score.windows,
            accuracy=round(float(accuracy_of(score.parts.sum(axis=0))), 4),
            macro_f1=round(float(macro_f1_of(score.parts.sum(axis=0))), 4),
            temperature=round(score.temperature, 4),
        )
        for score in scores
    ]


def chosen_temperature(ablation: Ablation, rows: Sequence[Row]) -> float | None:
    """What the chosen variant's recipe should name as its temperature."""
    for row in rows:
        if (row.variant, row.text_space, row.texts) == (ablation.chosen, WHOLE, "words"):
            return round(row.temperature, 2)
    return None


def write_ablation(report: AblationReport, folder: str | Path) -> Path:
    """Write the record and the page; returns the path of the page."""
    folder = Path(folder)
    artifact.write_text(folder / PAGE, to_markdown(report))
    artifact.write_json(folder / RECORD, report.model_dump(mode="json"))
    return folder / PAGE


def gain(estimate: Estimate | None) -> str:
    """A difference as a table cell, in bold where its interval leaves zero out.

    >>> gain(Estimate(mean=0.012, seeds=(0.012,), sd=None, low=0.003, high=0.021))
    '**+1.2** [+0.3, +2.1]'
    """
    if estimate is None:
        return ""
    value = f"{100 * estimate.mean:+.1f}"
    if estimate.low is None or estimate.high is None:
        return value
    clear = estimate.low > 0 or estimate.high < 0
    return f"{f'**{value}**' if clear else value} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"


def row_name(row: Row) -> str:
    """The variant, with the part of the text space that it was scored with."""
    return row.variant if row.text_space == WHOLE else f"{row.variant}, {row.text_space}"


def to_markdown(report: AblationReport) -> str:
    """The report as a Markdown page."""
    ablation = report.ablation
    seeds = sorted({seed for row in report.rows for seed in row.seeds})
    lines = [f"# Ablation: {ablation.name}", "", *([ablation.note, ""] if ablation.note else [])]
    lines += ["```", report.command, "```", ""]
    lines.append(
        f"Each variant was trained without {_folds(ablation)}, and scored on what it left out: closed set, 6-second"
        f" windows. Percent, mean over the {len(ablation.sets)} sets"
        f"{' ± standard deviation' if len(seeds) > 1 else ''} over {len(seeds)} training seed{'s' * (len(seeds) > 1)}"
        f" [95 % interval over subjects, {report.draws} bootstrap draws]; differences to `{BASE}` are paired by subject"
        " and seed, bold where the interval leaves zero out. p: Wilcoxon's signed-rank test over the subjects of all"
        " sets, accuracy, corrected by Holm for the variants."
    )
    lines += ["", "| variant | names | accuracy | difference | macro-F1 | difference | p | temperature |",
              "|---|---|---|---|---|---|--:|--:|"]  # fmt: skip
    for row in report.rows:
        p = "" if row.p_holm is None else f"{row.p_holm:.2g}"
        some = "" if len(row.seeds) == len(seeds) else f" (seeds {', '.join(map(str, row.seeds))})"
        lines.append(
            f"| {row_name(row)}{some} | {row.texts} | {percent(row.accuracy)} | {gain(row.gain_accuracy)}"
            f" | {percent(row.macro_f1)} | {gain(row.gain_macro_f1)} | {p} | {row.temperature:.2f} |"
        )
    if report.temperature is not None:
        lines += ["", f"Chosen: `{ablation.chosen}`, temperature {report.temperature:.2f}."]
    if report.missing:
        lines += ["", f"Missing: {', '.join(report.missing)}."]
    lines += ["", "## Variants", "", "| variant | what is changed | |", "|---|---|---|"]
    lines += [f"| {name} | {_changed(of)} | {of.note} |" for name, of in ablation.every.items()]
    lines += _per_set(report)
    lines += ["", "## What was used", "", "| data set | SHA-256 |", "|---|---|"]
    lines += [f"| {name} | `{sha256[:16]}` |" for name, sha256 in report.datasets.items()]
    lines += ["", ", ".join(f"{name} {version}" for name, version in report.versions.items()) + "."]
    return "\n".join(lines) + "\n"


def _per_set(report: AblationReport) -> list[str]:
    lines = ["", "## Single sets", "", "Accuracy / macro-F1, mean over the seeds.", ""]
    sets = report.ablation.sets
    lines += [f"| variant | names | {' | '.join(sets)} |", f"|---|---|{'---|' * len(sets)}"]
    for row in report.rows:
        cells = [_pair(row.per_set.get(name)) for name in sets]
        lines.append(f"| {row_name(row)} | {row.texts} | {' | '.join(cells)} |")
    return lines


def _pair(figures: tuple[float, float] | None) -> str:
    return "" if figures is None else f"{100 * figures[0]:.1f} / {100 * figures[1]:.1f}"


def _folds(ablation: Ablation) -> str:
    return ", ".join(" and ".join(fold) for fold in ablation.folds)


def _changed(variant: Variant) -> str:
    """What a variant does otherwise than the base, in a cell."""
    parts = [f"recipe `{variant.recipe.get('name', '')}`"] if variant.recipe is not None else []
    parts += [_fields(variant.changes)] if variant.changes else []
    parts += (
        [f"pretrained: {_fields({name: value for name, value in variant.pretrain.items() if name != 'train'})}"]
        if variant.pretrain
        else []
    )
    return ", ".join(parts)


def _fields(changes: Mapping[str, Any], prefix: str = "") -> str:
    """Changes as dotted paths."""
    found = []
    for name, value in changes.items():
        inner = isinstance(value, dict) and value
        found.append(_fields(value, f"{prefix}{name}.") if inner else f"`{prefix}{name}: {value}`")
    return ", ".join(found)
