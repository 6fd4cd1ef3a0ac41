"""Options of ``tritonserver`` as data: all that 2.20.0 to 2.70.0 have.

Sources: ``src/command_line_parser.cc`` (``src/main.cc`` before 2.34, ``src/servers/main.cc`` in 2.20) at the tags of
https://github.com/triton-inference-server/server, and ``scripts/launch_triton_server.py`` of
https://github.com/triton-inference-server/tensorrtllm_backend. Options that no fact expresses are compared as text in
``runtime.arguments.unmapped``, in one spelling.
"""

from __future__ import annotations

from collections.abc import Callable

from askew.engines.flags import Flag
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
_TRUE, _FALSE = frozenset(("true", "on", "1")), frozenset(("false", "off", "0"))


def boolean(words: tuple[str, ...]) -> bool:
    """``ParseOption<bool>``: true, on or 1; false, off or 0; in any case."""
    word = words[0].lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"expected true or false, got {words[0]!r}")


def _switch(words: tuple[str, ...]) -> Value:
    return "true" if boolean(words) else "false"


def whole(words: tuple[str, ...]) -> int:
    """``std::stoi``: a whole number; what follows the digits is dropped, as it drops it."""
    text = words[0].strip()
    end = 1 if text[:1] in ("+", "-") else 0
    while end < len(text) and text[end].isdecimal() and text[end].isascii():
        end += 1
    if not text[:end].lstrip("+-") or end > 25:
        raise ValueError(f"expected a whole number, got {words[0]!r}")
    return int(text[:end])


def _number(words: tuple[str, ...]) -> Value:
    return str(whole(words))


def _lower(words: tuple[str, ...]) -> Value:
    return words[0].strip().lower()


def _repository(words: tuple[str, ...]) -> Value:
    text = words[0].strip()
    return text.rstrip("/") or text


def _features(words: tuple[str, ...]) -> Value:
    """``<apis>:<header>=<value>``: the value is a secret between the server and its clients, and is left out."""
    apis, _, rest = words[0].partition(":")
    return f"{','.join(sorted(apis.split(',')))}:{rest.partition('=')[0]}"


def _local_cache(words: tuple[str, ...]) -> Value:
    """The older way to ask for the cache in the server's memory. Zero turns it off."""
    size = whole(words)
    return f"local,size={size}" if size > 0 else None


def _disabled(words: tuple[str, ...]) -> Value:
    return "true" if boolean(words) else "false"


def _text(name: str, read: Callable[[tuple[str, ...]], Value] | None = None, **more: str) -> Flag:
    return Flag(names=(name,), fact=OTHER, key=name, read=read, **more)  # type: ignore[arg-type]  # since, until


def _listed(name: str, read: Callable[[tuple[str, ...]], Value] | None = None, **more: str) -> Flag:
    return Flag(names=(name,), takes="append", fact=OTHER, key=name, read=read, **more)  # type: ignore[arg-type]


_LOG = "Log output only."
AUTO_COMPLETE = "--disable-auto-complete-config"

