"""The JSON Schema (2020-12) of ``askew.lock``."""

from __future__ import annotations

from typing import get_args

import msgspec

from askew.contract.lock import FORMAT
from askew.facts.catalogue import FACTS
from askew.facts.schema import value_schema
from askew.facts.types import Fact, Value
from askew.resolve.observation import Basis, Confidence, Origin
from askew.resolve.workload import State

_TEXT: dict[str, Value] = {"type": "string"}
_ENTRY: dict[str, Value] = {"$ref": "#/$defs/entry"}


def lock_schema() -> str:
    """The text of ``schemas/lock.v1.json``. Facts of a newer vocabulary are let through: the format grows by
    addition."""
    engine: dict[str, Value] = {"name": _TEXT, "version": {"type": ["string", "null"]}}
    workload: dict[str, Value] = {
        **dict.fromkeys(("id", "group", "namespace", "kind", "name", "role"), _TEXT),
        "engine": {"type": "object", "required": ["name"], "properties": engine},
        "at": {"description": "Where the workload was read: file:line:column, object.", **_TEXT},
        "facts": {
            "type": "object",
            "properties": {key: _fact(fact) for key, fact in sorted(FACTS.items())},
            "additionalProperties": _ENTRY,
        },
    }
    entry: dict[str, Value] = {
        "state": {"enum": [*get_args(State)]},
        "value": {"description": "The canonical value; only of a known one. Secrets have none."},
        "origin": {"enum": [*get_args(Origin)]},
        "confidence": {"enum": [*get_args(Confidence)], "default": "certain"},
        "basis": {"enum": [*get_args(Basis)], "default": "asked"},
        "reason": {"description": "Why it is unknown.", **_TEXT},
        "observe_with": {"description": "How to observe it.", **_TEXT},
        "text": {"description": "The expression that could not be resolved, without secrets.", **_TEXT},
        "missing": {"description": "Whether the kind of source cannot show it at all.", "type": "boolean"},
        "at": {"description": "Where it was read: file:line:column, object, path.", "type": "array", "items": _TEXT},
        "entries": {"description": "One for each key of a map.", "type": "object", "additionalProperties": _ENTRY},
    }
    document: dict[str, Value] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{FORMAT.replace('/', ':')}",
        "title": FORMAT,
        "type": "object",
        "required": ["schema", "workloads"],
        "properties": {
            "schema": {"const": FORMAT},
            "workloads": {"type": "array", "items": {"$ref": "#/$defs/workload"}},
        },
        "$defs": {
            "entry": {"type": "object", "required": ["state", "origin"], "properties": entry},
            "workload": {"type": "object", "required": ["id", "kind", "name", "facts"], "properties": workload},
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _fact(fact: Fact) -> dict[str, Value]:
    return {**_ENTRY, "properties": {"value": value_schema(fact)}}
