"""Proxies among the workloads of one side are hops of the engines behind them.

A LiteLLM proxy, a router or an nginx names the engines to which it passes requests on. Where one of these is a workload
of the same side, what the proxy allows, and what the routes to the proxy allow, holds for its requests too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from askew.app import registry
from askew.evidence.launch import Launch
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.workload import Container, Upstream, Workload

_RETRIES = "serving.retries"
_PRODUCT = "product"
_CARRIED = frozenset(
    (
        *("serving.request_timeout", "serving.read_timeout", "serving.idle_timeout", "serving.first_byte_timeout"),
        *("serving.max_body.bytes", "serving.buffering", "serving.max_concurrency", "serving.queue", _RETRIES),
    )
)
_FARTHEST = 5  # proxies one behind the other


class _Way(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy that leads to a workload: its place among the workloads, its kind, and the addresses that it names."""

    proxy: int
    container: Container
    kind: str
    upstreams: tuple[Upstream, ...]


def passed_on(workloads: Sequence[Workload]) -> tuple[Workload, ...]:
    """The same workloads; those behind a proxy among them with what a request meets on its way."""
    if not any(len(one.containers) > 1 for one in workloads) and len(workloads) < 2:
        return tuple(workloads)
    ways: dict[int, list[_Way]] = {}
    beside: dict[tuple[int, str], list[_Way]] = {}
    for index, one in enumerate(workloads):
        for container in one.containers:
            for process in container.processes or (container.launch,):
                kind, upstreams = _forwards(process)
                if not upstreams:
                    continue
                for target, name, found in _targets(index, container, upstreams, workloads):
                    way = _Way(proxy=index, container=container, kind=kind, upstreams=found)
                    if name:
                        beside.setdefault((target, name), []).append(way)
                    else:
                        ways.setdefault(target, []).append(way)
    if not ways and not beside:
        return tuple(workloads)
    return tuple(_with_hops(index, one, ways, beside, workloads) for index, one in enumerate(workloads))


def _forwards(process: Launch) -> tuple[str, tuple[Upstream, ...]]:
    """What kind of proxy a process is, and where it passes requests on to."""
    name = registry.recognise(process)
    if name is not None:
        if registry.recognition(name).forwards:
            return name, registry.engine(name).read(process).upstreams
        return "", ()
    image = process.image.text if process.image is not None else ""
    if any(word in text for word in ("nginx", "openresty") for text in (image, *(t.text for t in process.argv[:1]))):
        from askew.platforms.nginx import upstreams

        return "nginx", upstreams(process)
    return "", ()


def _targets(
    index: int, container: Container, upstreams: Sequence[Upstream], workloads: Sequence[Workload]
) -> Iterator[tuple[int, str, tuple[Upstream, ...]]]:
    """The workloads that the addresses mean; with a container's name where it is one beside the proxy's own."""
    proxy = workloads[index]
    for target, one in enumerate(workloads):
        found = tuple(up for up in upstreams if target != index and _means(up, proxy, one))
        if found:
            yield target, "", found
    for other in proxy.containers:
        local = tuple(up for up in upstreams if other is not container and _is_local(up, other, proxy))
        if local:
            yield index, other.name, local


def _means(up: Upstream, proxy: Workload, one: Workload) -> bool:
    """Whether an address that a proxy names means a workload of the same platform."""
    if one.kind == "EngineFile" or (proxy.namespace == "compose") != (one.namespace == "compose"):
        return False
    if up.selector:
        from askew.platforms.kubernetes.selectors import selects

        return one.namespace == (up.namespace or proxy.namespace) and selects(up.selector, one.labels)
    name, _, rest = up.host.partition(".")
    namespace, _, domain = rest.partition(".")
    if domain and domain != "svc" and not domain.startswith("svc."):
        return False
    if one.namespace == "compose":
        return not rest and one.name == name and one.source == proxy.source
    return one.namespace == (namespace or proxy.namespace) and name in _services(one)


def _services(one: Workload) -> set[str]:
    """The names of the Services that lead to a workload."""
    found: set[str] = set()
    for observation in one.observations:
        if observation.fact == "serving.service.ports" and isinstance(observation.value, list):
            found.update(str(port["service"]) for port in observation.value if isinstance(port, dict))
    return found


def _is_local(up: Upstream, other: Container, proxy: Workload) -> bool:
    """Whether an address means another container of the proxy's own pod: by its port, or because there is one other."""
    if up.host not in ("localhost", "127.0.0.1", "0.0.0.0", "[::1]") or proxy.namespace == "compose":
        return False
    ports = [
        port.get("port")
        for one in proxy.observations
        if one.fact == "serving.container.ports" and isinstance(one.value, list)
        for port in one.value
        if isinstance(port, dict) and port.get("container") == other.name
    ]
    return up.port in ports or (not ports and len(proxy.containers) == 2)


