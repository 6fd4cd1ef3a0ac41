"""SGLang's arguments as data: all that its releases since 0.3.0 know.

Source: ``ServerArgs`` of the published packages, https://pypi.org/project/sglang/#history, read as text. ``since`` and
``until`` are taken from ``versions/history.json``. Arguments that need no code are in ``options``.
"""

from __future__ import annotations

import functools
import re

import msgspec

from askew.engines import versions
from askew.engines.flags import Flag, Takes
from askew.engines.sglang.options import IRRELEVANT, OPTIONS
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"

_HUMAN = re.compile(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)")
_UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

Spread = tuple[tuple[str, str, Value], ...]


def integer(words: tuple[str, ...]) -> Value:
    """SGLang's ``human_readable_int``: plain, ``25.6k`` (SI) or ``32Ki`` (IEC, whole numbers only); case matters."""
    text = words[0].strip()
    match = _HUMAN.fullmatch(text)
    if match is not None and len(text) < 20:
        number, unit = match.groups()
        if "." not in number:
            return int(number) * _UNITS[unit]
        if len(unit) == 1:
            from decimal import Decimal

            return int(Decimal(number) * _UNITS[unit])
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    raise ValueError(f"expected a whole number such as 8192, 8k or 8Ki, got {text!r}")


def _chunk(words: tuple[str, ...]) -> Spread:
    """-1 turns chunking off; the budget of a prefill step is then ``--max-prefill-tokens``."""
    size = integer(words)
    if isinstance(size, int) and size > 0:
        return (("runtime.chunked_prefill", "", True), ("runtime.max_num_batched_tokens", "", size))
    return (("runtime.chunked_prefill", "", False),)


def _experts(words: tuple[str, ...]) -> Spread:
    size = integer(words)
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"expected a whole number above zero, got {words[0]!r}")
    if size == 1:
        return (("runtime.expert_parallel", "", False),)
    return (("runtime.expert_parallel", "", True), (OTHER, "--ep-size", str(size)))


def _adapters(words: tuple[str, ...]) -> Spread:
    """``PATH``, ``NAME=PATH`` or a JSON object with ``lora_name`` and ``lora_path``."""
    found: list[Value] = []
    for word in words:
        text = word.strip()
        if text.startswith("{"):
            try:
                given = msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
                raise ValueError(f"expected NAME=PATH or a JSON object, got {text[:80]!r}") from None
            if not isinstance(given, dict) or "lora_path" not in given or "lora_name" not in given:
                raise ValueError("expected a JSON object with lora_name and lora_path")
            found.append({"name": str(given["lora_name"]), "source": str(given["lora_path"])})
        elif text:
            name, sign, path = text.partition("=")
            found.append({"name": name, "source": path if sign else name})
    if not found:
        return ()
    return (("model.lora_adapters", "", found), ("runtime.lora.enabled", "", True))


def _draft(words: tuple[str, ...]) -> Value:
    """SGLang reads NEXTN as EAGLE."""
    method = words[0].strip().lower()
    return "eagle" if method == "nextn" else method


def _role(words: tuple[str, ...]) -> Value:
    return {"null": "both"}.get(words[0], words[0])


def _sampling(words: tuple[str, ...]) -> Value:
    return {"openai": "engine", "model": "auto"}[words[0]]


def _gigabytes(words: tuple[str, ...]) -> Value:
    try:
        return int(float(words[0]) * 2**30)
    except (ValueError, OverflowError):
        raise ValueError(f"expected gigabytes as a number, got {words[0]!r}") from None


def _sizes(words: tuple[str, ...]) -> Value:
    if not all(re.fullmatch(r"\d{1,9}", word) for word in words):
        raise ValueError("expected whole numbers")
    return [int(word) for word in words]


def _hidden(words: tuple[str, ...]) -> Value:
    return "given"


