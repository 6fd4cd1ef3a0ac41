"""Reads launches of TorchServe: ``config.properties``, arguments, variables, and a model archive's own file."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import msgspec

from askew.engines import versions
from askew.engines.arguments import ARGPARSE, Parsed, Table, parse, table
from askew.engines.composed import composed
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.observe import Noted, identity
from askew.engines.settings import OTHER, Setting, state
from askew.engines.torchserve import archive, models
from askew.engines.torchserve import properties as java
from askew.engines.torchserve.defaults import NAME, defaults, of_image, rules
from askew.engines.torchserve.flags import ARGUMENTS, SETTINGS, boolean
from askew.engines.torchserve.properties import Property
from askew.engines.unsupported import classic
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.values.image import ImageReference
from askew.resolve.images import read_image
from askew.resolve.observation import PRECEDENCE, Observation, Origin, Unknown
from askew.resolve.workload import Problem

_UNSUPPORTED = {
    **{
        fact: reason
        for fact, reason in classic("TorchServe").items()
        if fact not in ("runtime.tensor_parallel_size", "runtime.pipeline_parallel_size")
    },
    "model.id": "TorchServe serves archives under names; it has no other name for a model",
    "serving.streaming": "a model's handler decides whether it streams",
}
_IMAGE_FILE = "/home/model-server/config.properties"
# Variables win over arguments and files where they are read at all: setSystemVars runs last.
_ABOVE_ALL = PRECEDENCE.index("explicit") * 10 - 5
# Constants whose variables are not their setting's name in capitals.
_ODD = {
    "TS_TOKEN_EXPIRATION_TIME_MIN": "token_expiration_min",
    "TS_OPEN_INFERENCE_PROTOCOL": "ts_open_inference_protocol",
}
_ELSEWHERE = frozenset(("TS_CONFIG_FILE", "TS_MODEL_SERVER_HOME"))
_SOME = 500  # settings; among more, nobody looks for names that are nearly known
_INERT = ("LOG_LOCATION", "METRICS_LOCATION", "TS_MODEL_SERVER_HOME")


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    """Where the settings come from. ``unseen`` says why the file cannot be read; ``at`` is where its path stands."""

    properties: tuple[Property, ...] = ()
    settings: tuple[Setting, ...] = ()
    content: Content | None = None
    image: bool = False
    unseen: str = ""
    problem: Problem | None = None
    at: Location | None = None

    def value(self, name: str) -> str | None:
        """What the file sets, if it is known."""
        return next((one.value for one in self.properties if one.name == name), None)


class TorchServe(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title="TorchServe", states=_release)
        title = f"TorchServe {version}" if version else "TorchServe"
        found = arguments(launch)
        if found is None:
            from askew.engines.unrecognised import read

            return read(launch)
        words, started = found
        flags = _table(version)
        base = composed(
            launch, words, flags, identified=identified, version=version, own=("TS_",),
            inert=(*_INERT, *_variables()), reads=_variables(),
        )  # fmt: skip
        parsed = parse(words, flags)
        config = _config(launch, parsed, started)
        stated = list(base.observations)
        problems = list(base.problems)
        mapped = base.mapped
        if config.problem is not None:
            problems.append(config.problem)
        filed = _filed(config, version, title)
        stated.extend(filed.observations)
        problems.extend(filed.problems)
        if config.image:
            stated.extend(_of_image(version, started))
        enabled = _enabled(config)
        said = _said(launch, config, version, title, enabled)
        stated.extend(said.observations)
        problems.extend(said.problems)
        alone = not launch.argv and launch.image is None and config.content is None  # only an archive's file
        if not alone:
            started_models, wrong = _models(launch, parsed, config, version, enabled)
            stated.extend(started_models)
            problems.extend(wrong)
        own = archive.read(launch, version, title)
        stated.extend(own.observations)
        problems.extend(own.problems)
        if config.unseen:
            stated.extend(_unseen(config))
        elif not alone:
            taken = {(one.fact, one.key) for one in stated}
            doubt = not config.content and not config.image and launch.image is None
            stated.extend(
                _assumed(one) if doubt else one for one in defaults(version) if (one.fact, one.key) not in taken
            )
        stated.extend(_startup(stated, version))
        return msgspec.structs.replace(
            base,
            observations=tuple(_settled(one, launch) for one in stated),
            rules=() if config.unseen or alone else rules(version),
            problems=tuple(problems),
            mapped=mapped + filed.mapped + own.mapped,
            unmapped=(*base.unmapped, *filed.unmapped, *own.unmapped),
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. A setting of ``config.properties``."""
        spread = {
            "serving.port": "inference_address",
            "serving.listen_host": "inference_address",
            "serving.protocol": "inference_address",
            "serving.tls": "inference_address",
            "runtime.instances": "default_workers_per_model",
            "model.source": "load_models",
            "model.served_names": "load_models",
        }
        if fact in spread:
            return spread[fact]
        for flag in SETTINGS:
            if flag.fact == fact != OTHER and versions.has(flag.since, flag.until, version, _releases()):
                return flag.names[0]
        return None


