"""The catalog: every entry is whole, agrees with the recordings that are here, and is what the documentation shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kinelex.cli import main
from kinelex.datasets import Card
from kinelex.datasets.catalog import CatalogEntry, catalog_entry, catalog_names, read_entry
from kinelex.datasets.catalog_page import to_markdown
from kinelex.errors import BadRecipe, UnknownName
from kinelex.language import Vocabulary

NAMES = catalog_names()
SAMPLES = {"hhar_sample": "hhar"}
"""Converted tables that hold a part of a set under a name of their own."""


def test_every_set_of_both_designs_is_there() -> None:
    aligned = {
        "uci_har", "hhar", "mhealth", "pamap2", "wisdm", "unimib_shar", "dsads", "hapt", "ku_har", "recgym",
        "motionsense", "realworld", "mobiact", "mobifall", "vtt_coniot",
    }  # fmt: skip
    retrieval = {"shoaib", "usc_had", "utd_mhad", "mmact"}
    besides = {"harth", "opportunity", "sisfall", "umafall"}
    assert aligned | retrieval | besides <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_whole(name: str) -> None:
    entry = catalog_entry(name)
    assert entry.name == name
    assert entry.verified or entry.unverified, "say what was held against recordings, and what was not"
    for activity in entry.activities.values():
        assert activity == activity.strip() and activity.islower(), activity


@pytest.mark.parametrize("name", NAMES)
def test_official_names_are_those_of_the_vocabulary(name: str) -> None:
    known = Vocabulary.standard().official.get(name, {})
    assert set(known) <= set(catalog_entry(name).activities.values())


def test_entries_agree_with_the_converted_recordings(recordings_dir: Path) -> None:
    paths = sorted((recordings_dir / "sessions").glob("*.yaml"))
    assert paths
    for path in paths:
        card, entry = Card.load(path), catalog_entry(SAMPLES.get(path.stem, path.stem))
        assert card.subjects <= entry.subjects, path.stem
        assert set(card.activities) <= set(entry.activities.values()), path.stem
        sensors = {card.channel(column).sensor for column in card.columns}
        assert sensors <= set(entry.sensors), path.stem
        if entry.hours is not None:
            assert card.hours <= entry.hours + 0.01, path.stem


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subjects": 0}, "subjects"),
        ({"access": "open", "files": []}, "files"),
        ({"access": "form"}, "how"),
        ({"files": [{"name": "a.zip", "urls": ["ftp.example.org/a.zip"]}]}, "not a web address"),
        ({"files": [{"name": "../a.zip", "urls": ["https://example.org/a.zip"]}]}, "name"),
        ({"devices": [{"placement": "elbow", "rate_hz": 50, "sensors": {"acc": "g"}}]}, "elbow"),
        ({"devices": [{"placement": "wrist", "rate_hz": 50, "sensors": {"acc": "furlongs"}}]}, "furlongs"),
        ({"activities": {}}, "activities"),
        ({"published_split": None}, "published_split"),
        ({"published": {"train": ["user01"]}}, "published_split"),
        ({"published": {"validation": ["user01"]}}, "published_split"),
        ({"color": "green"}, "color"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    content = catalog_entry("hapt").model_dump(mode="json", exclude={"name"}, exclude_none=True) | change
    path = tmp_path / "hapt.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(BadRecipe, match=said):
        read_entry(path)


def test_an_entry_survives_being_written_and_read(tmp_path: Path) -> None:
    entry = catalog_entry("hapt")
    path = tmp_path / "hapt.yaml"
    path.write_text(yaml.safe_dump(entry.model_dump(mode="json", exclude={"name"}, exclude_none=True)))
    assert read_entry(path) == entry
    path.write_text("- just\n- a list\n")
    with pytest.raises(BadRecipe, match="no YAML mapping"):
        read_entry(path)


def test_sets_of_the_same_people_say_so() -> None:
    assert catalog_entry("hapt").people == catalog_entry("uci_har").people is not None


def test_a_near_name_is_offered() -> None:
    with pytest.raises(UnknownName, match="pamap2"):
        catalog_entry("pamap")


def test_the_page_of_the_documentation_is_the_catalog(repository: Path) -> None:
    page = repository / "docs" / "data-sets.md"
    assert page.read_text(encoding="utf-8") == to_markdown([catalog_entry(name) for name in NAMES]), (
        "kinelex datasets catalog --markdown > docs/data-sets.md"
    )


def test_the_command_shows_the_table_one_set_and_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "catalog"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in NAMES)
    entry: CatalogEntry = catalog_entry("hapt")
    assert main(["datasets", "catalog", "hapt"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert entry.licence in shown and "stand_to_lie" in shown and "how to get it" in shown
    assert main(["datasets", "catalog", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("# Public data sets")
    assert main(["datasets", "catalog", "pamap"]) == 2
    assert "pamap2" in capsys.readouterr().err
