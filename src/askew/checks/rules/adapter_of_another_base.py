"""An adapter is served on another model than it was trained on

## What it finds

A LoRA adapter whose `adapter_config.json` names another base model than the one that the engine serves: another size,
another release, a base model where the instruct model was meant, another family. Names are compared by what they mean:
mirrors of other organisations and quantized copies of one model are the same.

## Why it matters

An adapter is a difference to the weights that it was trained on. Where the shapes fit, as they do between the base and
the instruct model of one family, it loads without a word and the answers are worse in ways that no test of the server
finds.

## Example

```
adapter_config.json   "base_model_name_or_path": "meta-llama/Llama-3.1-8B"
deploy.yaml           args: [--model=meta-llama/Llama-3.1-8B-Instruct, --enable-lora]
```

## Remedy

Serve the model that the adapter was trained on, or train the adapter on the model that is served.

## When it is fine

When the two names mean the same weights in your organisation, or when the pair was validated as it is.

## References

- PEFT, `base_model_name_or_path`: https://huggingface.co/docs/peft/main/en/package_reference/config
- vLLM, LoRA adapters: https://docs.vllm.ai/en/latest/features/lora.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import lines, places
from askew.findings.finding import Remedy

_SERVED, _TRAINED = "model.id", "model.training.base_model"
_RECORD = "adapter_config.json"
_NAME = re.compile(r"[\w.-]+/([\w.-]+)")
_SIZE = re.compile(r"(?:\d+x)?\d+(?:\.\d+)?[bm]|a\d+(?:\.\d+)?b|e\d+b")
_RELEASE = re.compile(r"v?\d+(?:\.\d+)*")
_NUMBERED = re.compile(r"([a-z]{2,})(\d+(?:\.\d+)*)")
# What copies of the same weights are called.
_COPIES = re.compile(
    r"[-_.](?:quantized|awq|gptq|bnb|gguf|mlx|hf|bf16|fp16|fp8|fp4|nvfp4|mxfp4|int[48]|[48]bit|w\d+a\d+|q\d(?:_[k01])?(?:_[sml])?"
    r"|dynamic|marlin|unsloth)(?=[-_.]|$)"
)
# Words of a name that tell of a tuning, under one spelling.
_TUNED = {
    "instruct": "instruct", "it": "instruct", "chat": "instruct", "thinking": "thinking", "reasoning": "thinking",
    "coder": "code", "code": "code", "math": "math", "vl": "vision", "vision": "vision", "embedding": "embedding",
    "reranker": "reranker", "guard": "guard",
}  # fmt: skip


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding, where both names are those of models of the Hub and mean different weights."""
    served, trained = subject.known(_SERVED), subject.known(_TRAINED)
    if served is None or trained is None or not lines((served, trained)):
        return
    if not any(at.source.endswith(_RECORD) for at in trained.locations):
        return  # a model's own card names what it was trained from, which nobody serves
    apart = _apart(str(trained.value), str(served.value))
    if not apart:
        return
    spots = places(subject, served, trained)
    yield found(
        CHECK,
        subject,
        target=served,
        reference=trained,
        at=spots,
        facts=(_TRAINED,),
        summary=f"an adapter trained on {trained.value} is served on {served.value}: {apart}",
        impact="Where the shapes fit it loads without a word, and the answers are worse in ways that no probe shows.",
        remedies=(
            Remedy(
                action=f"serve {trained.value}",
                text=str(trained.value),
                location=spots[0],
                verify="the prompts of validation give the answers that they gave then",
                undo=f"serve {served.value}",
                safe=False,
            ),
        ),
    )


def _apart(trained: str, served: str) -> str:
    """What tells two names of the Hub apart; empty where they may mean the same weights, or are no such names."""
    one, two = _NAME.fullmatch(trained), _NAME.fullmatch(served)
    if one is None or two is None:
        return ""
    left, right = _words(one[1]), _words(two[1])
    for what, chosen in (
        ("another size", lambda words: {word for word in words if _SIZE.fullmatch(word)}),
        ("another release", lambda words: {word.lstrip("v") for word in words if _RELEASE.fullmatch(word)}),
        ("another tuning", lambda words: {_TUNED[word] for word in words if word in _TUNED}),
    ):
        a, b = chosen(left), chosen(right)
        if a != b and (what == "another tuning" or (a and b)):
            return what
    families = ({word for word in words if word.isalpha() and len(word) > 2} for words in (left, right))
    a, b = (next(families), next(families))
    return "another family" if a and b and not a & b else ""


def _words(name: str) -> list[str]:
    """The words of a name without those of quantized copies; a family apart from its number: qwen, 2.5, 7b."""
    words: list[str] = []
    for word in re.split(r"[-_]+", _COPIES.sub("", name.lower())):
        numbered = _NUMBERED.fullmatch(word)
        words.extend(numbered.groups() if numbered else [word])
    return words


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
            - --model={model}
            - --enable-lora
"""


def _case(name: str, base: str, model: str, line: int = 0) -> Case:
    config = f'{{"peft_type": "LORA", "r": 16,\n "base_model_name_or_path": "{base}", "target_modules": ["q_proj"]}}\n'
    return Case(
        name=name,
        source=_DEPLOYMENT.format(model=model),
        joined=(("hf:adapter", "adapter/adapter_config.json", config),),
        fires=bool(line),
        line=line,
    )


CHECK = Check(
    id="adapter-of-another-base",
    title="An adapter is served on another model than it was trained on",
    category="model",
    severity="high",
    confidence="likely",
    facts=(_SERVED, _TRAINED),
    run=run,
    playbook="model-identity",
    cases=(
        _case("the instruct model", "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct", line=11),
        _case("another size", "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-14B-Instruct", line=11),
        _case("another release", "meta-llama/Llama-3-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct", line=11),
        _case("another family", "mistralai/Mistral-7B-v0.3", "google/Gemma-7B", line=11),
        _case("the same model", "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        _case("a mirror", "unsloth/Meta-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        _case("a quantized copy", "unsloth/llama-3.1-8b-instruct-bnb-4bit", "meta-llama/Llama-3.1-8B-Instruct"),
        _case("copies for several engines", "Qwen/Qwen3-8B", "Qwen/Qwen3-8B-FP8"),
        _case("a path", "meta-llama/Llama-3.1-8B", "/models/llama-3.1-8b-instruct"),
    ),
)
