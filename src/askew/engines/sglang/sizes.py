"""What SGLang computes from the memory of the GPU: the prefill chunk, CUDA graphs, and the static share of memory.

Sources, in the packages at https://pypi.org/project/sglang/#history: ``ServerArgs.__post_init__`` of
``sglang/srt/server_args.py`` (0.3.0 to 0.5.2), ``_handle_gpu_memory_settings`` there (0.5.3 to 0.5.18) and
``handle_gpu_memory_settings`` of ``sglang/srt/arg_groups/memory_hook.py`` (from 0.5.19). Memory is what ``nvidia-smi``
prints, in MiB, of the smallest GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from askew.facts.types import Value
from askew.resolve.observation import Unknown

GPU, MEMORY, SLICE = "hardware.gpu.model", "hardware.gpu.memory.bytes", "hardware.gpu.mig_profile"
MODEL = "model.architecture"

# Architectures with latent attention, which have rules of their own.
LATENT = ("DeepseekV2", "DeepseekV3", "MiniCPM3", "DeepseekVL", "Kimi", "Glm4MoeLite", "LongcatFlash")

Key: TypeAlias = tuple[int, ...]
Facts: TypeAlias = Mapping[str, Value]


_PLATFORM = Unknown("SGLang decides it by the platform, with rules that are not in this build")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a launch says about itself that its computed defaults depend on.

    ``key`` is the release in an order. ``attention_ranks``: data parallel ranks of attention, 1 where there are none,
    None where they are not known. ``hidden``: an argument for which a size is computed in a way that is not here.
    """

    key: Key
    attention_ranks: int | None = 1
    hidden: str = ""


def memory(facts: Facts) -> tuple[float, bool] | Unknown:
    """The memory of the GPU in MiB, and whether it is exactly what ``nvidia-smi`` prints."""
    if facts.get(SLICE):
        return Unknown("it depends on the memory of the MIG slice, which the driver shows to SGLang alone")
    known = facts.get(MEMORY)
    if isinstance(known, (int, float)) and known > 0:
        return known / 2**20, True
    models = facts.get(GPU)
    if isinstance(models, list) and models:
        from askew.knowledge.gpus import info

        size = info(str(models[0])).memory_gb
        if size:
            return size * 1024, False
    return Unknown(
        "depends on hardware.gpu.memory.bytes, which no source shows",
        "nvidia-smi --query-gpu=memory.total --format=csv",
    )


def maker(facts: Facts) -> str:
    """Who made the GPU: NVIDIA where nothing says another."""
    models = facts.get(GPU)
    if isinstance(models, list) and models:
        from askew.knowledge.gpus import info

        return info(str(models[0])).vendor
    stated = facts.get("hardware.gpu.vendor")
    return stated if isinstance(stated, str) else "nvidia"


def chunk(setting: Setting, facts: Facts) -> int | Unknown:
    """Tokens of one prefill step where nobody says, before data parallel attention divides them."""
    if facts.get("runtime.chunked_prefill") is False:
        return Unknown("without chunks --max-prefill-tokens and the context length bound a prefill step")
    key = setting.key
    if setting.hidden:
        return Unknown(f"computed at start; {setting.hidden} changes how")
    if key < (0, 3, 5, 0, 1, 2):
        return 8192
    found = memory(facts) if maker(facts) in ("nvidia", "amd") else _PLATFORM
    if isinstance(found, Unknown):
        return found
    mib = found[0]
    if key < (0, 4, 7, 0, 1, 1):
        if mib < 25_000:
            return 2048
        if (key >= (0, 4, 7) and mib > 180_000) or (
            key >= (0, 4, 6, 0, 1, 2) and facts.get("runtime.role") in ("prefill", "decode")
        ):
            return 16384
        return 8192
    if mib < 35 * 1024:
        return 4096 if key >= (0, 5, 20) and mib >= 20 * 1024 else 2048
    if key >= (0, 5, 3) and mib < 60 * 1024:
        return 4096
    return 8192 if mib < 160 * 1024 else 16384


def divided(setting: Setting, size: int) -> int | Unknown:
    """The chunk of one rank: data parallel attention divides what was set or computed."""
    if setting.attention_ranks == 1:
        return size
    if setting.attention_ranks is None:
        return Unknown("data parallel attention divides it by a number of ranks that is not known")
    by = 2 if setting.key < (0, 4, 4, 0, 1, 1) else setting.attention_ranks
    return size // by


def graphs(setting: Setting, facts: Facts) -> int | Unknown:
    """The largest batch that is captured as a CUDA graph where nobody says."""
    key = setting.key
    found = memory(facts) if maker(facts) == "nvidia" else _PLATFORM
    if isinstance(found, Unknown):
        return found
    mib, ranks = found[0], facts.get("runtime.tensor_parallel_size", 1)
    few = isinstance(ranks, int) and ranks < 4
    if key < (0, 3, 5, 0, 1, 2):
        return 160
    if key < (0, 4):
        return 4 if mib < 25_000 else 160
    if key < (0, 5, 3):
        small = 25_000 if key < (0, 4, 7, 0, 1, 1) else 35 * 1024
        if mib < small:
            return 8 if few or key < (0, 4, 0, 0, 1, 1) else 80
        if key < (0, 4, 5, 0, 1, 3) or mib <= 80 * 1024:
            return 160  # from 0.4.5.post3 the list of get_batch_sizes_to_capture ends there
        return Unknown("the list of batches that are captured is made by the model runner of this release")
    if mib < 20 * 1024:
        return 8
    if mib < 35 * 1024:
        if key >= (0, 5, 20):
            return 48 if few else 160
        return (24 if key >= (0, 5, 4, 0, 1, 1) else 16) if few else 80
    if mib < 60 * 1024:
        return 32 if few else 160
    return 256 if mib < 160 * 1024 and few else 512


