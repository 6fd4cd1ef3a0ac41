"""The arguments of KServe's model servers, as data.

Source: ``python/kserve/kserve/model_server.py`` (the SDK) and ``__main__.py`` of each server, of the releases of
https://github.com/kserve/kserve/tags. A server takes the SDK's arguments and its own, and ignores what it does not know
(``parse_known_args``).
"""

from __future__ import annotations

from askew.engines.flags import Flag
from askew.engines.vllm.readers import OTHER, source
from askew.facts.types import Value

_LOGGING = "It decides what is logged."
_DOCS = "It decides whether a documentation page is served."


def boolean(words: tuple[str, ...]) -> Value:
    """``strtobool`` of the SDK: what it reads as true or false, as a word.

    Raises ValueError for other words.
    """
    word = words[0].strip().lower()
    if word in ("y", "yes", "t", "true", "on", "1"):
        return "true"
    if word in ("n", "no", "f", "false", "off", "0"):
        return "false"
    raise ValueError(f"expected true or false, got {words[0]!r}")


def _names(words: tuple[str, ...]) -> Value:
    return [words[0]]


def model(words: tuple[str, ...]) -> tuple[tuple[str, str, Value], ...]:
    """A repository on the Hub."""
    return (("model.source", "", source(words[0])), ("model.id", "", words[0]))


def directory(words: tuple[str, ...]) -> tuple[tuple[str, str, Value], ...]:
    """A directory, or a URI that the server downloads."""
    return (("model.source", "", words[0]),)


def _other(name: str, since: str = "", until: str = "", *, truth: bool = False) -> Flag:
    return Flag(names=(name,), fact=OTHER, key=name, since=since, until=until, read=boolean if truth else None)


# Arguments of the SDK, which every server has.
SDK: tuple[Flag, ...] = (
    Flag(names=("--http_port",), fact="serving.port"),
    Flag(names=("--model_name",), fact="model.served_names", read=_names),
    Flag(names=("--workers",), fact="runtime.instances"),
    Flag(names=("--timeout-keep-alive",), fact="serving.idle_timeout", since="0.18.0"),
    _other("--grpc_port"),
    _other("--max_threads"),
    _other("--max_asyncio_workers"),
    _other("--enable_grpc", truth=True),
    _other("--event-loop", "0.17.0"),
    _other("--predictor_host", "0.12.0"),
    _other("--protocol", "0.12.0"),
    _other("--predictor_protocol", "0.12.0"),
    _other("--predictor_use_ssl", "0.12.0", truth=True),
    _other("--predictor_request_timeout_seconds", "0.12.0"),
    _other("--predictor_request_retries", "0.15.0"),
    Flag(
        names=("--enable_predictor_health_check",), takes="switch", fact=OTHER, key="--enable_predictor_health_check",
        since="0.15.0", read=None,
    ),
    _other("--grpc_max_send_message_length", "0.14.0"),
    _other("--grpc_max_receive_message_length", "0.14.0"),
    Flag(names=("--enable_docs_url",), irrelevant=_DOCS),
    Flag(names=("--enable_latency_logging",), irrelevant=_LOGGING),
    Flag(names=("--configure_logging",), irrelevant=_LOGGING),
    Flag(names=("--log_config_file",), irrelevant=_LOGGING),
    Flag(names=("--access_log_format",), irrelevant=_LOGGING),
)  # fmt: skip

_DIRECTORY = Flag(names=("--model_dir",), spreads=directory)
_THREADS = Flag(names=("--nthread",), fact="runtime.threads")
_FRAMEWORK = Flag(
    names=("--framework",), fact=OTHER, key="--framework", since="0.17.0", choices=("sklearn", "xgboost", "lightgbm")
)


def _switch(name: str, since: str, until: str = "") -> Flag:
    return Flag(names=(name,), takes="switch", fact=OTHER, key=name, since=since, until=until)


