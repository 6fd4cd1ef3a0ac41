"""Where a pod may run and how it ends: the facts of the pod spec as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping

from askew.evidence.document import Node
from askew.facts.types import Value
from askew.platforms.kubernetes.citations import CORE_DEFAULTS
from askew.platforms.kubernetes.draft import Layers, pick
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, scalar, text_of, whole_of
from askew.resolve.observation import Observation, Unknown

# DefaultTolerationSeconds (plugin/pkg/admission/defaulttolerationseconds) gives every pod these two.
_DEFAULT_TOLERATIONS = frozenset({"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
# The DaemonSet controller gives its pods these (pkg/controller/daemon/util).
_DAEMON_TOLERATIONS = frozenset(
    f"node.kubernetes.io/{word}"
    for word in ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable", "network-unavailable")
)
# Every engine image is a Linux image: the label changes nothing.
_INERT_SELECTORS = frozenset({("kubernetes.io/os", "linux"), ("beta.kubernetes.io/os", "linux")})
_SLEEP = r"\bsleep\s+(\d+(?:\.\d+)?)([smh]?)\b"
_SHELLS = frozenset(("", "/bin/sh -c", "sh -c", "/bin/bash -c", "bash -c", "/bin/", "/usr/bin/"))
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def pod_observations(pods: Layers, kind: str) -> list[Observation]:
    """Node selector, affinity, tolerations, termination grace and service links of a pod spec.

    ``kind`` is that of the declaring object: only pods themselves carry what admission adds.
    """
    found: list[Observation] = []
    found.extend(_node_selector(pods))
    affinity = pick(pods, "affinity")
    rules = _affinity(affinity)
    if rules:
        found.append(observed("orchestration.affinity", rules, affinity.location))
    else:
        found.append(observed("orchestration.affinity", None, CORE_DEFAULTS, origin="platform-default"))
    found.append(_tolerations(pods, kind))
    seconds, place = whole_of(pick(pods, "terminationGracePeriodSeconds"), 30)
    fact = "orchestration.termination_grace"
    if place:
        found.append(observed(fact, seconds, place))
    else:
        found.append(observed(fact, seconds, CORE_DEFAULTS, origin="platform-default"))
    links = pick(pods, "enableServiceLinks")
    value = links.boolean()
    if value is None:
        found.append(observed("orchestration.service_links", True, CORE_DEFAULTS, origin="platform-default"))
    else:
        found.append(observed("orchestration.service_links", value, links.location))
    return found


def _node_selector(pods: Layers) -> tuple[Observation, ...]:
    entries: dict[str, Entry] = {}
    for layer in pods:
        for key, node in layer["nodeSelector"].items():
            if (key, text_of(node)) not in _INERT_SELECTORS:
                entries[key] = Entry(text_of(node), node.location)
    if not entries:
        return (observed("orchestration.node_selector", None, CORE_DEFAULTS, origin="platform-default"),)
    return observed_map("orchestration.node_selector", entries)


def _affinity(node: Node) -> Value:
    value = scalar(node.value)
    return _pruned(value) if isinstance(value, dict) else None


def _pruned(value: Value) -> Value:
    """The same data without what is empty: an empty list or map says what an absent one says."""
    if isinstance(value, dict):
        kept = {key: _pruned(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part not in (None, {}, [], "")}
    if isinstance(value, list):
        return [_pruned(part) for part in value]
    return value


def _tolerations(pods: Layers, kind: str) -> Observation:
    node = pick(pods, "tolerations")
    kept: list[Value] = []
    for item in node.each():
        if not isinstance(item.value, dict):
            continue
        key, effect = text_of(item["key"]), text_of(item["effect"])
        exists = text_of(item["operator"]) == "Exists"
        if key in _DEFAULT_TOLERATIONS and effect == "NoExecute" and exists and item["tolerationSeconds"].value == 300:
            continue
        if kind in ("Pod", "DaemonSet") and key in _DAEMON_TOLERATIONS and effect == "NoSchedule" and exists:
            continue
        # ExtendedResourceToleration: a pod that asks for a resource tolerates the taint of its name.
        if kind == "Pod" and exists and effect in ("NoSchedule", "") and _asks_for(pods, key):
            continue
        kept.append(scalar({name: part for name, part in item.value.items() if part not in (None, "")}))
    if not kept:
        return observed("orchestration.tolerations", None, CORE_DEFAULTS, origin="platform-default")
    return observed("orchestration.tolerations", kept, node.location)


def _asks_for(pods: Layers, resource: str) -> bool:
    if "/" not in resource:
        return False
    return any(
        resource in container["resources"][section]
        for layer in pods
        for container in layer["containers"].each()
        for section in ("limits", "requests")
    )


def prestop(containers: Layers) -> Observation:
    """Seconds that the container waits before it is told to stop."""
    fact = "orchestration.prestop"
    hook = pick(containers, "lifecycle", "preStop")
    if not hook:
        return observed(fact, None, CORE_DEFAULTS, origin="platform-default")
    sleep = hook["sleep"]["seconds"]
    if sleep.integer() is not None:
        return observed(fact, sleep.integer(), sleep.location)
    command = hook["exec"]["command"]
    text = " ".join(text_of(word) for word in command.each())
    waits = re.findall(_SLEEP, text)
    if len(waits) == 1 and not re.search(r"\b(?:while|until|for)\b", text):
        seconds = float(waits[0][0]) * _SECONDS[waits[0][1]]
        alone = re.sub(_SLEEP, "", text).strip() in _SHELLS
        return observed(fact, seconds, command.location, confidence="certain" if alone else "likely", raw=text)
    what = "an HTTP request" if hook["httpGet"] else f"a command ({text[:80]})" if text else "something"
    return observed(fact, Unknown(f"preStop runs {what}, whose duration no manifest shows", text=text), hook.location)


def strategy(spec: Node, kind: str) -> Mapping[str, Entry]:
    """How a Deployment, StatefulSet or DaemonSet replaces its pods, defaults filled in; empty for other kinds."""
    if kind == "Deployment":
        node = spec["strategy"]
        kind_of = _type_of(node)
        entries = {"type": kind_of}
        if kind_of.value == "RollingUpdate":
            entries["max_surge"] = _amount(node["rollingUpdate"]["maxSurge"], "25%")
            entries["max_unavailable"] = _amount(node["rollingUpdate"]["maxUnavailable"], "25%")
        return entries
    if kind in ("StatefulSet", "DaemonSet"):
        node = spec["updateStrategy"]
        kind_of = _type_of(node)
        entries = {"type": kind_of}
        if kind_of.value == "RollingUpdate":
            if kind == "StatefulSet":
                entries["partition"] = _amount(node["rollingUpdate"]["partition"], 0)
            else:
                entries["max_surge"] = _amount(node["rollingUpdate"]["maxSurge"], 0)
            entries["max_unavailable"] = _amount(node["rollingUpdate"]["maxUnavailable"], 1)
        return entries
    return {}


def _type_of(node: Node) -> Entry:
    written = text_of(node["type"])
    return Entry(written, node["type"].location) if written else Entry("RollingUpdate")


def _amount(node: Node, default: int | str) -> Entry:
    number = node.integer()
    if number is not None:
        return Entry(number, node.location)
    text = text_of(node)
    return Entry(text, node.location) if text else Entry(default)