FLAGS: tuple[Flag, ...] = (
    Flag(names=("--help",), takes="switch", irrelevant="It prints help and ends."),
    Flag(names=("--id",), irrelevant="The name under which the server introduces itself."),
    Flag(names=("--model-repository", "--model-store"), takes="append", fact="model.source", read=_repository),
    Flag(names=("--load-model",), takes="append", fact="model.served_names", read=lambda words: [words[0]]),
    Flag(names=("--http-port",), fact="serving.port", read=whole),
    Flag(names=("--http-address",), fact="serving.listen_host", since="2.21.0"),
    _text("--allow-http", _switch),
    _text("--allow-grpc", _switch),
    _text("--allow-metrics", _switch),
    _text("--allow-gpu-metrics", _switch),
    _text("--allow-cpu-metrics", _switch, since="2.26.0"),
    _text("--allow-client-shm", _switch, since="2.68.0"),
    _text("--grpc-port", _number),
    _text("--grpc-address", since="2.21.0"),
    _text("--metrics-port", _number),
    _text("--metrics-address", since="2.34.0"),
    _text("--metrics-interval-ms", _number),
    _listed("--metrics-config", since="2.33.0"),
    _text("--exit-on-error", _switch),
    _text("--strict-readiness", _switch),
    _text("--exit-timeout-secs", _number),
    Flag(names=(AUTO_COMPLETE,), takes="switch", fact=OTHER, key=AUTO_COMPLETE, implies="true", since="2.24.0"),
    Flag(names=("--strict-model-config",), fact=OTHER, key=AUTO_COMPLETE, read=_disabled),
    _text("--model-control-mode", _lower),
    _text("--repository-poll-secs", _number),
    _text("--model-load-thread-count", _number, since="2.24.0"),
    _text("--model-load-retry-count", _number, since="2.42.0"),
    _listed("--model-load-gpu-limit", since="2.25.0"),
    _text("--model-namespacing", _switch, since="2.32.0"),
    _text("--model-config-name", since="2.46.0"),
    _text("--enable-peer-access", _switch, since="2.47.0"),
    _text("--reuse-http-port", _switch, since="2.26.0"),
    _text("--reuse-grpc-port", _switch, since="2.26.0"),
    _text("--http-thread-count", _number),
    Flag(names=("--http-max-input-size",), fact="serving.max_body.bytes", read=whole, since="2.59.0"),
    _listed("--http-restricted-api", _features, since="2.40.0"),
    _listed("--grpc-restricted-protocol", _features, since="2.33.0"),
    _text("--http-header-forward-pattern", since="2.33.0"),
    _text("--grpc-header-forward-pattern", since="2.33.0"),
    _text("--grpc-infer-thread-count", _number, since="2.57.0"),
    _text("--grpc-infer-allocation-pool-size", _number),
    _text("--grpc-max-response-pool-size", _number, since="2.56.0"),
    _text("--grpc-use-ssl", _switch),
    _text("--grpc-use-ssl-mutual", _switch),
    Flag(names=("--grpc-server-cert",), irrelevant="A TLS file."),
    Flag(names=("--grpc-server-key",), irrelevant="A TLS file."),
    Flag(names=("--grpc-root-cert",), irrelevant="A TLS file."),
    _text("--grpc-infer-response-compression-level", _lower),
    _text("--grpc-keepalive-time", _number),
    _text("--grpc-keepalive-timeout", _number),
    _text("--grpc-keepalive-permit-without-calls", _switch),
    _text("--grpc-http2-max-pings-without-data", _number),
    _text("--grpc-http2-min-recv-ping-interval-without-data", _number),
    _text("--grpc-http2-max-ping-strikes", _number),
    _text("--grpc-max-connection-age", _number, since="2.42.0"),
    _text("--grpc-max-connection-age-grace", _number, since="2.42.0"),
    Flag(names=("--log-verbose",), irrelevant=_LOG),
    Flag(names=("--log-info",), irrelevant=_LOG),
    Flag(names=("--log-warning",), irrelevant=_LOG),
    Flag(names=("--log-error",), irrelevant=_LOG),
    Flag(names=("--log-format",), irrelevant=_LOG, since="2.23.0"),
    Flag(names=("--log-file",), irrelevant=_LOG, since="2.26.0"),
    _listed("--trace-config", since="2.33.0"),
    _text("--trace-file"),
    _listed("--trace-level"),
    _text("--trace-rate", _number),
    _text("--trace-count", _number),
    _text("--trace-log-frequency", _number),
    _text("--allow-sagemaker", _switch),
    _text("--sagemaker-port", _number),
    _text("--sagemaker-safe-port-range"),
    _text("--sagemaker-thread-count", _number),
    _text("--allow-vertex-ai", _switch),
    _text("--vertex-ai-port", _number),
    _text("--vertex-ai-thread-count", _number),
    _text("--vertex-ai-default-model"),
    _text("--rate-limit", _lower),
    _listed("--rate-limit-resource", _lower),
    _text("--pinned-memory-pool-byte-size", _number),
    _listed("--cuda-memory-pool-byte-size"),
    _listed("--cuda-virtual-address-size", since="2.40.0"),
    Flag(names=("--response-cache-byte-size",), fact=OTHER, key="--cache-config", read=_local_cache),
    _listed("--cache-config", since="2.32.0"),
    _text("--cache-directory", since="2.32.0"),
    _text("--min-supported-compute-capability"),
    _text("--buffer-manager-thread-count", _number),
    _listed("--backend-config"),
    _text("--backend-directory"),
    _text("--repoagent-directory"),
    _listed("--host-policy"),
)

