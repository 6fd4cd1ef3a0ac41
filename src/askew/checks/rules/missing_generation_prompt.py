"""The chat template does not open the assistant's turn

## What it finds

A chat template in which an answer begins with a marker (`<|im_start|>assistant`), and that leaves the marker out
where an answer is yet to come: it does not look at `add_generation_prompt`.

## Why it matters

Engines ask for the generation prompt with every chat. A template that has none leaves the model at the end of the
user's message: it may go on with that, write the marker itself, or answer in another role. Fine-tuned models lose
most, for their training put the marker there.

## Example

```yaml
# tokenizer_config.json
chat_template: "{% for m in messages %}<|im_start|>{{ m.role }}\\n{{ m.content }}<|im_end|>\\n{% endfor %}"
```

## Remedy

End the template with the marker: `{% if add_generation_prompt %}<|im_start|>assistant\\n{% endif %}`.

## When it is fine

For models that score or embed whole conversations: reward models, classifiers. They are not reported where the engine
is told what they are.

## References

- Generation prompts: https://huggingface.co/docs/transformers/chat_templating
- `add_generation_prompt` is true by default in vLLM:
  https://github.com/vllm-project/vllm/blob/v0.8.5/vllm/entrypoints/openai/protocol.py
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.checks.interface import Case, Check, Outcome, Subject, found
from askew.checks.reading import generates, language, written
from askew.findings.finding import Remedy

_PROMPT, _SOURCE = "model.chat_template.generation_prompt", "model.chat_template.source"


def run(subject: Subject) -> Iterator[Outcome]:
    """One finding, at the template."""
    prompt, other = subject.known(_PROMPT), subject.known(_SOURCE)
    if prompt is None or prompt.state != "absent" or not written(prompt):
        return
    if not language(subject) or not generates(subject) or (other is not None and other.value):
        return
    yield found(
        CHECK,
        subject,
        summary="the chat template puts nothing behind the last message, though answers begin with a marker",
        impact="The model goes on from the end of the user's message instead of from the beginning of its own.",
        remedies=(
            Remedy(
                action="end the template with the marker, where add_generation_prompt is true",
                text="{% if add_generation_prompt %}…{% endif %}",
                location=prompt.locations[0],
                verify="a chat, rendered with add_generation_prompt, ends with the marker",
                undo="take the marker out again",
                safe=False,
            ),
        ),
    )


_TURNS = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\\\n' + m.content + '<|im_end|>\\\\n' }}{% endfor %}"
_OPENS = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\\\n' }}{% endif %}"
_PLAIN = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content }}"
    "{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}"
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
_VLLM, _SGLANG = "vllm/vllm-openai:v0.8.5", "lmsysorg/sglang:v0.4.6"


def _case(name: str, template: str, args: str = "--model=/models/m", image: str = _VLLM, line: int = 0) -> Case:
    config = f'{{\n  "bos_token": null,\n  "chat_template": "{template}"\n}}\n'
    return Case(
        name=name,
        source=_DEPLOYMENT.format(image=image, args=args),
        joined=(("hf:m", "m/tokenizer_config.json", config),),
        fires=bool(line),
        line=line,
        needs="jinja2",
    )


CHECK = Check(
    id="missing-generation-prompt",
    title="The chat template does not open the assistant's turn",
    category="model",
    severity="medium",
    confidence="likely",
    facts=(_PROMPT, _SOURCE),
    run=run,
    playbook="tokenizer",
    cases=(
        _case("turns alone, in vLLM", _TURNS, line=3),
        _case("turns alone, in SGLang", _TURNS, "python3, -m, sglang.launch_server, --model-path=m", _SGLANG, line=3),
        _case("turns and an opening", _TURNS + _OPENS),
        _case("answers begin without a marker", _PLAIN),
        _case("another template", _TURNS, "--model=/models/m, --chat-template=/t.jinja"),
        _case("a model that scores", _TURNS, "--model=/models/m, --task=reward"),
    ),
)
