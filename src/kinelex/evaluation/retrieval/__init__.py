"""Evaluation with retrieval: what a memory adds to a backbone, with no, few and all labels of the target."""

from kinelex.evaluation.retrieval.protocol import RetrievalProtocol
from kinelex.evaluation.retrieval.report import RetrievalReport, read_retrieval, write_retrieval
from kinelex.evaluation.retrieval.running import evaluate_retrieval

__all__ = ["RetrievalProtocol", "RetrievalReport", "evaluate_retrieval", "read_retrieval", "write_retrieval"]
