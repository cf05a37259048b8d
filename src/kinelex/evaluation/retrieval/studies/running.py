"""Runs studies one after another, on data sets and backbones that are prepared once."""

from __future__ import annotations

from collections.abc import Sequence

from kinelex.backbones import Backbone
from kinelex.errors import UnknownName, UsageError
from kinelex.evaluation.retrieval.protocol import RetrievalProtocol
from kinelex.evaluation.retrieval.studies import STUDIES
from kinelex.evaluation.retrieval.studies.prepared import Prepared, Progress, name_of
from kinelex.evaluation.retrieval.studies.record import StudyReport, StudyTable
from kinelex.evaluation.sources import EvaluationSet
from kinelex.evaluation.zero_shot import versions
from kinelex.language import TextEncoder, Vocabulary, resolve_text_encoder


def run_studies(
    names: Sequence[str],
    backbones: Sequence[Backbone],
    data: Sequence[EvaluationSet],
    protocol: RetrievalProtocol | None = None,
    *,
    command: str = "",
    vocabulary: Vocabulary | None = None,
    encoder: TextEncoder | None = None,
    progress: Progress | None = None,
) -> StudyReport:
    """Run studies of retrieval.

    Args:
        names: of `STUDIES`.
        backbones: encoders, each with a name of its own.
        data: the data sets, likewise.
        protocol: the rules; the defaults when left out. Budgets are not looked at, draws but the first only
            by `unseen`.
        command: what to note as the command that made the report.
        vocabulary: the standard vocabulary when left out.
        encoder: says how alike the words of activities are; the default text encoder when left out.
        progress: called after each step of a study.

    Raises:
        UnknownName: no study of a name.
        UsageError: no study, backbone or data set, two of one name, or one person alone in a data set.
        BadSamples: a data set without any window that a backbone sees something in.
        NoTextEncoder: none was found.
        MissingDependency: scikit-learn, aeon or PyWavelets is not installed.
    """
    for name in names:
        if name not in STUDIES:
            raise UnknownName(f"no study '{name}': there are {', '.join(STUDIES)}")
    if not names or not backbones or not data:
        raise UsageError("studies need at least one name, one backbone and one data set")
    called = [*map(name_of, backbones)], [source.name for source in data]
    for what, which in zip(("backbones", "data sets"), called, strict=True):
        if len(set(which)) < len(which):
            raise UsageError(f"two {what} are called '{max(which, key=which.count)}': give each a name of its own")
    protocol = protocol or RetrievalProtocol()
    words, texts = vocabulary or Vocabulary.standard(), encoder or resolve_text_encoder()
    prepared = Prepared(backbones, data, protocol, words, texts)
    tables: list[StudyTable] = []
    for name in dict.fromkeys(names):
        found = STUDIES[name](prepared, progress)
        tables += [found] if isinstance(found, StudyTable) else found
    return StudyReport(
        command=command,
        protocol=protocol.model_dump(mode="json"),
        versions=versions(),
        data=prepared.used(),
        seen={
            name_of(one): tuple(source.name for source in data if source.name in getattr(one, "trained_on", ()))
            for one in backbones
        },
        tables=tuple(tables),
    )
