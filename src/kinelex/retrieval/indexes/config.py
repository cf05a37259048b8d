"""Which index to use, and how it is tuned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kinelex.retrieval.indexes.protocol import Metric, VectorIndex

Engine = Literal["exact", "faiss", "milvus"]
FaissKind = Literal["flat", "ivf", "hnsw"]
MilvusKind = Literal["FLAT", "IVF_FLAT", "HNSW", "AUTOINDEX"]


class FaissConfig(BaseModel):
    """How FAISS searches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaissKind = Field(
        "hnsw",
        description="flat: compares with everything; ivf: with the cells nearest to the query; hnsw: walks a graph.",
    )
    links: Annotated[int, Field(ge=4, le=512)] = Field(32, description="Links per vector in the graph of hnsw.")
    build_breadth: Annotated[int, Field(ge=1)] = Field(
        128, description="Candidates that hnsw keeps while it looks for a new vector's links."
    )
    search_breadth: Annotated[int, Field(ge=1)] = Field(
        128, description="Candidates that hnsw keeps while it searches; more if more neighbors are asked for."
    )
    cells_searched: Annotated[float, Field(gt=0, le=1)] = Field(
        0.15, description="Share of the cells that ivf looks into."
    )


class MilvusConfig(BaseModel):
    """Where Milvus is, and how it searches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str = Field(
        "", description="Address of a server, or a path ending in .db for the one within this process; must be given."
    )
    timeout_s: Annotated[float, Field(gt=0)] = Field(30.0, description="How long to wait for an answer.")
    collection: str = Field("kinelex", description="Name of the table of vectors.")
    kind: MilvusKind = Field("FLAT", description="How Milvus searches; FLAT compares with everything.")
    parameters: dict[str, int | float | str] = Field(
        default_factory=dict, description="What Milvus takes when it builds this kind of index, such as M or nlist."
    )
    search_parameters: dict[str, int | float | str] = Field(
        default_factory=dict, description="What Milvus takes when it searches this kind of index, such as ef or nprobe."
    )


class IndexConfig(BaseModel):
    """Which index to use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Engine = Field("exact", description="exact needs nothing else; faiss and milvus are packages of their own.")
    metric: Metric = Field("cosine", description="cosine, or l2 for minus the squared Euclidean distance.")
    faiss: FaissConfig = Field(default_factory=FaissConfig, description="Settings of the engine faiss.")
    milvus: MilvusConfig = Field(default_factory=MilvusConfig, description="Settings of the engine milvus.")


def open_index(width: int, config: IndexConfig | None = None, *, token: str | None = None) -> VectorIndex:
    """An index for vectors of this width: empty, but for a Milvus collection that was filled before.

    Args:
        width: the length of a vector.
        config: exact search by the cosine by default.
        token: ``user:password`` or a key of a Milvus server; a secret is no setting.

    Raises:
        MissingDependency: the engine's package is not installed.
        UsageError: a Milvus collection of that name holds other vectors.

    Examples:
        >>> index = open_index(2)
        >>> index.add([7, 8], [[1, 0], [0, 1]])
        >>> index.search([[1, 1], [1, 3]], k=1).ids.tolist()
        [[7], [8]]
    """
    from kinelex.retrieval.indexes.exact import ExactIndex
    from kinelex.retrieval.indexes.faiss_index import FaissIndex
    from kinelex.retrieval.indexes.milvus_index import MilvusIndex

    config = config or IndexConfig()
    if config.engine == "faiss":
        return FaissIndex(width, config.metric, config.faiss)
    if config.engine == "milvus":
        return MilvusIndex(width, config.metric, config.milvus, token=token)
    return ExactIndex(width, config.metric)
