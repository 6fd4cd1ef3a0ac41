"""Reads launches of TensorRT-LLM: ``trtllm-serve``, its options file, ``trtllm-build`` and built engines."""

from __future__ import annotations

import functools
import re

import msgspec

from askew.engines import hub, versions
from askew.engines.arguments import Dialect, Parsed, Table, parse, table
from askew.engines.composed import own_variables, stray_words
from askew.engines.interface import Reading
from askew.engines.observe import RELEVANT_PREFIXES, Noted, environment, identity, read_arguments
from askew.engines.tensorrt_llm import files
from askew.engines.tensorrt_llm.defaults import build_defaults, default_rules, defaults
from askew.engines.tensorrt_llm.flags import BUILD, FILES, OTHER, SERVE
from askew.evidence.launch import Launch, Token
from askew.facts.values.image import ImageReference
from askew.resolve.observation import PRECEDENCE, Observation, Unknown
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem

_UNSUPPORTED = {
    "model.code_revision": "TensorRT-LLM loads remote code with the model",
    "runtime.cpu_offload.bytes": "TensorRT-LLM keeps all weights on the GPU",
    "runtime.generation_config": "TensorRT-LLM has no such setting",
    "runtime.sampling_defaults": "TensorRT-LLM has no setting for it; requests bring their own",
    "runtime.default_output_tokens": "TensorRT-LLM has no setting for it; the rest of the context bounds an answer",
    "runtime.max_output_tokens": "TensorRT-LLM bounds an answer by --max_seq_len only",
    "runtime.max_concurrent_requests": "TensorRT-LLM queues without a limit",
    "runtime.rope_override": "TensorRT-LLM takes RoPE from the model",
    "runtime.seed": "TensorRT-LLM takes seeds from requests only",
}
_BY_FIELD = {
    "runtime.dtype": "dtype",
    "runtime.quantization": "quant_config.quant_algo",
    "runtime.kv_cache.dtype": "kv_cache_config.dtype",
    "runtime.kv_cache.tokens": "kv_cache_config.max_tokens",
    "runtime.kv_cache.block_size": "kv_cache_config.tokens_per_block",
    "runtime.swap.bytes": "kv_cache_config.host_cache_size",
    "runtime.prefix_caching": "kv_cache_config.enable_block_reuse",
    "runtime.async_scheduling": "disable_overlap_scheduler",
    "runtime.enforce_eager": "cuda_graph_config",
    "runtime.cuda_graph.sizes": "cuda_graph_config.batch_sizes",
    "runtime.attention_backend": "attn_backend",
    "runtime.structured_output_backend": "guided_decoding_backend",
    "runtime.speculative": "speculative_config",
    "runtime.scheduler": "scheduler_config.capacity_scheduler_policy",
    "runtime.lora.enabled": "enable_lora",
    "runtime.lora.max_rank": "lora_config.max_lora_rank",
    "runtime.lora.max_adapters": "lora_config.max_loras",
    "runtime.load_format": "load_format",
    "runtime.hf_overrides": "model_kwargs",
    "model.tokenizer.mode": "tokenizer_mode",
    "model.tokenizer.revision": "tokenizer_revision",
}
# click 8: exact names, `--x v` and `--x=v`; a later one wins. https://click.palletsprojects.com
_CLICK = Dialect(name="click", abbreviations=False, spaced_is_word=False)
_ARGPARSE = Dialect(name="argparse", abbreviations=True)
_PROGRAMS = re.compile(r"(?:\S*/)?trtllm-(serve|build)|tensorrt_llm\.commands\.(serve|build)")
_COMMANDS = frozenset(("serve", "disaggregated", "disaggregated_mpi_worker", "mm_embedding_serve", "grpc"))
# `trtllm-serve` without a command is `trtllm-serve serve` (DefaultGroup of tensorrt_llm/commands/serve.py).
_ROUTERS = frozenset(("disaggregated", "disaggregated_mpi_worker"))
_OWN = ("TRTLLM_", "TLLM_", "TRT_LLM_")
_INERT = (
    *("TLLM_LOG_LEVEL", "TLLM_LOG_LEVEL_BY_MODULE", "TLLM_DEBUG_MODE", "TLLM_PROFILE_*", "TLLM_NVTX_DEBUG"),
    *("TLLM_LLMAPI_ENABLE_NVTX", "TLLM_TORCH_PROFILE_TRACE", "TLLM_TRACE_MODEL_FORWARD", "TLLM_NVTX_*"),
    *("TLLM_LLMAPI_BUILD_CACHE_*", "TRTLLM_KVCACHE_TIME_OUTPUT_PATH", "TRTLLM_NO_USAGE_STATS", "TRTLLM_USAGE_*"),
)
# The file wins over the command line: "Path to a YAML file that overwrites the parameters specified by trtllm-serve".
_ABOVE_ARGUMENTS = PRECEDENCE.index("explicit") * 10 - 5


