"""The engine refuses the value of an argument

## What it finds

An argument whose value the engine does not take (`--dtype foo`, `--max-model-len 8 k`), an argument without its
value, and stray words that belong to no argument. The parser is the engine's own, of the release that runs.

## Why it matters

The engine exits before it loads the model. In a rolling update the old pods may keep serving, so that the mistake can
go unseen until they are gone.

## Example

```yaml
args: ["--model", "/models/qwen", "--dtype", "bf-16"]
```

## Remedy

Write a value that the engine takes; the finding names the argument, and the value that was probably meant.

## When it is fine

When the image holds a fork of the engine that takes more values. Values that are expanded at run time are not judged.

## References

- vLLM's arguments: https://docs.vllm.ai/en/latest/configuration/engine_args.html
- SGLang's arguments: https://docs.sglang.ai/advanced_features/server_arguments.html
- TGI's arguments: https://huggingface.co/docs/text-generation-inference/reference/launcher
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject
from askew.checks.problems import ABOUT, refused, reported
from askew.resolve.workload import Problem


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per value that the engine refuses."""
    yield from reported(CHECK, subject, lambda problem: refused(subject), _belongs)


def _belongs(problem: Problem) -> bool:
    if problem.kind == "invalid-value":
        return True
    one_word = problem.argument and any(map(str.isspace, problem.value)) and problem.value.startswith(problem.argument)
    return problem.kind == "malformed" and not one_word


_POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: llm}}
spec:
  template:
    spec:
      containers:
        - name: engine
          image: {image}
          args:
            - --model{id}=/models/qwen
            - {argument}
"""


def _case(name: str, argument: str, line: int = 0, *, image: str = "vllm/vllm-openai:v0.8.5", id: str = "") -> Case:
    return Case(name=name, source=_POD.format(argument=argument, image=image, id=id), fires=bool(line), line=line)


CHECK = Check(
    id="argument-value-invalid",
    title="The engine refuses the value of an argument",
    category="runtime",
    severity="high",
    confidence="certain",
    facts=(ABOUT,),
    run=run,
    playbook="runtime-config",
    cases=(
        _case("no such dtype", "--dtype=bf-16", line=12),
        _case("a word for a number", "--max-model-len=long", line=12),
        _case(
            "TGI: a word for a number", "--num-shard=two", 12,
            image="ghcr.io/huggingface/text-generation-inference:3.3.4", id="-id",
        ),
        _case("an alias", "--dtype=half"),
        _case("a suffix that vLLM reads", "--max-model-len=8192"),
        _case("expanded at run time", "--tensor-parallel-size=$(GPUS)"),
        _case("another argument", "--gpu-memory-utilization=0.9"),
    ),
)  # fmt: skip
