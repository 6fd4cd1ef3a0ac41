"""A key or token stands in the open

## What it finds

An argument of the engine (`--api-key`, `--hf-token`) or an environment variable (`HF_TOKEN`) whose secret value is
written in the source itself. Only names are ever shown.

## Why it matters

Whoever may read the manifest, the pod or the list of processes can read the key; in git it stays readable for ever.

## Example

```yaml
args: ["--model", "org/model", "--api-key", "s3cr3t"]
```

## Remedy

Put the value into a Secret and refer to it, then replace the key, since it has been readable:

```yaml
env:
  - name: VLLM_API_KEY
    valueFrom: {secretKeyRef: {name: llm, key: api-key}}
```

## When it is fine

When the value is a placeholder that opens nothing (`EMPTY`, `dummy`). The value is redacted before any rule sees it, so
that placeholders cannot be told from keys here.

## References

- Good practices for Secrets: https://kubernetes.io/docs/concepts/security/secrets-good-practices/
- vLLM reads VLLM_API_KEY: https://docs.vllm.ai/en/latest/configuration/env_vars.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine
from askew.evidence.location import Location
from askew.evidence.redaction import MARKER, is_secret_name
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

# Numbers of tokens, and special tokens: no secret, whatever word they end in.
_COUNT = r"(?:^|[-_])(?:max|min|num|new|batched|per|eos|bos|pad|stop)[-_]"
_VARIABLES = {"--api-key": "VLLM_API_KEY", "--hf-token": "HF_TOKEN"}


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per name, at the first place where its value stands."""
    launch = subject.snapshot.launch
    if not engine(subject) or launch is None:
        return
    places: dict[str, Location] = {}
    for index, token in enumerate(launch.argv):
        # What came through a reference to a Secret or a variable stands elsewhere.
        if token.via or token.unknown is not None or not MARKER.search(token.text):
            continue
        name = token.text.partition("=")[0]
        if not name.startswith("-") or name == token.text:
            before = launch.argv[index - 1].text if index else ""
            name = before if before.startswith("-") else ""
        if name and not MARKER.search(name) and not re.search(_COUNT, name.lower()):
            places.setdefault(name, token.location)
    for variable in launch.env.values():
        if variable.via or variable.unknown is not None or not is_secret_name(variable.name):
            continue
        if variable.value is not None and MARKER.fullmatch(variable.value):
            places.setdefault(variable.name, variable.location)
    for name, at in places.items():
        instead = name if not name.startswith("-") else _VARIABLES.get(name, "") if engine(subject) == "vllm" else ""
        yield found(
            CHECK,
            subject,
            key=name,
            target=Resolved(
                fact=CHECK.facts[0], key=name, state="known", value=[name], origin="explicit", locations=(at,)
            ),
            summary=f"the value of {name} is written in the open",
            impact="Whoever may read the manifest, the pod or the process list can read it; git keeps it for ever.",
            remedies=(
                Remedy(
                    action=f"move the value of {name} into a Secret"
                    + (f", refer to it in the variable {instead}" if instead else ", refer to it by $(NAME)")
                    + ", and replace the key",
                    text=f"- name: {instead}\n  valueFrom: {{secretKeyRef: {{name: NAME, key: KEY}}}}"
                    if instead
                    else "",
                    location=at,
                    verify="the source holds only a reference, and the old key is refused",
                    undo=f"write the value of {name} in place again",
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
          args: [--model=org/model{argument}]
          env:
            - {{name: OTHER, value: x}}
            - {variable}
"""


def _case(
    name: str, argument: str = "", variable: str = "{name: A, value: b}", line: int = 0,
    image: str = "vllm/vllm-openai:v0.8.5",
) -> Case:  # fmt: skip
    source = _DEPLOYMENT.format(argument=argument, variable=variable, image=image)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="secret-in-arguments",
    title="A key or token stands in the open",
    category="serving",
    severity="medium",
    confidence="likely",
    facts=("serving.secrets_in_arguments",),
    run=run,
    playbook="serving-path",
    cases=(
        _case("an argument", ", --api-key=not-a-real-key", line=10),
        _case("an argument in two words", ', "--api-key", "not-a-real-key"', line=10),
        _case("a variable", variable="{name: HF_TOKEN, value: not-a-real-token}", line=13),
        _case("a reference", ', "--api-key=$(KEY)"', "{name: KEY, valueFrom: {secretKeyRef: {name: a, key: b}}}"),
        _case("a variable from a Secret", "", "{name: HF_TOKEN, valueFrom: {secretKeyRef: {name: a, key: b}}}"),
        _case("a count of tokens", ", --max-num-batched-tokens=8192", "{name: MAX_TOKENS, value: '8192'}"),
        _case("a count of tokens, abbreviated", ", --max-num-batched-token=8192"),
        _case("an empty value", variable="{name: HF_TOKEN, value: ''}"),
    ),
)
