"""Milvus: the same client for its engine within this process and for a cluster."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinelex.errors import MissingDependency, UsageError
from kinelex.retrieval.indexes.checked import CheckedIndex
from kinelex.retrieval.indexes.config import MilvusConfig
from kinelex.retrieval.indexes.ordering import SPARE, ordered
from kinelex.retrieval.indexes.protocol import Metric
from kinelex.retrieval.neighbors import NO_ID, Neighbors

Ints = NDArray[np.int64]

MOST = 16_384
"""Neighbors of one query, and queries of one search, that Milvus allows."""
# A message may have 64 MB: numbers of float32, and what Milvus writes around them.
_NUMBERS = 4_000_000
_IDS = 4096


class MilvusIndex(CheckedIndex):
    """A collection of Milvus, made when it is not there, and kept when the index is closed.

    What was added is found by the next search (consistency level "Strong"). The candidates come back with their
    vectors, and are put in order in float64 like those of any other engine; `SPARE` more than k are asked for, so that
    among more equals than that any may come. Large additions go in several messages: if the server fails between two,
    some have arrived. Use it in a ``with`` block, or call `close`.

    Args:
        width: the length of a vector.
        metric: how near is measured. Under the cosine, vectors are kept at unit length.
        config: where Milvus is, and how it searches.
        token: ``user:password`` or a key of a server.

    Raises:
        MissingDependency: the client, or the engine within this process, is not installed.
        UsageError: nothing answers at the address; the collection holds vectors of another width, or was made for
            another metric; or as with `CheckedIndex`.
    """

    def __init__(
        self, width: int, metric: Metric = "cosine", config: MilvusConfig | None = None, *, token: str | None = None
    ) -> None:
        super().__init__(width, metric)
        self._config = config or MilvusConfig()
        self._client = _client(self._config, token)
        self._name = self._config.collection
        try:
            if self._client.has_collection(self._name):
                self._check()
            else:
                self._create()
            self._client.load_collection(self._name)
        except BaseException:
            self.close()
            raise

    @property
    def shared(self) -> bool:
        """See `VectorIndex.shared`."""
        return True

    def __len__(self) -> int:
        return int(self._client.query(self._name, filter="", output_fields=["count(*)"])[0]["count(*)"])

    @property
    def ids(self) -> Ints:
        """See `VectorIndex.ids`."""
        found: list[int] = []
        pages = self._client.query_iterator(self._name, batch_size=_IDS, output_fields=["id"])
        while rows := pages.next():
            found += [row["id"] for row in rows]
        pages.close()
        return np.sort(np.array(found, dtype=np.int64))

    def close(self) -> None:
        """Let go of Milvus; the collection stays."""
        self._client.close()

    def __enter__(self) -> MilvusIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _contains(self, ids: Ints) -> NDArray[np.bool_]:
        found: set[int] = set()
        for some in _blocks(ids, _IDS):
            found.update(row["id"] for row in self._client.get(self._name, ids=some.tolist(), output_fields=["id"]))
        return np.isin(ids, np.fromiter(found, dtype=np.int64, count=len(found)))

    def _add(self, ids: Ints, vectors: NDArray[np.float32]) -> None:
        step = max(1, _NUMBERS // self.width)
        for some, rows in zip(_blocks(ids, step), _blocks(self._measurable(vectors), step), strict=True):
            content = [{"id": one, "vector": row} for one, row in zip(some.tolist(), rows, strict=True)]
            self._client.insert(self._name, content)

    def _remove(self, ids: Ints) -> None:
        for some in _blocks(ids, _IDS):
            self._client.delete(self._name, ids=some.tolist())

    def _search(self, queries: NDArray[np.float32], k: int) -> Neighbors:
        if k > MOST:
            raise UsageError(f"Milvus gives at most {MOST} neighbors, not {k}: ask for fewer, or use the exact index")
        keep = min(len(self), k + SPARE, MOST)
        step = min(MOST, max(1, _NUMBERS // (keep * self.width)))
        parts = [self._search_block(rows, keep, k) for rows in _blocks(self._measurable(queries), step)]
        return Neighbors.stacked(parts, k)

    def _search_block(self, queries: NDArray[np.float32], keep: int, k: int) -> Neighbors:
        found = self._client.search(
            self._name,
            data=list(queries),
            limit=keep,
            output_fields=["vector"],
            search_params={"metric_type": _METRICS[self.metric], "params": dict(self._config.search_parameters)},
        )
        ids = np.full((len(queries), keep), NO_ID)
        slots = np.full((len(queries), keep), -1)
        vectors: list[list[float]] = []
        for query, hits in enumerate(found):
            ids[query, : len(hits)] = [hit["id"] for hit in hits]
            slots[query, : len(hits)] = np.arange(len(vectors), len(vectors) + len(hits))
            vectors += [hit["entity"]["vector"] for hit in hits]
        table = np.asarray(vectors, dtype=np.float32).reshape(-1, self.width)
        return ordered(queries, slots, ids, lambda some: table[some], self.metric, k)

    def _create(self) -> None:
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.width)
        index = self._client.prepare_index_params()
        kind, parameters = self._config.kind, dict(self._config.parameters)
        index.add_index("vector", index_type=kind, metric_type=_METRICS[self.metric], params=parameters)
        self._client.create_collection(self._name, schema=schema, index_params=index, consistency_level="Strong")

    def _check(self) -> None:
        """The collection that is there is one of ours, for such vectors."""
        fields = {field["name"]: field for field in self._client.describe_collection(self._name)["fields"]}
        width = fields.get("vector", {}).get("params", {}).get("dim")
        where = f"the collection '{self._name}' at '{self._config.uri}'"
        if width is None or set(fields) != {"id", "vector"}:
            raise UsageError(f"{where} was not made by Kinelex: use another name")
        if int(width) != self.width:
            raise UsageError(f"{where} holds vectors of {width} numbers, not of {self.width}: use another name")
        metric = self._client.describe_index(self._name, "vector")["metric_type"]
        if metric != _METRICS[self.metric]:
            raise UsageError(f"{where} was made for the metric {metric}, not {self.metric}: use another name")


_METRICS: dict[Metric, str] = {"cosine": "COSINE", "l2": "L2"}


def _client(config: MilvusConfig, token: str | None) -> Any:
    try:
        from pymilvus import MilvusClient, MilvusException
    except ImportError:
        raise MissingDependency(
            "the index 'milvus' needs its client, which is not installed: pip install 'kinelex[search]'"
        ) from None
    if not config.uri:
        raise UsageError(
            "the index 'milvus' has no address: set milvus.uri to a server such as 'http://localhost:19530', or to a"
            " path ending in .db"
        )
    if "://" not in config.uri:
        try:
            import milvus_lite  # noqa: F401
        except ImportError:
            raise MissingDependency(
                f"Milvus within this process ('{config.uri}') is not installed: pip install 'kinelex[search]',"
                " or give the address of a server"
            ) from None
    try:
        return MilvusClient(config.uri, token=token or "", timeout=config.timeout_s)
    except MilvusException as error:
        raise UsageError(
            f"no Milvus answers at '{config.uri}' ({error.message}): start it, or correct milvus.uri"
        ) from None


def _blocks(rows: NDArray[Any], step: int) -> list[NDArray[Any]]:
    return [rows[start : start + step] for start in range(0, len(rows), step)]
