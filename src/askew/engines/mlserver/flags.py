"""MLServer's settings as data: releases 1.0.0 to 1.7.1.

Sources: ``mlserver/settings.py`` of the published releases, and ``mlserver_huggingface/settings.py`` of the Hugging
Face runtime. https://pypi.org/project/mlserver/
"""

from __future__ import annotations

from askew.engines.flags import Flag
from askew.engines.settings import OTHER, integer, microseconds, plain, truth
from askew.facts.types import Value

Spread = tuple[tuple[str, str, Value], ...]
MODEL = "model "  # stands before the settings of a model where both have one of a name

_LOG = "Logs and traces only."
_METADATA = "Names in the server's or the model's metadata."


def _workers(words: tuple[str, ...]) -> Spread:
    """Each worker holds every model; 0 means that the server's own process runs them."""
    count = integer(words)
    copies = max(count, 1) if isinstance(count, int) else None
    return (("runtime.instances", "", copies), (OTHER, "parallel_workers", str(count)))


def _model_workers(words: tuple[str, ...]) -> Spread:
    count = integer(words)
    return (("runtime.instances", "", max(count, 1) if isinstance(count, int) else None),)


def source(words: tuple[str, ...]) -> Value:
    """A name on the Hub, or a path."""
    name = words[0]
    return name if "://" in name or name.startswith((".", "/", "~")) or not name else f"hf://{name}"


def _hub(words: tuple[str, ...]) -> Spread:
    return (("model.id", "", words[0]), ("model.source", "", source(words)))


def _text(name: str, *, since: str = "", until: str = "") -> Flag:
    return Flag(names=(name,), fact=OTHER, key=name, since=since, until=until)


def _switch(name: str, *, since: str = "") -> Flag:
    return Flag(names=(name,), fact=OTHER, key=name, read=plain(truth), since=since)


def _number(name: str, *, since: str = "") -> Flag:
    return Flag(names=(name,), fact=OTHER, key=name, read=plain(integer), since=since)


# ``Settings``: settings.json, and MLSERVER_ with the name in capitals.
SERVER: tuple[Flag, ...] = (
    Flag(names=("host",), fact="serving.listen_host"),
    Flag(names=("http_port",), fact="serving.port", read=integer),
    Flag(names=("parallel_workers",), spreads=_workers, since="1.1.0"),
    _number("grpc_port"),
    _number("metrics_port", since="1.1.0"),
    _text("metrics_endpoint"),
    _text("metrics_rest_server_prefix", since="1.2.0"),
    _number("grpc_max_message_length"),
    _switch("debug"),
    _number("parallel_workers_timeout", since="1.2.0"),
    _switch("load_models_at_startup"),
    _text("model_repository_root"),
    _text("model_repository_implementation", since="1.3.1"),
    _text("model_repository_implementation_args", since="1.3.1"),
    _text("root_path", since="1.1.0"),
    _text("extensions"),
    _text("cors_settings"),
    _switch("cache_enabled", since="1.4.0"),
    _number("cache_size", since="1.4.0"),
    _switch("gzip_enabled", since="1.6.0"),
    _switch("kafka_enabled", since="1.1.0"),
    _text("kafka_servers", since="1.1.0"),
    _text("kafka_topic_input", since="1.1.0"),
    _text("kafka_topic_output", since="1.1.0"),
    Flag(names=("logging_settings",), irrelevant=_LOG, since="1.1.0"),
    Flag(names=("use_structured_logging",), irrelevant=_LOG, since="1.4.0"),
    Flag(names=("tracing_server",), irrelevant=_LOG, since="1.4.0"),
    Flag(names=("server_name",), irrelevant=_METADATA),
    Flag(names=("server_version",), irrelevant=_METADATA),
    Flag(names=("environments_dir",), irrelevant="Where unpacked environments are kept.", since="1.3.1"),
    Flag(names=("metrics_dir",), irrelevant="Where the workers share their metrics.", since="1.3.1"),
)


def _model(name: str, *, since: str = "") -> Flag:
    return Flag(names=(MODEL + name,), fact=OTHER, key=f"model-settings:{name}", since=since)


# ``ModelSettings`` and, behind ``parameters.``, ``ModelParameters``: model-settings.json, and MLSERVER_MODEL_.
OF_MODEL: tuple[Flag, ...] = (
    Flag(names=(MODEL + "name",), fact="model.served_names", read=lambda words: [words[0]]),
    Flag(names=(MODEL + "max_batch_size",), fact="runtime.dynamic_batching", key="max_batch_size", read=integer),
    Flag(
        names=(MODEL + "max_batch_time",), fact="runtime.dynamic_batching", key="max_queue_delay_microseconds",
        read=microseconds,
    ),
    Flag(names=(MODEL + "parallel_workers",), spreads=_model_workers, until="1.1.0"),
    Flag(
        names=(MODEL + "parallel_workers",), since="1.1.0",
        irrelevant="Only a warning: parallel_workers of the server decides.",
    ),
    Flag(names=(MODEL + "warm_workers",), irrelevant="Only a warning: workers are always warmed up.", since="1.1.0"),
    _model("implementation"),
    Flag(names=(MODEL + "parameters.uri",), fact="model.source"),
    Flag(names=(MODEL + "parameters.version",), fact="model.revision"),
    _model("parameters.environment_path", since="1.6.1"),
    _model("parameters.environment_tarball", since="1.3.1"),
    _model("parameters.inference_pool_gid", since="1.7.0"),
    _model("parameters.autogenerate_inference_pool_gid", since="1.7.0"),
    _model("parameters.format"),
    _model("parameters.content_type"),
    _model("parameters.extra"),
    Flag(
        names=(MODEL + "cache_enabled",), fact=OTHER, key="model-settings:cache_enabled", read=plain(truth),
        since="1.4.0",
    ),
    Flag(names=(MODEL + "platform",), irrelevant=_METADATA),
    Flag(names=(MODEL + "versions",), irrelevant=_METADATA),
    Flag(names=(MODEL + "inputs",), irrelevant="Stated with the outputs as the model's signature."),
    Flag(names=(MODEL + "outputs",), irrelevant="Stated with the inputs as the model's signature."),
    Flag(names=(MODEL + "parameters",), irrelevant="Its entries are said by themselves."),
    # HuggingFaceSettings of the runtime mlserver-huggingface, which stand in parameters.extra.
    Flag(names=(MODEL + "parameters.extra.pretrained_model",), spreads=_hub),
    Flag(names=(MODEL + "parameters.extra.pretrained_tokenizer",), fact="model.tokenizer.source", read=source),
    Flag(names=(MODEL + "parameters.extra.task",), fact=OTHER, key="model-settings:task"),
)  # fmt: skip

# The variables of the Hugging Face runtime: the same settings behind this prefix.
HUGGING_FACE = "MLSERVER_MODEL_HUGGINGFACE_"

# What the project's image sets and its start script reads: no settings of the server itself.
OF_IMAGE = ("MLSERVER_MODELS_DIR", "MLSERVER_ENV_TARBALL", "MLSERVER_PATH")

# What releases did before a setting existed: first release that did so, first with the setting, name, value, place.
BEFORE: tuple[tuple[str, str, str, str, str], ...] = (
    ("", "1.1.0", "metrics_port", "that of HTTP", "mlserver/rest/app.py"),
    ("1.1.0", "1.6.0", "gzip_enabled", "true", "mlserver/rest/app.py"),
    ("", "1.1.0", "gzip_enabled", "false", "mlserver/rest/app.py"),
)
