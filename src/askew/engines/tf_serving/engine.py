"""TensorFlow Serving: a launch and the files its flags name in, observations out."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import msgspec

from askew.engines import versions
from askew.engines.arguments import Dialect, Table, places, table
from askew.engines.composed import composed
from askew.engines.interface import Reading
from askew.engines.literal import literals
from askew.engines.observe import identity
from askew.engines.tf_serving import config_files
from askew.engines.tf_serving.flags import FLAGS, INERT, OTHER, PORT, READS, REST_PORT, SWITCHES
from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location
from askew.evidence.textproto import Item
from askew.facts.values.image import ImageReference
from askew.resolve.observation import Observation, Unknown
from askew.resolve.workload import Problem

NAME, TITLE = "tf-serving", "TF Serving"
_ENTRYPOINT = "tf_serving_entrypoint.sh"
_PROGRAMS = ("tensorflow_model_server", _ENTRYPOINT)
_IMAGE = Location("tf-serving tensorflow_serving/tools/docker/Dockerfile")

# tensorflow/tsl/util/command_line_flags.cc: `--name=value` alone; names in full, the last one wins.
_FLAGS = Dialect(name="tensorflow", abbreviations=False, negative_numbers=False, spaced_is_word=False)
# Flags that a file of models makes idle.
_OF_ONE_MODEL = ("--model_name", "--model_base_path")

UNSUPPORTED = {
    "model.revision": "a model has numbered versions below its path; there is no revision to ask for",
    "model.code_revision": "a SavedModel holds no Python code",
    "model.trust_remote_code": "a SavedModel holds no Python code",
    "model.tokenizer.source": "TF Serving has no tokenizers",
    "model.tokenizer.revision": "TF Serving has no tokenizers",
    "model.tokenizer.mode": "TF Serving has no tokenizers",
    "model.chat_template.source": "TF Serving has no chat templates",
    "runtime.dtype": "a SavedModel computes in the types of its graph",
    "runtime.quantization": "a SavedModel computes in the types of its graph",
    "runtime.kv_cache.dtype": "TF Serving has no KV cache",
    "runtime.max_model_len": "the signature of a model says what it takes",
    "runtime.max_num_batched_tokens": "TF Serving batches requests, not tokens",
    "runtime.tensor_parallel_size": "TF Serving does not split models",
    "runtime.pipeline_parallel_size": "TF Serving does not split models",
    "runtime.data_parallel_size": "TF Serving runs one copy of a model",
    "runtime.chunked_prefill": "a setting of engines for language models",
    "runtime.prefix_caching": "a setting of engines for language models",
    "runtime.enforce_eager": "a setting of engines for language models",
    "runtime.attention_backend": "a setting of engines for language models",
    "runtime.speculative": "a setting of engines for language models",
    "runtime.cpu_offload.bytes": "a setting of engines for language models",
    "runtime.swap.bytes": "a setting of engines for language models",
    "runtime.generation_config": "a setting of engines for language models",
    "runtime.sampling_defaults": "a setting of engines for language models",
    "runtime.reasoning_parser": "a setting of engines for language models",
    "runtime.tool_call_parser": "a setting of engines for language models",
    "runtime.lora.enabled": "a setting of engines for language models",
    "runtime.lora.max_rank": "a setting of engines for language models",
    "runtime.rope_override": "a setting of engines for language models",
    "runtime.hf_overrides": "a setting of engines for language models",
    "runtime.seed": "TF Serving has no such setting",
    "runtime.load_format": "TF Serving loads SavedModels",
    "runtime.max_input_tokens": "a setting of engines for language models",
    "runtime.max_output_tokens": "a setting of engines for language models",
    "runtime.default_output_tokens": "a setting of engines for language models",
    "runtime.max_concurrent_requests": "TF Serving bounds its queue of batches: max_enqueued_batches",
}


class TFServing(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title=TITLE, states=_release)
        if not launch.argv and launch.image is None and launch.files:
            return _file_alone(launch, identified)
        title = f"{TITLE} {version}" if version else TITLE
        words, ignored = _words(launch, title)
        reading = composed(
            launch,
            words,
            _table(version),
            identified=identified,
            version=version,
            own=("TF_", "TENSORFLOW_"),
            reads=READS,
            inert=INERT,
            defaults=tuple(one for one in literals(NAME, TITLE, version, FLAGS) if one.value not in ("", None)),
            strays=False,
        )
        observations = [msgspec.structs.replace(one, hop="engine") if one.fact == "serving.request_timeout" else one
                        for one in reading.observations]  # fmt: skip
        observations.extend(_fixed())
        listening = _ports(observations)
        observations.extend(listening)
        if any(one.fact == "serving.protocol" and one.value == "grpc" for one in listening):
            # The limit is that of the HTTP API, which is off.
            observations = [one for one in observations if one.fact != "serving.request_timeout"]
        problems = [*reading.problems, *ignored]
        _with_files(launch, observations, problems, title)
        return msgspec.structs.replace(reading, observations=tuple(observations), problems=tuple(problems))

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``."""
        if fact == "serving.port":
            return REST_PORT
        names = _table(version).names
        for flag in FLAGS:
            if flag.fact == fact and fact != OTHER:
                entry = names.get(flag.names[0])
                if entry is not None and entry.alive and entry.current:
                    return flag.names[0]
        return None


