"""A draft can be converted again, unless it is given away."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinelex.readers import read
from kinelex.readers.reading import read_draft
from kinelex.readers.request import Request


def test_a_draft_keeps_its_samples_unless_they_are_given_away(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [",".join(f"{v:.4f}" for v in [k / 50, *rng.normal([0, 0, 1], 0.005)]) for k in range(200)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["t,acc_x (g),acc_y (g),acc_z (g)", *rows]))
    draft = read_draft(Request(path))
    before = draft.samples.copy()
    first, second = draft.recording(), draft.recording()
    np.testing.assert_array_equal(draft.samples, before)
    np.testing.assert_array_equal(first.samples, second.samples)
    given = draft.recording(keep=False)
    assert np.shares_memory(given.samples, draft.samples)
    np.testing.assert_array_equal(given.samples, first.samples)
    np.testing.assert_array_equal(read(path).samples, first.samples)
