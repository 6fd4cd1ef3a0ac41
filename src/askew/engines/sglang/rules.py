"""What SGLang computes at start where nobody says, by release, as rules.

Sizes that follow the memory of the GPU are in ``sizes``. Sources of the others, in the packages at
https://pypi.org/project/sglang/#history, are named beside each: ``ServerArgs`` of ``sglang/srt/server_args.py`` until
0.5.18, ``sglang/srt/arg_groups`` from 0.5.19.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from askew.engines.sglang import sizes
from askew.engines.sglang.defaults import READ, protocol, release_of
from askew.engines.sglang.flags import OTHER
from askew.engines.sglang.sizes import GPU, LATENT, MEMORY, MODEL, SLICE, Facts, Key, Setting
from askew.engines.versions import Release
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Unknown
from askew.resolve.rule import Rule

# ``_A2A_EP_SPANNING_BACKENDS`` of ``arg_groups/overrides.py``.
_EXCHANGES = frozenset(
    ("deepep", "deepep_v2", "mooncake", "nixl", "mori", "ascend_fuseep", "flashinfer", "flashinfer_megamoe")
) | {"megamoe", "pplx"}
_EAGER = ("torch_native", "flex_attention")
# Attention back ends that fix the page size (``_handle_attention_backend_compatibility``).
_PAGES = {"flashmla": 64, "cutlass_mla": 128, "ascend": 128}
_PLAIN = ("flashinfer", "triton", "fa3", "torch_native", "fa4")
# Speculative decoding that needs a draft of its own, as the argument spells it.
_EAGLES = ("eagle", "eagle3", "standalone", "nextn")


def rules(version: str | None, setting: Setting | None) -> tuple[Rule, ...]:
    """The computed defaults of a release; of an unknown one those that hold in all."""
    release = release_of(version)
    if release is None or setting is None:
        return (*_ANY, *_unread())
    return (*_ANY, *_computed(release, setting))


def _unread() -> tuple[Rule, ...]:
    """Why what the release decides is not known."""
    reason = "computed at start by rules of the release, and it is not known which release runs"

    def unknown(facts: Facts) -> Unknown:
        return Unknown(reason, READ)

    facts = (
        *("runtime.max_num_batched_tokens", "runtime.gpu_memory_utilization", "runtime.sampling_defaults"),
        *("runtime.attention_backend", "runtime.max_num_seqs", "runtime.async_scheduling"),
        *("runtime.cpu_offload.bytes", "runtime.generation_config", "runtime.pipeline_parallel_size"),
    )
    return tuple(_rule(fact, (), unknown, "the release decides") for fact in facts)


def _computed(release: Release, setting: Setting) -> tuple[Rule, ...]:
    key = setting.key

    def at(*names: str) -> Location | None:
        return next((release.where(entry) for name in names if (entry := release.arguments.get(name))), None)

    by_gpu = (GPU, MEMORY, SLICE, "hardware.gpu.vendor", "runtime.tensor_parallel_size", "runtime.role")

    def batched(facts: Facts) -> Value | Unknown:
        size = sizes.chunk(setting, facts)
        return size if isinstance(size, Unknown) else sizes.divided(setting, size)

    def captured(facts: Facts) -> Value | Unknown:
        if facts.get("runtime.enforce_eager") or facts.get("runtime.cuda_graph.sizes"):
            return None
        size = sizes.graphs(setting, facts)
        return size if isinstance(size, Unknown) else str(size)

    found = [
        _rule(
            "runtime.max_num_batched_tokens",
            (),
            batched,
            "without --chunked-prefill-size the chunk follows the memory of the GPU",
            uses=(*by_gpu, "runtime.chunked_prefill"),
            confidence="likely",
            location=at("--chunked-prefill-size"),
        ),
        _rule(
            "runtime.gpu_memory_utilization",
            (),
            lambda facts: sizes.share(setting, facts),
            "without --mem-fraction-static a text model gets what prefill, CUDA graphs and ranks leave",
            uses=(
                *by_gpu,
                *(MODEL, "runtime.pipeline_parallel_size", "runtime.max_num_batched_tokens", "runtime.chunked_prefill"),
                *("runtime.cuda_graph.sizes", "runtime.enforce_eager", "runtime.lora.enabled", "runtime.speculative"),
                OTHER,
            ),
            confidence="likely",
            location=at("--mem-fraction-static"),
        ),
        _rule(
            OTHER,
            (),
            captured,
            "the largest batch that is captured as a CUDA graph follows the memory of the GPU",
            key="--cuda-graph-max-bs-decode",
            uses=(*by_gpu, "runtime.enforce_eager", "runtime.cuda_graph.sizes"),
            confidence="likely",
            location=at("--cuda-graph-max-bs-decode", "--cuda-graph-max-bs"),
        ),
        _rule(
            "runtime.attention_backend",
            (),
            lambda facts: _attention(key, facts),
            "without --attention-backend the GPU and the kind of attention decide",
            uses=(GPU, MODEL, "runtime.speculative", "hardware.gpu.vendor"),
            confidence="likely",
            location=at("--attention-backend"),
        ),
        _rule(
            "runtime.kv_cache.block_size",
            (),
            lambda facts: _page(key, facts),
            "one token a page, unless the attention back end needs more",
            uses=("runtime.attention_backend", GPU, "hardware.gpu.vendor"),
            confidence="likely",
            location=at("--page-size"),
        ),
        _rule(
            "runtime.structured_output_backend",
            (),
            lambda facts: "outlines" if key < (0, 4, 4, 0, 1, 2) else "xgrammar",
            "the back end of structured output where --grammar-backend does not say",
            location=at("--grammar-backend"),
        ),
        _rule(
            "runtime.max_num_seqs",
            (),
            lambda facts: _requests(key, facts),
            "without --max-running-requests the KV cache bounds the batch, or the draft model does",
            uses=("runtime.speculative",),
            location=at("--max-running-requests"),
        ),
        _rule(
            "runtime.async_scheduling",
            (),
            lambda facts: _overlap(key, setting, facts),
            "scheduling overlaps with execution, unless another setting forbids it",
            uses=("runtime.speculative", "runtime.pipeline_parallel_size", "runtime.env", OTHER),
            confidence="likely",
            location=at("--disable-overlap-schedule", "--enable-overlap-schedule"),
        ),
        _rule(
            "runtime.sampling_defaults",
            ("runtime.generation_config",),
            lambda facts: _sampling(key, facts),
            "what a chat request gets that leaves the sampling out",
            uses=("model.generation.sampling_defaults",),
            location=protocol(release),
        ),
        _rule(
            OTHER,
            (),
            lambda facts: _balance(key, facts),
            "how data parallel ranks share requests where --load-balance-method does not say",
            key="--load-balance-method",
            uses=("runtime.role",),
            location=at("--load-balance-method"),
        ),
    ]
    if setting.attention_ranks != 1:
        entry = release.arguments.get("--schedule-conservativeness")
        if entry is not None and isinstance(entry.value, (int, float)):
            value = round(entry.value * 0.3, 6)
            found.append(
                _rule(
                    "runtime.scheduler",
                    (),
                    lambda facts: value,
                    "data parallel attention takes three tenths of it",
                    key="conservativeness",
                    location=release.where(entry),
                    rank=-1,
                )
            )
    return tuple(found)


def _rule(
    fact: str,
    needs: tuple[str, ...],
    compute: Callable[[Facts], Value | Unknown],
    because: str,
    *,
    key: str = "",
    uses: tuple[str, ...] = (),
    confidence: Confidence = "certain",
    location: Location | None = None,
    rank: int = 0,
) -> Rule:
    return Rule(
        fact=fact, key=key, needs=needs, compute=compute, because=because, uses=uses, confidence=confidence,
        location=location, rank=rank,
    )  # fmt: skip


def _attention(key: Key, facts: Facts) -> Value | Unknown:
    """``ServerArgs.__post_init__`` to 0.4.4.post3, ``ModelRunner.model_specific_adjustment`` to 0.5.3,
    ``_get_default_attn_backend`` and its predecessors since."""
    models = facts.get(GPU)
    if not isinstance(models, list) or not models:
        return Unknown("chosen at start from the GPU and the model's architecture", READ)
    from askew.knowledge.gpus import info

    gpu = info(str(models[0]))
    if gpu.vendor != "nvidia" or not gpu.compute_capability:
        return Unknown("SGLang chooses it by the platform and the model", READ)
    model = facts.get(MODEL)
    latent = isinstance(model, str) and model.startswith(LATENT)
    special = isinstance(model, str) and any(word in model for word in ("GptOss", "Llama4", "Gemma", "Qwen3Next"))
    speculative = facts.get("runtime.speculative")
    if special or (isinstance(speculative, dict) and speculative):
        return Unknown("SGLang has a choice of its own for this model or for a draft model", READ)
    capability = float(gpu.compute_capability)
    if key < (0, 4, 5, 0, 1, 1):
        return Unknown("SGLang chooses it by the model", READ) if latent else "flashinfer"
    if 9 <= capability < 10:
        return "fa3"
    if latent:
        return Unknown("SGLang chooses among back ends for latent attention", READ)
    if capability >= 10:
        if key >= (0, 5, 10) and capability < 11:
            return "trtllm_mha"
        return "flashinfer" if key < (0, 5, 3) else Unknown("SGLang chooses it by the model on this GPU", READ)
    return "flashinfer"


def _page(key: Key, facts: Facts) -> Value | Unknown:
    """``_handle_attention_backend_compatibility`` and ``_page_size_default``; before 0.4.4 a page was one token."""
    backend = facts.get("runtime.attention_backend")
    if isinstance(backend, str) and backend in _PAGES:
        return _PAGES[backend]
    if key < (0, 4, 4) or backend in _PLAIN:
        return 1
    if backend is None and key < (0, 5, 3) and sizes.maker(facts) == "nvidia":
        return 1  # of what these choose by themselves, none needs more
    if backend in ("trtllm_mha", "trtllm_mla", "cutedsl_mla"):
        return 64
    if backend is None and sizes.maker(facts) == "nvidia":
        return Unknown("it depends on the attention back end, which is not known", READ)
    return Unknown("it depends on the attention back end and the platform", READ)


def _requests(key: Key, facts: Facts) -> Value | Unknown:
    """``_handle_speculative_decoding``: 32 from 0.4.3.post3, 48 from 0.4.4.post4."""
    speculative = facts.get("runtime.speculative")
    method = speculative.get("method") if isinstance(speculative, dict) else None
    if method in _EAGLES and key >= (0, 4, 3, 0, 1, 3):
        return 48 if key >= (0, 4, 4, 0, 1, 4) else 32
    if method is not None:
        return Unknown("it depends on the kind of speculative decoding", READ)
    return Unknown("computed at start from the size of the KV cache", READ)


def _overlap(key: Key, setting: Setting, facts: Facts) -> Value | Unknown:
    """``--enable-overlap-schedule`` until 0.3.5, on since; what forbids it is in ``__post_init__`` and its handlers."""
    if key < (0, 3, 6):
        return False
    if setting.attention_ranks != 1 and key < (0, 4, 1, 0, 1, 7):
        return False
    speculative = facts.get("runtime.speculative")
    if isinstance(speculative, dict) and speculative:
        return _overlap_with_draft(key, speculative, facts)
    stages = facts.get("runtime.pipeline_parallel_size", 1)
    return stages == 1


def _overlap_with_draft(key: Key, speculative: Mapping[str, Value], facts: Facts) -> Value | Unknown:
    """``_handle_speculative_decoding``: never with a draft model, until the second version of it became the default."""
    variables, options = facts.get("runtime.env"), facts.get(OTHER)
    asked = (isinstance(variables, dict) and "SGLANG_ENABLE_SPEC_V2" in variables) or (
        isinstance(options, dict) and "--enable-beta-spec" in options
    )
    if key < (0, 4, 1, 0, 1, 4):
        return True
    if key < (0, 5, 11) and speculative.get("method") in _EAGLES and not asked:
        return False
    if (0, 5, 11) <= key < (0, 5, 13) and speculative.get("method") in _EAGLES and not asked:
        width = speculative.get("eagle_topk")
        if isinstance(width, int):
            return width <= 1
    return Unknown("it depends on the kind of speculative decoding and on SGLANG_ENABLE_SPEC_V2", READ)


def _sampling(key: Key, facts: Facts) -> Value | Unknown:
    """``ChatCompletionRequest``: temperature 0.7 until 0.5.3; later the model's own, and 1.0 where it has none."""
    engine: dict[str, Value] = {
        "temperature": 0.7 if key < (0, 5, 3, 0, 1, 1) else 1.0,
        **{"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    }
    if facts["runtime.generation_config"] == "engine":
        return engine
    stored = facts.get("model.generation.sampling_defaults")
    if not isinstance(stored, dict):
        return Unknown("taken from the model's generation_config.json, which no source shows", READ)
    return {**engine, **{key: value for key, value in stored.items() if key in engine}}


def _balance(key: Key, facts: Facts) -> Value | Unknown:
    """``_handle_load_balance_method``, since 0.5.8; before it was always in turn."""
    if key >= (0, 5, 8) and facts.get("runtime.role") == "prefill":
        return "follow_bootstrap_room"
    return "round_robin"


def _dtype(facts: Facts) -> Value | Unknown:
    """``_get_and_verify_dtype``: float32 checkpoints run in float16, those of Gemma in bfloat16."""
    stored = facts["model.config.dtype"]
    if stored not in (None, "float32"):
        return stored
    architecture = facts.get(MODEL)
    if architecture is None:
        return Unknown("depends on model.architecture: float32 checkpoints run in float16, Gemma's in bfloat16", READ)
    return "bfloat16" if str(architecture).lower().startswith("gemma") else "float16"


def _quantization(facts: Facts) -> Value | Unknown:
    """``_verify_quantization``: the checkpoint's own method, which a faster one for the same format may replace."""
    stored = facts["model.quantization"]
    method = stored.get("method") if isinstance(stored, dict) else stored
    if not isinstance(method, str) or not method:
        return "none"
    if method in ("awq", "gptq"):
        return Unknown(f"SGLang runs a {method} checkpoint with {method} or {method}_marlin, by the GPU", READ)
    return method


def _cache(facts: Facts) -> Value | Unknown:
    stored = facts.get("model.quantization")
    if isinstance(stored, dict) and any("kv" in key for key in stored):
        return Unknown("the checkpoint states a scheme for the KV cache", READ)
    return facts["runtime.dtype"]


def _experts(facts: Facts) -> Value:
    """``_a2a_ep_size``: these ways of exchanging tokens set the expert parallel size to the tensor parallel one."""
    options = facts.get(OTHER)
    exchange = options.get("--moe-a2a-backend") if isinstance(options, dict) else None
    return exchange in _EXCHANGES and (facts.get("runtime.tensor_parallel_size") or 1) != 1


def _format(facts: Facts) -> Value:
    """``__post_init__``: a file in the format of llama.cpp is loaded as such."""
    return "gguf" if str(facts["model.id"]).endswith(".gguf") else "auto"


def _lora_rank(facts: Facts) -> Value | Unknown:
    if facts.get("runtime.lora.enabled"):
        return Unknown("taken from the adapters when the server starts", READ)
    return None


_ANY: tuple[Rule, ...] = (
    _rule(
        "model.tokenizer.source",
        ("model.id",),
        lambda facts: facts["model.id"],
        "without --tokenizer-path the tokenizer comes with the model",
    ),
    _rule(
        "model.served_names",
        ("model.id",),
        lambda facts: [facts["model.id"]],
        "without --served-model-name clients use the model's path",
    ),
    _rule(
        "model.tokenizer.revision",
        ("model.revision",),
        lambda facts: facts["model.revision"],
        "SGLang loads the tokenizer at --revision",
    ),
    _rule(
        "runtime.dtype",
        ("model.config.dtype",),
        _dtype,
        "without --dtype the checkpoint's own, float32 halved",
        uses=(MODEL,),
    ),
    _rule(
        "runtime.kv_cache.dtype",
        ("runtime.dtype",),
        _cache,
        "without --kv-cache-dtype the cache has the dtype of the model",
        uses=("model.quantization",),
        confidence="likely",
    ),
    _rule(
        "runtime.quantization",
        ("model.quantization",),
        _quantization,
        "without --quantization the checkpoint's own method",
    ),
    _rule(
        "runtime.max_model_len",
        ("model.context_length",),
        lambda facts: facts["model.context_length"],
        "without --context-length the model's own",
    ),
    _rule("runtime.load_format", ("model.id",), _format, "without --load-format the files decide"),
    _rule(
        "runtime.enforce_eager",
        (),
        lambda facts: facts.get("runtime.attention_backend") in _EAGER,
        "CUDA graphs are on; two attention backends switch them off",
        uses=("runtime.attention_backend",),
        confidence="likely",
    ),
    _rule(
        "runtime.chunked_prefill",
        (),
        lambda facts: True,
        "long prompts are processed in chunks unless --chunked-prefill-size is -1",
        confidence="likely",
    ),
    _rule(
        "runtime.expert_parallel",
        (),
        _experts,
        "without --ep-size experts are split, except with a token exchange for experts",
        uses=(OTHER, "runtime.tensor_parallel_size"),
        confidence="likely",
    ),
    _rule("runtime.lora.enabled", (), lambda facts: False, "LoRA is on with --enable-lora or --lora-paths only"),
    _rule(
        "runtime.lora.max_rank",
        (),
        _lora_rank,
        "without --max-lora-rank the largest rank of the adapters",
        uses=("runtime.lora.enabled",),
    ),
)
