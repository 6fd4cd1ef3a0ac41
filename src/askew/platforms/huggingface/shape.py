"""Sizes of a network and the number of its parameters, worked out of ``config.json``.

A decoder has embeddings and, per layer, attention (query, key, value, output; or the low-rank projections of latent
attention) and a feed-forward part: two matrices, three where it is gated, one such part per expert where experts share
the work. Norms and biases are left out: they are less than a thousandth. Parts for images and audio are not counted.

Sources: the model classes of https://github.com/huggingface/transformers/tree/v4.57.1/src/transformers/models (llama,
qwen2, qwen3_moe, mixtral, deepseek_v3, gemma3, gpt_oss, llama4, phi).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from askew.evidence.document import Node

First: TypeAlias = Callable[..., Node | None]

# Families whose feed-forward part has no gate; all that came since Llama have one.
_PLAIN = frozenset(
    ("gpt2", "gptj", "gpt_neox", "gpt_neo", "gpt_bigcode", "starcoder2", "codegen", "opt", "bloom", "falcon", "mpt",
     "phi", "bert", "roberta", "xlm-roberta", "distilbert", "nemotron", "stablelm_epoch")
)  # fmt: skip


def sizes(first: First) -> dict[str, int]:
    """Hidden and intermediate size, heads and experts, as far as the file states them."""
    found: dict[str, int] = {}
    for key, names in (
        ("hidden", ("hidden_size", "n_embd", "d_model")),
        ("intermediate", ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")),
        ("heads", ("num_attention_heads", "n_head", "num_heads", "n_heads")),
        ("experts", ("num_local_experts", "num_experts", "n_routed_experts")),
        ("experts_per_token", ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "experts_per_token")),
        ("expert_intermediate", ("moe_intermediate_size", "expert_intermediate_size")),
    ):
        node = first(*names)
        number = node.integer() if node is not None else None
        if number is not None and 0 < number < 10**9:
            found[key] = number
    if "experts" in found and "intermediate" in found:
        found.setdefault("expert_intermediate", found["intermediate"])
    if "intermediate" not in found and "hidden" in found and "expert_intermediate" not in found:
        found["intermediate"] = 4 * found["hidden"]  # GPT-2 and its like leave it out
    return found


def parameters(first: First, shape: dict[str, int], geometry: dict[str, int], family: str) -> dict[str, int]:
    """Parameters in total, active per token, of the embeddings (output layer too) and of the experts; empty where a
    size is missing."""
    vocabulary, layers = _number(first("vocab_size")), geometry.get("layers")
    hidden, heads, head, kept = (
        shape.get("hidden"), shape.get("heads"), geometry.get("head_dim"), geometry.get("kv_heads")
    )  # fmt: skip
    if not (vocabulary and layers and hidden and heads and head and kept):
        return {}
    tied = first("tie_word_embeddings")
    embedding = vocabulary * hidden * (1 if tied is not None and tied.value is True else 2)
    attention = _latent(first, hidden, heads) or hidden * head * (2 * heads + 2 * kept)
    matrices = 2 if family in _PLAIN else 3
    experts, chosen = shape.get("experts", 0), shape.get("experts_per_token", 0)
    dense_part = matrices * hidden * shape.get("intermediate", 0)
    if not experts:
        total = embedding + layers * (attention + dense_part)
        return {"active": total, "embedding": embedding, "total": total}
    inner = shape.get("expert_intermediate", 0)
    sparse = _sparse_layers(first, layers)
    shared = _shared(first, matrices, hidden, inner)
    of_experts = sparse * experts * matrices * hidden * inner
    rest = embedding + layers * attention + (layers - sparse) * dense_part + sparse * (shared + hidden * experts)
    active = rest + sparse * min(chosen or 1, experts) * matrices * hidden * inner
    return {"active": active, "embedding": embedding, "experts": of_experts, "total": rest + of_experts}


def _number(node: Node | None) -> int:
    number = node.integer() if node is not None else None
    return number if number is not None and 0 < number < 10**9 else 0


def _latent(first: First, hidden: int, heads: int) -> int:
    """Attention of one layer with latent keys and values; 0 for any other."""
    rank, rotary = _number(first("kv_lora_rank")), _number(first("qk_rope_head_dim"))
    plain, value = _number(first("qk_nope_head_dim")), _number(first("v_head_dim"))
    if not (rank and rotary and plain and value):
        return 0
    query = _number(first("q_lora_rank"))
    width = heads * (plain + rotary)
    asked = hidden * query + query * width if query else hidden * width
    return asked + hidden * (rank + rotary) + rank * heads * (plain + value) + heads * value * hidden


def _sparse_layers(first: First, layers: int) -> int:
    """How many layers have experts."""
    if (leading := _number(first("first_k_dense_replace"))) or first("first_k_dense_replace") is not None:
        return max(0, layers - leading)
    step = _number(first("decoder_sparse_step", "interleave_moe_layer_step")) or 1
    return layers // step


def _shared(first: First, matrices: int, hidden: int, inner: int) -> int:
    """The part of a layer with experts that every token passes."""
    if width := _number(first("shared_expert_intermediate_size")):
        return matrices * hidden * width
    return matrices * hidden * inner * _number(first("n_shared_experts", "num_shared_experts"))
