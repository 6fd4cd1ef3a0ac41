"""Triton Inference Server: a launch and the model repository beside it in, observations out."""

from __future__ import annotations

import functools
import os.path
from collections.abc import Iterator, Sequence

import msgspec

from askew.engines import versions
from askew.engines.arguments import ARGPARSE, Dialect, Table, table
from askew.engines.composed import composed
from askew.engines.interface import Reading
from askew.engines.literal import literals
from askew.engines.observe import identity, observe
from askew.engines.triton import backends
from askew.engines.triton.flags import AUTO_COMPLETE, FLAGS, INERT, LAUNCHER, OTHER, READS
from askew.engines.triton.model_config import LLM_BACKENDS, Model, Setting, folder_of, instance_rule, settings
from askew.engines.triton.schema import SCHEMA, SINCE
from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location
from askew.evidence.textproto import Item, TextProtoError, checked
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.images import read_image
from askew.resolve.observation import Observation, Origin, Unknown
from askew.resolve.workload import Problem

NAME, TITLE = "triton", "Triton"
MODELS = "runtime.models"
_CONFIG = "config.pbtxt"

# glibc's getopt_long: unique prefixes, `--x v` and `--x=v`; what begins with a dash is a value where one is wanted.
_GETOPT = Dialect(name="getopt", negative_numbers=True)
_LAUNCHER = ("launch_triton_server.py",)

UNSUPPORTED = {
    "model.revision": "a model repository keeps versions of a model in numbered folders; it names no revision",
    "model.code_revision": "Triton fetches no code of models",
    "model.trust_remote_code": "Triton fetches no code of models",
    "runtime.generation_config": "a setting of engines for language models",
    "runtime.reasoning_parser": "a setting of engines for language models",
    "runtime.tool_call_parser": "a setting of engines for language models",
    "runtime.hf_overrides": "a setting of engines for language models",
    "runtime.rope_override": "a setting of engines for language models",
}


