"""Studies of retrieval: the paper's research questions, each a function that gives a table or several.

Importing this costs nothing: a study is imported when it is run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from kinelex.evaluation.retrieval.studies.record import StudyTable

    Study = Callable[..., StudyTable | tuple[StudyTable, ...]]


def _imported_when_run(name: str, *, with_prepared: bool = True) -> Study:
    """The function of this name in the module of this name."""

    def run(*arguments: Any, prepared: Any = None, **named: Any) -> StudyTable | tuple[StudyTable, ...]:
        function: Study = getattr(import_module(f"{__name__}.{name}"), name)
        return function(*arguments, **named, **({"prepared": prepared} if with_prepared else {}))

    run.__name__ = name
    return run


STUDIES: dict[str, Study] = {
    "strategies": _imported_when_run("strategies"),
    "labels": _imported_when_run("labels"),
    "grid": _imported_when_run("grid"),
    "cost": _imported_when_run("cost"),
    "unseen": _imported_when_run("unseen", with_prepared=False),
}
"""What can be studied: called with ``(backbones, data, protocol, *, vocabulary, encoder, progress)``."""
