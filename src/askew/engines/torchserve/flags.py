"""TorchServe's settings and arguments as data: releases 0.5.0 to 0.12.0.

Sources: ``ConfigManager.java`` (settings, and the arguments of the Java program), ``Connector.java`` (addresses),
``ModelConfig.java`` (a model archive's own file) and ``ts/arg_parser.py`` (the command) at the tags of
https://github.com/pytorch/serve.
"""

from __future__ import annotations

import re

from askew.engines.flags import Flag
from askew.engines.settings import OTHER
from askew.facts.types import Value

Spread = tuple[tuple[str, str, Value], ...]

_LOG = "Logs and the metrics in them only."
_TLS = "Which certificate the server shows; whether it speaks TLS is said by its address."
_INTERNAL = "An address or port between the processes of one container."
_PROGRAM = "How the process itself is started or found."

# ``ADDRESS_PATTERN`` of ConfigManager.java, which ignores case.
_ADDRESS = re.compile(r"(?i)(?:(https?)://([^:^/]+)(?::([0-9]{1,9}))?)|(?:unix:(/.*))")


def integer(words: tuple[str, ...]) -> Value:
    """Java's ``Integer.parseInt``: a sign and digits, without blanks, in 32 bits."""
    if re.fullmatch(r"(?a)[+-]?\d{1,12}", words[0]) and -(2**31) <= int(words[0]) < 2**31:
        return int(words[0])
    raise ValueError(f"expected a whole number without blanks around it, got {words[0]!r}")


def boolean(words: tuple[str, ...]) -> Value:
    """Java's ``Boolean.parseBoolean``: ``true`` in any case is true, everything else is false."""
    return words[0].lower() == "true"


def denied(words: tuple[str, ...]) -> Value:
    """The opposite of what the setting says."""
    return not boolean(words)


def seconds(words: tuple[str, ...]) -> Value:
    """A timeout in seconds."""
    value = integer(words)
    if isinstance(value, int) and value < 0:
        raise ValueError(f"expected seconds, zero or more, got {words[0]!r}")
    return value


def address(words: tuple[str, ...]) -> Spread:
    """``Connector.parse``: ``http(s)://host[:port]``, port 80 or 443 where none is given, or ``unix:/path``."""
    match = _ADDRESS.fullmatch(words[0])
    if match is None:
        raise ValueError(f"expected http://HOST:PORT, https://HOST:PORT or unix:/PATH, got {words[0]!r}")
    if match[4] is not None:
        return (("serving.listen_host", "", match[4]),)
    secure = match[1].lower() == "https"
    port = int(match[3]) if match[3] is not None else 443 if secure else 80
    if port >= 65535:
        raise ValueError(f"expected a port below 65535, got {port}")
    return (
        ("serving.port", "", port),
        ("serving.listen_host", "", match[2]),
        ("serving.protocol", "", "https" if secure else "http"),
        ("serving.tls", "", secure),
    )


def _workers(words: tuple[str, ...]) -> Spread:
    """Zero means the number of GPUs, else of CPUs: ``getDefaultWorkers``."""
    count = integer(words)
    return () if count == 0 else (("runtime.instances", "", count),)


def _text(name: str, *, since: str = "", until: str = "", number: bool = False, switch: bool = False) -> Flag:
    read = integer if number else boolean if switch else None
    return Flag(names=(name,), fact=OTHER, key=name, read=read, since=since, until=until)


def _silent(why: str, *names: str, since: str = "", until: str = "") -> tuple[Flag, ...]:
    return tuple(Flag(names=(name,), irrelevant=why, since=since, until=until) for name in names)


def _none(words: tuple[str, ...]) -> Spread:
    return ()


