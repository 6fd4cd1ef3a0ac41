"""Arguments of llama.cpp's server as data: all that the builds 8672 to 11549, and those since November 2024, know.

Source: ``common/arg.cpp`` of https://github.com/ggml-org/llama.cpp, read in the sdists that ``versions/`` names.
``since`` and ``until`` are the first build looked at that has an argument, and the first one after it that has not.
Most arguments can be given by a variable; the argument wins.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping

from askew.engines.flags import Flag, Takes
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
Spread = tuple[tuple[str, str, Value], ...]
Read = Callable[[tuple[str, ...]], Value]

_LOG = "Log output only."
_HELP = "It prints something and ends."
_PROMPT = "A prompt for the command-line tools; the server takes prompts from requests."
_WEB = "The web page beside the API; answers are the same."
_DOWNLOAD = "How or where files are downloaded."
_TLS = "Files of TLS; the other one says that it is on."

_TRUTHY, _FALSY = frozenset(("on", "enabled", "true", "1")), frozenset(("off", "disabled", "false", "0"))


def repository(words: tuple[str, ...]) -> Spread:
    """``user/model[:quant]`` of the Hugging Face Hub."""
    name = words[0].partition(":")[0]
    return (("model.id", "", words[0]), ("model.source", "", f"hf://{name}"))


def _image(words: tuple[str, ...]) -> Spread:
    return (("model.id", "", words[0]), ("model.source", "", f"docker://{words[0]}"))


def _url(words: tuple[str, ...]) -> Spread:
    return (("model.id", "", words[0]), ("model.source", "", words[0]))


def integer(words: tuple[str, ...]) -> Value:
    """``std::stoi``: a whole number; what follows the digits is ignored, which is refused here as a slip."""
    try:
        return int(words[0].strip())
    except ValueError:
        raise ValueError(f"expected a whole number, got {words[0]!r}") from None


def cache_type(words: tuple[str, ...]) -> Value:
    """``kv_cache_type_from_str``: exact names."""
    known = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
    if words[0] in known:
        return words[0]
    raise ValueError(f"expected one of {', '.join(known)}, got {words[0]!r}")


def flash(words: tuple[str, ...]) -> Value:
    """``on``, ``off`` or ``auto``; before October 2025 a switch."""
    word = words[0]
    if word in _TRUTHY:
        return "flash_attn"
    if word in _FALSY:
        return "native"
    if word in ("auto", "-1"):
        return "auto"
    raise ValueError(f"expected on, off or auto, got {word!r}")


def _predict(words: tuple[str, ...]) -> Value:
    count = integer(words)
    return "unlimited" if isinstance(count, int) and count < 0 else count


def _names(words: tuple[str, ...]) -> Value:
    return [name.strip() for name in words[0].split(",") if name.strip()]


def _adapter(words: tuple[str, ...]) -> Spread:
    """A path, or several joined by commas; the scaled form carries ``:SCALE`` or a word of its own."""
    found: list[Value] = [{"name": name, "source": name} for name in words[0].split(",") if name]
    return (("model.lora_adapters", "", found), ("runtime.lora.enabled", "", True))


def _present(words: tuple[str, ...]) -> Value:
    return bool(words[0])


# Each row: names (the first long one is canonical), then `=VARIABLE`, `+build` (since), `<build` (until), and how
# it takes its value: `!` switch, `?` toggle (with `~-no`, names that turn it off), `&` more than one word, else one.
# `:key` is the entry of a map, `>--x` what to write instead of what is gone (`_` for a blank).
_IRRELEVANT: tuple[tuple[str, str], ...] = (
    (
        _HELP,
        """
-h --help --usage !
--version !
-cl --cache-list !
--completion-bash !
--list-devices !
--license ! <9538
""",
    ),
    (
        _LOG,
        """
