"""What the backends for language models read: ``parameters`` of TensorRT-LLM, ``model.json`` of vLLM.

Sources: ``inflight_batcher_llm/src/model_instance_state.cc`` of
https://github.com/triton-inference-server/tensorrtllm_backend at v0.10.0 to v0.17.0; ``src/model.py`` of
https://github.com/triton-inference-server/vllm_backend, which hands the file to ``AsyncEngineArgs``.
"""

from __future__ import annotations

import functools
import os.path
from collections.abc import Callable, Iterator, Mapping

import msgspec

from askew.engines import versions
from askew.engines.arguments import Entry, table
from askew.engines.interface import Reading
from askew.engines.triton.flags import OTHER
from askew.engines.triton.model_config import Model, Setting
from askew.evidence.launch import Content, Launch, Token
from askew.evidence.textproto import Item
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem

_LOOK = "the server's log, where the backend tells its settings"
_TRUE = ("true", "1", "on", "t", "yes")


def _boolean(text: str) -> Value:
    return text.strip().lower() in _TRUE


def _plain(text: str) -> Value:
    return text.strip()


def _batching(text: str) -> Value:
    word = text.strip().lower()
    return "inflight" if word in ("inflight_fused_batching", "inflight_batching") else word


# Parameter → fact, entry, and how its text is read.
_TENSORRT_LLM: dict[str, tuple[str, str, Callable[[str], Value]]] = {
    "gpt_model_path": ("model.source", "", _plain),
    "gpt_model_type": ("runtime.scheduler", "batching", _batching),
    "batch_scheduler_policy": ("runtime.scheduler", "policy", _plain),
    "max_tokens_in_paged_kv_cache": ("runtime.kv_cache.tokens", "", _plain),
    "kv_cache_free_gpu_mem_fraction": ("runtime.gpu_memory_utilization", "", _plain),
    "enable_kv_cache_reuse": ("runtime.prefix_caching", "", _boolean),
    "enable_chunked_context": ("runtime.chunked_prefill", "", _boolean),
}
_TOKENS = "max_tokens_in_paged_kv_cache"  # where it is given, no share of memory is taken by default
# What the backend takes where a parameter is empty or missing, as its own log says it.
_DEFAULTS: tuple[tuple[str, str, Value], ...] = (
    ("batch_scheduler_policy", "runtime.scheduler", "guaranteed_no_evict"),
    ("enable_kv_cache_reuse", "runtime.prefix_caching", False),
    ("enable_chunked_context", "runtime.chunked_prefill", False),
    ("kv_cache_free_gpu_mem_fraction", "runtime.gpu_memory_utilization", 0.9),
)
# Parameters whose written default is no setting: what the backend takes for them where nothing is written.
_TAKEN = {
    "max_beam_width": "1", "normalize_log_probs": "true", "exclude_input_in_output": "false",
    "cancellation_check_period_ms": "100", "stats_check_period_ms": "100", "gpu_weights_percent": "1.0",
    "kv_cache_host_memory_bytes": "0", "kv_cache_onboard_blocks": "true", "lora_cache_max_adapter_size": "64",
    "lora_cache_optimal_adapter_size": "8", "lora_cache_gpu_memory_fraction": "0.05",
    "multi_block_mode": "true", "enable_context_fmha_fp32_acc": "false", "cuda_graph_mode": "false",
    "cuda_graph_cache_size": "0", "speculative_decoding_fast_logits": "false",
}  # fmt: skip
_INERT = ("executor_worker_path",)


def parameters(model: Model) -> Iterator[Setting]:
    """The ``parameters`` of a model: facts of the language model for TensorRT-LLM, else each as text."""
    written = {entry.key: entry for entry in model.config.all("parameters")}
    tensorrt = model.backend == "tensorrtllm"
    for key, entry in written.items():
        inner = entry.one("string_value")
        text = str(inner.value) if inner is not None and inner.value is not None else ""
        item = inner or entry
        if tensorrt:
            yield from _parameter(key, text, item)
        elif inner is not None and inner.template:
            yield _as_text(key, _unfilled(inner), item)
        else:
            yield _as_text(key, text, item)
    if tensorrt:
        for key, fact, value in _DEFAULTS:
            if not _given(written, key) and not (fact.endswith("utilization") and _given(written, _TOKENS)):
                entry_key = _TENSORRT_LLM[key][1]
                yield Setting(
                    fact=fact, key=entry_key, name=f"parameters.{key}", value=value, confidence="likely", llm=True,
                    because="the backend takes it where the parameter is empty",
                )  # fmt: skip


def _given(written: Mapping[str, Item], key: str) -> bool:
    entry = written.get(key)
    inner = entry.one("string_value") if entry is not None else None
    return inner is not None and bool(str(inner.value).strip())


def _parameter(key: str, text: str, item: Item) -> Iterator[Setting]:
    if key in _INERT or (not text.strip() and not item.template):
        return
    fact, entry, read = _TENSORRT_LLM.get(key, (OTHER, "", _plain))
    if item.template:
        value: Value | Unknown = _unfilled(item)
    elif fact == OTHER and _same(text, _TAKEN.get(key)):
        return
    else:
        value = read(text)
    if fact == OTHER:
        yield _as_text(key, value, item)
        return
    yield Setting(fact=fact, key=entry, name=f"parameters.{key}", value=value, item=item, llm=True)
    if fact == "model.source":
        yield Setting(fact="model.id", name="model", value=value, item=item, llm=True)


