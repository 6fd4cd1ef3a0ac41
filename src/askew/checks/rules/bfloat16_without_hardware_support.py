"""bfloat16 is asked for on GPUs that do not compute in it

## What it finds

`--dtype bfloat16` on a workload whose node selector, affinity or instance type admits NVIDIA GPUs older than compute
capability 8.0 (T4, V100, P100, RTX 20 series).

## Why it matters

vLLM refuses to start (`Bfloat16 is only supported on GPUs with compute capability of at least 8.0`). SGLang writes a
line to its log and runs in float16 instead, whose range is smaller: activations of models that were trained in bfloat16
can overflow, and answers differ from those that were evaluated.

## Example

```yaml
nodeSelector: {cloud.google.com/gke-accelerator: nvidia-tesla-t4}
# …
args: ["--model", "org/llama-8b", "--dtype", "bfloat16"]
```

## Remedy

Select GPUs of compute capability 8.0 or newer (A10, A100, L4, L40S, H100). Where only older ones exist, state
`--dtype float16` and evaluate the model in it.

## When it is fine

When the selector admits several GPUs and the older ones do not exist in this cluster: the finding then says *possible*.

## References

- Compute capabilities: https://developer.nvidia.com/cuda-gpus
- bfloat16 arithmetic from 8.0 on: https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#arithmetic-instructions
- vLLM on a T4 and on a V100: https://github.com/vllm-project/vllm/issues/1157, https://github.com/vllm-project/vllm/issues/946
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Needs, Outcome, Subject, found
from askew.checks.reading import engine, places, written
from askew.findings.finding import Remedy
from askew.resolve.observation import Confidence


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding when a GPU that the workload may land on lacks the dtype that was written."""
    dtype = subject.known("runtime.dtype")
    if not engine(subject) or dtype is None or dtype.value != "bfloat16" or not written(dtype):
        return
    models = subject.known("hardware.gpu.model")
    if models is None or not isinstance(models.value, list) or not models.value:
        seen = subject.snapshot.facts.get("hardware.gpu.model")
        if seen is not None and seen.state == "unknown" and seen.text:
            yield Needs(fact="hardware.gpu.model", reason=seen.reason)
        return
    names = [str(name) for name in models.value]
    lacking = [name for name in names if _lacks_it(name)]
    if not lacking:
        return
    confidence: Confidence = "certain" if len(lacking) == len(names) else "possible"
    if models.confidence != "certain":
        confidence = "possible"
    may = "runs on" if confidence == "certain" else "may run on"
    spots = places(subject, dtype, models)
    outcome = (
        "SGLang changes the dtype to float16 with a line in its log: answers can differ from the evaluated ones."
        if engine(subject) == "sglang"
        else "The engine refuses to start, or computes in another dtype than the model was evaluated in."
    )
    yield found(
        CHECK,
        subject,
        at=spots,
        severity="high" if confidence == "certain" else "medium",
        confidence=confidence,
        summary=f"dtype bfloat16 is asked for, and the workload {may} {', '.join(lacking)}, which lacks it",
        impact=outcome,
        facts=("hardware.gpu.model",),
        remedies=(
            Remedy(
                action="select GPUs that compute in bfloat16 (compute capability 8.0 or newer)",
                location=models.locations[0] if models.locations else None,
                verify="nvidia-smi --query-gpu=compute_cap --format=csv in the pod shows 8.0 or more",
                undo="select the former GPUs again",
                safe=False,
            ),
            Remedy(
                action="write --dtype float16 and evaluate the model in it",
                text="--dtype float16",
                location=dtype.locations[0] if dtype.locations else None,
                verify="the engine starts, and the evaluation passes",
                undo="write --dtype bfloat16 again",
                safe=False,
            ),
        ),
    )


def _lacks_it(gpu: str) -> bool:
    """Whether the catalogue says that a GPU does not compute in bfloat16. A GPU that is not in it may."""
    from askew.knowledge.gpus import supports_bf16

    try:
        return supports_bf16(gpu) is False
    except ValueError:
        return False


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  template:
    spec:
      nodeSelector: {{{label}}}
      containers:
        - name: engine
          image: {image}
          args: [--model=/models/llama, --dtype={dtype}]
          resources: {{limits: {{nvidia.com/gpu: 1}}}}
"""
_T4 = "cloud.google.com/gke-accelerator: nvidia-tesla-t4"


def _case(name: str, label: str, dtype: str, line: int = 0, *, image: str = "vllm/vllm-openai:v0.8.5") -> Case:
    source = _DEPLOYMENT.format(label=label, dtype=dtype, image=image)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="bfloat16-without-hardware-support",
    title="bfloat16 is asked for on GPUs that do not compute in it",
    category="hardware",
    severity="high",
    confidence="certain",
    facts=("runtime.dtype", "hardware.gpu.model"),
    run=run,
    playbook="hardware-mismatch",
    cases=(
        _case("T4 on GKE", _T4, "bfloat16", line=11),
        _case("V100 by GPU feature discovery", "nvidia.com/gpu.product: Tesla-V100-SXM2-16GB", "bfloat16", line=11),
        _case("an instance type with T4", "node.kubernetes.io/instance-type: g4dn.xlarge", "bfloat16", line=11),
        _case("L4", "cloud.google.com/gke-accelerator: nvidia-l4", "bfloat16"),
        _case("float16 on a T4", _T4, "half"),
        _case("auto on a T4: the engine picks what runs", _T4, "auto"),
        _case("a GPU that nobody names", "pool: gpu", "bfloat16"),
    ),
)
