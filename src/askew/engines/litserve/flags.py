"""LitServe's settings as data: the keyword arguments of releases 0.1.0 to 0.2.19.

Sources: ``litserve/server.py`` and ``litserve/api.py`` of the published releases.
https://pypi.org/project/litserve/
"""

from __future__ import annotations

from askew.engines.flags import Flag
from askew.engines.settings import OTHER, integer, microseconds, number, plain, truth
from askew.facts.types import Value

_LOG = "Logs and files for clients only."


def timeout(words: tuple[str, ...]) -> Value:
    """Seconds; False, or a number below zero, is no limit."""
    if words[0].lower() in ("false", "none"):
        return "unlimited"
    value = number(words)
    return "unlimited" if isinstance(value, (int, float)) and value < 0 else value


def _text(name: str, *, since: str = "", until: str = "", switch: bool = False) -> Flag:
    read = plain(truth) if switch else None
    return Flag(names=(name,), fact=OTHER, key=name, read=read, since=since, until=until)


def _batch(name: str, *, since: str = "", stream: str = "") -> tuple[Flag, ...]:
    return (
        Flag(
            names=(f"{name}.max_batch_size",), fact="runtime.dynamic_batching", key="max_batch_size", read=integer,
            since=since,
        ),
        Flag(
            names=(f"{name}.batch_timeout",), fact="runtime.dynamic_batching", key="max_queue_delay_microseconds",
            read=microseconds, since=since,
        ),
        Flag(names=(f"{name}.stream",), fact="serving.streaming", read=truth, since=stream),
    )  # fmt: skip


SETTINGS: tuple[Flag, ...] = (
    _text("LitServer.accelerator"),
    _text("LitServer.devices"),
    _text("LitServer.workers_per_device"),
    Flag(names=("LitServer.timeout",), fact="serving.request_timeout", read=timeout),
    *_batch("LitServer"),
    *_batch("LitAPI", since="0.2.9", stream="0.2.11"),
    _text("LitServer.api_path", since="0.1.3"),
    _text("LitAPI.api_path", since="0.2.11"),
    Flag(names=("LitServer.max_payload_size",), fact="serving.max_body.bytes", read=integer, since="0.1.4"),
    _text("LitServer.healthcheck_path", since="0.2.5"),
    _text("LitServer.info_path", since="0.2.6"),
    _text("LitServer.shutdown_path", since="0.2.12"),
    _text("LitServer.enable_shutdown_api", since="0.2.12", switch=True),
    _text("LitServer.track_requests", since="0.2.4", switch=True),
    _text("LitServer.fast_queue", since="0.2.6", switch=True),
    _text("LitServer.restart_workers", since="0.2.17", switch=True),
    _text("LitServer.loop", since="0.2.6"),
    _text("LitAPI.loop", since="0.2.11"),
    _text("LitServer.spec", since="0.1.1"),
    _text("LitAPI.spec", since="0.2.11"),
    _text("LitAPI.enable_async", since="0.2.9", switch=True),
    _text("LitAPI.mcp", since="0.2.12"),
    _text("LitServer.callbacks", since="0.2.3"),
    _text("LitServer.middlewares", since="0.2.3"),
    _text("LitServer.disable_openapi_url", since="0.2.14", switch=True),
    Flag(names=("LitServer.loggers",), irrelevant=_LOG, since="0.2.3"),
    Flag(names=("LitServer.model_metadata",), irrelevant="What the server says of the model.", since="0.2.6"),
    Flag(names=("run.port",), fact="serving.port", read=integer),
    Flag(names=("run.host",), fact="serving.listen_host", since="0.2.4"),
    _text("run.num_uvicorn_servers", since="0.1.5", until="0.2.0"),
    _text("run.uvicorn_worker_type", since="0.1.5", until="0.2.0"),
    _text("run.num_api_servers", since="0.2.0"),
    _text("run.api_server_worker_type", since="0.2.0"),
    Flag(names=("run.log_level",), irrelevant=_LOG),
    Flag(names=("run.generate_client_file",), irrelevant=_LOG, since="0.1.2"),
    Flag(names=("run.pretty_logs",), irrelevant=_LOG, since="0.2.11"),
)
VARIABLES = ("LIT_SERVER_API_KEY", "LIT_SHUTDOWN_API_KEY", "LITSERVE_WORKER_ID", "LITSERVE_DEBUG")
