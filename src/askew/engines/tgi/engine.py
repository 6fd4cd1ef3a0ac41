"""Reads launches of TGI: the launcher's arguments, and the variables that mean the same."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import msgspec

from askew.engines import hub, versions
from askew.engines.arguments import CLAP, Given, Parsed, Table, parse, places, table
from askew.engines.clap import boolean
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.observe import (
    RELEVANT_PREFIXES,
    Noted,
    environment,
    identity,
    is_inert,
    read_arguments,
    read_given,
    strays,
)
from askew.engines.tgi.defaults import WIGGLE_ROOM, build, default_rules, defaults, ratio_text, sagemaker
from askew.engines.tgi.flags import FLAGS, HARDWARE, VARIABLES
from askew.evidence.launch import Launch, Token, Variable
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.observation import Observation
from askew.resolve.workload import Problem

_UNSUPPORTED = {
    "model.code_revision": "TGI loads remote code at --revision",
    "model.served_names": "TGI answers to any model name",
    "model.tokenizer.source": "TGI loads the tokenizer with the model",
    "model.tokenizer.mode": "TGI uses the fast tokenizer",
    "runtime.pipeline_parallel_size": "TGI splits a model by tensor parallelism only",
    "runtime.data_parallel_size": "TGI runs one copy of the model; more copies are more processes",
    "runtime.expert_parallel": "TGI has no expert parallelism",
    "runtime.cpu_offload.bytes": "TGI keeps all weights on the GPU",
    "runtime.swap.bytes": "TGI has no swap space: it admits only what fits",
    "runtime.generation_config": "TGI takes sampling parameters from requests only",
    "runtime.sampling_defaults": "TGI takes sampling parameters from requests only",
    "runtime.reasoning_parser": "TGI does not separate reasoning from the answer",
    "runtime.tool_call_parser": "TGI constrains tool calls by grammar; it has no parsers to choose from",
    "runtime.lora.max_rank": "TGI has no limit on the rank of adapters",
    "runtime.hf_overrides": "TGI reads config.json as it is",
    "runtime.seed": "TGI takes seeds from requests only",
    "runtime.load_format": "TGI loads safetensors, and converts other files first",
    "runtime.max_output_tokens": "TGI bounds prompt plus output by --max-total-tokens",
    "runtime.async_scheduling": "TGI has no such setting",
}

_SPREAD = {
    "model.source": "--model-id",
    "model.lora_adapters": "--lora-adapters",
    "runtime.lora.enabled": "--lora-adapters",
    "runtime.speculative": "--speculate",
}

# Variables of the server and of its builds for other hardware, beside those that all engines share.
_OWN = (
    "USE_FLASH_ATTENTION FLASH_DECODING FLASH_INFER DISABLE_EXLLAMA EXLLAMA_ REQUEST_LOGPROBS ENABLE_HPU_GRAPH "
    "LIMIT_HPU_GRAPH BATCH_BUCKET_SIZE PREFILL_BATCH_BUCKET_SIZE PAD_SEQUENCE_TO_MULTIPLE_OF SKIP_TOKENIZER_IN_TGI "
    "MAX_BATCH_ XPU_MEMORY_FRACTION MESSAGES_API_ENABLED AIP_"
)
_PREFIXES = (*RELEVANT_PREFIXES, *_OWN.split())
_INERT = frozenset(("HF_HUB_USER_AGENT_ORIGIN", "NVIDIA_DRIVER_CAPABILITIES"))


class TGI(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        launch = _as_launched_on_sagemaker(launch)
        identified, version = identity("tgi", launch, title="TGI", states=_release)
        title = f"TGI {version}" if version else "TGI"
        words = arguments(launch)
        if words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        parsed = parse(words, table_of(version))
        noted = read_arguments(parsed, engine=title)
        said = _read_variables(launch, version, title)
        observations = [*identified, *(_settled(one) for one in (*noted.observations, *said.observations))]
        overlooked = _overlooked(observations, version, title)
        observations = [one for one in observations if not (overlooked and one.fact in _GRAPH_FACTS)]
        others = environment(launch, expressed=_expressed(), inert=_INERT, prefixes=_PREFIXES)
        observations.extend(_one_spelling(one) for one in others)
        observations.extend(hub.sources(observations))
        made = build(launch.image)
        stated = frozenset(one.fact for one in observations if not one.key)
        observations.extend(defaults(version, made, stated, sagemaker(launch.image)))
        observations.extend(hub.unpinned(observations))
        problems = (*noted.problems, *said.problems, *strays(parsed, title), *_both(parsed, launch, title))
        known, strange = _variables(launch)
        return Reading(
            observations=tuple(observations),
            rules=default_rules(version, made),
            problems=(*problems, *overlooked),
            version=version,
            mapped=noted.mapped + said.mapped,
            unmapped=noted.unmapped,
            variables=known,
            strange=strange,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. Where only a variable sets it: its name."""
        names = table_of(version).names
        spread = _SPREAD.get(fact)
        for flag in FLAGS:  # the entries of a map have an argument each, and none sets the whole
            if (flag.fact == fact and not flag.key) if spread is None else flag.names[0] == spread:
                entry = names.get(flag.names[0])
                if entry is not None and entry.alive and entry.current:
                    return flag.names[0]
        alive = _releases()
        for flag in VARIABLES:
            if flag.fact == fact and versions.has(flag.since, flag.until, version, alive) and not flag.until:
                return flag.names[0]
        return None


