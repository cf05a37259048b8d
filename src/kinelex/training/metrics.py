"""Lines of metrics, one JSON object each, that agree with the step a run resumes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kinelex.artifact import append_line, write_text


class MetricsLog:
    """Appends to ``metrics.jsonl``; on resuming, lines of steps that will be done again are dropped first."""

    def __init__(self, path: Path, from_step: int) -> None:
        self.path = path
        kept = [line for line in read_metrics(path) if line["step"] <= from_step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))

    def write(self, **values: Any) -> None:
        """Append one line."""
        append_line(self.path, json.dumps(values))


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines; the last one may have been cut off by a crash."""
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines
