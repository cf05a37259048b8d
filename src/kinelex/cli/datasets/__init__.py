"""``kinelex datasets``: get, import, check and look at labelled data sets; one file per group of commands."""

from __future__ import annotations

# The commands put themselves into the app when their files are read.
from kinelex.cli.datasets import card, contents, importing, public, stats
from kinelex.cli.datasets.app import app

__all__ = ["app", "card", "contents", "importing", "public", "stats"]
