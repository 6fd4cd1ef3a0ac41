"""Reads launches of MLServer: its variables, settings.json and the model-settings.json of each model."""

from __future__ import annotations

import functools

import msgspec

from askew.engines import settings, versions
from askew.engines.arguments import Dialect, Table, parse, table
from askew.engines.composed import composed
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.mlserver.flags import BEFORE, HUGGING_FACE, MODEL, OF_IMAGE, OF_MODEL, SERVER
from askew.engines.mlserver.signature import signature
from askew.engines.observe import Noted, identity
from askew.engines.settings import OTHER, Setting, state
from askew.engines.unsupported import classic
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.values.image import ImageReference
from askew.resolve.observation import PRECEDENCE, Confidence, Observation, Unknown
from askew.resolve.workload import Problem

NAME, TITLE = "mlserver", "MLServer"
_UNSUPPORTED = {
    **{fact: why for fact, why in classic(TITLE, "a runtime").items() if fact != "model.tokenizer.source"},
    "serving.request_timeout": "MLServer ends no request by time",
    "serving.max_body.bytes": "MLServer has no limit on the body of HTTP requests",
    "serving.streaming": "a runtime decides whether it streams",
    "serving.tls": "MLServer does not speak TLS itself",
    "serving.api_key_required": "MLServer has no authorization of its own",
}
_CLICK = Dialect(name="click", abbreviations=False, negative_numbers=False, spaced_is_word=False)
_FLAGS = (Flag(names=("--help", "--version"), takes="switch", irrelevant="It starts no server."),)
# A file's values are handed to the class itself, which puts them above variables:
# https://docs.pydantic.dev/latest/concepts/pydantic_settings/#field-value-priority
_ABOVE_VARIABLES = PRECEDENCE.index("env") * 10 - 1
_MODELS = "model-settings.json"
_LOOK = "curl -s -X POST $URL/v2/repository/index -d '{}'"
_WHOLE = ("cors_settings", "logging_settings", "model_repository_implementation_args")


