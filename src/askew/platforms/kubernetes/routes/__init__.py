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
    """Timeouts, retries, limits and buffering of every hop that leads to the workload, and the product of retries."""
    to = Destinations(addresses_of(draft, objects))
    found = list(gateway.gateways(draft, objects, to))
    if to.addresses:
        found.extend(ingress.ingresses(objects, to))
        found.extend(traefik.routes(objects, to))
        found.extend(mesh.meshes(objects, to))
    found.sort(key=lambda one: (one.fact, one.hop, one.key, one.locations))
    plain = [one for one in found if one.fact not in (BUFFERING, RETRIES)]
    return [*plain, *_buffering(one for one in found if one.fact == BUFFERING), *_retries(found)]


def _buffering(found: Iterable[Observation]) -> list[Observation]:
    """One hop that collects answers is enough; only when none does and all are known is there none."""
    ordered = sorted(found, key=lambda one: (one.value is not True, not isinstance(one.value, Unknown), one.origin))
    return ordered[:1]


def _retries(found: Iterable[Observation]) -> list[Observation]:
    """Each hop under a key of its own, and how many attempts all of them make together."""
    kept: list[Observation] = []
    seen: dict[str, str] = {}
    product, known, hops = 1, True, 0
    for one in found:
        if one.fact != RETRIES:
            continue
        key = one.key
        if seen.setdefault(key, one.hop) != one.hop:
            key = one.hop
        kept.append(msgspec.structs.replace(one, key=key))
        attempts = one.value.get("attempts") if isinstance(one.value, dict) else None
        hops += 1
        if isinstance(attempts, int):
            product *= max(attempts, 1)
        else:
            known = False
    if hops > 1 and known and any(one.origin == "explicit" for one in kept):
        places = tuple(dict.fromkeys(at for one in kept if one.origin == "explicit" for at in one.locations))
        because = (" × ".join(one.key for one in kept),)
        kept.append(observed(RETRIES, product, *places, key="product", origin="derived", because=because))
    return kept


JOINS: tuple[Join, ...] = (routes,)
