from __future__ import annotations

import itertools
from typing import Any

import pytest

from askew.resolve.observation import Unknown
from tests.platforms.kubernetes.manifests import DEPLOYMENT, facts, one, reading

SERVICE = """
---
apiVersion: v1
kind: Service
metadata:
  name: llm
  namespace: prod
  annotations: {%s}
spec: {selector: {app: llm}, ports: [{name: http, port: 80, targetPort: http}]}
"""
INGRESS = """
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: llm, namespace: prod, annotations: {%s}}
spec:
  ingressClassName: %s
  rules: [{http: {paths: [{path: /, backend: {service: {name: %s, port: {number: 80}}}}]}}]
"""
VIRTUAL = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: llm, namespace: prod}
spec:
  hosts: [llm]
  http: [{route: [{destination: {host: %s}}], %s}]
"""
ROUTE = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: llm, namespace: prod}
spec:
  parentRefs: [{name: gate}]
  rules: [{backendRefs: [{name: llm, port: 80}]%s}]
"""


def said(text: str) -> dict[str, Any]:
    return {key: value for key, value in facts(one(text)).items() if key.startswith("serving.")}


def limits(text: str) -> set[object]:
    """What all hops say about the whole request."""
    return {o.value for o in one(text).observations if o.fact == "serving.request_timeout"}


def ingress(annotations: str = "", chosen: str = "nginx", to: str = "llm", service: str = "") -> dict[str, Any]:
    return said(DEPLOYMENT + SERVICE % service + INGRESS % (annotations, chosen, to))


@pytest.mark.parametrize(
    ("annotation", "fact", "before", "after"),
    [
        ('proxy-read-timeout: "3600"', "serving.read_timeout", 60, 3600),
        ('proxy-body-size: "8m"', "serving.max_body.bytes", 1 << 20, 8 << 20),
        ('proxy-body-size: "0"', "serving.max_body.bytes", 1 << 20, "unlimited"),
        ('proxy-buffering: "on"', "serving.buffering", False, True),
    ],
)
def test_an_annotation_of_ingress_nginx_replaces_its_default(annotation, fact, before, after):
    assert ingress()[fact] == before
    assert ingress(f"nginx.ingress.kubernetes.io/{annotation}")[fact] == after


def test_tries_of_ingress_nginx_count_the_first():
    key = "serving.retries/ingress-nginx"
    assert ingress()[key] == {"attempts": 3, "on": ["error", "timeout"]}
    assert ingress('nginx.ingress.kubernetes.io/proxy-next-upstream: "off"')[key]["attempts"] == 1


@pytest.mark.parametrize("text", ["60s", "soon", "", "{}"])
def test_a_malformed_timeout_is_unknown_or_counts_as_absent(text):
    value = ingress(f'nginx.ingress.kubernetes.io/proxy-read-timeout: "{text}"')["serving.read_timeout"]
    assert isinstance(value, Unknown)


def test_a_snippet_that_sets_the_timeout_makes_it_unknown():
    snippet = 'nginx.ingress.kubernetes.io/configuration-snippet: "proxy_read_timeout 5s;"'
    assert isinstance(ingress(snippet)["serving.read_timeout"], Unknown)


def test_other_controllers():
    alb = ingress('alb.ingress.kubernetes.io/load-balancer-attributes: "a=b,idle_timeout.timeout_seconds=400"', "alb")
    assert alb["serving.read_timeout"] == 400
    assert ingress(chosen="alb")["serving.read_timeout"] == 60  # AWS closes a connection without a byte after that
    assert ingress(chosen="gce")["serving.request_timeout"] == 30
    kong = ingress(chosen="kong", service='konghq.com/read-timeout: "90000", konghq.com/retries: "1"')
    assert kong["serving.read_timeout"] == 90
    assert kong["serving.retries/kong"]["attempts"] == 2


def test_haproxy_waits_50_seconds_for_an_engine_unless_the_service_or_the_ingress_says_otherwise():
    longer = 'haproxy.org/timeout-server: "5m"'
    only_named = ingress('haproxy.org/load-balance: "leastconn"', "haproxy")
    assert only_named["serving.read_timeout"] == 50
    assert only_named["serving.idle_timeout"] == 60
    assert ingress(longer, "haproxy")["serving.read_timeout"] == 300
    before = ingress(longer, "haproxy", service='haproxy.org/timeout-server: "90000"')
    assert before["serving.read_timeout"] == 90
    zero = ingress('haproxy.org/timeout-server: "0"', "haproxy")["serving.read_timeout"]
    assert isinstance(zero, Unknown) and zero.text == "0"


def test_the_annotations_tell_f5_from_ingress_nginx():
    assert ingress('nginx.org/proxy-read-timeout: "90s"')["serving.read_timeout"] == 90


