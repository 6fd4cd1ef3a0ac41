"""Probes: what is asked, how often, and after how many seconds Kubernetes gives up."""

from __future__ import annotations

from collections.abc import Mapping

from askew.evidence.document import Node
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.platforms.kubernetes.citations import CORE_DEFAULTS
from askew.platforms.kubernetes.draft import Layers, pick
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, text_of, whole_of
from askew.resolve.observation import Observation, Unknown

_FIELDS = (("startup", "startupProbe"), ("readiness", "readinessProbe"), ("liveness", "livenessProbe"))

# Field, name in the fact, default. Zero counts as absent for all but the delay (SetDefaults_Probe).
_TIMINGS = (
    ("initialDelaySeconds", "initial_delay", 0),
    ("periodSeconds", "period", 10),
    ("timeoutSeconds", "timeout", 1),
    ("successThreshold", "success_threshold", 1),
    ("failureThreshold", "failure_threshold", 3),
)


def probes(layers: Layers, ports: Mapping[str, int], rewritten: Mapping[str, Mapping[str, Value]]) -> list[Observation]:
    """The three probes of one container. ``ports`` are its named ports; ``rewritten`` are the original probes by the
    path under which a service mesh now answers for them."""
    found: list[Observation] = []
    for name, field in _FIELDS:
        fact = f"orchestration.probe.{name}"
        node = pick(layers, field)
        if not isinstance(node.value, dict) or not node.value:
            if node:
                found.append(observed(fact, Unknown(f"{field} is no mapping"), node.location))
            else:
                found.append(observed(fact, None, CORE_DEFAULTS, origin="platform-default"))
            continue
        found.extend(observed_map(fact, _entries(node, ports, rewritten), node.location))
    return found


def _entries(node: Node, ports: Mapping[str, int], rewritten: Mapping[str, Mapping[str, Value]]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    http, tcp, grpc, run = node["httpGet"], node["tcpSocket"], node["grpc"], node["exec"]
    original = rewritten.get(text_of(http["path"])) if rewritten else None
    if original is not None:
        entries.update({key: Entry(value, http.location) for key, value in original.items()})
    elif http.exists:
        entries["type"] = Entry("http", http.location)
        path, scheme = http["path"], http["scheme"]
        entries["path"] = Entry(text_of(path) or "/", path.location if path else None, CORE_DEFAULTS)
        entries["scheme"] = Entry(text_of(scheme) or "HTTP", scheme.location if scheme else None, CORE_DEFAULTS)
        entries["port"] = _port(http["port"], ports)
    elif tcp.exists:
        entries["type"] = Entry("tcp", tcp.location)
        entries["port"] = _port(tcp["port"], ports)
    elif grpc.exists:
        entries["type"] = Entry("grpc", grpc.location)
        if text_of(grpc["service"]):
            entries["service"] = Entry(text_of(grpc["service"]), grpc["service"].location)
        entries["port"] = _port(grpc["port"], ports)
    elif run.exists:
        entries["type"] = Entry("exec", run.location)
        words = [text_of(word) for word in run["command"].each()]
        entries["command"] = Entry(" ".join(words), run["command"].location)
    timings: dict[str, int] = {}
    places: dict[str, Location | None] = {}
    for field, name, default in _TIMINGS:
        value, place = whole_of(node[field], default)
        if value == 0 and default:
            value, place = default, None
        if name == "timeout" and original is not None and isinstance(original.get("timeout"), int):
            continue
        timings[name], places[name] = value, place
        entries[name] = Entry(value, place, CORE_DEFAULTS)
    entries["budget"] = Entry(
        timings["initial_delay"] + timings["period"] * timings["failure_threshold"],
        places["failure_threshold"] or places["period"] or places["initial_delay"],
        CORE_DEFAULTS,
        "initial_delay + period × failure_threshold",
    )
    return entries


def _port(node: Node, ports: Mapping[str, int]) -> Entry:
    number = node.integer()
    if number is not None:
        return Entry(number, node.location)
    name = text_of(node)
    if name in ports:
        return Entry(ports[name], node.location)
    if not name:
        return Entry(Unknown("the probe names no port"), node.location)
    return Entry(Unknown(f"no port of this container is called {name}", text=name), node.location)


def istio_originals(layers: Layers) -> dict[str, dict[str, Value]]:
    """The probes that Istio moved to its sidecar, as they were, by the path it answers on (ISTIO_KUBE_APP_PROBERS).

    Source: pkg/kube/inject/app_probe.go and pilot/cmd/pilot-agent/status/server.go of istio/istio.
    """
    found: dict[str, dict[str, Value]] = {}
    for layer in layers:
        for section in ("containers", "initContainers"):
            for container in layer[section].each():
                if container["name"].value != "istio-proxy":
                    continue
                for variable in container["env"].each():
                    if variable["name"].value == "ISTIO_KUBE_APP_PROBERS":
                        found.update(_istio(text_of(variable["value"])))
    return found


def _istio(text: str) -> dict[str, dict[str, Value]]:
    import msgspec

    try:
        probers = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return {}
    found: dict[str, dict[str, Value]] = {}
    for path, prober in probers.items() if isinstance(probers, dict) else ():
        if not isinstance(prober, dict):
            continue
        entry: dict[str, Value] = {}
        http, tcp, grpc = prober.get("httpGet"), prober.get("tcpSocket"), prober.get("grpc")
        if isinstance(http, dict):
            scheme = str(http.get("scheme") or "HTTP")
            entry |= {"type": "http", "path": str(http.get("path") or "/"), "scheme": scheme, "port": http.get("port")}
        elif isinstance(tcp, dict):
            entry |= {"type": "tcp", "port": tcp.get("port")}
        elif isinstance(grpc, dict):
            entry |= {"type": "grpc", "port": grpc.get("port")}
            if grpc.get("service"):
                entry["service"] = str(grpc["service"])
        else:
            continue
        timeout = prober.get("timeoutSeconds")
        if isinstance(timeout, int) and timeout:
            entry["timeout"] = timeout
        found[str(path)] = entry
    return found
