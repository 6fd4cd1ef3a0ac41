"""One setting of a real file changed, and what has to be found for it.

Two ways to choose the setting, because each is blind to what the other sees. ``stated`` takes every value that Askew
reads with a place, changes the text at that place, and expects the same fact with the old and the new value on that
line. ``structural`` knows nothing of what Askew read: it takes the fields of the Kubernetes API that carry a fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec
import yaml

from askew.app.load import Side
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Fact, Value, ValueType
from askew.resolve.workload import Resolved, Snapshot


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file with one setting changed or taken out, and what must be found.

    ``facts`` are the facts of which one must be found, with ``key`` where that is given. ``old`` and ``new`` are the
    canonical values that both sides must show, where ``valued``. ``lines`` are where both sides may point:
    the setting's own, or where the list or map begins that is one value. For a setting taken out, the reference only.
    """

    text: str
    facts: tuple[str, ...]
    lines: tuple[int, ...]
    what: str
    key: str | None = None
    old: Value = None
    new: Value = None
    valued: bool = False
    removed: bool = False
    workload: str = ""


_WRITTEN = frozenset(("explicit", "env", "config-file", "declared"))
_WORD = re.compile(r"""[^\s"',\[\]{}]+""")
# Text whose change is no change of a plain value: expansions, templates.
_EXPANDED = re.compile(r"[$`*]|\{\{")


def stated(side: Side, text: str) -> Iterator[Injection]:
    """Changes and removals of what ``side``, read from ``text``, states with a place in it."""
    starts = _line_starts(text)
    for snapshot in side.snapshots:
        for fact_key, whole in snapshot.facts.items():
            fact = FACTS[fact_key]
            if fact.milestone != 1 or not fact.compared:
                continue
            settled = snapshot.facts.get(fact.settled_by)
            if settled is not None and settled.state == "known":
                continue  # equal digests make other tags mean nothing
            for key, resolved in whole.entries.items() or {"": whole}.items():
                if resolved.state != "known" or resolved.origin not in _WRITTEN:
                    continue
                kind = fact.type.entry(key) if key and fact.type.entry is not None else fact.type
                # Of a request and a limit for GPUs the limit decides; it is named first.
                for at in resolved.locations[:1] if fact_key == "hardware.gpu.count" else resolved.locations:
                    if at.line and at.source == side.uri and at.line <= len(starts):
                        yield from _at(fact, key, kind, resolved, at, text, starts, snapshot)


def _at(
    fact: Fact, key: str, kind: ValueType, resolved: Resolved, at: Location, text: str, starts: list[int], s: Snapshot
) -> Iterator[Injection]:
    offset = starts[at.line - 1] + max(0, at.column - 1)
    end = text.find("\n", offset)
    rest = text[offset : end if end != -1 else len(text)]
    found = _written(fact, kind, resolved.value, rest)
    if found is None:
        if isinstance(resolved.value, bool):
            yield from _flag_removed(fact, key, resolved, at, text, offset, rest, s)
        return
    start, old = found
    new = _other(fact, kind, resolved.value, old)
    if new is None:
        return
    value = _canonical(fact, kind, resolved.value, old, new)
    if value is None:
        return
    begin = offset + start
    yield Injection(
        text=text[:begin] + new + text[begin + len(old) :],
        facts=(fact.key,),
        key=key,
        lines=(at.line,),
        what=f"{old} -> {new}",
        old=resolved.value,
        new=value,
        valued=True,
        workload=s.id,
    )
    yield from _removed(fact, key, resolved, at, text, begin, len(old), s)


def _written(fact: Fact, kind: ValueType, value: Value, rest: str) -> tuple[int, str] | None:
    """Where in ``rest`` the value stands, and as what; None where it cannot be told."""
    for index, match in enumerate(_WORD.finditer(rest)):
        if index > 3:
            break
        word = match[0]
        for start in _begins(word):
            part = word[start:].rstrip(";")
            for end in _ends(part):
                old = part[:end]
                if old and not _EXPANDED.search(old) and _means(fact, kind, value, old):
                    if _EXPANDED.search(rest[max(0, match.start() + start - 8) : match.start() + start + end + 2]):
                        return None
                    return match.start() + start, old
    return None


def _begins(word: str) -> list[int]:
    return [0, *(index + 1 for index, sign in enumerate(word) if sign in "=:@")]


def _ends(part: str) -> list[int]:
    return [len(part), *(index for index, sign in enumerate(part) if sign in ":@")][:3]