def test_an_unknown_class_is_unknown():
    assert isinstance(ingress(chosen="ours")["serving.request_timeout"], Unknown)


def test_an_ingress_to_another_service_says_nothing():
    assert not {key for key in ingress(to="other") if "timeout" in key}


def test_a_backend_config_is_read_and_a_malformed_name_is_unknown():
    config = """
---
apiVersion: cloud.google.com/v1
kind: BackendConfig
metadata: {name: slow, namespace: prod}
spec: {timeoutSec: 900}
"""
    named = "cloud.google.com/backend-config: '%s'"
    text = DEPLOYMENT + SERVICE % (named % '{"default": "slow"}') + INGRESS % ("", "gce", "llm") + config
    assert said(text)["serving.request_timeout"] == 900
    broken = ingress(chosen="gce", service=named % "{nonsense")
    assert isinstance(broken["serving.request_timeout"], Unknown)


@pytest.mark.parametrize("host", ["llm", "llm.prod", "llm.prod.svc.cluster.local"])
def test_a_virtual_service(host):
    rule = "timeout: 90s, retries: {attempts: 2, perTryTimeout: 20s, retryOn: '5xx,reset'}"
    found = said(DEPLOYMENT + SERVICE % "" + VIRTUAL % (host, rule))
    assert found["serving.request_timeout"] == 90
    assert found["serving.retries/virtualservice"] == {"attempts": 3, "on": ["5xx", "reset"], "per_try_timeout": 20}


@pytest.mark.parametrize("host", ["llm.example.com", "llm.staging", "other"])
def test_a_virtual_service_for_another_host_says_nothing(host):
    assert "serving.request_timeout" not in said(DEPLOYMENT + SERVICE % "" + VIRTUAL % (host, "timeout: 90s"))


def test_a_mesh_without_timeout_is_unlimited():
    found = said(DEPLOYMENT + SERVICE % "" + VIRTUAL % ("llm", "match: []"))
    assert found["serving.request_timeout"] == "unlimited"


def test_the_product_of_the_attempts():
    text = DEPLOYMENT + SERVICE % "" + INGRESS % ("", "nginx", "llm") + VIRTUAL % ("llm", "retries: {attempts: 1}")
    assert said(text)["serving.retries/product"] == 6


def test_an_http_route():
    base = DEPLOYMENT + SERVICE % ""
    assert said(base + ROUTE % ", timeouts: {request: 10m}")["serving.request_timeout"] == 600
    assert said(base + ROUTE % ", timeouts: {request: 0s}")["serving.request_timeout"] == "unlimited"
    assert isinstance(said(base + ROUTE % "")["serving.request_timeout"], Unknown)


def test_a_policy_of_the_gateway():
    policy = """
---
apiVersion: networking.gke.io/v1
kind: GCPBackendPolicy
metadata: {name: llm, namespace: prod}
spec: {default: {timeoutSec: 300}, targetRef: {group: "", kind: Service, name: llm}}
"""
    assert said(DEPLOYMENT + SERVICE % "" + ROUTE % "" + policy)["serving.request_timeout"] == 300


def test_an_inference_pool_passes_requests_on():
    pool = """
---
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: llm, namespace: prod}
spec: {selector: {matchLabels: {app: llm}}, targetPorts: [{number: 8000}]}
"""
    route = (ROUTE % ", timeouts: {request: 40s}").replace("{name: llm, port: 80}", "{kind: InferencePool, name: llm}")
    assert said(DEPLOYMENT + pool + route)["serving.request_timeout"] == 40
    policy = """
---
apiVersion: networking.gke.io/v1
kind: GCPBackendPolicy
metadata: {name: llm, namespace: prod}
spec: {default: {timeoutSec: 30}, targetRef: {group: inference.networking.k8s.io, kind: InferencePool, name: llm}}
"""
    assert limits(DEPLOYMENT + pool + route + policy) == {30, 40}


def test_an_openshift_route():
    route = """
---
apiVersion: route.openshift.io/v1
kind: Route
metadata: {name: llm, namespace: prod, annotations: {%s}}
spec: {to: {kind: Service, name: llm}}
"""
    base = DEPLOYMENT + SERVICE % ""
    assert said(base + route % "")["serving.read_timeout"] == 30
    assert said(base + route % "haproxy.router.openshift.io/timeout: 5m")["serving.read_timeout"] == 300


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1500", 1.5), ("90s", 90), ("2d", 172800), ("0s", 30), ("soon", 30), ("1h30m", 30), ("s", 30)],
)
def test_a_route_counts_as_haproxy_does(text, seconds):
    route = """
---
apiVersion: route.openshift.io/v1
kind: Route
metadata: {name: llm, namespace: prod, annotations: {haproxy.router.openshift.io/timeout: "%s"}}
spec: {to: {kind: Service, name: llm}}
"""
    assert said(DEPLOYMENT + SERVICE % "" + route % text)["serving.read_timeout"] == seconds


