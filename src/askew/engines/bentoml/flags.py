"""BentoML's settings and arguments as data: releases 1.0 to 1.4.

Sources: ``default_configuration.yaml`` of version 1 and 2, ``bentoml_cli/serve.py``, ``bentoml_cli/start.py`` and
``_bentoml_sdk/service/config.py`` of the published releases. https://pypi.org/project/bentoml/
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.engines.flags import Flag
from askew.engines.settings import OTHER, integer, number, plain, truth
from askew.facts.types import Value

Spread = tuple[tuple[str, str, Value], ...]
NEW = "1.2.0"  # services written as classes, and version 2 of the configuration

_LOG = "Logs, traces and their format only."
_METRICS = "The buckets of a histogram only."
_TLS = "Which certificate the server shows; whether it speaks TLS is said by itself."
_PROCESS = "How the processes of one server find each other."


def limit(words: tuple[str, ...]) -> Value:
    """A number of requests."""
    return integer(words)


def workers(words: tuple[str, ...]) -> Spread:
    """A number, or ``cpu_count``, which is as many as there are CPUs."""
    if words[0] == "cpu_count":
        return ((OTHER, "workers", "cpu_count"),)
    return (("runtime.instances", "", integer(words)),)


def _both(name: str, **more: object) -> tuple[Flag, ...]:
    """A setting of version 1 and of version 2 of the configuration."""
    first = Flag(names=(f"api_server.{name}",), **more)  # type: ignore[arg-type]  # the fields of Flag
    return (first, Flag(names=(f"services.{name}",), since=NEW, **more))  # type: ignore[arg-type]


def _text(name: str, *, switch: bool = False, count: bool = False) -> tuple[Flag, ...]:
    read = plain(truth) if switch else plain(number) if count else None
    return _both(name, fact=OTHER, key=name, read=read)


def _one(name: str, *, since: str = "", until: str = "", read: object = None) -> Flag:
    key = name.removeprefix("services.")
    return Flag(names=(name,), fact=OTHER, key=key, since=since, until=until, read=read)  # type: ignore[arg-type]


_CONFIG: tuple[Flag, ...] = (
    *_both("http.port", fact="serving.port", read=integer),
    *_both("http.host", fact="serving.listen_host"),
    *_both("ssl.enabled", fact="serving.tls", read=truth),
    Flag(names=("api_server.timeout",), fact="serving.request_timeout", read=number, until="1.0.21"),
    Flag(names=("api_server.traffic.timeout",), fact="serving.request_timeout", read=number, since="1.0.21"),
    Flag(names=("services.traffic.timeout",), fact="serving.request_timeout", read=number, since=NEW),
    Flag(
        names=("api_server.traffic.max_concurrency",), fact="runtime.max_concurrent_requests", read=limit,
        since="1.0.21",
    ),
    Flag(names=("services.traffic.max_concurrency",), fact="runtime.max_concurrent_requests", read=limit, since=NEW),
    Flag(names=("services.traffic.concurrency",), fact=OTHER, key="traffic.concurrency", since=NEW),
    Flag(names=("services.traffic.external_queue",), fact=OTHER, key="traffic.external_queue", since=NEW),
    Flag(names=("api_server.workers",), spreads=workers),
    Flag(names=("services.workers",), spreads=workers, since=NEW),
    Flag(names=("services.threads",), fact="runtime.threads", read=integer, since=NEW),
    *_text("backlog", count=True),
    *_text("max_runner_connections", count=True),
    *_text("http.response.trace_id", switch=True),
    *_text("http.cors.enabled", switch=True),
    *(flag for part in ("origin", "origins", "credentials", "methods", "headers", "origin_regex")
      for flag in _text(f"http.cors.access_control_allow_{part}")),
    *_text("http.cors.access_control_max_age"),
    *_text("http.cors.access_control_expose_headers"),
    *_text("grpc.host"),
    *_text("grpc.port", count=True),
    *_text("grpc.max_concurrent_streams", count=True),
    *_text("grpc.maximum_concurrent_rpcs", count=True),
    *_text("grpc.max_message_length", count=True),
    *_text("grpc.reflection.enabled", switch=True),
    *_text("grpc.channelz.enabled", switch=True),
    *_text("grpc.metrics.host"),
    *_text("grpc.metrics.port", count=True),
    *_text("metrics.enabled", switch=True),
    *_text("metrics.namespace"),
    *_text("runner_probe.enabled", switch=True),
    *_text("runner_probe.timeout", count=True),
    *_text("runner_probe.period", count=True),
    *(flag for part in ("buckets", "min", "max", "factor")
      for flag in _both(f"metrics.duration.{part}", irrelevant=_METRICS)),
    *(flag for part in ("certfile", "keyfile", "keyfile_password", "ca_certs", "version", "cert_reqs", "ciphers")
      for flag in _both(f"ssl.{part}", irrelevant=_TLS)),
    Flag(names=("runners.batching.enabled",), fact="runtime.dynamic_batching", key="enabled", read=truth),
    *(Flag(names=(f"runners.batching.{part}",), fact="runtime.dynamic_batching", key=part, read=integer)
      for part in ("max_batch_size", "max_latency_ms")),
    Flag(names=("api_server.max_request_size",), irrelevant="A number that no release of 1.0 enforced.", until="1.0.7"),
    _one("runners.timeout", until="1.0.21", read=plain(number)),
    _one("runners.traffic.timeout", since="1.0.21", read=plain(number)),
    _one("runners.traffic.max_concurrency", since="1.0.21", read=plain(number)),
    _one("runners.resources"),
    _one("runners.workers_per_resource", since="1.0.19"),
    _one("runners.metrics.enabled", read=plain(truth)),
    _one("runners.metrics.namespace"),
    _one("services.resources", since=NEW),
    _one("services.extra_ports", since=NEW),
    _one("services.http.proxy_port", since=NEW, read=plain(number)),
    _one("services.replicate_process", since=NEW, read=plain(truth)),
    _one("services.runner_connection.max_age", since=NEW, read=plain(number)),
    _one("services.runner_connection.max_requests", since=NEW, read=plain(number)),
    Flag(names=("version",), irrelevant="Which form the file has."),
)  # fmt: skip
# The releases in which settings and arguments came and went, where the above does not say so.
_CAME: Mapping[str, str] = {
    "1.0.4": "--ssl-certfile --ssl-keyfile --ssl-keyfile-password --ssl-version --ssl-cert-reqs --ssl-ca-certs "
    "--ssl-ciphers --remote-runner",
    "1.0.5": "--bind --runner-map",
    "1.0.7": "api_server.grpc.host api_server.grpc.port api_server.grpc.max_concurrent_streams "
    "api_server.grpc.maximum_concurrent_rpcs api_server.grpc.max_message_length "
    "api_server.grpc.reflection.enabled api_server.grpc.metrics.host api_server.grpc.metrics.port "
    "runners.metrics.enabled runners.metrics.namespace --enable-reflection --max-concurrent-streams",
    "1.0.8": "api_server.grpc.channelz.enabled api_server.runner_probe.enabled api_server.runner_probe.timeout "
    "api_server.runner_probe.period --enable-channelz",
    "1.0.9": "api_server.ssl.certfile api_server.ssl.keyfile api_server.ssl.keyfile_password "
    "api_server.ssl.ca_certs api_server.ssl.version api_server.ssl.cert_reqs api_server.ssl.ciphers",
    "1.0.11": "api_server.ssl.enabled api_server.http.cors.access_control_allow_origin_regex "
    "api_server.metrics.duration.buckets api_server.metrics.duration.min "
    "api_server.metrics.duration.max api_server.metrics.duration.factor",
    "1.0.12": "--protocol-version",
    "1.0.14": "--triton-options",
    "1.0.16": "api_server.max_runner_connections api_server.http.cors.access_control_allow_origins",
    "1.0.20": "api_server.http.response.trace_id",
    "1.2.0": "--service-name",
    "1.4.23": "services.extra_ports",
    "1.4.24": "services.http.proxy_port",
    "1.4.28": "services.replicate_process",
    "1.4.32": "services.runner_connection.max_age services.runner_connection.max_requests",
}  # fmt: skip
_WENT: Mapping[str, str] = {
    "1.0.16": "api_server.http.cors.access_control_allow_origin",
    "1.2.0": "--remote-runner",
}  # fmt: skip


def _dated(flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
    came = {name: release for release, names in _CAME.items() for name in names.split()}
    went = {name: release for release, names in _WENT.items() for name in names.split()}
    return tuple(
        msgspec.structs.replace(
            flag, since=came.get(flag.names[0], flag.since), until=went.get(flag.names[0], flag.until)
        )
        for flag in flags
    )


CONFIG = _dated(_CONFIG)
# What begins so is logs, traces and samples of requests, whatever follows.
SILENT = ("logging.", "tracing.", "monitoring.")
# The parts of version 2 of the configuration: another word there is the name of a service.
PARTS = frozenset(flag.names[0].split(".")[1] for flag in _CONFIG if flag.names[0].startswith("services.")) | {
    "logging", "tracing", "monitoring"
}  # fmt: skip
# What a service's own source usually sets, in its decorator.
# https://docs.bentoml.com/en/latest/reference/bentoml/configurations.html
IN_SOURCE = (
    "serving.request_timeout", "runtime.max_concurrent_requests", "runtime.instances", "runtime.threads",
)  # fmt: skip


def _tls(words: tuple[str, ...]) -> Value:
    return True


_ARGUMENTS: tuple[Flag, ...] = (
    Flag(names=("--port", "-p"), fact="serving.port", read=integer, env="BENTOML_PORT"),
    Flag(names=("--host",), fact="serving.listen_host", env="BENTOML_HOST"),
    Flag(names=("--timeout",), fact="serving.request_timeout", read=number, env="BENTOML_TIMEOUT", since="1.0.25"),
    Flag(names=("--api-workers",), spreads=workers, env="BENTOML_API_WORKERS"),
    Flag(names=("--backlog",), fact=OTHER, key="backlog", read=plain(number)),
    Flag(names=("--ssl-certfile",), fact="serving.tls", read=_tls),
    *(Flag(names=(f"--ssl-{part}",), irrelevant=_TLS)
      for part in ("keyfile", "keyfile-password", "version", "cert-reqs", "ca-certs", "ciphers")),
    Flag(names=("--timeout-keep-alive",), fact="serving.idle_timeout", read=number, since="1.2.13"),
    Flag(names=("--timeout-graceful-shutdown",), fact=OTHER, key="--timeout-graceful-shutdown", since="1.2.13"),
    Flag(names=("--development",), takes="switch", fact=OTHER, key="development", since="1.0.20"),
    Flag(names=("--production",), takes="switch", fact=OTHER, key="development", implies=False),
    Flag(names=("--reload",), takes="switch", fact=OTHER, key="--reload"),
    Flag(names=("--working-dir",), fact=OTHER, key="--working-dir"),
    Flag(names=("--enable-reflection",), takes="switch", fact=OTHER, key="grpc.reflection.enabled"),
    Flag(names=("--enable-channelz",), takes="switch", fact=OTHER, key="grpc.channelz.enabled"),
    Flag(names=("--max-concurrent-streams",), fact=OTHER, key="grpc.max_concurrent_streams", read=plain(number)),
    Flag(names=("--protocol-version", "-pv"), fact=OTHER, key="--protocol-version"),
    Flag(names=("--triton-options",), takes="append", fact=OTHER, key="--triton-options", until="1.0.16"),
    Flag(names=("--env",), fact=OTHER, key="--env"),
    Flag(names=("--arg",), takes="append", fact=OTHER, key="--arg"),
    Flag(names=("--arg-file",), fact=OTHER, key="--arg-file"),
    Flag(names=("--bind",), irrelevant=_PROCESS),
    Flag(names=("--remote-runner",), takes="append", irrelevant=_PROCESS),
    Flag(names=("--depends",), takes="append", irrelevant=_PROCESS, since="1.2.0"),
    Flag(names=("--runner-map",), irrelevant=_PROCESS),
    Flag(names=("--service-name",), fact=OTHER, key="--service-name"),
    Flag(names=("--verbose", "--debug", "--quiet", "-q", "--do-not-track"), takes="switch", irrelevant=_LOG),
    Flag(names=("--help", "-h", "--version", "-v"), takes="switch", irrelevant="It starts no server."),
)  # fmt: skip

ARGUMENTS = _dated(_ARGUMENTS)

# Variables that change nothing a fact describes, with those that are read below.
SILENT_VARIABLES = (
    "BENTOML_CONFIG", "BENTOML_CONFIG_OPTIONS", "BENTOML_CONFIG_OVERRIDES", "BENTOML_DO_NOT_TRACK", "BENTOML_DEBUG",
    "BENTOML_QUIET", "BENTOML_VERBOSITY", "BENTOML_HOME", "BENTOML_BUNDLE_LOCAL_BUILD", "BENTOML_CONTAINERIZE_BACKEND",
    "BENTOML_CLOUD_CONTEXT", "BENTOML_CONTAINERIZED", "BENTOML_NO_LOCAL_URL", "BENTOML_RESULT_STORE",
    "BENTOML_RUNNER_MAP", "BENTOML_SERVE_*", "BENTOML_HF_CACHE_DIR", "BENTOML_BUNDLE_*",
)  # fmt: skip
