"""The engine has no argument of this name

## What it finds

An argument, or a variable that looks like one of the engine's, that the release which runs does not have: a slip of
the pen, or an argument of another engine or of a later release.

## Why it matters

The engine exits with `unrecognized arguments` before it loads the model. A misspelt variable is worse: it is ignored,
and the engine runs without the setting. Later releases of vLLM at least warn of it in their log.

## Example

```yaml
args: ["--model", "/models/qwen", "--max-model-length", "8192"]   # vLLM calls it --max-model-len
```

## Remedy

Write the name that the engine knows; the finding suggests the closest one. An argument of a later release needs that
release.

## When it is fine

When the image holds a fork or a plug-in that adds the argument, or a wrapper takes it away before the engine starts.

## References

- vLLM's arguments: https://docs.vllm.ai/en/latest/configuration/engine_args.html
- Variables that vLLM does not know, in its log: https://github.com/community-scripts/ProxmoxVED/issues/2047
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject
from askew.checks.problems import ABOUT, in_environment, refused, reported


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding per name that the engine does not know."""
    yield from reported(
        CHECK,
        subject,
        lambda p: "The engine ignores it and runs without the setting." if in_environment(p) else refused(subject),
        lambda p: p.kind == "unknown-argument",
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
          args:
            - --model=/models/qwen
            - {argument}
"""


def _case(name: str, argument: str, line: int = 0, *, image: str = "vllm/vllm-openai:v0.8.5") -> Case:
    return Case(name=name, source=_POD.format(argument=argument, image=image), fires=bool(line), line=line)


CHECK = Check(
    id="argument-unknown",
    title="The engine has no argument of this name",
    category="runtime",
    severity="high",
    confidence="certain",
    facts=(ABOUT,),
    run=run,
    playbook="runtime-config",
    cases=(
        _case("nearly right", "--max-model-length=8192", line=12),
        _case("another engine's", "--mem-fraction-static=0.8", line=12),
        Case(
            name="on a command line", source="cmd:vllm serve /models/qwen --tensor-paralel-size 2", fires=True, line=1
        ),
        _case("an abbreviation that argparse takes", "--tensor-parallel=2"),
        _case("underscores", "--max_model_len=8192"),
        _case("the other spelling of a switch", "--no-enable-prefix-caching"),
        _case("not an engine", "--max-model-length=8192", image="docker.io/library/redis:7"),
    ),
)
