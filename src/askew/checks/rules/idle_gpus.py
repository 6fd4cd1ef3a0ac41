"""The engine uses fewer GPUs than it gets

## What it finds

More GPUs in the container of the engine than tensor × pipeline × data parallel size.

## Why it matters

The engine uses the product and leaves the rest idle: paid for, and closed to everyone else.

## Example

```yaml
args: ["--model", "org/model", "--tensor-parallel-size", "2"]
resources:
  limits: {nvidia.com/gpu: 4}
```

## Remedy

Ask for as many GPUs as the sizes multiply to, or raise them: `--data-parallel-size` for throughput,
`--tensor-parallel-size` for larger models and more KV cache.

## When it is fine

When another process of the container uses the rest, such as a second engine or an encoder that no source shows. Groups
of several pods, workloads with several engines, and shares of GPUs are not counted.

## References

- Parallelism in vLLM: https://docs.vllm.ai/en/latest/serving/parallelism_scaling/
- SGLang's server arguments: https://docs.sglang.ai/advanced_features/server_arguments.html
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.problems import plugged
from askew.checks.reading import SERVERS, argument, engine, places, whole, written
from askew.findings.finding import Remedy

_SIZES = ("runtime.tensor_parallel_size", "runtime.pipeline_parallel_size", "runtime.data_parallel_size")
# Ways to use more GPUs that no fact counts: context parallelism of TensorRT-LLM and LMDeploy.
_FURTHER = ("context_parallel_size", "--context_parallel_size", "cp_config", "moe_cluster_parallel_size", "--cp")
# Resources that count whole devices or MIG slices; others count memory or shares.
_WHOLE = ("nvidia.com/gpu", "amd.com/gpu", "habana.ai/gaudi", "gpu.intel.com/i915", "gpu.intel.com/xe")


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding where the container has GPUs to spare."""
    snapshot, counted = subject.snapshot, subject.known("hardware.gpu.count")
    gpus = whole(subject, "hardware.gpu.count")
    if engine(subject) not in SERVERS or counted is None or not gpus or not written(counted):
        return
    if snapshot.id.partition("~")[0].partition("#")[0] != snapshot.workload.id.partition("#")[0]:
        return
    alone = len(snapshot.workload.containers) <= 1 and not snapshot.workload.members
    if not alone or (whole(subject, "orchestration.hosts") or 1) > 1:
        return
    launch = snapshot.launch
    # A launch without words is one that a template, a patch or the image completes.
    if launch is None or not launch.argv or launch.conditional or launch.problems or plugged(subject):
        return
    if snapshot.container is not None and len(snapshot.container.processes) > 1:
        return
    resource = subject.known("hardware.gpu.resource")
    name = str(resource.value) if resource is not None and resource.value else ""
    if name and name not in _WHOLE and not name.startswith("nvidia.com/mig-"):
        return
    if any(argument(subject, name) not in (None, "", "1", "none") for name in _FURTHER):
        return
    sizes = [whole(subject, size) for size in _SIZES]
    # An engine that no source shows the size of may use what it finds.
    if sizes[0] is None or any(subject.snapshot.facts.get(size) is not None and value is None
                               for size, value in zip(_SIZES[1:], sizes[1:], strict=True)):  # fmt: skip
        return
    used = 1
    for value in sizes:
        used *= value or 1
    if used >= gpus:
        return
    spots = places(subject, counted, *(subject.known(size) for size in _SIZES))
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"the container gets {gpus} GPUs and the engine uses {used}",
        impact=f"{gpus - used} GPU{'s stay' if gpus - used > 1 else ' stays'} idle and closed to everyone else.",
        facts=_SIZES,
        remedies=(
            Remedy(
                action=f"ask for {used} GPU{'s' if used > 1 else ''}",
                text=f"{name}: {used}" if name else "",
                location=spots[0],
                verify="nvidia-smi in the container lists no GPU without a process of the engine",
                undo=f"ask for {gpus} again",
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
          args:
            - --model=/models/qwen
            - {sizes}
          resources: {{limits: {{{resource}: {gpus}}}}}
"""


def _case(name: str, sizes: str, gpus: int, line: int = 0, *, resource: str = "nvidia.com/gpu") -> Case:
    source = _DEPLOYMENT.format(sizes=sizes, gpus=gpus, resource=resource)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="idle-gpus",
    title="The engine uses fewer GPUs than it gets",
    category="hardware",
    severity="medium",
    confidence="likely",
    facts=("hardware.gpu.count", *_SIZES, "hardware.gpu.resource"),
    run=run,
    playbook="hardware-mismatch",
    cases=(
        _case("two of four", "--tensor-parallel-size=2", 4, line=13),
        _case("one of two by default", "--max-model-len=8192", 2, line=13),
        _case("copies use the rest", '"--tensor-parallel-size=2"\n            - --data-parallel-size=2', 4),
        _case("stages use the rest", '"--tensor-parallel-size=2"\n            - --pipeline-parallel-size=2', 4),
        _case("by a variable", "--tensor-parallel-size=$(GPUS)", 4),
        _case("a share is no GPU", "--tensor-parallel-size=1", 8, resource="aliyun.com/gpu-mem"),
    ),
)