def _means(fact: Fact, kind: ValueType, value: Value, written: str) -> bool:
    if fact.key == "runtime.image":
        return isinstance(value, str) and (value == written or (value.endswith("/" + written) and "/" in written))
    if fact.key == "model.source":
        return isinstance(value, str) and value.removeprefix("hf://") == written.removeprefix("hf://")
    if fact.key == "runtime.engine.version":
        return isinstance(value, str) and written.removeprefix("v").split("-")[0] == value
    try:
        return kind.parse(written) == value
    except (ValueError, TypeError):
        return False


_ALTERNATIVES: Mapping[str, tuple[str, ...]] = {
    "runtime.dtype": ("float16", "bfloat16"),
    "runtime.kv_cache.dtype": ("fp8_e5m2", "fp8_e4m3"),
    "runtime.quantization": ("awq", "gptq"),
    "runtime.load_format": ("safetensors", "dummy"),
    "runtime.attention_backend": ("triton", "flashinfer"),
    "orchestration.image_pull_policy": ("Always", "IfNotPresent"),
    "model.tokenizer.mode": ("slow", "auto"),
    "runtime.generation_config": ("vllm", "auto"),
    "hardware.gpu.model": ("NVIDIA-L4", "NVIDIA-H100-80GB-HBM3"),
}
# One fact decides these together with others, or they name what is compared.
_UNCHANGEABLE = frozenset(("orchestration.kind", "hardware.gpu.vendor", "orchestration.autoscaler.kind"))


def _other(fact: Fact, kind: ValueType, value: Value, old: str) -> str | None:
    """Another valid spelling in the place of ``old`` that means something else."""
    if fact.key in _UNCHANGEABLE:
        return None
    if fact.key == "hardware.gpu.model" and "-" in old and old.islower():
        return "nvidia-l4" if old != "nvidia-l4" else "nvidia-tesla-t4"
    if fact.key in _ALTERNATIVES:
        return next(o for o in _ALTERNATIVES[fact.key] if not _means(fact, kind, value, o))
    if isinstance(value, bool):
        for true, false in (("true", "false"), ("yes", "no"), ("on", "off"), ("1", "0")):
            for yes, no in ((true, false), (true.title(), false.title()), (true.upper(), false.upper())):
                if old in (yes, no):
                    return no if old == yes else yes
        return None
    if kind.name == "ratio":
        return "0.55" if old != "0.55" else "0.45"
    if fact.key == "runtime.engine.version" or fact.key == "runtime.image.tag":
        digits = list(re.finditer(r"\d+", old))
        if not digits:
            return old + "x" if fact.key == "runtime.image.tag" else None
        last = digits[min(2, len(digits) - 1)]
        return old[: last.start()] + str(int(last[0]) + 1) + old[last.end() :]
    if kind.name == "digest":
        return old[:-1] + ("0" if old[-1] != "0" else "1")
    if isinstance(value, (int, float)):
        match = re.search(r"\d+", old)
        return None if match is None else old[: match.start()] + str(int(match[0]) + 1) + old[match.end() :]
    if kind.name == "enum":
        return None
    return old + "x"


def _canonical(fact: Fact, kind: ValueType, value: Value, old: str, new: str) -> Value:
    if fact.key in ("runtime.image", "model.source", "runtime.engine.version") and isinstance(value, str):
        return value[: len(value) - len(old)] + new if value.endswith(old) else new.removeprefix("v").split("-")[0]
    try:
        return kind.parse(new)
    except ValueError:
        return None


_FLAG_BEFORE = re.compile(r"""(--?[A-Za-z][\w.-]*)(=|[ \t]+)["']?\Z""")
_ITEM = re.compile(r"""\s*-\s+["']?(--?[A-Za-z][\w.-]*)["']?\s*\Z""")


def _removed(
    fact: Fact, key: str, resolved: Resolved, at: Location, text: str, begin: int, length: int, s: Snapshot
) -> Iterator[Injection]:
    """The flag taken out, where flag and value stand on one line, or as two items of a list."""
    line_start = text.rfind("\n", 0, begin) + 1
    line_end = text.find("\n", begin)
    line_end = len(text) if line_end == -1 else line_end
    line = text[line_start:line_end]
    before, after = text[line_start:begin], text[begin + length : line_end]
    flag = _FLAG_BEFORE.search(before)
    without: str | None = None
    if flag is not None and re.fullmatch(r"""\s*-\s+["']?""", before[: flag.start()]) and not after.strip("\"' \t\r"):
        without = text[:line_start] + text[line_end + 1 :]
    elif flag is not None and re.match(r"[\s\\]|\Z", after) and "," not in line:
        without = text[: line_start + flag.start()] + text[begin + length :]
    elif re.fullmatch(r"""\s*-\s+["']?""", before) and not after.strip("\"' \t\r"):
        previous = text.rfind("\n", 0, line_start - 1) + 1
        if _ITEM.match(text[previous : line_start - 1]):
            without = text[:previous] + text[line_end + 1 :]
    if without is not None:
        yield _without(fact, key, resolved, at, without, line.strip(), s)


