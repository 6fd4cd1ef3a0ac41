"""Flags of ``tensorflow_model_server`` as data: all that 1.11.0 to 2.20.0 have.

Source: ``tensorflow_serving/model_servers/main.cc`` and ``server.h`` at the tags of
https://github.com/tensorflow/serving. Flags that no fact expresses are compared as text in
``runtime.arguments.unmapped``, in one spelling.
"""

from __future__ import annotations

from askew.engines.flags import Flag
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
PORT, REST_PORT = "--port", "--rest_api_port"


def boolean(words: tuple[str, ...]) -> bool:
    """``ParseBoolFlag``: exactly true or false."""
    if words[0] in ("true", "false", "True", "False"):  # the latter are the defaults of a release, as Python has them
        return words[0].lower() == "true"
    raise ValueError(f"expected true or false, got {words[0]!r}")


def whole(words: tuple[str, ...]) -> int:
    """``sscanf`` with ``%d``: a whole number and nothing behind it."""
    word = words[0].strip()
    digits = word[1:] if word[:1] in ("+", "-") else word
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        raise ValueError(f"expected a whole number, got {words[0]!r}")
    return int(word)


def _switch(words: tuple[str, ...]) -> Value:
    return "true" if boolean(words) else "false"


def _number(words: tuple[str, ...]) -> Value:
    return str(whole(words))


def _timeout(words: tuple[str, ...]) -> Value:
    return whole(words) / 1000


def _threads(words: tuple[str, ...]) -> Value:
    """Zero lets TensorFlow choose, and says no more than its absence."""
    return whole(words) or None


def _share(words: tuple[str, ...]) -> Value:
    """Zero lets TensorFlow choose, and says no more than its absence."""
    try:
        share = float(words[0])
    except ValueError:
        raise ValueError(f"expected a fraction from 0 to 1, got {words[0]!r}") from None
    return share or None


def _tags(words: tuple[str, ...]) -> Value:
    return ",".join(sorted(words[0].split(",")))


def _path(words: tuple[str, ...]) -> Value:
    return words[0].rstrip("/") or words[0]


def _text(name: str, since: str = "") -> Flag:
    return Flag(names=(name,), fact=OTHER, key=name, since=since)


def _whole(name: str, since: str = "") -> Flag:
    return Flag(names=(name,), fact=OTHER, key=name, read=_number, since=since)


def _bool(name: str, since: str = "", until: str = "") -> Flag:
    return Flag(names=(name,), fact=OTHER, key=name, read=_switch, since=since, until=until)