--verbose-prompt ! <8672
-sp --special !
--perf ? =LLAMA_ARG_PERF
-dkvc --dump-kv-cache ! <8672
-ld --logdir <8672
--log-disable !
--log-file =LLAMA_ARG_LOG_FILE =LLAMA_LOG_FILE
--log-jsonl ? =LLAMA_ARG_LOG_JSONL +11063
--log-prompts-dir +9713
--log-colors optional =LLAMA_ARG_LOG_COLORS =LLAMA_LOG_COLORS
-v --verbose --log-verbose !
-lv --verbosity --log-verbosity =LLAMA_ARG_LOG_VERBOSITY =LLAMA_LOG_VERBOSITY
--log-prefix ? =LLAMA_ARG_LOG_PREFIX =LLAMA_LOG_PREFIX
--log-timestamps ? =LLAMA_ARG_LOG_TIMESTAMPS =LLAMA_LOG_TIMESTAMPS
""",
    ),
    (
        _PROMPT,
        """
-p --prompt <8672
-f --file <8672
-bf --binary-file <8672
-e --escape ?
-r --reverse-prompt
""",
    ),
    (
        _WEB,
        """
--path =LLAMA_ARG_STATIC_PATH
--ui --webui ? ~--no-webui =LLAMA_ARG_UI =LLAMA_ARG_WEBUI
--ui-config --webui-config =LLAMA_ARG_UI_CONFIG =LLAMA_ARG_WEBUI_CONFIG
--ui-config-file --webui-config-file =LLAMA_ARG_UI_CONFIG_FILE =LLAMA_ARG_WEBUI_CONFIG_FILE
--ui-mcp-proxy --webui-mcp-proxy ? ~--no-webui-mcp-proxy =LLAMA_ARG_UI_MCP_PROXY =LLAMA_ARG_WEBUI_MCP_PROXY
--cors-origins =LLAMA_ARG_CORS_ORIGINS +10068
--cors-methods =LLAMA_ARG_CORS_METHODS +10068
--cors-headers =LLAMA_ARG_CORS_HEADERS +10068
--cors-credentials ? =LLAMA_ARG_CORS_CREDENTIALS +10068
--tags =LLAMA_ARG_TAGS
""",
    ),
    (
        _DOWNLOAD,
        """
-hft --hf-token =HF_TOKEN
--offline ! =LLAMA_ARG_OFFLINE =LLAMA_OFFLINE
""",
    ),
    (_TLS, "--ssl-cert-file =LLAMA_ARG_SSL_CERT_FILE"),
    ("It checks the file while loading; answers are the same.", "--check-tensors !"),
    (
        "Speech synthesis of another program.",
        """
