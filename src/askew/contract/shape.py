"""What a ModelSpec may look like: our own description of the published schema, and the check of a document against it.

Source of every name, type and bound: the schema that piqc.ai publishes as ModelSpec v0.1
(``$id`` https://piqc.ai/schemas/model-spec-v0.2.json, apiVersion ``piqc.ai/v1alpha1``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from askew.contract.interface import Invalid
from askew.evidence.document import Node

Kind: TypeAlias = Literal["object", "text", "integer", "number", "boolean", "list", "texts"]

API_VERSION = "piqc.ai/v1alpha1"
_MOST_FAULTS = 50  # of one document: more would hide the first


class Field(msgspec.Struct, frozen=True):
    """One value of the document. ``texts`` is a map of any names to text; no object takes names it does not list."""

    kind: Kind
    required: tuple[str, ...] = ()
    fields: Mapping[str, Field] = {}
    item: Field | None = None
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None


def _object(*required: str, **fields: Field) -> Field:
    return Field("object", required=required, fields=fields)


def _list(item: Field) -> Field:
    return Field("list", item=item)


def _enum(*choices: str) -> Field:
    return Field("text", choices=choices)


_TEXT, _TEXTS, _BOOLEAN = Field("text"), Field("texts"), Field("boolean")
_FROM_0, _FROM_1, _NUMBER = Field("integer", least=0), Field("integer", least=1), Field("number", least=0)
_PORT = Field("integer", least=1, most=65535)
_PROBE = _object(path=_TEXT, timeoutSeconds=_FROM_0)
_STEPS = _object(steps=_list(_object("name", "type", name=_TEXT, type=_TEXT, enabled=_BOOLEAN)))
_ROLE = _enum("input", "guardrail", "reranker", "postprocess", "custom")

MODELSPEC = _object(
    *("apiVersion", "kind", "metadata", "spec"),
    apiVersion=_enum(API_VERSION),
    kind=_enum("ModelSpec"),
    metadata=_object("name", name=_TEXT, version=_TEXT, description=_TEXT, labels=_TEXTS, annotations=_TEXTS),
    spec=_object(
        *("identity", "runtime"),
        identity=_object(
            "model",
            model=_object(
                *("id", "family", "task", "framework"),
                id=_TEXT,
                family=_TEXT,
                task=_TEXT,
                framework=_TEXT,
                precision=_TEXT,
                artifacts=_object(modelUri=_TEXT, tokenizerUri=_TEXT),
            ),
        ),
        runtime=_object(
            "accelerator",
            accelerator=_object("vendor", "type", "count", vendor=_TEXT, type=_TEXT, count=_FROM_1),
            batch=_object(maxBatchSize=_FROM_1, maxSequenceLengthTokens=_FROM_1),
            resources=_object(cpuCores=_FROM_0, memoryGb=_NUMBER, ephemeralStorageGb=_NUMBER),
            environment=_object(variables=_TEXTS),
        ),
        operations=_object(
            serving=_object(
                protocol=_enum("http", "grpc"),
                port=_PORT,
                readinessProbe=_PROBE,
                livenessProbe=_PROBE,
                maxConcurrency=_FROM_1,
                timeoutSeconds=_FROM_0,
            ),
            scaling=_object(
                minReplicas=_FROM_0,
                maxReplicas=_FROM_0,
                strategy=_enum("reactive", "predictive", "manual"),
                targetLatencyMsP95=_NUMBER,
                targetRps=_NUMBER,
                warmPool=_object(size=_FROM_0, strategy=_TEXT),
            ),
            observability=_object(
                metrics=_object(enabled=_BOOLEAN, provider=_TEXT, port=_PORT),
                logging=_object(level=_TEXT),
                tracing=_object(enabled=_BOOLEAN),
            ),
        ),
        pipeline=_object(
            preprocess=_STEPS,
            postprocess=_STEPS,
            dependencies=_list(
                _object(
                    *("id", "role"),
                    id=_TEXT,
                    role=_ROLE,
                    specRef=_TEXT,
                    required=_BOOLEAN,
                    interface=_object(inputType=_TEXT, outputType=_TEXT, maxLatencyMs=_NUMBER),
                )
            ),
        ),
        governance=_object(
            compliance=_object(
                pii=_object(allowed=_BOOLEAN, policy=_TEXT),
                retention=_object(logsDays=_FROM_0, artifactsDays=_FROM_0),
                governance=_object(changeApproval=_TEXT, owner=_TEXT),
            ),
            cost=_object(
                targetCostPer1kTokensUsd=_NUMBER,
                pricingHints=_object(cloudProvider=_TEXT, instanceType=_TEXT, spotAllowed=_BOOLEAN),
            ),
        ),
    ),
)


class Faults(msgspec.Struct, frozen=True):
    """What is wrong, in the order of the document, and the paths at which it is: nothing there can be used."""

    found: tuple[Invalid, ...]
    paths: frozenset[str]


def check(root: Node) -> Faults:
    """Hold a document against the schema. Stops after fifty faults."""
    found: list[Invalid] = []
    paths: set[str] = set()
    for node, fault in _faults(root, MODELSPEC):
        found.append(fault)
        paths.add(node.path)
        if len(found) == _MOST_FAULTS:
            break
    return Faults(tuple(found), frozenset(paths))


def _faults(node: Node, field: Field) -> Iterator[tuple[Node, Invalid]]:
    if not _fits(node, field):
        yield node, _fault(node, f"expected {_expected(field)}, got {_got(node)}", _hint(node, field))
    elif field.kind == "object":
        yield from _object_faults(node, field)
    elif field.kind == "texts":
        for _, child in node.items():
            yield from _faults(child, _TEXT)
    elif field.kind == "list" and field.item is not None:
        for child in node.each():
            yield from _faults(child, field.item)


def _object_faults(node: Node, field: Field) -> Iterator[tuple[Node, Invalid]]:
    for name in field.required:
        child = node[name]
        if not child.exists:
            example = _example(field.fields[name])
            yield (
                child,
                Invalid(
                    location=node.key_location,
                    message=f"{child.path} is missing: expected {_expected(field.fields[name])}",
                    hint=f"add {name}: {example}" if example else f"add {name} under {node.path or 'the top level'}",
                ),
            )
    for name, child in node.items():
        known = field.fields.get(name)
        if known is None:
            message = f"{child.path} is no field of a ModelSpec"
            yield child, Invalid(location=child.key_location, message=message, hint=_meant(name, field, node))
        else:
            yield from _faults(child, known)


def _fits(node: Node, field: Field) -> bool:
    value = node.value
    if field.kind in ("object", "texts"):
        return node.is_mapping
    if field.kind == "list":
        return node.is_sequence
    if field.kind == "text":
        return isinstance(value, str) and (not field.choices or value in field.choices)
    if field.kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if field.kind == "integer" and value != int(value):
        return False
    return (field.least is None or value >= field.least) and (field.most is None or value <= field.most)


def _expected(field: Field) -> str:
    if field.choices:
        return field.choices[0] if len(field.choices) == 1 else f"one of {', '.join(field.choices)}"
    if field.kind in ("object", "list"):
        names = ", ".join(field.fields)
        return "a list" if field.kind == "list" else f"a mapping with {names}"
    if field.kind in ("integer", "number"):
        what = "a whole number" if field.kind == "integer" else "a number"
        return (
            f"{what} from {field.least} to {field.most}"
            if field.most is not None
            else f"{what} of {field.least} or more"
        )
    return {"text": "text", "texts": "a mapping from names to text", "boolean": "true or false"}[field.kind]


def _example(field: Field) -> str:
    if field.choices:
        return field.choices[0]
    return {"integer": str(field.least or 1), "number": "1", "boolean": "true", "text": "unknown"}.get(field.kind, "")


def _got(node: Node) -> str:
    if node.is_mapping:
        return "a mapping"
    if node.is_sequence:
        return "a list"
    if node.value is None:
        return "nothing"
    text = str(node.text())
    kind = {bool: "", int: "the number ", float: "the number "}.get(type(node.value), "")
    return kind + (repr(text[:60]) if isinstance(node.value, str) else text[:60])


def _hint(node: Node, field: Field) -> str:
    value = node.value
    if field.kind == "text" and field.choices == (API_VERSION,):
        return f"this release reads apiVersion {API_VERSION}"
    if field.choices and isinstance(value, str):
        near = _near(value, field.choices)
        return f"did you mean {near}?" if near else f"write {' or '.join(field.choices)}"
    if field.kind == "text" and isinstance(value, (bool, int, float)):
        return f'put it in quotes: "{node.text()}"'
    if field.kind in ("integer", "number") and isinstance(value, str):
        return "write the number without quotes and without a unit"
    if value is None:
        return "give it a value, or remove the field"
    return "see the ModelSpec v0.1 schema"


def _meant(name: str, field: Field, node: Node) -> str:
    near = _near(name, tuple(field.fields))
    if near:
        return f"did you mean {near}?"
    places = [path for path, last in _everywhere(MODELSPEC, "") if last.lower() == name.lower()]
    if places:
        return f"it belongs at {places[0]}"
    if node.path == "":
        return f"the top level has {', '.join(field.fields)}"
    return f"{node.path} takes {', '.join(field.fields)}; other facts go to metadata.annotations as askew.dev/<fact>"


def _everywhere(field: Field, path: str) -> Iterator[tuple[str, str]]:
    for name, child in field.fields.items():
        here = f"{path}.{name}" if path else name
        yield here, name
        yield from _everywhere(child, here)


def _near(word: str, choices: tuple[str, ...]) -> str:
    import difflib

    folded = {choice.lower().replace("_", ""): choice for choice in choices}
    found = difflib.get_close_matches(word[:80].lower().replace("_", "").replace("-", ""), folded, n=1, cutoff=0.7)
    return folded[found[0]] if found else ""


def _fault(node: Node, message: str, hint: str) -> Invalid:
    return Invalid(location=node.location, message=f"{node.path or 'the document'}: {message}", hint=hint)
