"""Reads launches of TEI: the router's arguments, and the variables that mean the same."""

from __future__ import annotations

import functools

import msgspec

from askew.engines import hub, versions
from askew.engines.arguments import CLAP, Table, table
from askew.engines.clap import boolean
from askew.engines.composed import composed
from askew.engines.interface import Reading
from askew.engines.observe import identity
from askew.engines.tei.defaults import default_rules, defaults, era, forced
from askew.engines.tei.flags import FLAGS, OTHERS, VARIABLES
from askew.engines.tei.image import Made, made
from askew.evidence.launch import Launch, Token
from askew.facts.types import Value
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Problem

_NO_TEXT = "TEI generates no text"
_ONE_GPU = "TEI runs a model on one GPU; more copies are more processes"
_UNSUPPORTED = {
    "model.code_revision": "TEI takes one revision for everything: --revision",
    "model.tokenizer.source": "TEI loads the tokenizer with the model",
    "model.tokenizer.mode": "TEI uses the fast tokenizer",
    "model.chat_template.source": _NO_TEXT,
    "runtime.quantization": "TEI does not quantize; a checkpoint's own dtype is converted to --dtype",
    "runtime.kv_cache.dtype": "TEI keeps no KV cache",
    "runtime.gpu_memory_utilization": "TEI takes the memory that a batch needs; there is no share to set",
    "runtime.tensor_parallel_size": _ONE_GPU,
    "runtime.pipeline_parallel_size": _ONE_GPU,
    "runtime.data_parallel_size": _ONE_GPU,
    "runtime.expert_parallel": _ONE_GPU,
    "runtime.chunked_prefill": "TEI computes every input in one step",
    "runtime.prefix_caching": "TEI keeps no KV cache",
    "runtime.enforce_eager": "TEI has no CUDA graphs",
    "runtime.attention_backend": "TEI chooses it by build and model; USE_FLASH_ATTENTION is its only switch",
    "runtime.speculative": _NO_TEXT,
    "runtime.cpu_offload.bytes": "TEI keeps all weights on the device",
    "runtime.swap.bytes": "TEI keeps no KV cache",
    "runtime.generation_config": _NO_TEXT,
    "runtime.sampling_defaults": _NO_TEXT,
    "runtime.reasoning_parser": _NO_TEXT,
    "runtime.tool_call_parser": _NO_TEXT,
    "runtime.lora.enabled": "TEI has no adapters",
    "runtime.lora.max_rank": "TEI has no adapters",
    "runtime.rope_override": "TEI takes RoPE from the model",
    "runtime.hf_overrides": "TEI reads config.json as it is",
    "runtime.seed": _NO_TEXT,
    "runtime.load_format": "TEI loads safetensors, and ONNX or PyTorch files where there are none",
    "runtime.max_input_tokens": "the longest input is the model's own; --auto-truncate cuts longer ones",
    "runtime.max_output_tokens": _NO_TEXT,
    "runtime.default_output_tokens": _NO_TEXT,
    "runtime.async_scheduling": "TEI has no such setting",
}
_PROGRAM = "text-embeddings-router"
_FORCED = -1  # above everything that is written
# Variables whose text is a word, whatever its case.
_WORDS = frozenset(("USE_FLASH_ATTENTION",))


class TEI(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        said = made(launch.image)
        identified, version = identity("tei", launch, title="TEI", states=lambda reference: said.release)
        words = arguments(launch)
        if words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        now = era(said)
        reading = composed(
            launch, words, table_of(version or (now.release.version if now else None)), identified=identified,
            version=version, variables=(*FLAGS, *VARIABLES), boolean=_boolean, own=OTHERS, reads=OTHERS,
        )  # fmt: skip
        observations = [_settled(one) for one in reading.observations]
        observations.extend(hub.sources(observations))
        observations.extend(hub.unpinned(observations))
        cap, problems = _forced(observations, said)
        return msgspec.structs.replace(
            reading, observations=(*observations, *cap, *defaults(said)), rules=default_rules(said),
            problems=(*reading.problems, *problems),
        )  # fmt: skip

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. Where only a variable sets it: its name."""
        names = table_of(version).names
        if fact == "model.source":
            return "--model-id"
        for flag in FLAGS:
            entry = names.get(flag.names[0])
            if flag.fact == fact and not flag.key and entry is not None and entry.alive and entry.current:
                return flag.names[0]
        known = versions.releases("tei")
        for flag in VARIABLES:
            if flag.fact == fact and versions.has(flag.since, flag.until, version, known):
                return flag.names[0]
        return None


ENGINE = TEI("tei", _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after the router; None where the words start something else."""
    for index, token in enumerate(launch.argv):
        if token.text.rpartition("/")[2].startswith(_PROGRAM):
            return launch.argv[index + 1 :]
    if not launch.argv or (launch.implicit_entrypoint and launch.argv[0].text.startswith("-")):
        return launch.argv
    # The image's entrypoint gets these words: one that may hold arguments, or a word that the router refuses.
    return launch.argv if launch.implicit_entrypoint and launch.argv[0].unknown is not None else None


@functools.lru_cache(maxsize=16)
def table_of(version: str | None) -> Table:
    """The arguments of a release, or of all where it is not known."""
    return table(FLAGS, CLAP, title="TEI", version=version, releases=versions.releases("tei"))


def _boolean(text: str) -> bool:
    return boolean((text,)) is True


def _settled(found: Observation) -> Observation:
    """A name of a revision that moves pins nothing; the limit on bodies is the engine's, one hop of several."""
    if found.fact == "serving.max_body.bytes":
        return msgspec.structs.replace(found, hop="engine")
    if found.key in _WORDS and isinstance(found.value, str):
        return msgspec.structs.replace(found, value="true" if found.value.lower() in ("true", "1") else "false")
    return hub.pinned(found)


def _forced(observations: list[Observation], said: Made) -> tuple[tuple[Observation, ...], tuple[Problem, ...]]:
    """On a CPU the back end has a largest batch, which holds whatever is asked for ("forcing max_batch_requests")."""
    found = forced(era(said), said)
    if found is None:
        limit: Value | Unknown = None
        if said.kind == "cpu":
            limit = Unknown("a back end for CPUs may have a largest batch of its own", "curl -s $URL/info")
        return (Observation(fact="runtime.max_num_seqs", value=limit, origin="engine-default"),), ()
    value, where = found
    written = [one for one in observations if one.fact == "runtime.max_num_seqs"]
    cap = Observation(
        fact="runtime.max_num_seqs", value=value, origin="engine-default", locations=(where,),
        rank=_FORCED if written else None, because=("the back end for CPUs runs no larger batch",),
    )  # fmt: skip
    problems = tuple(
        Problem(
            kind="ignored-argument",
            message="TEI does not take --max-batch-requests on a CPU: the back end has a largest batch of its own",
            locations=one.locations,
            argument="--max-batch-requests",
            value=one.raw,
            fact="runtime.max_num_seqs",
        )
        for one in written
        if one.value != value
    )
    return (cap,), problems