# Arguments of huggingfaceserver whichever back end it takes.
FACE: tuple[Flag, ...] = (
    Flag(names=("--model_dir",), spreads=directory, since="0.12.0"),
    Flag(names=("--model_id",), spreads=model, since="0.12.0"),
    Flag(names=("--model_revision",), fact="model.revision", since="0.13.0"),
    Flag(names=("--tokenizer_revision",), fact="model.tokenizer.revision", since="0.13.0"),
    Flag(names=("--max_length",), fact="runtime.max_model_len", since="0.12.0"),
    Flag(names=("--max_model_len",), fact="runtime.max_model_len", since="0.14.0"),
    Flag(names=("--trust_remote_code",), takes="switch", fact="model.trust_remote_code", since="0.13.0"),
    _other("--backend", "0.13.0"),
    _switch("--disable_vllm", "0.12.0", "0.13.0"),
    _switch("--disable_lower_case", "0.12.0"),
    _switch("--disable_special_tokens", "0.12.0"),
    _other("--tensor_input_names", "0.12.0"),
    _switch("--return_token_type_ids", "0.12.0"),
    _switch("--return_probabilities", "0.13.0"),
    _switch("--return_raw_logits", "0.16.0"),
    _switch("--return_offsets_mapping", "0.18.0"),
    Flag(names=("--disable_log_requests",), takes="switch", irrelevant=_LOGGING, since="0.14.0"),
)
# Arguments that it has of its own only where its back end is not vLLM.
TRANSFORMERS: tuple[Flag, ...] = (
    _other("--task", "0.12.0"),
    Flag(
        names=("--dtype",), fact="runtime.dtype", since="0.13.0",
        choices=("auto", "float16", "float32", "bfloat16", "float", "half"),
    ),
    Flag(names=("--max_log_len", "--max-log-len"), irrelevant=_LOGGING, since="0.14.0"),
)  # fmt: skip

OF_SERVER: dict[str, tuple[Flag, ...]] = {
    "huggingfaceserver": FACE,
    "sklearnserver": (_DIRECTORY,),
    "xgbserver": (_DIRECTORY, _THREADS),
    "lgbserver": (_DIRECTORY, _THREADS),
    "pmmlserver": (_DIRECTORY,),
    "paddleserver": (_DIRECTORY,),
    "predictiveserver": (_DIRECTORY, _THREADS, _FRAMEWORK),
    "autogluonserver": (_DIRECTORY,),
}
# What a release pins that answers of a server depend on.
PACKAGES: dict[str, tuple[str, ...]] = {
    "huggingfaceserver": ("vllm", "transformers", "torch", "accelerate", "cuda"),
    "sklearnserver": ("scikit-learn", "joblib"),
    "xgbserver": ("xgboost",),
    "lgbserver": ("lightgbm",),
    "pmmlserver": ("pypmml", "jpmml-evaluator"),
    "paddleserver": ("paddlepaddle",),
    "predictiveserver": (),
    "autogluonserver": ("autogluon-tabular", "autogluon-timeseries"),
}

VARIABLES: tuple[Flag, ...] = (
    Flag(names=("PREDICT_PROBA",), fact=OTHER, key="PREDICT_PROBA"),
    Flag(names=("KSERVE_OPENAI_ROUTE_PREFIX",), fact=OTHER, key="KSERVE_OPENAI_ROUTE_PREFIX", since="0.13.0"),
    Flag(names=("ALLOW_LONG_MAX_MODEL_LEN",), fact=OTHER, key="ALLOW_LONG_MAX_MODEL_LEN", since="0.15.0"),
    Flag(names=("CE_MERGE",), fact=OTHER, key="CE_MERGE"),
    Flag(names=("CE_TYPE",), irrelevant="It is metadata of events."),
    Flag(names=("CE_SOURCE",), irrelevant="It is metadata of events."),
    Flag(names=("KSERVE_LOGLEVEL",), irrelevant=_LOGGING),
)
# Variables that KServe's controller gives the container that downloads the model, and addresses of its own.
NOT_OF_THE_SERVER = ("KSERVE_CONTAINER_*", "KSERVE_STORAGE_*", "KSERVE_WAIT_*")

# These arguments only the Transformers back end acts on: a hint at what the model is.
OF_ENCODERS = frozenset(
    (
        *("--tensor_input_names", "--return_token_type_ids", "--return_probabilities", "--return_raw_logits"),
        *("--return_offsets_mapping", "--disable_special_tokens", "--disable_lower_case"),
    )
)
# Tasks that vLLM's own --task never had. Source: huggingfaceserver/task.py, MLTask.
OF_TRANSFORMERS = frozenset(
    (
        *(
            "sequence_classification",
            "token_classification",
            "fill_mask",
            "question_answering",
            "table_question_answering",
        ),
        *("text2text_generation", "multiple_choice", "feature_extraction", "time_series_forecast", "text_embedding"),
    )
)
