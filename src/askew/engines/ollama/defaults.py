"""What Ollama does where nothing is written: literal defaults as observations, computed ones as rules.

Sources: ``versions/``; ``Serve`` and ``modelOptions`` of ``server/routes.go`` (context), ``server/sched.go`` (slots)
and ``Dockerfile`` (address) at the tags of https://github.com/ollama/ollama.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec

from askew.engines import versions
from askew.engines.literal import engine_default
from askew.engines.ollama.flags import PARAMETERS, address
from askew.engines.versions import Default, Release
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.rule import Rule

_GIB = 1 << 30
_ABSENT: tuple[tuple[str, Value], ...] = (
    ("serving.api_key_required", False),
    ("serving.tls", False),
    ("serving.protocol", "http"),
    ("runtime.seed", None),
    ("runtime.max_input_tokens", None),
    ("runtime.max_output_tokens", None),
)
_SAMPLING = frozenset(
    ("temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
)
_PS = "curl -s $URL/api/ps"
_SHOW = 'curl -s $URL/api/show -d \'{"model": "…"}\''
# The first release that sizes the context by the memory of all GPUs.
_BY_MEMORY = (0, 15, 5)


@functools.lru_cache(maxsize=16)
def defaults(version: str | None, official: bool) -> tuple[Observation, ...]:
    """The literal defaults of a release, or of the nearest that is in this build; of none, those that never changed.

    ``official``: the image of the project, which sets OLLAMA_HOST.
    """
    near = versions.nearest("ollama", version)
    release = near[0] if near is not None else None
    found: list[Observation] = []
    for flag in PARAMETERS:
        name = flag.names[0]
        if flag.fact == "runtime.sampling_defaults" and flag.key in _SAMPLING:
            confidence: Confidence = "likely"
        elif flag.fact == "runtime.default_output_tokens":
            confidence = "likely"
        else:
            continue
        if release is not None and name in release.arguments:
            if release.arguments[name].kind == "rule":
                continue
            raw, where = release.arguments[name].value, release.where(release.arguments[name])
        elif release is None and (held := _always(name)) is not None:
            raw, where = held
        else:
            continue
        value: Value = "unlimited" if flag.key == "" and isinstance(raw, int) and raw < 0 else raw
        because = ("a model's own parameters win over it",)
        found.append(_default(flag.fact, flag.key, value, where, confidence, because))
    cited = Location("ollama server/routes.go")
    found.extend(_default(fact, "", value, cited) for fact, value in _ABSENT)
    found.extend(_server(release, official))
    if release is None or (near is not None and near[1]):
        return tuple(found)
    doubt = _doubt(version, release)
    return tuple(
        one if one.value is None else msgspec.structs.replace(one, confidence="likely", because=(*one.because, doubt))
        for one in found
    )


def _doubt(version: str | None, release: Release) -> str:
    return f"Ollama {version} is not in this build; {release.version}, the nearest, does so"


def _always(name: str) -> tuple[Value, Location] | None:
    """A default that is alike in every release that has it."""
    past = versions.history("ollama")
    steps = past.arguments.get(name, ()) if past is not None else ()
    # One that the first releases did not set themselves is alike in all that do.
    first, state = next(((at, one) for at, one in steps if one is None or one.kind != "rule"), (0, None))
    if past is None or state is None or steps[-1] != (first, state):
        return None
    return state.value, Location(f"ollama, every release {past.releases[first]}–{past.releases[-1]}")


def _server(release: Release | None, official: bool) -> list[Observation]:
    found: list[Observation] = []
    image = release.arguments.get("image OLLAMA_HOST") if release is not None else None
    if official:
        # Every Dockerfile that was read sets this address.
        where = release.where(image) if release is not None and image is not None else Location("ollama Dockerfile")
        parts = address(("0.0.0.0:11434",))
    else:
        where, parts = Location("ollama envconfig/config.go"), address(("",))
    found.extend(_default(fact, key, value, where) for fact, key, value in parts)
    # f16_kv of api/types.go in older releases, the default of OLLAMA_KV_CACHE_TYPE since.
    cited = Location(f"ollama {release.version if release is not None else ''} envconfig/config.go".replace("  ", " "))
    for part in ("dtype", "key_dtype", "value_dtype"):
        found.append(_default(f"runtime.kv_cache.{part}", "", "float16", cited))
    if release is None:
        return found
    slots = release.variables.get("OLLAMA_NUM_PARALLEL")
    if slots is None and versions.release_key(release.version) < (0, 1, 33):
        # The server holds a lock while it answers: https://github.com/ollama/ollama/blob/v0.1.32/server/routes.go
        found.append(_default("runtime.max_num_seqs", "", 1, Location(f"ollama {release.version} server/routes.go")))
    if slots is not None and slots.value:
        because = ("some models are held to one request at a time",)
        found.append(_default("runtime.max_num_seqs", "", _plain(slots), release.where(slots), "likely", because))
    queue = release.variables.get("OLLAMA_MAX_QUEUE")
    if queue is not None and queue.value:
        found.append(_default("serving.queue", "max_requests", _plain(queue), release.where(queue)))
    length = release.variables.get("OLLAMA_CONTEXT_LENGTH")
    if length is None or (not length.value and length.kind == "rule"):
        length = release.arguments.get("num_ctx")
    if length is not None and length.value:
        because = ("a few model families get more, and no model more than it was trained for",)
        found.append(_default("runtime.max_model_len", "", _plain(length), release.where(length), "likely", because))
    return found


def _plain(default: Default) -> Value:
    return default.value


def _default(
    fact: str,
    key: str,
    value: Value | Unknown,
    where: Location,
    confidence: Confidence = "certain",
    because: tuple[str, ...] = (),
) -> Observation:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return engine_default(fact, key, value, where, confidence, because)


def _by_memory(known: Mapping[str, Value]) -> Value | Unknown:
    """``Serve``: 256 Ki tokens from 47 GiB over all GPUs, 32 Ki from 23 GiB, else 4 Ki; at most the model's own."""
    memory, count = known.get("hardware.gpu.memory.bytes"), known.get("hardware.gpu.count")
    if count == 0:
        length = 4096
    elif isinstance(memory, int) and isinstance(count, int):
        total = memory * count
        length = 262144 if total >= 47 * _GIB else 32768 if total >= 23 * _GIB else 4096
    else:
        return Unknown("4096, 32768 or 262144 by the memory of all GPUs, which no source shows", _PS)
    trained = known.get("model.context_length")
    return min(length, trained) if isinstance(trained, int) else length