class TensorRTLLM(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity("tensorrt-llm", launch, title="TensorRT-LLM", states=_release)
        if not launch.argv and launch.files:
            return _read_files(launch, identified)
        split = arguments(launch)
        if split is None:
            from askew.engines.unrecognised import read

            return read(launch)
        program, words = split
        flags = _table(program == "build", version)
        parsed = parse(words, flags)
        noted = read_arguments(parsed, engine=flags.title)
        if program == "build":
            return _reading(launch, parsed, noted, identified, version, flags, defaults_=build_defaults(version))
        options = _options(parsed, launch, program)
        named, engine = options or Noted(), _engine_config(parsed, launch)
        # The file is told by what it holds, or by why that is not known; its name says nothing.
        said = [one for one in noted.observations if options is None or (one.fact, one.key) != (OTHER, "--config")]
        observations = [*said, *named.observations, *engine.observations, *_model(parsed)]
        observations = [hub.pinned(one) for one in observations]
        rules: tuple[Rule, ...] = ()
        standing: tuple[Observation, ...] = ()
        hidden = any(one.fact == OTHER and isinstance(one.value, Unknown) for one in named.observations)
        if hidden:
            observations = [_doubted(one) for one in observations]
        elif program not in _ROUTERS:
            rules, standing = default_rules(version), defaults(version)
            observations.extend(hub.unpinned(observations))
        else:
            observations.append(
                Observation(fact="runtime.role", value="router", origin="derived", locations=(launch.location,))
            )
        noted = Noted(
            tuple(observations),
            (*noted.problems, *named.problems, *engine.problems),
            noted.mapped,
            noted.unmapped,
        )
        return _reading(launch, parsed, noted, identified, version, flags, rules=rules, defaults_=standing)

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. A field of the options file where no argument sets it."""
        if fact == OTHER:
            return None
        for flag in SERVE:
            if flag.fact == fact and not flag.irrelevant:
                return flag.names[0]
        if fact == "runtime.expert_parallel":
            return "--moe_expert_parallel_size"
        if fact == "model.source":
            return None
        return _BY_FIELD.get(fact)


ENGINE = TensorRTLLM("tensorrt-llm", _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[str, tuple[Token, ...]] | None:
    """Which program is started (``build`` or a command of the server), and its words; None for another program."""
    for index, token in enumerate(launch.argv):
        match = _PROGRAMS.fullmatch(token.text)
        if match is None:
            continue
        rest = launch.argv[index + 1 :]
        if (match[1] or match[2]) == "build":
            return "build", rest
        if rest and rest[0].text in _COMMANDS:
            return rest[0].text, rest[1:]
        return "serve", rest
    return None


def _reading(
    launch: Launch,
    parsed: Parsed,
    noted: Noted,
    identified: tuple[Observation, ...],
    version: str | None,
    flags: Table,
    *,
    rules: tuple[Rule, ...] = (),
    defaults_: tuple[Observation, ...] = (),
) -> Reading:
    inert = [name for name in _INERT if not name.endswith("*")]
    inert += [name for name in launch.env if name.startswith(tuple(one[:-1] for one in _INERT if one.endswith("*")))]
    variables = environment(launch, inert=inert, prefixes=(*RELEVANT_PREFIXES, *_OWN))
    # Every variable of these prefixes is the engine's, and is compared as text.
    known, _ = own_variables(launch, _OWN, ("TRTLLM_*", "TLLM_*", "TRT_LLM_*"))
    positionals = 0 if flags.dialect is _ARGPARSE else 1
    return Reading(
        observations=(*identified, *noted.observations, *variables, *defaults_),
        rules=rules,
        problems=(*noted.problems, *stray_words(parsed, flags.title, positionals)),
        version=version,
        mapped=noted.mapped,
        unmapped=noted.unmapped,
        variables=known,
    )


def _release(reference: ImageReference) -> str | None:
    """Tags of NVIDIA's ``tensorrt-llm/release`` images are the package's releases (``1.1.0``, ``v0.20.0``)."""
    from askew.facts.values.version import image_tag_version

    name = reference.repository.removesuffix("/release").rpartition("/")[2]
    if name not in ("tensorrt-llm", "tensorrt_llm"):
        return None
    return image_tag_version(reference.tag) if reference.tag else None


@functools.lru_cache(maxsize=8)
def _table(build: bool, version: str | None) -> Table:
    flags, dialect, title = (BUILD, _ARGPARSE, "trtllm-build") if build else (SERVE, _CLICK, "TensorRT-LLM")
    return table(flags, dialect, title=title, version=version, releases=versions.releases("tensorrt-llm"))


def _options(parsed: Parsed, launch: Launch, program: str) -> Noted | None:
    """The options file, None where none is named; what is in it wins over the arguments."""
    given = next((one for one in reversed(parsed.given) if one.spelled in FILES and one.values), None)
    if given is None or program in _ROUTERS:
        return None
    path = given.values[0]
    if path.unknown is not None:
        return Noted((files.unseen(path.text, path.location, path.unknown),))
    content = launch.file(path.text)
    if content is None:
        return Noted((files.unseen(path.text, path.location, "is not among the files that the sources show"),))
    return files.options(content, rank=_ABOVE_ARGUMENTS)


def _doubted(found: Observation) -> Observation:
    """What an argument says, where an options file that no source shows may say otherwise and win."""
    if found.origin != "explicit" or found.fact.startswith(("serving.", "model.id", "model.source")):
        return found
    because = (*found.because, "the options file, which no source shows, wins over it")
    return msgspec.structs.replace(found, confidence="likely", because=because)


def _engine_config(parsed: Parsed, launch: Launch) -> Noted:
    """``config.json`` of the engine that is served, where the model is a folder that a source shows."""
    if not parsed.positionals or parsed.positionals[0].unknown is not None:
        return Noted()
    folder = parsed.positionals[0].text.rstrip("/")
    content = launch.file(f"{folder}/config.json")
    return files.built(content) if content is not None and files.is_engine(content) else Noted()


def _read_files(launch: Launch, identified: tuple[Observation, ...]) -> Reading:
    """Files that stand alone: the configuration of a built engine, or an options file."""
    observations: list[Observation] = [one for one in identified if one.fact == "runtime.engine.name"]
    problems: list[Problem] = []
    mapped = 0
    for content in launch.files.values():
        noted = files.built(content) if files.is_engine(content) else files.options(content, rank=None)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
        mapped += noted.mapped
    return Reading(observations=tuple(observations), problems=tuple(problems), mapped=mapped)


def _model(parsed: Parsed) -> list[Observation]:
    """The one plain word: a name at the Hub, a folder with a checkpoint, or one with a built engine."""
    if not parsed.positionals:
        return []
    return hub.named_by(parsed.positionals[0])
