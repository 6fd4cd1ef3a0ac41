"""Reads launches of BentoML: arguments, variables, its configuration file, and a service's own source where shown."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

import msgspec

from askew.engines import settings, versions
from askew.engines.arguments import Dialect, Parsed, Table, parse, table
from askew.engines.bentoml.flags import ARGUMENTS, CONFIG, IN_SOURCE, NEW, PARTS, SILENT, SILENT_VARIABLES
from askew.engines.composed import composed
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.observe import Noted, identity
from askew.engines.python_source import Call, calls
from askew.engines.settings import OTHER, Setting, state
from askew.engines.unsupported import classic
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.observation import PRECEDENCE, Observation, Origin, Unknown
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem

NAME, TITLE = "bentoml", "BentoML"
_UNSUPPORTED = {
    **classic(TITLE, "a service's own code"),
    "serving.max_body.bytes": "BentoML has no limit on the body of requests",
    "serving.streaming": "a service's code decides whether it streams",
    "serving.api_key_required": "BentoML has no authorization of its own outside BentoCloud",
}
_CLICK = Dialect(name="click", abbreviations=False, spaced_is_word=False)
_PRODUCTION = "1.0.20"  # the first release that serves for production unless --development is given
# Version 2 of the file, and BENTOML_CONFIG_OPTIONS, win over a service's decorator; the options over the file.
_OPTIONS = PRECEDENCE.index("config-file") * 10 - 1
_SHARED = PRECEDENCE.index("config-file") * 10 + 3
_SOURCE = PRECEDENCE.index("config-file") * 10 + 1
_HOPS = ("serving.request_timeout", "serving.idle_timeout")
_FILES = ("bentoml_configuration.yaml", "bentoml_configuration.yml")
_NAMED_ONLY = ("threads", "replicate_process", "extra_ports", "runner_connection")
_BUILD = ("bentofile.yaml", "bentofile.yml")
_SERVICE = ("service", "api")
# Names of older files that every release still takes: ``migration`` of v1/__init__.py.
_MOVED = {
    "api_server.host": "api_server.http.host",
    "api_server.port": "api_server.http.port",
    "api_server.timeout": "api_server.traffic.timeout",
    "runners.timeout": "runners.traffic.timeout",
}
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,80})(?:\[[^\]]*\])?==([A-Za-z0-9.+!]{1,40})")


class BentoML(msgspec.Struct, frozen=True):
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
        flags = _table(version)
        base = composed(
            launch, words, flags, identified=identified, version=version, variables=_with_variables(version),
            own=("BENTOML_",), inert=SILENT_VARIABLES, reads=_variables(), positionals=1,
        )  # fmt: skip
        parsed = parse(words, flags)
        alone = not launch.argv and launch.image is None
        noted = [_file(path, launch, version, title) for path in _config_files(launch, alone)]
        noted.extend(_built(path, launch, title) for path in _build_files(launch, alone))
        noted.append(_options(launch, version, title))
        source = _source(launch, version, title)
        if source is not None:
            noted.append(source)
        stated = [*base.observations, *(one for part in noted for one in part.observations)]
        target = next(iter(parsed.positionals), None)
        if target is not None and target.unknown is None:
            where = (target.location, *target.via)
            stated.append(Observation(fact=OTHER, key="bento", value=target.text, origin="explicit", locations=where))
        rules: tuple[Rule, ...] = ()
        if not alone:
            stated.extend(_defaults(version, parsed, source is not None))
            rules = _rules(version, parsed)
        return msgspec.structs.replace(
            base,
            observations=tuple(_settled(one) for one in stated),
            rules=rules,
            problems=(*base.problems, *(one for part in noted for one in part.problems)),
            mapped=base.mapped + sum(part.mapped for part in noted),
            unmapped=(*base.unmapped, *(name for part in noted for name in part.unmapped)),
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. An argument, else a setting of the configuration."""
        if fact == "runtime.instances":
            return "--api-workers" if _old(version) else "services.workers"
        for flag in (*ARGUMENTS, *CONFIG):
            if flag.fact != fact or fact == OTHER or flag.key:
                continue
            if not versions.has(flag.since, flag.until, version, versions.releases(NAME)):
                continue
            if not flag.names[0].startswith("api_server.") or _old(version):
                return flag.names[0]
        return None


