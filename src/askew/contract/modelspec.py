"""ModelSpec v0.1 documents as contracts: what the schema can say, and annotations ``askew.dev/<fact>`` for the rest.

A contract is a set of constraints, so only what says something definite becomes one. A logical name, the word
``unknown``, a precision that no engine setting stands for: these are kept with the reason why nothing is held against
them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import cast

import msgspec

from askew.contract.draft import PREFIX, UNKNOWN, write
from askew.contract.interface import Contract, Invalid
from askew.contract.shape import Faults, check
from askew.contract.variables import compared
from askew.evidence.document import Document, Node
from askew.evidence.redaction import is_redacted
from askew.facts.catalogue import FACTS, UnknownFact, fact
from askew.facts.types import Fact, Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.resolve import resolve
from askew.resolve.workload import Problem, Snapshot, Workload

__all__ = ["PREFIX", "UNKNOWN", "read", "write"]

_GIB = 2**30
_DAY = 86400
_FLOATS = ("float64", "float32", "bfloat16", "float16")
# What people write for quantized weights, beside the names of methods.
_BITS: Mapping[str, str] = {
    **dict.fromkeys(("int8", "i8", "8bit", "w8a8"), "int8"),
    **dict.fromkeys(("int4", "i4", "4bit", "w4a16"), "int4"),
    **dict.fromkeys(("fp8", "float8", "fp8_e4m3"), "fp8"),
    "nvfp4": "nvfp4",
    "mxfp4": "mxfp4",
}

Meaning = Callable[[Value], "Value | Unknown"]


class _Rule(msgspec.Struct, frozen=True):
    """A field of the schema, the fact (and key) that it states, and how its value is meant."""

    path: str
    fact: str
    key: str = ""
    meaning: Meaning | None = None
    because: str = ""


def read(document: Document) -> tuple[tuple[Contract, ...], tuple[Invalid, ...]]:
    """The contract of a document, and everything in it that cannot be right.

    What is invalid states nothing; the rest still counts. There is no contract without a name.
    """
    root = document.root
    faults = check(root)
    name = root.get("metadata", "name")
    if not isinstance(name.value, str) or not name.value or not root["spec"].is_mapping:
        return (), faults.found
    problems: list[Problem] = []
    annotated, withdrawn, invalid = _of_annotations(root, faults)
    stated = list(_of_schema(root, faults, problems, invalid))
    invalid.extend(_contradictions(stated, annotated))
    own = [o for o in stated if o.fact not in withdrawn]
    facts = resolve([*own, *annotated])
    workload = Workload(namespace="", kind="ModelSpec", name=name.value, source=document.source, location=root.location)
    snapshot = Snapshot(workload=workload, id=f"ModelSpec/{name.value}", facts=facts, problems=tuple(problems))
    contract = Contract(kind="modelspec", snapshot=snapshot, source=document.source, recorded=dict(_recorded(root)))
    return (contract,), (*faults.found, *invalid)


# -- what the schema says --------------------------------------------------------------------------------------------


def _of_schema(root: Node, faults: Faults, problems: list[Problem], invalid: list[Invalid]) -> Iterator[Observation]:
    spec = root["spec"]
    for rule in _RULES:
        node = spec.get(*rule.path.split("."))
        if not _usable(node, faults) or node.value in ("", UNKNOWN):
            continue
        value = cast(Value, node.value)
        try:
            meant = rule.meaning(value) if rule.meaning is not None else value
            yield _observed(rule.fact, meant, node, key=rule.key, because=rule.because)
        except (ValueError, OverflowError) as error:
            hint = f"`askew explain {rule.fact}` shows examples"
            invalid.append(Invalid(location=node.location, message=f"{node.path}: {error}", hint=hint))
    yield from _accelerator(spec.get("runtime", "accelerator", "type"), faults, problems)
    yield from _precision(spec.get("identity", "model", "precision"), faults, problems)
    yield from _variables(spec.get("runtime", "environment", "variables"), faults)
    yield from _identity(spec.get("identity", "model", "id"), faults)
    yield from _promises(spec, faults)


def _usable(node: Node, faults: Faults) -> bool:
    path = node.path
    return (
        node.exists
        and node.value is not None
        and not any(path == bad or path.startswith((f"{bad}.", f"{bad}[")) for bad in faults.paths)
    )


def _observed(
    name: str, value: Value | Unknown, node: Node, *, key: str = "", order: int = 0, because: str = ""
) -> Observation:
    declared = FACTS[name]
    if not isinstance(value, Unknown):
        of = declared.type.of(key)
        value = of.parse(value)
    return Observation(
        fact=name,
        value=value,
        origin="contract",
        locations=(node.location,),
        key=key,
        order=order,
        because=(because,) if because else (),
        raw=node.text() or "",
    )


def _gigabytes(value: Value) -> Value:
    return round(value * _GIB) if isinstance(value, (int, float)) else value


def _days(value: Value) -> Value:
    return value * _DAY if isinstance(value, (int, float)) else value


def _probe_timeout(value: Value) -> Value:
    return value or 1  # Kubernetes reads 0 as not set, which is one second


def _timeout(value: Value) -> Value | Unknown:
    return value or Unknown("a timeout of 0 seconds says nothing definite", missing=True)


def _money(value: Value) -> Value:
    return f"{value} USD per 1000 tokens"


_DECIMAL_TOO = "so many GB meet it as well as so many GiB"

_RULES: tuple[_Rule, ...] = (
    _Rule("identity.model.artifacts.modelUri", "model.source"),
    _Rule("identity.model.artifacts.tokenizerUri", "model.tokenizer.source"),
    _Rule("runtime.accelerator.vendor", "hardware.gpu.vendor"),
    _Rule("runtime.accelerator.count", "hardware.gpu.count"),
    _Rule("runtime.batch.maxBatchSize", "runtime.max_num_seqs"),
    _Rule("runtime.batch.maxSequenceLengthTokens", "runtime.max_model_len"),
    _Rule("runtime.resources.cpuCores", "orchestration.resources.cpu", "request"),
    _Rule("runtime.resources.memoryGb", "orchestration.resources.memory.bytes", "request", _gigabytes, _DECIMAL_TOO),
    _Rule(
        "runtime.resources.ephemeralStorageGb",
        "orchestration.resources.ephemeral_storage.bytes",
        "request",
        _gigabytes,
        _DECIMAL_TOO,
    ),
    _Rule("operations.serving.protocol", "serving.protocol"),
    _Rule("operations.serving.port", "serving.port"),
    _Rule("operations.serving.readinessProbe.path", "orchestration.probe.readiness", "path"),
    _Rule(
        "operations.serving.readinessProbe.timeoutSeconds", "orchestration.probe.readiness", "timeout", _probe_timeout
    ),
    _Rule("operations.serving.livenessProbe.path", "orchestration.probe.liveness", "path"),
    _Rule("operations.serving.livenessProbe.timeoutSeconds", "orchestration.probe.liveness", "timeout", _probe_timeout),
    _Rule("operations.serving.maxConcurrency", "serving.max_concurrency"),
    _Rule("operations.serving.timeoutSeconds", "serving.request_timeout", "", _timeout),
    _Rule("operations.scaling.minReplicas", "orchestration.replicas.min"),
    _Rule("operations.scaling.maxReplicas", "orchestration.replicas.max"),
    _Rule("operations.scaling.warmPool.size", "orchestration.warm_pool", "size"),
    _Rule("operations.scaling.warmPool.strategy", "orchestration.warm_pool", "strategy"),
    _Rule("operations.scaling.targetLatencyMsP95", "governance.slo", "latency_p95_ms"),
    _Rule("operations.scaling.targetRps", "governance.slo", "requests_per_second"),
    _Rule("operations.observability.metrics.enabled", "governance.observability", "metrics"),
    _Rule("operations.observability.logging.level", "governance.observability", "logging"),
    _Rule("operations.observability.tracing.enabled", "governance.observability", "tracing"),
    _Rule("governance.compliance.pii.allowed", "governance.pii"),
    _Rule("governance.compliance.retention.logsDays", "governance.retention.logs", "", _days),
    _Rule("governance.compliance.retention.artifactsDays", "governance.retention.artifacts", "", _days),
    _Rule("governance.compliance.governance.changeApproval", "governance.change_approval"),
    _Rule("governance.compliance.governance.owner", "governance.owner"),
    _Rule("governance.cost.targetCostPer1kTokensUsd", "governance.cost_target", "", _money),
)


def _accelerator(node: Node, faults: Faults, problems: list[Problem]) -> Iterator[Observation]:
    if not _usable(node, faults) or node.value == UNKNOWN:
        return
    from askew.knowledge.gpus import gpu

    text = str(node.value)
    try:
        members: list[Value] = [*sorted(gpu(text))]
    except ValueError as error:
        problems.append(_unclear(node, f"{node.path}: {error}", "hardware.gpu.model"))
        yield _observed("hardware.gpu.model", Unknown(str(error), text=text, missing=True), node)
        return
    because = f"{text} admits {', '.join(map(str, members))}" if len(members) > 1 else ""
    yield _observed("hardware.gpu.model", members, node, because=because)


def _precision(node: Node, faults: Faults, problems: list[Problem]) -> Iterator[Observation]:
    if not _usable(node, faults) or node.value == UNKNOWN:
        return
    from askew.facts.values.dtype import dtype

    text = str(node.value)
    word = text.strip().lower().replace("-", "_")
    if word in _BITS:
        yield _observed("runtime.quantization", _BITS[word], node)
        return
    try:
        found = dtype(text)
    except ValueError:
        found = ""
    if found in _FLOATS:
        yield _observed("runtime.dtype", found, node)
        return
    methods = FACTS["runtime.quantization"].type
    canonical = methods.parse(text)
    if canonical in cast(list[Value], methods.schema.get("examples", [])) and canonical != "none":
        yield _observed("runtime.quantization", canonical, node)
        return
    reason = f"no dtype and no quantization method is called {text[:60]!r}"
    problems.append(_unclear(node, f"{node.path}: {reason}", "runtime.dtype"))
    yield _observed("runtime.dtype", Unknown(reason, text=text, missing=True), node)


def _variables(node: Node, faults: Faults) -> Iterator[Observation]:
    if not node.is_mapping:
        return
    kept = compared([name for name, child in node.items() if _usable(child, faults)])
    for name, child in node.items():
        if name in kept:
            yield _observed("runtime.env", cast(Value, child.value), child, key=name)


def _identity(node: Node, faults: Faults) -> Iterator[Observation]:
    """The id is a logical name by the schema's own words: it finds the workload, and is held against nothing."""
    if _usable(node, faults) and node.value != UNKNOWN:
        reason = "the contract names the model by a logical name; askew.dev/model.id states the exact one"
        yield _observed("model.id", Unknown(reason, text=str(node.value), missing=True), node)


