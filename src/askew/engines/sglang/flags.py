"""SGLang's arguments as data: all that the releases 0.2.7 to 0.5.23 know.

Source: ``ServerArgs`` of the published packages, https://pypi.org/project/sglang/#history, read as text. ``since`` and
``until`` are the first release read that has an argument and the first one after it that has not; the releases that
were read are in ``versions/stable.json``. Arguments that need no code are in ``options``.
"""

from __future__ import annotations

import functools
import re

from askew.engines.flags import Flag, Takes
from askew.engines.sglang.options import IRRELEVANT, OPTIONS
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"

_HUMAN = re.compile(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|k|M|G|T)")
_UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

Spread = tuple[tuple[str, str, Value], ...]


def source(model: str) -> str:
    """Where weights come from, as a URI: Hub names become ``hf://…``; paths and URIs stay."""
    if "://" in model or model.startswith(("/", ".", "~", "$", "{")) or model.count("/") > 1 or not model.strip():
        return model
    return f"hf://{model}"


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
    import msgspec

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
    Flag(names=("--revision",), fact="model.revision", since="0.4.0"),
    Flag(names=("--trust-remote-code",), takes="switch", fact="model.trust_remote_code"),
    Flag(names=("--served-model-name",), fact="model.served_names", read=lambda words: [words[0]], since="0.2.15"),
    Flag(names=("--chat-template",), fact="model.chat_template.source"),
    Flag(names=("--hf-chat-template-name",), fact=OTHER, key="--hf-chat-template-name", since="0.5.8"),
    Flag(names=("--port",), fact="serving.port"),
    Flag(names=("--host",), fact="serving.listen_host"),
    Flag(names=("--api-key",), fact="serving.api_key_required", read=lambda words: bool(words[0])),
    Flag(names=("--admin-api-key",), fact=OTHER, key="--admin-api-key", read=_hidden, since="0.5.8"),
    Flag(names=("--ssl-certfile",), fact="serving.tls", read=lambda words: bool(words[0]), since="0.5.10"),
    Flag(names=("--smg-grpc-mode",), takes="switch", fact="serving.protocol", implies="grpc", since="0.5.16"),
    Flag(
        names=("--grpc-mode",),
        takes="switch",
        fact="serving.protocol",
        implies="grpc",
        since="0.5.4",
        replaced_by="--smg-grpc-mode",
    ),
    Flag(names=("--load-format",), fact="runtime.load_format"),
    Flag(names=("--dtype",), fact="runtime.dtype"),
    Flag(names=("--kv-cache-dtype",), fact="runtime.kv_cache.dtype", since="0.2.15"),
    Flag(names=("--quantization",), fact="runtime.quantization"),
    Flag(names=("--context-length",), fact="runtime.max_model_len", read=integer),
    Flag(names=("--mem-fraction-static",), fact="runtime.gpu_memory_utilization"),
    Flag(names=("--max-running-requests",), fact="runtime.max_num_seqs", read=integer),
    Flag(
        names=("--max-num-reqs",),
        fact="runtime.max_num_seqs",
        read=integer,
        until="0.3.3",
        replaced_by="--max-running-requests",
    ),
    Flag(names=("--max-total-tokens",), fact="runtime.kv_cache.tokens", read=integer, since="0.2.15"),
    Flag(names=("--chunked-prefill-size",), spreads=_chunk),
    Flag(names=("--page-size",), fact="runtime.kv_cache.block_size", read=integer, since="0.4.4"),
    Flag(names=("--tp-size", "--tensor-parallel-size", "--tp"), fact="runtime.tensor_parallel_size", read=integer),
    Flag(
        names=("--pp-size", "--pipeline-parallel-size"),
        fact="runtime.pipeline_parallel_size",
        read=integer,
        since="0.4.7",
    ),
    Flag(names=("--dp-size", "--data-parallel-size", "--dp"), fact="runtime.data_parallel_size", read=integer),
    Flag(names=("--ep-size", "--expert-parallel-size", "--ep"), spreads=_experts, since="0.4.1"),
    Flag(
        names=("--enable-ep-moe",),
        takes="switch",
        fact="runtime.expert_parallel",
        since="0.4.1",
        until="0.5.5",
        replaced_by="--ep-size",
    ),
    Flag(names=("--disable-radix-cache",), takes="switch", fact="runtime.prefix_caching", implies=False),
    # Without CUDA graphs SGLang runs every step eagerly: its torch.compile lives inside the graphs.
    Flag(names=("--disable-cuda-graph",), takes="switch", fact="runtime.enforce_eager"),
    Flag(names=("--cuda-graph-bs-decode",), takes="list", fact="runtime.cuda_graph.sizes", read=_sizes, since="0.5.14"),
    Flag(
        names=("--cuda-graph-bs",),
        takes="list",
        fact="runtime.cuda_graph.sizes",
        read=_sizes,
        since="0.4.2",
        until="0.5.20",
        replaced_by="--cuda-graph-bs-decode",
    ),
    Flag(names=("--enable-torch-compile",), takes="switch", fact="runtime.compilation", key="torch_compile"),
    Flag(
        names=("--torch-compile-max-bs",), fact="runtime.compilation", key="max_batch_size", read=integer, since="0.3.5"
    ),
    Flag(
        names=("--max-torch-compile-bs",),
        fact="runtime.compilation",
        key="max_batch_size",
        read=integer,
        since="0.3.3",
        until="0.3.5",
        replaced_by="--torch-compile-max-bs",
    ),
    Flag(names=("--attention-backend",), fact="runtime.attention_backend", since="0.3.3"),
    Flag(
        names=("--disable-flashinfer",),
        takes="switch",
        fact="runtime.attention_backend",
        implies="triton",
        until="0.4.2",
        replaced_by="--attention-backend triton",
    ),
    Flag(
        names=("--enable-flashinfer-mla",),
        takes="switch",
        fact="runtime.attention_backend",
        implies="flashinfer",
        since="0.4.3",
        until="0.4.8",
        replaced_by="--attention-backend flashinfer",
    ),
    Flag(
        names=("--enable-flashmla",),
        takes="switch",
        fact="runtime.attention_backend",
        implies="flashmla",
        since="0.4.5",
        until="0.4.8",
        replaced_by="--attention-backend flashmla",
    ),
    Flag(names=("--cpu-offload-gb",), fact="runtime.cpu_offload.bytes", read=_gigabytes, since="0.4.0"),
    Flag(names=("--random-seed",), fact="runtime.seed", read=integer),
    Flag(names=("--reasoning-parser",), fact="runtime.reasoning_parser", since="0.4.4"),
    Flag(names=("--tool-call-parser",), fact="runtime.tool_call_parser", since="0.4.2"),
    Flag(
        names=("--sampling-defaults",),
        fact="runtime.generation_config",
        read=_sampling,
        choices=("openai", "model"),
        since="0.5.4",
    ),
    Flag(names=("--preferred-sampling-params",), takes="json", fact="runtime.sampling_defaults", since="0.4.7"),
    Flag(names=("--json-model-override-args",), takes="json", fact="runtime.hf_overrides", since="0.3.3"),
    Flag(names=("--enable-lora",), takes="switch", fact="runtime.lora.enabled", since="0.4.10"),
    Flag(names=("--lora-paths",), takes="list", spreads=_adapters, since="0.3.3"),
    Flag(names=("--max-lora-rank",), fact="runtime.lora.max_rank", read=integer, since="0.4.10"),
    Flag(names=("--max-loras-per-batch",), fact="runtime.lora.max_adapters", read=integer, since="0.3.3"),
    Flag(
        names=("--disaggregation-mode",),
        fact="runtime.role",
        read=_role,
        choices=("null", "prefill", "decode"),
        since="0.4.5",
    ),
    Flag(names=("--grammar-backend",), fact="runtime.structured_output_backend", since="0.3.5"),
    Flag(
        names=("--disable-overlap-schedule",),
        takes="switch",
        fact="runtime.async_scheduling",
        implies=False,
        since="0.3.6",
    ),
    Flag(
        names=("--enable-overlap-schedule",),
        takes="switch",
        fact="runtime.async_scheduling",
        since="0.3.4",
        until="0.4.2",
        replaced_by="nothing: it is on by default",
    ),
    Flag(names=("--skip-server-warmup",), takes="switch", fact="runtime.warmup", implies=False, since="0.4.9"),
    Flag(
        names=("--enable-hierarchical-cache", "--enable-hicache"),
        takes="switch",
        fact=OTHER,
        key="--enable-hierarchical-cache",
        since="0.4.3",
    ),
    Flag(
        names=("--monokernel-backend",),
        fact=OTHER,
        key="--enable-amd-monokernel",
        read=lambda words: True,
        choices=("amd",),
        since="0.5.23",
        replaced_by="--enable-amd-monokernel",
    ),
    Flag(names=("--warmups",), fact=OTHER, key="--warmups", since="0.4.4"),
    Flag(names=("--watermark-config",), fact=OTHER, key="--watermark-config", read=_hidden, since="0.5.22"),
    Flag(
        names=("--disable-flashinfer-sampling",),
        takes="switch",
        fact=OTHER,
        key="--sampling-backend",
        implies="pytorch",
        until="0.4.2",
        replaced_by="--sampling-backend pytorch",
    ),
    Flag(names=("--model-type",), fact=OTHER, key="--model-type", since="0.5.6"),
    Flag(names=("--version", "-v"), takes="switch", irrelevant="It prints the version and ends."),
    Flag(names=("--help", "-h"), takes="switch", irrelevant="It prints help and ends."),
)

