"""What platforms other than CUDA and ROCm do where nobody says: what was read of CPUs, and of the others why nothing
is known.

Sources: ``check_and_update_config`` of ``vllm/platforms/cpu.py`` and the sizes of CPUs in ``vllm/engine/arg_utils.py``
(``_set_default_args_v1`` of 0.11.0, ``get_batch_defaults`` since), https://pypi.org/project/vllm/#history
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from askew.engines.vllm.generations import Facts, Setting
from askew.facts.types import Value
from askew.resolve.observation import Unknown
from askew.resolve.rule import Rule

_RANKS = ("runtime.tensor_parallel_size", "runtime.pipeline_parallel_size")
# Rules that hold on every platform, and those that hold on CPUs as they do on GPUs.
_EVERYWHERE = frozenset({"--max-logprobs", "--prefix-caching-hash-algo", "chat/completions.temperature"})
_ALIKE = frozenset({"VLLM_USE_V1", "--logprobs-mode", "--limit-mm-per-prompt"})


def on_platform(rules: Sequence[Rule], setting: Setting) -> tuple[Rule, ...]:
    """The rules of CUDA, as the platform of ``setting`` has them."""
    if not setting.platform:
        return tuple(rules)
    known = _CPU if setting.platform == "cpu" and setting.key >= (0, 12) and not setting.pooling else {}
    return tuple(_own(rule, known.get((rule.fact, rule.key)), setting, bool(known)) for rule in rules)


def _own(rule: Rule, compute: Callable[[Facts], Value | Unknown] | None, setting: Setting, cpu: bool) -> Rule:
    if compute is not None:
        because = "vLLM's own default on CPUs, but for models with MLA"
        uses = (*rule.needs, *rule.uses, *_RANKS)
        return msgspec.structs.replace(rule, needs=(), uses=uses, compute=compute, because=because, confidence="likely")
    if rule.key in _EVERYWHERE or (cpu and rule.key in _ALIKE):
        return rule
    why = Unknown(f"vLLM decides it by the platform, and the image is a build for {setting.platform}")
    return msgspec.structs.replace(rule, needs=(), uses=(), compute=lambda facts: why)


def _ranks(facts: Facts) -> int:
    found = 1
    for fact in _RANKS:
        size = facts.get(fact)
        found *= size if isinstance(size, int) else 1
    return found


def _tokens(facts: Facts) -> Value | Unknown:
    length, ranks = facts.get("runtime.max_model_len"), _ranks(facts)
    return min(2048 * ranks, 128 * ranks * length) if isinstance(length, int) else 2048 * ranks


def _seqs(facts: Facts) -> Value | Unknown:
    budget, ranks = facts.get("runtime.max_num_batched_tokens"), _ranks(facts)
    return min(128 * ranks, budget) if isinstance(budget, int) else 128 * ranks


def _dtype(facts: Facts) -> Value | Unknown:
    stored = facts.get("model.config.dtype")
    if stored == "bfloat16":
        return stored
    return Unknown(f"vLLM decides by the processor for a checkpoint in {stored or 'a dtype that no source shows'}")


_CPU: Mapping[tuple[str, str], Callable[[Facts], Value | Unknown]] = {
    ("runtime.chunked_prefill", ""): lambda facts: True,
    ("runtime.prefix_caching", ""): lambda facts: True,
    ("runtime.max_num_batched_tokens", ""): _tokens,
    ("runtime.max_num_seqs", ""): _seqs,
    ("runtime.dtype", ""): _dtype,
    ("runtime.compilation", "cudagraph_mode"): lambda facts: None,
    ("runtime.async_scheduling", ""): lambda facts: False,
    ("runtime.kv_cache.block_size", ""): lambda facts: 128,
}
