"""Traefik: Ingress annotations, IngressRoute and its middlewares.

Source: https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/ingressroute/
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.evidence.document import Node
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import observed, text_of
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
from askew.resolve.observation import Observation, Unknown

GROUPS = ("traefik.io", "traefik.containo.us")


def ingress(one: Object, hop: Hop, objects: Objects) -> Iterator[Observation]:
    """An Ingress that Traefik reads: its middlewares are named ``<namespace>-<name>@kubernetescrd``."""
    yield from _defaults(hop)
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
    yield hop.default(FIRST_BYTE, "traefik", "forwardingTimeouts.responseHeaderTimeout")


def _middleware(one: Object, hop: Hop) -> Iterator[Observation]:
    spec = one.node["spec"]
    tries = spec["retry"]["attempts"]
    if tries:
        number = tries.integer()
        count = Unknown("not a whole number", text=text_of(tries)) if number is None else number
        yield hop.retries(count, ["error"], "", tries.location)
    buffering = spec["buffering"]
    if buffering.is_mapping:
        yield hop.says(BUFFERING, True, buffering.location, because=("the buffering middleware collects answers",))
        limit = buffering["maxRequestBodyBytes"]
        if limit:
            number = limit.integer()
            yield hop.says(BODY, number or "unlimited", limit.location)
    amount = spec["inFlightReq"]["amount"]
    if amount and amount.integer() is not None:
        yield observed(QUEUE, amount.integer(), amount.location, key="max_requests", hop=hop.name)
