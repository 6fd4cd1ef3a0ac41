"""A hop collects the answer before passing it on, in front of an API that streams

## What it finds

A hop between client and engine that buffers responses (`proxy-buffering: "on"` of ingress-nginx, a buffering
middleware), in front of an engine whose API streams tokens.

## Why it matters

Server-sent events arrive in bursts, or all at once when the answer is complete. The time to the first token that users
see grows (from 22 to 287 ms in the report below), and measured token intervals become shorter than the engine can
produce tokens (5.5 to 1.6 ms there). The engine's own metrics do not show it.

## Example

```yaml
metadata:
  annotations:
    nginx.ingress.kubernetes.io/proxy-buffering: "on"
```

## Remedy

Switch buffering off for the route (`nginx.ingress.kubernetes.io/proxy-buffering: "off"`, which is also the default of
ingress-nginx).

## When it is fine

When no client streams (state `serving.streaming: false` in the contract), and for embedding, scoring and classification
models, which are not reported.

## References

- ingress-nginx: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#proxy-buffering
- nginx: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
- Traefik's middleware: https://doc.traefik.io/traefik/middlewares/http/buffering/
- A report with measurements: https://github.com/confidential-dot-ai/c8s/issues/140
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import generates, language, places
from askew.findings.finding import Remedy


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding when a hop is known to buffer."""
    if not language(subject) or not generates(subject):
        return
    buffering = subject.known("serving.buffering")
    if buffering is None or buffering.value is not True:
        return
    for snapshot in (subject.snapshot, subject.contract):
        stated = snapshot.facts.get("serving.streaming") if snapshot is not None else None
        if stated is not None and stated.state == "known" and stated.value is False:
            return
    hop = next((hop.name for hop in buffering.hops if hop.value is True), "a hop between client and engine")
    spots = places(subject, buffering)
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"{hop} collects answers before it passes them on, and the engine's API streams",
        impact="Clients see nothing until a buffer is full or it is complete; the engine's own metrics stay good.",
        remedies=(
            Remedy(
                action="switch response buffering off on this route "
                '(ingress-nginx: nginx.ingress.kubernetes.io/proxy-buffering: "off")',
                text='nginx.ingress.kubernetes.io/proxy-buffering: "off"' if "nginx" in hop.lower() else "",
                location=spots[0],
                verify='curl -N $URL/v1/completions with "stream": true prints tokens one by one',
                undo="switch buffering on again",
            ),
        ),
    )


_PATH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  selector: {{matchLabels: {{app: llm}}}}
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      containers:
        - {{name: engine, image: "vllm/vllm-openai:v0.10.1", args: ["--model=/models/llama"{more}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: llm}}
spec: {{selector: {{app: llm}}, ports: [{{port: 80, targetPort: 8000}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: llm
  annotations:
    nginx.ingress.kubernetes.io/{annotation}
spec:
  ingressClassName: nginx
  rules:
    - http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {backend}, port: {{number: 80}}}}}}}}]}}
"""


_CONTRACT = """\
apiVersion: piqc.ai/v1alpha1
kind: ModelSpec
metadata:
  name: llm
  annotations: {{askew.dev/serving.streaming: "{streaming}"}}
spec:
  identity: {{model: {{id: llama, family: llama, task: text-generation, framework: transformers}}}}
  runtime: {{accelerator: {{vendor: nvidia, type: l4, count: 1}}}}
"""


def _case(name: str, annotation: str, line: int = 0, *, backend: str = "llm", more: str = "") -> Case:
    source = _PATH.format(annotation=annotation, backend=backend, more=more)
    return Case(name=name, source=source, fires=bool(line), line=line)


_ON = 'proxy-buffering: "on"'

CHECK = Check(
    id="buffering-before-streaming",
    title="A hop collects the answer before passing it on, in front of an API that streams",
    category="serving",
    severity="medium",
    confidence="likely",
    facts=("serving.buffering", "serving.streaming"),
    run=run,
    playbook="serving-path",
    cases=(
        _case("switched on", _ON, line=22),
        _case("switched on for a reasoning model", _ON, line=22, more=', "--reasoning-parser=qwen3"'),
        Case(
            name="the contract says that nobody streams",
            source=_PATH.format(annotation=_ON, backend="llm", more=""),
            contract=_CONTRACT.format(streaming="false"),
            fires=False,
        ),
        _case("off", 'proxy-buffering: "off"'),
        _case("nothing said: off by default", 'proxy-body-size: "8m"'),
        _case("request buffering is another setting", 'proxy-request-buffering: "on"'),
        _case("the route of another service", _ON, backend="docs"),
        _case("an embedding model", _ON, more=', "--runner=pooling"'),
    ),
)