ENGINE = TGI("tgi", _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after the launcher; None where the words start something else."""
    for index, token in enumerate(launch.argv):
        if token.text.rpartition("/")[2] in ("text-generation-launcher", "tgi-entrypoint.sh"):
            return launch.argv[index + 1 :]
    if not launch.argv or (launch.implicit_entrypoint and launch.argv[0].text.startswith("-")):
        return launch.argv
    # The image's entrypoint gets these words: one that may hold arguments, or a word that the launcher refuses.
    return launch.argv if launch.implicit_entrypoint and launch.argv[0].unknown is not None else None


# What the entrypoint of the images for SageMaker makes of its variables, ``sagemaker-entrypoint.sh``.
_SAGEMAKER = {
    "HF_MODEL_ID": "MODEL_ID",
    "HF_MODEL_REVISION": "REVISION",
    "SM_NUM_GPUS": "NUM_SHARD",
    "HF_MODEL_QUANTIZE": "QUANTIZE",
    "HF_MODEL_TRUST_REMOTE_CODE": "TRUST_REMOTE_CODE",
}


def _as_launched_on_sagemaker(launch: Launch) -> Launch:
    """The launch with the launcher's variables, as the entrypoint of an image for SageMaker sets them."""
    if not sagemaker(launch.image) or not _SAGEMAKER.keys() & launch.env.keys():
        return launch
    env = {name: variable for name, variable in launch.env.items() if name not in _SAGEMAKER}
    for alias, name in _SAGEMAKER.items():
        given = launch.env.get(alias)
        if given is not None and given.value != "":
            env[name] = given
    return msgspec.structs.replace(launch, env=env)


def _release(reference: ImageReference) -> str | None:
    """Tags of Hugging Face's images, also for Gaudi, are the launcher's releases; Neuron's count their own.

    Amazon's say it behind PyTorch's: ``2.6.0-tgi3.2.3-gpu-py311-cu124-ubuntu22.04``.
    """
    from askew.facts.values.version import image_tag_version

    inside = re.search(r"(?:^|-)tgi(\d+\.\d+\.\d+)(?=-|$)", reference.tag or "")
    if inside is not None and "neuron" not in reference.repository:
        return inside[1]
    name = reference.repository.rpartition("/")[2]
    if name not in ("text-generation-inference", "tgi-gaudi") and not name.startswith("text-generation-inference-"):
        return None
    return image_tag_version(reference.tag) if reference.tag else None


def _releases() -> tuple[str, ...]:
    looked_at = versions.stable("tgi")
    return looked_at.releases if looked_at else ()


@functools.lru_cache(maxsize=8)
def table_of(version: str | None) -> Table:
    """The launcher's arguments in a release, or in all where it is not known."""
    return table(FLAGS, CLAP, title="TGI", version=version, releases=_releases())


@functools.cache
def _expressed() -> frozenset[str]:
    return frozenset((*(flag.env for flag in FLAGS if flag.env), *(flag.names[0] for flag in VARIABLES)))


def _read_variables(launch: Launch, version: str | None, title: str) -> Noted:
    """The arguments given as variables. An argument on the command line wins by its origin."""
    observations: list[Observation] = []
    problems: list[Problem] = []
    mapped = 0
    releases = _releases()
    for flag in (*FLAGS, *VARIABLES):
        name = flag.env or (flag.names[0] if not flag.names[0].startswith("-") else "")
        variable = launch.env.get(name) if name else None
        if variable is None or (version is None and flag.until):
            continue
        if not versions.has(flag.since, flag.until, version, releases):
            if flag in VARIABLES and flag.until and not versions.has("", flag.until, version, releases):
                problems.append(_not_read(flag, variable, title))
            continue
        mapped += 1
        if flag.irrelevant:
            continue
        noted = _read_variable(flag, variable, title)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    return Noted(tuple(observations), tuple(problems), mapped)


def _read_variable(flag: Flag, variable: Variable, title: str) -> Noted:
    unknown = variable.unknown or (
        None if variable.value is not None else f"the value of {variable.name} could not be seen"
    )
    word = Token(variable.value or "", variable.location, unknown, variable.via)
    name = Token(variable.name, variable.location)
    if flag.takes != "switch":
        given = Given(flag=flag, name=name, spelled=variable.name, values=(word,))
        return read_given(given, engine=title, origin="env")
    # A switch given by a variable is exactly "true" or "false" (clap's BoolValueParser).
    wanted = Flag(names=(variable.name,), fact=flag.fact, key=flag.key, read=_switched(flag.implies))
    noted = read_given(Given(flag=wanted, name=name, spelled=variable.name, values=(word,)), engine=title, origin="env")
    fixed = tuple(
        msgspec.structs.replace(
            one, suggestion="true" if word.text.strip().lower() in ("1", "yes", "on", "y", "t") else "false"
        )
        if one.kind == "invalid-value"
        else one
        for one in noted.problems
    )
    return Noted(noted.observations, fixed)


def _switched(implies: Value) -> Callable[[tuple[str, ...]], Value]:
    def read(words: tuple[str, ...]) -> Value:
        if boolean(words):
            return implies
        return not implies if isinstance(implies, bool) else None

    return read


def _not_read(flag: Flag, variable: Variable, title: str) -> Problem:
    """A variable that earlier releases read: what is set there does nothing."""
    return Problem(
        kind="ignored-argument",
        message=f"{title} does not read {variable.name}" + (f": write {flag.replaced_by}" if flag.replaced_by else ""),
        locations=(variable.location, *variable.via),
        argument=variable.name,
        value=variable.value or "",
        suggestion=flag.replaced_by,
        fact=flag.fact,
    )


_GRAPH_FACTS = ("runtime.cuda_graph.sizes", "runtime.enforce_eager")


def _overlooked(observations: list[Observation], version: str | None, title: str) -> tuple[Problem, ...]:
    """2.0.0 and 2.0.1 took --cuda-graphs together with --quantize only, and the default sizes otherwise.

    ``match (&args.cuda_graphs, &args.quantize)`` of ``launcher/src/main.rs``.
    """
    if version not in ("2.0.0", "2.0.1") or any(one.fact == "runtime.quantization" for one in observations):
        return ()
    given = next((one for one in observations if one.fact == "runtime.cuda_graph.sizes"), None)
    if given is None:
        return ()
    return (
        Problem(
            kind="ignored-argument",
            message=f"{title} takes --cuda-graphs only together with --quantize: the default sizes hold",
            locations=given.locations,
            argument="--cuda-graphs",
            value=given.raw,
            fact=given.fact,
        ),
    )


def _one_spelling(found: Observation) -> Observation:
    if found.key != WIGGLE_ROOM or not isinstance(found.value, str):
        return found
    return msgspec.structs.replace(found, value=ratio_text(found.value))


# Names under which TGI's own variables begin, beside those that set an argument.
_OWN_STARTS = ("TGI_", "PREFIX_CACHING", "PREFILL_CHUNKING", "USE_PREFIX_CACHING", "EXLLAMA_", "MAX_BATCH_")


def _variables(launch: Launch) -> tuple[int, tuple[str, ...]]:
    """How many of TGI's own variables no table knows, and how many one does."""
    looked_at = versions.stable("tgi")
    known = {*(looked_at.variables if looked_at else ()), *_expressed(), *HARDWARE}
    counted = sum(name in known and not is_inert(name) for name in launch.env)
    strange = tuple(name for name in launch.env if name.startswith(_OWN_STARTS) and name not in known)
    return counted, tuple(name for name in strange if not is_inert(name))


def _settled(found: Observation) -> Observation:
    """A name of a revision that moves pins nothing; the limit on bodies is the engine's, one hop of several."""
    if found.fact == "serving.max_body.bytes":
        return msgspec.structs.replace(found, hop="engine")
    return hub.pinned(found)


def _both(parsed: Parsed, launch: Launch, title: str) -> tuple[Problem, ...]:
    """The launcher ends when the old and the new name of the prompt limit are both given, whatever their values."""
    places_of: dict[str, tuple[Token, ...]] = {}
    for given in parsed.given:
        places_of[given.flag.names[0]] = (given.name,)
    for name in ("--max-input-tokens", "--max-input-length"):
        variable = launch.env.get(name[2:].replace("-", "_").upper())
        if name not in places_of and variable is not None:
            places_of[name] = (Token(variable.name, variable.location),)
    if "--max-input-tokens" not in places_of or "--max-input-length" not in places_of:
        return ()
    tokens = (*places_of["--max-input-length"], *places_of["--max-input-tokens"])
    return (
        Problem(
            kind="malformed",
            message=f"{title} refuses max_input_tokens together with max_input_length: they are one setting",
            locations=places(*tokens),
            argument="--max-input-length",
            suggestion="--max-input-tokens",
            fact="runtime.max_input_tokens",
        ),
    )
