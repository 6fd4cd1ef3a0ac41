"""A file from a ConfigMap or Secret never changes in running containers: it is mounted by subPath

## What it finds

A ConfigMap or Secret mounted with `subPath` into the container of the engine.

## Why it matters

The kubelet updates mounted ConfigMaps and Secrets, except where they are mounted by `subPath`. After an edit, pods
that were started before and after it run with different chat templates, configuration files or adapters, until all of
them are restarted.

## Example

```yaml
volumeMounts:
  - name: templates
    mountPath: /templates/chat.jinja
    subPath: chat.jinja
```

## Remedy

Mount the whole volume into a directory, where the file may be replaced; or restart the pods with every edit, which a
checksum of the content in the pod's annotations, or a name that holds a hash (kustomize), does by itself.

## When it is fine

When every edit restarts the pods, or the file never changes. ConfigMaps
whose name ends in the hash of kustomize are not reported where the source shows them.
An engine that reads the file once needs the restart either way.

## References

- Mounted ConfigMaps are updated automatically: https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
- subPath: https://kubernetes.io/docs/concepts/storage/volumes/#using-subpath
- The report that led to the note: https://github.com/kubernetes/kubernetes/issues/50345
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, places, written
from askew.findings.finding import Remedy

# kustomize ends names with ten characters of these: a changed content is another object, and the pods are replaced.
_HASHED = r"-[2456789bcdfghkmt]{10}\Z"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per mount."""
    volumes = subject.known("orchestration.volumes")
    if not engine(subject) or volumes is None:
        return
    for path, entry in sorted(volumes.entries.items()):
        mount = entry.value
        if entry.state != "known" or not isinstance(mount, dict) or not written(entry):
            continue
        kind, source = str(mount.get("type")), str(mount.get("source") or "")
        if not mount.get("sub_path") or kind not in ("configMap", "secret") or _named_by_content(subject, path):
            continue
        name = "ConfigMap" if kind == "configMap" else "Secret"
        spots = places(subject, entry)
        yield found(
            CHECK,
            subject,
            key=path,
            target=entry,
            at=spots,
            summary=f"{path} comes from the {name} {source} by subPath: edits do not reach running pods",
            impact="After an edit old and new pods run with different content until all are restarted.",
            remedies=(
                Remedy(
                    action=f"mount the {name} as a directory without subPath, or let its content's checksum be an "
                    "annotation of the pod template",
                    location=spots[0],
                    verify="edit the object and compare the file in a running pod after two minutes",
                    undo=f"mount it with subPath: {mount['sub_path']} again",
                    safe=False,
                ),
            ),
        )


def _named_by_content(subject: Subject, path: str) -> bool:
    """Whether the object behind the mount, where a source shows it, carries a hash of its content in its name."""
    launch = subject.snapshot.launch
    file = launch.files.get(path) if launch is not None else None
    return file is not None and re.search(_HASHED, file.location.object) is not None


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
          args: ["--model", "/models/qwen"]
          volumeMounts:
            - {{name: file, mountPath: /etc/engine/file, {how}}}
      volumes: [{{name: file, {volume}}}]
"""


def _case(name: str, how: str, volume: str, line: int = 0, more: str = "") -> Case:
    return Case(name=name, source=_DEPLOYMENT.format(how=how, volume=volume) + more, fires=bool(line), line=line)


_HASHED_MAP = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: templates-9bc2gt64fk}
data: {chat.jinja: "{{ messages }}"}
"""

CHECK = Check(
    id="subpath-config-never-updates",
    title="A file from a ConfigMap or Secret never changes in running containers: it is mounted by subPath",
    category="orchestration",
    severity="low",
    confidence="likely",
    facts=("orchestration.volumes",),
    run=run,
    playbook="scheduling",
    cases=(
        _case("a ConfigMap", "subPath: chat.jinja", "configMap: {name: templates}", line=12),
        _case("a Secret", "subPath: key.pem", "secret: {secretName: tls}", line=12),
        _case("a directory", "readOnly: true", "configMap: {name: templates}"),
        _case("weights in a claim", "subPath: qwen", "persistentVolumeClaim: {claimName: models}"),
        _case(
            "named by its content", "subPath: chat.jinja", "configMap: {name: templates-9bc2gt64fk}", more=_HASHED_MAP
        ),
    ),
)