class Triton(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title=TITLE, states=_release)
        title = f"{TITLE} {version}" if version else TITLE
        if not launch.argv and launch.image is None and launch.files:
            return _with_models(launch, Reading(observations=identified), None, title, files_alone=True)
        found = arguments(launch)
        if found is None:
            from askew.engines.unrecognised import read

            return read(launch)
        words, launcher = found
        flags = _table(version, launcher)
        defaults = _defaults(version) if version else _nearest(launch.image)
        reading = composed(
            launch,
            words,
            flags,
            identified=identified,
            version=version,
            own=("TRITONSERVER_", "TRITON_"),
            reads=READS,
            inert=INERT,
            defaults=tuple(one for one in defaults if _stands(one)),
        )
        observations = list(_gathered([*reading.observations, *_fixed(launcher, reading.observations)]))
        reading = msgspec.structs.replace(reading, observations=tuple(_over_grpc(observations)))
        return _with_models(launch, reading, version, title, files_alone=False)

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``."""
        names = _table(version, launcher=False).names
        for flag in FLAGS:
            if flag.fact == fact and fact != OTHER:
                entry = names.get(flag.names[0])
                if entry is not None and entry.alive and entry.current:
                    return flag.names[0]
        return None


ENGINE = Triton(NAME, UNSUPPORTED)


def arguments(launch: Launch) -> tuple[tuple[Token, ...], bool] | None:
    """The words after the program, and whether it is the launcher of TensorRT-LLM; None where the words start
    something else. Of mpirun, those of the first server: the others are its ranks."""
    for index, token in enumerate(launch.argv):
        name = token.text.rpartition("/")[2]
        if name in ("tritonserver", *_LAUNCHER):
            rest = launch.argv[index + 1 :]
            end = next((at for at, word in enumerate(rest) if word.text == ":"), len(rest))
            return rest[:end], name in _LAUNCHER
    if launch.argv and not launch.argv[0].text.startswith("-") and launch.argv[0].unknown is None:
        return None
    return launch.argv, False


def _release(reference: ImageReference) -> str | None:
    """NVIDIA counts containers by year and month; the release in each is in the history of this build."""
    if reference.repository.rpartition("/")[2] != "tritonserver" or not reference.tag:
        return None
    head = reference.tag.partition("-")[0]
    if head.startswith("2.") and head.count(".") == 2 and head.replace(".", "").isdecimal():
        return head
    return containers().get(".".join(head.split(".")[:2]))


@functools.cache
def containers() -> dict[str, str]:
    """Container (``24.05``) → release (``2.46.0``). Source: ``TRITON_VERSION_MAP`` of ``build.py`` at each tag."""
    past = versions.history(NAME)
    found: dict[str, str] = {}
    for index, state in past.packages.get("container", ()) if past is not None else ():
        if past is not None and state is not None:
            found[str(state.value)] = past.releases[index]
    return found


def _nearest(image: Token | None) -> tuple[Observation, ...]:
    """Defaults where the release is not known: those of the container next to the one asked for, as likely, else
    those that never changed."""
    reference = read_image(image)
    head = (reference.tag or "").partition("-")[0] if reference is not None else ""
    month = ".".join(head.split(".")[:2])
    if not (len(month) == 5 and month.replace(".", "").isdecimal() and month[2] == "." and containers()):
        return literals(NAME, TITLE, None, FLAGS)
    near = max((one for one in containers() if one <= month), default=min(containers()))
    because = (f"the container {month} is not in this build; {near}, the nearest, does so",)
    return tuple(
        msgspec.structs.replace(one, confidence="likely", because=because) for one in _defaults(containers()[near])
    )


@functools.lru_cache(maxsize=8)
def _table(version: str | None, launcher: bool) -> Table:
    if launcher:
        return table(LAUNCHER, ARGPARSE, title="launch_triton_server.py")
    return table(FLAGS, _GETOPT, title=TITLE, version=version, releases=versions.releases(NAME))


@functools.lru_cache(maxsize=16)
def _defaults(version: str) -> tuple[Observation, ...]:
    found = literals(NAME, TITLE, version, FLAGS)
    release = versions.load(NAME, version)
    if release is None:
        return found
    extra: list[Observation] = []
    threads = release.arguments.get("--model-load-thread-count")
    if threads is not None and threads.kind == "rule":
        extra.append(
            Observation(
                fact=OTHER, key="--model-load-thread-count", origin="engine-default",
                value=Unknown("twice the CPUs of the node, and no source shows how many"),
                locations=(release.where(threads),),
            )
        )  # fmt: skip
    if "--http-max-input-size" not in release.arguments:  # src/http_server.cc counts no bytes before it
        extra.append(
            Observation(
                fact="serving.max_body.bytes", value="unlimited", origin="engine-default", confidence="likely",
                locations=(Location(f"{NAME} {version} src/http_server.cc"),),
            )
        )  # fmt: skip
    return (*found, *extra)


def _stands(one: Observation) -> bool:
    """Defaults that say nothing: empty texts, and settings that hold only beside others."""
    if one.fact == "model.source" or (one.fact == OTHER and one.value in ("", None)):  # None: a switch that is off
        return False
    return one.key not in ("--repository-poll-secs", "--trace-level", "--trace-rate", "--trace-count",
                           "--trace-log-frequency", "--trace-file", "--metrics-address")  # fmt: skip


def _fixed(launcher: bool, said: Sequence[Observation]) -> Iterator[Observation]:
    """What holds in every release that was read, and what the launcher writes for its servers."""
    where = Location(f"{NAME}, every release")
    restricted = any(one.key in ("--http-restricted-api", "--grpc-restricted-protocol") for one in said)
    yield Observation(fact="serving.protocol", value="http", origin="engine-default", locations=(where,))
    yield Observation(fact="serving.tls", value=False, origin="engine-default", locations=(where,))
    if not restricted:
        yield Observation(fact="serving.api_key_required", value=False, origin="engine-default", locations=(where,))
    if launcher:
        at = Location("tensorrtllm_backend scripts/launch_triton_server.py")
        yield Observation(fact=OTHER, key=AUTO_COMPLETE, value="true", origin="explicit", locations=(at,))
        yield Observation(fact=OTHER, key="--world_size", value="1", origin="engine-default", locations=(at,))


def _over_grpc(observations: list[Observation]) -> list[Observation]:
    """Where HTTP is off, the server listens for gRPC alone."""
    off = next((one for one in observations if one.key == "--allow-http" and one.origin == "explicit"), None)
    if off is None or off.value != "false":
        return observations
    found = [one for one in observations if one.fact not in ("serving.port", "serving.protocol", "serving.listen_host",
                                                             "serving.max_body.bytes")]  # fmt: skip
    found.append(msgspec.structs.replace(off, fact="serving.protocol", key="", value="grpc"))
    for one in observations:
        if one.key == "--grpc-port" and isinstance(one.value, str):
            found.append(msgspec.structs.replace(one, fact="serving.port", key="", value=int(one.value)))
        elif one.key == "--grpc-address" and isinstance(one.value, str):
            found.append(msgspec.structs.replace(one, fact="serving.listen_host", key=""))
    return found


def _gathered(observations: Sequence[Observation]) -> Iterator[Observation]:
    """Options that may be given several times say all of it: one observation for each, in one order."""
    many: dict[tuple[str, str], list[Observation]] = {}
    repeated = {flag.key for flag in FLAGS if flag.takes == "append" and flag.fact == OTHER} | {"--cache-config"}
    for one in observations:
        listed = one.fact in ("model.served_names", "model.source") or (one.fact == OTHER and one.key in repeated)
        if listed and one.origin == "explicit":
            many.setdefault((one.fact, one.key), []).append(one)
        elif one.fact == "serving.max_body.bytes":
            yield msgspec.structs.replace(one, hop="engine")
        else:
            yield one
    for (fact, _), found in many.items():
        unknown = next((one for one in found if isinstance(one.value, Unknown)), None)
        if unknown is not None or (len(found) == 1 and fact == OTHER):
            yield unknown or found[0]
            continue
        values = sorted({str(name) for one in found for name in _names(one.value)})
        if fact == "model.served_names" and "*" in values:  # every model: what the repository holds
            continue
        value: Value = [*values] if fact == "model.served_names" else ", ".join(values)
        places = tuple(place for one in found for place in one.locations)
        yield msgspec.structs.replace(found[-1], value=value, locations=places)


def _names(value: Value | Unknown) -> list[Value]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []


def _with_models(launch: Launch, reading: Reading, version: str | None, title: str, *, files_alone: bool) -> Reading:
    """Add what the configurations of the models say, as far as a source shows them."""
    models: list[Model] = []
    problems = list(reading.problems)
    completes = _completes(reading.observations)
    for path in _configurations(launch, reading.observations):
        content = launch.files[path]
        try:
            config = checked(content.text, SCHEMA, "ModelConfig")
        except TextProtoError as error:
            problems.append(_unreadable(path, content, error, title))
            continue
        problems.extend(_late(path, content, config, version))
        models.append(Model(path=path, folder=folder_of(path), config=config, completes=completes))
    observations = list(reading.observations)
    rules = list(reading.rules)
    named = any(one.fact == "model.served_names" for one in observations)
    models = _loaded(models, observations)
    if models and not named:
        observations.append(_served(models, launch))
    elif not models and not named and not files_alone:
        observations.append(_unseen())
    leader = [model for model in models if model.backend in LLM_BACKENDS]
    alone = len(models) == 1
    if not alone and models:
        observations.append(_signatures(models, launch))
    for model in models:
        mine = alone or (len(leader) == 1 and model is leader[0])
        engine = _language_model(model, launch, version) if mine else None
        if mine and model.backend in LLM_BACKENDS:
            observations = [_as_repository(one) for one in observations]
        if engine is not None:
            observations.extend(engine.observations)
            rules.extend(engine.rules)
            problems.extend(engine.problems)
        elif alone:
            observations.extend(_alone(model, launch, files_alone))
        for setting in (*settings(model), *backends.parameters(model)):
            if not alone and setting.name == "signature":
                continue
            keyed = not (alone or (mine and setting.llm))
            noted = _noted(setting, model, launch, keyed=keyed)
            observations.extend(noted[0])
            problems.extend(noted[1])
        rule = instance_rule(model, *(("runtime.instances", "") if alone else (MODELS, f"{model.name}.instances")))
        if rule is not None:
            rules.append(rule)
    return msgspec.structs.replace(
        reading, observations=tuple(observations), rules=tuple(rules), problems=tuple(problems)
    )


def _loaded(models: list[Model], observations: Sequence[Observation]) -> list[Model]:
    """The models that the server loads at start: those that were named, with the members of ensembles among them."""
    said = next((one.value for one in observations if one.fact == "model.served_names"), None)
    if not isinstance(said, list):
        return models
    wanted = {str(name) for name in said}
    for _ in models:  # an ensemble may have ensembles as members
        for model in models:
            ensemble = model.config.one("ensemble_scheduling")
            if ensemble is not None and model.name in wanted:
                wanted.update(str(step.scalar("model_name", "")) for step in ensemble.all("step"))
    return [model for model in models if model.name in wanted] or models


def _configurations(launch: Launch, observations: Sequence[Observation]) -> tuple[str, ...]:
    """The paths of the configurations that the server loads: those below its repositories, or all where a source that
    was joined has other paths."""
    found = sorted(path for path in launch.files if os.path.basename(path) == _CONFIG)
    homes = [
        home.rstrip("/") + "/"
        for one in observations
        if one.fact == "model.source" and isinstance(one.value, str)
        for home in one.value.split(", ")
    ]
    below = [path for path in found if any(path.startswith(home) for home in homes)] or found
    name = next((one.value for one in observations if one.key == "--model-config-name"), None)
    if not isinstance(name, str):
        return tuple(below)
    # A model that has configs/NAME.pbtxt is loaded with that.
    custom = {path: f"{os.path.dirname(path)}/configs/{name}.pbtxt" for path in below}
    return tuple(custom[path] if custom[path] in launch.files else path for path in below)


def _completes(observations: Sequence[Observation]) -> bool | None:
    """Whether backends complete configurations; None where neither an argument nor a release tells."""
    ranked = {"explicit": 0, "engine-default": 1}
    said = sorted(
        (one for one in observations if one.fact == OTHER and one.key == AUTO_COMPLETE),
        key=lambda one: (ranked.get(one.origin, 2), -one.order),
    )
    return None if not said or isinstance(said[0].value, Unknown) else said[0].value != "true"


def _unreadable(path: str, content: Content, error: TextProtoError, title: str) -> Problem:
    place = content.place(error.line, error.column)
    return Problem(
        kind="unreadable",
        message=f"{title} does not read {os.path.basename(os.path.dirname(path)) or path}/{_CONFIG}, "
        f"line {error.line + 1}, column {error.column + 1}: {error}",
        locations=(place,),
        suggestion=f"expected {error.expected}",
    )


def _late(path: str, content: Content, config: Item, version: str | None) -> Iterator[Problem]:
    """Fields that came with a later release: an older one refuses the file."""
    known = versions.releases(NAME)
    stack: list[tuple[Item, str]] = [(config, "ModelConfig")]
    while stack and version is not None:
        item, kind = stack.pop()
        for name, values in item.fields.items():
            declared = SCHEMA[kind][name].partition("@")[0].rstrip("*").rpartition(":")[2]
            since = SINCE.get((kind, name), "")
            if since and not versions.has(since, "", version, known):
                yield Problem(
                    kind="unreadable",
                    message=f"{TITLE} {version} does not read {folder_of(path)}/{_CONFIG}: {name} came with {since}",
                    locations=(content.place(values[0].line, values[0].column),),
                    suggestion=f"leave out {name}, or run {since} or newer",
                )
            if declared in SCHEMA:
                stack.extend((one, declared) for one in values if one.is_message)


def _as_repository(one: Observation) -> Observation:
    """Where a language model's own file says where its weights come from, the repository is only where that lies."""
    if one.fact != "model.source" or one.origin != "explicit":
        return one
    return msgspec.structs.replace(one, fact=OTHER, key="--model-repository")


