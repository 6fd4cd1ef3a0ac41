"""LiteLLM's arguments, variables and settings as data.

Sources: ``run_server`` of ``litellm/proxy/proxy_cli.py`` (arguments, read by click), ``ProxyConfig.load_config`` of
``proxy_server.py`` (the configuration file) and ``Router.__init__`` of ``router.py``, in the releases that
``versions/`` names at https://pypi.org/project/litellm/. Which release has an argument is in ``versions/``.
"""

from __future__ import annotations

from askew.engines.flags import Flag
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
Spread = tuple[tuple[str, str, Value], ...]

_ONCE = "It does something else than serve."
_LOG = "Log output only."
_DATABASE = "How the proxy prepares its own database."


def _certificate(words: tuple[str, ...]) -> Spread:
    return (("serving.tls", "", bool(words[0])), ("serving.protocol", "", "https" if words[0] else "http"))


def _inert(names: str, why: str, takes: str = "value") -> tuple[Flag, ...]:
    return tuple(
        Flag(names=(name,), takes="switch" if takes == "switch" else "value", irrelevant=why) for name in names.split()
    )


def _switches(names: str) -> tuple[Flag, ...]:
    return tuple(Flag(names=(name,), takes="switch", fact=OTHER, key=name) for name in names.split())


FLAGS: tuple[Flag, ...] = (
    Flag(names=("--host",), fact="serving.listen_host", env="HOST"),
    Flag(names=("--port",), fact="serving.port", env="PORT"),
    Flag(names=("--num_workers",), fact=OTHER, key="--num_workers", env="NUM_WORKERS"),
    Flag(names=("--config", "-c"), irrelevant="The file that it names is read."),
    Flag(names=("--model", "-m"), fact=OTHER, key="--model"),
    Flag(names=("--alias",), fact=OTHER, key="--alias"),
    Flag(names=("--api_base",), irrelevant="An address; it differs between environments."),
    Flag(names=("--api_version",), fact=OTHER, key="--api_version"),
    Flag(names=("--headers",), irrelevant="Headers for the backend: credentials and labels."),
    Flag(names=("--temperature",), fact="runtime.sampling_defaults", key="temperature"),
    Flag(names=("--max_tokens",), fact="runtime.sampling_defaults", key="max_tokens"),
    Flag(names=("--request_timeout",), fact="serving.request_timeout"),
    *_switches("--drop_params --add_function_to_prompt --use_queue"),
    Flag(names=("--max_budget",), fact=OTHER, key="--max_budget"),
    Flag(names=("--keepalive_timeout",), fact="serving.idle_timeout", env="KEEPALIVE_TIMEOUT"),
    Flag(names=("--limit_concurrency",), fact="serving.max_concurrency", env="LIMIT_CONCURRENCY"),
    Flag(
        names=("--max_requests_before_restart",), fact=OTHER, key="--max_requests_before_restart",
        env="MAX_REQUESTS_BEFORE_RESTART",
    ),
    Flag(
        names=("--max_requests_before_restart_jitter",), fact=OTHER, key="--max_requests_before_restart_jitter",
        env="MAX_REQUESTS_BEFORE_RESTART_JITTER",
    ),
    Flag(
        names=("--timeout_worker_healthcheck",), fact=OTHER, key="--timeout_worker_healthcheck",
        env="TIMEOUT_WORKER_HEALTHCHECK",
    ),
    Flag(
        names=("--max_request_header_size",), fact=OTHER, key="--max_request_header_size",
        env="MAX_REQUEST_HEADER_SIZE",
    ),
    Flag(names=("--granian_threads",), fact=OTHER, key="--granian_threads", env="GRANIAN_RUNTIME_THREADS"),
    *_switches("--run_gunicorn --run_hypercorn --run_granian --reload"),
    Flag(names=("--ssl_certfile_path",), spreads=_certificate, env="SSL_CERTFILE_PATH"),
    *_inert("--ssl_keyfile_path --ciphers", "Part of TLS, which the certificate switches on."),
    *_inert("--add_key --log_config --telemetry --prometheus_metrics_port", _LOG),
    *_inert("--debug --detailed_debug", _LOG, "switch"),
    *_inert("--num_requests", _ONCE),
    *_inert(
        "--save --version -v --health --test --test_async --setup --skip_server_startup --validate_config --local "
        "--check_migrations_against_existing_data",
        _ONCE,
        "switch",
    ),
    *_inert(
        "--iam_token_db_auth --azure_postgresql_auth --use_prisma_db_push --use_prisma_migrate "
        "--enforce_prisma_migration_check --no-enforce_prisma_migration_check "
        "--use_v2_migration_resolver --use_legacy_migration_resolver",
        _DATABASE,
        "switch",
    ),
)  # fmt: skip

