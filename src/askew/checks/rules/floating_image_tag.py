"""The image tag moves, so the same manifest runs different engines

## What it finds

An engine's image that is named by a tag which its publisher moves (`latest`, `nightly`, `main`, `dev`, a channel such
as `latest-cu128`), or by no tag at all, which means `latest`, and not by a digest.

## Why it matters

Nodes may pull the tag at different moments. Two replicas of one Deployment can then run two releases of the engine,
with other defaults and other kernels; a pod that restarts on another node can "upgrade" the model server while nobody
changed anything; and going back to the last manifest does not bring back the last engine. vLLM has changed defaults
between minor releases: since 0.8 the model's `generation_config.json` sets the sampling defaults, so a pod that
pulled a newer `latest` can answer with another temperature.

## Example

```yaml
containers:
  - name: vllm
    image: vllm/vllm-openai:latest     # whatever was pushed last
```

## Remedy

Name the release that was tested (`vllm/vllm-openai:v0.8.5`), or better its digest (`…@sha256:…`). The digest that
runs now is in `kubectl get pod POD -o jsonpath='{.status.containerStatuses[*].imageID}'`.

## When it is fine

In a sandbox that is meant to follow the newest build, and where a tool rewrites the tag to a digest before anything
is deployed (Argo CD Image Updater, Kyverno, GKE's Binary Authorization). Waive it there with that reason. A tag that
names a commit or a date beside the channel (`nightly-5c72c8e`, `dev-20260102`) does not move and is not reported, nor
is an image without registry and organisation (`my-engine:latest`): it is built on the spot, or a placeholder.

## References

- Kubernetes on images and tags: https://kubernetes.io/docs/concepts/containers/images/#image-names
- Sampling defaults that changed with vLLM 0.8: https://github.com/vllm-project/vllm/pull/12622, as users met it:
  https://github.com/vllm-project/vllm/issues/15241
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import serves, written
from askew.findings.finding import Remedy

_ANYWHERE = frozenset(("latest", "nightly"))
# These are channels only where the tag begins with them: spark-dev may be one build, dev-cu12 is not.
_FIRST = frozenset(("main", "master", "dev", "develop", "edge", "stable", "head", "trunk", "canary", "rolling"))
# Images without a registry or organisation: no engine is published there. They are built on the spot, or stand for
# the image that kustomize or a deployment tool puts in.
_LOCAL = "docker.io/library/"
# What a tag says of the base it was built on is no release of the engine: cu128, cuda12.4, rocm6.2, py3.12.
_BASE = r"(?:cu|cuda|rocm|py|python|torch|ubuntu|debian|xpu|cann)-?v?\d[\d.]*"
# A release, a date or a commit beside the channel makes the tag one that stays.
_FIXED = r"\d+\.\d+|(?<!\d)20\d\d-?[01]\d-?[0-3]\d|(?<![0-9a-z])(?=[a-f]*\d)[0-9a-f]{7,40}(?![0-9a-z])"


def moves(tag: str) -> bool:
    """Whether a tag is one that its publisher moves: a channel's name, and nothing that pins it beside the name."""
    text = re.sub(_BASE, "", tag.lower())
    words = re.split(r"[-._]", text)
    return (words[0] in _FIRST or not _ANYWHERE.isdisjoint(words)) and not re.search(_FIXED, text)


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the engine's image."""
    if not serves(subject):
        return
    tag, digest = subject.known("runtime.image.tag"), subject.known("runtime.image.digest")
    # A digest that a live pod reports says what ran there once, and pins nothing.
    pinned = digest is not None and digest.value is not None and digest.basis == "asked"
    if tag is None or pinned or not isinstance(tag.value, str) or not moves(tag.value) or not written(tag):
        return
    image = subject.known("runtime.image")
    if image is None or str(image.value).startswith(_LOCAL):
        return
    implied = tag.origin == "platform-default"
    what = "has no tag, so it is pulled as latest" if implied else f"has the tag {tag.value}, which moves"
    name = str(image.value)
    yield found(
        CHECK,
        subject,
        summary=f"{name} {what}",
        impact="Each node runs what the tag meant when it pulled: replicas can differ, and a restart can change the "
        "engine's release and its defaults.",
        remedies=(
            Remedy(
                action="name the release that was tested as the image's tag, or pin the image by its digest",
                text=f"{name.removeprefix('docker.io/')}@sha256:… (or a release's tag)",
                location=tag.locations[0] if tag.locations else None,
                verify="kubectl get pods -o jsonpath='{..status.containerStatuses[*].imageID}' shows one digest",
                undo=f"write {tag.value if not implied else 'the image without a tag'} again",
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
          image: {image}
          args: ["--model", "Qwen/Qwen2.5-7B-Instruct"]
          resources: {{limits: {{nvidia.com/gpu: 1}}}}
"""

CHECK = Check(
    id="floating-image-tag",
    title="The image tag moves, so the same manifest runs different engines",
    category="runtime",
    severity="medium",
    confidence="certain",
    facts=("runtime.image.tag", "runtime.image.digest", "runtime.image"),
    run=run,
    playbook="engine-version",
    cases=(
        Case(name="latest", source=_DEPLOYMENT.format(image="vllm/vllm-openai:latest"), fires=True, line=9),
        Case(name="no tag", source=_DEPLOYMENT.format(image="lmsysorg/sglang"), fires=True, line=9),
        Case(
            name="a channel for one CUDA release",
            source=_DEPLOYMENT.format(image="lmsysorg/sglang:latest-cu12.4"),
            fires=True,
            line=9,
        ),
        Case(
            name="compose",
            source="services:\n  llm:\n    image: vllm/vllm-openai:nightly\n    command: --model Qwen/Qwen2.5-7B\n",
            fires=True,
            line=3,
        ),
        Case(
            name="a placeholder that kustomize replaces",
            source=_DEPLOYMENT.format(image="engine"),
            fires=False,
        ),
        Case(
            name="dev at the end is no channel",
            source=_DEPLOYMENT.format(image="registry.example/llm/vllm-openai:spark-single-gpu-dev"),
            fires=False,
        ),
        Case(name="a release", source=_DEPLOYMENT.format(image="vllm/vllm-openai:v0.8.5"), fires=False),
        Case(
            name="latest, but pinned by digest",
            source=_DEPLOYMENT.format(image="vllm/vllm-openai:latest@sha256:" + "2c" * 32),
            fires=False,
        ),
        Case(
            name="a nightly build named by its commit",
            source=_DEPLOYMENT.format(image="vllm/vllm-openai:nightly-5c72c8ee0a1b"),
            fires=False,
        ),
        Case(
            name="a development build named by its release",
            source=_DEPLOYMENT.format(image="lmsysorg/sglang:v0.4.6.post1-dev"),
            fires=False,
        ),
        Case(name="no image to see", source="cmd:vllm serve Qwen/Qwen2.5-7B-Instruct", fires=False),
    ),
)
