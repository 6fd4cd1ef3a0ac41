"""The model's revision is not pinned, so its author can change what is served

## What it finds

A model that is taken from a hub by its name alone, or at a revision that moves (`main`), so that every download takes
whatever its author pushed last.

## Why it matters

Weights, tokenizer, chat template and `generation_config.json` come from the repository's newest commit. Authors do
change such files after publication. Pods that download at different
times can then serve different models under one name, and an evaluation of last month says nothing about the pod that
started today.

## Example

```yaml
args: ["--model", "Qwen/Qwen2.5-7B-Instruct"]        # no --revision
```

## Remedy

Add the commit that was validated: `--revision a09a354…` (vLLM, SGLang and TGI have the same flag). The commit that a
running pod holds is the name of the directory under `$HF_HOME/hub/models--*/snapshots`.

## When it is fine

When the files themselves are pinned another way: a path, a volume or a bucket (not reported), an offline cache that
nobody refreshes (not reported when `HF_HUB_OFFLINE` is set), a mirror that holds one version. The check is silent
where `remote-code-without-revision` already says the graver thing about the same missing revision.

## References

- Revisions on the Hugging Face Hub: https://huggingface.co/docs/huggingface_hub/guides/download#from-specific-version
- `--revision` of vLLM: https://docs.vllm.ai/en/latest/cli/serve/
- Sampling defaults that come with the model's repository: https://github.com/vllm-project/vllm/pull/12622
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, language, places, variable
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

_HUBS = ("hf://", "ms://", "modelscope://")
_MOVING = frozenset(("main", "master", "head", "latest"))
_ON = frozenset(("1", "true", "yes", "on"))


def unpinned(subject: Subject) -> Resolved | None:
    """The model's source when it is a hub's repository at no fixed revision; None when pinned, local or not known."""
    source, revision = subject.known("model.source"), subject.snapshot.facts.get("model.revision")
    if source is None or not isinstance(source.value, str) or not source.value.startswith(_HUBS):
        return None
    if "/" not in source.value.partition("://")[2]:
        return None  # a folder in the working directory, as far as one can tell
    if revision is not None and revision.state in ("known", "redacted"):
        return None
    if revision is not None and revision.text and revision.text.lower() not in _MOVING:
        return None  # something is written, only not readable here: $(REVISION)
    if revision is not None and not revision.text and revision.origin not in ("engine-default", "platform-default"):
        return None
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if (variable(subject, name) or "").lower() in _ON:
            return None
    return source


def pinning(subject: Subject, source: Resolved) -> tuple[str, str]:
    """How the commit of a hub's model is pinned here, in words and as the text to write."""
    model = subject.known("model.id")
    if model is not None and model.value == str(source.value).partition("://")[2]:
        if engine(subject) == "ray-serve":
            return "with engine_kwargs.revision", "revision: COMMIT"
        name = "--model_revision" if engine(subject) == "kserve" else "--revision"
        return f"with {name}", f"{name} COMMIT"
    return "behind the model's address (KServe: hf://…:COMMIT)", f"{source.value}:COMMIT"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding for the model of a recognised engine."""
    if not language(subject):
        return
    source = unpinned(subject)
    remote = subject.known("model.trust_remote_code")
    code = subject.known("model.code_revision")
    if source is None or (remote is not None and remote.value is True and (code is None or code.value is None)):
        return
    revision = subject.snapshot.facts.get("model.revision")
    moving = revision.text if revision is not None else ""
    name = str(source.value).partition("://")[2]
    model = subject.known("model.id")
    how, text = pinning(subject, source)
    by_argument = text.startswith("--")
    spots = places(subject, revision if moving else model if by_argument else source, source)
    yield found(
        CHECK,
        subject,
        at=spots,
        summary=f"{name} is taken at {moving or 'its default branch'}: no revision is pinned",
        impact="A pod serves what the repository held when it downloaded: replicas and restarts can serve other "
        "weights, templates and sampling defaults.",
        facts=("model.source",),
        remedies=(
            Remedy(
                action=f"pin the commit that was validated {how}",
                text=text,
                location=spots[0],
                verify="the pod's $HF_HOME/hub/models--*/snapshots holds that commit only",
                undo=f"write the revision {moving} again" if moving else "remove the commit again",
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
            - --model
            - {model}
            - --max-model-len=8192{more}
          env: [{{name: HF_HUB_OFFLINE, value: "{offline}"}}]
"""


_KSERVE = """\
apiVersion: serving.kserve.io/v1alpha1
kind: LLMInferenceService
metadata: {{name: llm}}
spec:
  model: {{uri: "hf://Qwen/Qwen2.5-7B-Instruct{commit}", name: qwen}}
  template: {{containers: [{{name: main, image: "vllm/vllm-openai:v0.10.1"}}]}}
"""


def _case(name: str, model: str, more: str = "", *, offline: int = 0, line: int = 0) -> Case:
    source = _DEPLOYMENT.format(model=model, more=more, offline=offline)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="unpinned-model-revision",
    title="The model's revision is not pinned, so its author can change what is served",
    category="model",
    severity="low",
    confidence="certain",
    facts=("model.revision", "model.source", "model.id"),
    run=run,
    playbook="model-identity",
    cases=(
        _case("a name alone", "Qwen/Qwen2.5-7B-Instruct", line=12),
        _case("a branch", "Qwen/Qwen2.5-7B-Instruct", "\n            - --revision=main", line=14),
        Case(
            name="SGLang's default branch",
            source="cmd:python -m sglang.launch_server --model-path Qwen/Qwen2.5-7B",
            fires=True,
            line=1,
        ),
        Case(name="an address in KServe", source=_KSERVE.format(commit=""), fires=True, line=5),
        Case(name="an address at a branch in KServe", source=_KSERVE.format(commit=":main"), fires=True, line=5),
        Case(name="an address with its commit in KServe", source=_KSERVE.format(commit=":a09a3545"), fires=False),
        _case(
            "a commit", "Qwen/Qwen2.5-7B-Instruct", "\n            - --revision=a09a35458c702b33eeacc393d103063234e8"
        ),
        _case("a path that looks like a repository", "/models/Qwen/Qwen2.5-7B-Instruct"),
        _case("a bucket", "s3://models/qwen2.5-7b"),
        _case("an offline cache", "Qwen/Qwen2.5-7B-Instruct", offline=1),
        _case("a revision from a variable", "Qwen/Qwen2.5-7B-Instruct", "\n            - --revision=$(REVISION)"),
    ),
)
