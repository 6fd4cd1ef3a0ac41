"""A model that was trained in bfloat16 is served in float16

## What it finds

An engine that computes in float16 (`runtime.dtype`), by an argument or by a default, while the records of training say
that the model was trained in bfloat16 (`model.training.dtype`).

## Why it matters

bfloat16 has the range of float32, float16 ends at 65504. Activations of a model that was trained in bfloat16 may lie
beyond that: they become infinite, and the answer empty, garbage or NaN, often for long or unusual prompts only, which
no short test shows. vLLM refuses float16 for some families of models for that reason.

## Example

```
axolotl.yaml   bf16: true
deploy.yaml    args: ["--model", "/models/llm", "--dtype", "half"]
```

## Remedy

Serve with `bfloat16`, or with `auto` where the model's own dtype is that. A GPU that has no bfloat16 (compute
capability below 8.0) needs float32, a quantized model, or a validation of its own in float16.

## When it is fine

When the model was validated in float16 on inputs as long and as odd as production's. Many models stay within its range.
The reverse, a model trained in float16 and served in bfloat16, only loses precision and is not reported.

## References

- A value of 66246 where float16 ends at 65504: https://github.com/huggingface/transformers/issues/5651
- "All of our experiments use bfloat16": https://github.com/google-research/text-to-text-transfer-transformer/issues/539
- Families that vLLM refuses to run in float16 (`_FLOAT16_NOT_SUPPORTED_MODELS`):
  https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/config/model.py
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import lines, places
from askew.findings.finding import Remedy

_SERVED, _TRAINED = "runtime.dtype", "model.training.dtype"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding, where both dtypes are known."""
    served, trained = subject.known(_SERVED), subject.known(_TRAINED)
    if served is None or trained is None or (trained.value, served.value) != ("bfloat16", "float16"):
        return
    if not lines((served, trained)):
        return
    spots = places(subject, served, trained)
    yield found(
        CHECK,
        subject,
        target=served,
        reference=trained,
        at=spots,
        facts=(_TRAINED,),
        summary="a model that was trained in bfloat16 is served in float16",
        impact="Values beyond 65504 become infinite: answers to some prompts turn empty, to garbage or to NaN.",
        remedies=(
            Remedy(
                action="serve with dtype bfloat16",
                text="bfloat16",
                location=spots[0],
                verify="long and unusual prompts give the answers that they gave in validation",
                undo="set the dtype to float16",
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
            - --model=/models/llm
            - {argument}
"""
_RECIPE = "base_model: org/base\ndatasets: [{{path: x}}]\nsequence_len: 4096\n{halves}\n"


def _case(name: str, argument: str, halves: str, line: int = 0) -> Case:
    return Case(
        name=name,
        source=_DEPLOYMENT.format(argument=argument),
        joined=(("training:recipe.yaml", "recipe.yaml", _RECIPE.format(halves=halves)),),
        fires=bool(line),
        line=line,
    )


CHECK = Check(
    id="bfloat16-model-in-float16",
    title="A model that was trained in bfloat16 is served in float16",
    category="runtime",
    severity="medium",
    confidence="likely",
    facts=(_SERVED, _TRAINED),
    run=run,
    playbook="runtime-config",
    cases=(
        _case("asked for as half", "--dtype=half", "bf16: true", line=12),
        _case("asked for as float16", "--dtype=float16", "bf16: full", line=12),
        _case("served as trained", "--dtype=bfloat16", "bf16: true"),
        _case("the model decides", "--dtype=auto", "bf16: true"),
        _case("trained in float16", "--dtype=half", "fp16: true"),
        _case("trained in float16 and served in bfloat16", "--dtype=bfloat16", "fp16: true"),
        _case("decided by the GPU of the training", "--dtype=half", "bf16: auto"),
    ),
)
