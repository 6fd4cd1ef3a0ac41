"""How vLLM reads the values of its arguments, where that is more than one plain word.

A reader takes the words given and returns what the fact's type reads; a spread returns several ``(fact, key, value)``.
Both raise ``ValueError`` for what vLLM's own parser refuses. Source: ``vllm/utils/argparse_utils.py`` and
``vllm/engine/arg_utils.py`` of the published releases, https://pypi.org/project/vllm/#history
"""

from __future__ import annotations

import re
from typing import TypeAlias

from askew.facts.types import Value

Words: TypeAlias = tuple[str, ...]
Spread: TypeAlias = tuple[tuple[str, str, Value], ...]

# Arguments that have an effect but no fact of their own are compared as text, beside those that no table knows.
OTHER = "runtime.arguments.unmapped"

_HUMAN_IN_JSON = r'("(?:[^"\\]|\\.)*")|\b(\d+(?:\.\d+)?[kKmMgGtT])\b'
_ROLES = {"kv_producer": "prefill", "kv_consumer": "decode", "kv_both": "both"}
_ROPE = ("rope_scaling", "rope_theta", "rope_parameters")
# Addresses and ranks: they say how members find each other, and differ between any two deployments.
_WIRING = ("kv_ip", "kv_port", "kv_rank", "engine_id", "kv_parallel_size")


def source(model: str) -> str:
    """Where weights come from, as a URI: repository ids become ``hf://org/name``; paths and URIs stay."""
    text = model.strip()
    repository = text.count("/") < 2 and text[:1].isalnum() and text.isascii() and text[-1:] != "/"
    return (
        f"hf://{text}"
        if repository and not any(letter in text for letter in " \t$(){}@,=\\") and "://" not in text
        else text
    )


def lower(words: Words) -> Value:
    """One word in lower case."""
    return words[0].strip().lower()


def whole(words: Words) -> Value:
    """A whole number as ``int()`` reads it: no suffixes."""
    from askew.facts.values.integer import python_integer

    number = python_integer(words[0])
    if number < 0:
        raise ValueError(f"expected a whole number of zero or more, got {words[0]!r}")
    return number


def integer(words: Words) -> Value:
    """A whole number, also below zero."""
    from askew.facts.values.integer import python_integer

    return python_integer(words[0])


def wholes(words: Words) -> Value:
    """Several whole numbers."""
    return [whole((word,)) for word in words]


def human_integer(words: Words) -> Value:
    """A size in vLLM's spelling: ``32k`` is 32000, ``32K`` is 32768."""
    from askew.facts.values.integer import engine_integer

    return engine_integer(words[0])


def decimal(words: Words) -> Value:
    """A number as ``float()`` reads it."""
    try:
        return float(words[0])
    except ValueError:
        raise ValueError(f"expected a number such as 0.9, got {words[0]!r}") from None


def gibibytes(words: Words) -> Value:
    """GiB, possibly with a fraction, as bytes."""
    number = decimal(words)
    if not isinstance(number, float) or not 0 <= number < 2**40:
        raise ValueError(f"expected a number of GiB such as 4, got {words[0]!r}")
    return int(number * 2**30)


def boolean(words: Words) -> Value:
    """``true`` or ``false``, as the arguments of releases before 0.8.5 took them."""
    word = words[0].strip().lower()
    if word not in ("true", "false"):
        raise ValueError(f"expected true or false, got {words[0]!r}")
    return word == "true"


def parser(words: Words) -> Value:
    """The name of a parser; ``none`` and nothing mean that there is none."""
    word = words[0].strip()
    return None if word.lower() in ("", "none") else word


def guided_backend(words: Words) -> Value:
    """The back end without the options that old releases appended (``xgrammar:no-fallback``)."""
    return words[0].partition(":")[0].strip()


def as_text(words: Words) -> Value:
    """The words as one text in a form that does not depend on spelling: JSON compact and sorted, numbers plain."""
    import msgspec

    text = " ".join(word.strip() for word in words)
    if text[:1] in ("{", "["):
        try:
            return msgspec.json.encode(json_value(text), order="deterministic").decode()
        except ValueError:
            return text
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def json_value(text: str) -> object:
    """JSON as vLLM reads it: bare numbers may carry a suffix (``{"bytes": 80m}``)."""
    import msgspec

    from askew.facts.values.integer import engine_integer

    def plain(match: re.Match[str]) -> str:
        return match[1] or str(engine_integer(match[2]))

    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        pass
    try:
        return msgspec.json.decode(re.sub(_HUMAN_IN_JSON, plain, text))
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        raise ValueError("expected JSON") from None


def json_map(words: Words) -> dict[str, Value]:
    """One word of JSON that holds an object; ``None`` and nothing are an empty one."""
    if not words or words[0].strip() in ("", "None", "null"):
        return {}
    found = json_value(words[0])
    if not isinstance(found, dict):
        raise ValueError('expected a JSON object such as {"key": "value"}')
    return found


