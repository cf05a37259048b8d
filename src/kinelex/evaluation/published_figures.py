"""Published figures to be held against ours; the content is data, in ``published_figures.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

Metric = Literal["zero-shot open", "zero-shot closed", "1 %", "10 %"]

_FILE = Path(__file__).with_name("published_figures.yaml")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishedFigure(_Record):
    """What one published run reached."""

    accuracy: float = Field(description="Percent of windows.")
    macro_f1: float | None = Field(None, description="Percent; none where it was not given.")


class PublishedSet(_Record):
    """The published figures of one data set."""

    published_as: str = Field(description="What the data set was called.")
    windows: int = Field(description="On how many windows zero-shot figures rest.")
    figures: dict[Metric, dict[str, PublishedFigure]] = Field(description="Per metric, per run.")


class PublishedFigures(_Record):
    """All published figures and where they are from."""

    source: str = Field(description="Where they were published.")
    sets: dict[str, PublishedSet] = Field(description="By our name of the data set.")


class BestPublished(_Record):
    """The bar: the best published figure of each kind, of whichever run."""

    metric: Metric = Field(description="Which of the four published metrics.")
    accuracy: float = Field(description="The highest accuracy, 0 to 1.")
    accuracy_of: str = Field(description="The run that reached it.")
    macro_f1: float = Field(description="The highest macro-F1, 0 to 1.")
    macro_f1_of: str = Field(description="The run that reached it, which is often another one.")
    windows: int = Field(description="On how many windows the published zero-shot figures rest.")


@cache
def published_figures() -> PublishedFigures:
    """The content of the file."""
    return PublishedFigures.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def best_published(dataset: str, metric: Metric) -> BestPublished | None:
    """The best published figures on a data set; none where there is no published one.

    Accuracy and macro-F1 are each taken from the run that has most of it, so that no single run has to have both.

    >>> best_published("motionsense", "zero-shot closed").accuracy
    0.666
    >>> best_published("hapt", "1 %") is None
    True
    """
    about = published_figures().sets.get(dataset)
    if about is None:
        return None
    runs = about.figures[metric]
    by_accuracy = max(runs, key=lambda run: runs[run].accuracy)
    by_macro_f1 = max(runs, key=lambda run: runs[run].macro_f1 or 0.0)
    return BestPublished(
        metric=metric,
        accuracy=round(runs[by_accuracy].accuracy / 100, 6),
        accuracy_of=by_accuracy,
        macro_f1=round((runs[by_macro_f1].macro_f1 or 0.0) / 100, 6),
        macro_f1_of=by_macro_f1,
        windows=about.windows,
    )
