"""Gateway API routes, the policies of their implementations, and the inference extension's pools.

Sources: https://gateway-api.sigs.k8s.io/reference/spec/; https://gateway.envoyproxy.io/docs/api/extension_types/;
https://gateway.envoyproxy.io/latest/tasks/traffic/retry/;
https://github.com/kgateway-dev/kgateway/blob/main/api/v1alpha1/kgateway/traffic_policy_types.go;
https://cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources;
https://gateway-api-inference-extension.sigs.k8s.io/
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.evidence.document import Node
from askew.platforms.kubernetes.draft import Draft
from askew.platforms.kubernetes.objects import Object, Objects, may_share_namespace
from askew.platforms.kubernetes.observe import text_of
from askew.platforms.kubernetes.routes.hops import IDLE, RETRIES, SILENCE, TOTAL, Destinations, Hop, words
from askew.resolve.observation import Observation, Unknown

GROUP = "gateway.networking.k8s.io"
_POOLS = ("inference.networking.k8s.io", "inference.networking.x-k8s.io")
_ENVOY = "gateway.envoyproxy.io"
_GKE = "networking.gke.io"
# What each controller does with a route that states no timeout: (component, setting) of its default.
_CONTROLLERS = {"gateway.envoyproxy.io/gatewayclass-controller": ("envoy-gateway", "request timeout")}
_IMPLEMENTATIONS = {
    "istio.io/gateway-controller": "istio",
    "gateway.envoyproxy.io/gatewayclass-controller": "envoy-gateway",
}


def gateways(draft: Draft, objects: Objects, to: Destinations) -> Iterator[Observation]:
    """What every HTTPRoute or GRPCRoute to the workload, and the policies attached to it, say."""
    pools = _pools(draft, objects)
    for kind in ("HTTPRoute", "GRPCRoute"):
        for one in objects.of(GROUP, kind):
            rules = [rule for rule in one.node["spec"]["rules"].each() if _leads(one, rule, to, pools)]
            if not rules:
                continue
            holder, controller = _gateway(one, objects)
            name = _IMPLEMENTATIONS.get(controller, "")
            policies = _attached(one, holder, to, pools, objects)
            stated = any(_timeout_of(policy) for policy in policies)
            own = all(rule["timeouts"]["request"] for rule in rules), all(rule["retry"] for rule in rules)
            for number, rule in enumerate(rules):
                hop = Hop(one, name, part=f" rule {number + 1}" if len(rules) > 1 else "")
                yield from _rule(rule, hop, controller, stated)
            for policy in policies:
                for said in _policy(policy, Hop(policy)):
                    # Envoy Gateway lets what the route says beat what a policy says.
                    beaten = (said.fact == TOTAL and own[0]) or (said.fact == RETRIES and own[1])
                    if policy.group != _ENVOY or not beaten:
                        yield said


def _pools(draft: Draft, objects: Objects) -> list[Object]:
    """The InferencePools whose selector the pods meet: they pass requests through to them."""
    found = []
    for group in _POOLS:
        for pool in objects.beside(draft.object, group, "InferencePool"):
            selector = pool.node["spec"]["selector"]
            labels = (selector["matchLabels"] if selector["matchLabels"] else selector).string_map()
            if labels and all(draft.pod_labels.get(key) == value for key, value in labels.items()):
                found.append(pool)
    return found


def _leads(one: Object, rule: Node, to: Destinations, pools: list[Object]) -> bool:
    for reference in rule["backendRefs"].each():
        name, namespace = text_of(reference["name"]), text_of(reference["namespace"])
        kind = text_of(reference["kind"]) or "Service"
        if kind == "Service" and to.match(one, name, namespace):
            return True
        if kind == "InferencePool" and any(
            pool.name == name and (pool.namespace == namespace if namespace else may_share_namespace(one, pool))
            for pool in pools
        ):
            return True
    return False


def _gateway(one: Object, objects: Objects) -> tuple[Object | None, str]:
    """The Gateway of a route and the controller of its class, as far as the sources show them."""
    for reference in one.node["spec"]["parentRefs"].each():
        namespace = text_of(reference["namespace"])
        found = objects.get(
            GROUP,
            "Gateway",
            namespace or one.namespace,
            text_of(reference["name"]),
            declared=bool(namespace) or one.namespace_declared,
            source=one.source,
        )
        if found is None:
            continue
        chosen = text_of(found.node["spec"]["gatewayClassName"])
        for declared in objects.of(GROUP, "GatewayClass"):
            if declared.name == chosen:
                return found, text_of(declared.node["spec"]["controllerName"])
        # Istio makes a class of its own name in every cluster it runs in.
        return found, "istio.io/gateway-controller" if chosen == "istio" else ""
    return None, ""


def _rule(rule: Node, hop: Hop, controller: str, stated: bool) -> Iterator[Observation]:
    timeouts = rule["timeouts"]
    written = [timeouts[field] for field in ("request", "backendRequest") if timeouts[field]]
    if timeouts["request"]:
        yield hop.duration(TOTAL, timeouts["request"])
    elif written:
        yield hop.duration(TOTAL, written[0])
    elif controller in _CONTROLLERS and not stated:
        yield hop.default(TOTAL, *_CONTROLLERS[controller])
    elif controller == "istio.io/gateway-controller":
        yield hop.default(TOTAL, "istio", "VirtualService.http.timeout")
    elif not stated:
        reason = "the route states no timeout, and what its gateway does then depends on the implementation"
        yield hop.says(TOTAL, Unknown(reason, "kubectl get gateway,gatewayclass -A -o yaml"), hop.object.location)
    again = rule["retry"]
    if again["attempts"]:
        number = again["attempts"].integer()
        tries = Unknown("not a whole number", text=text_of(again["attempts"])) if number is None else number + 1
        codes = [text_of(code) for code in again["codes"].each()]
        yield hop.retries(tries, codes or None, text_of(timeouts["backendRequest"]), again.location)


_POLICIES = (
    (_ENVOY, "BackendTrafficPolicy"),
    (_ENVOY, "ClientTrafficPolicy"),
    (_GKE, "GCPBackendPolicy"),
    ("gateway.kgateway.dev", "BackendConfigPolicy"),
    ("gateway.kgateway.dev", "TrafficPolicy"),
)


BESIDE = tuple(f"{kind} " for _, kind in _POLICIES)
"""How the names of hops begin that are no routes of their own but change what a route does."""


def _attached(
    route: Object, gateway: Object | None, to: Destinations, pools: list[Object], objects: Objects
) -> list[Object]:
    """The policies whose target is the route, its gateway, or a Service or InferencePool of the workload."""
    found: list[Object] = []
    for group, kind in _POLICIES:
        nearer: list[Object] = []
        wider: list[Object] = []
        for policy in objects.of(group, kind):
            spec = policy.node["spec"]
            for target in (spec["targetRef"], *spec["targetRefs"].each()):
                name, aim = text_of(target["name"]), text_of(target["kind"])
                own = aim == route.kind and name == route.name and may_share_namespace(policy, route)
                gate = aim == "Gateway" and gateway is not None and name == gateway.name
                pool = aim == "InferencePool" and any(
                    name == each.name and may_share_namespace(policy, each) for each in pools
                )
                if own or gate or pool or (aim == "Service" and to.match(policy, name, text_of(target["namespace"]))):
                    (wider if gate and not own else nearer).append(policy)
                    break
        # Of BackendTrafficPolicies only the most specific takes effect, unless it merges; what it says wins even then.
        alone = kind == "BackendTrafficPolicy" and any(
            _timeout_of(each) or not each.node["spec"]["mergeType"] for each in nearer
        )
        found.extend(nearer if alone else (*nearer, *wider))
    return found


def _timeout_of(policy: Object) -> bool:
    spec = policy.node["spec"]
    return bool(
        spec["timeout"]["http"]["requestTimeout"] or spec["default"]["timeoutSec"] or spec["timeouts"]["request"]
    )


def _policy(policy: Object, hop: Hop) -> Iterator[Observation]:
    spec = policy.node["spec"]
    if policy.kind == "GCPBackendPolicy":
        node = spec["default"]["timeoutSec"]
        if node:
            yield hop.count_of(TOTAL, node)
        return
    http = spec["timeout"]["http"]
    for node, fact in (
        (http["requestTimeout"], TOTAL),
        (http["streamIdleTimeout"], SILENCE),
        (http["idleTimeout"] if policy.kind == "ClientTrafficPolicy" else http["connectionIdleTimeout"], IDLE),
        (spec["timeouts"]["request"], TOTAL),
        (spec["timeouts"]["streamIdle"], SILENCE),
        (spec["commonHttpProtocolOptions"]["idleTimeout"], IDLE),
    ):
        if node:
            yield hop.duration(fact, node)
    again = spec["retry"]
    if not again.is_mapping:
        return
    envoy = policy.group == _ENVOY
    tries = again["numRetries" if envoy else "attempts"]
    # What the API server writes where no number is: 2 for Envoy Gateway, 1 for kgateway.
    number = tries.integer() if tries else 2 if envoy else 1
    count = Unknown("not a whole number", text=text_of(tries)) if number is None else number + 1
    if envoy:
        on = [text_of(word) for word in again["retryOn"]["triggers"].each()]
        if "retriable-status-codes" in on:  # without it the codes have no effect
            on += [text_of(code) for code in again["retryOn"]["httpStatusCodes"].each()]
        per_try = text_of(again["perRetry"]["timeout"])
    else:
        on = [word for each in again["retryOn"].each() for word in words(text_of(each))]
        on += [text_of(code) for code in again["statusCodes"].each()]
        per_try = text_of(again["perTryTimeout"])
    yield hop.retries(count, on or None, per_try, again.location)