class MLServer(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title=TITLE, states=_release)
        title = f"{TITLE} {version}" if version else TITLE
        words = arguments(launch)
        if words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        base = composed(
            launch, words, _table(), identified=identified, version=version, own=("MLSERVER_",),
            inert=(*_variables(), *OF_IMAGE, f"{HUGGING_FACE}*"), positionals=1,
        )  # fmt: skip
        folder = next((one for one in parse(words, _table()).positionals if one.unknown is None), None)
        alone = not launch.argv and launch.image is None
        paths = sorted(launch.files) if alone else []
        models = [path for path in sorted(launch.files) if path.rpartition("/")[2] == _MODELS]
        server = _settings_file(launch, folder)
        if alone and not models and not server:  # a file told by its keys, whatever its name
            server = [path for path in paths if not _is_model(path, launch)]
            models = [path for path in paths if _is_model(path, launch)]
        noted: list[Noted] = []
        if not (alone and models):
            noted.append(_variables_said(launch, version, title))
            for path in server[:1]:
                noted.append(_file(path, launch, version, title))
        noted.extend(_model(path, launch, version, title, several=len(models) > 1) for path in models)
        stated = [*base.observations, *(one for part in noted for one in part.observations)]
        if folder is not None:
            stated.append(
                Observation(
                    fact=OTHER,
                    key="model_repository_root",
                    value=folder.text,
                    origin="explicit",
                    locations=(folder.location,),
                )
            )
        if not (alone and models):
            stated.extend(_defaults(version))
        stated.extend(_of_model(version, bool(models)))
        return msgspec.structs.replace(
            base,
            observations=tuple(stated),
            problems=(*base.problems, *(one for part in noted for one in part.problems)),
            mapped=base.mapped + sum(part.mapped for part in noted),
            unmapped=(*base.unmapped, *(name for part in noted for name in part.unmapped)),
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. A setting, or a variable of a model's."""
        spread = {"runtime.instances": "parallel_workers", "model.id": "MLSERVER_MODEL_HUGGINGFACE_PRETRAINED_MODEL"}
        if fact in spread:
            return spread[fact]
        for flag in (*SERVER, *OF_MODEL):
            if flag.fact == fact != OTHER and versions.has(flag.since, flag.until, version, versions.releases(NAME)):
                return _variable_of(flag.names[0])
        return None


ENGINE = MLServer(NAME, _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after ``mlserver start``; None where the words start something else."""
    for index, token in enumerate(launch.argv):
        if token.text == "start" and index:
            return launch.argv[index + 1 :]
    return () if not launch.argv else None


def _release(reference: ImageReference) -> str | None:
    """Tags of the project's images are MLServer's releases: ``1.3.5``, ``1.3.5-slim``, ``1.3.5-sklearn``."""
    from askew.facts.values.version import image_tag_version

    own = reference.repository.rpartition("/")[2] == "mlserver"
    return image_tag_version(reference.tag) if own and reference.tag else None


@functools.cache
def _table() -> Table:
    return table(_FLAGS, _CLICK, title=TITLE)


@functools.cache
def _variables() -> tuple[str, ...]:
    known = versions.stable(NAME)
    return known.variables if known else ()


def _alive(flags: tuple[Flag, ...], version: str | None) -> dict[str, Flag]:
    releases = versions.releases(NAME)
    found: dict[str, Flag] = {}
    for flag in flags:
        if versions.has(flag.since, flag.until, version, releases) and (version is not None or not flag.until):
            found[flag.names[0]] = flag
    return found


@functools.lru_cache(maxsize=8)
def _of_server(version: str | None) -> dict[str, Flag]:
    return _alive(SERVER, version)


@functools.lru_cache(maxsize=8)
def _of_models(version: str | None) -> dict[str, Flag]:
    return {name.removeprefix(MODEL): flag for name, flag in _alive(OF_MODEL, version).items()}


def _variable_of(name: str) -> str:
    if name.startswith(MODEL):
        return "MLSERVER_MODEL_" + name.removeprefix(MODEL).removeprefix("parameters.").upper()
    return "MLSERVER_" + name.upper()


def _variables_said(launch: Launch, version: str | None, title: str) -> Noted:
    """What MLSERVER_ variables state, whatever the case of their letters."""
    of = {**_of_server(version), **{MODEL + name: flag for name, flag in _of_models(version).items()}}
    names = {_variable_of(name): name for name in of}
    found: list[Setting] = []
    for name, variable in launch.env.items():
        upper = name.upper()
        setting = names.get(upper)
        if upper.startswith(HUGGING_FACE):
            setting = f"{MODEL}parameters.extra.{upper.removeprefix(HUGGING_FACE).lower()}"
        if setting is None:
            continue
        unknown = variable.unknown or (None if variable.value is not None else f"the value of {name} could not be seen")
        found.append(Setting(setting, Token(variable.value or "", variable.location, unknown, variable.via)))
    return state(found, of, engine=title, origin="env", known=lambda name: ".extra." in name)


def _settings_file(launch: Launch, folder: Token | None) -> list[str]:
    """``settings.json`` of the folder that is served, as far as the sources show it."""
    found = [path for path in sorted(launch.files) if path.rpartition("/")[2] == "settings.json"]
    if folder is None or len(found) < 2:
        return found
    return [path for path in found if path.rpartition("/")[0] == folder.text.rstrip("/")]


def _is_model(path: str, launch: Launch) -> bool:
    text = launch.files[path].text
    return '"implementation"' in text or "implementation:" in text


def _file(path: str, launch: Launch, version: str | None, title: str) -> Noted:
    found = settings.read(path, launch.files[path], "expected a map of MLServer's settings", _WHOLE)
    if found.problem is not None:
        return Noted(problems=(found.problem,))
    noted = state(found.settings, _of_server(version), engine=title, rank=_ABOVE_VARIABLES)
    return _unreadable(noted)


def _unreadable(noted: Noted) -> Noted:
    """pydantic refuses a file with such a value, and the server does not start."""
    problems = tuple(
        msgspec.structs.replace(
            one, kind="unreadable", suggestion=one.suggestion or "the server does not start with it"
        )
        for one in noted.problems
    )
    return msgspec.structs.replace(noted, problems=problems)


def _model(path: str, launch: Launch, version: str | None, title: str, *, several: bool) -> Noted:
    """What one ``model-settings.json`` states; of several models each as text under its name."""
    content = launch.files[path]
    found = settings.read(path, content, "expected a map of a model's settings", ("inputs", "outputs"))
    if found.problem is not None:
        return Noted(problems=(found.problem,))
    folder = path.rpartition("/")[0].rpartition("/")[2]
    name = next((one.value.text for one in found.settings if one.name == "name"), "") or folder
    problems: list[Problem] = []
    kept: list[Setting] = []
    for one in found.settings:
        if one.name == "version":
            problems.append(
                Problem(
                    kind="ignored-argument",
                    message=f"{title} ignores version here: it reads parameters.version",
                    locations=(one.value.location,),
                    argument="version",
                    value=one.value.text,
                    suggestion="parameters.version",
                )
            )
        else:
            kept.append(one)
    table = {} if several else _of_models(version)
    noted = _unreadable(
        state(
            kept,
            table,
            engine=title,
            rank=_ABOVE_VARIABLES,
            known=_known,
            prefix=f"{name}:" if several else "model-settings:",
        )
    )
    observations = list(noted.observations)
    if not several:
        observations.extend(signature(found.settings))
    if several or not any(one.fact == "model.served_names" for one in observations):
        observations.append(_named(name, content.location))
    return msgspec.structs.replace(noted, observations=tuple(observations), problems=(*problems, *noted.problems))


def _known(name: str) -> bool:
    return name in _of_models(None) or name.startswith("parameters.extra.")


def _named(name: str, where: Location) -> Observation:
    return Observation(
        fact="model.served_names", value=[name], origin="config-file", locations=(where,), rank=_ABOVE_VARIABLES
    )


@functools.lru_cache(maxsize=8)
def _defaults(version: str | None) -> tuple[Observation, ...]:
    found = list(settings.defaults(NAME, TITLE, version, SERVER))
    near = versions.nearest(NAME, version)
    found.append(_default("serving.protocol", "", "http", near, "mlserver/rest/server.py"))
    if near is not None:
        key = versions.release_key(near[0].version)
        for since, until, name, value, place in BEFORE:
            if (versions.release_key(since) if since else ()) <= key < versions.release_key(until):
                found.append(_default(OTHER, name, value, near, place))
    return tuple(found)


def _default(fact: str, key: str, value: str, near: tuple[versions.Release, bool] | None, place: str) -> Observation:
    confidence: Confidence = "certain" if near is None or near[1] else "likely"
    where = Location(f"mlserver {near[0].version} {place}" if near else f"mlserver {place}")
    return Observation(
        fact=fact, key=key, value=value, origin="engine-default", locations=(where,), confidence=confidence
    )


@functools.lru_cache(maxsize=16)
def _of_model(version: str | None, shown: bool) -> tuple[Observation, ...]:
    """What a model gets where nothing is written; unknown where no source shows its file."""
    found = [one for one in settings.defaults(NAME, TITLE, version, OF_MODEL) if one.fact != "model.served_names"]
    if shown:
        return tuple(found)
    reason = Unknown(f"set in the model's {_MODELS}, which no source shows", _LOOK)
    facts = ("model.served_names", "model.source", "model.revision")
    unseen = [Observation(fact=fact, value=reason, origin="engine-default") for fact in facts]
    return (
        *unseen,
        *(
            msgspec.structs.replace(one, confidence="likely", because=(f"a model's own {_MODELS} wins over it",))
            for one in found
        ),
    )
