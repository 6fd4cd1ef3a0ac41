"""``config.json``: what a model is, and how its weights are stored.

Sources: ``PretrainedConfig`` of transformers (https://huggingface.co/docs/transformers/main_classes/configuration) and
how engines read it: ``get_head_size``, ``get_total_num_kv_heads`` and ``_get_and_verify_max_len`` of
``vllm/config/model.py`` (https://github.com/vllm-project/vllm/tree/v0.11.0). A model with several parts (vision, audio)
describes its language model in ``text_config``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from askew.evidence.document import Node
from askew.evidence.redaction import shown
from askew.facts.types import Value
from askew.platforms.huggingface.shape import First, parameters, sizes
from askew.platforms.kubernetes.observe import Entry, observed, observed_map, scalar
from askew.resolve.observation import Observation, Unknown

_TEXT = ("text_config", "llm_config", "language_config")
# Names of the trained length, as engines look for them.
_LENGTHS = (
    "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length", "max_sequence_length",
    "max_seq_length", "seq_len", "n_ctx", "max_target_positions",
)  # fmt: skip
# Scalings whose max_position_embeddings is the scaled length already, or which scale no length.
_ALREADY = frozenset(("su", "longrope", "llama3", "mrope", "default", "proportional"))
# What of config.json says nothing about how the model computes.
_IDLE = frozenset(("_name_or_path", "name_or_path", "transformers_version", "_commit_hash", "_diffusers_version"))


def of_config(root: Node, quantization: Node | None) -> Iterator[Observation]:
    """The facts that the file states. ``quantization`` is the file of a quantizer beside it, where there is one."""
    text = next((root[name] for name in _TEXT if root[name].is_mapping), root)

    def first(*names: str) -> Node | None:
        found = (holder[name] for name in names for holder in (text, root))
        return next((node for node in found if node.exists and node.value is not None), None)

    yield _digest(root)
    for fact, node in (
        ("model.architecture", root["architectures"][0] if root["architectures"].is_sequence else root["_class_name"]),
        ("model.config.dtype", first("dtype", "torch_dtype")),
        ("model.vocab_size", first("vocab_size")),
        ("model.tie_word_embeddings", first("tie_word_embeddings")),
    ):
        if node is not None and node.exists:
            yield observed(fact, scalar(node.value), node.location, origin="model")
    scaling = first("rope_scaling", "rope_parameters")
    yield from _rope(scaling, first("rope_theta"))
    yield from _length(first(*_LENGTHS), scaling)
    window = first("sliding_window")
    if window is not None and (first("use_sliding_window") or window).value is not False:
        yield observed("model.sliding_window", scalar(window.value), window.location, origin="model")
    geometry = _geometry(text, first)
    if geometry:
        yield from observed_map("model.kv_geometry", geometry, origin="model")
    yield from _sizes(root, text, first, geometry)
    yield from _quantization(root, text, quantization)


def of_pipeline(root: Node) -> Iterator[Observation]:
    """``model_index.json`` of diffusers: the class of the pipeline, its parts, and the release that saved it."""
    yield _digest(root)
    name, release = root["_class_name"], root["_diffusers_version"]
    if isinstance(name.value, str):
        yield observed("model.architecture", name.value, name.location, origin="model")
    if isinstance(release.value, str):
        yield observed("model.training.packages", release.value, release.location, origin="model", key="diffusers")


def _digest(root: Node) -> Observation:
    value = root.value
    kept = {key: item for key, item in value.items() if key not in _IDLE} if isinstance(value, dict) else value
    text = shown(msgspec.json.encode(kept, order="sorted").decode())  # what a secret is hidden as differs each time
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return observed("model.config.digest", digest, root.location, origin="model")


def _kind(scaling: Node | None) -> str:
    if scaling is None or not scaling.is_mapping:
        return ""
    return str(scaling["rope_type"].value or scaling["type"].value or "")


def _rope(scaling: Node | None, theta: Node | None) -> Iterator[Observation]:
    entries: dict[str, Entry] = {}
    if scaling is not None and scaling.is_mapping:
        for name, node in scaling.items():
            key = {"rope_type": "type", "rope_theta": "theta"}.get(name, name)
            if node.value is not None and not node.is_mapping and (key != "type" or "type" not in entries):
                entries[key] = Entry(scalar(node.value), node.location)
    if theta is not None:
        entries.setdefault("theta", Entry(scalar(theta.value), theta.location))
    if entries:
        yield from observed_map("model.rope", entries, origin="model")


def _length(length: Node | None, scaling: Node | None) -> Iterator[Observation]:
    """Trained positions, times what the rope scaling of the checkpoint stretches them by."""
    if length is None or (positions := length.integer()) is None:
        return
    kind, where, value = _kind(scaling), [length.location], positions
    if scaling is not None and kind and kind not in _ALREADY:
        factor = scaling["factor"].value
        if not isinstance(factor, (int, float)) or factor <= 0:
            reason = f"rope scaling {kind} without a factor"
            yield observed("model.context_length", Unknown(reason), length.location, origin="model")
            return
        if kind == "yarn" and (trained := scaling["original_max_position_embeddings"].integer()) is not None:
            value = int(trained * factor)
        else:
            value = int(positions * factor)
        where.append(scaling.location)
    yield observed("model.context_length", value, *where, origin="model")


def _geometry(text: Node, first: First) -> dict[str, Entry]:
    """Layers, KV heads and head size; of multi-head latent attention the ranks of what is kept; of models in which only
    some layers have a window how many those are, and the window."""
    layers = first("num_hidden_layers", "n_layer", "num_layers", "n_layers")
    heads = first("num_attention_heads", "n_head", "num_heads", "n_heads")
    shared = first("num_key_value_heads", "num_kv_heads", "multi_query_group_num")
    head, hidden = first("head_dim", "kv_channels"), first("hidden_size", "n_embd", "d_model")
    entries: dict[str, Entry] = {}
    if layers is not None:
        entries["layers"] = Entry(scalar(layers.value), layers.location)
    if (kept := shared or heads) is not None:
        entries["kv_heads"] = Entry(scalar(kept.value), kept.location)
    if head is not None:
        entries["head_dim"] = Entry(scalar(head.value), head.location)
    elif hidden is not None and heads is not None and hidden.integer() and heads.integer():
        size = (hidden.integer() or 0) // (heads.integer() or 1)
        entries["head_dim"] = Entry(size, hidden.location, because="hidden size ÷ heads")
    for key in ("kv_lora_rank", "qk_rope_head_dim"):
        if text[key].exists and text[key].value is not None:
            entries[key] = Entry(scalar(text[key].value), text[key].location)
    window, kinds, step = first("sliding_window"), text["layer_types"], first("sliding_window_pattern")
    if window is not None and window.integer() and layers is not None:
        count, at = 0, kinds
        if kinds.is_sequence:
            count = sum(1 for one in kinds.each() if one.value == "sliding_attention")
        elif step is not None and (every := step.integer()):
            count, at = (layers.integer() or 0) - (layers.integer() or 0) // every, step
        if count:
            entries["window_layers"] = Entry(count, at.location)
            entries["window"] = Entry(scalar(window.value), window.location)
    return entries


def _sizes(root: Node, text: Node, first: First, geometry: Mapping[str, Entry]) -> Iterator[Observation]:
    shape = sizes(first)
    if not shape:
        return
    yield observed("model.shape", {**shape}, text.location, origin="model")
    known = {key: entry.value for key, entry in geometry.items() if isinstance(entry.value, int)}
    counted = parameters(first, shape, known, str(text["model_type"].value or root["model_type"].value))
    if counted:
        because = ("worked out of the sizes in config.json; norms, biases and parts for images are left out",)
        yield observed(
            "model.parameters", {**counted}, text.location, origin="derived", confidence="likely", because=because
        )


def _quantization(root: Node, text: Node, beside: Node | None) -> Iterator[Observation]:
    """The scheme that the checkpoint was stored in; known to be none where no file states one."""
    fact = "model.quantization"
    stated = next((one for one in (root, text) if one["quantization_config"].is_mapping), None)
    node = stated["quantization_config"] if stated is not None else beside
    if node is None:
        yield observed(fact, None, root.location, origin="model")
        return
    if node["quantization"].is_mapping:  # NVIDIA ModelOpt's hf_quant_config.json
        node = node["quantization"]
    entries: dict[str, Entry] = {}

    def put(key: str, at: Node, value: Value | None = None) -> None:
        if at.exists and at.value is not None:
            entries[key] = Entry(scalar(at.value) if value is None else value, at.location)

    method = next((node[name] for name in ("quant_method", "quant_algo") if node[name].exists), node["quant_method"])
    put("method", method, str(method.value).lower())
    for key, names in (
        ("bits", ("bits", "w_bit", "weight_bits")),
        ("group_size", ("group_size", "q_group_size", "block_size")),
        ("format", ("format", "fmt", "checkpoint_format")),
        ("symmetric", ("sym",)),
        ("act_order", ("desc_act",)),
        ("zero_point", ("zero_point",)),
        ("activations", ("activation_scheme",)),
        ("kv_cache", ("kv_cache_quant_algo", "kv_cache_scheme")),
    ):
        at = next((node[name] for name in names if node[name].exists and node[name].value is not None), None)
        if at is not None:
            put(key, at)
    for name in ("load_in_4bit", "load_in_8bit"):
        if node[name].value is True:
            entries["bits"] = Entry(4 if name == "load_in_4bit" else 8, node[name].location)
    groups = node["config_groups"]
    if groups.is_mapping:  # compressed-tensors: one scheme for most modules
        weights = next((group["weights"] for _, group in groups.items() if group["weights"].is_mapping), None)
        if weights is not None:
            put("bits", weights["num_bits"])
            put("type", weights["type"])
            put("strategy", weights["strategy"])
            put("group_size", weights["group_size"])
    ignored = next(
        (node[n] for n in ("modules_to_not_convert", "ignore", "exclude_modules") if node[n].is_sequence), None
    )
    if ignored is not None:
        modules: list[Value] = [*sorted(str(one.value) for one in ignored.each())]
        entries["ignored"] = Entry(modules, ignored.location)
    yield from observed_map(fact, entries, node.location, origin="model")
