"""JSON Schemas (2020-12) of the machine formats, written from the structs that are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from askew.evidence import bundle
from askew.facts.catalogue import FACTS
from askew.facts.schema import value_schema
from askew.facts.types import Value
from askew.report import defaults, fit, wire

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{name}"

Json = dict[str, Value]


def documents() -> Mapping[str, str]:
    """The text of every published schema, by file name."""
    return {
        "report.v1.json": _text(report_schema()),
        "facts.v1.json": _text(facts_schema()),
        "defaults.v1.json": _text(defaults_schema()),
        "fit.v1.json": _text(fit_schema()),
        "bundle.v1.json": _text(bundle_schema()),
    }


def report_schema() -> Json:
    """What ``askew diff`` and ``check`` write with ``--format json``."""
    definitions = _definitions(wire.Report)
    _constant(definitions["Report"], wire.REPORT)
    return _document(wire.REPORT, "Report", definitions)


def facts_schema() -> Json:
    """What ``askew facts`` writes with ``--format json``; the value of each fact has the schema of the fact."""
    definitions = _definitions(wire.Facts, wire.KnownFact, wire.UnknownFact)
    _constant(definitions["Facts"], wire.FACTS_FORMAT)
    either: Json = {"anyOf": [{"$ref": _REFERENCE.format(name=name)} for name in ("KnownFact", "UnknownFact")]}
    definitions["Fact"] = {"description": "A known fact, or why it is unknown.", **either}
    properties: Json = {
        key: {"$ref": "#/$defs/Fact", "properties": {"value": value_schema(fact)}}
        for key, fact in sorted(FACTS.items())
    }
    # A fact of a newer vocabulary is let through: the format grows by addition.
    workload = cast(Json, definitions["FactsWorkload"]["properties"])
    workload["facts"] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": {"$ref": "#/$defs/Fact"},
    }
    return _document(wire.FACTS_FORMAT, "Facts", definitions)


def defaults_schema() -> Json:
    """What ``askew defaults`` writes with ``--format json``."""
    definitions = _definitions(defaults.Defaults)
    for schema in definitions.values():
        for one in cast(Json, schema["properties"]).values():
            _opened(cast(Json, one))
    _constant(definitions["Defaults"], defaults.DEFAULTS_FORMAT)
    return _document(defaults.DEFAULTS_FORMAT, "Defaults", definitions)


def fit_schema() -> Json:
    """What ``askew fit`` writes with ``--format json``."""
    definitions = _definitions(fit.Fit)
    for schema in definitions.values():
        for one in cast(Json, schema["properties"]).values():
            _opened(cast(Json, one))
    _constant(definitions["Fit"], fit.FIT_FORMAT)
    return _document(fit.FIT_FORMAT, "Fit", definitions)


def bundle_schema() -> Json:
    """The manifest of what ``askew bundle`` writes."""
    definitions = _definitions(bundle.Manifest)
    _constant(definitions["Manifest"], bundle.FORMAT)
    return _document(bundle.FORMAT, "Manifest", definitions)


def of_struct(form: str, root: type[msgspec.Struct]) -> str:
    """The text of the schema of a format that is written from ``root``, a struct with the field ``schema``."""
    definitions = _definitions(root)
    _constant(definitions[root.__name__], form)
    return _text(_document(form, root.__name__, definitions))


def _definitions(*roots: type[msgspec.Struct]) -> dict[str, Json]:
    """The schemas of the structs and all they hold. Every field is always written, so every field is required."""
    _, components = msgspec.json.schema_components(roots, ref_template=_REFERENCE, schema_hook=_any)
    definitions = cast(dict[str, Json], components)
    for schema in definitions.values():
        properties = cast(Json, schema["properties"])
        schema["required"] = list(properties)
        for one in properties.values():
            cast(Json, one).pop("default", None)
    return definitions


def _any(kind: type) -> Json:
    """The schema of what may be any JSON."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "Any JSON value."}  # an empty one is taken for none


def _opened(schema: Json) -> None:
    """The words of an enumeration become examples: the format grows by addition, and readers let new words pass."""
    if "items" in schema:
        _opened(cast(Json, schema["items"]))
    if "enum" in schema:
        schema["examples"] = schema.pop("enum")
        schema["type"] = "string"


def _constant(schema: Json, name: str) -> None:
    cast(Json, schema["properties"])["schema"] = {"const": name}


def _document(name: str, root: str, definitions: dict[str, Json]) -> Json:
    return {
        "$schema": _DIALECT,
        "$id": f"urn:{name.replace('/', ':')}",
        "title": name,
        "$ref": _REFERENCE.format(name=root),
        "$defs": dict(sorted(definitions.items())),
    }


def _text(schema: Json) -> str:
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
