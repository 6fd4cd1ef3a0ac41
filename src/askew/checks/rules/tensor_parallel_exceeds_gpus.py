"""The engine splits the model over more GPUs than it gets

## What it finds

Tensor × pipeline parallel size (and data parallel size, where all ranks run in the same pods) larger than the number
of GPUs of one replica, counted over all pods of a multi-node group.

## Why it matters

The engine does not start: it waits for devices that it never gets, or exits with an error. On a rolling update the old
pods may keep serving, so that the mistake can go unseen until they are gone.

## Example

```yaml
args: ["--model", "org/llama-70b", "--tensor-parallel-size", "4"]
resources:
  limits: {nvidia.com/gpu: 2}
```

## Remedy

Give the replica as many GPUs as the product of the sizes, or lower the sizes to what it has. Fewer GPUs hold less:
check that weights and KV cache still fit before lowering.

## When it is fine

When the engine joins GPUs that this source does not show: a Ray cluster whose workers are deployed elsewhere, or other
pods of a group started by hand. Those are not reported when the launch says so (`--distributed-executor-backend ray`,
`ray start`, `--nnodes`); waive the rule where it does not. TPU and Neuron devices are not counted: one device is
several cores there.

## References

- Parallelism in vLLM: https://docs.vllm.ai/en/latest/serving/parallelism_scaling/
- SGLang's server arguments: https://docs.sglang.ai/advanced_features/server_arguments.html
- TGI's launcher (`--num-shard`): https://huggingface.co/docs/text-generation-inference/reference/launcher
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Needs, Outcome, Subject, found
from askew.checks.reading import argument, engine, places, whole, written
from askew.findings.finding import Remedy
from askew.resolve.observation import Confidence

_FLAGS = {
    "vllm": ("--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size"),
    "sglang": ("--tp-size", "--pp-size", "--dp-size"),
    "tgi": ("--num-shard", "", ""),
}
_SIZES = ("runtime.tensor_parallel_size", "runtime.pipeline_parallel_size", "runtime.data_parallel_size")
# A device of these is several cores, each of which can hold a part of the model.
_MANY_CORES = frozenset(("google", "aws"))
# With any of these the data parallel ranks are spread over pods, or over the GPUs of a tensor parallel group.
_SPREAD = (
    "--data-parallel-size-local",
    "--data-parallel-external-lb",
    "--data-parallel-hybrid-lb",
    "--data-parallel-multi-port-external-lb",
    "--data-parallel-backend",
    "--enable-dp-attention",
    "--attn-dp-size",
    "--dwdp-size",
)
_SPREAD_ADDRESSES = (
    "--data-parallel-address",
    "-dpa",
    "--data-parallel-rank",
    "-dpn",
    "--data-parallel-start-rank",
    "-dpr",
    "--dist-init-addr",
)
_GROUPS = frozenset(
    ("LeaderWorkerSet", "RayService", "RayCluster", "RayJob", "InferenceService", "LLMInferenceService")
)


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding when the product of the sizes is larger than the GPUs that can be counted."""
    gpus = whole(subject, "hardware.gpu.count")
    tensor = subject.known(_SIZES[0])
    if not engine(subject) or not any(written(subject.known(size)) for size in _SIZES):
        return
    vendor = subject.known("hardware.gpu.vendor")
    if vendor is not None and vendor.value in _MANY_CORES:
        return
    factors = [(size, whole(subject, size) or 1) for size in _SIZES[: 3 if _one_place(subject) else 2]]
    needed = 1
    for _, factor in factors:
        needed *= factor
    if gpus is None:
        counted = subject.snapshot.facts.get("hardware.gpu.count")
        if needed > 1 and counted is not None and counted.origin != "platform-default" and not counted.missing:
            yield Needs(fact="hardware.gpu.count", reason=counted.reason)
        return
    # Without a request the GPUs, if any, come past the scheduler: nothing says how many.
    if not gpus or needed <= gpus:
        return
    nodes, hosts = argument(subject, "--nnodes"), whole(subject, "orchestration.hosts") or 1
    if nodes is not None:
        if not nodes.isdecimal():
            return
        gpus = gpus * max(int(nodes), hosts) // hosts
        if needed <= gpus:
            return
    if hosts == 1 and _elsewhere(subject):
        yield Needs(fact="hardware.gpu.count", reason="the engine uses a Ray cluster whose other pods are not shown")
        return
    counted = subject.known("hardware.gpu.count")
    named = _FLAGS.get(engine(subject), _FLAGS["vllm"])
    written_sizes = [
        (flag or size, value, size) for flag, (size, value) in zip(named, factors, strict=False) if value > 1
    ]
    product = " × ".join(f"{flag} {value}" for flag, value, _ in written_sizes)
    confidence: Confidence = "certain" if len(factors) == 2 or factors[2][1] == 1 else "likely"
    spots = places(subject, *(subject.known(size) for _, _, size in written_sizes), counted)
    resource = subject.known("hardware.gpu.resource")
    yield found(
        CHECK,
        subject,
        fact=written_sizes[0][2],
        at=spots,
        confidence=confidence,
        summary=f"{product} needs {needed} GPUs, and a replica has {gpus}",
        impact="The engine does not start: it waits for devices that it never gets, or exits.",
        facts=("hardware.gpu.count",),
        remedies=(
            Remedy(
                action=f"give the replica {needed} GPUs"
                + (f" through resources.limits.{resource.value}" if resource is not None else ""),
                text=f"{resource.value}: {needed}" if resource is not None and hosts == 1 else "",
                location=counted.locations[0] if counted is not None and counted.locations else None,
                verify="the pods run and the engine's log names as many workers",
                undo=f"ask for {gpus} again",
            ),
            Remedy(
                action=f"lower the parallel sizes to a product of {gpus}, if the model fits on that many",
                text=f"{named[0]} {gpus}" if len(written_sizes) == 1 and tensor is not None else "",
                location=spots[0],
                verify="the engine starts and reports enough KV cache for the context length",
                undo=f"write {product.replace(' × ', ' ')} again",
                safe=False,
            ),
        ),
    )


