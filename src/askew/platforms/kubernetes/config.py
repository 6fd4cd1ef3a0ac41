"""What a container is given: its environment and its files, out of the pod spec, ConfigMaps and Secrets.

Order and expansion follow the kubelet (pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables): ``envFrom`` in order,
then ``env`` in order, where a value may use what was declared before it; of one name the last one wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Content, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted
from askew.facts.values.quantity import bytes_, cores
from askew.platforms.kubernetes.draft import Layers, pick
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import text_of, truth_of
from askew.platforms.shell.kubernetes import kubernetes_env
from askew.resolve.workload import Problem

_USED = r"\$(?:\(([A-Za-z_][A-Za-z0-9_.-]*)\)|\{([A-Za-z_][A-Za-z0-9_]*)|([A-Za-z_][A-Za-z0-9_]*))"

# A ConfigMap holds at most 1 MiB; a mount of hundreds of entries is no engine configuration.
_MAX_FILES = 500


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a container's references are resolved against: the object that declares the pod, its metadata, all objects.

    ``nodes`` collects the scalars that a script may be made of, by their place, so that a word of it can be located;
    ``malformed`` what the API server would refuse. ``stale`` says by kind, name and key of a ConfigMap or Secret why
    its value is not that of the running process; empty where it is.
    """

    origin: Object
    objects: Objects
    namespace: str
    name: str
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    nodes: dict[Location, Node] = {}
    malformed: list[Problem] = []
    stale: Callable[[str, str, str], str] = lambda kind, name, key: ""

    def refuse(self, node: Node, message: str) -> None:
        """Note something that the API server would refuse."""
        text = f"{message}; Kubernetes refuses this manifest"
        self.malformed.append(Problem(kind="malformed", message=text, locations=(node.location,)))

    def absent(self, kind: str) -> str:
        """Why a ConfigMap or Secret is not found."""
        refused = self.objects.refusal(f"{kind.lower()}s", self.namespace) if kind else ""
        return f"which is not among the sources: {refused}" if refused else "which is not among the sources"

    def find(self, kind: str, name: str) -> Object | None:
        """The ConfigMap or Secret of that name which the pod means."""
        declared = self.origin.namespace_declared
        return self.objects.get("", kind, self.namespace, name, declared=declared, source=self.origin.source)


class Unseen(msgspec.Struct, frozen=True):
    """A ConfigMap or Secret taken whole into the environment that is not among the sources, and why it is not."""

    what: str
    prefix: str
    location: Location
    why: str


def environment(
    containers: Layers,
    around: Surroundings,
    *,
    before: Iterable[Variable] = (),
    after: Iterable[Variable] = (),
    texts: Iterable[str] = (),
) -> tuple[dict[str, Variable], tuple[Unseen, ...]]:
    """The environment of one container (its layers, base first) and the sources of variables that were not found.

    ``before`` and ``after`` are variables that a controller adds at either end. ``texts`` are the container's
    arguments: a variable they use that only an unseen source can define becomes an unknown one, since the kubelet
    and the shell would otherwise be taken to leave it out.
    """
    declared: list[Variable] = list(before)
    unseen: list[Unseen] = []
    for layer in containers:
        for field in ("env", "envFrom"):
            if layer[field] and not layer[field].is_sequence:
                around.refuse(layer[field], f"{field} is not a list")
        for item in layer["envFrom"].each():
            _take_all(item, around, declared, unseen)
    names = {variable.name for variable in declared}
    own = [_variable(node, containers, around) for node in keyed(containers, "env", "name")]
    named = [variable for variable in own if variable.name]
    if unseen:
        known = names | {variable.name for variable in named}
        wanted = {name for text in (*texts, *(v.value or "" for v in named)) for name in used_names(text)}
        for name in sorted(wanted - known):
            source = next((one for one in reversed(unseen) if name.startswith(one.prefix)), None)
            if source is not None:
                reason = f"may come from {source.what}, {source.why}"
                declared.append(Variable(name, None, source.location, reason))
    return kubernetes_env([*declared, *named, *after]), tuple(unseen)


