"""Arguments and variables of MLflow's model server as data: releases 2.0 to 3.18.

Sources: ``mlflow/models/cli.py``, ``mlflow/utils/cli_args.py``, ``mlflow/environment_variables.py`` and ``get_cmd`` of
``mlflow/pyfunc/scoring_server/__init__.py`` of the published releases. https://pypi.org/project/mlflow/
"""

from __future__ import annotations

import re

from askew.engines.flags import Flag
from askew.engines.settings import OTHER, integer, number, plain
from askew.facts.types import Value

Spread = tuple[tuple[str, str, Value], ...]

UVICORN = "2.21.0"  # the first release that starts uvicorn, which ends requests by time and workers never
_ENVIRONMENT = "How the packages of the model are installed."


def model(words: tuple[str, ...]) -> Spread:
    """``models:/name/version`` and ``models:/name@alias`` of the registry, ``runs:/run/path``, or any other place."""
    uri = words[0]
    found: list[tuple[str, str, Value]] = [("model.source", "", uri)]
    match = re.fullmatch(r"models:/+([^/@]+)(?:/([^/]+)|@(.+))?", uri)
    if match is not None:
        found.append(("model.id", "", match[1]))
        if match[2] and match[2].isdecimal():
            found.append(("model.revision", "", match[2]))
    match = re.match(r"runs:/+([0-9a-f]{32})(?:/|$)", uri)
    if match is not None:
        found.append(("model.revision", "", match[1]))
    return tuple(found)


SERVE: tuple[Flag, ...] = (
    Flag(names=("--model-uri", "-m"), spreads=model),
    Flag(names=("--port", "-p"), fact="serving.port", read=integer, env="MLFLOW_PORT"),
    Flag(names=("--host", "-h"), fact="serving.listen_host", env="MLFLOW_HOST"),
    Flag(
        names=("--timeout", "-t"), fact="serving.request_timeout", read=number,
        env="MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT",
    ),
    Flag(names=("--workers", "-w"), fact="runtime.instances", read=integer, env="MLFLOW_WORKERS", until="2.22.0"),
    Flag(
        names=("--workers", "-w"), fact="runtime.instances", read=integer, env="MLFLOW_MODELS_WORKERS", since="2.22.0",
    ),
    Flag(names=("--env-manager",), fact=OTHER, key="--env-manager"),
    Flag(names=("--no-conda",), takes="switch", fact=OTHER, key="--env-manager", implies="local"),
    Flag(names=("--install-mlflow",), takes="switch", irrelevant=_ENVIRONMENT),
    Flag(names=("--enable-mlserver",), takes="switch", fact=OTHER, key="--enable-mlserver", until="3.13.0"),
    Flag(names=("--help", "--version"), takes="switch", irrelevant="It starts no server."),
)  # fmt: skip

CONTAINER: tuple[Flag, ...] = (
    Flag(names=("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT",), fact="serving.request_timeout", read=number),
    Flag(names=("MLFLOW_MODELS_WORKERS",), fact="runtime.instances", read=integer, since="3.0.0"),
)

GATEWAY: tuple[Flag, ...] = (
    Flag(names=("--config-path",), fact=OTHER, key="--config-path", env="MLFLOW_GATEWAY_CONFIG"),
    Flag(names=("--host",), fact="serving.listen_host"),
    Flag(names=("--port",), fact="serving.port", read=integer),
    Flag(names=("--workers",), fact="runtime.instances", read=integer),
    Flag(
        names=("MLFLOW_GATEWAY_ROUTE_TIMEOUT_SECONDS",),
        fact="serving.request_timeout",
        read=number,
        env="MLFLOW_GATEWAY_ROUTE_TIMEOUT_SECONDS",
        since="3.14.0",
    ),
    Flag(names=("--help",), takes="switch", irrelevant="It starts no server."),
)

# The programs behind the command, started by hand or with GUNICORN_CMD_ARGS.
# https://docs.gunicorn.org/en/stable/settings.html
GUNICORN: tuple[Flag, ...] = (
    Flag(names=("--bind", "-b"), fact=OTHER, key="gunicorn --bind"),
    Flag(names=("--timeout", "-t"), fact="serving.request_timeout", read=number),
    Flag(names=("--workers", "-w"), fact="runtime.instances", read=integer),
    Flag(names=("--threads",), fact="runtime.threads", read=integer),
    Flag(names=("--worker-class", "-k"), fact=OTHER, key="gunicorn --worker-class"),
    Flag(names=("--keep-alive",), fact="serving.idle_timeout", read=number),
    Flag(names=("--graceful-timeout",), fact=OTHER, key="gunicorn --graceful-timeout", read=plain(number)),
    Flag(names=("--max-requests",), fact=OTHER, key="gunicorn --max-requests", read=plain(integer)),
    Flag(names=("--backlog",), fact=OTHER, key="gunicorn --backlog", read=plain(integer)),
    Flag(names=("--preload",), takes="switch", fact=OTHER, key="gunicorn --preload"),
    Flag(names=("--access-logfile", "--error-logfile", "--log-level"), irrelevant="Logs only."),
)
UVICORN_FLAGS: tuple[Flag, ...] = (
    Flag(names=("--host",), fact="serving.listen_host"),
    Flag(names=("--port",), fact="serving.port", read=integer),
    Flag(names=("--workers",), fact="runtime.instances", read=integer, env="WEB_CONCURRENCY"),
    Flag(names=("--timeout-keep-alive",), fact="serving.idle_timeout", read=number),
    Flag(names=("--limit-concurrency",), fact="runtime.max_concurrent_requests", read=integer),
    Flag(names=("--backlog",), fact=OTHER, key="uvicorn --backlog", read=plain(integer)),
    Flag(names=("--log-level",), irrelevant="Logs only."),
)

# What a server of models reads of MLflow's variables beside the above; the others belong to the tracking server, to
# clients of it, to tracing or to evaluation.
READ = (
    "MLFLOW_DISABLE_ENV_CREATION",
    "MLFLOW_DEPLOYMENT_FLAVOR_NAME",
    "MLFLOW_CONVERT_MESSAGES_DICT_FOR_LANGCHAIN",
    "MLFLOW_DEFAULT_PREDICTION_DEVICE",
    "MLFLOW_HUGGINGFACE_DISABLE_ACCELERATE_FEATURES",
    "MLFLOW_HUGGINGFACE_USE_DEVICE_MAP",
    "MLFLOW_HUGGINGFACE_USE_LOW_CPU_MEM_USAGE",
    "MLFLOW_HUGGINGFACE_DEVICE_MAP_STRATEGY",
    "MLFLOW_OPENAI_RETRIES_ENABLED",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION",
    "MLFLOW_ALLOW_MODEL_CODE_EXECUTION",
    "MLFLOW_GATEWAY_ROUTE_TIMEOUT_SECONDS",
    "DISABLE_NGINX",
    "GUNICORN_CMD_ARGS",
    "ENABLE_MLSERVER",
)
