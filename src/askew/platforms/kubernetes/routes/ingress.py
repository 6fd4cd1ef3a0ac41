"""Ingress, by whichever controller reads it, and OpenShift's Route.

Annotations: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/;
https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/;
https://cloud.google.com/kubernetes-engine/docs/how-to/ingress-configuration;
https://docs.konghq.com/kubernetes-ingress-controller/latest/reference/annotations/;
https://github.com/openshift/router/blob/master/images/router/haproxy/conf/haproxy-config.template;
https://github.com/projectcontour/contour/blob/main/internal/annotation/annotations.go;
https://github.com/haproxytech/kubernetes-ingress/blob/master/documentation/annotations.md;
https://learn.microsoft.com/azure/application-gateway/use-server-sent-events
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from askew.evidence.document import Node
from askew.facts.types import Value
from askew.knowledge.platform_defaults import default_of
from askew.platforms.kubernetes.objects import Object, Objects
from askew.platforms.kubernetes.observe import text_of
from askew.platforms.kubernetes.routes import traefik
from askew.platforms.kubernetes.routes.hops import (
    BODY,
    BUFFERING,
    IDLE,
    SILENCE,
    TOTAL,
    Destinations,
    Hop,
    annotation,
    is_zero,
    words,
)
from askew.platforms.kubernetes.services import Address
from askew.resolve.observation import Confidence, Observation, Unknown

_NGINX = "nginx.ingress.kubernetes.io/"
_F5 = "nginx.org/"
_CONTROLLERS: Mapping[str, str] = {
    "k8s.io/ingress-nginx": "ingress-nginx",
    "nginx.org/ingress-controller": "f5-nginx",
    "ingress.k8s.aws/alb": "alb",
    "traefik.io/ingress-controller": "traefik",
    "ingress-controllers.konghq.com/kong": "kong",
    "projectcontour.io/projectcontour": "contour",
    "azure/application-gateway": "agic",
    "haproxy.org/ingress-controller": "haproxy",
    "haproxy.org/ingress-controller/haproxy": "haproxy",
}
_CLASSES: Mapping[str, str] = {
    "alb": "alb",
    "gce": "gce",
    "gce-internal": "gce",
    "traefik": "traefik",
    "kong": "kong",
    "contour": "contour",
    "azure-application-gateway": "agic",
    "azure/application-gateway": "agic",
    "nginx": "ingress-nginx",
    "ingress-nginx": "ingress-nginx",
}
# Only that controller reads annotations that begin like this.
_PREFIXES: Mapping[str, str] = {
    _NGINX: "ingress-nginx",
    _F5: "f5-nginx",
    "alb.ingress.kubernetes.io/": "alb",
    "traefik.ingress.kubernetes.io/": "traefik",
    "konghq.com/": "kong",
    "projectcontour.io/": "contour",
    "appgw.ingress.kubernetes.io/": "agic",
    "haproxy.org/": "haproxy",
}


def ingresses(objects: Objects, to: Destinations) -> Iterator[Observation]:
    """What every Ingress and Route that leads to the workload says."""
    for group in ("networking.k8s.io", "extensions"):
        for one in objects.of(group, "Ingress"):
            backends = [found for name in _backends(one) if (found := to.match(one, name))]
            if backends:
                yield from _ingress(one, backends, objects)
    for one in objects.of("route.openshift.io", "Route"):
        spec = one.node["spec"]
        names = [text_of(spec["to"]["name"]), *(text_of(each["name"]) for each in spec["alternateBackends"].each())]
        if any(to.match(one, name) for name in names):
            hop = Hop(one, "openshift-router")
            timeout = annotation(one, "haproxy.router.openshift.io/timeout")
            yield _haproxy(timeout, hop, "openshift-router", "timeout server")


def _haproxy(node: Node, hop: Hop, component: str, setting: str) -> Observation:
    """``timeout server``: how long the engine may be silent. HAProxy counts a bare number in milliseconds; what is no
    duration, zero included, OpenShift's router passes over."""
    text = text_of(node)
    digits = text.rstrip("usmhd")
    if (
        not digits.isdecimal()
        or len(digits) > 12
        or digits[0] == "0"
        or text[len(digits) :] not in ("", "us", "ms", "s", "m", "h", "d")
    ):
        return hop.default(SILENCE, component, setting)
    unit = text[len(digits) :] or "ms"
    written = f"{24 * int(digits)}h" if unit == "d" else digits + unit
    return hop.says(SILENCE, written, node.location)