def _flag_removed(
    fact: Fact, key: str, resolved: Resolved, at: Location, text: str, offset: int, rest: str, s: Snapshot
) -> Iterator[Injection]:
    """A switch without a value taken out."""
    flag = re.match(r"""["']?(--[\w-]+)["']?(?=\s|\Z|\\)""", rest)
    if flag is None:
        return
    line_start = text.rfind("\n", 0, offset) + 1
    if re.fullmatch(r"\s*-\s+", text[line_start:offset]) and flag.end() == len(rest.rstrip()):
        yield _without(fact, key, resolved, at, text[:line_start] + text[offset + len(rest) + 1 :], flag[1], s)
    elif rest[0] not in "\"'":
        yield _without(fact, key, resolved, at, text[:offset] + text[offset + flag.end() :], flag[1], s)


def _without(fact: Fact, key: str, resolved: Resolved, at: Location, text: str, what: str, s: Snapshot) -> Injection:
    return Injection(
        text=text,
        facts=(fact.key,),
        key=key,
        lines=(at.line,),
        what=f"without {what}",
        old=resolved.value,
        removed=True,
        workload=s.id,
    )


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for match in re.finditer("\n", text):
        starts.append(match.end())
    return starts


# The fields of the Kubernetes API that carry a fact. Of a container's, those of the engine's container only.

_POD_SPECS: Mapping[str, str] = {
    "Deployment": "spec.template.spec",
    "StatefulSet": "spec.template.spec",
    "DaemonSet": "spec.template.spec",
    "ReplicaSet": "spec.template.spec",
    "Job": "spec.template.spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
    "Pod": "spec",
}
_GPU_MODEL = "hardware.gpu.model"
_OBJECT_FIELDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"spec\.replicas", ("orchestration.replicas.min",)),
    (r"spec\.strategy\.rollingUpdate\.max(Surge|Unavailable)", ("orchestration.strategy",)),
    (r"spec\.strategy\.type", ("orchestration.strategy",)),
)
_POD_FIELDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"nodeSelector\.[^ ]+", ("orchestration.node_selector", _GPU_MODEL)),
    (r"terminationGracePeriodSeconds", ("orchestration.termination_grace",)),
    (r"enableServiceLinks", ("orchestration.service_links",)),
    (r"tolerations\[\d+\]\.(key|value|effect|operator)", ("orchestration.tolerations",)),
    (r"affinity\..*\.values\[\d+\]", ("orchestration.affinity", "orchestration.node_selector", _GPU_MODEL)),
    (r"affinity\..*\.topologyKey", ("orchestration.affinity",)),
)
_CONTAINER_FIELDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"image", ("runtime.image", "runtime.image.tag", "runtime.image.digest")),
    (r"imagePullPolicy", ("orchestration.image_pull_policy",)),
    (r"resources\.(limits|requests)\.cpu", ("orchestration.resources.cpu",)),
    (r"resources\.(limits|requests)\.memory", ("orchestration.resources.memory.bytes",)),
    (r"resources\.(limits|requests)\.ephemeral-storage", ("orchestration.resources.ephemeral_storage.bytes",)),
    (r"resources\.limits\.nvidia\.com/gpu", ("hardware.gpu.count",)),
    (r"livenessProbe\.(\w+Seconds|failureThreshold|httpGet\.(path|port))", ("orchestration.probe.liveness",)),
    (r"readinessProbe\.(\w+Seconds|failureThreshold|httpGet\.(path|port))", ("orchestration.probe.readiness",)),
    (r"startupProbe\.(\w+Seconds|failureThreshold|httpGet\.(path|port))", ("orchestration.probe.startup",)),
    (r"volumeMounts\[\d+\]\.(mountPath|subPath)", ("orchestration.volumes", "orchestration.shm.bytes")),
)
_NOT_TEXT = re.compile(r"true|false|null|~|-?\d.*", re.IGNORECASE)


