"""What nobody could see because the cluster refused it: unknown, with the right that is missing, and never silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from askew.platforms.kubernetes.draft import Draft, Join
from askew.platforms.kubernetes.objects import Objects
from askew.platforms.kubernetes.observe import observed
from askew.resolve.observation import Observation, Unknown

# Kind of object, as RBAC names it → the facts that need it. What else tells one of them decides over this.
_FACTS: Mapping[str, tuple[str, ...]] = {
    "pods": ("orchestration.rollout", "orchestration.restarts", "orchestration.last_termination"),
    "horizontalpodautoscalers.autoscaling": ("orchestration.autoscaler.status",),
    "poddisruptionbudgets.policy": ("orchestration.disruption",),
}
_OF_NODES = ("hardware.gpu.model", "hardware.driver.version", "hardware.cuda.version")
# What each may put between a client and the workload; which timeouts it would have is not known.
_HOPS = (
    *("ingresses.networking.k8s.io", "httproutes.gateway.networking.k8s.io", "routes.route.openshift.io"),
    *("virtualservices.networking.istio.io", "ingressroutes.traefik.io"),
)
_TIMEOUTS = ("serving.request_timeout", "serving.read_timeout")


def refusals(draft: Draft, objects: Objects) -> Sequence[Observation]:
    """The facts of the workload that what was refused would have told."""
    return tuple(_refusals(draft, objects))


def _refusals(draft: Draft, objects: Objects) -> Iterator[Observation]:
    one = draft.object
    for title, facts in _FACTS.items():
        if reason := objects.refusal(title, one.namespace):
            for fact in facts:
                yield _unseen(fact, reason, draft)
    if (reason := objects.refusal("nodes")) and _asks_for_devices(draft):
        for fact in _OF_NODES:
            yield _unseen(fact, reason, draft)
    for title in _HOPS:
        if reason := objects.refusal(title, one.namespace):
            for fact in _TIMEOUTS:
                yield _unseen(fact, reason, draft, title)


def _unseen(fact: str, reason: str, draft: Draft, hop: str = "") -> Observation:
    value = Unknown(reason, missing=True)
    return observed(fact, value, draft.object.location, origin="platform-default", basis="seen", hop=hop)


def _asks_for_devices(draft: Draft) -> bool:
    from askew.platforms.kubernetes.accelerators import devices
    from askew.platforms.kubernetes.pods import containers_by_name

    pods = (draft.pod, *(group.pod for group in draft.groups))
    return any(devices(layers, pod).number != 0 for pod in pods for layers in containers_by_name(pod).values())


JOINS: tuple[Join, ...] = (refusals,)