ENGINE = TorchServe(NAME, _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[tuple[Token, ...], bool] | None:
    """The words after the program, and whether the image's own command runs; None where the words start another."""
    for index, token in enumerate(launch.argv):
        word = token.text.rpartition("/")[2]
        if word in ("torchserve", "org.pytorch.serve.ModelServer", "ts.model_server"):
            return launch.argv[index + 1 :], False
    if not launch.argv or (launch.implicit_entrypoint and launch.argv[0].text == "serve"):
        return (), True
    if launch.implicit_entrypoint and (launch.argv[0].text.startswith("-") or launch.argv[0].unknown is not None):
        return launch.argv, False
    return None


def _release(reference: ImageReference) -> str | None:
    """Tags of the project's images and of KServe's are TorchServe's releases; AWS counts PyTorch's."""
    from askew.facts.values.version import image_tag_version

    name = reference.repository.rpartition("/")[2]
    if name not in ("torchserve", "torchserve-kfs") or not reference.tag:
        return None
    return image_tag_version(reference.tag)


def _official(launch: Launch) -> bool:
    """Whether the image is one that the project publishes, whose own file is in the release's data."""
    reference = read_image(launch.image)
    return reference is not None and reference.repository.endswith("pytorch/torchserve")


def _kserve(launch: Launch) -> bool:
    reference = read_image(launch.image)
    return reference is not None and "/torchserve-kfs" in f"/{reference.repository}"


def _releases() -> tuple[str, ...]:
    return versions.releases(NAME)


@functools.lru_cache(maxsize=8)
def _table(version: str | None) -> Table:
    return table(ARGUMENTS, ARGPARSE, title="TorchServe", version=version, releases=_releases())


@functools.cache
def _variables() -> tuple[str, ...]:
    known = versions.stable(NAME)
    return known.variables if known else ()


@functools.lru_cache(maxsize=8)
def _settings(version: str | None) -> dict[str, Flag]:
    """The settings that a release has, by name."""
    return {flag.names[0]: flag for flag in SETTINGS if versions.has(flag.since, flag.until, version, _releases())}


def _last(parsed: Parsed, name: str) -> tuple[Token, ...]:
    for one in reversed(parsed.given):
        if one.flag.names[0] == name:
            return one.values
    return ()


def _config(launch: Launch, parsed: Parsed, started: bool) -> _Config:
    """The file of settings: of TS_CONFIG_FILE, else of the arguments, else ``config.properties`` where it starts."""
    variable = launch.env.get("TS_CONFIG_FILE")
    given = _last(parsed, "--ts-config")
    path = given[0] if given else None
    if variable is not None:
        path = Token(
            variable.value or "", variable.location, variable.unknown if variable.value else "its value is not seen"
        )
    if path is not None and path.unknown is not None:
        return _Config(unseen=f"the settings are in a file whose path is not known: {path.unknown}", at=path.location)
    text = path.text if path is not None else _IMAGE_FILE if _official(launch) and not launch.working_dir else ""
    alone = sorted(name for name in launch.files if name.endswith(".properties"))
    content = launch.file(text or "config.properties")
    if content is None and len(alone) == 1 and (path is None or alone[0].rpartition("/")[2] == text.rpartition("/")[2]):
        text, content = alone[0], launch.files[alone[0]]
    if content is not None:
        found, read = java.read(text or "config.properties", content)
        if read.problem is not None:
            return _Config(
                content=content, problem=read.problem, unseen="the file of settings cannot be read", at=content.location
            )
        return _Config(properties=found, settings=read.settings, content=content)
    if _official(launch) and (path is None or text == _IMAGE_FILE):
        return _Config(image=True)
    if path is not None or (started and launch.image is not None):
        shown = text or _IMAGE_FILE
        at = path.location if path is not None else launch.location
        return _Config(unseen=f"it may be set in {shown}, which no source shows", at=at)
    return _Config()


def _filed(config: _Config, version: str | None, title: str) -> Noted:
    """What the file states. Where the server would not start with it, it is unreadable."""
    known = _settings(version)
    every = {flag.names[0]: flag for flag in SETTINGS}
    problems: list[Problem] = []
    alive: list[Setting] = []
    for one in config.settings:
        expanded = _expanded(one)
        flag = every.get(one.name)
        if flag is not None and one.name not in known:
            problems.append(_ignored(one, flag, title))
            continue
        if flag is None and len(config.settings) < _SOME and (near := _nearest(one.name, known)):
            problems.append(
                Problem(
                    kind="ignored-argument",
                    message=f"{title} has no setting {one.name}",
                    locations=(one.value.location,),
                    argument=one.name,
                    value=one.value.text,
                    suggestion=near,
                )
            )
        if flag is not None and flag.read is boolean and expanded.value.unknown is None:
            problems.extend(_odd(one, title))
        alive.append(expanded)
    noted = state(alive, known, engine=title)
    for problem in noted.problems:
        problems.append(
            msgspec.structs.replace(
                problem, kind="unreadable", suggestion=problem.suggestion or "the server does not start with this value"
            )
        )
    return Noted(noted.observations, tuple(problems), noted.mapped, noted.unmapped)


def _expanded(one: Setting) -> Setting:
    """``$$NAME$$`` stands for a variable of the server's environment."""
    if one.value.unknown is None and one.value.text.count("$$") >= 2:
        reason = "taken from a variable when the server starts ($$…$$)"
        return msgspec.structs.replace(one, value=msgspec.structs.replace(one.value, unknown=reason))
    return one


def _ignored(one: Setting, flag: Flag, title: str) -> Problem:
    when = f"it was removed in {flag.until}" if flag.until else f"it came with {flag.since}"
    return Problem(
        kind="ignored-argument", message=f"{title} has no setting {one.name}: {when}", locations=(one.value.location,),
        argument=one.name, value=one.value.text, fact=flag.fact,
    )  # fmt: skip


def _nearest(name: str, known: dict[str, Flag]) -> str:
    import difflib

    if len(name) > 80:
        return ""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.85)
    return near[0] if near and near[0] != name else ""