FLAGS: tuple[Flag, ...] = (
    _whole(PORT),
    _whole(REST_PORT),
    _text("--grpc_socket_path", "1.13.0"),
    _whole("--rest_api_num_threads"),
    Flag(names=("--rest_api_timeout_in_ms",), fact="serving.request_timeout", read=_timeout),
    _bool("--rest_api_enable_cors_support", "2.5.1"),
    Flag(names=("--enable_batching",), fact="runtime.dynamic_batching", key="enabled", read=boolean),
    _bool("--allow_version_labels_for_unavailable_models", "1.15.0"),
    _text("--batching_parameters_file"),
    _bool("--enable_per_model_batching_parameters", "2.11.0"),
    _text("--model_config_file"),
    _whole("--model_config_file_poll_wait_seconds", "1.15.0"),
    Flag(names=("--model_name",), fact="model.served_names", read=lambda words: [words[0]]),
    Flag(names=("--model_base_path",), fact="model.source", read=_path),
    _whole("--num_load_threads", "2.5.1"),
    _whole("--num_unload_threads", "2.5.1"),
    _whole("--max_num_load_retries"),
    _whole("--load_retry_interval_micros"),
    _whole("--file_system_poll_wait_seconds"),
    _bool("--flush_filesystem_caches"),
    Flag(names=("--tensorflow_session_parallelism",), fact="runtime.threads", read=_threads),
    _text("--tensorflow_session_config_file", "2.8.0"),
    _whole("--tensorflow_intra_op_parallelism", "1.13.0"),
    _whole("--tensorflow_inter_op_parallelism", "1.13.0"),
    _bool("--use_alts_credentials", "2.6.0"),
    Flag(names=("--ssl_config_file",), fact="serving.tls", read=lambda words: bool(words[0])),
    _text("--platform_config_file"),
    Flag(names=("--per_process_gpu_memory_fraction",), fact="runtime.gpu_memory_utilization", read=_share),
    Flag(names=("--saved_model_tags",), fact=OTHER, key="--saved_model_tags", read=_tags),
    _text("--grpc_channel_arguments"),
    _whole("--grpc_max_threads", "2.5.1"),
    Flag(names=("--enable_model_warmup",), fact="runtime.warmup", read=boolean),
    _whole("--num_request_iterations_for_warmup", "2.8.0"),
    Flag(names=("--version",), irrelevant="It prints the version and ends."),
    _text("--monitoring_config_file"),
    _bool("--remove_unused_fields_from_bundle_metagraph", "1.15.0"),
    _bool("--use_tflite_model", "1.15.0", "2.3.0"),
    _bool("--prefer_tflite_model", "2.3.0"),
    _whole("--num_tflite_pools", "2.5.1"),
    _whole("--num_tflite_interpreters_per_pool", "2.5.1"),
    _bool("--enable_signature_method_name_check", "2.4.0"),
    _bool("--xla_cpu_compilation_enabled", "2.5.1"),
    _bool("--xla_gpu_compilation_enabled", "2.18.0"),
    Flag(
        names=("--enable_profiler",),
        irrelevant="A service for profiling; it runs when somebody asks it.",
        since="2.5.1",
    ),
    _text("--thread_pool_factory_config_file", "2.6.0"),
    _text("--mixed_precision", "2.15.1"),
    _bool("--skip_initialize_tpu", "2.15.1"),
    _bool("--enable_grpc_healthcheck_service", "2.15.1"),
    _bool("--enable_serialization_as_tensor_content", "2.19.0"),
    # Only Intel's build has it, intel/intel-extension-for-tensorflow:serving-cpu.
    # https://intel.github.io/intel-extension-for-tensorflow/latest/docs/guide/tf_serving_install.html
    _text("--tensorflow_plugins"),
)

# Flags that stand alone: `--enable_batching` is `--enable_batching=true`.
SWITCHES = frozenset(
    (
        *("--rest_api_enable_cors_support", "--enable_batching", "--allow_version_labels_for_unavailable_models"),
        *("--enable_per_model_batching_parameters", "--flush_filesystem_caches", "--use_alts_credentials"),
        *("--enable_model_warmup", "--version", "--remove_unused_fields_from_bundle_metagraph", "--use_tflite_model"),
        *("--prefer_tflite_model", "--enable_signature_method_name_check", "--xla_cpu_compilation_enabled"),
        *("--xla_gpu_compilation_enabled", "--enable_profiler", "--skip_initialize_tpu"),
        *("--enable_grpc_healthcheck_service", "--enable_serialization_as_tensor_content"),
    )
)

# Variables of TensorFlow that change what it computes or how fast; the rest of TF_ is told as it is.
READS = (
    *("TF_ENABLE_ONEDNN_OPTS", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "TF_GPU_THREAD_MODE"),
    *("TF_GPU_THREAD_COUNT", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_XLA_FLAGS"),
    *("TF_ENABLE_AUTO_MIXED_PRECISION", "TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC", "TF_TRT_*"),
    *("TF_CUDNN_USE_AUTOTUNE", "TF_DISABLE_MKL", "TF_SERVING_*"),
)
INERT = (
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_CPP_MAX_VLOG_LEVEL",
    "TF_CPP_VMODULE",
    "TF_SERVABLE_NAME",
    "NVIDIA_DRIVER_CAPABILITIES",
)
