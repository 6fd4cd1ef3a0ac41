"""What TorchServe does where nothing is written: literal defaults as observations, computed ones as rules.

Sources: ``versions/``; ``ConfigManager.java``, ``ModelManager.java`` (createModel), ``RegisterModelRequest.java`` and
``ModelConfig.java`` at the tags of https://github.com/pytorch/serve.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

from askew.engines import versions
from askew.engines.literal import engine_default, literals
from askew.engines.settings import OTHER
from askew.engines.torchserve.flags import BEFORE, SETTINGS, address
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.rule import Rule

NAME = "torchserve"
_CONFIG = "frontend/server/src/main/java/org/pytorch/serve/util/ConfigManager.java"
_ARCHIVES = "0.8.0"  # the first release in which an archive may hold a model-config.yaml
_BY_ARCHIVE = "a model-config.yaml in the model's archive wins over it"
_LOOK = "curl -s $MANAGEMENT_URL/models/$MODEL"


@functools.lru_cache(maxsize=8)
def defaults(version: str | None) -> tuple[Observation, ...]:
    """The literal defaults of a release; where it is not known, what never changed."""
    found: list[Observation] = []
    archives = version is None or versions.release_key(version) >= versions.release_key(_ARCHIVES)
    # The default of number_of_gpu is what the machine has, whatever its getter says.
    for one in literals(NAME, "TorchServe", version, [flag for flag in SETTINGS if flag.key != "number_of_gpu"]):
        found.append(_doubted(one) if archives and one.fact == "serving.request_timeout" else one)
    near, stable = versions.nearest(NAME, version), versions.stable(NAME)
    bound: tuple[str, Location] | None = None
    if near is not None and "inference_address" in near[0].arguments:
        entry = near[0].arguments["inference_address"]
        bound = str(entry.value), near[0].where(entry)
    elif stable is not None and "inference_address" in stable.defaults:
        bound = str(stable.defaults["inference_address"]), stable.where
    if bound is not None:
        confidence: Confidence = "certain" if near is None or near[1] else "likely"
        found.extend(
            engine_default(fact, key, value, bound[1], confidence) for fact, key, value in address((bound[0],))
        )
    # RegisterModelRequest.DEFAULT_BATCH_SIZE and DEFAULT_MAX_BATCH_DELAY (milliseconds).
    where = Location(
        f"torchserve {near[0].version} RegisterModelRequest.java" if near else "torchserve RegisterModelRequest.java"
    )
    for key, value in (("max_batch_size", 1), ("max_queue_delay_microseconds", 100_000)):
        one = engine_default("runtime.dynamic_batching", key, value, where)
        found.append(_doubted(one) if archives else one)
    if near is not None:
        release = versions.release_key(near[0].version)
        for until, name, before, place in BEFORE:
            if release < versions.release_key(until):
                text = str(before).lower() if isinstance(before, bool) else before
                at = Location(f"torchserve {near[0].version} {place}")
                found.append(engine_default(OTHER, name, text, at))
        if release < versions.release_key("0.11.1"):
            at = Location(f"torchserve {near[0].version} {_CONFIG}")
            found.append(engine_default("serving.api_key_required", "", False, at))
    return tuple(found)


def of_image(version: str | None, started: bool) -> list[tuple[str, Value, Location]]:
    """The settings of the published image's own ``config.properties``: names, values and places.

    ``started``: the image's own command runs, which in some releases turns token authorization off.
    """
    near = versions.nearest(NAME, version)
    if near is None:
        return []
    release, _ = near
    found: list[tuple[str, Value, Location]] = []
    for name, entry in release.arguments.items():
        if name.startswith("image ") and not name.startswith("image -"):
            found.append((name[6:], entry.value, release.where(entry)))
    token = release.arguments.get("image --disable-token-auth")
    if token is not None and started:
        found.append(("disable_token_authorization", True, release.where(token)))
    return found


def _doubted(one: Observation) -> Observation:
    import msgspec

    return msgspec.structs.replace(one, confidence="likely", because=(*one.because, _BY_ARCHIVE))


def _workers(known: Mapping[str, Value]) -> Value | Unknown:
    """``getDefaultWorkers``: one in debug mode, else as many as GPUs, else as many as the JVM sees processors."""
    count = known.get("hardware.gpu.count")
    if isinstance(count, int) and count > 0:
        return count
    cores = known.get("orchestration.resources.cpu")
    limit = cores.get("limit") if isinstance(cores, dict) else None
    if count == 0 and isinstance(limit, (int, float)) and not isinstance(limit, bool) and limit > 0:
        return math.ceil(limit)
    if count == 0:
        return Unknown("one worker for each CPU that the server sees; no source shows how many", _LOOK)
    return Unknown("one worker for each GPU, or for each CPU where there is none; no source shows how many", _LOOK)


def rules(version: str | None) -> tuple[Rule, ...]:
    """The computed defaults."""
    near = versions.nearest(NAME, version)
    return (
        Rule(
            fact="runtime.instances", needs=(), uses=("hardware.gpu.count", "orchestration.resources.cpu"),
            compute=_workers, because="one worker for each GPU, else for each CPU", confidence="likely",
            location=Location(f"torchserve {near[0].version} {_CONFIG}" if near else f"torchserve {_CONFIG}"),
        ),
    )  # fmt: skip
