"""JSON Schema of the values of facts, for the schemas of the report and the lock."""

from __future__ import annotations

from askew.facts.catalogue import FACTS
from askew.facts.types import Fact, Value


def value_schema(fact: Fact) -> dict[str, Value]:
    """Schema of one fact's canonical value; null means known to be absent."""
    title: dict[str, Value] = {"title": fact.key, "description": fact.brief}
    if not fact.type.schema:
        return title
    return {**title, "anyOf": [fact.type.schema, {"type": "null"}]}


def facts_schema(milestone: int | None = None) -> dict[str, Value]:
    """Schema of a map from fact to canonical value.

    Keys that are no facts are let through, since the vocabulary grows by addition only: a reader of an older schema
    must accept what a newer Askew wrote. ``milestone`` keeps the facts of that milestone and earlier ones.
    """
    properties: dict[str, Value] = {
        key: value_schema(fact)
        for key, fact in sorted(FACTS.items())
        if milestone is None or fact.milestone <= milestone
    }
    return {"type": "object", "properties": properties}
