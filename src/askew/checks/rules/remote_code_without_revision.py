"""The model's own Python code runs, at whatever its author pushed last

## What it finds

`--trust-remote-code` together with a hub repository at no fixed revision: the engine downloads Python files with the
model and executes them, and nothing says which.

## Why it matters

Whoever can push to the repository runs code in the pod, with its tokens, its volumes and its network. Apart from
attacks, a changed modelling file changes the answers, or fails against the installed version of transformers, at the
next restart of a pod and not before.

## Example

```yaml
args: ["--model", "org/custom-7b", "--trust-remote-code"]      # no --revision, no --code-revision
```

## Remedy

Review the repository's code and pin what was reviewed: `--revision COMMIT`, and with vLLM `--code-revision COMMIT`
where the code lives in another repository than the weights (`auto_map` in `config.json` names it). If the engine knows
the architecture itself, remove `--trust-remote-code`: most models of today do not need it.

## When it is fine

When the repository is your own and pushing to it needs the same review as the deployment, or holds no Python files:
then the flag has no effect today, and is better removed. Local paths and buckets are not reported, nor is a cache that
is used offline.

## References

- Custom models and code revisions: https://huggingface.co/docs/transformers/custom_models
- Engine arguments of vLLM: https://docs.vllm.ai/en/latest/configuration/engine_args/
- Files of model repositories that run code (pickle): https://huggingface.co/docs/hub/security-pickle
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import language, places
from askew.checks.rules.unpinned_model_revision import pinning, unpinned
from askew.findings.finding import Remedy


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding when remote code is on and neither the model nor its code is pinned."""
    remote = subject.known("model.trust_remote_code")
    if not language(subject) or remote is None or remote.value is not True:
        return
    code = subject.snapshot.facts.get("model.code_revision")
    if code is not None and code.state in ("known", "redacted"):
        return
    if code is not None and code.state == "unknown" and code.text:
        return  # something pins it that cannot be read here
    source = unpinned(subject)
    if source is None:
        return
    how, text = pinning(subject, source)
    spots = places(subject, remote, source)
    name = str(source.value).partition("://")[2]
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"whatever Python code {name} holds is executed: neither --revision nor --code-revision pins it",
        impact="Whoever can push to the repository changes the code that runs in the pod, at its next start.",
        facts=("model.revision",),
        remedies=(
            Remedy(
                action=f"review the repository's Python files and pin that commit {how}",
                text=text,
                location=spots[0],
                verify="the engine's log names the commit, and $HF_HOME/modules holds only that one",
                undo="remove the commit again",
            ),
            Remedy(
                action="remove --trust-remote-code if the engine supports the architecture itself",
                location=spots[0],
                verify="the engine starts without it and the same prompts give the same answers",
                undo="write --trust-remote-code again",
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
          image: vllm/vllm-openai:v0.8.5
          args:
            - --model={model}
            - --max-model-len=8192
            {more}
"""


def _case(name: str, model: str, more: str, line: int = 0) -> Case:
    return Case(name=name, source=_DEPLOYMENT.format(model=model, more=more), fires=bool(line), line=line)


_COMMIT = "8f9d1c2a09a35458c702b33eeacc393d103063aa"

CHECK = Check(
    id="remote-code-without-revision",
    title="The model's own Python code runs, at whatever its author pushed last",
    category="model",
    severity="medium",
    confidence="certain",
    facts=("model.trust_remote_code", "model.revision", "model.code_revision", "model.source"),
    run=run,
    playbook="model-identity",
    cases=(
        _case("no revision at all", "org/custom-7b", "- --trust-remote-code", line=13),
        _case("pinned to a branch", "org/custom-7b", "- --trust-remote-code\n            - --revision=main", line=13),
        Case(
            name="TGI",
            source="cmd:text-generation-launcher --model-id org/custom-7b --trust-remote-code",
            fires=True,
            line=1,
        ),
        _case("pinned", "org/custom-7b", f"- --trust-remote-code\n            - --revision={_COMMIT}"),
        _case("code pinned", "org/custom-7b", f"- --trust-remote-code\n            - --code-revision={_COMMIT}"),
        _case("a local copy", "/models/custom-7b", "- --trust-remote-code"),
        _case("no remote code", "org/custom-7b", "- --no-trust-remote-code"),
    ),
)
