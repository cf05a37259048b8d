"""``kinelex datasets``: imports, lists and describes, and says in one line what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinelex.cli import main


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["datasets", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_import_list_and_info(source, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = source().parent
    code, out, _ = run(capsys, "import", folder, "--root", root)
    assert (code, out) == (0, "made_up: imported, 4 subjects, 3 activities, 0.04 h, 24 sessions\n")
    code, out, _ = run(capsys, "import", folder / "made_up.parquet", folder / "made_up.yaml", "--root", root)
    assert (code, out.count("made_up: unchanged")) == (0, 2)
    code, out, _ = run(capsys, "list", "--root", root)
    assert code == 0
    assert all(word in out for word in ("made_up", "pocket", "50", "in", "test"))
    code, out, _ = run(capsys, "info", "made_up", "--root", root, "--verify")
    assert code == 0
    assert all(word in out for word in ("Made-up motion", "pocket: acc, gyro", "none needed", "nobody", "every hash"))
    assert "walking" in out and "48" in out


def test_info_as_json(stored, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "info", "made_up", "--json", "--root", root)
    facts = json.loads(out)
    assert code == 0
    assert facts["activities"]["walking"] == {"seconds": 48.0, "sessions": 8, "subjects": 4}
    assert facts["channels"][0] == "pocket_acc_x"
    assert facts["fingerprint"] == stored.fingerprint


def test_the_default_root_is_the_variable(
    source, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINELEX_DATA", str(root))
    assert run(capsys, "list")[1].startswith("No data set")
    run(capsys, "import", source())
    assert "made_up" in run(capsys, "list")[1]


def test_notes_are_told(source, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "import", source(hours=1), "--root", root)
    assert "note: 0.040 h in the table, 1 h on the card" in run(capsys, "info", "made_up", "--root", root)[1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("import",), 2, "nothing to import"),
        (("import", "nowhere.parquet"), 3, "does not exist"),
        (("info", "made_down"), 2, "made_up"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    stored, root: Path, capsys: pytest.CaptureFixture[str], words, code: int, message: str
) -> None:
    found, _, err = run(capsys, *words, "--root", root)
    assert found == code
    assert err.startswith("error: ") and err.count("\n") == 1
    assert message in err


def test_a_wrong_card_and_wrong_data_have_their_own_exit_codes(
    source, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "import", source(rate_hz=1), "--root", root)[0] == 2
    assert run(capsys, "import", source(subjects=9), "--root", root)[0] == 3


def test_damage_shows_in_the_list_and_fails_info(stored, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = stored.folder / stored.shards[0][0]
    shard.write_bytes(shard.read_bytes()[:-1])
    code, out, _ = run(capsys, "list", "--root", root)
    assert code == 0
    assert "damaged" in out
    code, _, err = run(capsys, "info", "made_up", "--root", root)
    assert code == 3
    assert "made_up" in err