# --name, word for the key of runtime.scheduler, takes, since, until
_SCHEDULER: tuple[tuple[str, str, Takes, str, str], ...] = (
    ("--schedule-policy", "policy", "value", "", ""),
    ("--schedule-conservativeness", "conservativeness", "value", "", ""),
    ("--max-prefill-tokens", "max_prefill_tokens", "value", "", ""),
    ("--max-queued-requests", "max_queued_requests", "value", "0.4.10", ""),
    ("--prefill-max-requests", "prefill_max_requests", "value", "0.5.7", ""),
    ("--enable-mixed-chunk", "mixed_chunk", "switch", "0.2.15", ""),
    ("--enable-priority-scheduling", "priority", "switch", "0.5.3", ""),
    ("--schedule-low-priority-values-first", "low_values_first", "switch", "0.5.3", ""),
    ("--priority-scheduling-preemption-threshold", "preemption_threshold", "value", "0.5.3", ""),
    ("--disable-priority-preemption", "no_preemption", "switch", "0.5.10", ""),
    ("--retraction-policy", "retraction", "value", "0.5.16", ""),
    ("--num-continuous-decode-steps", "continuous_decode_steps", "value", "0.3.4", ""),
    ("--scheduler-recv-interval", "recv_interval", "value", "0.5.0rc0", ""),
    ("--num-reserved-decode-tokens", "reserved_decode_tokens", "value", "0.4.8", ""),
)

