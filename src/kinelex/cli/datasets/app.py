"""What all commands of ``kinelex datasets`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

app = App(name="datasets", help="Labelled data sets: import them once, then train and evaluate on them.")

Root = Annotated[Path | None, Parameter(name="--root")]