ENGINE = BentoML(NAME, _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after the command; None where the words start something else."""
    commands = ("serve", "serve-http", "serve-grpc", "start-http-server", "start-grpc-server")
    for index, token in enumerate(launch.argv):
        if token.text in commands:
            return launch.argv[index + 1 :]
    return () if not launch.argv else None


def _release(reference: ImageReference) -> str | None:
    """The project's base images state its release; an image of a bento states the bento's."""
    from askew.facts.values.version import image_tag_version

    own = reference.repository.rpartition("/")[2] == "bento-server"
    return image_tag_version(reference.tag) if own and reference.tag else None


def _old(version: str | None) -> bool:
    """Whether the release is known to have services of the first kind only."""
    return version is not None and versions.release_key(version) < versions.release_key(NEW)


@functools.lru_cache(maxsize=8)
def _table(version: str | None) -> Table:
    return table(ARGUMENTS, _CLICK, title=TITLE, version=version, releases=versions.releases(NAME))


@functools.cache
def _variables() -> tuple[str, ...]:
    known = versions.stable(NAME)
    return known.variables if known else ()


@functools.lru_cache(maxsize=8)
def _with_variables(version: str | None) -> tuple[Flag, ...]:
    return tuple(
        flag for flag in ARGUMENTS
        if flag.env and versions.has(flag.since, flag.until, version, versions.releases(NAME))
    )  # fmt: skip


@functools.lru_cache(maxsize=8)
def _config(version: str | None) -> dict[str, Flag]:
    releases = versions.releases(NAME)
    return {flag.names[0]: flag for flag in CONFIG if versions.has(flag.since, flag.until, version, releases)}


def _silent(name: str) -> bool:
    return any(f".{name}".find(f".{part}") >= 0 for part in SILENT)


def _canonical(found: Sequence[Setting]) -> list[Setting]:
    """Settings by the names of the tables: without the name of a service or a runner, without what is silent."""
    out: list[Setting] = []
    for one in found:
        name = _MOVED.get(one.name, one.name)
        if name.startswith("api_server.cors."):
            name = name.replace("api_server.cors.", "api_server.http.cors.", 1)
        one = msgspec.structs.replace(one, name=name)
        parts = name.split(".")
        if parts[0] == "services" and len(parts) > 2 and parts[1] not in PARTS:
            one = msgspec.structs.replace(one, name=".".join(("services", *parts[2:])))
        if parts[0] == "api_server" and len(parts) > 1 and parts[1] == "logging":
            continue
        if not _silent(one.name):
            out.append(one)
    return out


def _named_runner(name: str) -> bool:
    """Whether a setting is of one runner by its name: kept as text, since others have theirs."""
    return name.startswith("runners.")


def _config_files(launch: Launch, alone: bool) -> list[str]:
    """The file that BENTOML_CONFIG names, where a source shows it; alone the file that is the source."""
    variable = launch.env.get("BENTOML_CONFIG")
    if variable is not None and variable.value and launch.file(variable.value) is not None:
        return [variable.value]
    if not alone:
        return [path for path in sorted(launch.files) if path.rpartition("/")[2] in _FILES][:1]
    return [
        path
        for path in sorted(launch.files)
        if path.endswith((".yaml", ".yml")) and path not in _build_files(launch, True)
    ]


def _build_files(launch: Launch, alone: bool) -> list[str]:
    return [path for path in sorted(launch.files) if path.rpartition("/")[2] in _BUILD][:1]


def _file(path: str, launch: Launch, version: str | None, title: str) -> Noted:
    content = launch.file(path)
    if content is None:
        return Noted()
    whole = ("api_server.metrics.duration.buckets", "runners.resources", "services.resources")
    found = settings.read(path, content, "expected a map with api_server, runners or services", whole)
    if found.problem is not None:
        return Noted(problems=(found.problem,))
    noted = _configured(found.settings, version, title, None, _SHARED)
    problems = tuple(
        msgspec.structs.replace(one, kind="unreadable", suggestion=one.suggestion or "BentoML refuses such a file")
        if one.kind == "invalid-value"
        else one
        for one in noted.problems
    )
    return msgspec.structs.replace(noted, problems=problems)


def _configured(
    found: Sequence[Setting],
    version: str | None,
    title: str,
    rank: int | None,
    shared_rank: int,
    origin: Origin = "config-file",
) -> Noted:
    """Settings of the configuration: a service's own (``services.NAME.…``) win over its decorator, those of all
    services (``services.…``) lose to it, and a few of those reach none: ``finalize_config`` of ``configuration/v2``."""
    shared = [one for one in found if one.name.startswith("services.") and one.name.split(".")[1] in PARTS]
    named = [one for one in found if one not in shared]
    lost = [one for one in shared if one.name.split(".")[1] in _NAMED_ONLY]
    problems = tuple(
        Problem(
            kind="ignored-argument",
            message=f"{title} hands {one.name} to no service",
            locations=(one.value.location,),
            argument=one.name,
            value=one.value.text,
            suggestion=one.name.replace("services.", "services.NAME.", 1),
        )
        for one in lost
    )
    table = _config(version)
    first = state(_canonical(named), table, engine=title, origin=origin, rank=rank, known=_named_runner)
    second = state(
        _canonical([one for one in shared if one not in lost]),
        table,
        engine=title,
        origin=origin,
        rank=shared_rank,
        known=_named_runner,
    )
    doubt = not _old(version) and any(one.name.startswith("api_server.") for one in named)
    because = "a service that is written as a class takes services.… instead"
    observations = [_doubted(one, because) if doubt else one for one in first.observations]
    observations.extend(_doubted(one, "a service's own decorator wins over it") for one in second.observations)
    return Noted(
        tuple(observations),
        (*first.problems, *second.problems, *problems),
        first.mapped + second.mapped + len(lost),
        (*first.unmapped, *second.unmapped),
    )


def _doubted(one: Observation, because: str) -> Observation:
    return msgspec.structs.replace(one, confidence="likely", because=(*one.because, because))


def _built(path: str, launch: Launch, title: str) -> Noted:
    """``bentofile.yaml``: what a bento is built from."""
    content = launch.files[path]
    found = settings.read(path, content, "expected a map with a service", ("python.packages", "envs", "models"))
    if found.problem is not None:
        return Noted(problems=(found.problem,))
    observations: list[Observation] = []
    rest: list[Setting] = []
    for one in found.settings:
        if one.name == "python.packages" and one.kind == "list":
            for match in _PIN.finditer(one.value.text):
                observations.append(
                    Observation(
                        fact="runtime.packages",
                        key=match[1].lower(),
                        value=match[2],
                        origin="config-file",
                        locations=(one.value.location,),
                        raw=match[0],
                    )
                )
        elif not one.name.startswith(("labels.", "owner", "description")):
            rest.append(one)
    noted = state(rest, {}, engine=title, known=lambda name: True, prefix="bentofile:")
    return Noted((*observations, *noted.observations), noted.problems, noted.mapped + len(observations))


def _options(launch: Launch, version: str | None, title: str) -> Noted:
    """``BENTOML_CONFIG_OPTIONS``: ``name=value`` words, which win over the file."""
    variable = launch.env.get("BENTOML_CONFIG_OPTIONS")
    if variable is None or not variable.value or variable.unknown is not None:
        return Noted()
    found: list[Setting] = []
    problems: list[Problem] = []
    for word in re.findall(r'(?:[^\s"]|"[^"]*")+', variable.value)[:500]:
        name, sign, value = word.partition("=")
        if not sign:
            problems.append(_no_option(word, variable, title))
            continue
        name = name.replace('"', "")
        found.append(Setting(name, Token(value.strip("\"'"), variable.location, None, variable.via)))
    noted = _configured(found, version, title, _OPTIONS, _SHARED - 1, "env")
    return msgspec.structs.replace(noted, problems=(*noted.problems, *problems))


def _no_option(word: str, variable: Variable, title: str) -> Problem:
    return Problem(
        kind="invalid-value", message=f"{title} refuses {word!r} in {variable.name}: expected name=value",
        locations=(variable.location,), argument=variable.name, value=word, suggestion=f"{word}=VALUE",
    )  # fmt: skip


def _source(launch: Launch, version: str | None, title: str) -> Noted | None:
    """What the decorator of a service says, where its source is shown; None where it is not."""
    found: list[Setting] = []
    seen = False
    for path in sorted(launch.files):
        if not path.endswith(".py"):
            continue
        for call in calls(launch.files[path], _SERVICE):
            if call.name == "service":
                seen = True
                found.extend(_decorated(call))
            elif call.keywords.get("batchable") is not None:
                found.extend(_batched(call))
    if not seen:
        return None
    table = {**_config(version), **_BATCHED}
    return state(_canonical(found), table, engine=title, rank=_SOURCE, known=_named_runner)


_BATCHED = {
    f"batch.{name}": Flag(names=(f"batch.{name}",), fact="runtime.dynamic_batching", key=name, read=settings.integer)
    for name in ("max_batch_size", "max_latency_ms")
}


def _decorated(call: Call) -> list[Setting]:
    found = []
    for name, one in call.keywords.items():
        if name in ("name", "image", "envs", "labels", "cmd", "path_prefix", "description"):
            continue
        unknown = None if one.literal else f"the service's source computes it: {one.text}"
        text = (
            str(one.value).lower() if isinstance(one.value, bool) else one.text if not one.literal else _text(one.value)
        )
        found.append(Setting(f"services.{name}", Token(text, one.at, unknown)))
    return found


def _batched(call: Call) -> list[Setting]:
    if call.keywords["batchable"].value is not True:
        return []
    found = []
    for name, default in (("max_batch_size", 100), ("max_latency_ms", 60000)):
        one = call.keywords.get(name)
        if one is None:
            found.append(Setting(f"batch.{name}", Token(str(default), call.at)))
        else:
            unknown = None if one.literal else f"the service's source computes it: {one.text}"
            found.append(Setting(f"batch.{name}", Token(_text(one.value), one.at, unknown)))
    return found


def _text(value: Value) -> str:
    return str(value) if isinstance(value, (str, int, float)) else msgspec.json.encode(value).decode()


def _development(parsed: Parsed, version: str | None) -> bool | None:
    """Whether the server runs for development: by its argument, else by what the release does without one."""
    given = [one.flag.names[0] for one in parsed.given]
    if "--development" in given:
        return True
    if version is None:
        return None if "--production" not in given else False
    older = versions.release_key(version) < versions.release_key(_PRODUCTION)
    return "--production" not in given if older else False


@functools.lru_cache(maxsize=8)
def _literal(version: str | None) -> tuple[str, tuple[Observation, ...]]:
    """The form of the configuration that a release serves with, and its literal defaults."""
    prefix = "api_server." if version is None or _old(version) else "services."
    flags = [
        flag
        for flag in CONFIG
        if flag.names[0].startswith(prefix) or (prefix == "api_server." and flag.names[0].startswith("runners."))
    ]
    return prefix, settings.defaults(NAME, TITLE, version, flags)


def _defaults(version: str | None, parsed: Parsed, shown: bool) -> list[Observation]:
    prefix, literal = _literal(version)
    found: list[Observation] = []
    development = _development(parsed, version)
    for one in literal:
        if one.fact in IN_SOURCE and prefix == "services." and not shown:
            continue
        if one.fact == "serving.listen_host" and development is not False and version is not None:
            one = msgspec.structs.replace(one, value="127.0.0.1", because=("the server runs for development",))
        if one.fact == "serving.listen_host" and development is None:
            continue
        if prefix == "services." and not shown:
            because = (*one.because, "unless the service's own source sets it")
            one = msgspec.structs.replace(one, confidence="likely", because=because)
        found.append(one)
    app = "src/bentoml/_internal/server/http_app.py" if _old(version) else "src/_bentoml_impl/server/app.py"
    where = Location(f"bentoml {version or ''} {app}".replace("  ", " "))
    if prefix == "services." and not shown:
        for fact, otherwise in zip(IN_SOURCE, ("60 seconds", "no limit", "1", "1"), strict=True):
            reason = f"the service's own source may set it, and no source shows that; otherwise {otherwise}"
            found.append(
                Observation(fact=fact, value=Unknown(reason, "bentoml get BENTO -o yaml"), origin="engine-default")
            )
    elif version is not None and (not _old(version) or versions.release_key(version) >= (1, 0, 21)):
        found.append(
            Observation(
                fact="runtime.max_concurrent_requests", value="unlimited", origin="engine-default", locations=(where,)
            )
        )
    if prefix == "services." and shown:
        found.append(Observation(fact="runtime.instances", value=1, origin="engine-default", locations=(where,)))
    if version is not None:
        found.append(
            Observation(
                fact=OTHER,
                key="development",
                value="true" if development else "false",
                origin="engine-default",
                locations=(Location(f"bentoml {version} src/bentoml_cli/serve.py"),),
            )
        )
    found.append(Observation(fact="serving.protocol", value="http", origin="engine-default", locations=(where,)))
    return found


def _rules(version: str | None, parsed: Parsed) -> tuple[Rule, ...]:
    if not _old(version):
        return ()
    development = _development(parsed, version)

    def workers(known: Mapping[str, Value]) -> Value | Unknown:
        if development:
            return 1
        cores = known.get("orchestration.resources.cpu")
        limit = cores.get("limit") if isinstance(cores, dict) else None
        if isinstance(limit, (int, float)) and not isinstance(limit, bool) and limit > 0:
            return -int(-limit // 1)
        return Unknown("one worker for each CPU that the server sees; no source shows how many")

    return (
        Rule(
            fact="runtime.instances", needs=(), uses=("orchestration.resources.cpu",), compute=workers,
            because="one worker for each CPU in production, one in development", confidence="likely",
            location=Location(f"bentoml {version} src/bentoml/_internal/configuration/containers.py"),
        ),
    )  # fmt: skip


def _settled(one: Observation) -> Observation:
    """The engine's timeout is one hop of several; no limit is one too."""
    if one.fact in _HOPS and not one.hop:
        return msgspec.structs.replace(one, hop="engine")
    return one
