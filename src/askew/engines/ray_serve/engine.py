"""Reads launches of Ray Serve: its configuration file, and the models of Ray Serve LLM with the vLLM beneath.

Sources: ``ray/serve/schema.py``, ``ray/serve/_private/config.py`` and ``ray/llm/_internal/serve`` of the releases at
https://pypi.org/project/ray/#history
"""

from __future__ import annotations

import posixpath
import re

from askew.engines import versions
from askew.engines.composed import own_variables
from askew.engines.interface import Reading
from askew.engines.observe import RELEVANT_PREFIXES, environment, identity
from askew.engines.ray_serve import commands, config, models
from askew.evidence.launch import Content, Launch, Token
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.observation import Confidence, Observation
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem

NAME, TITLE = "ray-serve", "Ray Serve"
OTHER = "runtime.arguments.unmapped"

_UNSUPPORTED = {
    "runtime.max_input_tokens": "Ray Serve LLM has vLLM's one limit for prompt and output together",
    "runtime.default_output_tokens": "a request that names no limit may use the rest of the context",
}
_OWN = ("RAY_SERVE_", "RAYLLM_")
_RELEASE = r"(?a)\d+\.\d+\.\d+(?:-(?:py\d+|cpu|gpu|cu\d+|aarch64|extra))*"


class RayServe:
    """The engine. Pure: a launch in, observations out."""

    name = NAME
    unsupported = _UNSUPPORTED

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title=TITLE, states=_release)
        near = versions.nearest(NAME, version)
        release = near[0] if near is not None else None
        observations = list(identified)
        problems: list[Problem] = []
        rules: list[Rule] = []
        mapped, unmapped = 0, tuple[str, ...]()
        words = _model_words(launch)
        content = _file(launch)
        filed = config.read(content) if content is not None else config.Config()
        problems.extend(filed.problems)
        if words is None and len(filed.models) == 1:
            words = models.words(filed.models[0])
        if words is not None:
            below = models.inside(launch, words, release)
            observations.extend(below.observations)
            rules.extend(below.rules)
            problems.extend(below.problems)
            mapped, unmapped = below.mapped, below.unmapped
            observations.extend(models.defaults(release))
        else:
            observations.extend(environment(launch, prefixes=(*RELEVANT_PREFIXES, *_OWN)))
            said = commands.read(launch)
            observations.extend(said.observations)
            problems.extend(said.problems)
            mapped, unmapped = said.mapped, said.unmapped
        observations.extend(filed.observations)
        observations.extend(_defaults(release, exact=near is None or near[1], filed=filed, model=words is not None))
        known = release.variables if release is not None else _every_variable()
        counted, strange = own_variables(launch, _OWN, tuple(known))
        return Reading(
            observations=tuple(observations),
            rules=tuple(rules),
            problems=tuple(problems),
            version=version,
            mapped=mapped + filed.mapped,
            unmapped=(*unmapped, *filed.unmapped),
            variables=counted,
            strange=strange,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """The option of the configuration file, as its path has it; for vLLM's facts the name in ``engine_kwargs``."""
        if fact == OTHER:
            return None
        found = next((option.path for option in config.OPTIONS if option.fact == fact and not option.key), None)
        if found is not None:
            return found
        if fact in _PATHS:
            return _PATHS[fact]
        if fact.startswith("serving."):
            return None
        return models.flag_for(fact, _nearest(version))


ENGINE = RayServe()
_PATHS = {
    "model.source": "model_loading_config.model_source",
    "model.served_names": "model_loading_config.model_id",
    "orchestration.replicas.min": "autoscaling_config.min_replicas",
    "orchestration.replicas.max": "autoscaling_config.max_replicas",
    "hardware.gpu.model": "accelerator_type",
}


def _nearest(version: str | None) -> versions.Release | None:
    near = versions.nearest(NAME, version)
    return near[0] if near is not None else None


def _every_variable() -> tuple[str, ...]:
    known = versions.stable(NAME)
    return known.variables if known is not None else ()


def _release(image: ImageReference) -> str | None:
    """The release of Ray that an image states: ``rayproject/ray:2.46.0-py310-cu124``, ``ray-llm``, ``ray-ml``."""
    from askew.facts.values.version import image_tag_version

    own = image.name.rpartition("/")[2] in ("ray", "ray-llm", "ray-ml") and "/rayproject/" in image.name
    if image.tag is None or not own or re.fullmatch(_RELEASE, image.tag) is None:
        return None
    return image_tag_version(image.tag.partition("-")[0])


def _model_words(launch: Launch) -> tuple[Token, ...] | None:
    """The arguments of a model of Ray Serve LLM; None where the launch is no such model."""
    for index, token in enumerate(launch.argv[:4]):
        if token.text == "ray.serve.llm":
            return launch.argv[index + 1 :]
    return None


def _file(launch: Launch) -> Content | None:
    """The configuration: the file that the words name, or that of a RayService; alone, the only one."""
    if config.OF_SERVICE in launch.files:
        return launch.files[config.OF_SERVICE]
    if not launch.argv and len(launch.files) == 1:
        return next(iter(launch.files.values()))
    for token in launch.argv[2:]:
        if posixpath.splitext(token.text)[1] in (".yaml", ".yml", ".json"):
            return launch.file(token.text)
    return None


def _defaults(release: versions.Release | None, *, exact: bool, filed: config.Config, model: bool) -> list[Observation]:
    """What a configuration leaves out. Options of a deployment may stand in its code, which no source shows."""
    found = [
        Observation(fact=fact, value=value, origin="engine-default")
        for fact, value in (("serving.protocol", "http"), ("runtime.env", {}), (OTHER, {}))
    ]
    if release is None:
        return found
    for option in config.OPTIONS:
        state = release.arguments.get(option.path)
        deployment = "." not in option.path or option.path.startswith(("autoscaling", "request_router"))
        if state is None or state.kind == "rule" or state.value is None or (deployment and (model or not filed.single)):
            continue
        value = config.canonical(option, state.value)
        if value is None:
            continue
        sure: Confidence = (
            "certain" if exact and not deployment else "likely" if exact or not deployment else "possible"
        )
        because = ("unless the decorator in the application's code says otherwise",) if deployment else ()
        key = config.key_of(option, filed.single)
        found.append(
            Observation(
                fact=option.fact, key=key, value=value, origin="engine-default", locations=(release.where(state),),
                confidence="possible" if deployment else sure, because=because,
            )
        )  # fmt: skip
    found.extend(_scaled(release, filed))
    return found


def _scaled(release: versions.Release, filed: config.Config) -> list[Observation]:
    """The bounds of an autoscaler that the configuration asks for without saying them."""
    before = {"auto": "num_replicas=auto.", "config": "autoscaling_config."}.get(filed.scaled)
    if before is None:
        return []
    found = []
    for name, fact in (("min_replicas", "orchestration.replicas.min"), ("max_replicas", "orchestration.replicas.max")):
        state = release.arguments.get(before + name) or release.arguments.get("autoscaling_config." + name)
        if state is not None and isinstance(state.value, int):
            value: Value = state.value
            found.append(
                Observation(fact=fact, value=value, origin="engine-default", locations=(release.where(state),))
            )
    return found
