"""The release that runs no longer has an argument

## What it finds

An argument or variable that earlier releases of the engine had and the one that runs does not.

## Why it matters

An upgrade that keeps it does not start: `unrecognized arguments`. A variable that is no longer read is ignored, and
the engine chooses for itself.

## Example

```yaml
image: vllm/vllm-openai:v0.12.0
args: ["--model", "/models/qwen", "--use-v2-block-manager"]   # gone
```

## Remedy

Remove it, or use what replaced it; the finding names the replacement where there is one.

## When it is fine

When the image holds a fork that kept the argument. Where the release cannot be told from the image, nothing is
reported as removed.

## References

- vLLM's deprecation policy: https://docs.vllm.ai/en/latest/contributing/deprecation_policy.html
- An argument that was deprecated and then gone, `--enable-reasoning`: https://github.com/vllm-project/vllm/issues/18538
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject
from askew.checks.problems import ABOUT, in_environment, refused, reported


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per name that the engine dropped."""
    yield from reported(
        CHECK,
        subject,
        lambda p: "The engine ignores it and chooses for itself." if in_environment(p) else refused(subject),
        lambda p: p.kind == "removed-argument",
    )


_POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:{tag}
          args:
            - --model=/models/qwen
            - {argument}
"""


def _case(name: str, tag: str, argument: str, line: int = 0) -> Case:
    return Case(name=name, source=_POD.format(tag=tag, argument=argument), fires=bool(line), line=line)


CHECK = Check(
    id="argument-removed",
    title="The release that runs no longer has an argument",
    category="runtime",
    severity="high",
    confidence="certain",
    facts=(ABOUT,),
    run=run,
    playbook="engine-version",
    cases=(
        _case("removed since", "v0.12.0", "--use-v2-block-manager", line=12),
        _case("removed, with a value", "v0.12.0", "--num-lookahead-slots=2", line=12),
        _case("still there", "v0.6.6", "--use-v2-block-manager"),
        _case("an unknown release", "custom", "--max-model-len=8192"),
        _case("never removed", "v0.12.0", "--max-model-len=8192"),
    ),
)