def structural(side: Side, text: str) -> Iterator[Injection]:
    """Changes of the fields above in the objects that ``side`` has a workload of."""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return
    by_line: dict[int, list[Snapshot]] = {s.workload.location.line: [] for s in side.snapshots}
    for snapshot in side.snapshots:
        by_line[snapshot.workload.location.line].append(snapshot)
    for document in documents:
        first, last = document.start_mark.line + 1, document.end_mark.line + 1
        here = [s for line, found in by_line.items() if first <= line <= last for s in found]
        kind = next((leaf.value for path, leaf in _leaves(document) if path == "kind"), "")
        if len(here) != 1 or kind != here[0].workload.kind or kind not in _POD_SPECS:
            continue
        for path, leaf, around in _leaves_within(document):
            facts = _facts_at(path, _POD_SPECS[kind], _container_index(document, _POD_SPECS[kind], here[0]))
            change = _changed(path, leaf.value) if facts else None
            begin, end = leaf.start_mark.index, leaf.end_mark.index
            if change is None or leaf.style in ("|", ">") or leaf.value not in text[begin:end]:
                continue
            begin += text[begin:end].index(leaf.value)
            yield Injection(
                text=text[:begin] + change + text[begin + len(leaf.value) :],
                facts=facts,
                lines=(leaf.start_mark.line + 1, *around),
                what=f"{path}: {leaf.value} -> {change}",
                workload=here[0].id,
            )


def _leaves(node: yaml.Node, path: str = "") -> Iterator[tuple[str, yaml.ScalarNode]]:
    if isinstance(node, yaml.ScalarNode):
        yield path, node
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _leaves(item, f"{path}[{index}]")
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _leaves(value, f"{path}.{key.value}" if path else str(key.value))


def _leaves_within(document: yaml.Node) -> Iterator[tuple[str, yaml.ScalarNode, tuple[int, ...]]]:
    """Leaves with the lines on which the two innermost lists around them, and their items, begin."""
    begins: dict[str, int] = {}

    def note(node: yaml.Node, path: str) -> None:
        begins[path] = node.start_mark.line + 1
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                note(item, f"{path}[{index}]")
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name = f"{path}.{key.value}" if path else str(key.value)
                note(value, name)
                begins[f"{name} key"] = key.start_mark.line + 1

    note(document, "")
    for path, leaf in _leaves(document):
        around = []
        for match in re.finditer(r"\[\d+\]|\.affinity(?=\.)", path):
            for prefix in (path[: match.start()], path[: match.end()]):
                around += [begins[name] for name in (prefix, f"{prefix} key") if name in begins]
        exact = "containers[" in path and "volumeMounts" not in path
        yield path, leaf, () if exact else tuple(around)


def _container_index(document: yaml.Node, spec: str, snapshot: Snapshot) -> int | None:
    if snapshot.container is None:
        return None
    for path, leaf in _leaves(document):
        match = re.fullmatch(re.escape(spec) + r"\.containers\[(\d+)\]\.name", path)
        if match and leaf.value == snapshot.container.name:
            return int(match[1])
    return None


def _facts_at(path: str, spec: str, container: int | None) -> tuple[str, ...]:
    tables = [("", _OBJECT_FIELDS), (f"{spec}.", _POD_FIELDS)]
    if container is not None:
        tables.append((f"{spec}.containers[{container}].", _CONTAINER_FIELDS))
    for prefix, table in tables:
        if path.startswith(prefix):
            for pattern, facts in table:
                if re.fullmatch(pattern, path[len(prefix) :]):
                    return facts
    return ()


_SWAPPED: Mapping[str, tuple[str, str]] = {
    "imagePullPolicy": ("Always", "IfNotPresent"),
    "effect": ("NoSchedule", "NoExecute"),
    "operator": ("Equal", "Exists"),
    "type": ("Recreate", "RollingUpdate"),
}


def _changed(path: str, value: str) -> str | None:
    if not value or _EXPANDED.search(value):
        return None
    field = path.rpartition(".")[2]
    if field in _SWAPPED:
        first, second = _SWAPPED[field]
        return second if value == first else first
    if value.lower() in ("true", "false"):
        return "false" if value.lower() == "true" else "true"
    match = re.match(r"\d+", value)
    if match and _NOT_TEXT.fullmatch(value):
        return str(int(match[0]) + 1) + value[match.end() :]
    return value + "x"