def test_application_gateway_bounds_the_silence_between_events():
    found = ingress('appgw.ingress.kubernetes.io/request-timeout: "120"', "azure-application-gateway")
    assert found["serving.read_timeout"] == 120
    assert "serving.first_byte_timeout" not in found


@pytest.mark.parametrize(
    ("annotations", "fact", "value"),
    [
        ("response-timeout: infinity", "serving.request_timeout", "unlimited"),
        ("response-timeout: 90s", "serving.request_timeout", 90),
        ("response-timeout: 0s", "serving.request_timeout", "unlimited"),  # the default
        ('num-retries: "3"', "serving.retries/contour", None),  # nothing says on what
        ("retry-on: reset", "serving.retries/contour", {"attempts": 2, "on": ["reset"]}),
        (
            'retry-on: reset, projectcontour.io/num-retries: "3"',
            "serving.retries/contour",
            {"attempts": 4, "on": ["reset"]},
        ),
        (
            'retry-on: reset, projectcontour.io/num-retries: "-1"',
            "serving.retries/contour",
            {"attempts": 1, "on": ["reset"]},
        ),
    ],
)
def test_annotations_of_contour(annotations, fact, value):
    assert ingress(f"projectcontour.io/{annotations}", "contour").get(fact) == value


POLICY = """
---
apiVersion: %s
kind: %s
metadata: {name: p, namespace: prod}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: llm}], %s}
"""
ENVOY = ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy")
KGATEWAY = ("gateway.kgateway.dev/v1alpha1", "TrafficPolicy")


@pytest.mark.parametrize(
    ("kind", "retry", "value"),
    [
        (ENVOY, "{retryOn: {triggers: [reset]}}", {"attempts": 3, "on": ["reset"]}),
        (
            ENVOY,
            "{numRetries: 1, retryOn: {triggers: [reset], httpStatusCodes: [500]}}",
            {"attempts": 2, "on": ["reset"]},
        ),
        (KGATEWAY, "{retryOn: [5xx]}", {"attempts": 2, "on": ["5xx"]}),
        (
            KGATEWAY,
            "{attempts: 2, retryOn: [reset], statusCodes: [500], perTryTimeout: 9s}",
            {"attempts": 3, "on": ["500", "reset"], "per_try_timeout": 9},
        ),
    ],
)
def test_retries_of_a_policy(kind, retry, value):
    found = said(DEPLOYMENT + SERVICE % "" + ROUTE % "" + POLICY % (*kind, f"retry: {retry}"))
    assert found[f"serving.retries/{kind[1].lower()}"] == value


def test_a_route_beats_the_policy_of_envoy_gateway():
    base = (
        DEPLOYMENT + SERVICE % "" + POLICY % (*ENVOY, "timeout: {http: {requestTimeout: 20s}}, retry: {numRetries: 4}")
    )
    assert limits(base + ROUTE % "") == {20}
    text = base + ROUTE % ", timeouts: {request: 10m}, retry: {attempts: 1}"
    assert limits(text) == {600}
    assert {key for key in said(text) if "retries" in key} == {"serving.retries/httproute"}


def test_a_policy_of_the_route_beats_that_of_its_gateway():
    gate = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate, namespace: prod}
spec: {gatewayClassName: eg}
"""
    near = POLICY % (*ENVOY, "timeout: {http: {requestTimeout: 20m}}%s")
    wide = POLICY % (*ENVOY, "timeout: {http: {requestTimeout: 20s}}")
    wide = wide.replace("kind: HTTPRoute, name: llm", "kind: Gateway, name: gate").replace("name: p,", "name: w,")
    base = DEPLOYMENT + SERVICE % "" + ROUTE % "" + gate + wide
    assert limits(base) == {20}
    assert limits(base + near % "") == {1200}
    assert limits(base + near % ", mergeType: StrategicMerge") == {1200}
    merged = POLICY % (*ENVOY, "retry: {numRetries: 1}, mergeType: StrategicMerge")
    assert limits(base + merged) == {20}


SECOND = INGRESS.replace("name: llm, namespace", "name: other, namespace")


def test_of_two_ingresses_a_request_takes_one():
    long, short = (f'nginx.ingress.kubernetes.io/proxy-read-timeout: "{number}"' for number in (3600, 60))
    text = DEPLOYMENT + SERVICE % "" + INGRESS % (long, "nginx", "llm") + SECOND
    differ = [o for o in one(text % (short, "nginx", "llm")).observations if o.fact == "serving.read_timeout"]
    assert {o.confidence for o in differ} == {"likely"} and all("2 routes lead" in o.because[-1] for o in differ)
    alike = [o for o in one(text % (long, "nginx", "llm")).observations if o.fact == "serving.read_timeout"]
    assert {o.confidence for o in alike} == {"certain"}


def test_a_rule_and_the_connections_it_uses_are_no_alternatives():
    pool = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: llm, namespace: prod}
spec: {host: llm, trafficPolicy: {connectionPool: {http: {idleTimeout: 50s}}}}
"""
    found = one(DEPLOYMENT + SERVICE % "" + VIRTUAL % ("llm", "timeout: 90s") + pool).observations
    timeouts = {o.fact: o.confidence for o in found if o.fact.endswith("_timeout")}
    assert timeouts == {"serving.request_timeout": "certain", "serving.idle_timeout": "certain"}


