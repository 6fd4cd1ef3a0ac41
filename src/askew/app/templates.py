"""The chat template that a launch names: read where a source shows the file, rendered, and put before the model's own.

Which template wins, by engine (the files of a model's directory: ``platforms.huggingface.chat_template``):
- vLLM: ``--chat-template``, a file, else the template itself where it holds ``{``, ``}`` or a line end
  (``load_chat_template`` of vllm/entrypoints/chat_utils.py, https://github.com/vllm-project/vllm/tree/v0.11.0).
- TensorRT-LLM: ``--chat_template``, likewise (tensorrt_llm/serve/chat_utils.py).
- SGLang: a name that it has built in, else a ``.jinja`` file, in which it reads ``\\n`` as a line end
  (``_load_jinja_template`` of python/sglang/srt/managers/template_manager.py).
- TGI: ``chat_template.json`` of the model, else ``chat_template`` of the file that ``--tokenizer-config-path`` names
  (router/src/server.rs, https://github.com/huggingface/text-generation-inference/tree/v3.3.7).
- llama.cpp: ``--chat-template-file`` or ``--chat-template``, a built-in name or the text, before that of the GGUF file
  (``common_chat_templates_init`` of common/chat.cpp, https://github.com/ggml-org/llama.cpp).
- Ollama: ``TEMPLATE`` of the Modelfile, in Go's language, which is not rendered here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.evidence.launch import Content
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved, Snapshot

_SOURCE = "model.chat_template.source"
_TOKENS = "model.tokenizer.special_tokens"
_FILES = frozenset(("vllm", "sglang", "tgi", "llama.cpp", "tensorrt-llm"))
_INLINE = frozenset(("vllm", "llama.cpp", "tensorrt-llm"))
_LONGEST = 2**20
_HINT = "join the model's directory to the source: +hf:DIR"


def with_template(snapshot: Snapshot) -> Snapshot:
    """The snapshot with what the template does that its launch names; as it is where no source shows that template."""
    source = snapshot.facts.get(_SOURCE)
    name = snapshot.engine.name if snapshot.engine is not None else ""
    if source is None or source.state != "known" or not isinstance(source.value, str) or name not in _FILES:
        return snapshot
    found = _named(snapshot, source.value, name) or _inline(source, name)
    if found is None or len(found.text) > _LONGEST:
        return snapshot
    return msgspec.structs.replace(snapshot, facts={**snapshot.facts, **_facts(snapshot, source, found, name)})


def _named(snapshot: Snapshot, path: str, engine: str) -> Content | None:
    """The file that the launch names, where a source shows what is in it."""
    content = snapshot.launch.file(path) if snapshot.launch is not None else None
    if content is None or content.unknown:
        return None
    if engine == "tgi":
        try:
            held = msgspec.json.decode(content.text)
        except (msgspec.DecodeError, RecursionError):
            return None
        text = held.get("chat_template") if isinstance(held, dict) else None
        return Content(text, content.location) if isinstance(text, str) else None
    if engine == "sglang":
        if not path.endswith(".jinja"):
            return None  # a description of a conversation in JSON
        return Content(content.text.strip("\n").replace("\\n", "\n"), content.location)
    return content


def _inline(source: Resolved, engine: str) -> Content | None:
    """The template that stands in the argument itself."""
    text = str(source.value)
    if engine not in _INLINE or not ("{{" in text or "{%" in text):
        return None
    return Content(text, _first(source))


def _first(source: Resolved) -> Location:
    return source.locations[0] if source.locations else Location("")


def _facts(snapshot: Snapshot, source: Resolved, found: Content, engine: str) -> dict[str, Resolved]:
    from askew.collectors.hf import tokens
    from askew.platforms.huggingface import chat_template, probes
    from askew.platforms.kubernetes.observe import observed
    from askew.resolve.observation import Unknown

    why = f"the launch names this template ({_first(source)}), which wins over the model's own"
    if engine == "tgi":
        why = f"{why}, unless the model has a chat_template.json"
    observations = list(chat_template.of_text(found.text, found.location, why))
    special = snapshot.facts.get(_TOKENS)
    known = special is not None and special.state == "known" and isinstance(special.value, dict)
    behaviour = "model.chat_template.behaviour"
    if not known and chat_template.special_names(found.text):
        reason = "the template writes special tokens, and no source shows those of the tokenizer"
        unknown = Unknown(reason, _HINT, missing=True)
        observations.append(observed(behaviour, unknown, found.location, origin="config-file", because=(why,)))
    else:
        tokens_known: Mapping[str, Value] = special.value if known else {}  # type: ignore[union-attr,assignment]
        rendered = tokens.render(found.text, found.text, tokens_known)
        bos = tokens_known.get("bos_token")
        observations.extend(
            probes.of_rendered(rendered, found.location, bos if isinstance(bos, str) else None, "config-file")
        )
    out = dict(resolve(observations))
    # What the model's own template does is not what is served.
    stale = {key for key in snapshot.facts if key.startswith("model.chat_template.") and key != _SOURCE}
    for key in stale - out.keys():
        reason = "the launch names another template than the model's own, and this was not found out of it"
        out[key] = Resolved(fact=key, state="unknown", reason=reason, observe_with=_HINT, missing=True)
    return out
