"""The liveness probe may kill the engine while it loads: there is no startup probe

## What it finds

A liveness probe on the engine's own port, no startup probe, and a budget (initial delay + period × failure threshold)
that is over before the model can be loaded. The load time is counted from below: half a minute for imports,
memory profiling and graph capture, plus the weights at 2 GB/s (*likely*); or, when the weights come from a hub and no
volume keeps them, one minute plus the weights at 250 MB/s (*possible*). The size comes from the sources, else
from the number of parameters in the model's name.

## Why it matters

The engine listens only after loading. Until then every liveness probe fails, and after the budget the kubelet kills the
container, which begins again: a loop that ends only if a cache is warm enough. What worked in a test can then fail on a
new node, with a larger model or a slow download.

## Example

```yaml
livenessProbe:
  httpGet: {path: /health, port: 8000}
  initialDelaySeconds: 30       # killed after 60 s
  periodSeconds: 10
```

## Remedy

Add a startup probe with a budget for the slowest start; liveness begins only after it has succeeded:

```yaml
startupProbe:
  httpGet: {path: /health, port: 8000}
  periodSeconds: 10
  failureThreshold: 120
```

## When it is fine

When loading is known to be quick (a small model on a warm volume). Probes that run a command, or ask another port, say
nothing of loading and are not reported.

## References

- Probes: https://kubernetes.io/docs/concepts/workloads/pods/probes/
- vLLM on Kubernetes, failing probes: https://docs.vllm.ai/en/latest/deployment/k8s/#troubleshooting
- KServe's probes for vLLM, which killed large models: https://github.com/kserve/kserve/issues/5062
- A server killed while it loaded its models: https://github.com/gke-labs/kube-agents/issues/712
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.loading import at_least, downloaded, downloads, weights
from askew.checks.reading import SERVERS, engine, places, whole
from askew.findings.finding import Remedy
from askew.resolve.observation import Confidence
from askew.resolve.workload import Resolved


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the engine's container."""
    liveness, startup = subject.known("orchestration.probe.liveness"), subject.known("orchestration.probe.startup")
    if engine(subject) not in SERVERS or liveness is None or startup is None:
        return
    if startup.value or not isinstance(liveness.value, dict) or not _asks_the_engine(subject, liveness):
        return
    budget = liveness.value.get("budget")
    if not isinstance(budget, (int, float)):
        return
    size, stated = weights(subject)
    shortest = at_least(size)
    first = downloaded(size) if size and downloads(subject) else 0.0
    confidence: Confidence = "likely" if budget <= shortest else "possible"
    needed = shortest if confidence == "likely" else first
    if budget > shortest and budget >= needed:
        return
    why = f"{size / 1e9:.0f} GB of weights{'' if stated else ', by its name'}" if size else "any engine"
    way = " with a download" if confidence == "possible" else ""
    probe = [liveness.entries[key] for key in ("budget", "type", "period") if key in liveness.entries]
    failures = max(60, -(-int(needed * 3) // 10))
    spots = places(subject, *probe, liveness)
    yield found(
        CHECK,
        subject,
        at=spots,
        confidence=confidence,
        summary=f"liveness gives up after {budget:g} s and there is no startup probe; loading takes {needed:.0f} s "
        f"or more ({why}{way})",
        impact="The kubelet kills the container while it loads, again and again; a warm cache hides it.",
        facts=("orchestration.probe.startup", "model.id"),
        remedies=(
            Remedy(
                action="add a startupProbe that asks what the liveness probe asks, with a budget for the slowest start",
                text=f"startupProbe: {{…as livenessProbe, initialDelaySeconds: 0, periodSeconds: 10, "
                f"failureThreshold: {failures}}}",
                location=spots[0],
                verify="a first start on a new node reaches Ready with no restarts",
                undo="remove startupProbe",
            ),
        ),
    )


def _asks_the_engine(subject: Subject, liveness: Resolved) -> bool:
    """Whether the probe fails until the engine listens."""
    assert isinstance(liveness.value, dict)
    if liveness.value.get("type") not in ("http", "tcp", "grpc"):
        return False
    asked, port = liveness.value.get("port"), whole(subject, "serving.port")
    return asked is not None and (port is None or asked == port)


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: [--model={model}]
          livenessProbe:
            httpGet: {{path: /health, port: {port}}}
            initialDelaySeconds: {delay}
            failureThreshold: 3
          {startup}Probe:
            httpGet: {{path: /health, port: 8000}}
            failureThreshold: 180
          volumeMounts: [{{name: weights, mountPath: /root/.cache/huggingface}}]
      volumes: [{{name: weights, {volume}}}]
"""
_CLAIM, _EMPTY = "persistentVolumeClaim: {claimName: weights}", "emptyDir: {}"


def _case(
    name: str,
    model: str,
    delay: int,
    line: int = 0,
    *,
    startup: str = "readiness",
    port: int = 8000,
    volume: str = _CLAIM,
) -> Case:
    source = _DEPLOYMENT.format(model=model, delay=delay, startup=startup, port=port, volume=volume)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="liveness-without-startup-probe",
    title="The liveness probe may kill the engine while it loads: there is no startup probe",
    category="orchestration",
    severity="medium",
    confidence="likely",
    facts=(
        "orchestration.probe.liveness",
        "orchestration.probe.startup",
        "model.id",
        "model.weights.bytes",
        "model.source",
        "orchestration.volumes",
        "serving.port",
    ),
    run=run,
    playbook="probes",
    cases=(
        _case("a minute for 140 GB", "org/Llama-70B-Instruct", 30, line=14),
        _case("half a minute for any engine", "/models/llm", 0, line=14),
        _case("a minute and a half for a first download", "org/Qwen-7B", 60, line=14, volume=_EMPTY),
        _case("ten minutes", "org/Llama-70B-Instruct", 570),
        _case("a startup probe", "org/Llama-70B-Instruct", 0, startup="startup"),
        _case("a minute and a half for 14 GB on a volume", "org/Qwen-7B", 60),
        _case("the probe of another server in the container", "org/Llama-70B-Instruct", 0, port=9400),
    ),
)
