"""The model is of a newer ONNX operator set than the ONNX Runtime in the image loads

## What it finds

An ONNX model whose operator set (`onnx.opset` in `model.training.packages`, read from the file) is newer than the
newest one that the image's release of ONNX Runtime loads. The release comes from a list of what is installed, or from
what the engine's release is built with (Triton's releases say it).

## Why it matters

ONNX Runtime refuses such a model when it is loaded. An exporter that was upgraded in training writes a newer set by
default, and the first deployment that notices is the one that does not start, or a fallback that serves the old model.

## Example

```
model.onnx      opset 21
installed.txt   onnxruntime==1.17.3     # loads sets up to 20
```

## Remedy

Install a release of ONNX Runtime that loads the set, or export the model again with an older one
(`torch.onnx.export(…, opset_version=20)`).

## When it is fine

When something else than ONNX Runtime loads the model (TensorRT, OpenVINO), or when unreleased operator sets are allowed
by `ALLOW_RELEASED_ONNX_OPSET_ONLY=0`.

## References

- ONNX Runtime compatibility: https://onnxruntime.ai/docs/reference/compatibility.html
- Operator sets: https://github.com/onnx/onnx/blob/main/docs/Versioning.md
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.packages import SERVING, TRAINING, entries, pinned_by_release
from askew.checks.reading import lines, places
from askew.findings.finding import Remedy

_OPSET = "onnx.opset"
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the model."""
    stamped = entries(subject.snapshot.facts.get(TRAINING)).get(_OPSET)
    if stamped is None or stamped.state != "known" or not str(stamped.value).isdecimal():
        return
    from askew.knowledge.packages import largest_opset

    installed, pinned = entries(subject.snapshot.facts.get(SERVING)), pinned_by_release(subject)
    for name in _RUNTIMES:
        runtime = installed.get(name) or pinned.get(name)
        if runtime is None or runtime.state != "known" or not isinstance(runtime.value, str):
            continue
        largest = largest_opset(runtime.value)
        if largest is None or int(str(stamped.value)) <= largest or not lines((runtime, stamped)):
            continue
        yield found(
            CHECK,
            subject,
            fact=SERVING,
            key=name,
            target=runtime,
            reference=stamped,
            at=places(subject, runtime, stamped),
            facts=(TRAINING,),
            summary=f"{name} {runtime.value} loads ONNX operator sets up to {largest}; the model has {stamped.value}",
            impact="ONNX Runtime refuses the model when it is loaded: it does not start, or the old one is served on.",
            remedies=(
                Remedy(
                    action=f"export the model again with operator set {largest}, or install a newer {name}",
                    text=f"opset_version={largest}",
                    location=places(subject, runtime, stamped)[0],
                    verify="the server reports the model as ready",
                    undo="serve the model as it was exported",
                    safe=False,
                ),
            ),
        )


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: churn}}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: {image}
          args: {args}
"""
_KSERVE = _DEPLOYMENT.format(image="registry.example/churn:1", args="[serve]")
_TRITON = _DEPLOYMENT.format(
    image="nvcr.io/nvidia/tritonserver:24.05-py3", args="[tritonserver, --model-repository=/models]"
)
# A model of one operator as ONNX's protocol buffer has it: IR version 7, the operator set, a graph with Identity.
_MODEL = (
    '\x08\x07B\x02\x10{opset}:7\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01g'
    "Z\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01"
)


def _case(name: str, opset: int, packages: str = "", source: str = _KSERVE, line: int = 0) -> Case:
    model = ("hf:model.onnx", "model.onnx", _MODEL.format(opset=chr(opset)))
    listed = (("packages:installed.txt", "installed.txt", packages),) if packages else ()
    return Case(name=name, source=source, joined=(model, *listed), fires=bool(line), line=line)


CHECK = Check(
    id="onnx-opset-beyond-runtime",
    title="The model is of a newer ONNX operator set than the ONNX Runtime in the image loads",
    category="model",
    severity="high",
    confidence="likely",
    facts=(SERVING, TRAINING),
    run=run,
    playbook="model-identity",
    cases=(
        _case("an older ONNX Runtime", 21, "numpy==1.26.4\nonnxruntime==1.17.3\n", line=2),
        _case("the build for GPUs", 22, "onnxruntime-gpu==1.19.2\n", line=1),
        _case("what Triton's release is built with", 22, source=_TRITON, line=9),
        _case("the newest set that the release loads", 20, "onnxruntime==1.17.3\n"),
        _case("an older set", 17, "onnxruntime==1.17.3\n"),
        _case("a release that was not tried", 21, "onnxruntime==9.0.0\n"),
        _case("no ONNX Runtime in the image", 23, "numpy==1.26.4\n"),
    ),
)
