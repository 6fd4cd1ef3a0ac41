"""What TGI decides at start where nothing is written, release by release, as rules.

Sources, at the tags of https://github.com/huggingface/text-generation-inference: ``main`` and ``resolve_attention`` of
``launcher/src/main.rs``; ``get_model`` of ``server/text_generation_server/models/__init__.py`` (dtype, quantization,
KV cache); ``models/model.py`` and ``models/flash_causal_lm.py`` below it (chunking, warm-up).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from askew.engines.devices import USES, capability
from askew.engines.versions import Release, release_key
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Unknown
from askew.resolve.rule import Rule

Compute: TypeAlias = Callable[[Mapping[str, Value]], Value | Unknown]

INFO = "curl -s $URL/info"
_SAID = 'the launcher logs "Using attention … - Prefix caching …"'
_MAIN = "launcher/src/main.rs"
_SERVER = "server/text_generation_server/models"
_HEADS = (64, 128, 256)
_HALF = frozenset(("awq", "exl2", "gptq", "marlin"))
_GRAPHS: list[Value] = [1, 2, 4, 8, 16, 32]
_LARGEST = 4096  # tokens of a request by default, 2.0.0 to 2.4.0

# Models that were float16 and those that were bfloat16 from 1.2.0 on; of the others the releases differ.
_FLOAT16 = ("llama", "mistral", "mixtral", "qwen2for", "falcon", "gptneox", "phi", "starcoder", "gptbigcode", "bloom")
_BFLOAT16 = ("gemma", "dbrx")
# `default_dtype=torch.bfloat16` in get_model of 3.2.0 and later.
_BFLOAT16_SINCE_3_2 = (
    *("gemma", "dbrx", "deepseek", "qwen2_vl", "qwen2vl", "qwen2_5_vl", "qwen2_5vl", "mllama", "idefics", "paligemma"),
    *("llama4", "phimoe"),
)


class Era(msgspec.Struct, frozen=True, kw_only=True):
    """One release, and how sure it is that its rules hold for what runs: another one's are likely at most."""

    release: Release
    exact: bool = True
    because: str = ""

    @property
    def key(self) -> tuple[int, ...]:
        """The release as a key that sorts."""
        return release_key(self.release.version)[:3]

    def rule(
        self,
        fact: str,
        compute: Compute,
        because: str,
        *,
        needs: tuple[str, ...] = (),
        uses: tuple[str, ...] = (),
        confidence: Confidence = "certain",
        at: str = _MAIN,
    ) -> Rule:
        """A rule of this release, with the file that has it."""
        return Rule(
            fact=fact, needs=needs, uses=uses, compute=compute,
            because=because if self.exact else f"{because}; {self.because}",
            confidence=confidence if self.exact else "likely",
            location=Location(f"tgi {self.release.version} {at}"),
        )  # fmt: skip


def always(value: Value | Unknown) -> Compute:
    """A rule that needs nothing."""
    return lambda known: value


def everywhere() -> tuple[Rule, ...]:
    """The rules that hold in every release."""
    return (
        Rule(
            fact="model.tokenizer.revision", needs=("model.revision",), compute=lambda known: known["model.revision"],
            because="TGI loads the tokenizer at --revision",
        ),
        Rule(
            fact="runtime.tensor_parallel_size", needs=(), uses=("hardware.gpu.count", "runtime.env"), compute=_shards,
            because="without --num-shard TGI takes every GPU it sees", confidence="likely",
        ),
        Rule(
            fact="runtime.kv_cache.dtype", needs=("runtime.dtype",), compute=lambda known: known["runtime.dtype"],
            because="without --kv-cache-dtype the cache has the dtype of the model", confidence="likely",
        ),
        Rule(
            fact="runtime.lora.enabled", needs=(), compute=always(False),
            because="LoRA is on with --lora-adapters only",
        ),
    )  # fmt: skip


def _shards(known: Mapping[str, Value]) -> Value | Unknown:
    """``find_num_shards``: the devices that CUDA_VISIBLE_DEVICES lists, else those that the container has."""
    variables = known.get("runtime.env")
    listed = variables.get("CUDA_VISIBLE_DEVICES") if isinstance(variables, dict) else None
    if isinstance(listed, str) and listed.strip():
        return len(listed.split(","))
    count = known.get("hardware.gpu.count")
    if isinstance(count, int):
        return max(count, 1)
    return Unknown("all GPUs that the container has, and no source shows how many", "nvidia-smi -L")


