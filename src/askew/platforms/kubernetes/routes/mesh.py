"""Istio: VirtualService and DestinationRule.

Source: https://istio.io/latest/docs/reference/config/networking/virtual-service/ and destination-rule/
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.evidence.document import Node
from askew.knowledge.platform_defaults import default_of
from askew.platforms.kubernetes.objects import Objects
from askew.platforms.kubernetes.observe import observed, text_of
from askew.platforms.kubernetes.routes.hops import IDLE, QUEUE, TOTAL, Destinations, Hop, words
from askew.resolve.observation import Observation, Unknown

GROUP = "networking.istio.io"
BESIDE = ("DestinationRule ",)
"""How the names of hops begin that every request to the host passes, whatever rule it met."""
_LIMITS = (
    (("http", "http1MaxPendingRequests"), "max_pending"),
    (("http", "http2MaxRequests"), "max_requests"),
    (("http", "maxRequestsPerConnection"), "max_requests_per_connection"),
    (("tcp", "maxConnections"), "max_connections"),
)


def gateways(objects: Objects, to: Destinations) -> Iterator[Observation]:
    """What those VirtualServices say that only gateways read: each is a way into the cluster."""
    yield from _virtual(objects, to, True)


def _virtual(objects: Objects, to: Destinations, outside: bool) -> Iterator[Observation]:
    for one in objects.of(GROUP, "VirtualService"):
        # Without gateways, or with the reserved name mesh, the sidecars follow it.
        gates = [text_of(each) for each in one.node["spec"]["gateways"].each()]
        if outside == (not gates or "mesh" in gates):
            continue
        rules = [
            rule
            for rule in one.node["spec"]["http"].each()
            if any(to.host(one, text_of(leg["destination"]["host"])) for leg in rule["route"].each())
        ]
        for number, rule in enumerate(rules):
            part = f" http {number + 1}" if len(rules) > 1 else ""
            yield from _rule(rule, Hop(one, "istio-gateway" if outside else "", part=part))


def meshes(objects: Objects, to: Destinations) -> Iterator[Observation]:
    """What the mesh says about requests to the workload, wherever in the cluster they come from."""
    yield from _virtual(objects, to, False)
    for one in objects.of(GROUP, "DestinationRule"):
        if to.host(one, text_of(one.node["spec"]["host"])):
            pool = one.node["spec"]["trafficPolicy"]["connectionPool"]
            hop = Hop(one)
            if pool["http"]["idleTimeout"]:
                yield hop.duration(IDLE, pool["http"]["idleTimeout"])
            else:
                yield hop.default(IDLE, "istio", "DestinationRule.http.idleTimeout")
            for path, key in _LIMITS:
                node = pool.get(*path)
                if node:
                    number_of = node.integer()
                    value = Unknown("not a whole number", text=text_of(node)) if number_of is None else number_of
                    yield observed(QUEUE, value, node.location, key=key, hop=hop.name)


def _rule(rule: Node, hop: Hop) -> Iterator[Observation]:
    if rule["timeout"]:
        yield hop.duration(TOTAL, rule["timeout"])
    else:
        yield hop.default(TOTAL, "istio", "VirtualService.http.timeout")
    again = rule["retries"]
    if again["attempts"]:
        number = again["attempts"].integer()
        tries = Unknown("not a whole number", text=text_of(again["attempts"])) if number is None else number + 1
        on = again["retryOn"]
        places = [node.location for node in (again["attempts"], on, again["perTryTimeout"]) if node]
        yield hop.retries(tries, words(text_of(on)) if on else None, text_of(again["perTryTimeout"]), *places)
    elif not again.exists:
        row = default_of("istio", "VirtualService.http.retries")
        if isinstance(row.value, dict) and isinstance(row.value["retries"], int):
            # Releases before 1.27 document status 503 among the conditions; the number of attempts never differed.
            yield hop.retries(row.value["retries"] + 1, words(str(row.value["on"])), "", row.citation, default=True)