def _same(text: str, default: str | None) -> bool:
    if default is None:
        return False
    word = text.strip().lower()
    if default in ("true", "false"):
        return word == default
    try:
        return float(word) == float(default)
    except ValueError:
        return False


def _as_text(key: str, value: Value | Unknown, item: Item) -> Setting:
    name = f"parameters.{key}"
    return Setting(fact=OTHER, key=name, name=name, value=value, item=item)


def _unfilled(item: Item) -> Unknown:
    return Unknown(f"{item.template[:60]} is filled in before the server reads the file", _LOOK, item.template[:200])


# What vLLM would say of its own server, which does not run here.
_OF_ITS_SERVER = ("runtime.engine.", "runtime.image", "runtime.env", "serving.", "model.served_names")


def engine_file(model: Model, launch: Launch) -> str:
    """The path of ``model.json`` of a vLLM model: in the newest version folder that a source shows; empty for none."""
    folder = os.path.dirname(model.path)
    if os.path.basename(model.path) != "config.pbtxt":  # configs/NAME.pbtxt
        folder = os.path.dirname(folder)
    found: dict[int, str] = {}
    for path in launch.files:
        home, name = os.path.split(path)
        above, version = os.path.split(home)
        if name == "model.json" and above == folder and version.isdecimal() and len(version) < 10:
            found[int(version)] = path
    return found[max(found)] if found else ""


def vllm(path: str, launch: Launch, version: str | None) -> Reading:
    """What vLLM makes of a ``model.json``, whose keys are the names of its arguments. ``version`` is the vLLM that the
    release of Triton is built with.

    A file that is no JSON object is a problem of kind ``unreadable``.
    """
    content = launch.files[path]
    try:
        arguments = msgspec.json.decode(content.text.encode("utf-8", "replace"), type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as error:
        return Reading(observations=(), problems=(_no_json(path, content, str(error)),))
    from askew.engines.vllm.engine import ENGINE

    image = Token(f"vllm/vllm-openai:v{version}", content.location) if version else None
    words = (Token("vllm", content.location), Token("serve", content.location))
    given = tuple(_words(arguments, content, version))
    reading = ENGINE.read(Launch(argv=(*words, *given), location=content.location, image=image))
    observations = tuple(_within(one) for one in reading.observations if not one.fact.startswith(_OF_ITS_SERVER))
    rules = tuple(_likely(rule) for rule in reading.rules if not rule.fact.startswith(_OF_ITS_SERVER))
    return msgspec.structs.replace(reading, observations=observations, rules=rules)


def _no_json(path: str, content: Content, why: str) -> Problem:
    """What is wrong with a file that is no JSON object, and where."""
    import json

    line = column = 0
    try:
        json.loads(content.text)
    except json.JSONDecodeError as error:
        line, column = error.lineno - 1, error.colno - 1
    except RecursionError:
        why = "it nests too deeply"
    place = content.place(line, column)
    return Problem(
        kind="unreadable",
        message=f"{path} is no JSON object: {why}",
        locations=(place,),
        suggestion="expected a JSON object with the arguments of vLLM",
    )


def _words(arguments: dict[str, object], content: Content, version: str | None) -> Iterator[Token]:
    """The command line that says the same. ``AsyncEngineArgs`` takes the names of the arguments, with underscores."""
    names = _names(version)
    lines = content.text.split("\n")
    for key, value in arguments.items():
        line = next((number for number, text in enumerate(lines) if f'"{key}"' in text), 0)
        at = content.place(line, max(lines[line].find(f'"{key}"'), 0))
        name = f"--{key.replace('_', '-')}"
        entry = names.get(name)
        takes = entry.flag.takes if entry is not None else "value"
        if isinstance(value, bool) and takes in ("switch", "toggle"):
            if value:
                yield Token(name, at)
            elif f"--no-{name[2:]}" in names:
                yield Token(f"--no-{name[2:]}", at)
        elif value is not None:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            yield Token(f"{name}={text}", at)


@functools.lru_cache(maxsize=4)
def _names(version: str | None) -> Mapping[str, Entry]:
    from askew.engines.vllm.engine import DIALECT, TITLE
    from askew.engines.vllm.flags import FLAGS

    return table(FLAGS, DIALECT, title=TITLE, version=version, releases=versions.releases("vllm")).names


def _within(one: Observation) -> Observation:
    """The same, as said by a file of the backend; its own defaults hold as far as the pinned vLLM is the one that
    runs."""
    return msgspec.structs.replace(
        one,
        origin="config-file" if one.origin == "explicit" else one.origin,
        confidence="likely" if one.origin == "engine-default" else one.confidence,
    )


def _likely(rule: Rule) -> Rule:
    return msgspec.structs.replace(rule, confidence="likely") if rule.confidence == "certain" else rule
