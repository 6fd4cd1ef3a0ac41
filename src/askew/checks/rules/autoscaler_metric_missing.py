"""The autoscaler asks for a metric that this release of the engine does not emit

## What it finds

A HorizontalPodAutoscaler or ScaledObject whose signal is a metric of the engine that the running release does not have,
or hides unless a switch brings it back.

## Why it matters

The query gives nothing. A HorizontalPodAutoscaler then keeps the number of replicas as it is; KEDA takes nothing for
zero, or falls back. Either way the queue grows and nothing scales, and no error says so. It comes with an upgrade: vLLM
0.11 hides `vllm:gpu_cache_usage_perc`, 0.12 has only `vllm:kv_cache_usage_perc`.

## Example

```yaml
image: vllm/vllm-openai:v0.11.0
# in the HorizontalPodAutoscaler
metrics:
  - {type: Pods, pods: {metric: {name: vllm_gpu_cache_usage_perc}, target: {type: AverageValue, averageValue: 500m}}}
```

## Remedy

Ask for the metric that the release emits; the finding names it where one has the same meaning. `askew defaults ENGINE
OLD NEW` lists the metrics that change before an upgrade.

## When it is fine

When a recording rule or an adapter makes a metric of the old name from the new one. Names of other programs are not
looked at, nor engines and releases whose metrics this build does not know.

## References

- Metrics of vLLM, and how they are deprecated: https://docs.vllm.ai/en/latest/usage/metrics/
- Missing metrics: https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#algorithm-details
- KEDA's Prometheus scaler and queries without a result: https://keda.sh/docs/latest/scalers/prometheus/
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import places
from askew.findings.finding import Remedy

_FACT = "orchestration.autoscaler.missing_metrics"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the autoscaler, whatever the number of metrics that it asks for in vain."""
    missing = subject.known(_FACT)
    if missing is None or not isinstance(missing.value, list) or not missing.value:
        return
    spots = places(subject, missing)
    names = ", ".join(str(name) for name in missing.value)
    action = "; ".join(missing.because) or "ask for a metric that this release emits"
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"the autoscaler asks for {names}, which this release does not emit",
        impact="The query gives nothing: the replicas stay as they are, or fall back, however long the queue is.",
        remedies=(
            Remedy(
                action=action,
                location=spots[0],
                verify="under load, the autoscaler's status shows the metric and the replica count follows it",
                undo="ask for the old metric again",
                safe=False,
            ),
        ),
    )


_SCALED = """\
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
          image: vllm/vllm-openai:v{version}
          args: ["--model=/models/llama"{more}]
          resources: {{limits: {{nvidia.com/gpu: 1}}}}
---
{autoscaler}"""
_HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: llm}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: llm}}
  maxReplicas: 4
  metrics:
    - {{type: Pods, pods: {{metric: {{name: {metric}}}, target: {{type: AverageValue, averageValue: "5"}}}}}}
"""
_KEDA = """\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{name: llm}}
spec:
  scaleTargetRef: {{name: llm}}
  triggers:
    - {{type: prometheus, metadata: {{serverAddress: "http://prometheus", query: "{query}", threshold: "5"}}}}
"""


def _case(name: str, version: str, autoscaler: str, line: int = 0, more: str = "") -> Case:
    source = _SCALED.format(version=version, autoscaler=autoscaler, more=more)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="autoscaler-metric-missing",
    title="The autoscaler asks for a metric that this release of the engine does not emit",
    category="orchestration",
    severity="high",
    confidence="likely",
    facts=(_FACT, "orchestration.autoscaler.metrics", "runtime.engine.version"),
    run=run,
    playbook="autoscaling",
    cases=(
        _case("hidden", "0.11.0", _HPA.format(metric="vllm_gpu_cache_usage_perc"), line=22),
        _case("gone", "0.12.0", _KEDA.format(query="avg(vllm:gpu_cache_usage_perc)"), line=21),
        _case("not there yet", "0.8.5", _KEDA.format(query="avg(vllm:kv_cache_usage_perc)"), line=21),
        _case("still emitted", "0.10.2", _HPA.format(metric="vllm_gpu_cache_usage_perc")),
        _case("in every release", "0.11.0", _KEDA.format(query="sum(vllm:num_requests_waiting)")),
        _case("a metric of something else", "0.11.0", _HPA.format(metric="queue_depth_of_gateway")),
        _case(
            "brought back by a switch",
            "0.11.0",
            _HPA.format(metric="vllm_gpu_cache_usage_perc"),
            more=', "--show-hidden-metrics-for-version=0.10"',
        ),
    ),
)
