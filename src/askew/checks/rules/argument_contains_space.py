"""One word of the launch holds an argument and its value

## What it finds

An element of `args` or `command` such as `"--max-model-len 8192"`: name and value in one word, with a space. Also a
whole command line written as the first element of `command`.

## Why it matters

Kubernetes and exec-form commands start no shell: nothing splits the word, and the engine looks for an argument whose
name holds a space. It exits with `unrecognized arguments`, or the runtime finds no such program.

## Example

```yaml
args:
  - --model=/models/qwen
  - --max-model-len 8192        # one word
```

## Remedy

Write two elements, or one joined by `=`:

```yaml
  - --max-model-len=8192
```

## When it is fine

When a wrapper in the image puts the words through a shell, which splits them. Words behind `sh -c` are split here too
and not reported.

## References

- Commands and arguments of containers: https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
- argparse: https://docs.python.org/3/library/argparse.html#the-parse-args-method
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject
from askew.checks.problems import ABOUT, refused, reported
from askew.resolve.workload import Problem


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per word that should be several."""
    yield from reported(CHECK, subject, lambda problem: refused(subject), _belongs)


def _belongs(problem: Problem) -> bool:
    blank = any(map(str.isspace, problem.value))
    return (
        problem.kind == "malformed" and blank and bool(problem.argument) and problem.value.startswith(problem.argument)
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
          image: {image}
          {words}
"""


def _case(name: str, words: str, line: int = 0, *, image: str = "vllm/vllm-openai:v0.8.5") -> Case:
    return Case(name=name, source=_POD.format(words=words, image=image), fires=bool(line), line=line)


CHECK = Check(
    id="argument-contains-space",
    title="One word of the launch holds an argument and its value",
    category="runtime",
    severity="high",
    confidence="certain",
    facts=(ABOUT,),
    run=run,
    playbook="runtime-config",
    cases=(
        _case("name and value in one word", 'args: [--model=/models/qwen, "--max-model-len 8192"]', line=10),
        _case(
            "SGLang", 'command: [python3, -m, sglang.launch_server, --model-path=/m, "--tp 2"]', 10,
            image="lmsysorg/sglang:v0.4.6",
        ),
        _case("two words", 'args: [--model=/models/qwen, "--max-model-len", "8192"]'),
        _case("a value with spaces", """args: [--model=/models/qwen, '--hf-overrides={"a": 1}']"""),
        _case("a value with spaces, in its own word", 'args: [--model, /models/q, --served-model-name, "my model"]'),
        _case("split by a shell", 'command: [sh, -c, "vllm serve /models/qwen --max-model-len 8192"]'),
    ),
)  # fmt: skip
