"""The engine is asked for a longer context than the contract or the model says

## What it finds

A context length that the launch sets and that is larger than the longest the model is known to handle
(`model.context_length`), or than the one its contract declares. A rotary scaling that is given to the engine extends
the model's length by its factor.

## Why it matters

Beyond the length of its position encoding a model gives wrong output, or the engine crashes on the first long request.
vLLM refuses such a length unless `VLLM_ALLOW_LONG_MAX_MODEL_LEN=1` is set. A length beyond the contract was not part of
what was agreed, and long requests take KV cache from others.

## Example

```yaml
args: ["--model", "org/model-8k", "--max-model-len", "32768"]
env: [{name: VLLM_ALLOW_LONG_MAX_MODEL_LEN, value: "1"}]
```

## Remedy

Lower the length to what is declared, or declare and test the longer one.

## When it is fine

When the model's own configuration holds a rotary scaling that the sources do not show; then declare the extended
length. A shorter context than declared is the comparison's business and not reported here.

## References

- vLLM crashes beyond the model's length: https://github.com/vllm-project/vllm/issues/17924
- Not-a-number results beyond it: https://github.com/vllm-project/vllm/pull/20904
- VLLM_ALLOW_LONG_MAX_MODEL_LEN: https://docs.vllm.ai/en/latest/configuration/env_vars.html
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Needs, Outcome, Subject, found
from askew.checks.reading import engine, places, variable, whole, written
from askew.findings.finding import Remedy
from askew.resolve.workload import Resolved

_LENGTH, _MODEL, _ROPE = "runtime.max_model_len", "model.context_length", "runtime.rope_override"
_FLAGS = {"vllm": "--max-model-len", "sglang": "--context-length", "tgi": "--max-total-tokens"}


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding, against the model's own length first, else against the contract."""
    length, side = whole(subject, _LENGTH), subject.known(_LENGTH)
    if not engine(subject) or length is None or not written(side):
        return
    said = _said(subject)
    if said is None:
        if (variable(subject, "VLLM_ALLOW_LONG_MAX_MODEL_LEN") or "") in ("1", "true", "True"):
            yield Needs(fact=_MODEL, reason="VLLM_ALLOW_LONG_MAX_MODEL_LEN lets the length exceed the model's own")
        return
    reference, limit, whose = said
    if length <= limit:
        return
    flag = _FLAGS.get(engine(subject), "the context length")
    spots = places(subject, side)
    yield found(
        CHECK,
        subject,
        at=spots,
        reference=reference,
        summary=f"a context of {length} tokens is asked for, and {whose} says {limit}",
        impact="Beyond its length the model's output is wrong, or the engine crashes or refuses to start."
        if whose == "the model"
        else "Longer requests than were agreed are accepted: untested, and at the cost of other requests.",
        facts=(_MODEL,),
        remedies=(
            Remedy(
                action=f"lower {flag} to {limit}",
                text=f"{flag} {limit}",
                location=spots[0],
                verify=f"the server refuses a request of {limit + 1} tokens and answers one slightly shorter",
                undo=f"set {flag} to {length}",
                safe=False,
            ),
        ),
    )


def _said(subject: Subject) -> tuple[Resolved, int, str] | None:
    """The value that declares the longest context, the length, and who says so; None where nobody does."""
    agreed = subject.contract.facts if subject.contract is not None else {}
    for model in (subject.known(_MODEL), agreed.get(_MODEL)):
        if model is None or model.state != "known" or not isinstance(model.value, int):
            continue
        rope = subject.snapshot.facts.get(_ROPE)
        if rope is None or (rope.state in ("known", "absent") and not rope.value):
            return model, model.value, "the model"
        factor = rope.value.get("factor") if isinstance(rope.value, dict) and rope.state == "known" else None
        if not isinstance(factor, (int, float)):
            return None
        return model, int(model.value * max(1, factor)), "the model"
    declared = agreed.get(_LENGTH)
    if declared is not None and declared.state == "known" and isinstance(declared.value, int):
        return declared, declared.value, "the contract"
    return None


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
            - --model=/models/llama
            - {argument}
"""
_CONTRACT = """\
apiVersion: piqc.ai/v1alpha1
kind: ModelSpec
metadata:
  name: llm
  annotations: {{askew.dev/{fact}: "{length}"}}
spec:
  identity: {{model: {{id: llama, family: llama, task: text-generation, framework: transformers}}}}
  runtime: {{accelerator: {{vendor: nvidia, type: l4, count: 1}}}}
"""


def _case(name: str, argument: str, length: int, line: int = 0, fact: str = _MODEL) -> Case:
    return Case(
        name=name,
        source=_DEPLOYMENT.format(argument=argument),
        contract=_CONTRACT.format(fact=fact, length=length),
        fires=bool(line),
        line=line,
    )


CHECK = Check(
    id="context-beyond-declared",
    title="The engine is asked for a longer context than the contract or the model says",
    category="runtime",
    severity="high",
    confidence="likely",
    facts=(_LENGTH, _MODEL, _ROPE),
    run=run,
    playbook="runtime-config",
    cases=(
        _case("beyond the model", "--max-model-len=32768", 8192, line=12),
        _case("beyond the contract", "--max-model-len=16384", 8192, line=12, fact=_LENGTH),
        _case("as declared", "--max-model-len=8192", 8192),
        _case("shorter", "--max-model-len=4096", 8192),
        _case("not set: the model decides", "--max-num-seqs=64", 8192),
        Case(name="nobody says how long", source=_DEPLOYMENT.format(argument="--max-model-len=1000000"), fires=False),
    ),
)
