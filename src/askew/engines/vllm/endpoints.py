"""What a running vLLM answers.

Sources: ``show_version``, ``OpenAIServingModels.show_available_models`` and ``show_server_info`` below
``vllm/entrypoints`` of the releases, https://pypi.org/project/vllm/#history. ``/server_info`` is there only with
``VLLM_SERVER_DEV_MODE=1``; releases that know ``config_format`` give their configuration as JSON, older ones as text.
"""

from __future__ import annotations

from collections.abc import Iterator

from askew.engines.live import Answers, Ask, Endpoints
from askew.engines.reported import named, owned_by, partly, reported, root
from askew.engines.vllm import config_dump
from askew.engines.vllm.readers import source
from askew.evidence.document import Node
from askew.facts.values.errors import ValueNotUnderstood
from askew.knowledge.gpus import parse_gpu_label
from askew.resolve.observation import Observation

_MODELS, _VERSION, _INFO = "/v1/models", "/version", "/server_info?config_format=json"
# What passes the models of a vLLM on, and answers with a release of its own: the router of the production stack, NIM.
_OTHERS: tuple[tuple[str, tuple[str | int, ...]], ...] = (
    ("/engines", (0, "engine_id")),
    ("/v1/metadata", ("modelInfo",)),
)
_LACKING = (
    "dtype, quantization, parallel sizes, batch and cache settings stay unknown; vLLM tells them when it is started "
    "with VLLM_SERVER_DEV_MODE=1 (which opens more than this: not in production), else its start-up log does"
)


def _asks(answers: Answers) -> tuple[Ask, ...]:
    if not _speaks(answers):
        return (Ask(_MODELS), Ask(_VERSION))
    return (
        *(Ask(name) for name, _ in _OTHERS),
        Ask(_VERSION, lacking="its release stays unknown"),
        Ask(_MODELS),
        Ask(_INFO, lacking=_LACKING),
    )


def _speaks(answers: Answers) -> bool:
    config = root(answers, _INFO)["vllm_config"]
    return config.exists or (
        owned_by(answers, ("vllm",)) and not any(root(answers, name).get(*key).exists for name, key in _OTHERS)
    )


def _read(answers: Answers) -> tuple[Observation, ...]:
    return tuple(_observations(answers))


def _observations(answers: Answers) -> Iterator[Observation]:
    models, info = root(answers, _MODELS), root(answers, _INFO)
    yield named("vllm", "vLLM", models if models.exists else info)
    version = root(answers, _VERSION)["version"]
    if version.exists:
        yield from reported("runtime.engine.version", version)
    else:
        yield from reported("runtime.engine.version", info["system_env"]["vllm_version"])
    listed = tuple(_models(models))
    yield from listed
    config = info["vllm_config"]
    made: Iterator[Observation] = iter(())
    if config.is_mapping:
        made = config_dump.of_json(config)
    elif isinstance(config.value, str):
        made = config_dump.of_text(config.value, config.location)
    # Of a model that was fetched from a bucket the configuration has the folder into which it was fetched.
    known = {one.fact for one in listed}
    yield from (one for one in made if one.fact not in known)
    yield from _system(info["system_env"])


def _models(models: Node) -> Iterator[Observation]:
    """Names that clients may use, and the adapters among them: those have a parent."""
    cards = list(models["data"].each())
    own = [card for card in cards if card["parent"].value is None]
    names = [card["id"].value for card in own]
    if own and names:
        yield from reported("model.served_names", models["data"], names)
        yield from reported("runtime.max_model_len", own[0]["max_model_len"])
        path = own[0]["root"]
        yield from reported("model.id", path)
        if isinstance(path.value, str):
            yield from reported("model.source", path, source(path.value))
    adapters = [
        {"name": str(card["id"].value), "source": source(str(card["root"].value))}
        for card in cards
        if card["parent"].value is not None
    ]
    if adapters:
        yield from reported("model.lora_adapters", models["data"], adapters)


def _system(system: Node) -> Iterator[Observation]:
    """The GPUs that the process sees, their driver, and the libraries that ``vllm/collect_env.py`` picks from those
    installed."""
    yield from _gpus(system["nvidia_gpu_models"])
    yield from reported("hardware.driver.version", system["nvidia_driver_version"])
    packages = system["pip_packages"]
    if isinstance(packages.value, str):
        for line in packages.value.splitlines()[:500]:
            name, sign, version = line.partition("==")
            if sign:
                yield from reported("runtime.packages", packages, version.strip(), key=name.strip().lower())
        yield partly("runtime.packages", packages, "vLLM lists some of the installed packages")


def _gpus(listed: Node) -> Iterator[Observation]:
    """``GPU 0: NVIDIA H100 80GB HBM3``, a line for each; how many of them vLLM uses is not told."""
    found: set[str] = set()
    for line in listed.value.splitlines()[:64] if isinstance(listed.value, str) else ():
        _, sign, model = line.partition(": ")
        try:
            found.update(parse_gpu_label(model.strip()).ids if sign else ())
        except ValueNotUnderstood:
            return
    if found:
        yield from reported("hardware.gpu.model", listed, [*sorted(found)])


ENDPOINTS = Endpoints(asks=_asks, speaks=_speaks, read=_read)
