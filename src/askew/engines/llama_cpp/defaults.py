"""What llama.cpp's server does where nothing is written: literal defaults as observations, computed ones as rules.

Sources: ``versions/``; ``main`` of ``tools/server/server.cpp`` (slots), ``server_context`` (context of a slot) and
``src/llama-context.cpp`` (rounding) of https://github.com/ggml-org/llama.cpp, read in the same sdists.
Builds come several a day: for one between two that were read, a default holds where both have it, and is then likely.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from askew.engines import versions
from askew.engines.literal import engine_default
from askew.engines.llama_cpp.flags import flags
from askew.engines.llama_cpp.python_flags import FLAGS as PYTHON
from askew.engines.versions import Default, Release
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.rule import Rule

_LITERAL = frozenset(
    (
        "runtime.kv_cache.key_dtype",
        "runtime.kv_cache.value_dtype",
        "runtime.max_num_batched_tokens",
        "runtime.max_num_seqs",
        "runtime.prefix_caching",
        "runtime.warmup",
        "runtime.reasoning_parser",
        "runtime.sampling_defaults",
        "runtime.default_output_tokens",
        "runtime.kv_cache.tokens",
        "serving.port",
        "serving.listen_host",
    )
)
_SAMPLING = frozenset(
    (
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
        "repetition_penalty",
        "presence_penalty",
        "frequency_penalty",
    )
)
_OWN_NAMES = {"repetition_penalty": "repeat_penalty"}
_ABSENT: tuple[tuple[str, Value], ...] = (
    ("runtime.lora.enabled", False),
    ("runtime.speculative", None),
    ("runtime.rope_override", None),
    ("serving.api_key_required", False),
    ("serving.tls", False),
    ("serving.protocol", "http"),
    ("model.chat_template.source", None),
    ("runtime.max_input_tokens", None),
    ("runtime.max_output_tokens", None),
    ("runtime.seed", None),
)
_PROPS = "curl -s $URL/props"
_UNIFIED = "kv_unified"
_FIRST_ROUNDED = 8672  # the oldest build that was read; sizes are rounded up to multiples of 256 in it and since


def _rounds(version: str | None) -> bool:
    """Whether the build is one of those that round the context up."""
    number = version[1:] if version and version[0] == "b" else ""
    return number.isdecimal() and int(number) >= _FIRST_ROUNDED


@functools.lru_cache(maxsize=16)
def _releases(version: str | None) -> tuple[Release, ...]:
    """The release itself, or the builds read right before and after it; after the last of them that one twice."""
    name = version.removeprefix("b") if version else None
    exact = versions.load("llama.cpp", name)
    if exact is not None:
        return (exact,)
    if not version or version[0] != "b" or name is None or not name.isdecimal():
        return ()
    known = builds()
    before = [one for one in known if int(one) < int(name)]
    after = [one for one in known if int(one) > int(name)]
    if not before:
        return ()
    found = (versions.load("llama.cpp", before[-1]), versions.load("llama.cpp", (*after, before[-1])[0]))
    return tuple(one for one in found if one is not None)


def builds() -> tuple[str, ...]:
    """The builds of llama.cpp that were read, oldest first."""
    return tuple(one for one in versions.releases("llama.cpp") if "." not in one)


def _entry(release: Release, names: tuple[str, ...]) -> Default | None:
    """The argument under any of its names."""
    for name in names:
        if name in release.arguments:
            return release.arguments[name]
    wanted = {name for name in names if name.startswith("--")}
    return next((one for one in release.arguments.values() if wanted & set(one.names)), None)


@functools.lru_cache(maxsize=16)
def defaults(version: str | None, python: bool, official: bool) -> tuple[Observation, ...]:
    """The literal defaults of a release; where it is not in this build of Askew, those that never changed.

    ``official``: an image of the llama.cpp project for its server, which sets LLAMA_ARG_HOST
    (``.devops/cpu.Dockerfile``).
    """
    read = _releases(version)
    found: list[Observation] = []
    for flag in PYTHON if python else flags():
        if flag.fact not in _LITERAL and flag.names[0] != "--n_ctx":
            continue
        if flag.until or (flag.fact == "runtime.sampling_defaults" and flag.key not in _SAMPLING):
            continue
        if flag.takes == "switch" or not (stated := _stated(flag.names, read, version)):
            continue
        raw, where, confidence, because = stated
        fact = flag.fact or "runtime.kv_cache.tokens"
        if flag.fact == "runtime.default_output_tokens" and isinstance(raw, int) and raw < 0:
            raw = "unlimited"
        if flag.fact == "runtime.sampling_defaults" and confidence == "certain":
            # Since 2026 a model file may carry sampling parameters of its own.
            confidence, because = "likely", ("a model file may state its own (general.sampling.*)",)
        if raw is None:
            continue
        found.append(engine_default(fact, flag.key, _canonical(fact, flag.key, raw), where, confidence, because))
    cited = Location("llama.cpp tools/server/server.cpp")
    if official:
        found = [one for one in found if one.fact != "serving.listen_host"]
        found.append(engine_default("serving.listen_host", "", "0.0.0.0", Location("llama.cpp .devops/cpu.Dockerfile")))
    found.extend(engine_default(fact, "", value, cited) for fact, value in _ABSENT)
    if python:
        for name in sorted(_SAMPLING):
            stated = _stated((f"request {_OWN_NAMES.get(name, name)}",), read, version)
            if stated is not None:
                value = _canonical("runtime.sampling_defaults", name, stated[0])
                found.append(engine_default("runtime.sampling_defaults", name, value, stated[1]))
        # create_app takes one lock per request: one sequence at a time.
        found.append(
            engine_default("runtime.max_num_seqs", "", 1, Location("llama-cpp-python llama_cpp/server/app.py"))
        )
    return tuple(found)


def _stated(
    names: tuple[str, ...], read: tuple[Release, ...], version: str | None
) -> tuple[Value, Location, Confidence, tuple[str, ...]] | None:
    entries = [(one, _entry(one, names)) for one in read]
    if entries:
        release, entry = entries[-1]
        if entry is None or entry.kind == "rule":
            return None
        if any(other is None or other.kind == "rule" or other.value != entry.value for _, other in entries):
            return None
        if len(entries) == 1:
            return entry.value, release.where(entry), "certain", ()
        first = entries[0][0].version
        have = f"builds b{first} and b{release.version} have it"
        if first == release.version:
            have = f"build b{first}, the last that was read, has it"
        because = (f"{have}; {version} itself was not read",)
        return entry.value, release.where(entry), "likely", because
    stable = versions.stable("llama.cpp")
    name = next((name for name in names if stable is not None and name in stable.defaults), None)
    if stable is None or name is None:
        return None
    return stable.defaults[name], stable.where, "certain" if version is None else "likely", ()


def _canonical(fact_key: str, key: str, raw: Value) -> Value:
    from askew.facts.catalogue import fact

    kind = fact(fact_key).type
    parsed = kind.parse({key: raw} if key and kind.keyed else raw)
    return parsed[key] if key and isinstance(parsed, dict) else parsed


def _length(rounds: bool, unified: bool | None) -> Rule:
    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        tokens, slots = known["runtime.kv_cache.tokens"], known.get("runtime.max_num_seqs")
        if not isinstance(tokens, int):
            return Unknown("the size of the context is not known", _PROPS)
        scheduler = known.get("runtime.scheduler")
        shared = scheduler.get(_UNIFIED, unified) if isinstance(scheduler, dict) else unified
        cap = scheduler.get("kv_unified_per_slot") if isinstance(scheduler, dict) else None
        length: int = tokens
        if shared is not True:
            if not isinstance(slots, int) or slots < 1:
                return Unknown("the context is shared by the slots, and no source shows how many", _PROPS)
            length = tokens // slots
        if length % 256:
            if not rounds:
                return Unknown(
                    f"{tokens} tokens over the slots, which some builds round up to a multiple of 256", _PROPS
                )
            length += 256 - length % 256
        if isinstance(cap, int) and cap > 0:
            length = min(length, cap)
        trained = known.get("model.context_length")
        return min(length, trained) if isinstance(trained, int) and rounds else length

    return Rule(
        fact="runtime.max_model_len",
        needs=("runtime.kv_cache.tokens",),
        uses=("runtime.max_num_seqs", "runtime.scheduler", "model.context_length"),
        compute=compute,
        because="the context is divided by the slots unless they share one cache",
    )


def _python_length(known: Mapping[str, Value]) -> Value | Unknown:
    tokens = known["runtime.kv_cache.tokens"]
    return tokens if isinstance(tokens, int) else Unknown("the size of the context is not known")


def _from_model(known: Mapping[str, Value]) -> Value | Unknown:
    return Unknown(
        "taken from the model, and made smaller where it does not fit into free memory; no source shows the result",
        _PROPS,
    )


def _one_type(known: Mapping[str, Value]) -> Value | Unknown:
    keys, values = known["runtime.kv_cache.key_dtype"], known["runtime.kv_cache.value_dtype"]
    return keys if keys == values else Unknown(f"keys are {keys} and values {values}: see each on its own")


def _undecided(fact: str, reason: str, look: str = _PROPS) -> Rule:
    return Rule(fact=fact, needs=(), compute=lambda known: Unknown(reason, look), because="decided at start")


def default_rules(version: str | None, python: bool, slots_given: bool) -> tuple[Rule, ...]:
    """The computed defaults of a release. ``slots_given``: the launch says how many slots there are."""
    found = [
        Rule(
            fact="runtime.kv_cache.dtype",
            needs=("runtime.kv_cache.key_dtype", "runtime.kv_cache.value_dtype"),
            compute=_one_type,
            because="keys and values have the same type",
        ),
        _undecided("runtime.kv_cache.tokens", _from_model({}).reason),  # type: ignore[union-attr]
        _undecided(
            "model.served_names", "one model answers to any name; it is listed by its path or by its repository"
        ),
        _undecided("runtime.dtype", "each tensor is computed in the type that the model file stores it in"),
        _undecided("runtime.quantization", "stored in the model file, which no source shows", "read the GGUF header"),
    ]
    reuse = (
        "the last prompt of a slot is kept, by the release and by each request"
        if not python
        else ("the last prompt is kept where the next begins alike; --cache keeps more than one")
    )
    found.append(_undecided("runtime.prefix_caching", reuse))
    found.append(_undecided("runtime.reasoning_parser", "decided by the release; no source shows which build"))
    if python:
        found.append(_undecided("runtime.default_output_tokens", "16 for /v1/completions, no limit for chat"))
        found.append(_undecided("runtime.sampling_defaults", "decided by the release"))
        found.append(
            Rule(
                fact="runtime.max_model_len", needs=("runtime.kv_cache.tokens",), compute=_python_length,
                because="one request at a time has the whole context",
            )
        )  # fmt: skip
        found.append(_undecided("runtime.attention_backend", "decided by the release"))
        return tuple(found)
    # Without --parallel there is one slot (older builds), or four that share one cache (`-np -1`): either way
    # a request may use the whole context. With it, each slot has its part.
    found.append(_length(_rounds(version), None if slots_given else True))
    read = _releases(version)
    auto = [_entry(one, ("--parallel",)) for one in read]
    if auto and all(one is not None and one.kind == "rule" for one in auto):
        found.append(
            Rule(
                fact="runtime.max_num_seqs", needs=(), compute=lambda known: 4,
                because="without --parallel the server opens four slots that share one cache",
                confidence="certain" if len(read) == 1 else "likely",
                location=Location(f"llama.cpp b{read[-1].version} tools/server/server.cpp"),
            )
        )  # fmt: skip
    elif not auto:
        found.append(_undecided("runtime.max_num_seqs", "one slot in older builds, four in those since late 2025"))
    found.append(
        _undecided(
            "runtime.attention_backend", "flash attention is off in older builds and decided by the device since"
        )
    )
    found.append(
        _undecided("serving.port", "8080 in most builds, another port in the newest; no source shows which build")
    )
    return tuple(found)