# Limits


def limits(era: Era) -> tuple[Rule, ...]:
    """How long a prompt, a request and a batch may be. 1.x has literals; nothing here."""
    if era.key < (2, 0):
        return ()
    memory = "decided at warm-up from free GPU memory"
    if era.key < (2, 4, 1):
        return (
            era.rule(
                "runtime.max_model_len", _capped, "the model's max_position_embeddings, at most 4096",
                uses=("model.context_length", "model.rope"), confidence="likely",
            ),
            era.rule(
                "runtime.max_input_tokens", _capped_input, "one less than max_position_embeddings, at most 4095",
                uses=("model.context_length", "model.rope"), confidence="likely",
            ),
            era.rule(
                "runtime.max_num_batched_tokens", _prefill_by_input, "max_input_tokens + 50",
                needs=("runtime.max_input_tokens",), uses=("runtime.max_num_seqs",),
            ),
        )  # fmt: skip
    total = f"{memory} and the model's max_position_embeddings"
    found = [era.rule("runtime.max_model_len", always(Unknown(total, INFO)), "as much as fits, up to the model's own")]
    # The prompt has no cap of its own any more: one token less than the whole.
    found.append(era.rule("runtime.max_input_tokens", always(None), "bounded by --max-total-tokens alone"))
    if era.key < (3, 0):
        found.append(
            era.rule(
                "runtime.max_num_batched_tokens", _capped, "the model's max_position_embeddings, at most 4096",
                uses=("model.context_length", "model.rope"), confidence="likely",
            )
        )  # fmt: skip
        return tuple(found)
    why = "computed at start from the GPU's speed and memory and the sizes of the model; 4096 where these are not known"
    found.append(era.rule("runtime.max_num_batched_tokens", always(Unknown(why, INFO)), "what the GPU is bound by"))
    return tuple(found)


def _positions(known: Mapping[str, Value]) -> int | None:
    """``max_position_embeddings``; a context length that RoPE scaling made may have fewer positions."""
    length, rope = known.get("model.context_length"), known.get("model.rope")
    scaled = isinstance(rope, dict) and rope.get("factor") not in (None, 1, 1.0)
    return length if isinstance(length, int) and not scaled else None


def _capped(known: Mapping[str, Value]) -> Value | Unknown:
    positions = _positions(known)
    if positions is None:
        return Unknown("the model's max_position_embeddings, at most 4096; no source shows the model's", INFO)
    return min(positions, _LARGEST)


def _capped_input(known: Mapping[str, Value]) -> Value | Unknown:
    found = _capped(known)
    return found if isinstance(found, Unknown) else _less_one(found)


def _less_one(value: Value) -> Value | Unknown:
    return value - 1 if isinstance(value, int) else Unknown("the length of a request is not known", INFO)


def _prefill_by_input(known: Mapping[str, Value]) -> Value | Unknown:
    prompt, batch = known["runtime.max_input_tokens"], known.get("runtime.max_num_seqs")
    if not isinstance(prompt, int):
        return Unknown("the limit on prompts is not known", INFO)
    return prompt * batch if isinstance(batch, int) else prompt + 50


# Weights


def weights(era: Era) -> tuple[Rule, ...]:
    """In which dtype and by which method the weights are computed."""
    at = f"{_SERVER}/__init__.py"
    found = []
    if era.key < (2, 0):
        found.append(era.rule("runtime.quantization", always("none"), "nothing but --quantize quantizes", at=at))
    else:
        found.append(
            era.rule(
                "runtime.quantization", _stored, "without --quantize the checkpoint's own method",
                needs=("model.quantization",), confidence="likely", at=at,
            )
        )  # fmt: skip
    if era.key < (1, 2):
        found.append(era.rule("runtime.dtype", always("float16"), "float16 without --dtype", at=at))
    else:
        found.append(
            era.rule(
                "runtime.dtype", _dtype(era), "without --dtype the model class decides",
                uses=("runtime.quantization", "model.architecture"), confidence="likely", at=at,
            )
        )  # fmt: skip
    return tuple(found)


def _stored(known: Mapping[str, Value]) -> Value:
    stored = known["model.quantization"]
    method = stored.get("method") if isinstance(stored, dict) else stored
    return method if isinstance(method, str) and method else "none"