def _slots(version: str | None) -> Rule:
    """Whether the slots are fixed: ``OLLAMA_NUM_PARALLEL`` is 0 in older releases, one slot or four by free memory."""
    near = versions.nearest("ollama", version)
    release = near[0] if near is not None else None
    entry = release.variables.get("OLLAMA_NUM_PARALLEL") if release is not None else None

    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        if release is None or (entry is not None and entry.kind == "rule"):
            return Unknown("the default changed between releases", _PS)
        if entry is None:
            return "1"  # before 0.1.33 nothing asks for it, and one request runs at a time
        return str(entry.value) if entry.value else "0"

    return Rule(
        fact="runtime.env", key="OLLAMA_NUM_PARALLEL", needs=(), compute=compute,
        because="0 takes one slot or four by free memory, every other number is the number of slots",
        location=release.where(entry) if release is not None and entry is not None else None,
    )  # fmt: skip


def _tokens(known: Mapping[str, Value]) -> Value | Unknown:
    length, slots = known["runtime.max_model_len"], known["runtime.max_num_seqs"]
    if isinstance(length, int) and isinstance(slots, int):
        return length * slots
    return Unknown("the length or the number of slots is not known", _PS)


def _undecided(fact: str, reason: str, look: str) -> Rule:
    return Rule(
        fact=fact, needs=(), compute=lambda known: Unknown(reason, look), because="decided when a model is loaded"
    )


@functools.lru_cache(maxsize=16)
def default_rules(version: str | None) -> tuple[Rule, ...]:
    """The computed defaults of a release."""
    found = [
        _slots(version),
        Rule(
            fact="runtime.kv_cache.tokens", needs=("runtime.max_model_len", "runtime.max_num_seqs"), compute=_tokens,
            because="each slot has the whole length", confidence="likely",
        ),
        _undecided("model.id", "a request names the model; no source shows which", _PS),
        _undecided("model.source", "a request names the model; no source shows which", _PS),
        _undecided("model.served_names", "every model that was pulled or created", "curl -s $URL/api/tags"),
        _undecided("model.chat_template.source", "part of the model, or of its Modelfile", _SHOW),
        _undecided("runtime.dtype", "each tensor is computed in the type that the model file stores it in", _SHOW),
        _undecided("runtime.quantization", "stored in the model file, which no source shows", _SHOW),
        _undecided("runtime.attention_backend", "flash attention by release, device and model", "the server's log"),
        _undecided("runtime.max_num_batched_tokens", "512, and more where memory allows in newer releases", _PS),
        _undecided("runtime.speculative", "part of the model", _SHOW),
        _undecided("runtime.lora.enabled", "adapters are part of the model", _SHOW),
        _undecided("runtime.max_num_seqs", "one slot or four by free memory", _PS),
        _undecided("runtime.default_output_tokens", "the runner decides it", "send a request that names no limit"),
    ]  # fmt: skip
    key = versions.release_key(version) if version else ()
    if key[:3] >= _BY_MEMORY:
        found.append(
            Rule(
                fact="runtime.max_model_len", needs=(),
                uses=("hardware.gpu.memory.bytes", "hardware.gpu.count", "model.context_length"), compute=_by_memory,
                because="by the memory of all GPUs, and less where a model does not fit", confidence="likely",
                location=Location(f"ollama {version} server/routes.go"),
            )
        )  # fmt: skip
    else:
        found.append(_undecided("runtime.max_model_len", "the default changed between releases", _PS))
    return tuple(found)
