"""``kinelex datasets``: get, import, check and look at labelled data sets; one file per group of commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="datasets", help="Labelled data sets: import them once, then train and evaluate on them.")

Root = Annotated[Path | None, Parameter(name="--root")]

# The commands put themselves into the app above when their files are read.
from kinelex.cli.datasets import card, contents, importing, public, stats  # noqa: E402

__all__ = ["app", "card", "contents", "importing", "public", "stats"]