def _backends(one: Object) -> Iterator[str]:
    spec = one.node["spec"]
    for node in (spec["defaultBackend"], spec["backend"]):
        yield text_of(node["service"]["name"]) or text_of(node["serviceName"])
    for rule in spec["rules"].each():
        for path in rule["http"]["paths"].each():
            backend = path["backend"]
            yield text_of(backend["service"]["name"]) or text_of(backend["serviceName"])


def _implementation(one: Object, objects: Objects) -> tuple[str, Confidence, str]:
    """Who reads an Ingress, how sure that is, and the name of its class."""
    chosen = text_of(one.node["spec"]["ingressClassName"]) or text_of(annotation(one, "kubernetes.io/ingress.class"))
    if chosen:
        for declared in objects.of("networking.k8s.io", "IngressClass"):
            if declared.name == chosen:
                return _CONTROLLERS.get(text_of(declared.node["spec"]["controller"]), ""), "certain", chosen
    prefixes = sorted(
        {name for prefix, name in _PREFIXES.items() if any(key.startswith(prefix) for key in one.annotations)}
    )
    named = _CLASSES.get(chosen, "")
    if named and (named in prefixes or chosen != "nginx"):
        return named, "certain", chosen
    if len(prefixes) == 1:
        # F5's controller has the class nginx, too; the annotations tell.
        return prefixes[0], "certain" if chosen == "nginx" or not chosen else "likely", chosen
    return named, "likely", chosen


def _ingress(one: Object, backends: list[Address], objects: Objects) -> Iterator[Observation]:
    name, confidence, chosen = _implementation(one, objects)
    hop = Hop(one, name, confidence)
    if name == "ingress-nginx":
        yield from _nginx(one, hop)
    elif name == "f5-nginx":
        yield from _f5(one, hop)
    elif name == "alb":
        yield from _alb(one, hop)
    elif name == "gce":
        yield from _gce(hop, backends, objects)
    elif name == "kong":
        yield from _kong(hop, backends)
    elif name == "haproxy":
        # An annotation of the Service goes before one of the Ingress.
        holders = [address.service for address in backends if address.service is not None]
        nodes = (annotation(holder, "haproxy.org/timeout-server") for holder in holders)
        node = next((node for node in nodes if node), annotation(one, "haproxy.org/timeout-server"))
        if is_zero(text_of(node)):
            yield hop.says(SILENCE, Unknown("what HAProxy makes of zero is not known", text="0"), node.location)
        else:
            yield _haproxy(node, hop, "haproxy-ingress", "timeout-server")
        yield hop.default(IDLE, "haproxy-ingress", "timeout-http-keep-alive")
    elif name == "agic":
        timeout = annotation(one, "appgw.ingress.kubernetes.io/request-timeout")
        # It also ends a stream whose events are further apart than that.
        if timeout:
            yield hop.count_of(SILENCE, timeout)
        else:
            yield hop.default(SILENCE, "azure-agic", "appgw.ingress.kubernetes.io/request-timeout")
    elif name == "contour":
        yield from _contour(one, hop)
    elif name == "traefik":
        yield from traefik.ingress(one, hop, backends, objects)
    else:
        reason = f"which controller serves the ingress class {chosen} is not known" if chosen else "no ingress class"
        yield hop.says(TOTAL, Unknown(reason, observe_with="kubectl get ingressclass -o yaml"), one.location)