# ``config.properties``.
SETTINGS: tuple[Flag, ...] = (
    Flag(names=("inference_address",), spreads=address),
    Flag(names=("default_response_timeout",), fact="serving.request_timeout", read=seconds),
    Flag(names=("default_workers_per_model",), spreads=_workers),
    Flag(names=("job_queue_size",), fact="serving.queue", key="max_requests", read=integer),
    Flag(names=("max_request_size",), fact="serving.max_body.bytes", read=integer),
    Flag(names=("disable_token_authorization",), fact="serving.api_key_required", read=denied, since="0.11.1"),
    Flag(names=("load_models",), spreads=_none),  # read with the model store: see models.py
    Flag(names=("model_store",), spreads=_none),
    Flag(names=("models",), spreads=_none),
    Flag(names=("model_snapshot",), spreads=_none),
    _text("management_address"),
    _text("metrics_address"),
    _text("grpc_inference_port", number=True),
    _text("grpc_management_port", number=True),
    _text("grpc_inference_address", since="0.11.0"),
    _text("grpc_management_address", since="0.11.0"),
    _text("grpc_inference_max_connection_age_ms", since="0.11.0", number=True),
    _text("grpc_management_max_connection_age_ms", since="0.11.0", number=True),
    _text("grpc_inference_max_connection_age_grace_ms", since="0.11.0", number=True),
    _text("grpc_management_max_connection_age_grace_ms", since="0.11.0", number=True),
    _text("enable_grpc_ssl", switch=True),
    _text("default_startup_timeout", since="0.12.0", number=True),
    _text("unregister_model_timeout", number=True),
    _text("number_of_netty_threads", number=True),
    _text("netty_client_threads", number=True),
    _text("number_of_gpu", number=True),
    _text("max_response_size", number=True),
    _text("limit_max_image_pixels", switch=True),
    _text("install_py_dep_per_model", switch=True),
    _text("enable_metrics_api", switch=True),
    _text("metrics_mode", since="0.8.0"),
    _text("metrics_config", since="0.6.1"),
    _text("model_metrics_auto_detect", since="0.10.0", switch=True),
    _text("disable_system_metrics", since="0.8.0", switch=True),
    _text("enable_model_api", since="0.11.1", switch=True),
    _text("token_expiration_min", since="0.10.0"),
    _text("ts_open_inference_protocol", since="0.10.0"),
    _text("ipex_enable", since="0.5.1", switch=True),
    _text("ipex_gpu_enable", since="0.11.1", switch=True),
    _text("cpu_launcher_enable", since="0.5.1", switch=True),
    _text("cpu_launcher_args", since="0.5.1"),
    _text("prefer_direct_buffer", switch=True),
    _text("decode_input_request", switch=True),
    _text("default_service_handler"),
    _text("service_envelope"),
    _text("allowed_urls"),
    _text("use_env_allowed_urls", since="0.9.0", switch=True),
    _text("blacklist_env_vars"),
    _text("cors_allowed_origin"),
    _text("cors_allowed_methods"),
    _text("cors_allowed_headers"),
    _text("debug", switch=True),
    _text("vmargs"),
    _text("plugins_path"),
    _text("use_native_io", switch=True),
    _text("io_ratio", number=True),
    _text("python"),
    _text("ts_header_key_sequence_id", since="0.11.0"),
    _text("ts_header_key_sequence_start", since="0.11.0"),
    _text("ts_header_key_sequence_end", since="0.11.0"),
    *_silent(_LOG, "async_logging", "metric_time_interval"),
    *_silent(_LOG, "cpp_log_config", "system_metrics_cmd", since="0.10.0"),
    *_silent(_LOG, "metrics_format", until="0.8.0"),
    *_silent(_TLS, "keystore", "keystore_pass", "keystore_type", "certificate_file", "private_key_file"),
    *_silent(_INTERNAL, "initial_worker_port"),
    *_silent(_INTERNAL, "initial_distribution_port", since="0.8.0"),
    *_silent(_PROGRAM, "model_server_home", "version", "tsConfigFile"),
    *_silent("Workflows chain the models that are served here.", "workflow_store"),
    *_silent("Whether variables are read at all; each that is read is said by itself.", "enable_envvars_config"),
    *_silent("No part of TorchServe reads it; a sample of the project has it.", "NUM_WORKERS"),
)

# What a release before this one did where the setting did not exist yet: ``NettyServerBuilder.forPort``, which listens
# on all addresses; Prometheus's text from the metrics API whatever else was set.
BEFORE: tuple[tuple[str, str, Value, str], ...] = (
    ("0.11.0", "grpc_inference_address", "0.0.0.0", "ModelServer.java, startGRPCServer"),
    ("0.11.0", "grpc_management_address", "0.0.0.0", "ModelServer.java, startGRPCServer"),
    ("0.8.0", "metrics_mode", "prometheus", "PrometheusMetricsRequestHandler.java"),
    ("0.8.0", "disable_system_metrics", False, "ModelServer.java, startRESTserver"),
    ("0.11.1", "enable_model_api", True, "ModelServer.java: models are registered and removed by anyone"),
)

