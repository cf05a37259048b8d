"""MoRA: remembered examples in a durable store, their neighbors, evidence from these, and how far to trust it."""

from __future__ import annotations

__all__: list[str] = []