ENGINE = TFServing(NAME, UNSUPPORTED)


@functools.lru_cache(maxsize=8)
def _table(version: str | None) -> Table:
    return table(FLAGS, _FLAGS, title=TITLE, version=version, releases=versions.releases(NAME))


def _release(reference: ImageReference) -> str | None:
    """Tags of the project's image are its releases, with the build behind them: ``2.13.1-gpu``."""
    if reference.repository != "tensorflow/serving" or not reference.tag:
        return None
    head = reference.tag.partition("-")[0]
    return head if head.count(".") == 2 and head.replace(".", "").isdecimal() else None


def _words(launch: Launch, title: str) -> tuple[tuple[Token, ...], tuple[Problem, ...]]:
    """The flags as the program reads them, those of the image's entrypoint first, and what it does not read."""
    words, entrypoint = launch.argv, launch.implicit_entrypoint or not launch.argv
    for index, token in enumerate(launch.argv):
        name = token.text.rpartition("/")[2]
        if name in _PROGRAMS:
            words, entrypoint = launch.argv[index + 1 :], name == _ENTRYPOINT
            break
    found = list(_of_the_entrypoint(launch)) if entrypoint else []
    ignored: list[Problem] = []
    known = _table(None).names
    for at, word in enumerate(words):
        name, sign, _ = word.text.partition("=")
        if not sign and name in SWITCHES:
            found.append(msgspec.structs.replace(word, text=f"{name}=true"))
        elif not sign and word.unknown is None and name in known:
            after = words[at + 1].text if at + 1 < len(words) and not words[at + 1].text.startswith("-") else ""
            ignored.append(
                Problem(
                    kind="ignored-argument",
                    message=f"{title} takes {name} only with its value behind '=': it goes on without it",
                    locations=places(word),
                    argument=name,
                    value=after,
                    suggestion=f"{name}={after}" if after else f"{name}=",
                    fact=known[name].flag.fact,
                )
            )
        elif word.text.startswith("-") or word.unknown is not None:
            found.append(word)
    return tuple(found), tuple(ignored)


def _of_the_entrypoint(launch: Launch) -> Iterator[Token]:
    """What ``tf_serving_entrypoint.sh`` gives the server, from the variables that the image sets."""
    name, home = launch.env.get("MODEL_NAME"), launch.env.get("MODEL_BASE_PATH")
    yield Token("--port=8500", _IMAGE)
    yield Token(f"{REST_PORT}=8501", _IMAGE)
    unknown = next((one.unknown or f"the value of {one.name} could not be seen" for one in (name, home)
                    if one is not None and (one.unknown or one.value is None)), None)  # fmt: skip
    model = name.value if name is not None and name.value is not None else "model"
    path = home.value if home is not None and home.value is not None else "/models"
    place = name.location if name is not None else _IMAGE
    yield Token(f"--model_name={model}", place, unknown if name is not None and name.value is None else None)
    yield Token(f"--model_base_path={path}/{model}", home.location if home is not None else place, unknown)


