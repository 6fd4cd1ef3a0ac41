"""The router's arguments as data: all that releases 0.0.2 to 0.1.12 know.

Source: ``parse_args`` of ``src/vllm_router/router.py``, later ``parsers/parser.py``, at the tags ``vllm-stack-*`` of
https://github.com/vllm-project/production-stack. The parser is argparse.
"""

from __future__ import annotations

from askew.engines.flags import Flag
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
Spread = tuple[tuple[str, str, Value], ...]

_LOG = "Log output, traces and error reports only."
_BALANCING = {"roundrobin": "round_robin", "session": "consistent_hash", "prefixaware": "prefix_aware"}


def _routing(words: tuple[str, ...]) -> Spread:
    """How requests are spread; ``session`` hashes a header of the request, so that a session keeps its engine."""
    logic = words[0]
    return (
        ("serving.load_balancing", "", _BALANCING.get(logic, logic)),
        ("serving.session_affinity", "", logic == "session"),
    )


def _models(words: tuple[str, ...]) -> Spread:
    """One model for each backend, in their order; several backends may serve one."""
    names: list[Value] = [*dict.fromkeys(name.strip() for name in words[0].split(",") if name.strip())]
    return (("model.served_names", "", names),) if names else ()


def _retries(words: tuple[str, ...]) -> Spread:
    """Attempts with another engine after the first one failed."""
    try:
        number = int(words[0])
    except ValueError:
        raise ValueError(f"expected a whole number, got {words[0]!r}") from None
    return (("serving.retries", "production-stack-router", {"attempts": max(number, 0) + 1}),)


def _other(name: str, since: str = "", takes: str = "value") -> Flag:
    return Flag(names=(name,), fact=OTHER, key=name, since=since, takes="switch" if takes == "switch" else "value")


FLAGS: tuple[Flag, ...] = (
    Flag(names=("--host",), fact="serving.listen_host"),
    Flag(names=("--port",), fact="serving.port"),
    Flag(names=("--root-path",), fact=OTHER, key="--root-path", since="0.1.10"),
    Flag(names=("--routing-logic",), spreads=_routing),
    _other("--session-key"),
    _other("--service-discovery"),
    _other("--k8s-service-discovery-type", "0.1.7"),
    _other("--static-backends"),
    Flag(names=("--static-models",), spreads=_models),
    _other("--static-aliases", "0.1.3"),
    _other("--static-model-types", "0.1.3"),
    _other("--static-model-labels", "0.1.3"),
    _other("--static-backend-health-checks", "0.1.3", "switch"),
    _other("--static-backend-health-check-interval", "0.1.11"),
    _other("--static-backend-health-check-timeout-seconds", "0.1.11"),
    _other("--backend-health-check-timeout-seconds", "0.1.7"),
    _other("--k8s-port"),
    Flag(names=("--k8s-namespace",), irrelevant="Where the engines run; the name differs between environments."),
    _other("--k8s-label-selector"),
    _other("--k8s-watcher-timeout-seconds", "0.1.7"),
    _other("--prefill-model-labels", "0.1.3"),
    _other("--decode-model-labels", "0.1.3"),
    _other("--kv-aware-threshold", "0.1.5"),
    _other("--prefix-min-match-length", "0.1.12"),
    Flag(names=("--max-instance-failover-reroute-attempts",), spreads=_retries, since="0.1.10"),
    _other("--engine-stats-interval"),
    _other("--request-stats-window"),
    _other("--lmcache-controller-port", "0.1.3"),
    _other("--lmcache-controller-reply-port", "0.1.11"),
    _other("--lmcache-controller-heartbeat-port", "0.1.11"),
    _other("--lmcache-health-check-interval", "0.1.9"),
    _other("--lmcache-worker-timeout", "0.1.9"),
    _other("--external-providers-config", "0.1.11"),
    _other("--callbacks", "0.1.2"),
    _other("--request-rewriter", "0.1.1"),
    _other("--feature-gates", "0.1.0"),
    _other("--semantic-cache-model", "0.1.0"),
    Flag(names=("--semantic-cache-dir",), irrelevant="Where the cache is kept.", since="0.1.0"),
    _other("--semantic-cache-threshold", "0.1.0"),
    Flag(names=("--dynamic-config-json",), irrelevant="The file that it names is read.", since="0.1.0"),
    Flag(names=("--dynamic-config-yaml",), irrelevant="The file that it names is read.", since="0.1.7"),
    _other("--enable-batch-api", "0.0.6", "switch"),
    Flag(names=("--file-storage-class",), irrelevant="There is one.", since="0.0.4"),
    Flag(names=("--file-storage-path",), irrelevant="Where uploaded files are kept.", since="0.0.4"),
    Flag(names=("--batch-processor",), irrelevant="There is one.", since="0.0.6"),
    Flag(names=("--log-stats",), takes="switch", irrelevant=_LOG),
    Flag(names=("--log-stats-interval",), irrelevant=_LOG, since="0.0.3"),
    Flag(names=("--log-level",), irrelevant=_LOG, since="0.1.0"),
    Flag(names=("--log-format",), irrelevant=_LOG, since="0.1.10"),
    Flag(names=("--sentry-dsn",), irrelevant=_LOG, since="0.1.3"),
    Flag(names=("--sentry-traces-sample-rate",), irrelevant=_LOG, since="0.1.7"),
    Flag(names=("--sentry-profile-session-sample-rate",), irrelevant=_LOG, since="0.1.7"),
    Flag(names=("--otel-endpoint",), irrelevant=_LOG, since="0.1.9"),
    Flag(names=("--otel-service-name",), irrelevant=_LOG, since="0.1.9"),
    Flag(names=("--otel-secure",), takes="switch", irrelevant=_LOG, since="0.1.9"),
    Flag(names=("--version",), takes="switch", irrelevant="It prints the release and ends."),
)

# What changes nothing that a fact describes: credentials for the engines and for outside providers, and what people
# set for Python.
INERT: tuple[str, ...] = ("VLLM_API_KEY", "OPENAI_API_KEY")