# --speculative-…: argument, key of runtime.speculative, takes, since, until
_SPECULATIVE = """
algorithm method value 0.4.2
draft-model-path,draft-model model value 0.4.2
num-steps num_steps value 0.4.2
num-draft-tokens num_draft_tokens value 0.4.2
eagle-topk eagle_topk value 0.4.2
accept-threshold-single - value 0.4.4
accept-threshold-acc - value 0.4.4
token-map - value 0.4.4
attention-mode - value 0.5.2
draft-model-revision - value 0.5.2
ngram-min-match-window-size - value 0.5.3 0.5.10
ngram-max-match-window-size - value 0.5.3 0.5.10
ngram-branch-length - value 0.5.3 0.5.10
ngram-min-bfs-breadth - value 0.5.3
ngram-max-bfs-breadth - value 0.5.3
ngram-match-type - value 0.5.3
ngram-capacity - value 0.5.3
draft-load-format - value 0.5.4
moe-runner-backend - value 0.5.5
draft-attention-backend - value 0.5.7
moe-a2a-backend - value 0.5.7
draft-model-quantization - value 0.5.7
ngram-max-trie-depth - value 0.5.10
dflash-block-size - value 0.5.11
ngram-external-corpus-path - value 0.5.11
ngram-external-sam-budget - value 0.5.11
ngram-external-corpus-max-tokens - value 0.5.11
adaptive - switch 0.5.11
adaptive-config - value 0.5.11
skip-dp-mlp-sync - switch 0.5.11 0.5.23
dflash-draft-window-size draft_window_size value 0.5.11 0.5.20
draft-window-size - value 0.5.12
use-rejection-sampling - switch 0.5.14
dspark-block-size - value 0.5.16
dspark-sps-table-path - value 0.5.16
dspark-confidence-sts-path - value 0.5.16
dspark-align-verify-tokens-to-graph-tier - switch 0.5.16
draft-kv-cache-dtype - value 0.5.18
dsa-topk-backend - value 0.5.19
domino-candidate-pool-size - value 0.5.20
draft-sink-size - value 0.5.21
use-block-verification - switch 0.5.22
enable-w4a4-mxfp4-megamoe - toggle 0.5.22
"""