def _nginx(one: Object, hop: Hop) -> Iterator[Observation]:
    def of(name: str) -> Node:
        return annotation(one, _NGINX + name)

    timeout, body, buffering = of("proxy-read-timeout"), of("proxy-body-size"), of("proxy-buffering")
    component = "ingress-nginx"
    snippet = next((of(f"{where}-snippet") for where in ("configuration", "server") if of(f"{where}-snippet")), None)
    for node, fact, setting in ((timeout, SILENCE, "proxy-read-timeout"), (body, BODY, "proxy-body-size")):
        directive = setting.replace("-", "_") if fact == SILENCE else "client_max_body_size"
        if snippet is not None and directive in text_of(snippet):
            yield hop.says(fact, Unknown(f"an nginx snippet sets {directive}"), snippet.location)
        elif not node:
            yield hop.default(fact, component, setting)
        elif fact == BODY:
            yield _body(hop, node)
        else:
            yield hop.count_of(fact, node)
    yield hop.default(IDLE, component, "keep-alive")
    if snippet is not None and "proxy_buffering" in text_of(snippet):
        yield hop.says(BUFFERING, Unknown("an nginx snippet sets proxy_buffering"), snippet.location)
    elif buffering:
        yield hop.says(BUFFERING, _switch(buffering), buffering.location)
    else:
        yield hop.default(BUFFERING, component, "proxy-buffering")
    following, tries = of("proxy-next-upstream"), of("proxy-next-upstream-tries")
    places = [node.location for node in (following, tries) if node]
    conditions = words(text_of(following) or str(default_of(component, "proxy-next-upstream").value))
    count: Value | Unknown = default_of(component, "proxy-next-upstream-tries").value
    if "off" in conditions:
        count, conditions = 1, []
    elif tries:
        number = tries.integer()
        count = Unknown("the number of tries is no whole number", text=text_of(tries)) if number is None else number
        if number == 0:
            count = Unknown("tries have no limit but the number of pods", text="0")
    if places:
        yield hop.retries(count, conditions, "", *places)
    else:
        row = default_of(component, "proxy-next-upstream-tries")
        yield hop.retries(count, conditions, "", row.citation, default=True)


def _size(value: Value) -> Value:
    from askew.facts.values.quantity import nginx_size

    return nginx_size(value)


def _body(hop: Hop, node: Node) -> Observation:
    try:
        return hop.says(BODY, _size(text_of(node)), node.location)
    except ValueError as error:
        return hop.says(BODY, Unknown(str(error), text=text_of(node)), node.location)


def _switch(node: Node) -> Value | Unknown:
    text = text_of(node).strip().lower()
    if text in ("on", "true"):
        return True
    return False if text in ("off", "false") else Unknown("neither on nor off", text=text)


def _f5(one: Object, hop: Hop) -> Iterator[Observation]:
    component = "f5-nginx-ingress-controller"
    timeout, body = annotation(one, _F5 + "proxy-read-timeout"), annotation(one, _F5 + "client-max-body-size")
    buffering = annotation(one, _F5 + "proxy-buffering")
    if timeout:
        yield hop.duration(SILENCE, timeout, zero_unlimited=False)
    else:
        yield hop.default(SILENCE, component, "proxy-read-timeout")
    yield _body(hop, body) if body else hop.default(BODY, component, "client-max-body-size")
    if buffering:
        yield hop.says(BUFFERING, _switch(buffering), buffering.location)
    else:
        yield hop.default(BUFFERING, component, "proxy-buffering")


def _alb(one: Object, hop: Hop) -> Iterator[Observation]:
    """An idle connection of a load balancer is one without bytes, also while the engine works on a request."""
    node = annotation(one, "alb.ingress.kubernetes.io/load-balancer-attributes")
    for part in text_of(node).split(","):
        key, equals, value = part.strip().partition("=")
        if key == "idle_timeout.timeout_seconds" and equals:
            for fact in (SILENCE, IDLE):
                yield hop.says(fact, value.strip(), node.location)
            return
    if node and "idle_timeout" in text_of(node):
        yield hop.says(SILENCE, Unknown("the attributes cannot be read", text=text_of(node)), node.location)
        return
    for fact in (SILENCE, IDLE):
        yield hop.default(fact, "aws-alb", "idle_timeout.timeout_seconds")


