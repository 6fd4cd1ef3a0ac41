"""One model's ``config.pbtxt``: what it says, and what Triton makes of what it leaves out.

Sources: ``protobuf/model_config.proto`` of https://github.com/triton-inference-server/common; ``NormalizeModelConfig``,
``NormalizeInstanceGroup`` and ``SetDefaultInstanceCount`` of ``src/model_config_utils.cc`` of
https://github.com/triton-inference-server/core at r22.03 to r26.06. What the backends complete is in
``AutoCompleteConfig`` of the repositories ``onnxruntime_backend``, ``tensorrt_backend``, ``openvino_backend`` and
``tensorflow_backend`` beside it.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Mapping

import msgspec

from askew.engines.triton.flags import OTHER
from askew.evidence.textproto import Item
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Unknown
from askew.resolve.rule import Rule

LLM_BACKENDS = ("tensorrtllm", "vllm")
_LOOK = "curl -s $URL/v2/models/$MODEL/config"
_TYPES = {
    "TYPE_FP16": "float16", "TYPE_FP32": "float32", "TYPE_FP64": "float64", "TYPE_BF16": "bfloat16",
    "TYPE_BOOL": "bool", "TYPE_STRING": "string",
}  # fmt: skip
_PLATFORMS = {
    "tensorrt_plan": "tensorrt", "onnxruntime_onnx": "onnxruntime", "pytorch_libtorch": "pytorch",
    "libtorch": "pytorch", "torch_aoti": "pytorch", "ensemble": "ensemble", "tensorflow_savedmodel": "tensorflow",
    "tensorflow_graphdef": "tensorflow",
}  # fmt: skip
_FILES = {
    "tensorrt": "model.plan", "onnxruntime": "model.onnx", "pytorch": "model.pt", "python": "model.py",
    "openvino": "model.xml",
}  # fmt: skip
# Backends that look into the model file to complete what is missing.
_COMPLETES = ("onnxruntime", "tensorrt", "openvino", "tensorflow")
# Those that start two instances on a CPU where no count is written.
_TWO_ON_CPU = ("onnxruntime", "tensorflow")
_IDLE = 1_000_000


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a model: the fact (and entry) that states it where the model is alone, its ``name`` among the
    settings of several, and its value. ``item`` is where it is written; None for what Triton takes by itself. ``llm``
    where it states a fact of the language model whatever stands beside it."""

    fact: str
    name: str
    value: Value | Unknown
    key: str = ""
    item: Item | None = None
    confidence: Confidence = "certain"
    because: str = ""
    llm: bool = False


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a repository. ``completes`` tells whether backends complete the configuration: None where nobody says.
    ``path`` is that of the file, ``folder`` the name of the folder in which it lies."""

    path: str
    folder: str
    config: Item
    completes: bool | None = None

    @property
    def name(self) -> str:
        written = self.config.one("name")
        return str(written.value) if written is not None and written.value and not written.template else self.folder

    @property
    def backend(self) -> str:
        """The backend that runs it; empty where only the files of the model tell."""
        if self.config.one("ensemble_scheduling") is not None:
            return "ensemble"
        backend, platform = str(self.config.scalar("backend") or ""), str(self.config.scalar("platform") or "")
        return "" if "${" in backend else backend or _PLATFORMS.get(platform, platform)


def folder_of(path: str) -> str:
    """The name of the folder in which a model's file lies: the model's name where the file states none."""
    folder = os.path.dirname(path)
    return os.path.basename(os.path.dirname(folder) if os.path.basename(path) != "config.pbtxt" else folder)


def settings(model: Model) -> Iterator[Setting]:
    """Everything that the configuration comes to, without what is left at a default that changes nothing."""
    config = model.config
    yield from _identity(model)
    yield from _signature(model)
    batch, why = max_batch_size(model)
    yield from _batch(model, batch, why)
    if model.backend == "ensemble":
        yield from _ensemble(config)
    else:
        yield from _scheduling(model, batch)
        yield from _groups(model)
        yield from _optimization(config)
    decoupled = _sub(config, "model_transaction_policy", "decoupled")
    # The vLLM backend completes it so (src/model.py), and refuses to run otherwise.
    yield _of("serving.streaming", "decoupled", decoupled, model.backend == "vllm")
    warm = config.all("model_warmup")
    yield Setting(fact="runtime.warmup", name="warmup", value=bool(warm), item=warm[0] if warm else None)
    for name in ("model_warmup", "batch_input", "batch_output"):
        if config.all(name):
            yield _data(name, config.all(name))
    for name in ("model_operations", "model_repository_agents", "model_metrics"):
        if (one := config.one(name)) is not None:
            yield _data(name, (one,))
    yield from _changed(config, "response_cache", ("enable",), "response_cache")
    for name in ("cc_model_filenames",):
        for entry in config.all(name):
            yield _of(OTHER, f"{name}.{entry.key}", entry, None)


def _identity(model: Model) -> Iterator[Setting]:
    config = model.config
    backend = config.one("backend") or config.one("platform") or config.one("ensemble_scheduling")
    value: Value | Unknown = model.backend
    if not model.backend:
        value = _unfilled(backend) or Unknown("Triton tells the backend by the files of the model", _LOOK)
    elif model.backend == "tensorflow" and config.scalar("platform"):
        value = str(config.scalar("platform"))
    yield Setting(fact=OTHER, key="backend", name="backend", value=value, item=backend)
    file = config.one("default_model_filename")
    if file is not None and file.value and file.value != _FILES.get(model.backend):
        yield _of(OTHER, "default_model_filename", file, None)
    runtime = config.one("runtime")
    if runtime is not None and runtime.value:
        yield _of(OTHER, "runtime", runtime, None)
    policy = config.one("version_policy")
    text = "latest 1"
    if policy is not None:
        latest, specific = policy.one("latest"), policy.one("specific")
        if policy.one("all") is not None:
            text = "all"
        elif specific is not None:
            numbers = sorted({one.value for one in specific.all("versions") if isinstance(one.value, int)})
            text = "specific " + ",".join(map(str, numbers))
        elif latest is not None:
            text = f"latest {latest.scalar('num_versions', 0)}"
    yield Setting(fact=OTHER, key="version_policy", name="version_policy", value=text, item=policy)


def max_batch_size(model: Model) -> tuple[Value | Unknown, str]:
    """The largest batch, 0 where Triton does not batch, and why it is so where nobody wrote it."""
    written = model.config.one("max_batch_size")
    if written is not None and written.template:
        return _template(written.template), ""
    size = written.value if written is not None else 0
    if size or model.completes is False or model.backend == "ensemble" or model.backend not in (*_COMPLETES, ""):
        return size, ""
    if model.backend == "onnxruntime" and _has_both(model):
        return size, "the ONNX Runtime backend completes nothing where inputs and outputs are written"
    return Unknown("completed from the model file unless auto-complete is off", _LOOK), ""


def _has_both(model: Model) -> bool:
    config = model.config
    return bool(config.all("input") or config.all("batch_input")) and bool(config.all("output"))


def _signature(model: Model) -> Iterator[Setting]:
    config = model.config
    tensors = (*config.all("input"), *config.all("output"))
    missing = not config.all("input") or not config.all("output")
    value: Value | Unknown
    batch, _ = max_batch_size(model)
    holder = next((found for one in tensors for found in one.templates()), None)
    if holder is not None:
        value = _template(holder.template)
    elif missing and model.completes is not False:
        value = Unknown("inputs and outputs that are not written are completed from the model", _LOOK)
    elif isinstance(batch, Unknown):
        value = Unknown(f"whether shapes have a batch dimension: {batch.reason}", _LOOK)
    else:
        batched = isinstance(batch, int) and batch > 0
        value = {
            "inputs": [_tensor(one, batched) for one in config.all("input")],
            "outputs": [_tensor(one, batched) for one in config.all("output")],
        }
    yield Setting(fact="model.signature", name="signature", value=value, item=tensors[0] if tensors else None)


def _tensor(item: Item, batched: bool) -> Value:
    kind = str(item.scalar("data_type", "TYPE_INVALID"))
    shape: list[Value] = [one.value for one in item.all("dims")]
    found: dict[str, Value] = {
        "name": item.scalar("name", ""),
        "type": _TYPES.get(kind, kind.removeprefix("TYPE_").lower()),
        "shape": [-1, *shape] if batched and not item.scalar("is_shape_tensor", False) else shape,
    }
    for name, default in (
        ("format", "FORMAT_NONE"), ("optional", False), ("allow_ragged_batch", False), ("is_shape_tensor", False),
        ("is_non_linear_format_io", False), ("label_filename", ""),
    ):  # fmt: skip
        if item.scalar(name, default) != default:
            found[name] = item.scalar(name)
    reshape = item.one("reshape")
    if reshape is not None:
        found["reshape"] = [one.value for one in reshape.all("shape")]
    return {name: found[name] for name in sorted(found)}


def _batch(model: Model, batch: Value | Unknown, why: str) -> Iterator[Setting]:
    item = model.config.one("max_batch_size")
    if model.backend in (*LLM_BACKENDS, "ensemble"):  # requests are batched by the language model, or by the members
        yield Setting(
            fact="runtime.dynamic_batching", key="max_batch_size", name="max_batch_size", value=batch, item=item
        )
        return
    value = max(batch, 1) if isinstance(batch, int) and not isinstance(batch, bool) else batch
    because = why or ("requests are not batched" if batch == 0 else "")
    yield Setting(fact="runtime.max_num_seqs", name="max_batch_size", value=value, item=item, because=because)


def _scheduling(model: Model, batch: Value | Unknown) -> Iterator[Setting]:
    config = model.config
    sequence, dynamic = config.one("sequence_batching"), config.one("dynamic_batching")
    if sequence is not None:
        yield Setting(fact="runtime.dynamic_batching", key="enabled", name="dynamic_batching.enabled", value=False)
        yield from _sequence(sequence, batch)
        return
    if dynamic is None:
        yield _completed(model, batch)
        return
    if dynamic.template:
        value = _template(dynamic.template)
        yield Setting(
            fact="runtime.dynamic_batching", key="enabled", name="dynamic_batching.enabled", value=value, item=dynamic
        )
        return
    yield _batching("enabled", True, dynamic)
    yield _batching("preferred_batch_size", _preferred(dynamic, batch), dynamic.one("preferred_batch_size") or dynamic)
    delay = dynamic.one("max_queue_delay_microseconds")
    yield _batching("max_queue_delay_microseconds", _value(delay, 0), delay)
    for name, default in (("preserve_ordering", False), ("priority_levels", 0), ("default_priority_level", 0)):
        if (one := dynamic.one(name)) is not None and one.value != default:
            yield _batching(name, _value(one, default), one)
    policy = dynamic.one("default_queue_policy")
    if policy is not None:
        yield from _queue("default_queue_policy", policy)
    for entry in dynamic.all("priority_queue_policy"):
        yield from _queue(f"priority_queue_policy.{entry.key}", entry)


def _completed(model: Model, batch: Value | Unknown) -> Setting:
    """Whether Triton batches where the configuration names no scheduler."""
    value: Value | Unknown = False
    because, confidence = "", "certain"
    backend, off = model.backend, model.completes is False
    whole = backend == "onnxruntime" and _has_both(model)
    if not off and not whole and backend in (*_COMPLETES, ""):
        if backend in ("onnxruntime", "tensorrt") and isinstance(batch, int) and batch > 1:
            value, confidence = True, "likely"
            because = "the backend turns it on where it completes a configuration with a batch size above 1"
        else:
            value = Unknown("the backend may turn it on when it completes the configuration", _LOOK)
    return Setting(
        fact="runtime.dynamic_batching", key="enabled", name="dynamic_batching.enabled", value=value, because=because,
        confidence=confidence,  # type: ignore[arg-type]  # one of the two words above
    )  # fmt: skip


def _preferred(item: Item, batch: Value | Unknown) -> Value | Unknown:
    written = item.all("preferred_batch_size")
    unfilled = next((_unfilled(one) for one in written if one.template), None)
    if unfilled is not None:
        return unfilled
    sizes = sorted({one.value for one in written if isinstance(one.value, int)})
    if sizes:
        return ",".join(map(str, sizes))
    if isinstance(batch, Unknown):
        return Unknown(f"the largest batch: {batch.reason}", batch.observe_with)
    return str(batch) if batch else None


def _sequence(item: Item, batch: Value | Unknown) -> Iterator[Setting]:
    strategy = "oldest" if item.one("oldest") is not None else "direct"
    inner = item.one(strategy)
    yield _sequenced("strategy", strategy, inner or item)
    idle = item.one("max_sequence_idle_microseconds")
    yield _sequenced("max_sequence_idle_microseconds", _value(idle, 0) or _IDLE, idle)
    if inner is not None:
        for name in ("max_queue_delay_microseconds", "max_candidate_sequences", "minimum_slot_utilization",
                     "preserve_ordering"):  # fmt: skip
            one = inner.one(name)
            if one is not None and one.value:
                yield _sequenced(f"{strategy}.{name}", _value(one, 0), one)
        if strategy == "oldest":
            yield _sequenced("oldest.preferred_batch_size", _preferred(inner, batch), inner)
    for name in ("control_input", "state"):
        if item.all(name):
            yield _data(f"sequence_batching.{name}", item.all(name))
    if item.scalar("iterative_sequence"):
        yield _sequenced("iterative_sequence", True, item.one("iterative_sequence"))


def _sequenced(name: str, value: Value | Unknown, item: Item | None) -> Setting:
    text = value if isinstance(value, Unknown) or value is None else _text(value)
    return Setting(fact=OTHER, key=f"sequence_batching.{name}", name=f"sequence_batching.{name}", value=text, item=item)


def _queue(prefix: str, policy: Item) -> Iterator[Setting]:
    for name, default in (
        ("timeout_action", "REJECT"), ("default_timeout_microseconds", 0), ("allow_timeout_override", False),
        ("max_queue_size", 0),
    ):  # fmt: skip
        one = policy.one(name)
        if one is not None and one.value != default:
            yield _batching(f"{prefix}.{name}", _value(one, default), one)


def _ensemble(config: Item) -> Iterator[Setting]:
    ensemble = config.one("ensemble_scheduling")
    if ensemble is None:
        return
    for number, step in enumerate(ensemble.all("step")):
        yield _data(f"ensemble_scheduling.step.{number}", (step,))
    limit = ensemble.one("max_inflight_requests")
    if limit is not None and limit.value:
        yield _of(OTHER, "ensemble_scheduling.max_inflight_requests", limit, None)


def _groups(model: Model) -> Iterator[Setting]:
    groups = model.config.all("instance_group")
    text = "; ".join(sorted(_group_text(model, one) for one in groups)) or _default_group(model)
    item = groups[0] if groups else None
    holder = next((found for one in groups for found in one.templates()), None)
    value: Value | Unknown = text if holder is None else _template(holder.template)
    yield Setting(fact=OTHER, key="instance_group", name="instance_group", value=value, item=item)
    count = instances(model, None)
    if isinstance(count, int):
        yield Setting(fact="runtime.instances", name="instances", value=count, item=item)
    for number, one in enumerate(groups):
        for name in ("rate_limiter", "secondary_devices", "profile", "host_policy", "passive"):
            if any(found.is_message or found.value for found in one.all(name)):
                yield _data(f"instance_group.{number}.{name}", one.all(name))


def _group_text(model: Model, group: Item) -> str:
    kind = str(group.scalar("kind", "KIND_AUTO"))
    gpus = sorted({str(one.value) for one in group.all("gpus")})
    return _placed(model, kind, group.scalar("count", 0)) + (f" gpus {','.join(gpus)}" if gpus else "")


def _default_group(model: Model) -> str:
    # The OpenVINO backend asks for CPUs; the others take what is there.
    return _placed(model, "KIND_CPU" if model.backend == "openvino" else "KIND_AUTO", 0)


def _placed(model: Model, kind: str, count: Value) -> str:
    if isinstance(count, int) and count > 0:
        return f"{count} {kind}"
    if kind == "KIND_AUTO" and model.backend in _TWO_ON_CPU:
        return f"1 {kind} (2 on a CPU)"
    return f"{2 if kind == 'KIND_CPU' and model.backend in _TWO_ON_CPU else 1} {kind}"


def instances(model: Model, gpus: int | None) -> int | None:
    """How many copies of a model run where ``gpus`` are visible; None where that is needed and not known."""
    if next((found for one in model.config.all("instance_group") for found in one.templates()), None) is not None:
        return None
    total = 0
    for group in model.config.all("instance_group") or (None,):
        kind = str(group.scalar("kind", "KIND_AUTO")) if group is not None else "KIND_AUTO"
        if group is None and model.backend == "openvino":
            kind = "KIND_CPU"
        listed = len(group.all("gpus")) if group is not None else 0
        written = group.scalar("count", 0) if group is not None else 0
        if kind == "KIND_AUTO":
            if gpus is None:
                return None
            kind = "KIND_GPU" if gpus else "KIND_CPU"
        count = written if isinstance(written, int) and written > 0 else 0
        if kind == "KIND_GPU":
            if not listed and gpus is None:
                return None
            total += (count or 1) * (listed or gpus or 0)
        else:
            total += count or (2 if kind == "KIND_CPU" and model.backend in _TWO_ON_CPU else 1)
    return total


def instance_rule(model: Model, fact: str, key: str) -> Rule | None:
    """The rule for the number of copies, where it depends on the GPUs that the server sees."""
    if model.backend == "ensemble" or instances(model, None) is not None:
        return None

    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        gpus = known.get("hardware.gpu.count")
        found = instances(model, gpus) if isinstance(gpus, int) else None
        return Unknown("the number of copies is filled in by a template", _LOOK) if found is None else found

    return Rule(
        fact=fact, key=key, needs=("hardware.gpu.count",), compute=compute,
        because="each group runs its count on every GPU that the server sees, unless it names them",
    )  # fmt: skip


def _optimization(config: Item) -> Iterator[Setting]:
    found = config.one("optimization")
    if found is None:
        return
    defaults = {"priority": "PRIORITY_DEFAULT"}
    for name in ("priority", "gather_kernel_buffer_threshold", "eager_batching"):
        one = found.one(name)
        if one is not None and one.value and one.value != defaults.get(name):
            yield _of(OTHER, f"optimization.{name}", one, None)
    for name in ("input_pinned_memory", "output_pinned_memory"):
        buffer = found.one(name)
        if buffer is not None and not buffer.scalar("enable", False):  # on where nothing is written
            yield Setting(
                fact=OTHER, key=f"optimization.{name}", name=f"optimization.{name}", value="false", item=buffer
            )
    yield from _changed(found, "graph", ("level",), "optimization.graph")
    yield from _changed(found, "cuda", ("graphs", "busy_wait_events", "output_copy_stream"), "optimization.cuda")
    cuda = found.one("cuda")
    if cuda is not None and cuda.all("graph_spec"):
        yield _data("optimization.cuda.graph_spec", cuda.all("graph_spec"))
    accelerators = found.one("execution_accelerators")
    for name in ("gpu_execution_accelerator", "cpu_execution_accelerator"):
        for one in accelerators.all(name) if accelerators is not None else ():
            yield _data(f"optimization.{name}.{one.scalar('name', '')}", (one,))


def _changed(config: Item, message: str, names: tuple[str, ...], prefix: str) -> Iterator[Setting]:
    found = config.one(message)
    for name in names if found is not None else ():
        one = found.one(name) if found is not None else None
        if one is not None and one.value:
            yield _of(OTHER, f"{prefix}.{name}", one, None)


def _of(fact: str, name: str, item: Item | None, default: Value) -> Setting:
    value = _value(item, default)
    if fact == OTHER and not isinstance(value, Unknown) and value is not None:
        value = _text(value)
    return Setting(fact=fact, key=name if fact == OTHER else "", name=name, value=value, item=item)


def _batching(name: str, value: Value | Unknown, item: Item | None) -> Setting:
    return Setting(fact="runtime.dynamic_batching", key=name, name=f"dynamic_batching.{name}", value=value, item=item)


def _data(name: str, items: tuple[Item, ...]) -> Setting:
    holder = next((found for one in items for found in one.templates()), None)
    plain = [as_data(one) for one in items]
    text = msgspec.json.encode(plain[0] if len(plain) == 1 else plain, order="sorted").decode("utf-8", "replace")
    value: Value | Unknown = text if holder is None else _template(holder.template)
    return Setting(fact=OTHER, key=name, name=name, value=value, item=items[0])


def as_data(item: Item) -> Value:
    """A message as plain data: lists for repeated fields would be kept apart from single ones by the schema alone, so
    a field that is written once is its value."""
    if not item.is_message:
        return item.value if not isinstance(item.value, str) else item.value.encode("utf-8", "replace").decode()
    found: dict[str, Value] = {}
    for name, values in item.fields.items():
        if any(one.key for one in values):
            found[name] = {one.key: as_data(one) for one in values}
        else:
            plain = [as_data(one) for one in values]
            found[name] = plain[0] if len(plain) == 1 else plain
    return {name: found[name] for name in sorted(found)}


def _sub(config: Item, message: str, name: str) -> Item | None:
    found = config.one(message)
    return None if found is None else found if found.template else found.one(name)


def _value(item: Item | None, default: Value) -> Value | Unknown:
    if item is None:
        return default
    return _unfilled(item) or item.value


def _unfilled(item: Item | None) -> Unknown | None:
    return _template(item.template) if item is not None and item.template else None


def _template(text: str) -> Unknown:
    return Unknown(f"{text[:60]} is filled in before the server reads the file", _LOOK, text=text[:200])


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