# Switches of 0.4 that became values of one argument: name, the argument, its value, since, until.
_BECAME: tuple[tuple[str, str, str, str, str], ...] = (
    ("--enable-deepep-moe", "--moe-a2a-backend", "deepep", "0.4.5", "0.5.5"),
    ("--enable-flashinfer-moe", "--moe-runner-backend", "flashinfer_cutlass", "0.4.8", "0.4.10"),
    ("--enable-flashinfer-cutlass-moe", "--moe-runner-backend", "flashinfer_cutlass", "0.4.10", "0.5.5"),
    ("--enable-flashinfer-trtllm-moe", "--moe-runner-backend", "flashinfer_trtllm", "0.4.10", "0.5.5"),
    ("--enable-triton-kernel-moe", "--moe-runner-backend", "triton_kernel", "0.4.10", "0.5.5"),
    ("--enable-flashinfer-mxfp4-moe", "--moe-runner-backend", "flashinfer_mxfp4", "0.5.0rc0", "0.5.5"),
    ("--enable-flashinfer-cutedsl-moe", "--moe-runner-backend", "flashinfer_cutedsl", "0.5.3", "0.5.5"),
)


def _scheduler() -> list[Flag]:
    return [
        Flag(names=(name,), takes=takes, fact="runtime.scheduler", key=key, since=since, until=until)
        for name, key, takes, since, until in _SCHEDULER
    ]


def _speculative() -> list[Flag]:
    found = []
    for line in _SPECULATIVE.split("\n")[1:-1]:
        names, key, takes, since, *until = line.split(" ")
        first, *others = names.split(",")
        found.append(
            Flag(
                names=("--speculative-" + first, *("--speculative-" + other for other in others)),
                takes=takes,  # type: ignore[arg-type]  # the table above holds nothing else (tested)
                fact="runtime.speculative",
                key=key if key != "-" else first.replace("-", "_"),
                read=_draft if first == "algorithm" else None,
                since=since,
                until=until[0] if until else "",
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
            since=since,
            until=until,
            replaced_by=f"{into} {value}",
        )
        for name, into, value, since, until in _BECAME
    ]


def _line(line: str, irrelevant: str, defaults: dict[str, str]) -> Flag:
    names: list[str] = []
    takes: Takes = "value"
    since = until = into = ""
    for word in line.split():
        first = word[0]
        if word.startswith("--"):
            names.append(word)
        elif first == "+":
            since = word[1:]
        elif first == "-":
            until = word[1:]
        elif first == ">":
            into = word[1:]
        elif first == "=":
            defaults[names[0]] = word[1:]
        else:
            takes = word  # type: ignore[assignment]  # the tables hold nothing else (tested)
    if irrelevant:
        return Flag(names=tuple(names), takes=takes, irrelevant=irrelevant, since=since, until=until, replaced_by=into)
    key = into or names[0]
    return Flag(names=tuple(names), takes=takes, fact=OTHER, key=key, since=since, until=until, replaced_by=into)


@functools.cache
def flags() -> tuple[tuple[Flag, ...], dict[str, str]]:
    """Every argument, and the defaults of the options that no fact names."""
    defaults: dict[str, str] = {}
    found = [*_FACTS, *_scheduler(), *_speculative(), *_became()]
    for line in OPTIONS.split("\n")[1:-1]:
        found.append(_line(line, "", defaults))
    why = ""
    for line in IRRELEVANT.split("\n")[1:-1]:
        if line[0] != " ":
            why = line
        else:
            found.append(_line(line, why, defaults))
    return tuple(found), defaults
