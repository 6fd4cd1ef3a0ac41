"""Infinity's arguments as data: all that the commands of 0.0.4 to 0.0.78 know.

Source: the commands of ``infinity_server.py`` and ``cli.py`` and the variables of ``env.py`` of the published packages,
https://pypi.org/project/infinity-emb/#history. Since 0.0.38 an argument left out has the value of its variable,
``INFINITY_`` and its name; those that belong to a model hold one value for each model, divided by semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from askew.engines.flags import Flag, Takes
from askew.facts.types import Value

OTHER = "runtime.arguments.unmapped"
POOLING = "model.embedding.pooling"

# The first release with variables for all arguments, env.py.
VARIABLES_SINCE = "0.0.38"
# The first release with the command v2, which takes several models.
SEVERAL_SINCE = "0.0.34"

_LOG = "Log output only."
_TRUE = frozenset(("true", "t", "1", "yes", "y", "on"))
_FALSE = frozenset(("false", "f", "0", "no", "n", "off", ""))


def integer(words: tuple[str, ...]) -> Value:
    """Python's ``int``, of a number written without signs or separators."""
    if re.fullmatch(r"[0-9]{1,18}", words[0].strip()):
        return int(words[0])
    raise ValueError(f"expected a whole number, got {words[0]!r}")


def truth(text: str) -> bool:
    """What ``env.py`` and click take for true; anything else that a person writes is false."""
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"expected true or false, got {text!r}")


def _yes(words: tuple[str, ...]) -> Value:
    return truth(words[0])


def _word(words: tuple[str, ...]) -> Value:
    return "true" if truth(words[0]) else "false"


def _dtype(words: tuple[str, ...]) -> tuple[tuple[str, str, Value], ...]:
    """int8 and fp8 quantize the weights after loading; the others are dtypes."""
    if words[0] in ("int8", "fp8"):
        return (("runtime.quantization", "", words[0]),)
    if words[0] not in ("float32", "float16", "bfloat16"):
        raise ValueError("expected one of float32, float16, bfloat16, int8, fp8, auto")
    return (("runtime.dtype", "", words[0]), ("runtime.quantization", "", "none"))


def _key(words: tuple[str, ...]) -> Value:
    return bool(words[0])


def _flag(
    name: str,
    *,
    fact: str = "",
    key: str = "",
    takes: Takes = "value",
    read: Callable[[tuple[str, ...]], Value] | None = None,
    spreads: Callable[[tuple[str, ...]], tuple[tuple[str, str, Value], ...]] | None = None,
    irrelevant: str = "",
    choices: tuple[str, ...] = (),
    since: str = "",
    others: tuple[str, ...] = (),
) -> Flag:
    return Flag(
        names=(name, *others), env="INFINITY_" + name[2:].replace("-", "_").upper(), fact=fact, key=key, takes=takes,
        read=read, spreads=spreads, irrelevant=irrelevant, choices=choices, since=since,
    )  # fmt: skip


# What each model has of its own: given once for all, or once for each.
MODEL: tuple[Flag, ...] = (
    _flag("--model-id", fact="model.id", others=("--model-name-or-path",)),
    _flag("--served-model-name", fact="model.served_names", since="0.0.32"),
    _flag("--revision", fact="model.revision", since="0.0.23"),
    _flag("--trust-remote-code", fact="model.trust_remote_code", takes="toggle", since="0.0.23"),
    _flag("--batch-size", fact="runtime.max_num_seqs", read=integer),
    _flag("--dtype", spreads=_dtype, since="0.0.28"),
    _flag("--pooling-method", fact=POOLING, choices=("mean", "cls", "auto"), since="0.0.28"),
    _flag("--model-warmup", fact="runtime.warmup", takes="toggle"),
    # No fact names these; each changes how fast or how exact the answers are.
    _flag(
        "--engine", fact=OTHER, key="--engine",
        choices=("torch", "ctranslate2", "optimum", "neuron", "debugengine", "fastembed"),
    ),
    _flag("--device", fact=OTHER, key="--device", since="0.0.9"),
    _flag("--device-id", fact=OTHER, key="--device-id", since="0.0.68"),
    _flag("--compile", fact=OTHER, key="--compile", takes="toggle", since="0.0.28"),
    _flag("--bettertransformer", fact=OTHER, key="--bettertransformer", takes="toggle", since="0.0.30"),
    _flag("--embedding-dtype", fact=OTHER, key="--embedding-dtype", since="0.0.40"),
    _flag("--vector-disk-cache", fact=OTHER, key="--vector-disk-cache", takes="toggle", since="0.0.8"),
    _flag("--lengths-via-tokenize", fact=OTHER, key="--lengths-via-tokenize", takes="toggle", since="0.0.10"),
    _flag("--onnx-disable-optimize", fact=OTHER, key="--onnx-disable-optimize", takes="toggle", since="0.0.78"),
    _flag(
        "--onnx-do-not-prefer-quantized", fact=OTHER, key="--onnx-do-not-prefer-quantized", takes="toggle",
        since="0.0.78",
    ),
)  # fmt: skip

# What the server has once.
SERVER: tuple[Flag, ...] = (
    _flag("--port", fact="serving.port", read=integer),
    _flag("--host", fact="serving.listen_host"),
    _flag("--api-key", fact="serving.api_key_required", read=_key, since="0.0.38"),
    _flag("--url-prefix", fact=OTHER, key="--url-prefix"),
    _flag("--proxy-root-path", fact=OTHER, key="--proxy-root-path", since="0.0.43"),
    _flag("--permissive-cors", fact=OTHER, key="--permissive-cors", takes="toggle", since="0.0.34"),
    _flag("--preload-only", fact=OTHER, key="--preload-only", takes="toggle", since="0.0.32"),
    _flag("--redirect-slash", irrelevant="Where a browser that asks for / is sent.", since="0.0.31"),
    _flag("--log-level", irrelevant=_LOG),
    Flag(names=("--help",), takes="switch", irrelevant="It prints help and ends."),
    Flag(names=("--install-completion",), takes="switch", irrelevant="It is for shells."),
    Flag(names=("--show-completion",), takes="switch", irrelevant="It is for shells."),
)

# Variables without an argument.
VARIABLES: tuple[Flag, ...] = (
    Flag(names=("INFINITY_QUEUE_SIZE",), fact="serving.queue", key="max_requests", read=integer),
    Flag(
        names=("INFINITY_MAX_CLIENT_BATCH_SIZE",), fact=OTHER, key="INFINITY_MAX_CLIENT_BATCH_SIZE", read=integer,
        since="0.0.72",
    ),
    Flag(names=("INFINITY_ANONYMOUS_USAGE_STATS",), irrelevant="Usage statistics only.", since="0.0.63"),
    Flag(names=("DO_NOT_TRACK",), irrelevant="Usage statistics only.", since="0.0.63"),
    Flag(names=("INFINITY_HOME",), irrelevant="Where caches are kept."),
)  # fmt: skip

# Variables that other code of Infinity reads and no fact names: they are compared as text.
OTHERS: tuple[str, ...] = (
    *(
        "INFINITY_CALIBRATION_DATASET_URL",
        "INFINITY_CACHE_VECTORS",
        "INFINITY_DISABLE_COMPILE",
        "INFINITY_DISABLE_HALF",
    ),
    *("INFINITY_DISABLE_OPTIMUM", "INFINITY_MEAN_POOLING", "INFINITY_MEDIA_MAX_DOWNLOAD_BYTES"),
    *("INFINITY_MEDIA_URL_BLACKLIST", "INFINITY_TORCH_ENABLE_HALF"),
)