def _dtype(era: Era) -> Compute:
    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        method, architecture = known.get("runtime.quantization"), known.get("model.architecture")
        if method in _HALF and era.key >= (2, 1):
            return "float16"
        if method == "fp8" and (2, 2) <= era.key < (2, 4):
            return Unknown("bfloat16 where the FBGEMM kernels can be used, else by the model", INFO)
        if isinstance(architecture, str):
            name = architecture.lower()
            if era.key >= (3, 2):
                return "bfloat16" if name.startswith(_BFLOAT16_SINCE_3_2) else "float16"
            if name.startswith(_BFLOAT16):
                return "bfloat16"
            if name.startswith(_FLOAT16):
                return "float16"
        return Unknown("float16 for most architectures, bfloat16 for some; no source shows the model's", INFO)

    return compute


# Attention


def attention(era: Era) -> tuple[Rule, ...]:
    """The attention backend, and what follows: prefix caching, chunked prefill, the block size."""
    if era.key < (2, 3):
        return (
            era.rule(
                "runtime.attention_backend", _before_backends(era), "paged, of the models with flash attention",
                uses=("model.architecture",), confidence="likely",
            ),
            era.rule("runtime.prefix_caching", always(False), "2.3.0 brought prefix caching"),
            era.rule("runtime.chunked_prefill", always(False), "2.4.0 brought chunked prefill"),
            _block_rule(era),
        )  # fmt: skip
    return (
        era.rule(
            "runtime.attention_backend", _attention(era), "by the head size, the model and the GPU",
            needs=("model.kv_geometry",), uses=("model.architecture", *USES),
            confidence="likely",
        ),
        era.rule(
            "runtime.prefix_caching", _prefixes(era), "by the attention backend, LoRA and the kind of model",
            uses=("runtime.attention_backend", "runtime.lora.enabled", "model.kv_geometry", "model.architecture"),
            confidence="likely",
        ),
        _chunk_rule(era),
        _block_rule(era),
    )  # fmt: skip


def _before_backends(era: Era) -> Compute:
    """2.2.0 forced flash decoding for Gemma 2, whose scores are capped; nothing else chose."""

    def compute(known: Mapping[str, Value]) -> Value:
        capped = str(known.get("model.architecture") or "").lower().startswith("gemma2")
        return "flashdecoding" if capped and era.key == (2, 2, 0) else "paged"

    return compute


def _attention(era: Era) -> Compute:
    forced = ("falcon", "deepseek") if era.key >= (2, 4) else ("falcon", "deepseek", "gemma2")

    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        architecture = str(known.get("model.architecture") or "").lower()
        if _head(known) in _HEADS and not architecture.startswith(forced):
            return "flashinfer"
        if era.key < (2, 3, 1):
            return "flashdecoding"
        found = capability(known)
        if found is None:
            return Unknown(
                "depends on the compute capability of the GPU, which no source shows",
                "nvidia-smi --query-gpu=compute_cap",
            )
        return "flashdecoding" if found >= 8 else "paged"

    return compute


def _head(known: Mapping[str, Value]) -> Value:
    geometry = known.get("model.kv_geometry")
    return geometry.get("head_dim") if isinstance(geometry, dict) else None


def _prefixes(era: Era) -> Compute:
    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        if known.get("runtime.lora.enabled") is True:
            return False
        if known.get("runtime.attention_backend") == "paged" and era.key >= (2, 4):
            return False
        head, architecture = _head(known), known.get("model.architecture")
        if head is not None and head not in _HEADS:
            return False
        if head is not None and isinstance(architecture, str) and architecture.endswith("ForCausalLM"):
            return True
        return Unknown(
            "on unless the model has a vision part, an encoder and a decoder, or a head size other than 64, 128 and "
            "256; no source shows the model's configuration",
            _SAID,
        )

    return compute


def _chunk_rule(era: Era) -> Rule:
    entry = era.release.variables.get("PREFILL_CHUNKING")
    if entry is None or str(entry.value) != "1":
        because = "PREFILL_CHUNKING is 0 by default" if entry is not None else "2.4.0 brought chunked prefill"
        return era.rule("runtime.chunked_prefill", always(False), because, at=f"{_SERVER}/globals.py")

    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        if known.get("runtime.speculative"):
            return False
        backend = known.get("runtime.attention_backend")
        if not isinstance(backend, str):
            return Unknown("on unless attention is paged, and the attention backend is not known", _SAID)
        return backend != "paged"

    return era.rule(
        "runtime.chunked_prefill", compute, "on unless attention is paged or tokens are guessed",
        uses=("runtime.attention_backend", "runtime.speculative"), confidence="likely", at=f"{_SERVER}/model.py",
    )  # fmt: skip


