"""The engine runs on another GPU than was asked for

## What it finds

A GPU model that was seen where the engine runs (`nvidia-smi`, NVML, the label of the node) and that is none of those
that the deployment asks for by node selector, affinity or annotation.

## Why it matters

Cards of one family differ: an H100 on PCIe has about 60 % of the memory bandwidth of the SXM card and half its power,
an A100 comes with 40 or 80 GB. The same settings are then slower, hold fewer requests, or do not fit. A selector that
nobody applied, a node with a wrong label, or a cloud that delivered another machine are not seen in any manifest.

## Example

```yaml
nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}
```

and `nvidia-smi -L` in the container: `GPU 0: NVIDIA H100 PCIe`.

## Remedy

See on which node the pod runs and why it was let there (`kubectl get pod -o wide`, the labels of the node); correct the
label or the selector and start the pod again. Where the other GPU is meant, ask for it and check memory, parallel sizes
and benchmarks anew.

## When it is fine

When what was captured comes from another machine than the deployment's. Where the devices seen are among those asked
for, nothing is said.

## References

- GPU feature discovery: https://github.com/NVIDIA/k8s-device-plugin/tree/main/docs/gpu-feature-discovery
- NVIDIA H100: https://www.nvidia.com/en-us/data-center/h100/
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

_MODEL = "hardware.gpu.model"
_ASKED = frozenset(("explicit", "declared", "contract"))


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding when nothing of what was seen is among what was asked for."""
    seen = subject.known(_MODEL)
    if seen is None or seen.basis != "seen" or not isinstance(seen.value, list) or not seen.value:
        return
    asked = next((one for one in seen.shadowed if one.origin in _ASKED and isinstance(one.value, list)), None)
    if asked is None or not isinstance(asked.value, list) or not asked.value:
        return
    wanted, shown = {str(one) for one in asked.value}, {str(one) for one in seen.value}
    if wanted & shown:
        return
    names, others = " or ".join(sorted(shown)), " or ".join(sorted(wanted))
    yield found(
        CHECK,
        subject,
        fact=_MODEL,
        target=seen,
        reference=Resolved(
            fact=_MODEL, state="known", value=asked.value, origin=asked.origin, locations=asked.locations
        ),
        confidence=seen.confidence,
        summary=f"the engine runs on {names}, and {others} was asked for",
        impact="Memory, bandwidth and supported dtypes differ: the same settings are slower, hold fewer requests, or "
        "do not fit.",
        remedies=(
            Remedy(
                action=f"see why the pod is on a node with {names}: its labels, and the selector that chose it",
                location=asked.locations[0] if asked.locations else None,
                text="kubectl get pod $POD -o wide && kubectl get node $NODE --show-labels",
                verify=f"nvidia-smi -L in the container shows {others}",
                undo="nothing was changed",
            ),
        ),
    )


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: llm}
spec:
  template:
    spec:
      nodeSelector: {%s}
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          args: [--model=org/llama]
          resources: {limits: {nvidia.com/gpu: 1}}
"""
_SXM = "nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3"
_SMALL = "nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB"
_FAMILY = "cloud.google.com/gke-accelerator: nvidia-h100-80gb"


def _case(name: str, selector: str, device: str, *, line: int = 0) -> Case:
    listed = f"GPU 0: {device} (UUID: GPU-0a1b2c3d-1111-2222-3333-444455556666)\n"
    joined = (("nvidia-smi:smi.txt", "smi.txt", listed),)
    return Case(name=name, source=_DEPLOYMENT % selector, fires=bool(line), line=line, joined=joined)


CHECK = Check(
    id="gpu-other-than-requested",
    title="The engine runs on another GPU than was asked for",
    category="hardware",
    severity="high",
    confidence="certain",
    facts=(_MODEL,),
    run=run,
    playbook="hardware-mismatch",
    cases=(
        _case("the card for PCIe", _SXM, "NVIDIA H100 PCIe", line=1),
        _case("half the memory", _SMALL, "NVIDIA A100-SXM4-40GB", line=1),
        _case("the one that was asked for", _SXM, "NVIDIA H100 80GB HBM3"),
        _case("as a cloud calls it", _FAMILY, "NVIDIA H100 80GB HBM3"),
        _case("a name that nobody knows", _SXM, "NVIDIA X9000"),
        _case("nothing was asked for", "disk: fast", "NVIDIA H100 PCIe"),
        Case(name="nothing was seen", source=_DEPLOYMENT % _SXM, fires=False),
    ),
)
