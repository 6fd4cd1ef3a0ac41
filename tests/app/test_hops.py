"""Proxies among the workloads of a source are hops of the engines behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from askew.app.hops import passed_on
from askew.app.load import load
from askew.evidence.redaction import Redactor
from askew.platforms.kubernetes.selectors import selects
from askew.resolve.workload import Resolved

ENGINE = """
apiVersion: v1
kind: Service
metadata: {name: vllm, namespace: prod}
spec: {selector: {app: vllm}, ports: [{port: 8000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: vllm, namespace: prod}
spec:
  selector: {matchLabels: {app: vllm}}
  template:
    metadata: {labels: {app: vllm}}
    spec:
      containers:
      - {name: vllm, image: "vllm/vllm-openai:v0.8.5", args: ["--model", "org/model"]}
"""
LITELLM = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: litellm, namespace: prod}
data:
  config.yaml: |
    model_list:
      - model_name: llama
        litellm_params:
          model: hosted_vllm/org/model
          api_base: http://vllm:8000/v1
    litellm_settings:
      request_timeout: 45
    router_settings:
      num_retries: 4
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: litellm, namespace: prod}
spec:
  selector: {matchLabels: {app: litellm}}
  template:
    metadata: {labels: {app: litellm}}
    spec:
      containers:
      - name: litellm
        image: ghcr.io/berriai/litellm:main-v1.75.9-stable
        args: ["--config", "/app/config.yaml"]
        volumeMounts: [{name: c, mountPath: /app}]
      volumes: [{name: c, configMap: {name: litellm}}]
---
apiVersion: v1
kind: Service
metadata: {name: litellm, namespace: prod}
spec: {selector: {app: litellm}, ports: [{port: 80, targetPort: 4000}]}
"""
INGRESS = """
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: llm, namespace: prod, annotations: {nginx.ingress.kubernetes.io/proxy-read-timeout: "90"}}
spec:
  ingressClassName: nginx
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: %s, port: {number: 80}}}}]}}]
"""
ROUTER = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: router, namespace: prod}
spec:
  selector: {matchLabels: {app: router}}
  template:
    metadata: {labels: {app: router}}
    spec:
      containers:
      - name: router
        image: lmcache/lmstack-router:v0.1.12
        args: [--service-discovery, k8s, --k8s-namespace, prod, --k8s-label-selector, "app in (vllm, other)",
               --routing-logic, session, --session-key, x-user, --max-instance-failover-reroute-attempts, "1"]
---
apiVersion: v1
kind: Service
metadata: {name: router, namespace: prod}
spec: {selector: {app: router}, ports: [{port: 80}]}
"""


def facts(tmp_path: Path, text: str, name: str = "vllm") -> dict[str, Resolved]:
    path = tmp_path / "all.yaml"
    path.write_text(text, encoding="utf-8")
    side = load(str(path), "target", Redactor())
    assert not side.errors
    return dict(next(one.facts for one in side.snapshots if one.workload.name == name))


def hops(found: Resolved) -> dict[str, object]:
    return {hop.name: hop.value for hop in found.hops}


def test_what_litellm_allows_holds_for_the_engine_behind_it(tmp_path: Path) -> None:
    found = facts(tmp_path, ENGINE + LITELLM)
    total = found["serving.request_timeout"]
    assert (total.value, total.origin) == (45, "config-file")
    assert hops(total) == {"Deployment litellm (litellm)": 45}
    written = (ENGINE + LITELLM).splitlines()[total.locations[0].line - 1]
    assert written.strip() == "request_timeout: 45"
    assert found["serving.retries"].value == {"litellm": {"attempts": 5}, "product": 5}


def test_nothing_is_said_of_an_engine_that_no_proxy_names(tmp_path: Path) -> None:
    other = LITELLM.replace("http://vllm:8000/v1", "http://elsewhere:8000/v1")
    assert "serving.request_timeout" not in facts(tmp_path, ENGINE + other)
    assert "serving.request_timeout" not in facts(tmp_path, ENGINE)


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("http://vllm.prod:8000", True),
        ("http://vllm.prod.svc.cluster.local:8000/v1", True),
        ("http://vllm.staging.svc:8000", False),
        ("http://vllm.example.com", False),
    ],
)
def test_which_addresses_mean_a_service(tmp_path: Path, address: str, meant: bool) -> None:
    text = ENGINE + LITELLM.replace("http://vllm:8000/v1", address)
    assert ("serving.request_timeout" in facts(tmp_path, text)) == meant


def test_the_routes_to_a_proxy_lead_to_the_engine(tmp_path: Path) -> None:
    found = facts(tmp_path, ENGINE + LITELLM + INGRESS % "litellm")
    silence = found["serving.read_timeout"]
    assert (silence.value, silence.confidence) == (90, "certain")
    assert hops(silence) == {"Ingress prod/llm (ingress-nginx)": 90}
    retries = found["serving.retries"].value
    assert isinstance(retries, dict)
    assert retries["product"] == 15
    assert {"litellm", "ingress-nginx"} <= retries.keys()


def test_of_two_ways_neither_is_certain(tmp_path: Path) -> None:
    found = facts(tmp_path, ENGINE + LITELLM + INGRESS % "vllm")
    assert found["serving.read_timeout"].confidence == "likely"
    assert found["serving.request_timeout"].confidence == "likely"
    assert "other ways" in " ".join(found["serving.request_timeout"].because)


def test_a_router_finds_pods_by_their_labels(tmp_path: Path) -> None:
    found = facts(tmp_path, ENGINE + ROUTER)
    assert hops(found["serving.request_timeout"]) == {"Deployment router (production-stack-router)": "unlimited"}
    assert found["serving.load_balancing"].value == "consistent_hash"
    assert found["serving.session_affinity"].value is True
    assert found["serving.retries"].value == {"production-stack-router": {"attempts": 2}, "product": 2}


def test_a_proxy_before_a_proxy(tmp_path: Path) -> None:
    before = LITELLM.replace("http://vllm:8000/v1", "http://router/v1")
    found = facts(tmp_path, ENGINE + before + ROUTER)
    assert found["serving.request_timeout"].value == 45
    assert set(hops(found["serving.request_timeout"])) == {
        "Deployment litellm (litellm)",
        "Deployment router (production-stack-router)",
    }
    retries = found["serving.retries"].value
    assert isinstance(retries, dict)
    assert retries["product"] == 10


def test_proxies_in_a_circle_end(tmp_path: Path) -> None:
    first = LITELLM.replace("http://vllm:8000/v1", "http://other:80/v1")
    second = LITELLM.replace("litellm", "other").replace("berriai/other", "berriai/litellm")
    second = second.replace("other_params", "litellm_params").replace("other_settings", "litellm_settings")
    second = second.replace("http://vllm:8000/v1", "http://litellm:80/v1")
    found = facts(tmp_path, ENGINE + first + second, "litellm")
    assert found["serving.request_timeout"].value == 45


def test_compose_services_are_named_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  vllm: {image: 'vllm/vllm-openai:v0.8.5', command: --model org/model}\n"
        "  litellm:\n"
        "    image: ghcr.io/berriai/litellm:main-v1.75.9\n"
        "    command: --config /app/config.yaml\n"
        "    configs: [{source: c, target: /app/config.yaml}]\n"
        "configs:\n"
        "  c:\n"
        "    content: |\n"
        "      model_list:\n"
        "      - model_name: m\n"
        "        litellm_params: {model: openai/m, api_base: 'http://vllm:8000/v1', timeout: 20}\n",
        encoding="utf-8",
    )
    side = load(str(tmp_path / "compose.yaml"), "target", Redactor())
    found = next(one.facts for one in side.snapshots if one.workload.name == "vllm")
    assert hops(found["serving.request_timeout"]) == {"Service litellm (litellm)": 20}


def test_one_workload_alone_is_left_as_it_is() -> None:
    assert passed_on(()) == ()


@pytest.mark.parametrize(
    ("selector", "meets"),
    [
        ("app=llm", True),
        ("app==llm,tier=a", True),
        ("app in (x, llm)", True),
        ("app notin (x)", True),
        ("app!=llm", False),
        ("tier", True),
        ("!tier", False),
        ("!gone,app=llm", True),
        ("app=llm,gone", False),
        ("", False),
        ("app=(", False),
        ("a b c", False),
    ],
)
def test_label_selectors(selector: str, meets: bool) -> None:
    assert selects(selector, {"app": "llm", "tier": "a"}) == meets
