"""Reads launches of Ollama's server: its variables, and a Modelfile where one is beside it."""

from __future__ import annotations

import functools

import msgspec

from askew.engines import versions
from askew.engines.arguments import Dialect, Given, Table, parse, places, table
from askew.engines.builds import vendor_rules
from askew.engines.composed import own_variables
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.observe import RELEVANT_PREFIXES, Noted, environment, identity, read_arguments, read_given
from askew.engines.ollama import modelfile
from askew.engines.ollama.defaults import default_rules, defaults
from askew.engines.ollama.flags import INERT, OTHER, OTHERS, PARAMETERS, VARIABLES, trimmed
from askew.evidence.launch import Launch, Token, Variable
from askew.facts.values.image import ImageReference
from askew.resolve.images import read_image
from askew.resolve.observation import PRECEDENCE, Observation, Unknown
from askew.resolve.workload import Problem

_UNSUPPORTED = {
    "model.revision": "Ollama names a model by a tag; the registry keeps no other revision to ask for",
    "model.code_revision": "a GGUF file holds no code",
    "model.trust_remote_code": "a GGUF file holds no code",
    "model.tokenizer.source": "the tokenizer is part of the model",
    "model.tokenizer.revision": "the tokenizer is part of the model",
    "model.tokenizer.mode": "the tokenizer is part of the model",
    "runtime.gpu_memory_utilization": "Ollama keeps OLLAMA_GPU_OVERHEAD bytes free; it takes no share of memory",
    "runtime.tensor_parallel_size": "Ollama splits layers over the GPUs it chooses; there is no size to set",
    "runtime.pipeline_parallel_size": "Ollama splits layers over the GPUs it chooses; there is no size to set",
    "runtime.data_parallel_size": "Ollama runs one copy of a model; more copies are more servers",
    "runtime.expert_parallel": "Ollama has no expert parallelism",
    "runtime.chunked_prefill": "Ollama always processes prompts in batches of num_batch",
    "runtime.prefix_caching": "Ollama always keeps the last prompt of each slot; there is no setting",
    "runtime.enforce_eager": "Ollama has no such setting",
    "runtime.cuda_graph.sizes": "Ollama has no such setting",
    "runtime.cpu_offload.bytes": "Ollama counts layers, not bytes: num_gpu",
    "runtime.swap.bytes": "Ollama has no swap space for requests",
    "runtime.generation_config": "a model of Ollama holds parameters, not a generation_config.json",
    "runtime.reasoning_parser": "Ollama finds the format of reasoning in the model; requests ask with think",
    "runtime.tool_call_parser": "Ollama finds the format of tool calls in the template",
    "runtime.lora.max_rank": "Ollama has no limit on the rank of adapters",
    "runtime.rope_override": "Ollama takes RoPE from the model",
    "runtime.hf_overrides": "Ollama reads GGUF metadata as it is",
    "runtime.load_format": "Ollama loads its own model store",
    "runtime.max_concurrent_requests": "Ollama queues up to OLLAMA_MAX_QUEUE requests behind its slots",
    "runtime.async_scheduling": "Ollama has no such setting",
    "runtime.kv_cache.block_size": "Ollama keeps one cell per token",
}

# Cobra, with which the program is built: exact names, `--x v` and `--x=v`. https://github.com/spf13/cobra
_COBRA = Dialect(name="cobra", abbreviations=False, negative_numbers=False, spaced_is_word=False)
_FLAGS = (Flag(names=("--help", "-h"), takes="switch", irrelevant="It prints help and ends."),)
_PREFIXES = (*RELEVANT_PREFIXES, "OLLAMA_", "LLAMA_ARG_", "GGML_", "GPU_DEVICE_ORDINAL")
_EXPRESSED = frozenset(flag.names[0] for flag in VARIABLES)
_INERT = frozenset((*INERT, "NVIDIA_DRIVER_CAPABILITIES"))
_ABOVE_VARIABLES = PRECEDENCE.index("env") - 1  # a model's own parameters win over the server's variables
_ZERO_IS_DEFAULT = frozenset(("OLLAMA_NUM_PARALLEL", "OLLAMA_CONTEXT_LENGTH"))
# Variables of Ollama's clients and of charts and operators, which name their own settings alike.
_NOT_OF_THE_SERVER = frozenset(
    (
        *("OLLAMA_MODEL", "OLLAMA_BASE_URL", "OLLAMA_API_BASE", "OLLAMA_API_BASE_URL", "OLLAMA_API_KEY", "OLLAMA_URL"),
        *("OLLAMA_ENDPOINT", "OLLAMA_SERVER_URL", "OLLAMA_VERSION", "OLLAMA_IMAGE", "OLLAMA_PORT"),
    )
)


