"""A contract written from a deployment: fields of ModelSpec v0.1 where it has them, annotations for the rest.

What somebody stated is written, and what an engine does by default where a change of it would matter (medium or
higher). Each value carries where it comes from. What the schema demands and no source shows is written as ``unknown``,
which states nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from askew.compare.compare import is_stated
from askew.contract.scalars import comment, flow, plain, quoted
from askew.contract.shape import API_VERSION
from askew.contract.variables import compared
from askew.evidence.redaction import is_redacted
from askew.facts.catalogue import FACTS
from askew.facts.types import Fact, Value
from askew.resolve.workload import Resolved, Snapshot

PREFIX = "askew.dev/"
# The schema demands fields that a source may not show; and an annotation with this word withdraws what a field says.
UNKNOWN = "unknown"

_GIB = 2**30
_GB = 10**9
_WORTH = ("critical", "high", "medium")
_PRECISIONS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
_CPU, _MEMORY = "orchestration.resources.cpu", "orchestration.resources.memory.bytes"
_STORAGE = "orchestration.resources.ephemeral_storage.bytes"
# By default decided by another fact that is written: stated on its own, one change would be found twice.
_DECIDED = frozenset(("runtime.sampling_defaults",))
_CONFIRM = "not seen: confirm"


def write(snapshot: Snapshot) -> str:
    """A commented ``modelspec.yaml``. Read again it states what the deployment has, and nothing else."""
    return _Draft(snapshot).text()


class _Draft:
    """What is to be written, less what a field of the schema has already said."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._left: dict[str, Resolved] = {k: r for k, r in snapshot.facts.items() if _worth_writing(FACTS[k], r)}
        self._said: dict[str, set[str]] = {}
        self._placeholders: dict[str, str] = {}

    def text(self) -> str:
        snapshot = self._snapshot
        spec = list(self._spec())
        annotations = list(self._annotations())
        workload = snapshot.workload
        lines = [
            f"# ModelSpec of {comment(snapshot.id)}, written by askew init from what the deployment states.",
            "# Behind each value stands where it comes from. The word unknown states nothing: fill it in, or leave it.",
            f"apiVersion: {API_VERSION}",
            "kind: ModelSpec",
            "metadata:",
            f"  name: {plain(workload.name or 'model')}",
        ]
        if annotations:
            lines.append("  # What the schema has no field for, by the names of Askew's facts: askew explain FACT.")
            lines.append("  annotations:")
            lines.extend(f"    {line}" for line in annotations)
        lines.append("spec:")
        lines.extend(f"  {line}" for line in spec)
        lines.extend(self._not_written())
        return "\n".join(lines) + "\n"

    # -- the schema's fields

    def _spec(self) -> Iterator[str]:
        yield "identity:"
        yield "  model:"
        yield from _indented(self._model(), 4)
        yield "runtime:"
        yield "  accelerator:"
        yield from _indented(self._accelerator(), 4)
        for name, lines in (
            ("batch", self._batch()),
            ("resources", self._resources()),
            ("environment", self._environment()),
        ):
            yield from _section(name, lines, 2)
        yield from _section("operations", self._operations(), 0)

    def _model(self) -> Iterator[str]:
        facts = self._snapshot.facts
        served = _known(facts, "model.served_names")
        name = served[0] if isinstance(served, list) and served else _known(facts, "model.id")
        if not isinstance(name, str) or is_redacted(name):
            name = self._snapshot.workload.name or "model"
        yield f"id: {plain(name)}  # a logical name; the annotations state the exact model"
        yield f"family: {UNKNOWN}  # {_CONFIRM}"
        yield f"task: {UNKNOWN}  # {_CONFIRM}"
        engine = self._snapshot.engine
        if engine is not None:
            yield f"framework: {plain(engine.name)}"
        else:
            yield f"framework: {UNKNOWN}  # {_CONFIRM}"
        dtype = self._left.get("runtime.dtype")
        if dtype is not None and dtype.value in _PRECISIONS:
            yield self._line("precision", "runtime.dtype", _PRECISIONS[str(dtype.value)])
        artifacts = [
            self._line(f"  {field}", key, value)
            for field, key in (("modelUri", "model.source"), ("tokenizerUri", "model.tokenizer.source"))
            if isinstance(value := self._value(key), str) and value != UNKNOWN
        ]
        if artifacts:
            yield "artifacts:"
            yield from artifacts

    def _accelerator(self) -> Iterator[str]:
        vendor = self._value("hardware.gpu.vendor")
        if isinstance(vendor, str):
            yield self._line("vendor", "hardware.gpu.vendor", vendor)
        else:
            yield f"vendor: {UNKNOWN}  # {_CONFIRM}"
        models = self._value("hardware.gpu.model")
        name = _family(models) if isinstance(models, list) else None
        if name is not None:
            yield self._line("type", "hardware.gpu.model", name)
        else:
            note = "see the annotation" if models else _CONFIRM
            yield f"type: {UNKNOWN}  # {note}"
        count = self._value("hardware.gpu.count")
        if isinstance(count, int) and count >= 1:
            yield self._line("count", "hardware.gpu.count", count)
        else:
            yield "count: 1  # the least that the schema allows; see the annotation"
            if count is None:
                self._placeholders["hardware.gpu.count"] = _CONFIRM

    def _batch(self) -> Iterator[str]:
        for field, key in (
            ("maxBatchSize", "runtime.max_num_seqs"),
            ("maxSequenceLengthTokens", "runtime.max_model_len"),
        ):
            value = self._value(key)
            if isinstance(value, int) and value >= 1:
                yield self._line(field, key, value)

    def _resources(self) -> Iterator[str]:
        cores = self._value(_CPU, "request")
        if isinstance(cores, int) and not isinstance(cores, bool):
            yield self._line("cpuCores", _CPU, cores, "request")
        for field, key in (("memoryGb", _MEMORY), ("ephemeralStorageGb", _STORAGE)):
            size = self._value(key, "request")
            unit = next((u for u in (_GIB, _GB) if isinstance(size, int) and size and size % u == 0), None)
            if unit is not None and isinstance(size, int):
                yield self._line(field, key, size // unit, "request")

    def _environment(self) -> Iterator[str]:
        resolved = self._left.get("runtime.env")
        entries = resolved.entries if resolved is not None else {}
        # What the engine does with a variable that nobody set is no intent.
        said = {name: entry for name, entry in entries.items() if entry.origin != "engine-default"}
        names = [name for name, entry in said.items() if _writable(entry) and isinstance(entry.value, str)]
        kept = sorted(compared(names))
        if kept:
            yield "variables:"
        for name in kept:
            at = _origin(entries[name])
            self._said.setdefault("runtime.env", set()).add(name)
            yield f"  {plain(name)}: {quoted(str(entries[name].value))}{at}"

    def _operations(self) -> Iterator[str]:
        yield from _section("serving", self._serving(), 0)
        yield from _section("scaling", self._scaling(), 0)

    def _serving(self) -> Iterator[str]:
        protocol = self._value("serving.protocol")
        if protocol in ("http", "grpc"):
            yield self._line("protocol", "serving.protocol", str(protocol))
        port = self._value("serving.port")
        if isinstance(port, int) and 1 <= port <= 65535:
            yield self._line("port", "serving.port", port)
        for name in ("readiness", "liveness"):
            yield from _section(f"{name}Probe", self._probe(f"orchestration.probe.{name}"), 0)
        for field, key in (
            ("maxConcurrency", "serving.max_concurrency"),
            ("timeoutSeconds", "serving.request_timeout"),
        ):
            value = self._value(key)
            if isinstance(value, int) and value >= 1:
                yield self._line(field, key, value)

    def _probe(self, key: str) -> Iterator[str]:
        path = self._value(key, "path")
        if isinstance(path, str):
            yield self._line("path", key, path, "path")
        timeout = self._value(key, "timeout")
        if isinstance(timeout, int) and timeout >= 1:
            yield self._line("timeoutSeconds", key, timeout, "timeout")

    def _scaling(self) -> Iterator[str]:
        for field, key in (
            ("minReplicas", "orchestration.replicas.min"),
            ("maxReplicas", "orchestration.replicas.max"),
        ):
            value = self._value(key)
            if isinstance(value, int):
                yield self._line(field, key, value)

    # -- annotations

    def _annotations(self) -> Iterator[str]:
        rows: dict[str, tuple[str, str]] = {key: (UNKNOWN, f"  # {note}") for key, note in self._placeholders.items()}
        for key, resolved in self._left.items():
            text = self._annotation(key, resolved)
            if text is not None:
                rows[key] = (text, _origin(resolved))
        for key in FACTS:
            if key in rows:
                text, at = rows[key]
                yield f"{PREFIX}{key}: {plain(text)}{at}"

    def _annotation(self, key: str, resolved: Resolved) -> str | None:
        said = self._said.get(key, set())
        if "" in said:
            return None
        if not resolved.entries:
            return _spelled(FACTS[key], resolved.value)
        rest: dict[str, Value] = {
            name: entry.value
            for name, entry in resolved.entries.items()
            if name not in said and _writable(entry) and (is_stated(entry) or FACTS[key].severity in _WORTH)
        }
        return flow(rest) if rest else None

    def _not_written(self) -> Iterator[str]:
        facts = self._snapshot.facts
        secret = [
            f"{key}[{name}]" if name else key
            for key, resolved in facts.items()
            for name, entry in (resolved.entries or {"": resolved}).items()
            if entry.state == "redacted" or is_redacted(entry.value)
        ]
        unseen = [k for k, r in facts.items() if r.state == "unknown" and FACTS[k].milestone == 1 and FACTS[k].compared]
        for title, keys in (("Left out, since they hold secrets", secret), ("Not seen, so not stated", unseen)):
            if keys:
                yield f"# {title}:"
                yield from (f"#   {comment(key)}" for key in keys)

    # -- one value

    def _value(self, key: str, part: str = "") -> Value:
        resolved = self._left.get(key)
        if resolved is not None and part:
            resolved = resolved.entries.get(part)
            if resolved is not None and not (_writable(resolved) and is_stated(resolved)):
                return None
        return resolved.value if resolved is not None else None

    def _line(self, field: str, key: str, value: str | int, part: str = "") -> str:
        self._said.setdefault(key, set()).add(part)
        resolved = self._left[key].entries[part] if part else self._left[key]
        return f"{field}: {plain(value) if isinstance(value, str) else value}{_origin(resolved)}"


def _worth_writing(fact: Fact, resolved: Resolved) -> bool:
    if not fact.compared or fact.category == "performance":  # what was measured once, nobody intended
        return False
    if resolved.entries:
        return any(_worth_writing(fact, entry) for entry in resolved.entries.values())
    if not _writable(resolved):
        return False
    if fact.key in _DECIDED and not is_stated(resolved):
        return False
    return is_stated(resolved) or (fact.severity in _WORTH and resolved.confidence == "certain")


def _writable(resolved: Resolved) -> bool:
    return resolved.state in ("known", "absent") and not is_redacted(resolved.value)


def _known(facts: Mapping[str, Resolved], key: str) -> Value:
    resolved = facts.get(key)
    return resolved.value if resolved is not None and resolved.state == "known" else None


def _spelled(fact: Fact, value: Value) -> str:
    """A value as an annotation holds it; what would be read as something else is quoted as JSON."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        odd = value.strip() in ("", "none", UNKNOWN) or value[:1] in ("[", "{", '"') or value != value.strip()
        as_read = odd and not (value == "none" and fact.type.parse(None) == "none")
        return _json(value) if as_read else value
    return _json(value) if isinstance(value, (list, dict)) else repr(value)


def _json(value: Value) -> str:
    import msgspec

    return msgspec.json.encode(value).decode("utf-8")


def _family(models: list[Value]) -> str | None:
    """One name that admits exactly these accelerators, or None."""
    names = sorted(str(model) for model in models)
    if len(names) == 1:
        return names[0]
    from askew.knowledge.gpus import gpu

    words = names[0].split("-") if names else []
    for count in range(len(words), 0, -1):
        name = "-".join(words[:count])
        try:
            if sorted(gpu(name)) == names:
                return name
        except ValueError:
            continue
    return None


def _origin(resolved: Resolved) -> str:
    """The comment behind a value."""
    if resolved.origin in ("engine-default", "platform-default"):
        return f"  # {resolved.origin.replace('-', ' ')}"
    at = next((f", {at}" for at in resolved.locations if at.line), "")
    return comment(f"  # {resolved.origin}{at}")


def _indented(lines: Iterator[str], by: int) -> Iterator[str]:
    return (" " * by + line for line in lines)


def _section(name: str, lines: Iterator[str], indent: int) -> Iterator[str]:
    first = next(lines, None)
    if first is not None:
        yield f"{' ' * indent}{name}:"
        yield f"{' ' * (indent + 2)}{first}"
        yield from _indented(lines, indent + 2)
