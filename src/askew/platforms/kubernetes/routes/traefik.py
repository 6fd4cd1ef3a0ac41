"""Traefik: Ingress annotations, IngressRoute and its middlewares.

Sources: https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/ingressroute/;
https://github.com/traefik/traefik/tree/master/pkg/provider/kubernetes/crd/traefikio/v1alpha1
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.evidence.document import Node
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of, truth_of
from askew.platforms.kubernetes.routes.hops import (
    BODY,
    BUFFERING,
    FIRST_BYTE,
    IDLE,
    QUEUE,
    TOTAL,
    Destinations,
    Hop,
    annotation,
    words,
)
from askew.platforms.kubernetes.services import Address
from askew.resolve.observation import Observation, Unknown

GROUPS = ("traefik.io", "traefik.containo.us")
_HEADERS = "forwardingTimeouts.responseHeaderTimeout"


def ingress(one: Object, hop: Hop, backends: list[Address], objects: Objects) -> Iterator[Observation]:
    """An Ingress that Traefik reads: its middlewares are named ``<namespace>-<name>@kubernetescrd``."""
    yield from _defaults(hop)
    key = "traefik.ingress.kubernetes.io/service.serverstransport"
    named_transports = [annotation(each.service, key) for each in backends if each.service is not None]
    transport = next((node for node in named_transports if node), None)
    if transport is None:
        yield hop.default(FIRST_BYTE, "traefik", _HEADERS)
    else:
        found = [
            each
            for group in GROUPS
            for each in objects.of(group, "ServersTransport")
            if f"{each.namespace}-{each.name}@kubernetescrd" == text_of(transport)
        ]
        yield _transport(transport, found[0] if found else None, hop)
    named = annotation(one, "traefik.ingress.kubernetes.io/router.middlewares")
    references = {word.partition("@")[0] for word in words(text_of(named))}
    for group in GROUPS:
        for middleware in objects.of(group, "Middleware"):
            if f"{middleware.namespace}-{middleware.name}" in references:
                yield from _middleware(middleware, hop)


def routes(objects: Objects, to: Destinations) -> Iterator[Observation]:
    """The IngressRoutes that lead to the workload."""
    for group in GROUPS:
        for one in objects.of(group, "IngressRoute"):
            for route in one.node["spec"]["routes"].each():
                services = [each for each in route["services"].each() if text_of(each["kind"]) in ("", "Service")]
                if not any(to.match(one, text_of(s["name"]), text_of(s["namespace"])) for s in services):
                    continue
                hop = Hop(one, "traefik")
                yield from _defaults(hop)
                transport = next((s["serversTransport"] for s in services if s["serversTransport"]), None)
                if transport is None:
                    yield hop.default(FIRST_BYTE, "traefik", _HEADERS)
                else:
                    found = objects.near(one, group, "ServersTransport", text_of(transport))
                    yield _transport(transport, found, hop)
                for reference in route["middlewares"].each():
                    yield from _referred(one, reference, group, hop, objects)


def _referred(one: Object, reference: Node, group: str, hop: Hop, objects: Objects) -> Iterator[Observation]:
    namespace = text_of(reference["namespace"])
    found = objects.get(
        group,
        "Middleware",
        namespace or one.namespace,
        text_of(reference["name"]),
        declared=bool(namespace) or one.namespace_declared,
        source=one.source,
    )
    if found is not None:
        yield from _middleware(found, hop)


def _defaults(hop: Hop) -> Iterator[Observation]:
    yield hop.default(TOTAL, "traefik", "respondingTimeouts.writeTimeout")
    yield hop.default(IDLE, "traefik", "respondingTimeouts.idleTimeout")


def _transport(reference: Node, found: Object | None, hop: Hop) -> Observation:
    """The time to the head of the answer by the ServersTransport that the service names."""
    if found is None:
        reason = f"the ServersTransport {text_of(reference)} is not among the sources"
        return hop.says(FIRST_BYTE, Unknown(reason, "kubectl get serverstransport -A -o yaml"), reference.location)
    timeout = found.node["spec"]["forwardingTimeouts"]["responseHeaderTimeout"]
    return hop.duration(FIRST_BYTE, timeout) if timeout else hop.default(FIRST_BYTE, "traefik", _HEADERS)


def _middleware(one: Object, hop: Hop) -> Iterator[Observation]:
    spec = one.node["spec"]
    tries = spec["retry"]["attempts"]
    if tries:
        number = tries.integer()
        count = Unknown("not a whole number", text=text_of(tries)) if number is None else number
        # It sends again what did not reach the server; by the answer's status a POST only where that is asked for.
        on = [] if truth_of(spec["retry"]["disableRetryOnNetworkError"]) else ["error"]
        if truth_of(spec["retry"]["retryNonIdempotentMethod"]):
            on += [text_of(code) for code in spec["retry"]["status"].each()]
        yield hop.retries(count, on, "", tries.location)
    buffering = spec["buffering"]
    if buffering.is_mapping:
        yield hop.says(BUFFERING, True, buffering.location, because=("the buffering middleware collects answers",))
        limit = buffering["maxRequestBodyBytes"]
        if limit:
            number = limit.integer()
            size = Unknown("not a whole number", text=text_of(limit)) if number is None else number or "unlimited"
            yield hop.says(BODY, size, limit.location)
    amount = spec["inFlightReq"]["amount"]
    if amount and amount.integer() is not None:
        yield observed(QUEUE, amount.integer(), amount.location, key="max_requests", hop=hop.name)
