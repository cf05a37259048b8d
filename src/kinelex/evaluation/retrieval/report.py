"""The result of an evaluation with retrieval: a record as JSON, and tables that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from kinelex.evaluation.record import Record, read_record, write_record
from kinelex.evaluation.report import percent
from kinelex.evaluation.retrieval.protocol import ALL, NOTHING_TRAINED, SYSTEMS
from kinelex.evaluation.retrieval.targets import Target
from kinelex.evaluation.statistics import Estimate, holm

FORMAT = 1
KIND = "retrieval report"

HEADS = {"base": "base", "vote": "vote", "fixed": "MoRA[B]", "gated": "MoRA[F]"}
"""The columns of every table."""

LEAST_PEOPLE = 6
"""With fewer not even unanimous differences are significant at 5 %."""


class TargetUsed(Record):
    """A data set."""

    name: str = Field(description="Name of the stored data set.")
    title: str = Field(description="Its full name.")
    sha256: str = Field(description="Hash over the stored data.")
    classes: int = Field(description="Declared activities.")
    people: int = Field(description="People with a window, or recordings where nobody is named.")
    named: bool = Field(description="Whether they are people.")
    windows: int = Field(description="Windows that were looked at.")

    @classmethod
    def of(cls, target: Target) -> TargetUsed:
        """What a report says of a data set that was prepared."""
        return cls(
            name=target.source.name,
            title=target.source.title,
            sha256=target.source.sha256,
            classes=len(target.classes),
            people=len(target.names),
            named=target.named,
            windows=len(target),
        )


class RetrievalScore(Record):
    """One system, on one data set, with one budget."""

    backbone: str = Field(description="Name of the encoder.")
    data: str = Field(description="Name of the data set.")
    seen_in_training: bool = Field(description="Whether the encoder's weights saw it.")
    budget: str = Field(description="Labeled windows: so many per class, all of the training side; none: no head.")
    system: str = Field(description="base, vote, fixed or gated.")
    labeled: tuple[int, int] = Field(description="Fewest and most labeled windows of a split.")
    tested: int = Field(description="Windows that were answered to.")
    accuracy: Estimate = Field(description="Share that is right; its spread is over drawings of labels.")
    macro_f1: Estimate = Field(description="Mean F1 over the declared activities, likewise.")
    per_subject: dict[str, float] = Field(description="Accuracy on each person, mean over the drawings.")
    weight: float | None = Field(description="Of gated: mean weight of retrieval.")
    gated_by: dict[str, int] = Field(description="Of gated: splits with the gate, and with which fixed weight.")


class Comparison(Record):
    """MoRA[F] against the base, over the people of all data sets."""

    backbone: str = Field(description="Name of the encoder.")
    budget: str = Field(description="Labeled windows.")
    gain: float = Field(description="Macro-F1 of gated less that of the base, mean over the data sets.")
    error_cut: float = Field(description="Share of the base's missing macro-F1 that is gained, mean over the sets.")
    better_on: int = Field(description="Data sets on which the gain is above zero.")
    sets: int = Field(description="Data sets in all.")
    people: int = Field(description="Of the signed-rank test; 0 where none was made.")
    p: float | None = Field(description="Two-sided signed-rank probability of no difference in accuracy.")
    p_holm: float | None = Field(description="After Holm's correction for all lines.")


class RetrievalReport(Record):
    """Everything that was found, and what is needed to repeat it."""

    kind: str = Field(KIND, description="What this file is.")
    version: int = Field(FORMAT, description="Format version.")
    command: str = Field(description="The command that made it.")
    protocol: dict[str, Any] = Field(description="The rules: every field of `RetrievalProtocol`.")
    versions: dict[str, str] = Field(description="Of Kinelex and what it computes with.")
    data: tuple[TargetUsed, ...] = Field(description="One per data set.")
    scores: tuple[RetrievalScore, ...] = Field(description="Set by set, backbone by backbone, budget by budget.")

    def comparisons(self) -> list[Comparison]:
        """MoRA[F] against the base, for each backbone and budget in which the base has an answer."""
        from scipy.stats import wilcoxon

        lines: list[dict[str, Any]] = []
        for backbone in dict.fromkeys(score.backbone for score in self.scores):
            for budget in self.protocol["budgets"]:
                base, gated = (self._of(backbone, budget, system) for system in ("base", "gated"))
                sets = [name for name in gated if name in base]
                if not sets:
                    continue
                gains = [gated[name].macro_f1.mean - base[name].macro_f1.mean for name in sets]
                missing = [max(1 - base[name].macro_f1.mean, 1e-9) for name in sets]
                people = [
                    gated[name].per_subject[who] - base[name].per_subject[who]
                    for name in sets
                    for who in gated[name].per_subject
                    if who in base[name].per_subject
                ]
                p = None
                if len(people) >= LEAST_PEOPLE:
                    p = float(wilcoxon(people).pvalue) if any(people) else 1.0
                lines.append({
                    "backbone": backbone, "budget": budget, "gain": float(np.mean(gains)),
                    "error_cut": float(np.mean([g / m for g, m in zip(gains, missing, strict=True)])),
                    "better_on": sum(gain > 0 for gain in gains), "sets": len(sets),
                    "people": 0 if p is None else len(people), "p": p,
                })  # fmt: skip
        tested = [line for line in lines if line["p"] is not None]
        corrected = iter(holm([line["p"] for line in tested]) if tested else ())
        return [Comparison(**line, p_holm=None if line["p"] is None else float(next(corrected))) for line in lines]

    def remarks(self) -> list[str]:
        """What a reader must know to read the figures rightly, one sentence each."""
        remarks = [
            "Nobody that was tested is in the memory or was learned from. A memory of labeled windows of the target is"
            " few-shot or full-shot learning, also where nothing is trained: never zero-shot.",
            f"base: the backbone alone ({NOTHING_TRAINED}: by the words of the activities, where it knows words; else"
            " logistic regression on its frozen vectors). vote: share of the neighbors. MoRA[B]: both with one weight."
            " MoRA[F]: a gate that learned inside the budget; where none was better than fixed weights on what was held"
            " out from it, a fixed weight that is clearly better than the base on the labeled windows, or the base.",
            "Macro-F1 is the mean over all declared activities.",
        ]
        if self.protocol.get("head") == "published":
            remarks.append(
                "Head as published, in place of logistic regression: LayerNorm and a linear layer, 50 epochs at 1e-4."
            )
        if self.protocol.get("windows") == "published":
            remarks.append("Windows as published: 10 s of acceleration at 20 Hz, where what is shorter is repeated.")
        seen = sorted({(score.backbone, score.data) for score in self.scores if score.seen_in_training})
        for backbone in dict.fromkeys(name for name, _ in seen):
            sets = ", ".join(data for name, data in seen if name == backbone)
            remarks.append(f"Careful: the weights of {backbone} saw {sets} (marked with *).")
        for used in self.data:
            if not used.named:
                remarks.append(f"{used.name} does not say who was recorded: its sides and intervals are of recordings.")
        return remarks

    def _of(self, backbone: str, budget: str, system: str) -> dict[str, RetrievalScore]:
        wanted = (backbone, budget, system)
        return {one.data: one for one in self.scores if (one.backbone, one.budget, one.system) == wanted}


def write_retrieval(report: RetrievalReport, folder: str | Path) -> list[Path]:
    """Write the JSON record and the Markdown page; returns their paths."""
    return write_record(report, retrieval_page(report), folder)


def read_retrieval(path: str | Path) -> RetrievalReport:
    """Read a report from its JSON file or the folder that holds it.

    Raises:
        CorruptArtifact: no such file, or not a retrieval report.
        UnsupportedFormat: written by a newer format version.
    """
    return read_record(path, RetrievalReport, KIND, FORMAT)


def retrieval_page(report: RetrievalReport) -> str:
    """The report as a Markdown page."""
    protocol = report.protocol
    lines = [
        "# Evaluation with retrieval",
        "",
        "```",
        report.command,
        "```",
        "",
        f"{protocol['window_s']:g}-second windows, {protocol['k']} neighbors by cosine, evidence"
        f" {protocol['evidence']['strategy']} at temperature {protocol['evidence']['temperature']:g}, fixed weight"
        f" {protocol['weight']:g}. Percent: mean ± standard deviation over {len(protocol['draws'])} drawings of labels"
        f" ({NOTHING_TRAINED} and {ALL}: one) [{100 * protocol['level']:g} % interval over subjects].",
        "",
        *(f"* {remark}" for remark in report.remarks()),
        "",
        "## Means over the data sets",
        "",
        *mean_table(report),
        "",
        "## MoRA[F] against the base",
        "",
        "Macro-F1, mean over the data sets. Error cut: share of what the base lacks to 100 that is gained. p:"
        " Wilcoxon's signed-rank test over the people of all sets, accuracy, corrected by Holm for all lines.",
        "",
        "| backbone | budget | gain | error cut | better on | people | p |",
        "|---|---|--:|--:|--:|--:|--:|",
        *(_comparison_line(one) for one in report.comparisons()),
    ]
    for used in report.data:
        lines += ["", f"## {used.title}", "", *_set_table(report, used.name)]
    lines += ["", *what_was_used(report.data, report.versions)]
    return "\n".join(lines) + "\n"


def what_was_used(data: Sequence[TargetUsed], versions: Mapping[str, str]) -> list[str]:
    """The last section of a page: data sets with their hashes, and versions."""
    return [
        "## What was used",
        "",
        "| data set | SHA-256 | people | windows | activities |",
        "|---|---|--:|--:|--:|",
        *(f"| {d.name} | `{d.sha256[:16]}` | {d.people} | {d.windows:,} | {d.classes} |" for d in data),
        "",
        ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
    ]


def mean_table(report: RetrievalReport) -> list[str]:
    """Accuracy / macro-F1 of each system, mean over the data sets, as lines of Markdown."""
    lines = [f"| backbone | budget | {' | '.join(HEADS.values())} |", "|---|---|" + "---|" * len(HEADS)]
    for backbone in dict.fromkeys(score.backbone for score in report.scores):
        for budget in report.protocol["budgets"]:
            cells = [_mean_cell(list(report._of(backbone, budget, system).values())) for system in SYSTEMS]
            lines.append(f"| {backbone} | {budget} | {' | '.join(cells)} |")
    return lines


def _mean_cell(scores: Sequence[RetrievalScore]) -> str:
    if not scores:
        return "–"
    accuracy, macro_f1 = (
        100 * float(np.mean([figure.mean for figure in figures]))
        for figures in ([score.accuracy for score in scores], [score.macro_f1 for score in scores])
    )
    return f"{accuracy:.1f} / {macro_f1:.1f}"


def _comparison_line(one: Comparison) -> str:
    p = "" if one.p_holm is None else f"{one.p_holm:.2g}"
    return (
        f"| {one.backbone} | {one.budget} | {100 * one.gain:+.1f} | {100 * one.error_cut:.1f} % |"
        f" {one.better_on} of {one.sets} | {one.people or ''} | {p} |"
    )


def _set_table(report: RetrievalReport, data: str) -> list[str]:
    lines = ["| backbone | budget | labeled | system | accuracy | macro-F1 | weight |", "|---|---|---|---|---|---|--:|"]
    for score in report.scores:
        if score.data != data:
            continue
        low, high = score.labeled
        size = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        weight = "" if score.weight is None else f"{score.weight:.2f}"
        mark = " *" if score.seen_in_training else ""
        lines.append(
            f"| {score.backbone}{mark} | {score.budget} | {size} | {HEADS[score.system]} | {percent(score.accuracy)} |"
            f" {percent(score.macro_f1)} | {weight} |"
        )
    return lines
