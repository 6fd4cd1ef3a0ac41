"""Retries along the path multiply: one request becomes several full generations

## What it finds

Two or more hops that each send a request again after it may already have been worked on (timeout, 5xx, reset), so
that their attempts multiply to four or more. What a proxy does by default is not counted. Of several ways into the
cluster (two Ingresses, two HTTPRoutes) a request takes one: they do not multiply with each other.

## Why it matters

A generation costs seconds of GPU time and is not resumed but begun anew. Under overload the first answer is slow, each
hop gives up and tries again, and the engine can get a multiple of the load that made it slow, so that the overload
lasts. A generation whose hop gave up may run on.

## Example

```yaml
kind: VirtualService
spec:
  http:
    - retries: {attempts: 3, perTryTimeout: 20s, retryOn: "5xx,reset"}
# in front of it an Ingress with proxy-next-upstream: "error timeout http_502 non_idempotent", tries 3
```

## Remedy

Let one hop retry, and only what never reached the engine (`connect-failure,refused-stream`, `error` in nginx); leave
the rest to the client, with a budget and with back-off.

## When it is fine

For idempotent, cheap calls (embeddings of short texts), and with a retry budget that bounds the share of retries.
Retries of connections that were never made are not counted, nor nginx' `proxy_next_upstream` without `non_idempotent`:
nginx does not repeat a POST without it.

## References

- Retries of Envoy: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on
- Istio's VirtualService: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRetry
- nginx: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_next_upstream
- Overload by retries: https://sre.google/sre-book/addressing-cascading-failures/
- Retries that made a gateway's timeout worse: https://github.com/gpustack/gpustack/issues/4725
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places
from askew.facts.types import Value
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

# What a hop sees only after the engine may have worked on the request. A bare 503 also means "no such backend".
_WORKED_ON = frozenset(
    (
        "timeout",
        "5xx",
        "gateway-error",
        "reset",
        "500",
        "502",
        "504",
        "http_500",
        "http_502",
        "http_504",
    )
)
# nginx repeats a POST that it has sent only with non_idempotent; Kong is nginx with its defaults.
_BY_NGINX = frozenset(("ingress-nginx", "nginx", "kong"))
_MANY = 4


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding when the attempts of several hops multiply."""
    retries = subject.known("serving.retries")
    if not engine(subject) or retries is None:
        return
    costly = [
        (hop, attempts, entry)
        for hop, entry in retries.entries.items()
        if hop != "product" and entry.origin == "explicit" and (attempts := _generations(hop, entry.value)) > 1
    ]
    costly = _path(costly)
    product = 1
    for _, attempts, _ in costly:
        product *= attempts
    if len(costly) < 2 or product < _MANY:
        return
    shown = " × ".join(f"{hop} {attempts}" for hop, attempts, _ in costly)
    spots = places(subject, *(entry for _, _, entry in costly))
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"one request can become {product} generations: attempts multiply over {shown}",
        impact="Under overload each hop repeats what is already slow, which keeps the engine overloaded.",
        remedies=tuple(
            Remedy(
                action=f"let {hop} retry only what never reached the engine, or not at all",
                location=(entry.locations or spots)[0],
                verify="with an engine that answers after the timeout, one client request counts once in its metrics",
                undo=f"allow {attempts} attempts again",
                safe=False,
            )
            for hop, attempts, entry in costly[1:]
        ),
    )


def _path(hops: list[tuple[str, int, Resolved]]) -> list[tuple[str, int, Resolved]]:
    """The worst path: a request takes one of the ways into the cluster, and then one rule of the mesh."""
    levels: dict[bool, tuple[str, int, Resolved]] = {}
    for one in hops:
        mesh = one[0].lower().startswith("virtualservice") and "(istio-gateway)" not in one[0]
        if mesh not in levels or levels[mesh][1] < one[1]:
            levels[mesh] = one
    return [one for one in hops if one in levels.values()]


def _generations(hop: str, value: Value) -> int:
    """How often a hop can make the engine begin one request's generation, by the attempts that it states."""
    if not isinstance(value, dict):
        return 1
    attempts, conditions = value.get("attempts"), value.get("on")
    if not isinstance(attempts, int) or isinstance(attempts, bool) or not isinstance(conditions, list):
        return 1
    words = {str(word).lower() for word in conditions}
    if hop in _BY_NGINX and "non_idempotent" not in words:
        return 1
    return attempts if words & _WORKED_ON else 1


_MESH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  selector: {{matchLabels: {{app: llm}}}}
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      containers:
        - {{name: engine, image: "vllm/vllm-openai:v0.10.1", args: ["--model=/models/llama"]}}
---
apiVersion: v1
kind: Service
metadata: {{name: llm}}
spec: {{selector: {{app: llm}}, ports: [{{port: 80, targetPort: 8000}}]}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: llm}}
spec:
  hosts: [llm]
  http:
    - route: [{{destination: {{host: llm}}}}]
      retries: {{attempts: {attempts}, perTryTimeout: 20s, retryOn: "{on}"}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: llm
  annotations:
    nginx.ingress.kubernetes.io/proxy-next-upstream: "{next}"
    nginx.ingress.kubernetes.io/proxy-next-upstream-tries: "3"
spec:
  ingressClassName: nginx
  rules:
    - http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: llm, port: {{number: 80}}}}}}}}]}}
"""


_SECOND = """\
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: llm-internal
  annotations:
    nginx.ingress.kubernetes.io/proxy-next-upstream: "error timeout http_502 non_idempotent"
    nginx.ingress.kubernetes.io/proxy-next-upstream-tries: "3"
spec:
  ingressClassName: nginx
  rules:
    - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: llm, port: {number: 80}}}}]}
"""


def _case(name: str, attempts: int, on: str, following: str, line: int = 0) -> Case:
    return Case(name=name, source=_MESH.format(attempts=attempts, on=on, next=following), fires=bool(line), line=line)


_REPEATS = "error timeout http_502 non_idempotent"

CHECK = Check(
    id="retries-multiply",
    title="Retries along the path multiply: one request becomes several full generations",
    category="serving",
    severity="medium",
    confidence="likely",
    facts=("serving.retries",),
    run=run,
    playbook="serving-path",
    cases=(
        _case("a mesh behind nginx", 3, "5xx,reset", _REPEATS, line=31),
        _case("two tries each are four", 2, "gateway-error", _REPEATS, line=31),
        _case("only connections in the mesh", 3, "connect-failure,refused-stream", _REPEATS),
        _case("nginx does not repeat a POST", 3, "5xx,reset", "error timeout"),
        _case("one hop retries", 3, "5xx,reset", "off"),
        Case(
            name="two ways into the cluster, of which a request takes one",
            source=_MESH.format(attempts=0, on="5xx,reset", next=_REPEATS) + _SECOND,
            fires=False,
        ),
    ),
)
