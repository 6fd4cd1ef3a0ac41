"""The longest prompt does not fit into one scheduler step, and prompts are not split

## What it finds

vLLM with chunked prefill switched off and `--max-num-batched-tokens` smaller than the context length. Judged for
releases before 0.8 and from 0.15 on; *possible* where the release is not known.

## Why it matters

Without chunks a prompt is processed in one step, so that no prompt may be longer than the step. vLLM refuses the
combination: `max_num_batched_tokens is smaller than max_model_len`.

## Example

```yaml
args: ["--model", "org/model", "--max-model-len", "32768",
       "--max-num-batched-tokens", "8192", "--no-enable-chunked-prefill"]
```

## Remedy

Raise `--max-num-batched-tokens` to the context length, or let vLLM split prompts (`--enable-chunked-prefill`).

## When it is fine

With chunked prefill, the default of current releases, a smaller step is a choice about latency and not reported.
The first releases of the V1 engine split prompts whatever the switch says: releases from 0.8 to 0.14 are not judged,
unless `VLLM_USE_V1=0` is set.

## References

- Chunked prefill: https://docs.vllm.ai/en/latest/configuration/optimization.html#chunked-prefill
- The validation: https://github.com/vllm-project/vllm/blob/main/vllm/config/scheduler.py
- The requirement, as documented by vLLM: https://github.com/vllm-project/vllm/pull/33109
- A start that failed by it, with 0.24: https://github.com/verl-project/verl/pull/7632
- V1 switched it on always: https://github.com/vllm-project/vllm/pull/11061, seen in 0.9.2:
  https://github.com/vllm-project/vllm/issues/20914
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.checks.interface import Case, Check, Needs, Outcome, Subject, found
from askew.checks.reading import engine, places, variable, whole, written
from askew.findings.finding import Remedy
from askew.resolve.observation import Confidence

# V1 became the default with 0.8; the validation is reported the same from 0.15 on.
_FIRST_V1, _VERIFIED = (0, 8), (0, 15)
_STEP, _LENGTH, _CHUNKED = "runtime.max_num_batched_tokens", "runtime.max_model_len", "runtime.chunked_prefill"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding where the step is smaller than the context."""
    step, chunked, length = whole(subject, _STEP), subject.known(_CHUNKED), whole(subject, _LENGTH)
    if engine(subject) != "vllm" or step is None or chunked is None or chunked.value is not False:
        return
    if not written(subject.known(_STEP)) and not written(chunked):
        return
    confidence = _judged(subject)
    if confidence is None:
        return
    if length is None:
        if written(subject.known(_STEP)):
            yield Needs(fact=_LENGTH)
        return
    if step >= length:
        return
    spots = places(subject, subject.known(_STEP), chunked, subject.known(_LENGTH))
    yield found(
        CHECK,
        subject,
        at=spots,
        confidence=confidence,
        summary=f"a step holds {step} tokens and the context {length}, with chunked prefill off",
        impact="vLLM refuses the combination at the start, or prompts longer than a step.",
        facts=(_LENGTH, _CHUNKED),
        remedies=(
            Remedy(
                action="let a step hold the whole context",
                text=f"--max-num-batched-tokens {length}",
                location=spots[0],
                verify="the engine starts, and answers a prompt of nearly the context length",
                undo=f"set --max-num-batched-tokens to {step}",
                safe=False,
            ),
            Remedy(
                action="let vLLM process long prompts in chunks",
                text="--enable-chunked-prefill",
                location=(chunked.locations or spots)[0],
                verify="the engine's log says that chunked prefill is enabled",
                undo="switch chunked prefill off again",
                safe=False,
            ),
        ),
    )


def _judged(subject: Subject) -> Confidence | None:
    """How sure it is that the release refuses the combination; None for those that may split prompts all the same."""
    identity = subject.snapshot.engine
    numbers = re.match(r"v?(\d+)\.(\d+)", identity.version or "") if identity is not None else None
    if variable(subject, "VLLM_USE_V1") == "0":
        return "likely"
    if numbers is None:
        return "possible"
    release = (int(numbers[1]), int(numbers[2]))
    return None if _FIRST_V1 <= release < _VERIFIED else "likely"


_DEPLOYMENT = """\
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
            - --max-num-batched-tokens={step}
            - --max-model-len={length}
            - {switch}
"""


def _case(name: str, step: int, length: int, switch: str, line: int = 0, tag: str = "v0.20.0") -> Case:
    source = _DEPLOYMENT.format(step=step, length=length, switch=switch, tag=tag)
    return Case(name=name, source=source, fires=bool(line), line=line)


CHECK = Check(
    id="batched-tokens-below-context",
    title="The longest prompt does not fit into one scheduler step, and prompts are not split",
    category="runtime",
    severity="high",
    confidence="likely",
    facts=(_STEP, _LENGTH, _CHUNKED),
    run=run,
    playbook="runtime-config",
    cases=(
        _case("a step of a quarter", 8192, 32768, "--no-enable-chunked-prefill", line=12),
        _case("one token short", 8191, 8192, "--no-enable-chunked-prefill", line=12),
        _case("split whatever the switch says", 8192, 32768, "--no-enable-chunked-prefill", tag="v0.8.5"),
        _case("in chunks", 2048, 32768, "--enable-chunked-prefill"),
        _case("as long", 8192, 8192, "--no-enable-chunked-prefill"),
        _case("in chunks by default", 2048, 8192, "--disable-log-requests"),
    ),
)
