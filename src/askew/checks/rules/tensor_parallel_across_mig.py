"""The engine splits the model over MIG slices

## What it finds

Tensor or pipeline parallelism larger than one, on GPUs that the deployment gets as MIG slices.

## Why it matters

Slices have no CUDA IPC and no NVLink: what their workers exchange goes through the memory of the host. Depending on
the releases of the engine, NCCL and the driver, the engine may be slow, or fail when it sets up its workers: vLLM has
stumbled over the names of slices, and the driver may show one process a single slice only.

## Example

```yaml
args: ["--model", "/models/qwen", "--tensor-parallel-size", "2"]
resources:
  limits: {nvidia.com/mig-3g.40gb: 2}
```

## Remedy

Use one larger slice without parallelism, or whole GPUs.

## When it is fine

When you have seen it run, fast enough, with the releases in use: NCCL's guide has a section on MIG instances, by 2.32
at the latest. Then waive the rule. Data parallelism over slices, one engine process for each, is fine and not reported.

## References

- Communication between slices: https://docs.rapids.ai/deployment/stable/guides/mig
- vLLM with two slices: https://github.com/vllm-project/vllm/issues/7211
- One process sees one slice: https://github.com/pytorch/pytorch/issues/130181
- NCCL's guide, Using MIG instances: https://docs.nvidia.com/deeplearning/nccl/archives/nccl_2323/user-guide/docs/genindex.html
- Parallelism in vLLM: https://docs.vllm.ai/en/latest/serving/parallelism_scaling/
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places, whole, written
from askew.findings.finding import Remedy

_SIZES = ("runtime.tensor_parallel_size", "runtime.pipeline_parallel_size")
_FLAGS = {
    "vllm": ("--tensor-parallel-size", "--pipeline-parallel-size"),
    "sglang": ("--tp-size", "--pp-size"),
    "tgi": ("--num-shard", ""),
}


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding, at the size that is larger than one."""
    profile = subject.known("hardware.gpu.mig_profile")
    if not engine(subject) or profile is None or profile.state != "known" or not profile.value:
        return
    for size, flag in zip(_SIZES, _FLAGS.get(engine(subject), _FLAGS["vllm"]), strict=True):
        value, side = whole(subject, size), subject.known(size)
        if value is None or value < 2 or not written(side):
            continue
        spots = places(subject, side, profile)
        yield found(
            CHECK,
            subject,
            fact=size,
            at=spots,
            summary=f"the model is split over {value} devices, which are MIG slices ({profile.value})",
            impact="What the workers exchange goes through host memory; some releases fail to set it up at all.",
            facts=("hardware.gpu.mig_profile",),
            remedies=(
                Remedy(
                    action="run without parallelism on one slice that is large enough, or ask for whole GPUs",
                    text=f"{flag} 1" if flag else "",
                    location=spots[0],
                    verify="the engine starts and its log reports enough KV cache",
                    undo=f"set {flag or size} to {value}",
                    safe=False,
                ),
            ),
        )
        return


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
            - {size}
          resources: {{limits: {{{resource}: 2}}}}
"""


def _case(name: str, size: str, resource: str, line: int = 0) -> Case:
    return Case(name=name, source=_DEPLOYMENT.format(size=size, resource=resource), fires=bool(line), line=line)


CHECK = Check(
    id="tensor-parallel-across-mig",
    title="The engine splits the model over MIG slices",
    category="hardware",
    severity="medium",
    confidence="possible",
    facts=(*_SIZES, "hardware.gpu.mig_profile"),
    run=run,
    playbook="hardware-mismatch",
    cases=(
        _case("two slices", "--tensor-parallel-size=2", "nvidia.com/mig-3g.40gb", line=12),
        _case("stages on slices", "--pipeline-parallel-size=2", "nvidia.com/mig-1g.10gb", line=12),
        _case("whole GPUs", "--tensor-parallel-size=2", "nvidia.com/gpu"),
        _case("a slice without parallelism", "--tensor-parallel-size=1", "nvidia.com/mig-3g.40gb"),
        _case("copies, one per slice", "--data-parallel-size=2", "nvidia.com/mig-3g.40gb"),
    ),
)