def _served(models: Sequence[Model], launch: Launch) -> Observation:
    names: list[Value] = [*sorted({model.name for model in models})]
    places = tuple(_place(model, model.config.one("name"), launch) for model in models)
    return Observation(fact="model.served_names", value=names, origin="config-file", locations=places)


def _unseen() -> Observation:
    look = "curl -s -X POST $URL/v2/repository/index"
    reason = "every model of the repository, which no source shows"
    return Observation(
        fact="model.served_names", value=Unknown(reason, look, missing=True), origin="engine-default",
        locations=(Location(f"{NAME}, every release"),),
    )  # fmt: skip


def _signatures(models: Sequence[Model], launch: Launch) -> Observation:
    value: dict[str, Value] = {}
    unknown: Unknown | None = None
    places: list[Location] = []
    for model in models:
        found = next(one for one in settings(model) if one.name == "signature")
        places.append(_place(model, found.item, launch))
        if isinstance(found.value, Unknown):
            unknown = Unknown(f"{model.name}: {found.value.reason}", found.value.observe_with)
        else:
            value[model.name] = found.value
    return Observation(
        fact="model.signature", value=unknown or {name: value[name] for name in sorted(value)}, origin="config-file",
        locations=tuple(places),
    )  # fmt: skip


def _alone(model: Model, launch: Launch, files_alone: bool) -> Iterator[Observation]:
    """Which model it is, where it is the only one and no language model names its own."""
    if model.backend == "tensorrtllm":
        return
    place = _place(model, model.config.one("name"), launch)
    yield Observation(fact="model.id", value=model.name, origin="config-file", locations=(place,))


