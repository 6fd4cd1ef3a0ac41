"""Reads launches of Infinity: the arguments of its commands, and the variables that mean the same."""

from __future__ import annotations

import functools

import msgspec

from askew.engines import hub, versions
from askew.engines.arguments import Dialect, Parsed, Table, parse, table
from askew.engines.composed import own_variables, read_variables, stray_words
from askew.engines.infinity.defaults import default_rules, defaults
from askew.engines.infinity.flags import MODEL, OTHERS, SERVER, VARIABLES, truth
from askew.engines.infinity.settings import read, settings
from askew.engines.interface import Reading
from askew.engines.observe import RELEVANT_PREFIXES, environment, identity, read_arguments
from askew.evidence.launch import Launch, Token
from askew.facts.values.image import ImageReference

_NO_TEXT = "Infinity generates no text"
_COPIES = "Infinity runs one copy of a model on each device"
_UNSUPPORTED = {
    "model.code_revision": "Infinity takes one revision for everything: --revision",
    "model.tokenizer.source": "Infinity loads the tokenizer with the model",
    "model.tokenizer.mode": "Infinity has no choice of tokenizers",
    "model.chat_template.source": _NO_TEXT,
    "runtime.kv_cache.dtype": "Infinity keeps no KV cache",
    "runtime.max_model_len": "the longest input is the model's own; longer ones are cut",
    "runtime.max_num_batched_tokens": "Infinity bounds a batch by its requests: --batch-size",
    "runtime.gpu_memory_utilization": "Infinity takes the memory that a batch needs; there is no share to set",
    "runtime.tensor_parallel_size": _COPIES,
    "runtime.pipeline_parallel_size": _COPIES,
    "runtime.data_parallel_size": _COPIES,
    "runtime.expert_parallel": _COPIES,
    "runtime.chunked_prefill": "Infinity computes every input in one step",
    "runtime.prefix_caching": "Infinity keeps no KV cache",
    "runtime.enforce_eager": "Infinity has no CUDA graphs of its own; --compile is another setting",
    "runtime.attention_backend": "Infinity takes that of PyTorch; --bettertransformer is its only switch",
    "runtime.speculative": _NO_TEXT,
    "runtime.cpu_offload.bytes": "Infinity keeps all weights on the device",
    "runtime.swap.bytes": "Infinity keeps no KV cache",
    "runtime.generation_config": _NO_TEXT,
    "runtime.sampling_defaults": _NO_TEXT,
    "runtime.reasoning_parser": _NO_TEXT,
    "runtime.tool_call_parser": _NO_TEXT,
    "runtime.lora.enabled": "Infinity has no adapters",
    "runtime.lora.max_rank": "Infinity has no adapters",
    "runtime.rope_override": "Infinity takes RoPE from the model",
    "runtime.hf_overrides": "Infinity reads config.json as it is",
    "runtime.seed": _NO_TEXT,
    "runtime.load_format": "the engine decides which files it loads: --engine",
    "runtime.max_input_tokens": "the longest input is the model's own; longer ones are cut",
    "runtime.max_output_tokens": _NO_TEXT,
    "runtime.default_output_tokens": _NO_TEXT,
    "runtime.max_concurrent_requests": "Infinity queues requests: INFINITY_QUEUE_SIZE",
    "runtime.async_scheduling": "Infinity has no such setting",
    "serving.max_body.bytes": "Infinity bounds the inputs of a request, not its bytes: INFINITY_MAX_CLIENT_BATCH_SIZE",
}

# click, on which typer is built: exact names, `--x v` and `--x=v`, the last of several equal options wins unless the
# option is a list. https://click.palletsprojects.com/en/stable/options/
_CLICK = Dialect(name="click", abbreviations=False, negations=("no-",), spaced_is_word=False)
_COMMANDS = ("v1", "v2")
_IN_TABLE = (*MODEL, *SERVER)


class Infinity(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity("infinity", launch, title="Infinity", states=_release)
        title = f"Infinity {version}" if version else "Infinity"
        words = arguments(launch)
        if words is None:
            from askew.engines.unrecognised import read as unrecognised

            return unrecognised(launch)
        flags = _table(version)
        parsed = parse(words, flags)
        noted = read_arguments(Parsed(problems=parsed.problems, unmapped=parsed.unmapped), engine=title)
        found = settings(parsed, launch, version, title)
        said = read(found, title)
        alone = read_variables(VARIABLES, launch, version, flags, truth)
        expressed = frozenset((*(flag.env for flag in _IN_TABLE if flag.env), *(flag.names[0] for flag in VARIABLES)))
        observations = [*identified, *noted.observations, *(hub.pinned(one) for one in said.observations)]
        observations.extend(alone.observations)
        observations.extend(
            environment(launch, expressed=expressed, reads=OTHERS, prefixes=(*RELEVANT_PREFIXES, "INFINITY_"))
        )
        observations.extend(hub.sources(observations))
        observations.extend(hub.unpinned(observations))
        observations.extend(defaults(version))
        variables, strange = own_variables(launch, ("INFINITY_",), (*expressed, *OTHERS))
        strays = stray_words(parsed, title)
        return Reading(
            observations=tuple(observations),
            rules=default_rules(version),
            problems=(*noted.problems, *said.problems, *alone.problems, *strays),
            version=version,
            mapped=len(parsed.given),
            unmapped=noted.unmapped,
            variables=variables,
            strange=strange,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. Where only a variable sets it: its name."""
        if fact in ("runtime.dtype", "runtime.quantization"):
            fact, name = "", "--dtype"
        else:
            fact, name = {"model.source": "model.id"}.get(fact, fact), ""
        names = _table(version).names
        for flag in _IN_TABLE:
            entry = names.get(flag.names[0])
            wanted = flag.names[0] == name if name else flag.fact == fact and not flag.key
            if wanted and entry is not None and entry.alive:
                return flag.names[0]
        return None


ENGINE = Infinity("infinity", _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after ``infinity_emb`` and its command; None where the words start something else."""
    argv = launch.argv
    words = None
    for index, token in enumerate(argv):
        name = token.text.rpartition("/")[2]
        before = argv[index - 1].text if index else ""
        if name == "infinity_emb" or (before == "-m" and name.partition(".")[0] == "infinity_emb"):
            words = argv[index + 1 :]
            break
    if words is None and (not argv or launch.implicit_entrypoint):
        first = argv[0] if argv else None
        if first is None or first.text.startswith("-") or first.text in _COMMANDS or first.unknown is not None:
            words = argv
    if words and words[0].text in _COMMANDS:
        return words[1:]
    return words


def _release(reference: ImageReference) -> str | None:
    """Tags of the project's images are releases of the package, with the hardware behind: ``0.0.77-cpu``."""
    from askew.facts.values.version import image_tag_version

    return image_tag_version(reference.tag) if reference.tag else None


@functools.lru_cache(maxsize=8)
def _table(version: str | None) -> Table:
    return table(_IN_TABLE, _CLICK, title="Infinity", version=version, releases=versions.releases("infinity"))