def lora_modules(words: Words) -> Value:
    """``name=path`` words, JSON objects, or one JSON list, as vLLM's ``LoRAParserAction`` takes them."""
    found: list[Value] = []
    for word in words:
        text = word.strip()
        if text[:1] not in ("{", "["):
            for pair in text.split(","):
                name, sign, path = pair.partition("=")
                if not sign:
                    raise ValueError(f"expected name=path or JSON, got {word!r}")
                found.append({"name": name.strip(), "source": source(path)})
            continue
        given = json_value(text)
        for item in given if isinstance(given, list) else [given]:
            if not isinstance(item, dict) or "name" not in item or "path" not in item:
                raise ValueError('expected {"name": …, "path": …}')
            adapter: dict[str, Value] = {"name": str(item["name"]), "source": source(str(item["path"]))}
            if item.get("base_model_name"):
                adapter["base_model"] = str(item["base_model_name"])
            found.append(adapter)
    return found


def speculative_config(words: Words) -> Spread:
    """Every key of the configuration of speculative decoding."""
    return tuple(("runtime.speculative", key, value) for key, value in json_map(words).items() if value is not None)


def speculative_model(words: Words) -> Spread:
    """The draft model of old releases; ``[ngram]`` stands for the method without one."""
    word = words[0].strip()
    if word in ("", "None"):
        return ()
    return (("runtime.speculative", "method" if word == "[ngram]" else "model", word.strip("[]")),)


def generation_overrides(words: Words) -> Spread:
    """Sampling defaults; ``max_new_tokens`` caps the answer of every request."""
    found: list[tuple[str, str, Value]] = []
    for key, value in json_map(words).items():
        if key == "max_new_tokens":
            found.append(("runtime.max_output_tokens", "", value))
        else:
            found.append(("runtime.sampling_defaults", key, value))
    return tuple(found)


def rope_scaling(words: Words) -> Spread:
    """Rotary scaling given on its own."""
    return tuple(("runtime.rope_override", key, value) for key, value in rope(json_map(words)).items())


def rope(given: dict[str, Value]) -> dict[str, Value]:
    """The keys of a rotary configuration, with the old name of its type replaced."""
    return {"rope_type" if key == "type" else key: value for key, value in given.items()}


def hf_overrides(words: Words) -> Spread:
    """Overridden fields of the model's configuration; those of the rotary embedding are a fact of their own."""
    found: list[tuple[str, str, Value]] = []
    for key, value in json_map(words).items():
        if key in _ROPE and isinstance(value, dict):
            found.extend(("runtime.rope_override", inner, item) for inner, item in rope(value).items())
        elif key in _ROPE:
            found.append(("runtime.rope_override", key, value))
        else:
            found.append(("runtime.hf_overrides", key, value))
    return tuple(found)


def compilation(words: Words) -> Spread:
    """The compiler's settings; a bare number is the level of old releases (``-O3``)."""
    text = words[0].strip()
    if text.isdigit():
        return (("runtime.compilation", "level", int(text)),)
    found: list[tuple[str, str, Value]] = []
    for key, value in json_map(words).items():
        if key == "cudagraph_capture_sizes":
            found.append(("runtime.cuda_graph.sizes", "", value))
        else:
            found.append(("runtime.compilation", key, value))
    return tuple(found)


def optimization_level(words: Words) -> Spread:
    """``-O2``. Releases before 0.12 took the compiler's settings in the same place."""
    text = words[0].strip()
    if text.startswith("{"):
        return compilation(words)
    if text not in ("0", "1", "2", "3"):
        raise ValueError(f"expected a level from 0 to 3, got {text!r}")
    return (("runtime.compilation", "optimization_level", int(text)),)


def attention_config(words: Words) -> Spread:
    """The back end of attention, and its switches."""
    return _nested("--attention-config", json_map(words), {"backend": "runtime.attention_backend"})


def structured_outputs(words: Words) -> Spread:
    """The back end of guided decoding, and its switches."""
    return _nested("--structured-outputs-config", json_map(words), {"backend": "runtime.structured_output_backend"})


def kv_transfer(words: Words) -> Spread:
    """The role in disaggregated serving, and the connector that moves the cache."""
    given = json_map(words)
    role = given.pop("kv_role", None)
    for key in _WIRING:
        given.pop(key, None)
    found = _nested("--kv-transfer-config", given, {})
    if role is None:
        return found
    if role not in _ROLES:
        raise ValueError(f"expected a kv_role of {', '.join(_ROLES)}, got {role!r}")
    return (("runtime.role", "", _ROLES[str(role)]), *found)


def api_key(words: Words) -> Spread:
    """That a key is required; never the key. A marker shows that the argument held one in the open."""
    held = any(word.strip() for word in words)
    found: Spread = (("serving.api_key_required", "", held),)
    if any(word.startswith("redacted:") for word in words):
        found += (("serving.secrets_in_arguments", "", ["--api-key"]),)
    return found


def certificate(words: Words) -> Spread:
    """A certificate turns TLS on."""
    on = words[0].strip() not in ("", "None")
    return (("serving.tls", "", on), ("serving.protocol", "", "https" if on else "http"))


def grpc(words: Words) -> Spread:
    """The Python gRPC server in place of HTTP."""
    return (("serving.protocol", "", "grpc"),)


def _nested(name: str, given: dict[str, Value], facts: dict[str, str]) -> Spread:
    import msgspec

    found: list[tuple[str, str, Value]] = []
    for key, value in given.items():
        if key in facts:
            found.append((facts[key], "", value))
        else:
            text = value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()
            found.append((OTHER, f"{name}.{key}", text))
    return tuple(found)
