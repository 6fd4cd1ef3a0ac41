"""A model of Ray Serve LLM: its ``engine_kwargs`` as vLLM reads them, at the release of vLLM that Ray pins.

Source: ``ray/llm/_internal/serve`` of the releases at https://pypi.org/project/ray/#history, where
``get_initialization_kwargs`` sets the executor back end and turns the log of requests off.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from askew.engines import versions
from askew.engines.interface import Reading
from askew.evidence.document import Node
from askew.evidence.keywords import words as keyword_words
from askew.evidence.launch import Launch, Token
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown
from askew.resolve.rule import Rule

OTHER = "runtime.arguments.unmapped"
# What vLLM's own server does, and Ray Serve does in its stead.
_NOT_SERVED = ("runtime.engine.", "runtime.image", "runtime.packages", "serving.")
_OF_ITS_SERVER = ("", "--allowed-origins", "--api-server-count", "--enable-log-requests", "--root-path", "--uds")


def words(model: Node) -> tuple[Token, ...]:
    """One entry of ``llm_configs`` as arguments of vLLM."""
    kwargs, loading = model["engine_kwargs"], model["model_loading_config"]
    source, name = loading["model_source"], loading["model_id"]
    found: list[Token] = []
    named = source if source.text() else source["bucket_uri"] if source.is_mapping else name
    if named.text():
        found.extend((Token("--model", named.location), Token(named.text() or "", named.location)))
    if name.text():
        found.extend((Token("--served-model-name", name.key_location), Token(name.text() or "", name.location)))
    found.extend(keyword_words(kwargs, leave=("model", "served_model_name")))
    return tuple(found)


def pinned(release: versions.Release | None) -> tuple[str | None, Confidence]:
    """The vLLM of a release of Ray, and how sure that is: ``ray[llm]`` asks for one, or for one or a later one."""
    state = release.packages.get("vllm") if release is not None else None
    if state is None:
        return None, "possible"
    text = str(state.value)
    return text.removeprefix(">="), "possible" if text.startswith(">=") else "likely"


def inside(launch: Launch, given: Sequence[Token], release: versions.Release | None) -> Reading:
    """What vLLM makes of the arguments, without what Ray Serve does in its stead."""
    from askew.engines.vllm.engine import ENGINE

    vllm, confidence = pinned(release)
    image = Token(f"vllm/vllm-openai:v{vllm}", launch.location) if vllm else None
    reading = ENGINE.read(msgspec.structs.replace(launch, argv=tuple(given), image=image, implicit_entrypoint=True))
    asks = f"ray[llm] {release.version} asks for vLLM {release.packages['vllm'].value}" if release and vllm else ""
    if release is not None and not vllm:  # ray[llm] came with 2.43: an earlier release has no vLLM to decide anything
        return msgspec.structs.replace(
            reading,
            observations=tuple(one for one in reading.observations if one.origin != "engine-default"),
            rules=(),
        )
    found = [
        _doubted(one, confidence, asks)
        for one in reading.observations
        if not one.fact.startswith(_NOT_SERVED)
        and not (one.fact == OTHER and one.origin == "engine-default" and one.key in _OF_ITS_SERVER)
    ]
    if release is not None and vllm:
        state = release.packages["vllm"]
        value: Value | Unknown = vllm
        if confidence == "possible":
            value = Unknown(f"{asks}: the image may have a later one", "pip show vllm in the container", text=vllm)
        found.append(
            Observation(
                fact="runtime.packages", key="vllm", value=value, origin="engine-default",
                locations=(release.where(state),), confidence="likely", because=(asks,),
            )
        )  # fmt: skip
    rules = tuple(_doubted_rule(one, confidence, asks) for one in reading.rules if not one.fact.startswith(_NOT_SERVED))
    problems = reading.problems
    if confidence == "possible":  # another release of vLLM may well have the argument
        problems = tuple(one for one in problems if one.kind not in ("unknown-argument", "removed-argument"))
    return msgspec.structs.replace(reading, observations=tuple(found), rules=rules, problems=problems)


def defaults(release: versions.Release | None) -> list[Observation]:
    """What Ray Serve LLM sets over vLLM and over Ray Serve, where the configuration does not."""
    found = [
        Observation(fact=OTHER, key=key, value=value, origin="derived", rank=_BELOW, because=("Ray Serve LLM sets it",))
        for key, value in (("--distributed-executor-backend", "ray"), ("--enable-log-requests", "false"))
    ]
    state = release.arguments.get("llm.max_ongoing_requests") if release is not None else None
    if release is not None and state is not None and isinstance(state.value, int):
        found.append(
            Observation(
                fact="serving.max_concurrency", value=state.value, origin="engine-default",
                locations=(release.where(state),), because=("Ray Serve LLM sets it for a model",),
            )
        )  # fmt: skip
    return found


_BELOW = 50  # anything that is written wins


def flag_for(fact: str, release: versions.Release | None) -> str | None:
    """vLLM's argument as ``engine_kwargs`` spells it."""
    from askew.engines.vllm.engine import ENGINE

    name = ENGINE.flag_for(fact, pinned(release)[0])
    return f"engine_kwargs.{name.removeprefix('--').replace('-', '_')}" if name else None


def _weaker(held: Confidence, least: Confidence) -> Confidence:
    order: tuple[Confidence, ...] = ("certain", "likely", "possible")
    return order[max(order.index(held), order.index(least))]


def _doubted(one: Observation, confidence: Confidence, asks: str) -> Observation:
    if one.origin != "engine-default" or isinstance(one.value, Unknown) or not asks:
        return one
    weaker = _weaker(one.confidence, confidence)
    return msgspec.structs.replace(one, confidence=weaker, because=(*one.because, asks))


def _doubted_rule(one: Rule, confidence: Confidence, asks: str) -> Rule:
    if not asks:
        return one
    weaker = _weaker(one.confidence, confidence)
    return msgspec.structs.replace(one, confidence=weaker, because=f"{one.because}; {asks}")
