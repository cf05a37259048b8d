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


def _imported_when_run(name: str) -> Study:
    """The function of this name in the module of this name."""

    def run(*arguments: Any) -> StudyTable | tuple[StudyTable, ...]:
        function: Study = getattr(import_module(f"{__name__}.{name}"), name)
        return function(*arguments)

    run.__name__ = name
    return run


STUDIES: dict[str, Study] = {
    name: _imported_when_run(name) for name in ("strategies", "labels", "grid", "cost", "unseen")
}
"""What can be studied: called with what is `Prepared`, and with what is to hear of progress, or nothing."""
