"""What every test shares: folders of its own, the real recordings where they are, and what a skip means there."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]
RECORDINGS = REPOSITORY.parent / "shared" / "data"

# Examples are drawn the same way every time where a failure must be reproducible by somebody else; a developer's own
# runs look further each time. No deadlines: the first call of a compiled routine is slow, and machines differ.
settings.register_profile("explore", deadline=None)
settings.register_profile("repeat", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeat" if os.environ.get("CI") else "explore")


@pytest.fixture(scope="session", autouse=True)
def folders_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's data sets or caches, or reaches for the network."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KINELEX_DATA", str(tmp_path_factory.mktemp("data")))
        environment.setenv("KINELEX_CACHE", str(tmp_path_factory.mktemp("cache")))
        environment.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return REPOSITORY


@pytest.fixture(scope="session")
def recordings_dir() -> Path:
    """The folder of real recordings; licenses forbid passing some on, so most machines have none."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"needs the real recordings, which are not at {RECORDINGS}")
    return RECORDINGS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where the recordings are, a test that needs them and is skipped has failed."""
    report = yield
    needs_recordings = "recordings_dir" in getattr(item, "fixturenames", ())
    if report.skipped and needs_recordings and not hasattr(report, "wasxfail") and RECORDINGS.is_dir():
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although the recordings are at {RECORDINGS}: {report.longrepr}"
    return report