def _language_model(model: Model, launch: Launch, version: str | None) -> Reading | None:
    if model.backend != "vllm":
        return None
    path = backends.engine_file(model, launch)
    if not path:
        return None
    release = versions.load(NAME, version)
    built = release.packages.get("vllm") if release is not None else None
    return backends.vllm(path, launch, str(built.value) if built is not None else None)


def _noted(
    setting: Setting, model: Model, launch: Launch, *, keyed: bool
) -> tuple[tuple[Observation, ...], tuple[Problem, ...]]:
    """The observation of one setting, and what its value is refused for."""
    fact, key = (MODELS, f"{model.name}.{setting.name}") if keyed else (setting.fact, setting.key)
    place = _place(model, setting.item, launch)
    origin: Origin = "config-file" if setting.item is not None else "engine-default"
    because = (setting.because,) if setting.because else ()
    if isinstance(setting.value, Unknown) or setting.value is None:
        found = Observation(
            fact=fact, key=key, value=setting.value, origin=origin, locations=(place,), because=because,
            confidence=setting.confidence,
        )  # fmt: skip
        return (found,), ()
    noted = observe(
        fact, setting.value, origin=origin, locations=(place,), key=key, name=setting.name, engine=TITLE,
        confidence=setting.confidence, because=because,
    )  # fmt: skip
    return noted.observations, noted.problems


def _place(model: Model, item: Item | None, launch: Launch) -> Location:
    """Where a value stands in the file; for what is not written, the file."""
    content = launch.files[model.path]
    return content.location if item is None else content.place(item.line, item.column)