# SGLang's --mem-fraction-static is the share of a GPU for weights and KV pool; activations and graphs come on top. It
# is this engine's knob for the fraction of memory that the engine may take, and compares between two SGLangs only.
# https://docs.sglang.ai/advanced_features/server_arguments.html
_FACTS: tuple[Flag, ...] = (
    Flag(names=("--model-path", "--model"), fact="model.id"),
    Flag(names=("--tokenizer-path",), fact="model.tokenizer.source"),
    Flag(names=("--tokenizer-mode",), fact="model.tokenizer.mode", choices=("auto", "slow")),
    Flag(names=("--revision",), fact="model.revision"),
    Flag(names=("--trust-remote-code",), takes="switch", fact="model.trust_remote_code"),
    Flag(names=("--served-model-name",), fact="model.served_names", read=lambda words: [words[0]]),
    Flag(names=("--chat-template",), fact="model.chat_template.source"),
    Flag(names=("--hf-chat-template-name",), fact=OTHER, key="--hf-chat-template-name"),
    Flag(names=("--port",), fact="serving.port"),
    Flag(names=("--host",), fact="serving.listen_host"),
    Flag(names=("--api-key",), fact="serving.api_key_required", read=lambda words: bool(words[0])),
    Flag(names=("--admin-api-key",), fact=OTHER, key="--admin-api-key", read=_hidden),
    Flag(names=("--ssl-certfile",), fact="serving.tls", read=lambda words: bool(words[0])),
    Flag(names=("--smg-grpc-mode",), takes="switch", fact="serving.protocol", implies="grpc"),
    Flag(
        names=("--grpc-mode",),
        takes="switch",
        fact="serving.protocol",
        implies="grpc",
        replaced_by="--smg-grpc-mode",
    ),
    Flag(names=("--load-format",), fact="runtime.load_format"),
    Flag(names=("--dtype",), fact="runtime.dtype"),
    Flag(names=("--kv-cache-dtype",), fact="runtime.kv_cache.dtype"),
    Flag(names=("--quantization",), fact="runtime.quantization"),
    Flag(names=("--context-length",), fact="runtime.max_model_len", read=integer),
    Flag(names=("--mem-fraction-static",), fact="runtime.gpu_memory_utilization"),
    Flag(names=("--max-running-requests",), fact="runtime.max_num_seqs", read=integer),
    Flag(
        names=("--max-num-reqs",),
        fact="runtime.max_num_seqs",
        read=integer,
        replaced_by="--max-running-requests",
    ),
    Flag(names=("--max-total-tokens",), fact="runtime.kv_cache.tokens", read=integer),
    Flag(names=("--chunked-prefill-size",), spreads=_chunk),
    Flag(names=("--page-size",), fact="runtime.kv_cache.block_size", read=integer),
    Flag(names=("--tp-size", "--tensor-parallel-size", "--tp"), fact="runtime.tensor_parallel_size", read=integer),
    Flag(
        names=("--pp-size", "--pipeline-parallel-size"),
        fact="runtime.pipeline_parallel_size",
        read=integer,
    ),
    Flag(names=("--dp-size", "--data-parallel-size", "--dp"), fact="runtime.data_parallel_size", read=integer),
    Flag(names=("--ep-size", "--expert-parallel-size", "--ep"), spreads=_experts),
    Flag(
        names=("--enable-ep-moe",),
        takes="switch",
        fact="runtime.expert_parallel",
        replaced_by="--ep-size",
    ),
    Flag(names=("--disable-radix-cache",), takes="switch", fact="runtime.prefix_caching", implies=False),
    # Without CUDA graphs SGLang runs every step eagerly: its torch.compile lives inside the graphs.
    Flag(names=("--disable-cuda-graph",), takes="switch", fact="runtime.enforce_eager"),
    Flag(names=("--cuda-graph-bs-decode",), takes="list", fact="runtime.cuda_graph.sizes", read=_sizes),
    Flag(
        names=("--cuda-graph-bs",),
        takes="list",
        fact="runtime.cuda_graph.sizes",
        read=_sizes,
        replaced_by="--cuda-graph-bs-decode",
    ),
    Flag(names=("--enable-torch-compile",), takes="switch", fact="runtime.compilation", key="torch_compile"),
    Flag(names=("--torch-compile-max-bs",), fact="runtime.compilation", key="max_batch_size", read=integer),
    Flag(
        names=("--max-torch-compile-bs",),
        fact="runtime.compilation",
        key="max_batch_size",
        read=integer,
        replaced_by="--torch-compile-max-bs",
    ),
    Flag(names=("--attention-backend",), fact="runtime.attention_backend"),
    Flag(
        names=("--disable-flashinfer",),
        takes="switch",
        fact="runtime.attention_backend",
        implies="triton",
        replaced_by="--attention-backend triton",
    ),
    Flag(
        names=("--enable-flashinfer-mla",),
        takes="switch",
        fact="runtime.attention_backend",
        implies="flashinfer",
        replaced_by="--attention-backend flashinfer",
    ),
    Flag(
        names=("--enable-flashmla",),
        takes="switch",
        fact="runtime.attention_backend",
        implies="flashmla",
        replaced_by="--attention-backend flashmla",
    ),
    Flag(names=("--cpu-offload-gb",), fact="runtime.cpu_offload.bytes", read=_gigabytes),
    Flag(names=("--random-seed",), fact="runtime.seed", read=integer),
    Flag(names=("--reasoning-parser",), fact="runtime.reasoning_parser"),
    Flag(names=("--tool-call-parser",), fact="runtime.tool_call_parser"),
    Flag(
        names=("--sampling-defaults",),
        fact="runtime.generation_config",
        read=_sampling,
        choices=("openai", "model"),
    ),
    Flag(names=("--preferred-sampling-params",), takes="json", fact="runtime.sampling_defaults"),
    Flag(names=("--json-model-override-args",), takes="json", fact="runtime.hf_overrides"),
    Flag(names=("--enable-lora",), takes="switch", fact="runtime.lora.enabled"),
    Flag(names=("--lora-paths",), takes="list", spreads=_adapters),
    Flag(names=("--max-lora-rank",), fact="runtime.lora.max_rank", read=integer),
    Flag(names=("--max-loras-per-batch",), fact="runtime.lora.max_adapters", read=integer),
    Flag(
        names=("--disaggregation-mode",),
        fact="runtime.role",
        read=_role,
        choices=("null", "prefill", "decode"),
    ),
    Flag(names=("--grammar-backend",), fact="runtime.structured_output_backend"),
    Flag(
        names=("--disable-overlap-schedule",),
        takes="switch",
        fact="runtime.async_scheduling",
        implies=False,
    ),
    Flag(
        names=("--enable-overlap-schedule",),
        takes="switch",
        fact="runtime.async_scheduling",
        replaced_by="nothing: it is on by default",
    ),
    Flag(names=("--skip-server-warmup",), takes="switch", fact="runtime.warmup", implies=False),
    Flag(
        names=("--enable-hierarchical-cache", "--enable-hicache"),
        takes="switch",
        fact=OTHER,
        key="--enable-hierarchical-cache",
    ),
    Flag(
        names=("--monokernel-backend",),
        fact=OTHER,
        key="--enable-amd-monokernel",
        read=lambda words: True,
        choices=("amd",),
        replaced_by="--enable-amd-monokernel",
    ),
    Flag(names=("--warmups",), fact=OTHER, key="--warmups"),
    Flag(names=("--watermark-config",), fact=OTHER, key="--watermark-config", read=_hidden),
    Flag(
        names=("--disable-flashinfer-sampling",),
        takes="switch",
        fact=OTHER,
        key="--sampling-backend",
        implies="pytorch",
        replaced_by="--sampling-backend pytorch",
    ),
    Flag(names=("--model-type",), fact=OTHER, key="--model-type"),
    Flag(names=("--version", "-v"), takes="switch", irrelevant="It prints the version and ends."),
    Flag(names=("--help", "-h"), takes="switch", irrelevant="It prints help and ends."),
)