# The command and, under the names of Apache Commons CLI, the Java program behind it.
ARGUMENTS: tuple[Flag, ...] = (
    Flag(names=("--start", "--foreground"), takes="switch", irrelevant=_PROGRAM),
    Flag(names=("--models", "-m"), takes="list", spreads=_none),
    Flag(names=("--model-store", "-s"), spreads=_none),
    Flag(names=("--ts-config", "--ts-config-file", "-f"), spreads=_none),
    Flag(names=("--workflow-store", "-w"), irrelevant="Workflows chain the models that are served here."),
    Flag(names=("--log-config",), irrelevant=_LOG),
    Flag(names=("--cpp-log-config", "-clog"), irrelevant=_LOG, since="0.10.0"),
    Flag(
        names=("--no-config-snapshots", "--ncs", "--no-config-snapshot", "-ncs"), takes="switch",
        fact=OTHER, key="--no-config-snapshots",
    ),
    Flag(names=("--plugins-path", "--ppath"), fact=OTHER, key="plugins_path"),
    Flag(
        names=("--disable-token-auth", "--dt", "--disable-token", "-dt"), takes="switch",
        fact="serving.api_key_required", implies=False, since="0.11.1",
    ),
    Flag(names=("--enable-model-api", "-mapi"), takes="switch", fact=OTHER, key="enable_model_api", since="0.11.1"),
    Flag(names=("--python", "-e"), irrelevant=_PROGRAM),
    Flag(names=("--stop", "--version", "-v", "--help", "-h"), takes="switch", irrelevant="It starts no server."),
)  # fmt: skip


def _delay(words: tuple[str, ...]) -> Value:
    """Milliseconds, told in microseconds as other servers do."""
    value = integer(words)
    return value * 1000 if isinstance(value, int) else None


def _positive(words: tuple[str, ...]) -> Value:
    """``Math.max(1, n)``."""
    value = integer(words)
    return max(1, value) if isinstance(value, int) else None


def _config_text(name: str, *, since: str = "0.8.0", number: bool = True) -> Flag:
    return Flag(names=(name,), fact=OTHER, key=f"model-config:{name}", read=integer if number else None, since=since)


# ``model-config.yaml`` of a model archive, which wins over ``config.properties`` for its model.
MODEL_CONFIG: tuple[Flag, ...] = (
    Flag(names=("minWorkers",), fact="runtime.instances", read=_positive, since="0.8.0"),
    _config_text("maxWorkers"),
    Flag(names=("batchSize",), fact="runtime.dynamic_batching", key="max_batch_size", read=_positive, since="0.8.0"),
    Flag(
        names=("maxBatchDelay",), fact="runtime.dynamic_batching", key="max_queue_delay_microseconds", read=_delay,
        since="0.8.0",
    ),
    Flag(names=("responseTimeout",), fact="serving.request_timeout", read=seconds, since="0.8.0"),
    _config_text("startupTimeout", since="0.12.0"),
    _config_text("maxRetryTimeoutInSec"),
    _config_text("clientTimeoutInMills"),
    Flag(names=("jobQueueSize",), fact="serving.queue", key="max_requests", read=integer, since="0.8.1"),
    _config_text("useJobTicket", since="0.8.1", number=False),
    _config_text("deviceType", number=False),
    _config_text("deviceIds", number=False),
    _config_text("parallelLevel", since="0.11.1"),
    _config_text("sequenceMaxIdleMSec", since="0.10.0"),
    _config_text("sequenceTimeoutMSec", since="0.12.0"),
    _config_text("maxSequenceJobQueueSize", since="0.10.0"),
    _config_text("maxNumSequence", since="0.10.0"),
    Flag(
        names=("continuousBatching",), fact="runtime.dynamic_batching", key="continuous", read=boolean, since="0.9.0"
    ),
    Flag(names=("sequenceBatching",), fact="runtime.dynamic_batching", key="sequences", read=boolean, since="0.11.0"),
    _config_text("asyncCommunication", since="0.11.1", number=False),
    _config_text("useVenv", since="0.10.0", number=False),
    _config_text("parallelType", number=False),
    _config_text("torchrun.nproc-per-node"),
    _config_text("torchrun.nnodes"),
)  # fmt: skip
# Their types in YAML: the server warns of another one and goes on as if the line were not there.
WHOLE = frozenset(
    flag.names[0] for flag in MODEL_CONFIG if flag.read is integer or flag.read in (_positive, _delay, seconds)
)
SWITCHES = frozenset(("useJobTicket", "continuousBatching", "sequenceBatching", "asyncCommunication", "useVenv"))
WORDS = frozenset(("deviceType", "parallelType"))
