"""Every chat begins with two BOS tokens

## What it finds

A chat template that writes the BOS token, a tokenizer that puts one in front of every text, and a release of the engine
that encodes rendered chats as any other text: vLLM before 0.4.3, TGI before 2.3.0.

## Why it matters

Models see one BOS token in training, in front of everything. Two of them are a prompt that training never showed:
answers get measurably worse, nothing fails, and the tokens of a request show it only to who looks at them.

## Example

```yaml
image: vllm/vllm-openai:v0.4.2   # with a Llama 3 model, whose template begins with {{ bos_token }}
```

## Remedy

Run a release that encodes rendered chats without special tokens: vLLM 0.4.3, TGI 2.3.0, or a later one.

## When it is fine

When no client uses the chat endpoint: plain completions are encoded once, with one BOS token.

## References

- vLLM, the tokens of a chat with Llama 3 and the fix: https://github.com/vllm-project/vllm/pull/4688
- vLLM 0.4.3, `serving_chat.py`: https://github.com/vllm-project/vllm/blob/v0.4.3/vllm/entrypoints/openai/serving_chat.py#L165
- TGI, the same with Gemma: https://github.com/huggingface/text-generation-inference/pull/1594
- TGI 2.2.0 encodes every text with special tokens:
  https://github.com/huggingface/text-generation-inference/blob/v2.2.0/router/src/validation.rs#L618
- TGI 2.3.0 does not for chats:
  https://github.com/huggingface/text-generation-inference/blob/v2.3.0/router/src/server.rs#L1213
- Templates hold all special tokens a chat needs: https://huggingface.co/docs/transformers/chat_templating
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import engine, written
from askew.facts.values.errors import ValueNotUnderstood
from askew.facts.values.version import compare
from askew.findings.finding import Remedy

_EMITS, _ADDS, _SOURCE = "model.chat_template.emits_bos", "model.tokenizer.adds_bos", "model.chat_template.source"
# The first release that encodes rendered chats without special tokens.
_SINCE = {"vllm": "0.4.3", "tgi": "2.3.0"}
_TITLES = {"vllm": "vLLM", "tgi": "TGI"}


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding, at the tokenizer that adds the second one."""
    emits, adds, other = (subject.known(fact) for fact in (_EMITS, _ADDS, _SOURCE))
    since, identity = _SINCE.get(engine(subject)), subject.snapshot.engine
    if since is None or identity is None or identity.version is None:
        return
    if emits is None or adds is None or emits.value is not True or adds.value is not True or not written(adds):
        return
    if other is not None and other.value:
        return  # another template than the model's own, of which nothing is known
    try:
        if compare(identity.version, since) >= 0:
            return
    except ValueNotUnderstood:
        return
    title = _TITLES[engine(subject)]
    yield found(
        CHECK,
        subject,
        fact=_ADDS,
        target=adds,
        facts=(_EMITS, "runtime.engine.version"),
        confidence="likely" if "likely" in (emits.confidence, adds.confidence) else CHECK.confidence,
        summary=f"template and tokenizer both write BOS, and {title} {identity.version} encodes chats with both",
        impact="Every chat begins with two BOS tokens, which training never showed: answers get worse, nothing fails.",
        remedies=(
            Remedy(
                action=f"run {title} {since} or a later release",
                verify="the first two token ids of a chat, in the engine's log of requests, are not the same",
                undo=f"run {title} {identity.version} again",
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
      containers: [{{name: engine, image: "{image}", args: [{args}]}}]
"""
_CONFIG = """\
{{
  "tokenizer_class": "LlamaTokenizer",
  "bos_token": "<s>",
  "add_bos_token": {adds},
  "chat_template": "{{{{ {writes} }}}}{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}"
}}
"""
_VLLM, _TGI = "vllm/vllm-openai:v0.4", "ghcr.io/huggingface/text-generation-inference:2"


def _case(name: str, image: str, args: str = "", writes: str = "bos_token", adds: str = "true", line: int = 0) -> Case:
    given = f"--model{'-id' if image.startswith(_TGI) else ''}=/models/m{args}"
    return Case(
        name=name,
        source=_DEPLOYMENT.format(image=image, args=given),
        joined=(("hf:m", "m/tokenizer_config.json", _CONFIG.format(writes=writes, adds=adds)),),
        fires=bool(line),
        line=line,
    )


CHECK = Check(
    id="double-bos",
    title="Every chat begins with two BOS tokens",
    category="model",
    severity="medium",
    confidence="certain",
    facts=(_ADDS, _EMITS, _SOURCE, "runtime.engine.version"),
    run=run,
    playbook="tokenizer",
    cases=(
        _case("vLLM 0.4.2", f"{_VLLM}.2", line=4),
        _case("TGI 2.2.0", f"{_TGI}.2.0", line=4),
        _case("vLLM 0.4.3", f"{_VLLM}.3"),
        _case("TGI 2.3.0", f"{_TGI}.3.0"),
        _case("a template that leaves it to the tokenizer", f"{_VLLM}.2", writes="''"),
        _case("a tokenizer that leaves it to the template", f"{_VLLM}.2", adds="false"),
        _case("another template", f"{_VLLM}.2", ", --chat-template=/t.jinja"),
        _case("a release that is not known", "vllm/vllm-openai:latest"),
    ),
)
