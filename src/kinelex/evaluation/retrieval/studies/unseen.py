"""What was never learned (RQ5): placements and activities that a memory takes up without any training."""

from __future__ import annotations

from kinelex.evaluation.retrieval.studies import unseen_classes, unseen_placements
from kinelex.evaluation.retrieval.studies.prepared import Prepared, Progress, name_of
from kinelex.evaluation.retrieval.studies.record import Cell, StudyTable


def unseen(prepared: Prepared, progress: Progress | None = None) -> tuple[StudyTable, ...]:
    """Test at placements, and on activities, that head and gate did not learn from.

    Args:
        prepared: encoders, data sets and rules; what a set cannot answer is left out.
        progress: called after each half of a backbone on a data set.

    Returns:
        The table of placements and that of activities.

    Raises:
        BadSamples: a data set without any window.
        UsageError: one person alone in a data set.
    """
    placements: list[dict[str, Cell]] = []
    classes: list[dict[str, Cell]] = []
    protocol = prepared.protocol
    steps, done = 2 * len(prepared.pairs()), 0
    for source in prepared.data:
        target = prepared.target(source)
        apart = unseen_placements.taken_apart(target)
        for backbone in prepared.backbones:
            if apart is not None:
                placements += unseen_placements.placement_rows(backbone, apart, protocol)
            done += 1
            if progress is not None:
                progress(f"unseen placements: {name_of(backbone)} on {source.name}", done, steps)
            classes += unseen_classes.class_rows(prepared.seen(source, backbone), target, protocol)
            done += 1
            if progress is not None:
                progress(f"unseen activities: {name_of(backbone)} on {source.name}", done, steps)
    return (
        StudyTable(
            name="unseen placements",
            title="A placement that nothing was learned at",
            about=unseen_placements.ABOUT,
            columns=unseen_placements.COLUMNS,
            rows=tuple(placements),
        ),
        StudyTable(
            name="unseen activities",
            title="Activities that nothing was learned of",
            about=unseen_classes.ABOUT,
            columns=unseen_classes.COLUMNS,
            rows=tuple(classes),
        ),
    )