def _gce(hop: Hop, backends: list[Address], objects: Objects) -> Iterator[Observation]:
    for address in backends:
        service = address.service
        holder = annotation(service, "cloud.google.com/backend-config") if service else None
        holder = holder or (annotation(service, "beta.cloud.google.com/backend-config") if service else None)
        if service is None:
            continue
        if not holder:
            yield hop.default(TOTAL, "gce", "backendService.timeoutSec")
            continue
        names = _config_names(text_of(holder))
        if names is None:
            yield hop.says(TOTAL, Unknown("the annotation is no JSON object", text=text_of(holder)), holder.location)
            continue
        for name in names:
            config = objects.near(service, "cloud.google.com", "BackendConfig", name)
            if config is None:
                reason = f"the BackendConfig {name} is not among the sources"
                yield hop.says(TOTAL, Unknown(reason, "kubectl -n $NS get backendconfig -o yaml"), holder.location)
            elif config.node["spec"]["timeoutSec"]:
                yield hop.count_of(TOTAL, config.node["spec"]["timeoutSec"])
            else:
                yield hop.default(TOTAL, "gce", "backendService.timeoutSec")


def _config_names(text: str) -> list[str] | None:
    """The names in ``{"default": "a", "ports": {"80": "b"}}``."""
    import msgspec

    try:
        value = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    ports = value.get("ports")
    found = [*(ports.values() if isinstance(ports, dict) else ()), value.get("default")]
    return sorted({name for name in found if isinstance(name, str) and name})


def _kong(hop: Hop, backends: list[Address]) -> Iterator[Observation]:
    for address in backends:
        if address.service is None:
            continue
        timeout, again = (annotation(address.service, f"konghq.com/{name}") for name in ("read-timeout", "retries"))
        if timeout:
            yield hop.count_of(SILENCE, timeout, 0.001)
        else:
            yield hop.default(SILENCE, "kong", "service.read_timeout")
        if again:
            number = again.integer()
            tries = Unknown("not a whole number", text=text_of(again)) if number is None else number + 1
            yield hop.retries(tries, ["error", "timeout"], "", again.location)
        else:
            row = default_of("kong", "service.retries")
            if isinstance(row.value, int):
                yield hop.retries(row.value + 1, ["error", "timeout"], "", row.citation, default=True)


def _contour(one: Object, hop: Hop) -> Iterator[Observation]:
    timeout = annotation(one, "projectcontour.io/response-timeout") or annotation(
        one, "projectcontour.io/request-timeout"
    )
    if text_of(timeout) in ("infinity", "infinite"):
        yield hop.says(TOTAL, "unlimited", timeout.location)
    elif timeout and not is_zero(text_of(timeout)):  # zero is the default
        yield hop.duration(TOTAL, timeout)
    else:
        yield hop.default(TOTAL, "contour", "request-timeout")
    yield hop.default(SILENCE, "contour", "stream-idle-timeout")
    yield hop.default(IDLE, "contour", "connection-idle-timeout")
    on = annotation(one, "projectcontour.io/retry-on")
    if text_of(on):  # without it Contour makes no retry policy, whatever the number
        again = annotation(one, "projectcontour.io/num-retries")
        number = again.integer() or 0
        # -1 is none; zero, anything below and what is no number are Envoy's default of one.
        tries = 1 if number == -1 else max(number, 1) + 1
        per_try = text_of(annotation(one, "projectcontour.io/per-try-timeout"))
        yield hop.retries(tries, words(text_of(on)), per_try, *(node.location for node in (again, on) if node))