def _odd(one: Setting, title: str) -> list[Problem]:
    """A switch that someone meant to turn on and that Java reads as false."""
    text = one.value.text
    if text.lower() == "true" or text.strip().lower() not in ("true", "yes", "on", "1", "y", "t"):
        return []
    return [
        Problem(
            kind="invalid-value",
            message=f"{title} reads {text!r} for {one.name} as false: only true is true",
            locations=(one.value.location,),
            argument=one.name,
            value=text,
            suggestion="true",
        )
    ]


def _of_image(version: str | None, started: bool) -> list[Observation]:
    """What the image's own file states, at its place in the release."""
    table = _settings(version)
    found: list[Observation] = []
    for name, value, where in of_image(version, started):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        noted = state((Setting(name, Token(text, where)),), table, engine="TorchServe", origin="engine-default")
        found.extend(noted.observations)
    return found


def _enabled(config: _Config) -> bool | None:
    """Whether TS_ variables are read: ``enable_envvars_config``."""
    if config.unseen:
        return None
    return (config.value("enable_envvars_config") or "false").lower() == "true"


def _setting_of(variable: str) -> str:
    return _ODD.get(variable, variable.removeprefix("TS_").lower())


def _said(launch: Launch, config: _Config, version: str | None, title: str, enabled: bool | None) -> Noted:
    """What TS_ variables state, where the file lets them."""
    known = _settings(version)
    observations: list[Observation] = []
    problems: list[Problem] = []
    for name, variable in launch.env.items():
        flag = known.get(_setting_of(name)) if name in _variables() and name not in _ELSEWHERE else None
        if flag is None:
            continue
        reason = variable.unknown
        if name == "TS_ALLOWED_URLS" and enabled and not _reads_urls(config, version):
            problems.append(_unread(title, name, "use_env_allowed_urls=true", variable))
            continue
        if enabled is None:
            reason = "read only where the file of settings has enable_envvars_config=true, and no source shows it"
        if enabled is False and name != "TS_OPEN_INFERENCE_PROTOCOL":
            problems.append(_unread(title, name, "enable_envvars_config=true", variable))
            continue
        if reason is None and variable.value is None:
            reason = f"the value of {name} could not be seen"
        word = Token(variable.value or "", variable.location, reason, variable.via)
        noted = state((Setting(flag.names[0], word),), known, engine=title, origin="env", rank=_ABOVE_ALL)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    return Noted(tuple(observations), tuple(problems))


def _unread(title: str, name: str, setting: str, variable: Variable) -> Problem:
    return Problem(
        kind="ignored-argument",
        message=f"{title} does not read {name}: the settings lack {setting}",
        locations=(variable.location,),
        argument=name,
        value=variable.value or "",
        suggestion=setting,
    )


