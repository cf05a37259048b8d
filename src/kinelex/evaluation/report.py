"""The result of a zero-shot evaluation: a record that is saved as JSON, and a Markdown page that a person reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from kinelex.evaluation.protocol import ZeroShotProtocol
from kinelex.evaluation.published_figures import BestPublished, published_figures
from kinelex.evaluation.record import Record, read_record, write_record
from kinelex.evaluation.statistics import Estimate

FORMAT = 2
KIND = "zero-shot report"
_PICTURES = ("confusion.png", "reliability.png", "risk-coverage.png")


class ClassResult(Record):
    """How one class fared."""

    name: str = Field(description="Official activity name, or the label group.")
    texts: tuple[str, ...] = Field(description="The candidate texts that stand for it.")
    units: int = Field(description="How many units are of it.")
    precision: float = Field(description="Mean over training seeds.")
    recall: float = Field(description="Mean over training seeds.")
    f1: Estimate = Field(description="Mean, spread and interval over subjects.")


class ReliabilityBins(Record):
    """Confidence against accuracy, all training seeds together."""

    edges: tuple[float, ...] = Field(description="Ends of the bins, one more than bins.")
    count: tuple[int, ...] = Field(description="Units per bin, added over the training seeds.")
    confidence: tuple[float | None, ...] = Field(description="Mean confidence per bin; none where it is empty.")
    accuracy: tuple[float | None, ...] = Field(description="Accuracy per bin; none where it is empty.")


class RiskCoverage(Record):
    """The error rate that is left when only the surest answers are kept, mean over training seeds."""

    coverage: tuple[float, ...] = Field(description="Shares of units kept, the surest first.")
    risk: tuple[float, ...] = Field(description="The share of them that is wrong.")


class Similarity(Record):
    """How far the words of the truth stand out: cosines in the text space, before anything is made of them."""

    true: Estimate = Field(description="Mean cosine to the nearest text of the true class.")
    others: Estimate = Field(description="Mean cosine to the texts of all other classes.")
    gap: Estimate = Field(description="The first less the second.")


class PartResult(Record):
    """Accuracy on a part of the units."""

    kind: str = Field(description="What parts them: placement or rate.")
    name: str = Field(description="Which placement or rate.")
    units: int = Field(description="How many units are of it.")
    accuracy: Estimate = Field(description="Share of them that is right.")


class TaskResult(Record):
    """One data set against one set of candidates."""

    task: str = Field(
        description="closed_words, closed_vocabulary, open_groups; closed_published, open_published, each also with"
        " _words; any of them with _transductive."
    )
    title: str = Field(description="The task in words.")
    candidates: int = Field(description="Number of candidate texts.")
    accuracy: Estimate = Field(description="Share of units that are right.")
    macro_f1: Estimate = Field(description="Mean F1 over the classes that macro_f1_over names.")
    macro_f1_over: str = Field(
        description="declared: all candidates' classes; truth: classes that occur in truth; union: see below."
    )
    macro_f1_union: Estimate = Field(
        description="Mean F1 over the classes that occur in truth or are predicted. Its interval leans upward: a draw"
        " of subjects sees fewer of the classes that are rarely predicted."
    )
    mean_reciprocal_rank: Estimate = Field(description="Of the true class.")
    recall_at_1: Estimate | None = Field(None, description="Share of units whose true class comes first, alone.")
    recall_at_3: Estimate = Field(description="Share of units whose true class is among the three best.")
    recall_at_5: Estimate | None = Field(None, description="Share of units whose true class is among the five best.")
    similarity: Similarity | None = Field(None, description="Cosines of true and other labels, if known.")
    calibration_error: Estimate = Field(description="Expected calibration error, equal-width bins.")
    brier: Estimate = Field(description="Squared distance from distribution to truth, 0 to 2.")
    area_under_risk_coverage: tuple[float, ...] = Field(description="Mean selective risk, of each training seed.")
    risk_coverage: RiskCoverage | None = Field(None, description="For a risk-coverage diagram.")
    parts: tuple[PartResult, ...] = Field((), description="Per placement and per rate, where a set has several.")
    best_published: BestPublished | None = Field(
        None, description="The published figures to beat, where there are any."
    )
    classes: tuple[ClassResult, ...] = Field(description="Each class that counts, in the order of the confusion table.")
    confusion: tuple[tuple[int, ...], ...] = Field(description="Truth by prediction, added over the training seeds.")
    reliability: ReliabilityBins = Field(description="For a reliability diagram.")
    per_subject: dict[str, float] = Field(description="Accuracy on each subject, mean over the training seeds.")


class DataResult(Record):
    """One data set and what was reached on it."""

    name: str = Field(description="Name of the stored data set.")
    title: str = Field(description="Its full name.")
    sha256: str = Field(description="Hash over the stored data, to tell whether two results saw the same.")
    seen_in_training: bool | None = Field(description="Whether a checkpoint was trained on it; none: unknown.")
    interval_over: str = Field(description="What the bootstrap draws: subjects, or recordings where nobody is named.")
    subjects: int = Field(description="Subjects (or recordings) with at least one unit.")
    sessions: int = Field(description="Sessions with at least one unit.")
    units: int = Field(description="Windows, or recordings, that got a prediction.")
    hours: float = Field(description="Signal inside the windows.")
    signal_repeats: float = Field(1.0, description="How many windows hold a stretch of signal on average.")
    sessions_too_short: int = Field(description="Sessions below half a window, left out.")
    units_without_signal: int = Field(description="Units without a usable window, left out.")
    tasks: tuple[TaskResult, ...] = Field(description="One per set of candidates.")


class CheckpointUsed(Record):
    """Which weights were evaluated."""

    name: str = Field(description="Name or path as given.")
    fingerprint: str = Field(description="Hash over the weights.")
    text_encoder: str = Field(description="Text encoder and revision it was trained with.")
    temperature: float = Field(description="Calibrated softmax temperature.")


class ZeroShotReport(Record):
    """Everything that a zero-shot evaluation found, and what is needed to repeat it."""

    kind: str = Field(KIND, description="What this file is.")
    version: int = Field(FORMAT, description="Format version.")
    command: str = Field(description="The command that made it.")
    protocol: ZeroShotProtocol = Field(description="The rules.")
    checkpoints: tuple[CheckpointUsed, ...] = Field(description="Several are training seeds of one recipe.")
    versions: dict[str, str] = Field(description="Of Kinelex and what it computes with.")
    data: tuple[DataResult, ...] = Field(description="One per data set.")

    def remarks(self) -> list[str]:
        """What a reader must know to read the figures rightly, one sentence each."""
        remarks = ["Macro-F1 of a closed set is the mean over all declared activities."]
        if self.protocol.name == "published":
            remarks += self._published_remarks()
        elif self.protocol.open_set:
            published = ", ".join(
                f"{data.name} {percent(task.macro_f1_union)}"
                for data in self.data
                for task in data.tasks
                if task.task == "open_groups"
            )
            remarks.append(
                "Macro-F1 of an open set is the mean over the groups that occur in truth; over those that are predicted"
                f" as well, as published, it is: {published}."
            )
            if self.protocol.groups == "published":
                remarks.append("The open set's groups are the published ones, flaws included, for comparison only.")
        if self.protocol.transductive is not None:
            remarks.append(
                "Transductive figures use the unlabeled windows of each"
                f" {self.protocol.transductive} together: they are not zero-shot figures of single windows."
                + " A recording here holds one activity, which nobody would know beforehand."
                * (self.protocol.transductive == "recording")
            )
        remarks.append(f"The calibration error uses {self.protocol.calibration_bins} bins of equal width.")
        for data in self.data:
            if data.seen_in_training:
                remarks.append(f"Careful: {data.name} was part of the training data; its figures are not zero-shot.")
            elif data.seen_in_training is None:
                remarks.append(f"The checkpoint does not say whether {data.name} was part of its training data.")
            if data.interval_over != "subjects":
                remarks.append(f"{data.name} does not say who was recorded: its intervals are over recordings.")
            if data.sessions_too_short:
                remarks.append(f"{data.name}: {data.sessions_too_short} sessions below half a window are left out.")
            if data.units_without_signal:
                remarks.append(f"{data.name}: {data.units_without_signal} units without usable signal are left out.")
        return remarks

    def _published_remarks(self) -> list[str]:
        repeats = ", ".join(f"{data.name} {data.signal_repeats:.1f}" for data in self.data)
        return [
            "Macro-F1 of an open set is the mean over the groups that occur in truth or are predicted.",
            "Published windows are splices of overlapping pieces, for comparison only: the same signal occurs in"
            f" several windows (on average in {repeats}), and some hold two activities.",
            "Best published: the highest accuracy and the highest macro-F1 of any published run, each by itself; one"
            f" training seed. Source: {published_figures().source}.",
        ]


def write_report(report: ZeroShotReport, folder: str | Path, *, plots: bool = True) -> list[Path]:
    """Write the JSON record, the Markdown page and three pictures per task.

    They are a confusion matrix, a reliability diagram and a risk-coverage diagram.

    Args:
        report: what to write.
        folder: where to; files of the same names are replaced.
        plots: also draw the pictures.

    Returns:
        The paths, the JSON record first.
    """
    folder = Path(folder)
    pictures: list[Path] = []
    if plots:
        from kinelex.evaluation.plots import plot_confusion, plot_reliability, plot_risk_coverage

        for data in report.data:
            for task in data.tasks:
                stem = f"{data.name}-{task.task.replace('_', '-')}"
                pictures.append(plot_confusion(data, task, folder / f"{stem}-confusion.png"))
                pictures.append(plot_reliability(data, task, folder / f"{stem}-reliability.png"))
                if task.risk_coverage is not None:
                    pictures.append(plot_risk_coverage(data, task, folder / f"{stem}-risk-coverage.png"))
    page = to_markdown(report, [path.name for path in pictures])
    return [*write_record(report, page, folder), *pictures]


def read_report(path: str | Path) -> ZeroShotReport:
    """Read a report from its JSON file or the folder that holds it.

    Raises:
        CorruptArtifact: no such file, or not a report.
        UnsupportedFormat: written by a newer format version.
    """
    return read_record(path, ZeroShotReport, KIND, FORMAT)


def percent(estimate: Estimate) -> str:
    """An estimate as a table cell: mean, spread over seeds, interval over subjects.

    >>> percent(Estimate(mean=0.812, seeds=(0.80, 0.824), sd=0.017, low=0.77, high=0.85))
    '81.2 ± 1.7 [77.0, 85.0]'
    """
    spread = "" if estimate.sd is None else f" ± {100 * estimate.sd:.1f}"
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.mean:.1f}{spread}"
    return f"{100 * estimate.mean:.1f}{spread} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def to_markdown(report: ZeroShotReport, pictures: Iterable[str] = ()) -> str:
    """The report as a Markdown page.

    Args:
        report: what to show.
        pictures: names of picture files beside the page; a picture is shown under the task whose name it starts with.
    """
    pictures = list(pictures)
    protocol = report.protocol
    unit = "recordings" if protocol.unit == "recording" else "windows"
    cut = "non-overlapping, inside sessions" if protocol.unit == "window" else "covering each recording, averaged"
    cut = "spliced as published" if protocol.name == "published" else cut
    seeds = len(report.checkpoints)
    lines = [
        "# Zero-shot evaluation",
        "",
        "```",
        report.command,
        "```",
        "",
        f"Protocol: {protocol.name}. {protocol.window_s:g}-second windows, {cut}. Figures are percentages:"
        f" mean{' ± standard deviation' if seeds > 1 else ''} over {seeds} training seed{'s' * (seeds > 1)}"
        f" [{100 * protocol.level:g} % interval over subjects, {protocol.draws} bootstrap draws].",
        "",
        f"| data set | candidates | subjects | {unit} | accuracy | macro-F1 | mean reciprocal rank"
        " | calibration error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for data in report.data:
        for task in data.tasks:
            lines += _task_rows(data, task)
    lines += ["", *(f"* {remark}" for remark in report.remarks()), *_more_figures(report)]
    for data in report.data:
        for task in data.tasks:
            lines += ["", f"## {data.title}: {task.title}", "", *_class_table(task, unit)]
            stem = f"{data.name}-{task.task.replace('_', '-')}-"
            for picture in pictures:
                if picture.removeprefix(stem) in _PICTURES and picture.startswith(stem):
                    kind = picture.removeprefix(stem).removesuffix(".png")
                    lines += ["", f"![{kind} of {data.name}, {task.title}]({picture})"]
    lines += ["", "## What was used", "", *checkpoint_table(report.checkpoints)]
    lines += ["", "| data set | SHA-256 | hours | sessions |", "|---|---|---|---|"]
    lines += [f"| {d.name} | `{d.sha256[:16]}` | {d.hours:.2f} | {d.sessions} |" for d in report.data]
    lines += ["", ", ".join(f"{name} {version}" for name, version in report.versions.items()) + "."]
    return "\n".join(lines) + "\n"


def checkpoint_table(checkpoints: Iterable[CheckpointUsed]) -> list[str]:
    """Which weights were evaluated, as lines of Markdown."""
    lines = ["| checkpoint | fingerprint | text encoder | temperature |", "|---|---|---|---|"]
    return lines + [
        f"| {used.name} | `{used.fingerprint[:16]}` | {used.text_encoder} | {used.temperature:.3g} |"
        for used in checkpoints
    ]


def _task_rows(data: DataResult, task: TaskResult) -> list[str]:
    """A task's row of the first table, and below it the published figures that it is held against."""
    rows = [
        f"| {data.name} | {task.title} | {data.subjects} | {data.units:,} | {percent(task.accuracy)}"
        f" | {percent(task.macro_f1)} | {task.mean_reciprocal_rank.mean:.3f}"
        f" | {percent(task.calibration_error)} |"
    ]
    if bar := task.best_published:
        rows.append(
            f"| {data.name} | *best published, {bar.metric}* | {data.subjects} | {bar.windows:,}"
            f" | {100 * bar.accuracy:.1f} ({bar.accuracy_of}) | {100 * bar.macro_f1:.1f} ({bar.macro_f1_of}) | | |"
        )
    return rows


