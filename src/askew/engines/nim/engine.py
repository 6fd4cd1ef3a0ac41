"""Reads launches of NVIDIA NIM: the image, its variables, a model profile, arguments passed on to vLLM."""

from __future__ import annotations

import functools
import shlex

import msgspec

from askew.engines.arguments import ARGPARSE, Table, parse, table
from askew.engines.composed import own_variables, read_variables
from askew.engines.interface import Reading
from askew.engines.nim.variables import INERT, OTHER, READS, VARIABLES, is_hash
from askew.engines.observe import RELEVANT_PREFIXES, Noted, environment, identity, read_arguments
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.images import read_image
from askew.resolve.observation import PRECEDENCE, Observation, Unknown
from askew.resolve.rule import Rule

_UNSUPPORTED = {
    "model.code_revision": "NIM takes the code with the model",
    "model.tokenizer.revision": "NIM takes the tokenizer with the model",
    "runtime.default_output_tokens": "NIM has no setting for it; the rest of the context bounds an answer",
    "runtime.max_input_tokens": "NIM bounds a prompt by the context length only",
    "runtime.max_output_tokens": "NIM bounds an answer by the context length only",
}
_LIST = "docker run --rm $IMAGE list-model-profiles"
_ASK = "GET /v1/metadata and /v1/version, or the start-up log, which names the selected profile"
_DOCS = Location("https://docs.nvidia.com/nim/large-language-models/latest/profiles.html")
_CONFIGURATION = Location("https://docs.nvidia.com/nim/large-language-models/1.15.0/configuration.html")
# A profile is below the variables that say the same ("Configuration Priority" of the advanced configuration).
_PROFILES = ("NIM_MODEL_PROFILE", "NIM_TAGS_SELECTOR")
_BELOW_VARIABLES = PRECEDENCE.index("env") * 10 + 5
# NIM_PASSTHROUGH_ARGS is below the command line and above the other variables.
_ABOVE_VARIABLES = PRECEDENCE.index("env") * 10 - 5
_BY_PROFILE = (
    *("runtime.engine.backend", "runtime.dtype", "runtime.quantization", "runtime.tensor_parallel_size"),
    *("runtime.pipeline_parallel_size",),
)
_BY_ENGINE = (
    *("runtime.max_num_seqs", "runtime.max_num_batched_tokens", "runtime.max_model_len", "runtime.chunked_prefill"),
    *("runtime.kv_cache.dtype", "runtime.attention_backend", "runtime.enforce_eager", "runtime.prefix_caching"),
    *("runtime.gpu_memory_utilization", "runtime.data_parallel_size", "runtime.speculative"),
)
# Containers that serve whatever model they are given.
_WITHOUT_MODEL = ("llm-nim", "vllm-nim", "sglang-nim", "trtllm-nim")
_OWN = ("NIM_",)