def used_names(text: str) -> set[str]:
    """The variables that a text refers to as ``$(NAME)``, ``${NAME`` or ``$NAME``."""
    if "$" not in text:
        return set()
    return {match[1] or match[2] or match[3] for match in re.finditer(_USED, text)}


def keyed(layers: Layers, field: str, key: str) -> tuple[Node, ...]:
    """The items of a list that merges by a key: of one key the topmost layer's, in the order of first appearance.

    Within one layer a repeated key keeps all its items: for variables the last one wins, and order matters.
    """
    if len(layers) == 1:
        return tuple(node for node in layers[0][field].each() if isinstance(node.value, dict))
    merged: dict[str, list[Node]] = {}
    for layer in layers:
        fresh: dict[str, list[Node]] = {}
        for node in layer[field].each():
            if isinstance(node.value, dict):
                fresh.setdefault(text_of(node[key]), []).append(node)
        merged.update(fresh)
    return tuple(node for nodes in merged.values() for node in nodes)


def _take_all(item: Node, around: Surroundings, declared: list[Variable], unseen: list[Unseen]) -> None:
    if not isinstance(item.value, dict):
        return
    prefix = text_of(item["prefix"])
    for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        reference = item[field]
        if not isinstance(reference.value, dict):
            continue
        name = text_of(reference["name"])
        found = around.find(kind, name) if name else None
        if found is None:
            unseen.append(Unseen(f"{kind} {name}", prefix, reference.location, around.absent(kind)))
            continue
        for section in ("data", "stringData") if kind == "Secret" else ("data",):
            entries = found.node[section]
            if not isinstance(entries.value, dict):
                continue
            for key, entry in entries.items():
                declared.append(_from_entry(prefix + key, entry, kind, key, item.location, around, name))


def _from_entry(
    name: str, entry: Node, kind: str, key: str, location: Location, around: Surroundings, target: str
) -> Variable:
    if kind == "Secret":
        # The collector puts a marker in place of what a Secret holds; anything else is not looked at.
        if is_redacted(entry.value):
            return Variable(name, text_of(entry), location, via=(entry.location,))
        reason = f"value from Secret {target} key {key}"
        return Variable(name, None, location, reason, (entry.location,))
    place = entry.location
    around.nodes[place] = entry
    if reason := around.stale(kind, target, key):
        return Variable(name, None, location, reason, (place,))
    return Variable(name, text_of(entry), location, via=(place,))


def _variable(node: Node, containers: Layers, around: Surroundings) -> Variable:
    name = text_of(node["name"])
    value = node["value"]
    if value.exists and value.value is not None:
        if not isinstance(value.value, str):
            around.refuse(value, f"the value of variable {name} is not text; quote it")
        if isinstance(value.value, (dict, list)):
            return Variable(name, None, value.location, "the value is no text")
        place = value.location
        around.nodes[place] = value
        return Variable(name, text_of(value), place)
    source = node["valueFrom"]
    if not isinstance(source.value, dict) or not source.value:
        return Variable(name, "", node.location)
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        reference = source[field]
        if isinstance(reference.value, dict):
            return _from_key(name, reference, kind, around)
    if isinstance(source["fieldRef"].value, dict):
        return _from_field(name, source["fieldRef"], around)
    if isinstance(source["resourceFieldRef"].value, dict):
        return _from_resource(name, source["resourceFieldRef"], containers)
    return Variable(
        name, None, source.location, "value from a source that Askew does not know: " + ", ".join(source.value)
    )


def _from_key(name: str, reference: Node, kind: str, around: Surroundings) -> Variable:
    target, key = text_of(reference["name"]), text_of(reference["key"])
    found = around.find(kind, target) if target else None
    if found is None:
        reason = f"value from {kind} {target} key {key}"
        reason += "" if kind == "Secret" else f", {around.absent(kind)}"
        return Variable(name, None, reference.location, reason)
    for section in ("stringData", "data"):
        entry = found.node[section]
        if isinstance(entry.value, dict) and key in entry.value:
            return _from_entry(name, entry[key], kind, key, reference.location, around, target)
    if truth_of(reference["optional"]):
        return Variable(name, "", reference.location, via=(found.location,))
    return Variable(name, None, reference.location, f"{kind} {target} has no key {key}")