def _promises(spec: Node, faults: Faults) -> Iterator[Observation]:
    dependencies = spec.get("pipeline", "dependencies")
    names: list[Value] = [
        child["id"].text() for child in dependencies.each() if _usable(child["id"], faults) and child["id"].text()
    ]
    if names:
        yield _observed("governance.dependencies", names, dependencies)


def _unclear(node: Node, message: str, key: str) -> Problem:
    return Problem(kind="invalid-value", message=message, locations=(node.location,), value=node.text() or "", fact=key)


def _recorded(root: Node) -> Iterator[tuple[str, str]]:
    """What the contract says of the model and of itself that no setting stands for."""
    model = root.get("spec", "identity", "model")
    for name in ("id", "family", "task", "framework"):
        if (text := model[name].text()) and text != UNKNOWN:
            yield name, text
    for name in ("version", "description"):
        if text := root.get("metadata", name).text():
            yield name, text
    for name, child in root.get("metadata", "labels").items():
        if text := child.text():
            yield f"labels.{name}", text
    if text := root.get("spec", "operations", "scaling", "strategy").text():
        yield "scaling.strategy", text


# -- what annotations say --------------------------------------------------------------------------------------------


def _of_annotations(root: Node, faults: Faults) -> tuple[list[Observation], set[str], list[Invalid]]:
    """Observations, facts that are withdrawn, and what cannot be read."""
    found: list[Observation] = []
    withdrawn: set[str] = set()
    invalid: list[Invalid] = []
    for name, node in root.get("metadata", "annotations").items():
        if not name.startswith(PREFIX) or not _usable(node, faults):
            continue
        key, text = name[len(PREFIX) :], str(node.value)
        if key == "ignore" or key.startswith("ignore."):
            continue
        try:
            declared = fact(key)
            if text.strip() == UNKNOWN:
                withdrawn.add(key)
                continue
            value = _annotated(declared, text)
            if is_redacted(value):
                # What looks like a secret was replaced when the document was read: nothing can be held against it.
                if not isinstance(value, dict):
                    continue
                value = {entry: part for entry, part in value.items() if not is_redacted(part)}
                if not value:
                    continue
            found.append(_observed(key, value, node, order=1))
            if key == "model.id":
                withdrawn.add(key)  # the exact id says more than the logical one
        except UnknownFact as error:
            message, _, hint = str(error).partition("; ")
            invalid.append(Invalid(location=node.key_location, message=f"{name}: {message}", hint=hint))
        except ValueError as error:
            hint = f"`askew explain {key}` shows examples; a map is written as JSON, and nothing as none"
            invalid.append(Invalid(location=node.location, message=f"{name}: {error}", hint=hint))
    return found, withdrawn, invalid


