"""The catalog as Markdown: a table of all sets, and a paragraph on each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kinelex.datasets.catalog import CatalogEntry

_ACCESS = {"open": "download", "account": "download with an account", "form": "on request"}
_HEAD = """# Public data sets

What the catalog knows about each set. This page is generated: `kinelex datasets catalog --markdown`.
"Held against" says which recordings a parser and the facts about its set were checked with; what exactly was verified,
and what was not, stands with each set. A fact under "unverified" rests on documentation alone.
"""


def to_markdown(entries: Sequence[CatalogEntry]) -> str:
    """The page of the documentation: one table, then each set with its layout, quirks, and what was verified."""
    facts = ("set", "subjects", "activities", "hours", "Hz", "sensors", "placements", "licence")
    header = (*facts, "how to get it", "held against")
    rows = [header, tuple("---" for _ in header), *(_row(entry) for entry in entries)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n\n".join([_HEAD.rstrip(), table, *(_section(entry) for entry in entries)]) + "\n"


def devices_in_words(entry: CatalogEntry) -> list[str]:
    """Each device in a line: where it is worn, how fast, which sensors in which units."""
    return [
        f"{device.placement}: "
        + ", ".join(f"{sensor} ({unit})" for sensor, unit in device.sensors.items())
        + f" at {device.rate_hz:g} Hz"
        + (f", {device.device}" if device.device else "")
        + ("" if device.gravity else ", gravity removed")
        for device in entry.devices
    ]


def how_to_get(entry: CatalogEntry) -> list[str]:
    """The steps to the files."""
    return list(entry.how) or [f"Download {url} as {file.name}." for file in entry.files for url in file.urls[:1]]


def _row(entry: CatalogEntry) -> tuple[str, ...]:
    return (
        f"[{entry.name}](#{entry.name})",
        str(entry.subjects),
        str(len(set(entry.activities.values()))),
        "not established" if entry.hours is None else f"{entry.hours:g}",
        ", ".join(f"{rate:g}" for rate in entry.rates_hz),
        ", ".join(entry.sensors),
        ", ".join(entry.placements),
        entry.licence,
        _ACCESS[entry.access],
        entry.evidence,
    )


def _section(entry: CatalogEntry) -> str:
    activities = ", ".join(f"{name} ({code})" if code != name else name for code, name in entry.activities.items())
    parts = [
        f"## {entry.name}",
        f"[{entry.title}]({entry.page}), {entry.year}. {entry.summary}",
        _list("Worn", devices_in_words(entry)),
        f"Activities, with the official codes: {activities}.",
        f"Files: {entry.layout}",
        _list("How to get it", how_to_get(entry)),
        f"Published split: {entry.published_split}." if entry.published_split else "",
        _list("Beware", entry.quirks),
        _list("Verified", entry.verified),
        _list("Unverified", entry.unverified),
        f"Cite: {entry.cite}" + (f", doi:{entry.doi}" if entry.doi else ""),
    ]
    return "\n\n".join(part for part in parts if part)


def _list(title: str, lines: Iterable[str]) -> str:
    found = "\n".join(f"* {line}" for line in lines)
    return f"{title}:\n\n{found}" if found else ""