class Ollama(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity("ollama", launch, title="Ollama", states=_release)
        title = f"Ollama {version}" if version else "Ollama"
        words = arguments(launch)
        if words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        parsed = parse(words, _table())
        noted = read_arguments(parsed, engine=title)
        said = _read_variables(launch, version, title)
        file = _read_modelfile(launch, title)
        observations = [*identified, *noted.observations, *said.observations, *file.observations]
        observations.extend(
            environment(launch, expressed=_EXPRESSED, inert=_INERT | _NOT_OF_THE_SERVER, prefixes=_PREFIXES)
        )
        if "OLLAMA_NUM_PARALLEL" in launch.env:  # the number of slots says it
            said_elsewhere = Unknown("runtime.max_num_seqs says it", missing=True)
            observations.append(
                Observation(fact="runtime.env", key="OLLAMA_NUM_PARALLEL", value=said_elsewhere, origin="env")
            )
        observations.extend(defaults(version, _is_official(launch)))
        known, strange = own_variables(launch, ("OLLAMA_",), (*_EXPRESSED, *_INERT, *OTHERS, *_NOT_OF_THE_SERVER))
        return Reading(
            observations=tuple(observations),
            rules=(*default_rules(version), *vendor_rules(launch.image)),
            problems=(*noted.problems, *said.problems, *file.problems, *_strays(parsed.positionals, title)),
            version=version,
            mapped=noted.mapped + said.mapped + file.mapped,
            unmapped=noted.unmapped,
            variables=known,
            strange=strange,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. A variable of the server where one sets it, else the Modelfile's parameter."""
        from askew.facts.catalogue import FACTS

        if fact in FACTS and FACTS[fact].type.keyed and fact != "serving.queue":
            return None  # each entry has a parameter of its own
        for name, facts in _SPREAD.items():
            if fact in facts and _has(name, version):
                return name
        for flag in VARIABLES:
            if flag.fact == fact and _has(flag.names[0], version):
                return flag.names[0]
        return next((f"PARAMETER {one.names[0]}" for one in PARAMETERS if one.fact == fact and fact != OTHER), None)


_SPREAD = {
    "OLLAMA_HOST": ("serving.port", "serving.listen_host"),
    "OLLAMA_KV_CACHE_TYPE": ("runtime.kv_cache.dtype", "runtime.kv_cache.key_dtype", "runtime.kv_cache.value_dtype"),
}

ENGINE = Ollama("ollama", _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after ``ollama serve``; None where the words start something else."""
    argv = launch.argv
    if not argv:
        return argv
    first = argv[0].text.rpartition("/")[2]
    if first == "ollama":
        return argv[2:] if len(argv) > 1 and argv[1].text in ("serve", "start") else None
    if launch.implicit_entrypoint:  # the image's entrypoint is the program
        if first in ("serve", "start"):
            return argv[1:]
        return argv if argv[0].unknown is not None else None
    return None


def _release(reference: ImageReference) -> str | None:
    """Tags of the project's image are its releases, also ``0.32.15-rocm``."""
    from askew.facts.values.version import image_tag_version

    if reference.repository.rpartition("/")[2] != "ollama" or not reference.tag:
        return None
    found = image_tag_version(reference.tag)
    return None if found is None or found.startswith("b") else found


def _is_official(launch: Launch) -> bool:
    reference = read_image(launch.image)
    return reference is not None and reference.repository.endswith("ollama/ollama")


def _has(name: str, version: str | None) -> bool:
    looked_at = versions.stable("ollama")
    flag = next((one for one in VARIABLES if one.names[0] == name), None)
    return flag is None or versions.has(flag.since, flag.until, version, looked_at.releases if looked_at else ())


@functools.cache
def _table() -> Table:
    return table(_FLAGS, _COBRA, title="Ollama")


def _read_variables(launch: Launch, version: str | None, title: str) -> Noted:
    observations: list[Observation] = []
    problems: list[Problem] = []
    mapped = sum(1 for name in launch.env if name in INERT or name in OTHERS)
    for flag in VARIABLES:
        name = flag.names[0]
        variable = launch.env.get(name)
        if variable is None:
            continue
        mapped += 1
        text = trimmed(variable.value or "")
        if (
            variable.unknown is None
            and variable.value is not None
            and (not text or (text == "0" and name in _ZERO_IS_DEFAULT))
        ):
            continue  # as if it were not set
        if not _has(name, version):
            problems.append(
                Problem(
                    kind="ignored-argument",
                    message=f"{title} does not read {name}: it came with {flag.since}",
                    locations=(variable.location, *variable.via),
                    argument=name,
                    value=variable.value or "",
                    fact=flag.fact,
                )
            )
            continue
        noted = _read_variable(flag, variable, title)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    return Noted(tuple(observations), tuple(problems), mapped)


def _read_variable(flag: Flag, variable: Variable, title: str) -> Noted:
    unknown = variable.unknown or (None if variable.value is not None else f"{variable.name} could not be seen")
    word = Token(variable.value or "", variable.location, unknown, variable.via)
    name = Token(variable.name, variable.location)
    if unknown is not None and flag.spreads is not None:
        facts = _SPREAD[flag.names[0]]
        where = places(word)
        return Noted(
            tuple(Observation(fact=one, value=Unknown(unknown), origin="env", locations=where) for one in facts)
        )
    return read_given(Given(flag=flag, name=name, spelled=variable.name, values=(word,)), engine=title, origin="env")


def _read_modelfile(launch: Launch, title: str) -> Noted:
    """What the only Modelfile states; of several, the one that a request's model was made of is not known."""
    paths = modelfile.find(launch)
    if not paths:
        return Noted()
    files = [modelfile.read(path, launch.files[path]) for path in paths]
    problems = tuple(
        Problem(
            kind="unreadable", message=f"{title} refuses its Modelfile: {file.malformed}", locations=(file.location,),
            argument=file.path, suggestion=modelfile.EXPECTED,
        )
        for file in files
        if file.malformed
    )  # fmt: skip
    if len(files) > 1 or files[0].malformed:
        why = files[0].malformed or f"{len(files)} Modelfiles, and no source shows which model requests name"
        unseen = Observation(
            fact=OTHER, key="Modelfile", value=Unknown(why), origin="config-file", locations=(files[0].location,)
        )
        return Noted((unseen,), problems)
    noted = [_read_command(command, order, title) for order, command in enumerate(files[0].commands)]
    observations = [one for part in noted for one in part.observations]
    stops: list[Token] = [one.value for one in files[0].commands if one.name == "parameter" and one.parameter == "stop"]
    if stops:
        listed = [stop.text for stop in stops]
        observations.append(_stated("runtime.sampling_defaults", listed, stops[0], key="stop"))
    found = tuple(msgspec.structs.replace(one, rank=_ABOVE_VARIABLES) for one in observations)
    return Noted(found, tuple(one for part in noted for one in part.problems), len(noted))


@functools.cache
def _parameters() -> dict[str, Flag]:
    return {flag.names[0]: flag for flag in PARAMETERS}


def _read_command(command: modelfile.Command, order: int, title: str) -> Noted:
    value = command.value
    if command.name == "parameter":
        if command.parameter == "stop":
            return Noted()
        flag = _parameters().get(command.parameter)
        if flag is None:
            problem = Problem(
                kind="unknown-argument", message=f"{title} has no parameter {command.parameter!r}",
                locations=places(value), argument=f"PARAMETER {command.parameter}", value=value.text,
            )  # fmt: skip
            return Noted((_stated(OTHER, value.text, value, key=f"PARAMETER {command.parameter}"),), (problem,))
        given = Given(flag=flag, name=value, spelled=f"PARAMETER {command.parameter}", values=(value,), order=order)
        return read_given(given, engine=title, origin="config-file")
    if command.name == "from":
        return Noted((_stated("model.id", value.text, value), _stated("model.source", _source(value.text), value)))
    if command.name == "adapter":
        adapters = [{"name": value.text, "source": value.text}]
        return Noted(
            (_stated("model.lora_adapters", list(adapters), value), _stated("runtime.lora.enabled", True, value))
        )
    if command.name == "template":
        return Noted((_stated("model.chat_template.source", "Modelfile", value), _text("TEMPLATE", value)))
    if command.name == "draft":
        return Noted((_stated("runtime.speculative", value.text, value, key="model"),))
    if command.name in ("license", "requires"):
        return Noted()
    if command.name == "message":
        return Noted((_text(f"MESSAGE {command.parameter} {order}", value),))
    return Noted((_text(command.name.upper(), value),))


def _text(key: str, value: Token) -> Observation:
    return _stated(OTHER, value.text, value, key=key)


def _stated(fact: str, raw: object, word: Token, *, key: str = "") -> Observation:
    value = Unknown(word.unknown, text=word.text) if word.unknown is not None else raw
    return Observation(fact=fact, key=key, value=value, origin="config-file", locations=places(word), raw=word.text)  # type: ignore[arg-type]  # canonical data


def _source(model: str) -> str:
    """Where ``FROM`` takes the weights: a path, the Hugging Face Hub, or Ollama's registry."""
    if model.startswith(("/", ".", "~", "$")) or model.endswith((".gguf", ".safetensors")):
        return model
    for hub in ("hf.co/", "huggingface.co/"):
        if model.startswith(hub):
            return f"hf://{model[len(hub) :].partition(':')[0]}"
    return f"ollama://{model}"


def _strays(words: tuple[Token, ...], title: str) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            kind="malformed",
            message=f"{title} refuses the stray word {word.text!r}: serve takes no arguments",
            locations=places(word),
            value=word.text,
        )
        for word in words
        if word.unknown is None and word.text.strip() and not set(word.text) & set("{}$<>|&;()`")
    )