def _table(ranks: int, key: Key) -> float:
    """The share by the number of GPUs that hold one copy, until 0.4.7."""
    eight = 0.83 if key < (0, 3, 6) else 0.82 if key < (0, 4) else 0.81
    for least, share in ((16, 0.79), (8, eight), (4, 0.85), (2, 0.87)):
        if ranks >= least:
            return share
    return 0.88


def _prefill_graphs(limit: int) -> int:
    """How many sizes ``generate_prefill_cuda_graph_batch_sizes`` captures."""
    steps = ((4, 33, 4), (48, 257, 16), (288, 513, 32), (576, 1025, 64), (1280, 4097, 256), (4608, limit + 1, 512))
    return sum(1 for first, end, step in steps for size in range(first, end, step) if size <= limit)


def share(setting: Setting, facts: Facts) -> float | Unknown:
    """``mem_fraction_static`` of a text model where nobody says."""
    key, model = setting.key, facts.get(MODEL)
    if key >= (0, 4, 9) and isinstance(model, str) and any(word in model for word in ("VL", "Vision", "Conditional")):
        return Unknown("SGLang takes a smaller share for a model that sees, by the size of its encoder")
    tensor, stages = facts.get("runtime.tensor_parallel_size", 1), facts.get("runtime.pipeline_parallel_size", 1)
    if not isinstance(tensor, int) or not isinstance(stages, int):
        return Unknown("the parallel sizes are not known")
    ranks = tensor if key < (0, 4, 6, 0, 1, 2) else tensor * stages
    if key < (0, 4, 5, 0, 1, 3):
        return _table(ranks, key)
    found = memory(facts) if maker(facts) == "nvidia" else _PLATFORM
    if isinstance(found, Unknown):
        return found
    mib, exact = found
    speculative = facts.get("runtime.speculative")
    if isinstance(speculative, dict) and speculative:
        return Unknown("computed at start from GPU memory and the draft model")
    if key < (0, 4, 7, 0, 1, 1) and mib <= 80 * 1024:
        return _table(ranks, key)
    if not exact:
        return Unknown(f"computed from the exact memory of the GPU, which is about {mib:.0f} MiB", "nvidia-smi")
    if key < (0, 4, 7, 0, 1, 1):
        return _large(key, mib, ranks)
    if setting.attention_ranks != 1 or facts.get("runtime.role") in ("prefill", "decode"):
        return Unknown("computed at start; the role or data parallel attention changes how")
    reserved = _old_reserve(mib, ranks) if key < (0, 5, 3) else _reserve(setting, facts, mib, ranks)
    return reserved if isinstance(reserved, Unknown) else round((mib - reserved) / mib, 3)


def _large(key: Key, mib: float, ranks: int) -> float | Unknown:
    """GPUs above 80 GiB, 0.4.5.post3 to 0.4.7."""
    if key < (0, 4, 6, 0, 1, 2):
        return (mib - 1024 * 13) / mib
    if key >= (0, 4, 7) and mib > 180_000:
        return 0.79
    base = 0.88
    if mib > 96 * 1024:
        return min(base + 48 * 1024 * (1 - base) / mib, (mib - 1024 * 18) / mib)
    return base


def _old_reserve(mib: float, ranks: int) -> float:
    """MiB that 0.4.7.post1 to 0.5.2 leave free."""
    if mib < 35 * 1024:
        return (2.8 + ranks / 10) * 1024
    if mib < 90 * 1024:
        return (9.5 + ranks / 2) * 1024
    return (12 + ranks / 2) * 1024 if mib < 160 * 1024 else 32 * 1024


def _reserve(setting: Setting, facts: Facts, mib: float, ranks: int) -> float | Unknown:
    """MiB that 0.5.3 and later leave free, for prefill, CUDA graphs and ranks."""
    key = setting.key
    size = facts.get("runtime.max_num_batched_tokens")
    largest = facts.get("runtime.arguments.unmapped")
    stated = largest.get("--cuda-graph-max-bs-decode") if isinstance(largest, dict) else None
    batch: object = int(stated) if isinstance(stated, str) and stated.isdecimal() else graphs(setting, facts)
    if facts.get("runtime.cuda_graph.sizes") or facts.get("runtime.chunked_prefill") is False:
        return Unknown("computed at start from the CUDA graphs and the prefill tokens that are asked for")
    if not isinstance(size, int) or not isinstance(batch, int):
        return batch if isinstance(batch, Unknown) else Unknown("depends on the prefill chunk, which is not known")
    reserved = 512 + max(size, 2048) * 1.5 + ranks / 8 * 1024
    eager = facts.get("runtime.enforce_eager") is True
    if key < (0, 5, 15) or not eager:
        reserved += batch * 2
    if key >= (0, 5, 10):
        model = facts.get(MODEL)
        # From here prefill is captured too, unless the model, LoRA or another setting forbids it.
        latent = isinstance(model, str) and model.startswith(LATENT)
        if latent or facts.get("runtime.lora.enabled") or facts.get("runtime.pipeline_parallel_size", 1) != 1 or eager:
            return Unknown("computed at start; whether prefill is captured as CUDA graphs changes it")
        reserved += _prefill_graphs(size) * 8
    return max(reserved, 10 * 1024) if mib > 60 * 1024 else reserved