def _one_place(subject: Subject) -> bool:
    """Whether all data parallel ranks run in this replica, each on GPUs of its own."""
    if any(argument(subject, name) not in (None, "false", "False") for name in _SPREAD):
        return False
    launch = subject.snapshot.launch
    words = [token.text.partition("=")[0] for token in launch.argv] if launch is not None else []
    return _tells_none(words) and engine(subject) in ("vllm", "sglang")


def _tells_none(words: list[str]) -> bool:
    return not any(word.replace("_", "-") in _SPREAD_ADDRESSES for word in words)


def _elsewhere(subject: Subject) -> bool:
    """Whether the engine takes its GPUs from a Ray cluster that is not part of this workload."""
    if subject.snapshot.workload.kind in _GROUPS:
        return False
    if argument(subject, "--distributed-executor-backend") == "ray" or argument(subject, "--worker-use-ray"):
        return True
    container = subject.snapshot.container
    started = (container.launch, *container.processes) if container is not None else ()
    return any("ray start" in " ".join(token.text for token in launch.argv) for launch in started)


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: {image}
          args:
            - --model=/models/llama
            {sizes}
          resources: {{limits: {{{resource}: {gpus}}}}}
"""


def _case(
    name: str,
    gpus: int,
    *sizes: str,
    image: str = "vllm/vllm-openai:v0.8.5",
    resource: str = "nvidia.com/gpu",
    line: int = 0,
) -> Case:
    joined = "\n            ".join(f"- {size}" for size in sizes)
    source = _DEPLOYMENT.format(image=image, sizes=joined, gpus=gpus, resource=resource)
    return Case(name=name, source=source, fires=bool(line), line=line)


_GROUP = """\
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {name: llm}
spec:
  replicas: 1
  leaderWorkerTemplate:
    size: 2
    workerTemplate:
      spec:
        containers:
          - name: engine
            image: lmsysorg/sglang:v0.4.6
            command: [python3, -m, sglang.launch_server, --model-path=/models/m, --tp=16, --nnodes=2]
            resources: {limits: {nvidia.com/gpu: 8}}
"""

CHECK = Check(
    id="tensor-parallel-exceeds-gpus",
    title="The engine splits the model over more GPUs than it gets",
    category="hardware",
    severity="high",
    confidence="certain",
    facts=(*_SIZES, "hardware.gpu.count", "orchestration.hosts"),
    run=run,
    playbook="hardware-mismatch",
    cases=(
        _case("four over two", 2, "--tensor-parallel-size=4", line=12),
        _case("the product", 4, "--tensor-parallel-size=4", "--pipeline-parallel-size=2", line=12),
        _case("pipeline alone", 1, "--pipeline-parallel-size=2", line=12),
        Case(
            name="SGLang in compose",
            source="services:\n  llm:\n    image: lmsysorg/sglang:v0.4.6\n"
            "    command: python3 -m sglang.launch_server --model-path /models/m --tp 4\n"
            "    deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 2, capabilities: [gpu]}]}}}\n",
            fires=True,
            line=4,
        ),
        _case("as many", 8, "--tensor-parallel-size=4", "--pipeline-parallel-size=2"),
        _case("fewer than it has", 4, "--tensor-parallel-size=2"),
        _case("no GPU asked for: past the scheduler", 0, "--tensor-parallel-size=2"),
        _case("Ray workers elsewhere", 4, "--tensor-parallel-size=8", "--distributed-executor-backend=ray"),
        _case("data parallel ranks elsewhere", 2, "--data-parallel-size=4", "--data-parallel-size-local=2"),
        _case("one of several nodes", 8, "--tensor-parallel-size=16", "--nnodes=2", image="vllm/vllm-openai:v0.12.0"),
        _case("cores of TPU chips", 4, "--tensor-parallel-size=8", resource="google.com/tpu"),
        Case(name="a group of two pods", source=_GROUP, fires=False),
    ),
)
