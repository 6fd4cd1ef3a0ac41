"""The engine ignores an argument

## What it finds

An argument that the engine accepts and does not use: the model named twice, or a configuration file given in a way
that the engine does not see.

## Why it matters

The engine starts, with other settings than the ones that were written. At most a warning in its log says so: vLLM
warns of `--model` behind `vllm serve`, not of which of the two names it took.

## Example

```yaml
command: [python3, -m, sglang.launch_server]
args: ["--config=/etc/sglang.yaml"]     # SGLang looks for the word --config alone
```

## Remedy

Write it as the engine reads it, or remove it.

## When it is fine

When both mentions say the same, the result is right all the same. It is worth one edit: later releases may refuse it.

## References

- SGLang's configuration file: https://docs.sglang.ai/advanced_features/server_arguments.html
- vLLM's command line: https://docs.vllm.ai/en/latest/cli/serve.html
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject
from askew.checks.problems import ABOUT, reported


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per argument that has no effect."""
    yield from reported(
        CHECK,
        subject,
        lambda p: "The engine runs with other settings than the ones that are written.",
        lambda p: p.kind == "ignored-argument",
    )


CHECK = Check(
    id="argument-ignored",
    title="The engine ignores an argument",
    category="runtime",
    severity="medium",
    confidence="certain",
    facts=(ABOUT,),
    run=run,
    playbook="runtime-config",
    cases=(
        Case(
            name="SGLang's configuration in one word",
            source="cmd:python3 -m sglang.launch_server --config=/etc/sglang.yaml",
            fires=True,
            line=1,
        ),
        Case(name="the model twice", source="cmd:vllm serve org/one --model org/two", fires=True, line=1),
        Case(
            name="SGLang's configuration in two words",
            source="cmd:python3 -m sglang.launch_server --config /etc/sglang.yaml",
            fires=False,
        ),
        Case(name="vLLM's configuration in two words", source="cmd:vllm serve --config /etc/vllm.yaml", fires=False),
        Case(name="the model once", source="cmd:vllm serve org/one --served-model-name two", fires=False),
    ),
)
