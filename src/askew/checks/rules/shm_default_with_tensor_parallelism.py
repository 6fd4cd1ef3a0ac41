"""Tensor parallelism with /dev/shm at its default of 64 MiB

## What it finds

A container that splits the model over several of its GPUs and leaves `/dev/shm` at the container runtime's default of
64 MiB: no memory-backed volume is mounted there, and no `shm_size`, `--shm-size` or host IPC is set.

## Why it matters

The processes of a tensor parallel group pass data through shared memory: NCCL between GPUs without peer access, the
engine between its workers. When 64 MiB do not suffice, NCCL fails with `Error while creating shared memory segment` or
`No space left on device`. Whether it happens depends on how the node's GPUs are connected.

## Example

```yaml
args: ["--model", "org/llama-70b", "--tensor-parallel-size", "4"]
# no volume at /dev/shm
```

## Remedy

```yaml
volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 16Gi}}]
# in the container:
volumeMounts: [{name: shm, mountPath: /dev/shm}]
```

The memory counts towards the container's limit once it is used. With Docker: `--shm-size 16g` or `--ipc=host`.

## When it is fine

On nodes whose GPUs have peer access, with an engine release that needs little for its own messages, and where the
runtime's default was raised (`default-shm-size` of Docker). Hence *likely*, not *certain*. Where a controller
may mount memory at `/dev/shm` itself (KubeRay's kinds, KubeAI's Model, NIMService, KServe's presets), the size is
unknown and nothing is reported.

## References

- vLLM on Kubernetes, shared memory: https://docs.vllm.ai/en/latest/deployment/k8s/
- vLLM in Docker: https://docs.vllm.ai/en/latest/deployment/docker/
- NCCL and shared memory: https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html#shared-memory
- Reports: https://github.com/vllm-project/vllm/issues/1710, https://github.com/NVIDIA/nccl/issues/525
- A pod left at 64 MiB by its chart: https://github.com/vllm-project/production-stack/issues/276
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places, whole
from askew.findings.finding import Remedy

_ENOUGH = 256 * 2**20


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding when several GPUs of one container share a model through the default."""
    shm, tensor = subject.known("orchestration.shm.bytes"), subject.known("runtime.tensor_parallel_size")
    size, ranks = whole(subject, "orchestration.shm.bytes"), whole(subject, "runtime.tensor_parallel_size")
    if not engine(subject) or shm is None or size is None or tensor is None or ranks is None or ranks < 2:
        return
    if shm.origin != "platform-default" or size >= _ENOUGH:
        return
    hosts, gpus = whole(subject, "orchestration.hosts") or 1, whole(subject, "hardware.gpu.count")
    if gpus is not None and gpus <= hosts:
        return  # one GPU in each pod: nothing is shared inside a container (or no GPU at all)
    spots = places(subject, tensor, subject.known("hardware.gpu.count"))
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"the model is split over {ranks} GPUs, and /dev/shm has its default of {size // 2**20} MiB",
        impact="NCCL can fail for want of shared memory and the engine with it, depending on how the node's "
        "GPUs are connected.",
        facts=("runtime.tensor_parallel_size",),
        remedies=(
            Remedy(
                action="mount an emptyDir with medium Memory and a sizeLimit at /dev/shm (with Docker: --shm-size 16g)",
                text="volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 16Gi}}]\n"
                "volumeMounts: [{name: shm, mountPath: /dev/shm}]",
                location=subject.snapshot.launch.location if subject.snapshot.launch is not None else None,
                verify="df -h /dev/shm in the container shows the size",
                undo="remove the mount and the volume",
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
      hostIPC: {ipc}
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args:
            - --model=/models/llama
            - --tensor-parallel-size={size}
          resources: {{limits: {{nvidia.com/gpu: {size}}}}}
          volumeMounts: [{{name: {mount}, mountPath: /{path}}}]
      volumes: [{{name: cache, emptyDir: {{}}}}, {{name: shm, emptyDir: {{medium: Memory, sizeLimit: 16Gi}}}}]
"""


def _case(name: str, size: int, mount: str, path: str, line: int = 0, *, ipc: str = "false") -> Case:
    source = _DEPLOYMENT.format(size=size, mount=mount, path=path, ipc=ipc)
    return Case(name=name, source=source, fires=bool(line), line=line)


_COMPOSE = """\
services:
  llm:
    image: vllm/vllm-openai:v0.8.5
    command: --model /models/llama --tensor-parallel-size 2
    {more}
    deploy: {{resources: {{reservations: {{devices: [{{driver: nvidia, count: 2, capabilities: [gpu]}}]}}}}}}
"""

CHECK = Check(
    id="shm-default-with-tensor-parallelism",
    title="Tensor parallelism with /dev/shm at its default of 64 MiB",
    category="orchestration",
    severity="medium",
    confidence="likely",
    facts=("orchestration.shm.bytes", "runtime.tensor_parallel_size", "hardware.gpu.count"),
    run=run,
    playbook="scheduling",
    cases=(
        _case("only a cache is mounted", 4, "cache", "root/.cache", line=13),
        _case("the volume is there and mounted elsewhere", 2, "shm", "tmp", line=13),
        Case(name="compose", source=_COMPOSE.format(more="restart: always"), fires=True, line=4),
        _case("mounted", 4, "shm", "dev/shm"),
        _case("one GPU", 1, "cache", "root/.cache"),
        _case("host IPC", 4, "cache", "root/.cache", ipc="true"),
        Case(name="compose with ipc: host", source=_COMPOSE.format(more="ipc: host"), fires=False),
        Case(name="no container", source="cmd:vllm serve /models/llama --tensor-parallel-size 4", fires=False),
    ),
)