def _reads_urls(config: _Config, version: str | None) -> bool:
    """``TS_ALLOWED_URLS`` has needed a switch of its own since 0.9.0."""
    if version is not None and versions.release_key(version) < versions.release_key("0.9.0"):
        return True
    return (config.value("use_env_allowed_urls") or "false").lower() == "true"


def _models(
    launch: Launch, parsed: Parsed, config: _Config, version: str | None, enabled: bool | None
) -> tuple[list[Observation], list[Problem]]:
    """Which models start, and with what."""
    problems: list[Problem] = []
    read: dict[str, tuple[models.Model, ...]] = {}
    for name in ("models", "model_snapshot"):
        one = next((p for p in config.properties if p.name == name), None)
        if one is not None and config.content is not None and one.value.strip() and "$$" not in one.value:
            if name == "model_snapshot" and not one.value.lstrip().startswith("{"):
                continue  # the name of a snapshot file, which is in the server's folder
            read[name], problem = models.read(one, config.content, snapshot=name == "model_snapshot")
            if problem is not None:
                problems.append(problem)
    store = (_last(parsed, "--model-store") or (Token("", launch.location),))[0].text
    store = store or config.value("model_store") or ""
    if config.image and not store:
        store = next((str(value) for name, value, _ in of_image(version, False) if name == "model_store"), "")
    if read.get("model_snapshot"):
        return models.of_snapshot(read["model_snapshot"], store), problems
    words, origin = _list(launch, parsed, config, enabled)
    if not words and config.unseen:
        return [], problems
    return models.of_list(words, store, read.get("models", ()), origin), problems


def _list(launch: Launch, parsed: Parsed, config: _Config, enabled: bool | None) -> tuple[Sequence[Token], Origin]:
    variable = launch.env.get("TS_LOAD_MODELS") if enabled else None
    if variable is not None:
        return (Token(variable.value or "", variable.location, variable.unknown),), "env"
    given = _last(parsed, "--models")
    if given:
        return given, "explicit"
    one = next((p for p in config.properties if p.name == "load_models"), None)
    if one is not None and config.content is not None:
        unknown = "taken from a variable when the server starts ($$…$$)" if "$$" in one.value else None
        return (Token(one.value, one.at(config.content), unknown),), "config-file"
    return (), "explicit"


def _startup(stated: Sequence[Observation], version: str | None) -> list[Observation]:
    """Before 0.12.0 the server waited for a model to load as long as for an answer: ``WorkerThread.java``."""
    if version is None or versions.release_key(version) >= versions.release_key("0.12.0"):
        return []
    from askew.resolve.resolve import resolve

    found = [one for one in stated if one.fact == "serving.request_timeout"]
    timeout = resolve(found).get("serving.request_timeout") if found else None
    if timeout is None or timeout.state != "known":
        return []
    return [
        Observation(
            fact=OTHER,
            key="default_startup_timeout",
            value=str(timeout.value),
            origin="engine-default",
            locations=timeout.locations,
            confidence=timeout.confidence,
            because=("releases before 0.12.0 wait for a model to load as long as for an answer",),
        )
    ]


def _unseen(config: _Config) -> list[Observation]:
    """Every setting of a file that no source shows is unknown, and so is whatever else stands in it."""
    where = (config.at,) if config.at is not None else ()
    facts = {(flag.fact, flag.key) for flag in SETTINGS if flag.fact and flag.fact != OTHER}
    facts |= {(name, "") for name in ("serving.port", "serving.listen_host", "serving.protocol", "serving.tls")}
    facts |= {(name, "") for name in ("model.served_names", "model.source", "runtime.instances")}
    facts |= {("runtime.dynamic_batching", "max_batch_size"), (OTHER, "--ts-config")}
    facts |= {("runtime.dynamic_batching", "max_queue_delay_microseconds")}
    value = Unknown(config.unseen, "show the file too, or read the server's start-up log")
    return [
        Observation(fact=fact, key=key, value=value, origin="config-file", locations=where)
        for fact, key in sorted(facts)
    ]


def _assumed(one: Observation) -> Observation:
    because = (*one.because, "unless a config.properties lies where it starts")
    return msgspec.structs.replace(one, confidence="likely", because=because)


def _settled(one: Observation, launch: Launch) -> Observation:
    """The engine's limits are one hop of several; KServe's wrapper listens in front of TorchServe."""
    if one.fact in ("serving.request_timeout", "serving.max_body.bytes") and not one.hop:
        return msgspec.structs.replace(one, hop="engine")
    if one.fact == "serving.port" and _kserve(launch) and isinstance(one.value, int):
        return msgspec.structs.replace(one, fact=OTHER, key="inference_address port", value=str(one.value))
    return one