def test_attempts_of_two_ingresses_do_not_multiply():
    tries = 'nginx.ingress.kubernetes.io/proxy-next-upstream-tries: "%d"'
    text = DEPLOYMENT + SERVICE % "" + INGRESS % (tries % 2, "nginx", "llm") + SECOND % (tries % 5, "nginx", "llm")
    assert "serving.retries/product" not in said(text)
    assert said(text + VIRTUAL % ("llm", "retries: {attempts: 1}"))["serving.retries/product"] == 10
    gated = VIRTUAL.replace("hosts: [llm]", "hosts: [llm]\n  gateways: [istio-system/public]")
    assert "serving.retries/product" not in said(text + gated % ("llm", "retries: {attempts: 1}"))


TRANSPORT = """
---
apiVersion: traefik.io/v1alpha1
kind: ServersTransport
metadata: {name: t, namespace: prod}
spec: {forwardingTimeouts: {%s}}
"""


@pytest.mark.parametrize(
    ("transport", "value"),
    [(TRANSPORT % "responseHeaderTimeout: 45s", 45), (TRANSPORT % "dialTimeout: 3s", "unlimited"), ("", None)],
)
def test_the_servers_transport_of_traefik(transport, value):
    by_field = """
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: llm, namespace: prod}
spec: {routes: [{match: x, services: [{name: llm, serversTransport: t}]}]}
"""
    by_annotation = SERVICE % "traefik.ingress.kubernetes.io/service.serverstransport: prod-t@kubernetescrd"
    by_annotation += INGRESS % ("", "traefik", "llm")
    for text in (SERVICE % "" + by_field, by_annotation):
        found = said(DEPLOYMENT + text + transport)["serving.first_byte_timeout"]
        assert isinstance(found, Unknown) if value is None else found == value


@pytest.mark.parametrize(
    ("more", "on"),
    [
        ("status: [500-504]", ["error"]),
        ("status: ['502'], retryNonIdempotentMethod: true", ["502", "error"]),
    ],
)
def test_traefik_repeats_a_post_by_its_status_only_where_asked(more, on):
    text = """
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: llm, namespace: prod}
spec: {routes: [{match: x, services: [{name: llm}], middlewares: [{name: m}]}]}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: m, namespace: prod}
spec: {retry: {attempts: 2, %s}, buffering: {maxRequestBodyBytes: lots}}
"""
    found = said(DEPLOYMENT + SERVICE % "" + text % more)
    assert found["serving.retries/traefik"] == {"attempts": 2, "on": on}
    assert isinstance(found["serving.max_body.bytes"], Unknown)


def test_traefik_with_a_middleware():
    text = """
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: llm, namespace: prod}
spec: {routes: [{match: x, services: [{name: llm}], middlewares: [{name: m}]}]}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: m, namespace: prod}
spec: {retry: {attempts: 4}, buffering: {maxRequestBodyBytes: 2000}}
"""
    found = said(DEPLOYMENT + SERVICE % "" + text)
    assert found["serving.retries/traefik"]["attempts"] == 4
    assert (found["serving.buffering"], found["serving.max_body.bytes"]) == (True, 2000)


def test_the_order_of_documents_does_not_matter():
    parts = [DEPLOYMENT, SERVICE % "", INGRESS % ("", "nginx", "llm"), VIRTUAL % ("llm", "timeout: 90s")]
    parts = [part.strip().removeprefix("---") for part in parts]
    seen = set()
    for order in itertools.permutations(parts):
        (workload,) = reading("\n---\n".join(order)).workloads
        rows = [(o.fact, o.key, o.hop, repr(o.value)) for o in workload.observations if o.fact.startswith("serving.")]
        seen.add(tuple(rows))
    assert len(seen) == 1 and len(seen.pop()) == 8


def test_a_workload_without_a_route_says_nothing():
    assert not {key for key in said(DEPLOYMENT + SERVICE % "") if "timeout" in key or "retries" in key}
