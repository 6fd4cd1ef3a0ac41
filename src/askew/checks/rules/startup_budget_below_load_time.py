"""The startup probe gives up before the model can be loaded

## What it finds

A startup probe on the engine's own port whose budget (initial delay + period × failure threshold) is over before the
model can be loaded. The load time is counted from below: half a minute for imports, memory profiling and graph
capture, plus the weights at 2 GB/s (*likely*); or, when the weights come from a hub and no volume keeps them, one
minute plus the weights at 250 MB/s (*possible*).

## Why it matters

After the budget the kubelet kills the container, and loading begins again: a loop that ends only if a cache is warm
enough.

## Example

```yaml
startupProbe:
  httpGet: {path: /health, port: 8000}
  periodSeconds: 10
  failureThreshold: 6          # one minute for 140 GB
```

## Remedy

Raise `failureThreshold` until the budget covers the slowest start, with a margin of two or three.

## When it is fine

When loading is known to be quicker than these figures: weights kept in memory, several disks read at once, or a
snapshot of the loaded engine. Probes that run a command, or ask another port, say nothing of loading and are not
reported.

## References

- Startup probes: https://kubernetes.io/docs/concepts/workloads/pods/probes/
- vLLM on Kubernetes, failing probes: https://docs.vllm.ai/en/latest/deployment/k8s/#troubleshooting
- A loop of restarts by startup and liveness probes: https://github.com/ai-dynamo/snapshot/issues/311
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.loading import at_least, downloaded, downloads, weights
from askew.checks.reading import SERVERS, engine, places, whole
from askew.findings.finding import Remedy
from askew.resolve.observation import Confidence


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the engine's container."""
    probe = subject.known("orchestration.probe.startup")
    if engine(subject) not in SERVERS or probe is None or not isinstance(probe.value, dict):
        return
    budget, asked, port = probe.value.get("budget"), probe.value.get("port"), whole(subject, "serving.port")
    if not isinstance(budget, (int, float)) or probe.value.get("type") not in ("http", "tcp", "grpc"):
        return
    if asked is None or (port is not None and asked != port):
        return
    size, stated = weights(subject)
    # Without a size only the engine's own start is sure, and a small model may be quicker than that.
    if not size:
        return
    shortest, first = at_least(size), downloaded(size) if downloads(subject) else 0.0
    confidence: Confidence = "likely" if budget < shortest else "possible"
    needed = shortest if confidence == "likely" else first
    if budget >= needed:
        return
    way = " with a download" if confidence == "possible" else ""
    period = probe.value.get("period")
    step = period if isinstance(period, (int, float)) and period > 0 else 10
    failures = -(-int(needed * 3) // max(1, int(step)))
    shown = [probe.entries[key] for key in ("failure_threshold", "budget", "period", "type") if key in probe.entries]
    spots = places(subject, *shown, probe)
    before = probe.value.get("failure_threshold")
    yield found(
        CHECK,
        subject,
        at=spots,
        confidence=confidence,
        summary=f"the startup probe gives up after {budget:g} s; loading takes {needed:.0f} s or more "
        f"({size / 1e9:.0f} GB of weights{'' if stated else ', by its name'}{way})",
        impact="The kubelet kills the container while it loads, again and again; a warm cache hides it.",
        facts=("model.id", "model.weights.bytes"),
        remedies=(
            Remedy(
                action=f"set startupProbe.failureThreshold to {failures}",
                text=f"failureThreshold: {failures}",
                location=spots[0],
                verify="a first start on a new node reaches Ready with no restarts",
                undo=f"set startupProbe.failureThreshold to {before}",
            ),
        ),
    )


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
          startupProbe:
            httpGet: {{path: /health, port: {port}}}
            periodSeconds: 10
            failureThreshold: {failures}
"""


def _case(name: str, model: str, failures: int, line: int = 0, *, port: int = 8000) -> Case:
    source = _DEPLOYMENT.format(model=model, failures=failures, port=port)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="startup-budget-below-load-time",
    title="The startup probe gives up before the model can be loaded",
    category="orchestration",
    severity="medium",
    confidence="likely",
    facts=("orchestration.probe.startup", "model.id", "model.weights.bytes", "orchestration.volumes"),
    run=run,
    playbook="probes",
    cases=(
        _case("a minute for 140 GB", "/models/Llama-3.1-70B-Instruct", 6, line=14),
        _case("a download in three minutes", "meta-llama/Llama-3.1-70B-Instruct", 18, line=14),
        _case("ten minutes from a volume", "/models/Llama-3.1-70B-Instruct", 60),
        _case("a small model", "/models/Qwen2.5-0.5B", 6),
        _case("a name that tells no size", "/models/llm", 1),
        _case("another port", "/models/Llama-3.1-70B-Instruct", 6, port=9000),
    ),
)
