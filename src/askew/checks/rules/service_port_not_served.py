"""A Service sends requests to a port on which nobody listens

## What it finds

A Service whose target ports all miss the port of the engine, or an engine that listens on `127.0.0.1` behind a Service.
SGLang does that by default.

## Why it matters

Pods and Service look healthy, and every request ends in `connection refused` or a 502 from the hop before.

## Example

```yaml
# Service: targetPort 8080; the engine listens on 8000
ports: [{port: 80, targetPort: 8080}]
```

## Remedy

Aim `targetPort` at the engine's port, or move the engine (`--port`). For 127.0.0.1: `--host 0.0.0.0`.

## When it is fine

When another container or process of the pod listens there: a proxy, a metrics exporter. Pods with several containers,
several hosts, and ports that the launch names for another purpose are not reported.

## References

- Services: https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service
- SGLang's server arguments: https://docs.sglang.ai/advanced_features/server_arguments.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places, whole
from askew.facts.types import Value
from askew.findings.finding import Remedy

_SERVICES, _CONTAINER = "serving.service.ports", "serving.container.ports"
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
# Ports by these names are for something else than requests.
_OTHER = r"metric|prom|dist|nccl|rpc|bootstrap|ray|rdma|gloo|kv|zmq|debug"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per Service that reaches nobody; one for an engine that listens to its own pod only."""
    services, port = subject.known(_SERVICES), whole(subject, "serving.port")
    if engine(subject) not in ("vllm", "sglang", "tgi") or services is None or not isinstance(services.value, list):
        return
    workload = subject.snapshot.workload
    if len(workload.containers) > 1 or workload.members or (whole(subject, "orchestration.hosts") or 1) > 1:
        return
    container = subject.snapshot.container
    if container is not None and len(container.processes) > 1:
        return
    targets: dict[str, list[int | str | None]] = {}
    for entry in services.value:
        if isinstance(entry, dict) and not re.search(_OTHER, f"{entry.get('name')} {entry.get('target_port')}".lower()):
            targets.setdefault(str(entry.get("service")), []).append(_target(subject, entry))
    host = subject.known("serving.listen_host")
    if targets and host is not None and host.value in _LOOPBACK:
        spots = places(subject, host, services)
        yield found(
            CHECK,
            subject,
            fact="serving.listen_host",
            key="host",
            at=spots,
            summary=f"the engine listens on {host.value} only, behind the Service {', '.join(sorted(targets))}",
            impact="Every request from outside the pod is refused.",
            facts=(_SERVICES,),
            remedies=(
                Remedy(
                    action="listen on all addresses",
                    text="--hostname 0.0.0.0" if engine(subject) == "tgi" else "--host 0.0.0.0",
                    location=spots[0],
                    verify="a request through the Service answers",
                    undo=f"listen on {host.value} again",
                    safe=False,
                ),
            ),
        )
        return
    if port is None:
        return
    for service, ports in sorted(targets.items()):
        if any(
            target is None or target == port or _sidecar(subject, target) or _named(subject, target) for target in ports
        ):
            continue
        shown = ", ".join(str(target) for target in ports)
        spots = places(subject, services, subject.known("serving.port"))
        yield found(
            CHECK,
            subject,
            key=service,
            at=spots,
            summary=f"the Service {service} sends to port {shown}, and the engine listens on {port}",
            impact="Every request through the Service is refused, although pods and Service look healthy.",
            facts=("serving.port",),
            remedies=(
                Remedy(
                    action=f"aim targetPort of the Service {service} at {port}",
                    text=f"targetPort: {port}",
                    location=spots[0],
                    verify="a request through the Service answers",
                    undo=f"set targetPort to {shown}",
                ),
            ),
        )


def _target(subject: Subject, entry: dict[str, Value]) -> int | str | None:
    """The number behind a target port, the name where the container declares no such port, None when not known."""
    target = entry.get("target_port")
    target = entry.get("port") if target is None else target
    if isinstance(target, int) or (isinstance(target, str) and target.isdecimal()):
        return int(target)
    declared = subject.known(_CONTAINER)
    if not isinstance(target, str) or declared is None or not isinstance(declared.value, list):
        return None
    for port in declared.value:
        if isinstance(port, dict) and port.get("name") == target:
            number = port.get("port")
            return number if isinstance(number, int) else None
    return target


def _sidecar(subject: Subject, target: int | str) -> bool:
    """Whether another container of the pod declares the port: a proxy beside the engine passes requests on."""
    declared, own = subject.known(_CONTAINER), subject.snapshot.container
    entries = declared.value if declared is not None and isinstance(declared.value, list) else []
    return any(
        isinstance(entry, dict)
        and entry.get("port") == target
        and own is not None
        and entry.get("container") != own.name
        for entry in entries
    )


def _named(subject: Subject, target: int | str) -> bool:
    """Whether the launch names the port for something: rendezvous, a side channel, a second server."""
    launch = subject.snapshot.launch
    if launch is None:
        return False
    words = [token.text for token in launch.argv] + [v.value or "" for v in launch.env.values()]
    return any(re.search(rf"(?<!\d){re.escape(str(target))}(?!\d)", word) for word in words)


_BOTH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  selector: {{matchLabels: {{app: llm}}}}
  template:
    metadata: {{labels: {{app: llm}}}}
    spec:
      containers:
        - name: engine
          image: {image}
          args: {args}
          ports: [{{name: http, containerPort: {declared}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: llm}}
spec:
  selector: {{app: {app}}}
  ports:
    - {{port: 80, targetPort: {target}}}
"""


_PROXY = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  selector: {matchLabels: {app: llm}}
  template:
    metadata: {labels: {app: llm}}
    spec:
      initContainers:
        - name: routing-proxy
          image: example.com/routing-proxy:v1
          restartPolicy: Always
          ports: [{containerPort: 8000}]
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: [--model=/models/qwen, --port=8200]
          ports: [{containerPort: 8200}]
---
apiVersion: v1
kind: Service
metadata: {name: llm}
spec:
  selector: {app: llm}
  ports: [{port: 80, targetPort: 8000}]
"""


def _case(
    name: str,
    target: str,
    line: int = 0,
    *,
    args: str = "[--model=/models/qwen]",
    declared: int = 8000,
    app: str = "llm",
    image: str = "vllm/vllm-openai:v0.8.5",
) -> Case:
    source = _BOTH.format(target=target, args=args, declared=declared, app=app, image=image)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="service-port-not-served",
    title="A Service sends requests to a port on which nobody listens",
    category="serving",
    severity="high",
    confidence="likely",
    facts=(_SERVICES, "serving.port", "serving.listen_host", _CONTAINER),
    run=run,
    playbook="serving-path",
    cases=(
        _case("another port", "8080", line=21),
        _case("a port that was left behind", "8000", args="[--model=/models/qwen, --port=9000]", line=21),
        _case("the engine's port", "8000"),
        _case("a name for the engine's port", "http"),
        _case("a name for another port", "http", line=21, declared=9000),
        Case(name="a proxy beside the engine", source=_PROXY, fires=False),
        _case("the engine was moved there", "8080", args="[--model=/models/qwen, --port=8080]"),
        _case("a Service of other pods", "8080", app="other"),
        _case("listens to itself", "http", 12, args="[--model=/models/qwen, --host=127.0.0.1]"),
    ),
)