# --name, word for the key of runtime.scheduler, takes
_SCHEDULER: tuple[tuple[str, str, Takes], ...] = (
    ("--schedule-policy", "policy", "value"),
    ("--schedule-conservativeness", "conservativeness", "value"),
    ("--max-prefill-tokens", "max_prefill_tokens", "value"),
    ("--max-queued-requests", "max_queued_requests", "value"),
    ("--prefill-max-requests", "prefill_max_requests", "value"),
    ("--enable-mixed-chunk", "mixed_chunk", "switch"),
    ("--enable-priority-scheduling", "priority", "switch"),
    ("--schedule-low-priority-values-first", "low_values_first", "switch"),
    ("--priority-scheduling-preemption-threshold", "preemption_threshold", "value"),
    ("--disable-priority-preemption", "no_preemption", "switch"),
    ("--retraction-policy", "retraction", "value"),
    ("--num-continuous-decode-steps", "continuous_decode_steps", "value"),
    ("--scheduler-recv-interval", "recv_interval", "value"),
    ("--num-reserved-decode-tokens", "reserved_decode_tokens", "value"),
)

# --speculative-…: argument, key of runtime.speculative, takes
_SPECULATIVE = """
algorithm method value
draft-model-path,draft-model model value
num-steps num_steps value
num-draft-tokens num_draft_tokens value
eagle-topk eagle_topk value
accept-threshold-single - value
accept-threshold-acc - value
token-map - value
attention-mode - value
draft-model-revision - value
ngram-min-match-window-size - value
ngram-max-match-window-size - value
ngram-branch-length - value
ngram-min-bfs-breadth - value
ngram-max-bfs-breadth - value
ngram-match-type - value
ngram-capacity - value
draft-load-format - value
moe-runner-backend - value
draft-attention-backend - value
moe-a2a-backend - value
draft-model-quantization - value
ngram-max-trie-depth - value
dflash-block-size - value
ngram-external-corpus-path - value
ngram-external-sam-budget - value
ngram-external-corpus-max-tokens - value
adaptive - switch
adaptive-config - value
skip-dp-mlp-sync - switch
dflash-draft-window-size draft_window_size value
draft-window-size - value
use-rejection-sampling - switch
dspark-block-size - value
dspark-sps-table-path - value
dspark-confidence-sts-path - value
dspark-align-verify-tokens-to-graph-tier - switch
draft-kv-cache-dtype - value
dsa-topk-backend - value
domino-candidate-pool-size - value
draft-sink-size - value
use-block-verification - switch
enable-w4a4-mxfp4-megamoe - toggle
"""

