"""The files that flags of TensorFlow Serving name: batching parameters, models, monitoring.

Sources, at the tags of https://github.com/tensorflow/serving: ``servables/tensorflow/session_bundle_config.proto``,
``config/model_server_config.proto``, ``config/monitoring_config.proto`` (all below ``tensorflow_serving``). What
batching does where nothing is written: ``QueueOptions`` of
``tensorflow/core/kernels/batching_util/shared_batch_scheduler.h`` of https://github.com/tensorflow/tensorflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from askew.engines.tf_serving.flags import OTHER
from askew.evidence.launch import Content
from askew.evidence.location import Location
from askew.evidence.textproto import Item, TextProtoError, checked
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.workload import Problem

BATCHING = "runtime.dynamic_batching"
MODELS = "runtime.models"
SCHEDULER = Location("tensorflow tensorflow/core/kernels/batching_util/shared_batch_scheduler.h")
SCHEMA: Mapping[str, Mapping[str, str]] = {
    "BatchingParameters": {
        "max_batch_size": "Int64Value",
        "batch_timeout_micros": "Int64Value",
        "max_enqueued_batches": "Int64Value",
        "num_batch_threads": "Int64Value",
        "thread_pool_name": "StringValue",
        "enable_large_batch_splitting": "BoolValue",
        "max_execution_batch_size": "Int64Value",
        "allowed_batch_sizes": "int64*",
        "pad_variable_length_inputs": "bool",
    },
    "Int64Value": {"value": "int64"},
    "StringValue": {"value": "string"},
    "BoolValue": {"value": "bool"},
    "ModelServerConfig": {"model_config_list": "ModelConfigList@config", "custom_model_config": "Any@config"},
    "Any": {"type_url": "string", "value": "bytes"},
    "ModelConfigList": {"config": "ModelConfig*"},
    "ModelConfig": {
        "name": "string",
        "base_path": "string",
        "model_type": "MODEL_TYPE_UNSPECIFIED|TENSORFLOW|OTHER",
        "model_platform": "string",
        "model_version_policy": "VersionPolicy",
        "version_labels": "map:string:int64",
        "logging_config": "LoggingConfig",
    },
    "VersionPolicy": {"latest": "Latest@policy", "all": "All@policy", "specific": "Specific@policy"},
    "Latest": {"num_versions": "uint32"},
    "All": {},
    "Specific": {"versions": "int64*"},
    "LoggingConfig": {
        "log_collector_config": "LogCollector",
        "sampling_config": "Sampling",
        "custom_logging_config": "Any",
    },
    "LogCollector": {"type": "string", "filename_prefix": "string"},
    "Sampling": {"sampling_rate": "double", "attributes": "int32"},
    "MonitoringConfig": {"prometheus_config": "Prometheus"},
    "Prometheus": {"enable": "bool", "path": "string"},
}
_DEFAULTS: Mapping[str, Value] = {"batch_timeout_micros": 0, "max_enqueued_batches": 10}
_LARGEST = 1000


def read(path: str, content: Content, kind: str, title: str) -> Item | Problem:
    """The message of type ``kind`` that a file holds, or why the server does not read it."""
    try:
        return checked(content.text, SCHEMA, kind)
    except TextProtoError as error:
        return Problem(
            kind="unreadable",
            message=f"{title} does not read {path}, line {error.line + 1}, column {error.column + 1}: {error}",
            locations=(content.place(error.line, error.column),),
            suggestion=f"expected {error.expected}",
        )


def batching(parameters: Item | None, content: Content | None) -> Iterator[Observation]:
    """What batching is, where it is on: what is written, and what the scheduler takes by itself."""
    size = _wrapped(parameters, "max_batch_size")
    if size is None:
        yield _default("runtime.max_num_seqs", "", _LARGEST)
    else:
        yield _at("runtime.max_num_seqs", "", size, content)
    for name, default in _DEFAULTS.items():
        item = _wrapped(parameters, name)
        yield _default(BATCHING, name, default) if item is None else _at(BATCHING, name, item, content)
    threads = _wrapped(parameters, "num_batch_threads")
    if threads is None:
        reason = "one thread for each CPU that the process may use, and no source shows how many"
        yield Observation(
            fact=BATCHING, key="num_batch_threads", value=Unknown(reason, "the server's log"), origin="engine-default",
            locations=(SCHEDULER,),
        )  # fmt: skip
    else:
        yield _at(BATCHING, "num_batch_threads", threads, content)
    if parameters is None:
        return
    sizes = [one.value for one in parameters.all("allowed_batch_sizes")]
    if sizes:
        text = ",".join(str(size) for size in sizes)
        yield _at(BATCHING, "allowed_batch_sizes", parameters.all("allowed_batch_sizes")[0], content, text)
    for name in ("enable_large_batch_splitting", "max_execution_batch_size"):
        item = _wrapped(parameters, name)
        if item is not None and item.value:
            yield _at(BATCHING, name, item, content)
    padded = parameters.one("pad_variable_length_inputs")
    if padded is not None and padded.value:
        yield _at(BATCHING, "pad_variable_length_inputs", padded, content)


def unseen_batching(why: str, place: Location) -> Iterator[Observation]:
    """The same where the file is not shown."""
    for fact, key in (("runtime.max_num_seqs", ""), *((BATCHING, name) for name in (*_DEFAULTS, "num_batch_threads"))):
        yield Observation(fact=fact, key=key, value=Unknown(why), origin="config-file", locations=(place,))


def models(config: Item, content: Content) -> Iterator[Observation]:
    """The models of ``--model_config_file``: plain facts of a single one, keyed by name of several."""
    listed = config.one("model_config_list")
    found = listed.all("config") if listed is not None else ()
    names: list[Value] = [*sorted({str(one.scalar("name", "")) for one in found})]
    if not found:
        return
    yield Observation(
        fact="model.served_names", value=names, origin="config-file",
        locations=tuple(content.place(one.line, one.column) for one in found),
    )  # fmt: skip
    for one in found:
        name = str(one.scalar("name", ""))
        alone = len(found) == 1
        if alone:
            yield _at("model.id", "", one.one("name") or one, content, name)
        for setting, value, item in _settings(one):
            if alone and setting == "base_path":
                yield _at("model.source", "", item, content, value)
            else:
                fact, key = (OTHER, f"model_config.{setting}") if alone else (MODELS, f"{name}.{setting}")
                yield _at(fact, key, item, content, value)


def _settings(model: Item) -> Iterator[tuple[str, Value, Item]]:
    path = model.one("base_path")
    yield "base_path", str(path.value).rstrip("/") if path is not None else "", path or model
    platform = model.one("model_platform")
    if platform is not None and platform.value != "tensorflow":
        yield "model_platform", platform.value, platform
    policy = model.one("model_version_policy")
    yield "model_version_policy", _policy(policy), policy or model
    labels = model.all("version_labels")
    if labels:
        yield "version_labels", ",".join(sorted(f"{one.key}={one.value}" for one in labels)), labels[0]
    logging = model.one("logging_config")
    sampling = logging.one("sampling_config") if logging is not None else None
    rate = sampling.one("sampling_rate") if sampling is not None else None
    if rate is not None and rate.value:
        yield "logging_config.sampling_rate", str(rate.value), rate


def _policy(policy: Item | None) -> str:
    """``FileSystemStoragePathSource``: the latest version where nothing is written."""
    if policy is not None and policy.one("all") is not None:
        return "all"
    specific = policy.one("specific") if policy is not None else None
    if specific is not None:
        versions = sorted({one.value for one in specific.all("versions") if isinstance(one.value, int)})
        return "specific " + ",".join(map(str, versions))
    latest = policy.one("latest") if policy is not None else None
    return f"latest {(latest.scalar('num_versions', 0) if latest is not None else 0) or 1}"


def monitoring(config: Item, content: Content) -> Iterator[Observation]:
    """Whether and where Prometheus finds metrics."""
    prometheus = config.one("prometheus_config")
    if prometheus is None or not prometheus.scalar("enable", False):
        return
    path = prometheus.one("path")
    where = str(path.value) if path is not None and path.value else "/monitoring/prometheus/metrics"
    yield _at(OTHER, "monitoring.prometheus", path or prometheus, content, where)


def _wrapped(parameters: Item | None, name: str) -> Item | None:
    """The value inside ``Int64Value`` and its like: there it is written in braces of its own."""
    found = parameters.one(name) if parameters is not None else None
    if found is None or not found.is_message:
        return None
    return found.one("value") or Item(False if name.startswith("enable") else 0, found.line, found.column)


def _at(fact: str, key: str, item: Item, content: Content | None, value: Value = None) -> Observation:
    place = content.place(item.line, item.column) if content is not None else SCHEDULER
    told: Value | Unknown = item.value if value is None else value
    if item.template:
        told = Unknown(f"{item.template[:60]} is filled in before the server reads the file", text=item.template[:200])
    return Observation(fact=fact, key=key, value=told, origin="config-file", locations=(place,), raw=str(told)[:200])


def _default(fact: str, key: str, value: Value, confidence: Confidence = "certain") -> Observation:
    return Observation(
        fact=fact, key=key, value=value, origin="engine-default", locations=(SCHEDULER,), confidence=confidence
    )
