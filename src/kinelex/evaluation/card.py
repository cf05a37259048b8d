"""The model card: what a checkpoint was trained on, how well it does, and what it cannot do; generated, never typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kinelex.datasets import StoredDataset
from kinelex.evaluation.left_out import LeftOutScore
from kinelex.evaluation.report import ZeroShotReport, percent
from kinelex.model import Checkpoint
from kinelex.training import Recipe

_LIMITS = """\
* It sees accelerometer and gyroscope. A magnetometer is not used.
* It does not know how a device is turned on the body, so it cannot tell lying from sitting or standing still by the
  direction of gravity: postures without movement are told apart by small movements only, and lying hardly at all.
* Windows of 6 seconds; an activity that takes longer to show itself is not seen as a whole.
* It was trained on adults, most of them young and healthy, in staged activities. It is no medical device.
* A name far from everything it was trained on gets an answer as well: look at `unsure`, and try it on examples first.
"""


def model_card(
    checkpoint: Checkpoint,
    recipe: Recipe,
    datasets: Sequence[StoredDataset],
    left_out: Mapping[str, LeftOutScore],
    reports: Sequence[ZeroShotReport] = (),
) -> str:
    """Write the card of a checkpoint.

    Args:
        checkpoint: the model.
        recipe: how it was trained.
        datasets: the imported sets of the recipe, trained on and left out.
        left_out: scores on the left-out sets.
        reports: zero-shot reports on test sets, of this and other training seeds.
    """
    stored = {dataset.name: dataset for dataset in datasets}
    parameters = sum(p.numel() for p in checkpoint.model.parameters())
    lines = [
        f"# {checkpoint.name}",
        "",
        "Motion of one placement (accelerometer, gyroscope or both, 5 to 400 Hz) to a vector in the space"
        f" of `{checkpoint.text_encoder.split('@')[0]}`. {parameters / 1e6:.2f} M parameters,"
        f" {len(checkpoint.labels.texts)} known labels; any other text needs the text encoder.",
        "",
        "## Training data",
        "",
        "| set | subjects | hours | Hz | placement | licence | cite |",
        "|---|--:|--:|--:|---|---|---|",
    ]
    for name in recipe.train:
        d = stored[name]
        lines.append(
            f"| {d.about.title} | {len(d.subjects)} | {d.hours:.1f} | {', '.join(f'{rate:g}' for rate in d.rates_hz)} |"
            f" {', '.join(d.placements)} | {d.about.licence} | {d.about.cite} |"
        )
    lines += [
        "",
        f"Recipe `{recipe.name}`, seed {recipe.seed}: {recipe.steps} updates of {recipe.batch_windows} windows.",
    ]
    lines += _left_out_lines(checkpoint, left_out)
    for report in reports:
        lines += _report_lines(report)
    return "\n".join([*lines, "", "## Limits", "", _LIMITS])


def _left_out_lines(checkpoint: Checkpoint, left_out: Mapping[str, LeftOutScore]) -> list[str]:
    if not left_out:
        return [
            "Nothing was left out to calibrate on: probabilities have the temperature that the recipe names,"
            f" {checkpoint.temperature:.2f}."
        ]
    lines = ["", "## Left-out training sets", ""]
    lines.append(
        "Not trained on; runs were compared and probabilities calibrated on them"
        f" (temperature {checkpoint.temperature:.2f})."
    )
    lines += ["", "| set | windows | accuracy | macro-F1 | its own temperature |", "|---|--:|--:|--:|--:|"]
    lines += [
        f"| {name} | {score.windows} | {100 * score.accuracy:.1f} | {100 * score.macro_f1:.1f} |"
        f" {score.temperature:.2f} |"
        for name, score in left_out.items()
    ]
    return lines


def _report_lines(report: ZeroShotReport) -> list[str]:
    seeds = len(report.checkpoints)
    of = "One training seed" if seeds == 1 else f"Mean ± spread of {seeds} training seeds"
    over = " and ".join(dict.fromkeys(data.interval_over for data in report.data))
    lines = ["", "## Zero-shot results", "", f"{of}, in percent, with 95 % intervals over {over}:", ""]
    lines += ["| set | task | windows | subjects | accuracy | macro-F1 |", "|---|---|--:|--:|---|---|"]
    for data in report.data:
        for task in data.tasks:
            lines.append(
                f"| {data.title} | {task.title} | {data.units} | {data.subjects} |"
                f" {percent(task.accuracy)} | {percent(task.macro_f1)} |"
            )
    return [*lines, "", f"Command: `{report.command}`"]