def _fixed() -> Iterator[Observation]:
    where = Location(f"{NAME}, every release")
    for fact, value in (("serving.api_key_required", False), ("serving.tls", False)):
        yield Observation(fact=fact, value=value, origin="engine-default", locations=(where,))


def _final(observations: Sequence[Observation], key: str, fact: str = OTHER) -> Observation | None:
    """What was said last of a flag; its default where nobody said anything."""
    said = [one for one in observations if one.fact == fact and one.key == key]
    written = [one for one in said if one.origin != "engine-default"]
    return max(written, key=lambda one: one.order) if written else (said[-1] if said else None)


def _ports(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """The port of the HTTP API, which is off at 0, else that of gRPC."""
    rest, grpc = _final(observations, REST_PORT), _final(observations, PORT)
    chosen = grpc if rest is None or rest.value == "0" else rest
    if chosen is None:
        return ()
    protocol = "http" if chosen is rest else "grpc"
    port = int(chosen.value) if isinstance(chosen.value, str) and chosen.value.lstrip("+-").isdecimal() else None
    if port is not None and port < 0:
        return ()
    value = chosen.value if isinstance(chosen.value, Unknown) else port
    return (
        msgspec.structs.replace(chosen, fact="serving.port", key="", value=value),
        msgspec.structs.replace(chosen, fact="serving.protocol", key="", value=protocol, raw=""),
    )


def _with_files(launch: Launch, observations: list[Observation], problems: list[Problem], title: str) -> None:
    """Add what the files say that flags name, as far as a source shows them."""
    enabled = _final(observations, "enabled", config_files.BATCHING)
    named = _final(observations, "--batching_parameters_file")
    if enabled is not None and enabled.value is True:
        parameters, content = _read(launch, named, "BatchingParameters", title, problems)
        if parameters is not None or named is None:
            observations.extend(config_files.batching(parameters, content))
        else:
            why = f"{named.value if isinstance(named.value, str) else 'the file of parameters'} is not shown"
            observations.extend(config_files.unseen_batching(why, named.locations[0]))
    named = _final(observations, "--model_config_file")
    if named is not None:
        config, content = _read(launch, named, "ModelServerConfig", title, problems)
        observations[:] = [one for one in observations if one.fact not in ("model.served_names", "model.source")]
        if config is not None and content is not None:
            observations.extend(config_files.models(config, content))
        else:
            why = f"{named.value if isinstance(named.value, str) else 'the file of models'} is not shown"
            for fact in ("model.served_names", "model.source", "model.id"):
                observations.append(
                    Observation(fact=fact, value=Unknown(why), origin="config-file", locations=named.locations[:1])
                )
    else:
        observations.extend(_identified(observations))
    named = _final(observations, "--monitoring_config_file")
    config, content = _read(launch, named, "MonitoringConfig", title, problems)
    if config is not None and content is not None:
        observations.extend(config_files.monitoring(config, content))


def _identified(observations: Sequence[Observation]) -> Iterator[Observation]:
    said = _final(observations, "", "model.served_names")
    if said is not None:
        value = said.value[0] if isinstance(said.value, list) and said.value else said.value
        if isinstance(value, (str, Unknown)):
            yield msgspec.structs.replace(said, fact="model.id", value=value)


def _read(
    launch: Launch, named: Observation | None, kind: str, title: str, problems: list[Problem]
) -> tuple[Item | None, Content | None]:
    if named is None or not isinstance(named.value, str) or not named.value:
        return None, None
    content = launch.file(named.value)
    if content is None:
        return None, None
    found = config_files.read(named.value, content, kind, title)
    if isinstance(found, Problem):
        problems.append(found)
        return None, content
    return found, content


def _file_alone(launch: Launch, identified: Sequence[Observation]) -> Reading:
    """A file of batching parameters without the launch that names it."""
    observations, problems = list(identified), []
    for path, content in sorted(launch.files.items()):
        found = config_files.read(path, content, "BatchingParameters", TITLE)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            observations.extend(config_files.batching(found, content))
    return Reading(observations=tuple(observations), problems=tuple(problems))
