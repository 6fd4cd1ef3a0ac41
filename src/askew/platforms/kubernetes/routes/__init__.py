"""The hops between client and workload: what each lets through, for how long, and how often it tries again.

A workload to which no route of the sources leads gets no observation: that none is written does not say there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from askew.platforms.kubernetes.draft import Draft, Join
from askew.platforms.kubernetes.objects import Objects
from askew.platforms.kubernetes.observe import observed
from askew.platforms.kubernetes.routes import gateway, ingress, mesh, traefik
from askew.platforms.kubernetes.routes.hops import BUFFERING, RETRIES, Destinations
from askew.platforms.kubernetes.services import addresses_of
from askew.resolve.observation import Observation, Unknown


def routes(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """Timeouts, retries, limits and buffering of every hop that leads to the workload, and the product of retries.

    A request takes one of the ways into the cluster, and then one rule of the mesh.
    """
    to = Destinations(addresses_of(draft, objects))
    ways = list(gateway.gateways(draft, objects, to))
    inside: list[Observation] = []
    if to.addresses:
        ways.extend(ingress.ingresses(objects, to))
        ways.extend(traefik.routes(objects, to))
        ways.extend(mesh.gateways(objects, to))
        inside.extend(mesh.meshes(objects, to))
    ways, inside = _alternatives(ways), _alternatives(inside)
    found = sorted((*ways, *inside), key=_order)
    plain = [one for one in found if one.fact not in (BUFFERING, RETRIES)]
    return [
        *plain,
        *_buffering(one for one in found if one.fact == BUFFERING),
        *_retries(found),
        *_product(ways, inside),
    ]


def _order(one: Observation) -> tuple[object, ...]:
    return (one.fact, one.hop, one.key, one.locations)


def _alternatives(found: list[Observation]) -> list[Observation]:
    """Where several ways lead to the workload, what one of them limits is only likely to bind a request: it may take
    another. What all of them say alike stays certain."""
    hops = {one.hop for one in found if not one.hop.startswith((*gateway.BESIDE, *mesh.BESIDE))}
    if len(hops) < 2:
        return found
    said: dict[str, dict[str, str]] = {}
    for one in found:
        said.setdefault(one.fact, {})[one.hop] = repr(one.value)
    alike = {fact for fact, by in said.items() if hops <= by.keys() and len(set(by.values())) == 1}
    because = (f"{len(hops)} routes lead to the workload, and requests over another do not pass this one",)
    return [
        one
        if one.fact in alike or one.fact == RETRIES
        else msgspec.structs.replace(
            one,
            confidence="likely" if one.confidence == "certain" else one.confidence,
            because=(*one.because, *because),
        )
        for one in found
    ]


def _buffering(found: Iterable[Observation]) -> list[Observation]:
    """One hop that collects answers is enough; only when none does and all are known is there none."""
    ordered = sorted(found, key=lambda one: (one.value is not True, not isinstance(one.value, Unknown), one.origin))
    return ordered[:1]


def _retries(found: Iterable[Observation]) -> list[Observation]:
    """Each hop under a key of its own."""
    kept: list[Observation] = []
    seen: dict[str, str] = {}
    for one in found:
        if one.fact == RETRIES:
            other = seen.setdefault(one.key, one.hop) != one.hop
            kept.append(msgspec.structs.replace(one, key=one.hop if other else one.key))
    return kept


def _product(ways: Iterable[Observation], inside: Iterable[Observation]) -> list[Observation]:
    """How many attempts a request has over one way into the cluster and one rule of the mesh: over the worst of them,
    where there are several."""
    product = 1
    worst: list[Observation] = []
    several = False
    for level in (ways, inside):
        tried: list[tuple[int, Observation]] = []
        for one in sorted(level, key=_order):
            if one.fact != RETRIES:
                continue
            attempts = one.value.get("attempts") if isinstance(one.value, dict) else None
            if not isinstance(attempts, int):
                return []
            tried.append((max(attempts, 1), one))
        if not tried:
            return []
        most, which = max(tried, key=lambda pair: pair[0])
        product *= most
        worst.append(which)
        several = several or len(tried) > 1
    written = [one for one in worst if one.origin == "explicit"]
    if not written:
        return []
    places = tuple(dict.fromkeys(at for one in written for at in one.locations))
    because = (" × ".join(one.key for one in worst), *(("the most of several routes",) if several else ()))
    return [observed(RETRIES, product, *places, key="product", origin="derived", because=because)]


JOINS: tuple[Join, ...] = (routes,)