# What the router does with a request, by the sections and names of the configuration file: where nothing is written,
# the release's default is stated, so that a default that is spelled out is no difference.
STATED = (
    *("router_settings.enable_pre_call_checks", "router_settings.enable_tag_filtering"),
    *("router_settings.retry_after", "router_settings.default_max_parallel_requests"),
    *("router_settings.cache_responses", "router_settings.disable_cooldowns", "router_settings.max_fallbacks"),
    *("litellm_settings.drop_params", "litellm_settings.modify_params", "litellm_settings.cache"),
    *("litellm_settings.num_retries_per_request", "litellm_settings.force_ipv4"),
)
# The router's own defaults for what is None in its signature (``router NAME`` in ``versions/``).
DECIDED = ("cooldown_time", "allowed_fails")

BALANCING = {"simple-shuffle": "random", "least-busy": "least_request"}

# Parts of names of settings that only say who may ask, what is recorded, and where that is kept.
INERT_WORDS = (
    *(
        "callback",
        "_log",
        "log_",
        "logs",
        "logging",
        "logger",
        "alert",
        "_key",
        "key_",
        "database",
        "salt",
        "sso",
        "spend",
        "email",
        "langfuse",
        "otel",
    ),
    *("verbose", "slack", "jwt", "auth", "team", "user", "tracing", "sentry", "datadog", "prometheus", "ui_", "secret"),
    *("password", "token_", "redis_url", "redis_host", "redis_port", "audit", "billing", "license", "description"),
    *("cost_per", "docs", "swagger", "debug", "telemetry", "metadata", "custom_", "proxy_b", "disable_prisma"),
    *("batch_write", "credential", "project", "health_check_details", "role"),
)
# Settings whose names hold such a word and that do change what happens to a request.
NOT_INERT = frozenset(
    ("custom_prompt_dict", "custom_llm_provider", "initial_prompt_value", "max_user_parallel_requests")
)

# Fields of a deployment that a request takes over where it sends none; keys of runtime.sampling_defaults.
SAMPLING = (
    *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"),
    *("max_tokens", "seed"),
)
# Fields of a deployment that another fact holds, or that only name its account and address.
ELSEWHERE = frozenset(
    (
        *SAMPLING,
        *("api_base", "base_url", "api_key", "timeout", "request_timeout", "stream_timeout", "max_parallel_requests"),
        *("organization", "aws_access_key_id", "aws_secret_access_key", "vertex_project", "vertex_credentials"),
    )
)
# Settings that are read elsewhere than in the files from which `versions/` is made: the call itself, hooks, access.
ALSO = frozenset(
    (
        *("litellm_params.extra_body", "litellm_params.cache_control_injection_points"),
        *("litellm_params.merge_reasoning_content_in_choices", "general_settings.allow_requests_on_db_unavailable"),
    )
)
# Variables that set what another fact holds, and those that only name accounts, stores and outputs.
INERT = (
    *(
        "LITELLM_MASTER_KEY",
        "LITELLM_SALT_KEY",
        "LITELLM_LICENSE",
        "LITELLM_LOG",
        "LITELLM_MODE",
        "LITELLM_ENVIRONMENT",
    ),
    *("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD", "LITELLM_DONT_SHOW_FEEDBACK_BOX", "LITELLM_UI_*", "LITELLM_OTEL_*"),
    *("LITELLM_CONFIG_BUCKET_*", "LITELLM_RELEASE*", "LITELLM_ROOT_PATH", "LITELLM_NON_ROOT", "LITELLM_TELEMETRY"),
    *("LITELLM_MIGRATION_DIR", "LITELLM_ASSETS_PATH", "LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_KEY_ROTATION_*"),
    *("LITELLM_DOCS_*", "LITELLM_ADMIN_*", "LITELLM_DEBUG*", "LITELLM_API_KEY", "LITELLM_PROXY_*"),
)