# launch_triton_server.py: it starts `tritonserver` with --disable-auto-complete-config, once for each rank.
LAUNCHER: tuple[Flag, ...] = (
    Flag(names=("--world_size",), fact=OTHER, key="--world_size", read=_number),
    Flag(names=("--tritonserver",), irrelevant="The path of the program."),
    Flag(names=("--model_repo",), fact="model.source", read=_repository),
    Flag(names=("--http_port",), fact="serving.port", read=whole),
    Flag(names=("--grpc_port",), fact=OTHER, key="--grpc-port", read=_number),
    Flag(names=("--metrics_port",), fact=OTHER, key="--metrics-port", read=_number),
    Flag(names=("--force", "-f"), takes="switch", irrelevant="It starts beside another server."),
    Flag(names=("--log",), takes="switch", irrelevant=_LOG),
    Flag(names=("--log-file",), irrelevant=_LOG),
    Flag(names=("--exit_timeout",), fact=OTHER, key="--exit-timeout-secs", read=_number),
    Flag(names=("--oversubscribe",), takes="switch", irrelevant="How MPI places its ranks."),
    Flag(names=("--tensorrt_llm_model_name",), fact=OTHER, key="--tensorrt_llm_model_name"),
    Flag(names=("--multi-model",), takes="switch", fact=OTHER, key="--multi-model", implies="true"),
    Flag(
        names=("--disable-spawn-processes",), takes="switch", fact=OTHER, key="--disable-spawn-processes",
        implies="true",
    ),
    Flag(names=("--no-mpi",), takes="switch", fact=OTHER, key="--no-mpi", implies="true"),
    Flag(names=("--trtllm_llmapi_launch",), takes="switch", fact=OTHER, key="--trtllm_llmapi_launch", implies="true"),
    Flag(
        names=("--multimodal_gpu0_cuda_mem_pool_bytes",), fact=OTHER, key="--multimodal_gpu0_cuda_mem_pool_bytes",
        read=_number,
    ),
)  # fmt: skip

# Variables that the server or its core reads, and those of the image.
READS = (
    *("TRITON_SERVER_CPU_ONLY", "TRITON_PARALLEL_INSTANCE_LOADING", "TRITONSERVER_DELAY_SCHEDULER"),
    *("TRITONSERVER_BACKLOG_DELAY_SCHEDULER", "TRITONSERVER_SERVER_DELAY_GRPC_RESPONSE_SEC"),
    *("TRITONSERVER_SERVER_DELAY_GRPC_RESPONSE", "TRITON_PYTHON_BACKEND*", "TRTLLM_ORCHESTRATOR*"),
)
INERT = (
    *("TRITON_CLOUD_CREDENTIAL_PATH", "TRITON_AWS_MOUNT_DIRECTORY", "TRITON_AZURE_MOUNT_DIRECTORY"),
    *("TRITON_GCS_MOUNT_DIRECTORY", "TRITON_CACHE_DIR", "TRITON_HOME", "TRITON_DUMP_DIR", "NVIDIA_DRIVER_CAPABILITIES"),
    *("TRITON_SERVER_VERSION", "TRITON_SERVER_USER", "TRITON_SERVER_GPU_ENABLED", "NVIDIA_TRITON_SERVER_VERSION"),
    *("NVIDIA_PRODUCT_NAME", "NVIDIA_BUILD_ID"),
)