# Switches that became values of one argument: name, the argument, its value.
_BECAME: tuple[tuple[str, str, str], ...] = (
    ("--enable-deepep-moe", "--moe-a2a-backend", "deepep"),
    ("--enable-breakable-cuda-graph", "--cuda-graph-backend-prefill", "breakable"),
    ("--disable-piecewise-cuda-graph", "--cuda-graph-backend-prefill", "disabled"),
    ("--enforce-piecewise-cuda-graph", "--cuda-graph-backend-prefill", "tc_piecewise"),
    ("--enable-flashinfer-moe", "--moe-runner-backend", "flashinfer_cutlass"),
    ("--enable-flashinfer-cutlass-moe", "--moe-runner-backend", "flashinfer_cutlass"),
    ("--enable-flashinfer-trtllm-moe", "--moe-runner-backend", "flashinfer_trtllm"),
    ("--enable-triton-kernel-moe", "--moe-runner-backend", "triton_kernel"),
    ("--enable-flashinfer-mxfp4-moe", "--moe-runner-backend", "flashinfer_mxfp4"),
    ("--enable-flashinfer-cutedsl-moe", "--moe-runner-backend", "flashinfer_cutedsl"),
)


def _scheduler() -> list[Flag]:
    return [Flag(names=(name,), takes=takes, fact="runtime.scheduler", key=key) for name, key, takes in _SCHEDULER]


