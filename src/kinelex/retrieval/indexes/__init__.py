"""Vector indexes behind one protocol: exact search as the reference, FAISS and Milvus for what outgrows it.

An index is a cache: the example store is the truth, and any index can be built from it again.
"""

from __future__ import annotations

from kinelex.retrieval.indexes.checked import CheckedIndex
from kinelex.retrieval.indexes.config import FaissConfig, IndexConfig, MilvusConfig, open_index
from kinelex.retrieval.indexes.exact import ExactIndex
from kinelex.retrieval.indexes.faiss_index import FaissIndex
from kinelex.retrieval.indexes.milvus_index import MilvusIndex
from kinelex.retrieval.indexes.protocol import Metric, VectorIndex

__all__ = [
    "CheckedIndex",
    "ExactIndex",
    "FaissConfig",
    "FaissIndex",
    "IndexConfig",
    "Metric",
    "MilvusConfig",
    "MilvusIndex",
    "VectorIndex",
    "open_index",
]