def _block_rule(era: Era) -> Rule:
    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        size = {"flashdecoding": 256, "flashinfer": 1, "paged": 16}.get(str(known["runtime.attention_backend"]))
        return size if size is not None else Unknown("depends on the attention backend", INFO)

    return era.rule(
        "runtime.kv_cache.block_size", compute, "each attention backend has its own",
        needs=("runtime.attention_backend",), confidence="likely", at=f"{_SERVER}/globals.py",
    )  # fmt: skip


# CUDA graphs


def graphs(era: Era) -> tuple[Rule, ...]:
    """CUDA graphs: of no release before 1.4.1, on demand until 2.0.0, and then unless a method forbids them."""
    if era.key < (2, 0):
        found = [era.rule("runtime.cuda_graph.sizes", _when_eager, "graphs are off unless asked for")]
        if "--enable-cuda-graphs" not in era.release.arguments:
            found = [
                era.rule("runtime.cuda_graph.sizes", always([]), "1.4.1 brought CUDA graphs"),
                era.rule("runtime.enforce_eager", always(True), "1.4.1 brought CUDA graphs"),
            ]
        return tuple(found)
    without = {"bitsandbytes"}
    if era.key < (3, 0, 2):
        without |= {"bitsandbytes-nf4", "bitsandbytes-fp4"}
    if era.key >= (2, 3):
        without.add("exl2")
    named = " and ".join(sorted(without))

    def off(known: Mapping[str, Value]) -> bool:
        return known.get("runtime.quantization") in without

    return (
        era.rule(
            "runtime.cuda_graph.sizes", lambda known: [] if off(known) else list(_GRAPHS),
            "without --cuda-graphs the powers of two up to 32", uses=("runtime.quantization",), confidence="likely",
        ),
        era.rule(
            "runtime.enforce_eager", off, f"CUDA graphs are on except with {named}",
            uses=("runtime.quantization",), confidence="likely",
        ),
    )  # fmt: skip


def _when_eager(known: Mapping[str, Value]) -> Value | Unknown:
    return [] if known.get("runtime.enforce_eager") is not False else Unknown("the server has its own list", INFO)


# The rules in words


def in_words(era: Era) -> tuple[tuple[str, str, str], ...]:
    """``(fact, key, words)`` of what depends on things no manifest shows, so that a change of rule can be seen."""
    key = era.key
    if key < (2, 0):
        stated = {name: era.release.arguments[name].value for name in ("--max-total-tokens", "--max-input-length")}
        total, prompt = str(stated["--max-total-tokens"]), str(stated["--max-input-length"])
        prefill = str(era.release.arguments["--max-batch-prefill-tokens"].value)
    elif key < (2, 4, 1):
        total, prompt = "max_position_embeddings, at most 4096", "max_position_embeddings - 1, at most 4095"
        prefill = "max_input_tokens + 50"
    else:
        total = "what fits in GPU memory, at most max_position_embeddings"
        prompt = "what fits in GPU memory, at most max_position_embeddings, less 1"
        prefill = "max_position_embeddings, at most 4096" if key < (3, 0) else "by the GPU's speed and memory"
    prefixes = "off" if key < (2, 3) else "on, by the model and the attention backend"
    chunks = str(getattr(era.release.variables.get("PREFILL_CHUNKING"), "value", None)) == "1"
    backend = "paged" if key < (2, 3) else "flashinfer where the model and the GPU allow"
    return (
        ("runtime.max_model_len", "default of --max-total-tokens", total),
        ("runtime.max_input_tokens", "default of --max-input-tokens", prompt),
        ("runtime.max_num_batched_tokens", "default of --max-batch-prefill-tokens", prefill),
        ("runtime.prefix_caching", "default of PREFIX_CACHING", prefixes),
        ("runtime.chunked_prefill", "default of PREFILL_CHUNKING", "on unless attention is paged" if chunks else "off"),
        ("runtime.attention_backend", "default of ATTENTION", backend),
        ("runtime.dtype", "default of --dtype", "float16" if key < (1, 2) else "by the model"),
    )
