"""The result of a few-shot evaluation: a record that is saved as JSON, and a Markdown page that a person reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from kinelex.evaluation.label_budget import Budget
from kinelex.evaluation.record import Record, read_record, write_record
from kinelex.evaluation.report import CheckpointUsed, checkpoint_table, percent
from kinelex.evaluation.statistics import Estimate

FORMAT = 1
KIND = "few-shot report"


class FewShotClass(Record):
    """How one class fared."""

    name: str = Field(description="Official activity name.")
    text: str = Field(description="The words that it was drawn to.")
    units: int = Field(description="How many tested windows are of it.")
    f1: Estimate = Field(description="Mean, spread and interval over subjects.")


class FewShotResult(Record):
    """One method with one budget."""

    budget: str = Field(description="Labeled windows: a share of the training side, or so many per class.")
    method: str = Field(
        description="finetune, finetune+logistic, ridge, logistic, prototype; zero-shot: the words alone."
    )
    labeled: tuple[int, int] = Field(description="Fewest and most labeled windows of a fit.")
    tested: int = Field(description="Windows that were predicted, each once per drawing.")
    pulls: tuple[float, ...] = Field(description="How strongly each fit's head was drawn to the texts, sorted.")
    accuracy: Estimate = Field(description="Share of windows that are right; its spread is over drawings.")
    macro_f1: Estimate = Field(description="Mean F1 over the declared activities; its spread is over drawings.")
    classes: tuple[FewShotClass, ...] = Field(description="In the order of the confusion table.")
    confusion: tuple[tuple[int, ...], ...] = Field(description="Truth by prediction, added over the drawings.")
    per_subject: dict[str, float] = Field(description="Accuracy on each subject, mean over the drawings.")


class FewShotData(Record):
    """One data set and what was reached on it."""

    name: str = Field(description="Name of the stored data set.")
    title: str = Field(description="Its full name.")
    sha256: str = Field(description="Hash over the stored data, to tell whether two results saw the same.")
    seen_in_training: bool = Field(description="Whether a checkpoint was trained on it.")
    interval_over: str = Field(description="What the bootstrap draws: subjects, or recordings where nobody is named.")
    subjects: int = Field(description="Subjects (or recordings) with a usable window.")
    units: int = Field(description="Windows with usable signal.")
    hours: float = Field(description="Signal inside the windows.")
    units_without_signal: int = Field(description="Windows without usable signal, left out.")
    results: tuple[FewShotResult, ...] = Field(description="Budget by budget, zero-shot first.")


class FewShotReport(Record):
    """Everything that a few-shot evaluation found, and what is needed to repeat it."""

    kind: str = Field(KIND, description="What this file is.")
    version: int = Field(FORMAT, description="Format version.")
    command: str = Field(description="The command that made it.")
    protocol: dict[str, Any] = Field(description="The rules: every field of `FewShotProtocol`.")
    checkpoints: tuple[CheckpointUsed, ...] = Field(description="Several are training seeds of one recipe.")
    versions: dict[str, str] = Field(description="Of Kinelex and what it computes with.")
    data: tuple[FewShotData, ...] = Field(description="One per data set.")

    @property
    def leaky(self) -> bool:
        """Whether windows of one person are on both sides."""
        return bool(self.protocol["protocol"] == "published")

    def remarks(self) -> list[str]:
        """What a reader must know to read the figures rightly, one sentence each."""
        remarks = []
        if self.leaky:
            remarks.append(
                "Leaky: windows of all people were shuffled, so that each tested person, and often the same minute, was"
                " learned from. For comparison with figures that were published this way, and for nothing else. The"
                " validation side of 10 % is not used."
            )
        else:
            remarks.append("Nobody that was tested was learned from. All choices were made inside the labeled windows.")
        remarks.append("Macro-F1 is the mean over all declared activities.")
        if len(self.checkpoints) > 1:
            remarks.append("Training seeds take turns over the drawings: the spread is over both.")
        for data in self.data:
            if data.seen_in_training:
                remarks.append(f"Careful: {data.name} was part of the training data of the model.")
            if data.interval_over != "subjects":
                remarks.append(f"{data.name} does not say who was recorded: its sides and intervals are of recordings.")
            if data.units_without_signal:
                remarks.append(f"{data.name}: {data.units_without_signal} windows without usable signal are left out.")
        return remarks


def write_few_shot(report: FewShotReport, folder: str | Path) -> list[Path]:
    """Write the JSON record and the Markdown page; returns their paths."""
    return write_record(report, few_shot_page(report), folder)


def read_few_shot(path: str | Path) -> FewShotReport:
    """Read a report from its JSON file or the folder that holds it.

    Raises:
        CorruptArtifact: no such file, or not a few-shot report.
        UnsupportedFormat: written by a newer format version.
    """
    return read_record(path, FewShotReport, KIND, FORMAT)


def few_shot_page(report: FewShotReport) -> str:
    """The report as a Markdown page."""
    protocol = report.protocol
    drawings = max(len(protocol["seeds"]), len(report.checkpoints))
    lines = [
        f"# Few-shot evaluation, {'published protocol (leaky)' if report.leaky else 'nobody on two sides'}",
        "",
        "```",
        report.command,
        "```",
        "",
        f"{protocol['window_s']:g}-second windows. Figures are percentages:"
        f" mean{' ± standard deviation' * (drawings > 1)} over {drawings} drawing{'s' * (drawings > 1)} of labels"
        f" [{100 * protocol['level']:g} % interval over subjects, {protocol['draws']} bootstrap draws].",
        "",
        "| data set | budget | method | labeled windows | tested | accuracy | macro-F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for data in report.data:
        lines += [
            f"| {data.name} | {budget_in_words(result)} | {result.method} |"
            f" {labeled_in_words(result)} | {result.tested:,} | {percent(result.accuracy)} |"
            f" {percent(result.macro_f1)} |"
            for result in shown(data)
        ]
    lines += ["", *(f"* {remark}" for remark in report.remarks())]
    for data in report.data:
        lines += ["", f"## {data.title}: F1 per class", "", *_class_table(data)]
    lines += ["", "## What was used", "", *checkpoint_table(report.checkpoints)]
    lines += ["", "| data set | SHA-256 | subjects | hours |", "|---|---|---|---|"]
    lines += [f"| {d.name} | `{d.sha256[:16]}` | {d.subjects} | {d.hours:.2f} |" for d in report.data]
    lines += ["", ", ".join(f"{name} {version}" for name, version in report.versions.items()) + "."]
    return "\n".join(lines) + "\n"


def shown(data: FewShotData) -> list[FewShotResult]:
    """The results with zero-shot once, not once per budget: without labels a budget changes nothing."""
    first = [result for result in data.results if not any(result.labeled)][:1]
    return first + [result for result in data.results if any(result.labeled)]


def budget_in_words(result: FewShotResult) -> str:
    """``1 %`` of the training side, or ``5 per class``; a dash where nothing is labeled."""
    return str(Budget.parse(result.budget)) if any(result.labeled) else "–"


def labeled_in_words(result: FewShotResult) -> str:
    """How many windows were labeled: none, a number, or a range over the fits."""
    low, high = result.labeled
    return "–" if not high else f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _class_table(data: FewShotData) -> list[str]:
    results = shown(data)
    heads = [r.method if not any(r.labeled) else f"{r.method}, {budget_in_words(r)}" for r in results]
    lines = [f"| class | windows | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
    for i, scored in enumerate(results[0].classes):
        figures = " | ".join(f"{100 * result.classes[i].f1.mean:.1f}" for result in results)
        lines.append(f"| {scored.name} | {scored.units:,} | {figures} |")
    return lines
