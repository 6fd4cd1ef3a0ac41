"""A model on GPUs is scaled by CPU or memory alone

## What it finds

A HorizontalPodAutoscaler, ScaledObject or Knative Service over a workload with GPUs whose only signals are CPU or
memory.

## Why it matters

The work is done on the GPU, so that neither CPU nor memory of the pod says how many requests wait: replicas may come
too late or never, or be started without need, and each costs GPUs and the time to load. GKE's guide advises against CPU
and memory as the only signals for inference on GPUs, since they may cost performance and money.

## Example

```yaml
kind: HorizontalPodAutoscaler
spec:
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
```

## Remedy

Scale on what the engine says of its queue: `vllm:num_requests_waiting` or `vllm:num_requests_running`,
`sglang:num_queue_reqs`, `tgi_queue_size`, through KEDA's Prometheus scaler or the Prometheus adapter. SGLang exports
metrics with `--enable-metrics` only. CPU may stay as a second signal.

## When it is fine

For models that run on the CPU (not reported: no GPU is asked for), and for pods in which preprocessing on the CPU is
the bottleneck and measured as such. Servers that Askew does not know are not reported: they may be such pods.

## References

- Autoscaling on vLLM's metrics: https://docs.vllm.ai/projects/production-stack/en/latest/use_cases/autoscaling-keda.html
- Advice of GKE: https://cloud.google.com/kubernetes-engine/docs/best-practices/machine-learning/inference/autoscaling
- Metrics of vLLM: https://docs.vllm.ai/en/latest/usage/metrics/
- Metrics of SGLang: https://docs.sglang.io/references/production_metrics.html
- Metrics of TGI: https://huggingface.co/docs/text-generation-inference/reference/metrics
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places, whole
from askew.findings.finding import Remedy

_SIGNALS = {
    "vllm": "vllm:num_requests_waiting",
    "sglang": "sglang:num_queue_reqs",
    "tgi": "tgi_queue_size",
}
_BLIND = frozenset(("cpu", "memory"))
_SOURCES = ("resource", "containerresource", "knative")  # Knative's HPA class scales on CPU or memory, too


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding when every signal of the autoscaler is CPU or memory."""
    if not engine(subject) or not whole(subject, "hardware.gpu.count"):
        return
    kind, metrics = subject.known("orchestration.autoscaler.kind"), subject.known("orchestration.autoscaler.metrics")
    if kind is None or kind.value in (None, "none") or metrics is None or not isinstance(metrics.value, list):
        return
    signals = [signal for signal in metrics.value if isinstance(signal, dict)]
    names = list(dict.fromkeys(str(signal.get("name")) for signal in signals))
    if not signals or not all(signal.get("source") in _SOURCES for signal in signals):
        return
    if not _BLIND.issuperset(names):
        return
    wanted = _SIGNALS.get(engine(subject), "the length of the engine's queue")
    spots = places(subject, metrics, kind)
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"replicas with GPUs are scaled by {' and '.join(names)} alone",
        impact="The autoscaler does not see the queue: replicas may come too late, or without need.",
        facts=("orchestration.autoscaler.kind",),
        remedies=(
            Remedy(
                action=f"add {wanted} as a signal of the autoscaler",
                location=spots[0],
                verify="under load, the autoscaler's status shows the metric and the replica count follows the queue",
                undo="remove the signal again",
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
          image: vllm/vllm-openai:v0.8.5
          args: ["--model=/models/llama"]
          resources: {{limits: {{{resource}: 1}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: llm}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {target}}}
  maxReplicas: 4
  metrics:
    - type: Resource
      resource:
        name: {metric}
        target: {{type: Utilization, averageUtilization: 80}}
{more}"""
_KEDA = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: ["--model=/models/llama"]
          resources: {{limits: {{nvidia.com/gpu: 1}}}}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{name: llm}}
spec:
  scaleTargetRef: {{name: llm}}
  triggers:
    - {trigger}
"""
_KNATIVE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: llm}}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/class: {by}
        autoscaling.knative.dev/metric: {metric}
    spec:
      containers:
        - image: vllm/vllm-openai:v0.8.5
          args: ["--model=/models/llama"]
          resources: {{limits: {{nvidia.com/gpu: 1}}}}
"""
_PODS = """\
    - type: Pods
      pods:
        metric: {name: vllm_num_requests_waiting}
        target: {type: AverageValue, averageValue: "5"}
"""


def _case(
    name: str,
    metric: str,
    line: int = 0,
    *,
    resource: str = "nvidia.com/gpu",
    target: str = "llm",
    more: str = "",
) -> Case:
    source = _SCALED.format(metric=metric, resource=resource, target=target, more=more)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="autoscaling-on-cpu-or-memory",
    title="A model on GPUs is scaled by CPU or memory alone",
    category="orchestration",
    severity="medium",
    confidence="likely",
    facts=("orchestration.autoscaler.metrics", "orchestration.autoscaler.kind", "hardware.gpu.count"),
    run=run,
    playbook="autoscaling",
    cases=(
        _case("CPU", "cpu", line=22),
        _case("memory", "memory", line=22),
        Case(
            name="KEDA on CPU",
            source=_KEDA.format(trigger="{type: cpu, metricType: Utilization, metadata: {value: '60'}}"),
            fires=True,
            line=19,
        ),
        Case(
            name="Knative on CPU",
            source=_KNATIVE.format(by="hpa.autoscaling.knative.dev", metric="cpu"),
            fires=True,
            line=9,
        ),
        Case(
            name="Knative on concurrency",
            source=_KNATIVE.format(by="kpa.autoscaling.knative.dev", metric="concurrency"),
            fires=False,
        ),
        _case("the queue beside CPU", "cpu", more=_PODS),
        _case("a model on the CPU", "cpu", resource="cpu"),
        _case("the autoscaler of something else", "cpu", target="frontend"),
        Case(
            name="KEDA on the queue",
            source=_KEDA.format(
                trigger="{type: prometheus, metadata: {serverAddress: 'http://prometheus', "
                "query: 'sum(vllm:num_requests_waiting)', threshold: '5'}}"
            ),
            fires=False,
        ),
    ),
)