def _more_figures(report: ZeroShotReport) -> list[str]:
    """Recall among the best, similarities, and accuracy per placement and rate, as far as a report has them."""
    lines = []
    tasks = [(data, task) for data in report.data for task in data.tasks]
    if any(task.similarity for _, task in tasks):
        lines += ["", "## How near the truth was", ""]
        lines += ["| data set | candidates | recall at 1 | at 3 | at 5 | cosine to truth | to others | gap |"]
        lines += ["|---|---|---|---|---|---|---|---|"]
        for data, task in tasks:
            recalls = (task.recall_at_1, task.recall_at_3, task.recall_at_5)
            cosines = (task.similarity.true, task.similarity.others, task.similarity.gap) if task.similarity else ()
            shown = ["" if recall is None else f"{100 * recall.mean:.1f}" for recall in recalls]
            shown += [f"{cosine.mean:.3f}" for cosine in cosines] or [""] * 3
            lines.append(f"| {data.name} | {task.title} | {' | '.join(shown)} |")
    if any(task.parts for _, task in tasks):
        lines += [
            "",
            "## Parts of a set",
            "",
            "| data set | candidates | part | units | accuracy |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {data.name} | {task.title} | {part.kind}: {part.name} | {part.units:,} | {percent(part.accuracy)} |"
            for data, task in tasks
            for part in task.parts
        ]
    return lines


def _class_table(task: TaskResult, unit: str) -> list[str]:
    lines = [f"| class | candidate text | {unit} | precision | recall | F1 |", "|---|---|---|---|---|---|"]
    for scored in task.classes:
        texts = scored.texts[0] if len(scored.texts) == 1 else f"{len(scored.texts)} labels"
        lines.append(
            f"| {scored.name} | {texts} | {scored.units:,} | {100 * scored.precision:.1f} | {100 * scored.recall:.1f}"
            f" | {percent(scored.f1)} |"
        )
    return lines
