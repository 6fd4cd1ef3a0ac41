"""A Service's name makes Kubernetes set one of the engine's own environment variables

## What it finds

A Service in the namespace of the engine's pods whose service-link variables have the name of a variable that the engine
reads: a Service called `vllm` gives `VLLM_PORT=tcp://10.0.0.1:8000`; `sglang` gives `SGLANG_PORT`; `master` gives
`MASTER_PORT` and `prometheus` gives `PROMETHEUS_PORT`, which TGI reads (the latter from 3.3 on).

## Why it matters

The engine expects a number and gets an address. vLLM raises `VLLM_PORT 'tcp://…' appears to be a URI`, SGLang fails to
convert it, TGI's launcher refuses to start. It hits pods that start after the Service was made: the first Deployment
works, its first restart does not.

## Example

```yaml
kind: Service
metadata: {name: vllm}       # → VLLM_PORT, VLLM_SERVICE_HOST, … in every pod of the namespace
```

## Remedy

Set `enableServiceLinks: false` in the pod's spec: nothing in the engine needs these variables. Renaming the Service
also helps, but changes its DNS name for all clients.

## When it is fine

When the container sets the variable itself: that value wins, and is not reported. Headless Services get no variables.

## References

- Service variables: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
- vLLM's variables, with this warning: https://docs.vllm.ai/en/latest/configuration/env_vars/
- SGLang's `get_open_port`: https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/utils/network.py
- TGI's launcher: https://github.com/huggingface/text-generation-inference/blob/main/launcher/src/main.rs
- TGI's option for the metrics port: https://github.com/huggingface/text-generation-inference/pull/3187
- A report: https://github.com/vllm-project/vllm/issues/34199
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places
from askew.evidence.location import Location
from askew.findings.finding import Remedy

# Variables that end in one of the suffixes of service links and that the engine's start-up reads as something else.
_READ = {
    "vllm": frozenset(
        ("VLLM_PORT", "VLLM_DP_MASTER_PORT", "VLLM_NIXL_SIDE_CHANNEL_PORT", "VLLM_MOONCAKE_BOOTSTRAP_PORT")
    ),
    "sglang": frozenset(("SGLANG_PORT",)),
    "tgi": frozenset(("MASTER_PORT", "PROMETHEUS_PORT")),
}


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per Service whose variables collide."""
    links, services = subject.known("orchestration.service_links"), subject.known("orchestration.service_prefixes")
    read = _READ.get(engine(subject))
    if read is None or links is None or links.value is not True or services is None:
        return
    launch = subject.snapshot.launch
    own = launch.env if launch is not None else {}
    names = services.value if isinstance(services.value, list) else []
    if _before_prometheus_port(subject):
        read = read - {"PROMETHEUS_PORT"}
    for index, service in enumerate(names):
        name = str(service).upper().replace("-", "_") + "_PORT"
        if name not in read or name in own:
            continue
        shown = places(subject, services)
        # One place for each name, in the same order; where names repeat the places are no guide.
        if len(shown) == len(names):
            spots: tuple[Location, ...] = (shown[index],)
        else:
            home = subject.snapshot.workload.location.source
            spots = tuple(at for at in shown if at.source == home) or shown
        yield found(
            CHECK,
            subject,
            key=str(service),
            at=spots,
            summary=f"the Service {service} makes Kubernetes set {name}=tcp://…, which {engine(subject)} reads as its "
            "own setting",
            impact="Pods that start after the Service exists fail at start, or use a wrong port.",
            facts=("orchestration.service_links",),
            remedies=(
                Remedy(
                    action="set enableServiceLinks: false in the pod's spec",
                    text="enableServiceLinks: false",
                    location=subject.snapshot.workload.location,
                    verify=f"kubectl exec $POD -- printenv {name} prints nothing",
                    undo="remove enableServiceLinks",
                ),
            ),
        )


def _before_prometheus_port(subject: Subject) -> bool:
    """Whether the release is known to be older than TGI's option for the metrics port, which 3.3 brought."""
    identity = subject.snapshot.engine
    numbers = re.match(r"v?(\d+)\.(\d+)", identity.version or "") if identity is not None else None
    return engine(subject) == "tgi" and numbers is not None and (int(numbers[1]), int(numbers[2])) < (3, 3)


_DEPLOYMENT = """\
apiVersion: v1
kind: Service
metadata:
  name: {service}
  namespace: {namespace}
spec:
  clusterIP: {ip}
  selector: {{app: llm}}
  ports: [{{port: 8000}}]
---
apiVersion: v1
kind: Service
metadata: {{name: frontend, namespace: prod}}
spec: {{clusterIP: 10.0.0.9, selector: {{app: web}}, ports: [{{port: 80}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm, namespace: prod}}
spec:
  selector: {{matchLabels: {{app: llm}}}}
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      enableServiceLinks: {links}
      containers:
        - name: engine
          image: {image}
          args: [--model=/models/llama]
          env: [{{name: {variable}, value: "12345"}}]
"""


def _case(
    name: str,
    service: str,
    line: int = 0,
    *,
    links: str = "true",
    namespace: str = "prod",
    ip: str = "10.0.0.1",
    variable: str = "TZ",
    image: str = "vllm/vllm-openai:v0.8.5",
) -> Case:
    source = _DEPLOYMENT.format(
        service=service, links=links, namespace=namespace, ip=ip, variable=variable, image=image
    )
    return Case(name=name, source=source, fires=bool(line), line=line)


_TGI = "ghcr.io/huggingface/text-generation-inference:3.3.4"

CHECK = Check(
    id="service-link-variables-collide",
    title="A Service's name makes Kubernetes set one of the engine's own environment variables",
    category="orchestration",
    severity="high",
    confidence="likely",
    facts=("orchestration.service_prefixes", "orchestration.service_links"),
    run=run,
    playbook="scheduling",
    cases=(
        _case("a Service called vllm", "vllm", line=4),
        _case("TGI beside a Service called prometheus", "prometheus", line=4, image=_TGI),
        _case("vLLM beside a Service called prometheus", "prometheus"),
        _case("TGI before it had a port for metrics", "prometheus", image=_TGI.replace("3.3.4", "2.4.0")),
        _case("another name that begins the same", "vllm-svc"),
        _case("links switched off", "vllm", links="false"),
        _case("another namespace", "vllm", namespace="test"),
        _case("headless", "vllm", ip="None"),
        _case("the container sets it", "vllm", variable="VLLM_PORT"),
    ),
)