-mv --model-vocoder <10566
--tts-use-guide-tokens ! <10566
-hfv -hfrv --hf-repo-v =LLAMA_ARG_HF_REPO_V <10566
-hffv --hf-file-v =LLAMA_ARG_HF_FILE_V <10566
""",
    ),
)

# What they do is known, and no fact describes it: a difference is shown as text.
_OTHERS = """
-spf --system-prompt-file <8672
-tb --threads-batch
-C --cpu-mask
-Cr --cpu-range
--cpu-strict
--prio
--poll
-Cb --cpu-mask-batch
-Crb --cpu-range-batch
--cpu-strict-batch
--prio-batch
--poll-batch
-ub --ubatch-size =LLAMA_ARG_UBATCH
--keep
--context-shift ? =LLAMA_ARG_CONTEXT_SHIFT
--swa-full ! =LLAMA_ARG_SWA_FULL
-ctxcp --ctx-checkpoints --swa-checkpoints =LLAMA_ARG_CTX_CHECKPOINTS =LLAMA_ARG_SWA_CHECKPOINTS
-cpent --checkpoint-every-n-tokens =LLAMA_ARG_CHECKPOINT_EVERY_NT <9538
-cms --checkpoint-min-step =LLAMA_ARG_CHECKPOINT_MIN_SPACING_NT +9538
-cram --cache-ram =LLAMA_ARG_CACHE_RAM
--cache-idle-slots ? =LLAMA_ARG_CACHE_IDLE_SLOTS +8929
--clear-idle ? =LLAMA_ARG_CLEAR_IDLE <8929
--spm-infill !
--samplers
--sampler-seq --sampling-seq
--ignore-eos !
--penalize-nl ! <8672
--dry-sequence-breaker append
-l --logit-bias append
--grammar
--grammar-file
-j --json-schema
-jf --json-schema-file
-bs --backend-sampling ! =LLAMA_ARG_BACKEND_SAMPLING
-kvo --kv-offload ? ~-nkvo =LLAMA_ARG_KV_OFFLOAD
--repack ? ~-nr =LLAMA_ARG_REPACK
--no-host ! =LLAMA_ARG_NO_HOST
-dt --defrag-thold =LLAMA_ARG_DEFRAG_THOLD
--mmproj-auto ? ~--no-mmproj =LLAMA_ARG_MMPROJ_AUTO
--mmproj-offload ? =LLAMA_ARG_MMPROJ_OFFLOAD
-mm --mmproj =LLAMA_ARG_MMPROJ
-mmu --mmproj-url =LLAMA_ARG_MMPROJ_URL
-mmdev --mmproj-device =MTMD_BACKEND_DEVICE +10566
--image-min-tokens =LLAMA_ARG_IMAGE_MIN_TOKENS
--image-max-tokens =LLAMA_ARG_IMAGE_MAX_TOKENS
--mtmd-batch-max-tokens =LLAMA_ARG_MTMD_BATCH_MAX_TOKENS +9713
--video-fps =LLAMA_ARG_VIDEO_FPS +10809
--video-timestamp-interval =LLAMA_ARG_VIDEO_TIMESTAMP_INTERVAL +10809
--video-ffmpeg-dir =LLAMA_ARG_VIDEO_FFMPEG_DIR +10809
--rpc =LLAMA_ARG_RPC
--mlock ! =LLAMA_ARG_MLOCK <11063 >--load-mode_mlock
--mmap ? =LLAMA_ARG_MMAP <11063 >--load-mode
-dio --direct-io ? ~-ndio =LLAMA_ARG_DIO <11063 >--load-mode
-lm --load-mode =LLAMA_ARG_LOAD_MODE +10229
-lzm --lazy-mode =LLAMA_ARG_LAZY_MODE +10809
--numa =LLAMA_ARG_NUMA
-dev --device =LLAMA_ARG_DEVICE
-ot --override-tensor append =LLAMA_ARG_OVERRIDE_TENSOR
-cmoe --cpu-moe ! =LLAMA_ARG_CPU_MOE
-ncmoe --n-cpu-moe =LLAMA_ARG_N_CPU_MOE
--moe-cache-mib =LLAMA_ARG_MOE_CACHE_MIB +11549
-ncffn --n-cpu-ffn =LLAMA_ARG_N_CPU_FFN +10809
-ngl --gpu-layers --n-gpu-layers =LLAMA_ARG_N_GPU_LAYERS
-sm --split-mode =LLAMA_ARG_SPLIT_MODE
-ts --tensor-split =LLAMA_ARG_TENSOR_SPLIT
-mg --main-gpu =LLAMA_ARG_MAIN_GPU
-fit --fit =LLAMA_ARG_FIT
-fitt --fit-target =LLAMA_ARG_FIT_TARGET
-fitc --fit-ctx =LLAMA_ARG_FIT_CTX
--override-kv append
--op-offload ?
--control-vector
--control-vector-scaled &
--control-vector-layer-range &
-hff --hf-file =LLAMA_ARG_HF_FILE
--embd-normalize +9294
--reuse-port ! =LLAMA_ARG_REUSE_PORT
--api-prefix =LLAMA_ARG_API_PREFIX
--tools =LLAMA_ARG_TOOLS
--tools-runtime =LLAMA_ARG_TOOLS_RUNTIME +10566
--mcp-servers-config =LLAMA_ARG_MCP_SERVERS_CONFIG +10229
--mcp-servers-json =LLAMA_ARG_MCP_SERVERS_JSON +10229
-ag --agent ? ~-no-ag =LLAMA_ARG_AGENT +9873
--embedding --embeddings ! =LLAMA_ARG_EMBEDDINGS
--rerank --reranking ! =LLAMA_ARG_RERANKING
--chat-template-kwargs =LLAMA_ARG_CHAT_TEMPLATE_KWARGS =LLAMA_CHAT_TEMPLATE_KWARGS
-to --timeout =LLAMA_ARG_TIMEOUT
--sse-ping-interval =LLAMA_ARG_SSE_PING_INTERVAL +9538
--threads-http =LLAMA_ARG_THREADS_HTTP
--cache-reuse =LLAMA_ARG_CACHE_REUSE
--metrics ! =LLAMA_ARG_ENDPOINT_METRICS
--props ! =LLAMA_ARG_ENDPOINT_PROPS
--slots ? =LLAMA_ARG_ENDPOINT_SLOTS
--slot-save-path =LLAMA_ARG_SLOT_SAVE_PATH
--media-path
--models-dir =LLAMA_ARG_MODELS_DIR
--models-preset =LLAMA_ARG_MODELS_PRESET
--models-max =LLAMA_ARG_MODELS_MAX
--models-autoload ? =LLAMA_ARG_MODELS_AUTOLOAD
--jinja ? =LLAMA_ARG_JINJA
-rea --reasoning =LLAMA_ARG_REASONING
--reasoning-effort =LLAMA_ARG_REASONING_EFFORT +10566
--reasoning-budget =LLAMA_ARG_THINK_BUDGET
--reasoning-budget-message =LLAMA_ARG_THINK_BUDGET_MESSAGE
--reasoning-preserve ? =LLAMA_ARG_REASONING_PRESERVE +9873
--skip-chat-parsing ? =LLAMA_ARG_SKIP_CHAT_PARSING
--prefill-assistant ? =LLAMA_ARG_PREFILL_ASSISTANT
-sps --slot-prompt-similarity
--lora-init-without-apply !
--sleep-idle-seconds
-lcs --lookup-cache-static
-lcd --lookup-cache-dynamic
-gan --grp-attn-n =LLAMA_ARG_GRP_ATTN_N <8672
-gaw --grp-attn-w =LLAMA_ARG_GRP_ATTN_W <8672
--spec-draft-threads -td --threads-draft
--spec-draft-threads-batch -tbd --threads-batch-draft
--spec-draft-cpu-mask -Cd --cpu-mask-draft +9093
--spec-draft-cpu-range -Crd --cpu-range-draft +9093
--spec-draft-cpu-strict --cpu-strict-draft +9093
--spec-draft-prio --prio-draft +9093
--spec-draft-poll --poll-draft +9093
--spec-draft-cpu-mask-batch -Cbd --cpu-mask-batch-draft +9093
--spec-draft-cpu-strict-batch --cpu-strict-batch-draft +9093
--spec-draft-prio-batch --prio-batch-draft +9093
--spec-draft-poll-batch --poll-batch-draft +9093
--spec-draft-type-k -ctkd --cache-type-k-draft =LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_K =LLAMA_ARG_CACHE_TYPE_K_DRAFT
--spec-draft-type-v -ctvd --cache-type-v-draft =LLAMA_ARG_SPEC_DRAFT_CACHE_TYPE_V =LLAMA_ARG_CACHE_TYPE_V_DRAFT
--spec-draft-override-tensor -otd --override-tensor-draft append
--spec-draft-cpu-moe -cmoed --cpu-moe-draft ! =LLAMA_ARG_SPEC_DRAFT_CPU_MOE =LLAMA_ARG_CPU_MOE_DRAFT
--spec-draft-n-cpu-moe --spec-draft-ncmoe -ncmoed --n-cpu-moe-draft =LLAMA_ARG_SPEC_DRAFT_N_CPU_MOE \
    =LLAMA_ARG_N_CPU_MOE_DRAFT
