"""Arguments of ``python -m llama_cpp.server`` as data: all that llama-cpp-python 0.2.56 to 0.3.36 know.

Source: ``ModelSettings`` and ``ServerSettings`` of ``llama_cpp/server/settings.py``, and ``cli.py``, in the sdists that
``versions/`` names. Names have underscores, booleans take a word, and every setting is a variable too: its name in
capitals (pydantic's ``BaseSettings``).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from askew.engines.flags import Flag
from askew.engines.llama_cpp.flags import OTHER, Spread, integer
from askew.facts.types import Value

# enum ggml_type of ggml/include/ggml.h: the numbers that --type_k and --type_v take.
_GGML = {
    "0": "f32", "1": "f16", "2": "q4_0", "3": "q4_1", "6": "q5_0", "7": "q5_1", "8": "q8_0",
    "20": "iq4_nl", "30": "bf16",
}  # fmt: skip
_TRUE, _FALSE = frozenset(("1", "on", "t", "true", "y", "yes")), frozenset(("0", "off", "f", "false", "n", "no"))


def boolean(words: tuple[str, ...]) -> Value:
    """``_parse_bool_arg`` of ``llama_cpp/server/cli.py``."""
    word = words[0].strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"expected true or false, got {words[0]!r}")


def _flash(words: tuple[str, ...]) -> Value:
    return "flash_attn" if boolean(words) else "native"


def _type(words: tuple[str, ...]) -> Value:
    number = words[0].strip()
    if number in _GGML:
        return _GGML[number]
    raise ValueError(f"expected the number of a GGML type, one of {', '.join(_GGML)}, got {words[0]!r}")


def _context(words: tuple[str, ...]) -> Spread:
    """One sequence at a time: the cache holds one request. 0: the model's own length."""
    size = integer(words)
    if isinstance(size, int) and size < 0:
        raise ValueError(f"expected zero or more, got {words[0]!r}")
    return (("runtime.kv_cache.tokens", "", size),)


def _adapter(words: tuple[str, ...]) -> Spread:
    return (
        ("model.lora_adapters", "", [{"name": words[0], "source": words[0]}]),
        ("runtime.lora.enabled", "", True),
    )


def _key(words: tuple[str, ...]) -> Value:
    return bool(words[0])


def _repository(words: tuple[str, ...]) -> Value:
    return f"hf://{words[0]}"


def _joined(words: tuple[str, ...]) -> Value:
    return " ".join(words)


def _flag(name: str, **rest: object) -> Flag:
    return Flag(names=(f"--{name}",), env=name.upper(), **rest)  # type: ignore[arg-type]  # fields of Flag


_OTHERS = (
    "n_gpu_layers split_mode main_gpu vocab_only use_mmap use_mlock rpc_servers n_ubatch n_threads_batch mul_mat_q "
    "logits_all embedding offload_kqv last_n_tokens_size lora_base numa chat_template_kwargs clip_model_path cache "
    "cache_type cache_size interrupt_requests disable_ping_events root_path"
)
_SINCE = {
    "rpc_servers": "0.2.90", "disable_ping_events": "0.2.90", "root_path": "0.2.90", "n_ubatch": "0.3.2",
    "chat_template_kwargs": "0.3.22",
}  # fmt: skip

FLAGS: tuple[Flag, ...] = (
    _flag("model", fact="model.id"),
    _flag("model_alias", fact="model.served_names", read=lambda words: [words[0]]),
    _flag("hf_model_repo_id", fact="model.source", read=_repository),
    _flag("n_ctx", spreads=_context),
    _flag("n_batch", fact="runtime.max_num_batched_tokens", read=integer),
    _flag("n_threads", fact="runtime.threads", read=integer),
    _flag("seed", fact="runtime.seed", read=integer),
    _flag("flash_attn", fact="runtime.attention_backend", read=_flash, since="0.2.90"),
    _flag("type_k", fact="runtime.kv_cache.key_dtype", read=_type, since="0.2.90"),
    _flag("type_v", fact="runtime.kv_cache.value_dtype", read=_type, since="0.2.90"),
    _flag("rope_scaling_type", fact="runtime.rope_override", key="type"),
    _flag("rope_freq_base", fact="runtime.rope_override", key="theta"),
    _flag("rope_freq_scale", fact="runtime.rope_override", key="freq_scale"),
    _flag("yarn_ext_factor", fact="runtime.rope_override", key="ext_factor"),
    _flag("yarn_attn_factor", fact="runtime.rope_override", key="attn_factor"),
    _flag("yarn_beta_fast", fact="runtime.rope_override", key="beta_fast"),
    _flag("yarn_beta_slow", fact="runtime.rope_override", key="beta_slow"),
    _flag("yarn_orig_ctx", fact="runtime.rope_override", key="original_max_position_embeddings"),
    _flag("lora_path", spreads=_adapter),
    _flag("chat_format", fact="model.chat_template.source"),
    _flag("hf_tokenizer_config_path", fact="model.chat_template.source"),
    _flag("hf_pretrained_model_name_or_path", fact="model.tokenizer.source"),
    _flag("draft_model", fact="runtime.speculative", key="method"),
    _flag("draft_model_num_pred_tokens", fact="runtime.speculative", key="num_speculative_tokens"),
    _flag("host", fact="serving.listen_host"),
    _flag("port", fact="serving.port", read=integer),
    _flag("ssl_keyfile", fact="serving.tls", read=_key),
    _flag("ssl_certfile", irrelevant="Files of TLS; the other one says that it is on."),
    _flag("api_key", fact="serving.api_key_required", read=_key),
    _flag("tensor_split", takes="list", fact=OTHER, key="--tensor_split", read=_joined),
    _flag("kv_overrides", takes="list", fact=OTHER, key="--kv_overrides", read=_joined),
    _flag("verbose", irrelevant="Log output only."),
    *(_flag(name, fact=OTHER, key=f"--{name}", since=_SINCE.get(name, "")) for name in _OTHERS.split()),
    Flag(names=("--config_file",), env="CONFIG_FILE", irrelevant="It names the file that is read for it."),
    Flag(names=("--help", "-h"), takes="switch", irrelevant="It prints help and ends."),
)


@functools.cache
def by_setting() -> Mapping[str, Flag]:
    """The arguments by the name of their setting (``n_ctx``)."""
    return {flag.names[0][2:]: flag for flag in FLAGS}