def _annotated(declared: Fact, text: str) -> Value:
    """The canonical value of an annotation: JSON where it begins like JSON, else the text itself; ``none`` is none."""
    text = text.strip()
    if text == "none":
        return declared.type.parse(None)
    value: Value = text
    if text[:1] in ("[", "{", '"'):
        try:
            value = cast(Value, msgspec.json.decode(text.encode("utf-8", "surrogatepass")))
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"not valid JSON: {error}") from None
    if declared.type.keyed and not isinstance(value, dict):
        raise ValueError('expected a map as JSON, for example {"key": "value"}')
    if declared.key == "hardware.gpu.model":
        from askew.knowledge.gpus import gpu

        names = value if isinstance(value, list) else str(value).split(",")
        value = [*sorted({member for name in names for member in gpu(str(name))})]
    return declared.type.parse(value)


def _contradictions(stated: Collection[Observation], annotated: Collection[Observation]) -> Iterator[Invalid]:
    """A field of the schema and an annotation that state one fact differently: one of them is a mistake."""
    given: Mapping[tuple[str, str], Observation] = {
        (o.fact, o.key): o for o in stated if not isinstance(o.value, Unknown)
    }
    for observation in annotated:
        of = FACTS[observation.fact].type
        if of.keyed and isinstance(observation.value, dict):
            pairs = [(key, value, of.entry(key) if of.entry else of) for key, value in observation.value.items()]
        else:
            pairs = [("", cast(Value, observation.value), of)]
        for key, value, kind in pairs:
            other = given.get((observation.fact, key))
            if other is None or isinstance(other.value, Unknown) or (not key and _a_placeholder(other)):
                continue
            agrees = kind.same(other.value, value) or (
                kind.satisfies is not None and kind.satisfies(other.value, value)
            )
            if not agrees:
                name = f"{observation.fact}[{key}]" if key else observation.fact
                yield Invalid(
                    location=observation.locations[0],
                    message=f"the annotation states {name} as {kind.show(value)}, "
                    f"but {other.locations[0].path} as {kind.show(other.value)}",
                    hint="make both say the same, or remove one of them",
                )


def _a_placeholder(observation: Observation) -> bool:
    """The schema cannot say zero GPUs: there the annotation decides."""
    return observation.fact == "hardware.gpu.count" and observation.value == 1