--spec-draft-ctx-size -cd --ctx-size-draft =LLAMA_ARG_SPEC_DRAFT_CTX_SIZE =LLAMA_ARG_CTX_SIZE_DRAFT <9294
--spec-draft-replace --spec-replace & <9294
--spec-draft-device -devd --device-draft
--spec-draft-ngl -ngld --gpu-layers-draft --n-gpu-layers-draft =LLAMA_ARG_N_GPU_LAYERS_DRAFT
--spec-draft-sampling =LLAMA_ARG_SPEC_DRAFT_SAMPLING +11549
--spec-draft-backend-sampling ? =LLAMA_ARG_SPEC_DRAFT_BACKEND_SAMPLING +9294
--spec-synth-len =LLAMA_ARG_SPEC_SYNTH_LEN +10809
--spec-synth-rates =LLAMA_ARG_SPEC_SYNTH_RATES +10809
--embd-bge-small-en-default ! <8672
--embd-e5-small-en-default ! <8672
--embd-gte-small-default ! <8672
--embd-gemma-default !
--fim-qwen-1.5b-default !
--fim-qwen-3b-default !
--fim-qwen-7b-default !
--fim-qwen-7b-spec !
--fim-qwen-14b-spec !
--fim-qwen-30b-default !
--gpt-oss-20b-default !
--gpt-oss-120b-default !
--vision-gemma-4b-default !
--vision-gemma-12b-default !
--spec-default ! +8929
"""

# Names of sampling parameters as the facts have them; the others keep the server's own.
_SAMPLING = """
--temp --temperature :temperature =LLAMA_ARG_TEMPERATURE
--top-k :top_k =LLAMA_ARG_TOP_K
--top-p :top_p =LLAMA_ARG_TOP_P
--min-p :min_p =LLAMA_ARG_MIN_P
--top-nsigma --top-n-sigma :top_n_sigma
--xtc-probability :xtc_probability
--xtc-threshold :xtc_threshold
--typical --typical-p :typical_p
--tfs :tfs_z <8672
--repeat-last-n :repeat_last_n
--repeat-penalty :repetition_penalty =LLAMA_ARG_REPEAT_PENALTY
--presence-penalty :presence_penalty =LLAMA_ARG_PRESENCE_PENALTY
--frequency-penalty :frequency_penalty =LLAMA_ARG_FREQUENCY_PENALTY
--dry-multiplier :dry_multiplier
--dry-base :dry_base
--dry-allowed-length :dry_allowed_length
--dry-penalty-last-n :dry_penalty_last_n
--adaptive-target :adaptive_target
--adaptive-decay :adaptive_decay
--dynatemp-range :dynatemp_range
--dynatemp-exp :dynatemp_exponent
--mirostat :mirostat
--mirostat-lr :mirostat_eta
--mirostat-ent :mirostat_tau
"""
_ROPE = """
--rope-scaling :type =LLAMA_ARG_ROPE_SCALING_TYPE
--rope-scale :factor =LLAMA_ARG_ROPE_SCALE
--rope-freq-base :theta =LLAMA_ARG_ROPE_FREQ_BASE
--rope-freq-scale :freq_scale =LLAMA_ARG_ROPE_FREQ_SCALE
--yarn-orig-ctx :original_max_position_embeddings =LLAMA_ARG_YARN_ORIG_CTX
--yarn-ext-factor :ext_factor =LLAMA_ARG_YARN_EXT_FACTOR
--yarn-attn-factor :attn_factor =LLAMA_ARG_YARN_ATTN_FACTOR
--yarn-beta-slow :beta_slow =LLAMA_ARG_YARN_BETA_SLOW
--yarn-beta-fast :beta_fast =LLAMA_ARG_YARN_BETA_FAST
"""
_SPECULATIVE = """
--spec-type :method =LLAMA_ARG_SPEC_TYPE
--spec-draft-model -md --model-draft :model =LLAMA_ARG_SPEC_DRAFT_MODEL =LLAMA_ARG_MODEL_DRAFT
--spec-draft-hf -hfd -hfrd --hf-repo-draft :model =LLAMA_ARG_SPEC_DRAFT_HF_REPO =LLAMA_ARG_HFD_REPO
--spec-draft-n-max :num_speculative_tokens =LLAMA_ARG_SPEC_DRAFT_N_MAX +9093
--draft --draft-n --draft-max :num_speculative_tokens =LLAMA_ARG_DRAFT_MAX <9093 >--spec-draft-n-max
--spec-draft-n-min :min_tokens =LLAMA_ARG_SPEC_DRAFT_N_MIN +9093
--draft-min --draft-n-min :min_tokens =LLAMA_ARG_DRAFT_MIN <9093 >--spec-draft-n-min
--spec-draft-p-min --draft-p-min :p_min =LLAMA_ARG_SPEC_DRAFT_P_MIN =LLAMA_ARG_DRAFT_P_MIN
--spec-draft-p-split --draft-p-split :p_split =LLAMA_ARG_SPEC_DRAFT_P_SPLIT +9093
--spec-ngram-mod-n-min :ngram_mod_n_min +9093
--spec-ngram-mod-n-max :ngram_mod_n_max +9093
--spec-ngram-mod-n-match :ngram_mod_n_match +9093
--spec-ngram-simple-size-n :ngram_simple_size_n +9093
--spec-ngram-simple-size-m :ngram_simple_size_m +9093
--spec-ngram-simple-min-hits :ngram_simple_min_hits +9093
--spec-ngram-map-k-size-n :ngram_map_k_size_n +9093
--spec-ngram-map-k-size-m :ngram_map_k_size_m +9093
--spec-ngram-map-k-min-hits :ngram_map_k_min_hits +9093
--spec-ngram-map-k4v-size-n :ngram_map_k4v_size_n +9093
--spec-ngram-map-k4v-size-m :ngram_map_k4v_size_m +9093
--spec-ngram-map-k4v-min-hits :ngram_map_k4v_min_hits +9093
--spec-ngram-size-n :ngram_size_n <9093 >--spec-ngram-simple-size-n
--spec-ngram-size-m :ngram_size_m <9093 >--spec-ngram-simple-size-m
--spec-ngram-min-hits :ngram_min_hits <9093 >--spec-ngram-simple-min-hits
"""


def _parsed(row: str) -> tuple[dict[str, object], tuple[str, ...], tuple[str, ...], str]:
    """The fields of a row: for Flag, its other variables, names that turn it off, and the key."""
    names, variables, negations, key = [], [], [], ""
    takes: Takes = "value"
    since = until = replaced = ""
    for word in row.split():
        if word[0] == "-":
            names.append(word)
        elif word[0] == "=":
            variables.append(word[1:])
        elif word[0] == "~":
            negations.append(word[1:])
        elif word[0] == ":":
            key = word[1:]
        elif word[0] == "+":
            since = word[1:]
        elif word[0] == "<":
            until = word[1:]
        elif word[0] == ">":
            replaced = word[1:].replace("_", " ")
        else:
            takes = {"!": "switch", "?": "toggle", "&": "list", "append": "append", "optional": "optional"}[word]  # type: ignore[assignment]
    first = next((name for name in names if name.startswith("--")), names[0])
    fields: dict[str, object] = {
        "names": (first, *(name for name in names if name != first)), "takes": takes, "since": since, "until": until,
        "replaced_by": replaced, "env": variables[0] if variables else "",
    }  # fmt: skip
    return fields, tuple(variables[1:]), tuple(negations), key


def _rows(text: str) -> Iterator[tuple[dict[str, object], tuple[str, ...], tuple[str, ...], str]]:
    for line in text.strip().split("\n"):
        if line.strip():
            yield _parsed(line)


def _joined(words: tuple[str, ...]) -> Value:
    return " ".join(words)


def _made() -> Iterator[tuple[Flag, tuple[str, ...], tuple[str, ...]]]:
    for reason, text in _IRRELEVANT:
        for fields, variables, negations, _ in _rows(text):
            yield Flag(irrelevant=reason, **fields), variables, negations  # type: ignore[arg-type]  # fields of Flag
    for fields, variables, negations, _ in _rows(_OTHERS):
        first = fields["names"][0]  # type: ignore[index]
        read = _joined if fields["takes"] == "list" else None
        yield Flag(fact=OTHER, key=first, read=read, **fields), variables, negations  # type: ignore[arg-type]
    for fact, text in (
        ("runtime.sampling_defaults", _SAMPLING),
        ("runtime.rope_override", _ROPE),
        ("runtime.speculative", _SPECULATIVE),
    ):
        for fields, variables, negations, key in _rows(text):
            yield Flag(fact=fact, key=key, **fields), variables, negations  # type: ignore[arg-type]
    for row, given in _STATED:
        fields, variables, negations, key = _parsed(row)
        yield Flag(key=key, **fields, **given), variables, negations  # type: ignore[arg-type]


_STATED: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("-m --model =LLAMA_ARG_MODEL", {"fact": "model.id"}),
    ("-mu --model-url =LLAMA_ARG_MODEL_URL", {"spreads": _url}),
    ("-dr --docker-repo =LLAMA_ARG_DOCKER_REPO", {"spreads": _image}),
    ("-hf -hfr --hf-repo =LLAMA_ARG_HF_REPO", {"spreads": repository}),
    ("-a --alias =LLAMA_ARG_ALIAS", {"fact": "model.served_names", "read": _names}),
    ("-c --ctx-size =LLAMA_ARG_CTX_SIZE", {"fact": "runtime.kv_cache.tokens", "read": integer}),
    (
        "--kv-unified-per-slot :kv_unified_per_slot =LLAMA_ARG_KV_UNIFIED_PER_SLOT +10809",
        {"fact": "runtime.scheduler", "read": integer},
    ),
    ("-np --parallel =LLAMA_ARG_N_PARALLEL", {"fact": "runtime.max_num_seqs", "read": integer}),
    (
        "-kvu --kv-unified ? ~-no-kvu :kv_unified =LLAMA_ARG_KV_UNIFIED =LLAMA_ARG_KV_SPLIT",
        {"fact": "runtime.scheduler"},
    ),
    ("-cb --cont-batching ? ~-nocb :continuous_batching =LLAMA_ARG_CONT_BATCHING", {"fact": "runtime.scheduler"}),
    ("-b --batch-size =LLAMA_ARG_BATCH", {"fact": "runtime.max_num_batched_tokens", "read": integer}),
    ("-n --predict --n-predict =LLAMA_ARG_N_PREDICT", {"fact": "runtime.default_output_tokens", "read": _predict}),
    ("-t --threads =LLAMA_ARG_THREADS", {"fact": "runtime.threads", "read": integer}),
    (
        "-fa --flash-attn optional =LLAMA_ARG_FLASH_ATTN",
        {"fact": "runtime.attention_backend", "read": flash, "implies": "flash_attn"},
    ),
    ("-ctk --cache-type-k =LLAMA_ARG_CACHE_TYPE_K", {"fact": "runtime.kv_cache.key_dtype", "read": cache_type}),
    ("-ctv --cache-type-v =LLAMA_ARG_CACHE_TYPE_V", {"fact": "runtime.kv_cache.value_dtype", "read": cache_type}),
    ("--cache-prompt ? =LLAMA_ARG_CACHE_PROMPT", {"fact": "runtime.prefix_caching"}),
    ("-s --seed", {"fact": "runtime.seed", "read": integer}),
    ("--warmup ?", {"fact": "runtime.warmup"}),
    ("--pooling =LLAMA_ARG_POOLING", {"fact": "model.embedding.pooling"}),
    ("--chat-template =LLAMA_ARG_CHAT_TEMPLATE", {"fact": "model.chat_template.source"}),
    ("--chat-template-file =LLAMA_ARG_CHAT_TEMPLATE_FILE", {"fact": "model.chat_template.source"}),
    ("--reasoning-format =LLAMA_ARG_THINK", {"fact": "runtime.reasoning_parser"}),
    ("--lora append", {"spreads": _adapter}),
    ("--lora-scaled &", {"spreads": _adapter}),
    ("--host =LLAMA_ARG_HOST", {"fact": "serving.listen_host"}),
    ("--port =LLAMA_ARG_PORT", {"fact": "serving.port", "read": integer}),
    ("--api-key =LLAMA_API_KEY", {"fact": "serving.api_key_required", "read": _present}),
    ("--api-key-file =LLAMA_ARG_API_KEY_FILE", {"fact": "serving.api_key_required", "read": _present}),
    ("--ssl-key-file =LLAMA_ARG_SSL_KEY_FILE", {"fact": "serving.tls", "read": _present}),
)


@functools.cache
def flags() -> tuple[Flag, ...]:
    """Every argument, and beside a toggle the short names that turn it off."""
    found: list[Flag] = []
    for flag, _, negations in _made():
        found.append(flag)
        if negations:
            found.append(
                Flag(
                    names=negations, takes="switch", fact=flag.fact, key=flag.key, irrelevant=flag.irrelevant,
                    implies=False, since=flag.since, until=flag.until,
                )
            )  # fmt: skip
    return tuple(found)


@functools.cache
def variables() -> Mapping[str, tuple[Flag, bool]]:
    """Every variable, also those of earlier names, with its argument and whether being set at all turns that off."""
    found: dict[str, tuple[Flag, bool]] = {}
    for flag, others, _ in _made():
        for name in (flag.env, *others):
            if not name:
                continue
            found[name] = (flag, False)
            if flag.takes == "toggle":
                found.setdefault(name.replace("LLAMA_ARG_", "LLAMA_ARG_NO_"), (flag, True))
            if name == "LLAMA_ARG_MMPROJ_AUTO":  # what `--no-mmproj` was called while it stood alone
                found["LLAMA_ARG_NO_MMPROJ"] = (flag, True)
    return found