def _with_hops(
    index: int,
    one: Workload,
    ways: dict[int, list[_Way]],
    beside: dict[tuple[int, str], list[_Way]],
    workloads: Sequence[Workload],
) -> Workload:
    containers = tuple(
        msgspec.structs.replace(
            each, observations=(*each.observations, *_met(beside[index, each.name], (), workloads, ways, ()))
        )
        if (index, each.name) in beside
        else each
        for each in one.containers
    )
    observations = one.observations
    if index in ways:
        own = tuple(each for each in observations if each.hop)
        met = _met(ways[index], own, workloads, ways, (index,))
        several = {way.proxy for way in ways[index]}
        if own or len(several) > 1:
            because = "other ways lead to the workload, and requests over another do not pass this one"
            observations = tuple(_weaker(each, because) if each.hop else each for each in observations)
            met = tuple(_weaker(each, because) for each in met)
        if any(each.key == _PRODUCT for each in met):
            observations = tuple(each for each in observations if each.fact != _RETRIES or each.key != _PRODUCT)
        observations = (*observations, *met)
    return msgspec.structs.replace(one, observations=observations, containers=containers)


def _weaker(one: Observation, because: str) -> Observation:
    if one.fact == _RETRIES or one.confidence != "certain":
        return one
    return msgspec.structs.replace(one, confidence="likely", because=(*one.because, because))


def _met(
    ways: Sequence[_Way],
    own: Sequence[Observation],
    workloads: Sequence[Workload],
    all_ways: dict[int, list[_Way]],
    passed: tuple[int, ...],
) -> tuple[Observation, ...]:
    """What requests over these proxies meet before they arrive, the routes to the proxies included."""
    found: list[Observation] = []
    most, written = _attempts(own), any(one.fact == _RETRIES and one.origin == "explicit" for one in own)
    names: tuple[str, ...] = ()
    for way in ways:
        if way.proxy in passed or len(passed) >= _FARTHEST:
            continue
        proxy = workloads[way.proxy]
        before = [one for one in proxy.observations if one.hop and one.fact in _CARRIED and one.key != _PRODUCT]
        before.extend(
            one
            for one in _met(all_ways.get(way.proxy, ()), (), workloads, all_ways, (*passed, way.proxy))
            if one.key != _PRODUCT
        )
        here = list(_here(way, proxy))
        found.extend((*before, *here))
        # A request takes one of the ways through a proxy: of these the one that tries most.
        tries = _attempts(before) * max(_attempts([one for one in here if one.hop == hop]) for hop in _hops(here))
        if tries > most:
            most, names = tries, tuple(one.key for one in (*before, *here) if one.fact == _RETRIES)
        written = written or any(one.fact == _RETRIES and one.origin != "platform-default" for one in (*before, *here))
    if names and written and most > 1:
        places = tuple(dict.fromkeys(at for one in found if one.fact == _RETRIES for at in one.locations))
        found.append(
            Observation(
                fact=_RETRIES, value=most, key=_PRODUCT, origin="derived", locations=places,
                because=(" × ".join(names),),
            )
        )  # fmt: skip
    return tuple(one for index, one in enumerate(found) if one not in found[:index])


def _here(way: _Way, proxy: Workload) -> Iterator[Observation]:
    """What this proxy allows itself, under its name."""
    name = f"{proxy.kind} {proxy.name} ({way.kind})"
    alike = all(up.observations == way.upstreams[0].observations for up in way.upstreams)
    because = "requests over another path or model of this proxy do not meet it"
    for up in way.upstreams[:1] if alike else way.upstreams:
        part = "" if alike or not up.part else f" {up.part}"
        for one in up.observations:
            key = f"{one.key}{part}" if one.fact == _RETRIES else one.key
            here = msgspec.structs.replace(one, hop=name + part, key=key)
            yield here if alike else _weaker(here, because)


def _hops(found: Sequence[Observation]) -> list[str]:
    """The names of the hops among observations; one empty name where there is none."""
    return list(dict.fromkeys(one.hop for one in found)) or [""]


def _attempts(found: Sequence[Observation]) -> int:
    """The attempts that these hops make together."""
    product = 1
    for one in found:
        value: object = one.value
        if one.fact == _RETRIES and one.key != _PRODUCT and isinstance(value, dict):
            tries: Value = value.get("attempts")
            product *= max(tries, 1) if isinstance(tries, int) else 1
    return product
