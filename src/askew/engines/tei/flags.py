"""TEI's arguments as data: all that the routers 0.1.0 to 1.9.3 know.

Source: ``struct Args`` of ``router/src/main.rs`` at each tag of
https://github.com/huggingface/text-embeddings-inference. Every argument can be given by a variable too, its name in
capitals (clap's ``env``); the argument wins.
"""

from __future__ import annotations

from askew.engines.clap import boolean, integer, present
from askew.engines.clap import clap_flag as _flag
from askew.engines.flags import Flag
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
POOLING = "model.embedding.pooling"

_LOG = "Log output only."
_TELEMETRY = "Metrics and traces only."
_TOKEN = "A credential: it decides access, not behaviour."


def _pooling(words: tuple[str, ...]) -> Value:
    """clap's names of ``enum Pool``; a value of an enumeration is written in kebab case."""
    return {"last-token": "last"}.get(words[0], words[0])


def _text(words: tuple[str, ...]) -> Value:
    return "true" if boolean(words) else "false"


FLAGS: tuple[Flag, ...] = (
    _flag("--model-id", fact="model.id"),
    _flag("--revision", fact="model.revision"),
    _flag("--served-model-name", fact="model.served_names", since="1.9.0"),
    # bfloat16 is for the builds with Python only, since 1.6.1; without it a build has two choices.
    _flag("--dtype", fact="runtime.dtype", choices=("float16", "float32", "bfloat16")),
    _flag(
        "--pooling",
        fact=POOLING,
        choices=("cls", "mean", "splade", "last-token"),
        read=_pooling,
        since="0.2.0",
    ),
    _flag("--max-concurrent-requests", fact="runtime.max_concurrent_requests", read=integer),
    _flag("--max-batch-tokens", fact="runtime.max_num_batched_tokens", read=integer),
    _flag("--max-batch-requests", fact="runtime.max_num_seqs", read=integer),
    _flag("--port", short=("-p",), fact="serving.port", read=integer),
    _flag("--hostname", fact="serving.listen_host"),
    _flag("--api-key", fact="serving.api_key_required", read=present, since="1.2.0"),
    _flag("--payload-limit", fact="serving.max_body.bytes", read=integer, since="1.2.0"),
    _flag("--default-prompt", fact="model.embedding.prompts", key="default", since="1.3.0"),
    # No fact names these; each changes what a client gets or may ask for.
    _flag("--auto-truncate", takes="switch", fact=OTHER, key="--auto-truncate", since="1.2.1", until="1.9.2"),
    _flag("--auto-truncate", takes="optional", fact=OTHER, key="--auto-truncate", read=_text, since="1.9.2"),
    _flag("--max-client-batch-size", fact=OTHER, key="--max-client-batch-size"),
    _flag("--default-prompt-name", fact=OTHER, key="--default-prompt-name", since="1.3.0"),
    _flag("--dense-path", fact=OTHER, key="--dense-path", since="1.8.0"),
    _flag("--tokenization-workers", fact=OTHER, key="--tokenization-workers"),
    _flag("--cors-allow-origin", takes="append", fact=OTHER, key="--cors-allow-origin"),
    _flag("--hf-api-token", irrelevant=_TOKEN),
    _flag("--hf-token", irrelevant=_TOKEN, since="1.6.1"),
    _flag("--json-output", takes="switch", irrelevant=_LOG),
    _flag("--disable-spans", takes="switch", irrelevant=_LOG, since="1.6.1"),
    _flag("--otlp-endpoint", irrelevant=_TELEMETRY),
    _flag("--otlp-service-name", irrelevant=_TELEMETRY, since="1.3.0"),
    _flag("--prometheus-port", irrelevant=_TELEMETRY, since="1.7.1"),
    _flag("--uds-path", irrelevant="A socket between the processes of one container."),
    _flag("--huggingface-hub-cache", irrelevant="Where downloads are kept."),
    Flag(names=("--version", "-V"), takes="switch", irrelevant="It prints the version and ends."),
    Flag(names=("--help", "-h"), takes="switch", irrelevant="It prints help and ends."),
)

# Variables without an argument: the Python back end reads this one, that of the builds for Intel and Gaudi.
VARIABLES: tuple[Flag, ...] = (
    Flag(
        names=("TRUST_REMOTE_CODE",), fact="model.trust_remote_code", since="1.6.1",
        read=lambda words: words[0].lower() in ("true", "1"),
    ),
)  # fmt: skip

# Variables that the router or a back end reads and no fact names: they are compared as text.
OTHERS: tuple[str, ...] = (
    *(
        "USE_FLASH_ATTENTION",
        "GRPC_MAX_PARALLEL_STREAM_REQUESTS",
        "MAX_WARMUP_BATCH_SIZE",
        "MAX_WARMUP_SEQUENCE_LENGTH",
    ),
    *("PAD_SEQUENCE_TO_MULTIPLE_OF", "SEQ_LEN_EXPONENT_BASE", "ALLOW_REDUCED_PRECISION_FP16_BF16", "USE_IPEX"),
    *("DISABLE_TENSOR_CACHE", "AIP_HTTP_PORT", "AIP_PREDICT_ROUTE", "AIP_HEALTH_ROUTE", "TASK"),
)