class NIM(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity("nim", launch, title="NIM", states=_release)
        words = arguments(launch)
        if words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        names = table((), ARGPARSE, title="NIM", version=version)
        plain = [flag for flag in VARIABLES if flag.names[0] not in _PROFILES]
        chosen = [flag for flag in VARIABLES if flag.names[0] in _PROFILES]
        said = read_variables(plain, launch, version, names, _never)
        below = read_variables(chosen, launch, version, names, _never)
        observations = [*identified, *said.observations, *_image_model(launch)]
        observations.extend(msgspec.structs.replace(one, rank=_BELOW_VARIABLES) for one in below.observations)
        passed = _passed_on(launch, words)
        observations.extend(passed.observations)
        expressed = [flag.names[0] for flag in VARIABLES]
        passing = launch.env.get("NIM_PASSTHROUGH_ARGS")
        if passing is not None and passing.unknown is None and passing.value is not None:
            expressed.append("NIM_PASSTHROUGH_ARGS")
        inert = [name for name in launch.env if name in _EXACT or name.startswith(_STARTS)]
        prefixes = (*RELEVANT_PREFIXES, *_OWN)
        observations.extend(environment(launch, expressed=expressed, inert=inert, prefixes=prefixes))
        observations.extend(_defaults(observations))
        known, strange = own_variables(launch, _OWN, (*expressed, *INERT, *READS))
        return Reading(
            observations=tuple(observations),
            rules=_rules(_chosen(launch)),
            problems=(*said.problems, *below.problems, *passed.problems),
            version=version,
            mapped=passed.mapped,
            unmapped=passed.unmapped,
            variables=known,
            strange=strange,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``: the variable that sets it."""
        if fact == OTHER:
            return None
        for flag in VARIABLES:
            if flag.fact == fact:
                return flag.names[0]
        return {
            "model.source": "NIM_MODEL_NAME", "model.id": "NIM_MODEL_NAME", "runtime.lora.enabled": "NIM_PEFT_SOURCE",
            "runtime.dtype": "NIM_MODEL_PROFILE", "runtime.quantization": "NIM_MODEL_PROFILE",
        }.get(fact)  # fmt: skip


ENGINE = NIM("nim", _UNSUPPORTED)

_EXACT = frozenset(name for name in INERT if not name.endswith("*"))
_STARTS = tuple(name[:-1] for name in INERT if name.endswith("*"))


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after ``nim-serve``, which vLLM takes; none where the entrypoint or a script runs without words."""
    for index, token in enumerate(launch.argv):
        name = token.text.rpartition("/")[2]
        if name == "nim-serve":
            return launch.argv[index + 1 :]
        if name in ("start-server.sh", "start_server.sh") or token.text.startswith("nim_llm"):
            return ()
    if not launch.argv or launch.implicit_entrypoint:
        return launch.argv if launch.argv and launch.argv[0].text.startswith("-") else ()
    return None


def _never(text: str) -> bool:
    raise ValueError(f"expected 1 or 0, got {text!r}")


def _release(reference: ImageReference) -> str | None:
    """The version of the container, which counts per model and is none of vLLM, TensorRT-LLM or SGLang."""
    from askew.facts.values.version import image_tag_version

    return image_tag_version(reference.tag) if reference.tag and "/nim/" in f"/{reference.repository}" else None


def _image_model(launch: Launch) -> list[Observation]:
    """The model that the image is made for: ``nvcr.io/nim/meta/llama-3.1-8b-instruct`` serves that name."""
    reference = read_image(launch.image)
    if reference is None or launch.image is None:
        return []
    _, sign, path = f"/{reference.repository}".rpartition("/nim/")
    if not sign or path.count("/") != 1 or path.rpartition("/")[2] in _WITHOUT_MODEL:
        return []
    where = (launch.image.location, *launch.image.via)
    because = ("the image serves this one model",)
    return [
        Observation(fact="model.id", value=path, origin="derived", locations=where, because=because),
        Observation(
            fact="model.served_names", value=[path], origin="derived", locations=where, confidence="likely",
            because=because,
        ),
    ]  # fmt: skip


@functools.lru_cache(maxsize=1)
def _passed() -> Table:
    """vLLM's arguments of any release: which vLLM an image holds, its version does not say."""
    from askew.engines.vllm.engine import DIALECT
    from askew.engines.vllm.flags import FLAGS

    return table(FLAGS, DIALECT, title="vLLM in NIM", version=None)


def _passed_on(launch: Launch, words: tuple[Token, ...]) -> Noted:
    """Arguments for vLLM: of the command line, and below them those of ``NIM_PASSTHROUGH_ARGS``.

    A name that the table lacks is no fault: the container's vLLM may have it.
    """
    variable = launch.env.get("NIM_PASSTHROUGH_ARGS")
    given: list[Token] = []
    if variable is not None and variable.value and variable.unknown is None:
        try:
            given = [Token(word, variable.location, None, variable.via) for word in shlex.split(variable.value)]
        except ValueError:
            given = [Token(word, variable.location, None, variable.via) for word in variable.value.split()]
    if not given and not words:
        return Noted()
    first = read_arguments(parse(given, _passed()), engine="vLLM in NIM", origin="env")
    noted = read_arguments(parse(words, _passed()), engine="vLLM in NIM")
    passed = tuple(msgspec.structs.replace(one, rank=_ABOVE_VARIABLES) for one in first.observations)
    problems = (*first.problems, *noted.problems)
    return Noted(
        (*passed, *noted.observations),
        tuple(one for one in problems if one.kind not in ("unknown-argument", "removed-argument")),
        first.mapped + noted.mapped,
        (*first.unmapped, *noted.unmapped),
    )


def _defaults(found: list[Observation]) -> list[Observation]:
    """What the documentation says of a variable that nobody sets."""
    rows: tuple[tuple[str, Value], ...] = (
        ("serving.port", 8000),
        ("serving.protocol", "http"),
        ("serving.tls", False),
        ("serving.api_key_required", False),
        ("runtime.lora.enabled", False),
        ("runtime.arguments.unmapped", {}),
        ("runtime.env", {}),
        ("model.trust_remote_code", False),
    )
    return [
        Observation(
            fact=fact, value=value, origin="engine-default", locations=(_CONFIGURATION,), confidence="likely"
        )
        for fact, value in rows
    ]  # fmt: skip


def _chosen(launch: Launch) -> str:
    """Why the profile is not known: it is named by a digest, or chosen at start."""
    variable = launch.env.get("NIM_MODEL_PROFILE")
    text = (variable.value or "") if variable is not None else ""
    if is_hash(text):
        return f"the profile {text[:12]}… is named by a digest; the image knows what it is"
    return "the container chooses a profile at start, by its GPUs and the precision; nothing names one"


@functools.lru_cache(maxsize=32)
def _rules(reason: str) -> tuple[Rule, ...]:
    found = [
        Rule(
            fact=fact, needs=(), compute=functools.partial(_unknown, reason, _LIST + "; " + _ASK),
            because="part of the model profile", location=_DOCS,
        )
        for fact in _BY_PROFILE
    ]  # fmt: skip
    decided = "decided by the engine of the profile, whose release the container's version does not state"
    found.extend(
        Rule(
            fact=fact, needs=(), compute=functools.partial(_unknown, decided, _ASK),
            because="a default of the engine inside", location=_DOCS,
        )
        for fact in _BY_ENGINE
    )  # fmt: skip
    return tuple(found)


def _unknown(reason: str, look: str, known: object) -> Unknown:
    return Unknown(reason, look)
