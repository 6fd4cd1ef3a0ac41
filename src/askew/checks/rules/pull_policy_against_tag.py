"""A tag that moves is pulled only where it is missing

## What it finds

An engine image with a tag that its publisher moves (`latest`, `nightly`, `main`) and the pull policy `IfNotPresent`,
written or by default: Kubernetes chooses `Always` by itself only for `latest`.

## Why it matters

Each node keeps the build it pulled first. Replicas of one Deployment can then run different engines, and which one
answers a client depends on the node.

## Example

```yaml
image: vllm/vllm-openai:latest
imagePullPolicy: IfNotPresent
```

## Remedy

Name a release or a digest, and keep `IfNotPresent`. Until then `imagePullPolicy: Always` makes new pods agree.

## When it is fine

On a single node that is replaced with each release. Images that carry a digest are not reported, nor `Never`, which
says that somebody loads the images by hand.

## References

- Pull policies: https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places, written
from askew.checks.rules.floating_image_tag import moves
from askew.findings.finding import Remedy


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the engine's image."""
    policy, tag = subject.known("orchestration.image_pull_policy"), subject.known("runtime.image.tag")
    digest = subject.known("runtime.image.digest")
    if not engine(subject) or policy is None or tag is None or tag.state != "known":
        return
    if policy.value != "IfNotPresent" or not moves(str(tag.value)) or (digest is not None and digest.value):
        return
    # By default a lone host keeps what it has; nodes that disagree are a matter of a cluster.
    if not written(policy) and not subject.snapshot.workload.location.object:
        return
    spots = places(subject, policy, tag)
    how = "by default" if policy.origin == "platform-default" else "as written"
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"the tag {tag.value} moves, and {how} a node pulls it only when it has none",
        impact="Nodes keep the build they pulled first: replicas can run different releases of the engine.",
        facts=("runtime.image.tag",),
        remedies=(
            Remedy(
                action="name a release or a digest in image; until then, set imagePullPolicy to Always",
                text="imagePullPolicy: Always",
                location=spots[0],
                verify="all pods show the same imageID: kubectl get pods -o jsonpath='{..imageID}'",
                undo="set imagePullPolicy to IfNotPresent"
                if policy.origin != "platform-default"
                else "remove imagePullPolicy",
                safe=False,
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
          image: vllm/vllm-openai{tag}
          imagePullPolicy: {policy}
          args: ["--model", "/models/qwen"]
"""


def _case(name: str, tag: str, policy: str, line: int = 0) -> Case:
    return Case(name=name, source=_DEPLOYMENT.format(tag=tag, policy=policy), fires=bool(line), line=line)


CHECK = Check(
    id="pull-policy-against-tag",
    title="A tag that moves is pulled only where it is missing",
    category="orchestration",
    severity="low",
    confidence="likely",
    facts=("orchestration.image_pull_policy", "runtime.image.tag", "runtime.image.digest"),
    run=run,
    playbook="engine-version",
    cases=(
        _case("latest, kept", ":latest", "IfNotPresent", line=10),
        _case("nightly, kept", ":nightly", "IfNotPresent", line=10),
        _case("latest, always pulled", ":latest", "Always"),
        _case("a release, kept", ":v0.8.5", "IfNotPresent"),
        _case("a digest beside the tag", ":latest@sha256:" + "ab" * 32, "IfNotPresent"),
        Case(
            name="one host",
            source="services:\n  llm:\n    image: vllm/vllm-openai:nightly\n    command: --model /models/qwen\n",
            fires=False,
        ),
        _case("loaded by hand", ":latest", "Never"),
    ),
)