def _speculative() -> list[Flag]:
    found = []
    for line in _SPECULATIVE.split("\n")[1:-1]:
        names, key, takes = line.split(" ")
        first, *others = names.split(",")
        found.append(
            Flag(
                names=("--speculative-" + first, *("--speculative-" + other for other in others)),
                takes=takes,  # type: ignore[arg-type]  # the table above holds nothing else (tested)
                fact="runtime.speculative",
                key=key if key != "-" else first.replace("-", "_"),
                read=_draft if first == "algorithm" else None,
                replaced_by="--speculative-draft-window-size" if first == "dflash-draft-window-size" else "",
            )
        )
    return found


def _became() -> list[Flag]:
    return [
        Flag(
            names=(name,),
            takes="switch",
            fact=OTHER,
            key=into,
            implies=value,
            replaced_by=f"{into} {value}",
            until="0.5.3",
        )
        for name, into, value in _BECAME
    ]


def _line(line: str, irrelevant: str) -> Flag:
    names: list[str] = []
    takes: Takes = "value"
    into = ""
    for word in line.split():
        if word.startswith("--"):
            names.append(word)
        elif word[0] == ">":
            into = word[1:]
        else:
            takes = word  # type: ignore[assignment]  # the tables hold nothing else (tested)
    if irrelevant:
        return Flag(names=tuple(names), takes=takes, irrelevant=irrelevant, replaced_by=into)
    return Flag(names=tuple(names), takes=takes, fact=OTHER, key=into or names[0], replaced_by=into)


@functools.cache
def flags() -> tuple[Flag, ...]:
    """Every argument, with the releases that have it."""
    found = [*_FACTS, *_scheduler(), *_speculative(), *_became()]
    found.extend(_line(line, "") for line in OPTIONS.split("\n")[1:-1])
    why = ""
    for line in IRRELEVANT.split("\n")[1:-1]:
        if line[0] != " ":
            why = line
        else:
            found.append(_line(line, why))
    spans, keys = _spans(), {flag.names[0]: flag.key for flag in found if flag.fact == OTHER}
    return tuple(_dated(_followed(flag, keys), spans) for flag in found)


def _followed(flag: Flag, keys: dict[str, str]) -> Flag:
    """The entry of an argument that was renamed twice is that of its last name."""
    if flag.fact != OTHER or keys.get(flag.key, flag.key) == flag.key:
        return flag
    return msgspec.structs.replace(flag, key=keys[flag.key])


def _spans() -> dict[str, tuple[str, str]]:
    """The first release with each name of an argument, and the first without it; empty at the ends."""
    past = versions.history("sglang")
    found: dict[str, tuple[int, int]] = {}  # the first release with it, and the first without it or -1
    for first, steps in past.arguments.items() if past is not None else ():
        for place, (index, state) in enumerate(steps):
            if state is None:
                continue
            end = steps[place + 1][0] if place + 1 < len(steps) else -1
            for name in (first, *state.names):
                start, stop = found.get(name, (index, end))
                found[name] = (min(start, index), -1 if -1 in (stop, end) else max(stop, end))
    releases = past.releases if past is not None else ()
    return {
        name: (releases[first] if first else "", releases[end] if end >= 0 else "")
        for name, (first, end) in found.items()
    }


def _dated(flag: Flag, spans: dict[str, tuple[str, str]]) -> Flag:
    found = [spans[name] for name in flag.names if name in spans]
    if not found:
        return flag
    since = min((one[0] for one in found), key=versions.release_key)
    until = "" if any(not one[1] for one in found) else max((one[1] for one in found), key=versions.release_key)
    return msgspec.structs.replace(flag, since=since, until=until) if since or until else flag