def _from_field(name: str, reference: Node, around: Surroundings) -> Variable:
    path = text_of(reference["fieldPath"])
    place = reference["fieldPath"].location
    for field, entries in (("metadata.labels['", around.labels), ("metadata.annotations['", around.annotations)):
        key = path.removeprefix(field).removesuffix("']")
        if path.startswith(field) and key in entries:
            return Variable(name, entries[key], place, via=(around.origin.location,))
    # The pod's own name and namespace differ between environments by design; they say nothing about the engine.
    return Variable(name, None, place, f"value of the running pod's {path}")


def _from_resource(name: str, reference: Node, containers: Layers) -> Variable:
    """A container's own request or limit, in units of ``divisor``, rounded up.

    Source: ExtractContainerResourceValue in pkg/api/v1/resource/helpers.go of kubernetes/kubernetes.
    """
    resource = text_of(reference["resource"])
    place = reference["resource"].location
    section, _, key = resource.partition(".")
    own = text_of(reference["containerName"]) in ("", text_of(pick(containers, "name")))
    amount = pick(containers, "resources", section, key)
    if own and not amount.exists and section == "requests":
        amount = pick(containers, "resources", "limits", key)
    divisor = text_of(reference["divisor"])
    if own and amount.exists and section in ("limits", "requests"):
        try:
            if key == "cpu":
                milli = round(cores(text_of(amount)) * 1000)
                unit = round(cores(divisor) * 1000) if divisor not in ("", "0") else 1000
            else:
                milli = bytes_(text_of(amount))
                unit = bytes_(divisor) if divisor not in ("", "0") else 1
        except ValueError as error:
            return Variable(name, None, place, str(error))
        return Variable(name, str(-(-milli // max(unit, 1))), place, via=(amount.location,))
    return Variable(name, None, place, f"value of the running container's {resource}")


def volumes_by_name(pods: Layers) -> dict[str, Node]:
    """The volumes of a pod by name, the topmost layer's."""
    found: dict[str, Node] = {}
    for layer in pods:
        for volume in layer["volumes"].each():
            if isinstance(volume.value, dict):
                found[text_of(volume["name"])] = volume
    return found


def files(containers: Layers, volumes: Mapping[str, Node], around: Surroundings) -> dict[str, Content]:
    """The files of mounted ConfigMaps by their absolute path in the container, as far as the sources show them."""
    found: dict[str, Content] = {}
    for mount in keyed(containers, "volumeMounts", "mountPath"):
        volume = volumes.get(text_of(mount["name"]))
        path = text_of(mount["mountPath"]).rstrip("/")
        if volume is None or not path:
            continue
        entries = _volume_files(volume, around)
        if not entries:
            continue
        sub_path = text_of(mount["subPath"]).strip("/")
        if not sub_path:
            found.update((f"{path}/{name}", content) for name, content in entries.items())
        elif sub_path in entries:
            found[path] = entries[sub_path]
        else:
            under = sub_path + "/"
            found.update((f"{path}/{name[len(under) :]}", c) for name, c in entries.items() if name.startswith(under))
        if len(found) > _MAX_FILES:
            break
    return found


def _volume_files(volume: Node, around: Surroundings) -> dict[str, Content]:
    config = volume["configMap"]
    if isinstance(config.value, dict):
        return _config_map_files(config, around)
    found: dict[str, Content] = {}
    for source in volume["projected"]["sources"].each():
        part = source["configMap"]
        if isinstance(part.value, dict):
            found.update(_config_map_files(part, around))
    return found


def _config_map_files(reference: Node, around: Surroundings) -> dict[str, Content]:
    config_map = around.find("ConfigMap", text_of(reference["name"]))
    if config_map is None:
        return {}
    data = config_map.node["data"]
    if not isinstance(data.value, dict):
        return {}
    items = reference["items"]
    if isinstance(items.value, list):
        wanted = {text_of(item["key"]): text_of(item["path"]).strip("/") for item in items.each()}
    else:
        wanted = {key: key for key in data.value}
    found: dict[str, Content] = {}
    for key, entry in data.items():
        if key in wanted and isinstance(entry.value, str):
            place = entry.location
            around.nodes[place] = entry
            found[wanted[key]] = Content(entry.value, place)
    return found
