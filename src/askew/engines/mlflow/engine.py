"""Reads launches of MLflow's model server, of the images it builds, and of its gateway."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec

from askew.engines import settings, versions
from askew.engines.arguments import Dialect, Parsed, Table, parse, table
from askew.engines.composed import composed
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.mlflow.flags import CONTAINER, GATEWAY, GUNICORN, READ, SERVE, UVICORN, UVICORN_FLAGS
from askew.engines.observe import Noted, identity, read_arguments
from askew.engines.settings import OTHER
from askew.engines.unsupported import classic
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.observation import PRECEDENCE, Confidence, Observation, Unknown
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem

NAME, TITLE = "mlflow", "MLflow"
_UNSUPPORTED = {
    **classic(TITLE, "a model's flavor"),
    "model.served_names": "MLflow serves one model, and requests name none",
    "serving.max_body.bytes": "MLflow's server has no limit on the body of requests",
    "serving.streaming": "a model's flavor decides whether it streams",
    "serving.tls": "MLflow's server does not speak TLS",
    "serving.api_key_required": "MLflow's server has no authorization",
}
_OWN = ("MLFLOW_", "GUNICORN_", "DISABLE_NGINX", "ENABLE_MLSERVER")
_CLICK = Dialect(name="click", abbreviations=False, spaced_is_word=False)
_GUNICORN = Dialect(name="argparse", negations=())
_SERVER = "mlflow/pyfunc/scoring_server/__init__.py"
_CONTAINER = "mlflow/models/container/__init__.py"
# GUNICORN_CMD_ARGS is put behind the arguments that MLflow writes, so it wins over them.
_ABOVE_ARGUMENTS = PRECEDENCE.index("explicit") * 10 - 5


class MLflow(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title=TITLE, states=_release)
        title = f"{TITLE} {version}" if version else TITLE
        found = form(launch)
        if found is None:
            from askew.engines.unrecognised import read

            return read(launch)
        kind, words = found
        flags = _table(kind, version)
        base = composed(
            launch, words, flags, identified=identified, version=version, variables=_variables(kind, version),
            own=_OWN, reads=READ, inert=_others(), strays=kind != "container",
        )  # fmt: skip
        parsed = parse(words, flags)
        program = _program(kind, version, parsed)
        if kind == "container" and _mlserver(launch, version):
            program = "mlserver"
        noted = [_gunicorn(launch, program, title)]
        if kind == "gateway":
            noted.append(_gateway_file(launch, parsed, title))
        stated = [*base.observations, *(one for part in noted for one in part.observations)]
        if kind == "container":
            stated.extend(_container(launch, version, program))
        elif kind in ("serve", "gateway"):
            stated.extend(_defaults(kind, version))
        if kind != "gateway":
            stated.extend(_served(version, program))
        return msgspec.structs.replace(
            base,
            observations=tuple(_settled(one, program) for one in stated),
            rules=_rules(kind, version),
            problems=(*base.problems, *(one for part in noted for one in part.problems)),
            mapped=base.mapped + sum(part.mapped for part in noted),
            unmapped=(*base.unmapped, *(name for part in noted for name in part.unmapped)),
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``."""
        if fact in ("model.id", "model.source", "model.revision"):
            return "--model-uri"
        return next((flag.names[0] for flag in SERVE if flag.fact == fact != OTHER), None)


ENGINE = MLflow(NAME, _UNSUPPORTED)


def form(launch: Launch) -> tuple[str, tuple[Token, ...]] | None:
    """What starts (``serve``, ``gateway``, ``container``, ``gunicorn``, ``uvicorn``), and the words after it."""
    texts = [token.text for token in launch.argv]
    for index, text in enumerate(texts):
        name = text.rpartition("/")[2]
        if name in ("serve", "start", "start-server") and index:
            kind = "serve" if name == "serve" else "gateway"
            return kind, launch.argv[index + 1 :]
        if "from mlflow.models import container" in text:
            return "container", ()
        if name in ("gunicorn", "uvicorn"):
            words = [token for token in launch.argv[index + 1 :] if "mlflow.pyfunc" not in token.text]
            return name, tuple(token for token in words if token.text != "--")
    return None


def _release(reference: ImageReference) -> str | None:
    """Tags of the project's own image are MLflow's releases, with a ``v``."""
    from askew.facts.values.version import image_tag_version

    own = f"/{reference.repository}".endswith("/mlflow/mlflow")
    return image_tag_version(reference.tag) if own and reference.tag else None


_TABLES: Mapping[str, tuple[Flag, ...]] = {
    "serve": SERVE,
    "gateway": GATEWAY,
    "gunicorn": GUNICORN,
    "uvicorn": UVICORN_FLAGS,
    "container": (),
}


@functools.lru_cache(maxsize=16)
def _table(kind: str, version: str | None) -> Table:
    dialect = _GUNICORN if kind == "gunicorn" else _CLICK
    return table(_TABLES[kind], dialect, title=TITLE, version=version, releases=versions.releases(NAME))


@functools.lru_cache(maxsize=16)
def _variables(kind: str, version: str | None) -> tuple[Flag, ...]:
    flags = SERVE if kind == "container" else _TABLES[kind]
    releases = versions.releases(NAME)
    alive = [flag for flag in flags if flag.env and versions.has(flag.since, flag.until, version, releases)]
    if kind == "container":  # its start script reads these two, and no others of the command's
        return tuple(flag for flag in CONTAINER if versions.has(flag.since, flag.until, version, releases))
    return tuple(alive)


@functools.cache
def _others() -> tuple[str, ...]:
    """Every variable that MLflow declares, of which ``READ`` are those that change what is served."""
    known = versions.stable(NAME)
    names = known.variables if known else ()
    return tuple(name for name in names if name not in READ)


def _program(kind: str, version: str | None, parsed: Parsed) -> str:
    """The program that answers: gunicorn, uvicorn or mlserver; empty where the release is not known."""
    if kind in ("gunicorn", "uvicorn"):
        return kind
    if kind == "gateway":
        return "gateway"
    if any(one.flag.names[0] == "--enable-mlserver" for one in parsed.given):
        return "mlserver"
    if version is None:
        return ""
    return "uvicorn" if versions.release_key(version) >= versions.release_key(UVICORN) else "gunicorn"


def _gunicorn(launch: Launch, program: str, title: str) -> Noted:
    """``GUNICORN_CMD_ARGS``: words behind those that MLflow writes, while it starts gunicorn."""
    variable = launch.env.get("GUNICORN_CMD_ARGS")
    if variable is None or program in ("", "gateway") or variable.value is None or variable.unknown is not None:
        return Noted()
    if program != "gunicorn":
        problem = Problem(
            kind="ignored-argument", message=f"{title} starts {program}: nothing reads GUNICORN_CMD_ARGS",
            locations=(variable.location,), argument="GUNICORN_CMD_ARGS", value=variable.value,
            fact="serving.request_timeout",
        )  # fmt: skip
        return Noted(problems=(problem,))
    words = tuple(Token(word, variable.location, None, variable.via) for word in variable.value.split())
    noted = read_arguments(parse(words, _table("gunicorn", None)), engine="gunicorn", origin="env")
    observations = tuple(msgspec.structs.replace(one, rank=_ABOVE_ARGUMENTS) for one in noted.observations)
    return Noted(observations, noted.problems, noted.mapped, noted.unmapped)


def _gateway_file(launch: Launch, parsed: Parsed, title: str) -> Noted:
    """The endpoints of the gateway's file: their names, and each one's model as text."""
    given = next((one.values for one in reversed(parsed.given) if one.flag.names[0] == "--config-path"), ())
    variable = launch.env.get("MLFLOW_GATEWAY_CONFIG")
    path = given[0].text if given else variable.value if variable is not None and variable.value else ""
    content = launch.file(path) if path else None
    if content is None:
        return Noted()
    found = settings.read(path, content, "expected a map with endpoints")
    if found.problem is not None:
        return Noted(problems=(found.problem,))
    from askew.evidence.yaml import read as read_yaml

    documents = read_yaml(content.text, path).documents
    observations: list[Observation] = []
    names: list[Value] = []
    for endpoint in documents[0].root["endpoints"].each() if documents else ():
        name = endpoint["name"].text() or ""
        at = content.place(max(endpoint.location.line - 1, 0))
        names.append(name)
        for key in (("endpoint_type",), ("model", "provider"), ("model", "name"), ("limit", "calls")):
            text = endpoint.get(*key).text()
            if text is not None:
                observations.append(
                    Observation(
                        fact=OTHER,
                        key=f"endpoints:{name}:{'.'.join(key)}",
                        value=text,
                        origin="config-file",
                        locations=(at,),
                    )
                )
    names.sort(key=str)
    observations.append(
        Observation(fact="model.served_names", value=names, origin="config-file", locations=(content.location,))
    )
    return Noted(tuple(observations), mapped=len(observations))


@functools.lru_cache(maxsize=8)
def _defaults(kind: str, version: str | None) -> tuple[Observation, ...]:
    if kind == "serve":
        return settings.defaults(NAME, TITLE, version, SERVE)
    named = [
        flag
        if flag.names[0].startswith("MLFLOW_")
        else msgspec.structs.replace(flag, names=(f"gateway {flag.names[0]}",))
        for flag in GATEWAY
    ]
    found = list(settings.defaults(NAME, TITLE, version, named))
    where = Location(f"mlflow {version or ''} mlflow/gateway/app.py".replace("  ", " "))
    found.append(Observation(fact="serving.protocol", value="http", origin="engine-default", locations=(where,)))
    return tuple(found)


def _served(version: str | None, program: str) -> list[Observation]:
    """What every form of the model server has: which program answers, over HTTP, with one worker."""
    where = Location(f"mlflow {version or ''} {_SERVER}".replace("  ", " "))
    found = [Observation(fact="serving.protocol", value="http", origin="engine-default", locations=(where,))]
    if program:
        found.append(
            Observation(fact=OTHER, key="scoring server", value=program, origin="engine-default", locations=(where,))
        )
    return found


def _mlserver(launch: Launch, version: str | None) -> bool:
    """Whether the image starts MLServer: until 3.13.0 a variable could ask for it."""
    variable = launch.env.get("ENABLE_MLSERVER")
    gone = version is not None and versions.release_key(version) >= versions.release_key("3.13.0")
    return variable is not None and (variable.value or "").lower() == "true" and not gone


def _container(launch: Launch, version: str | None, program: str) -> list[Observation]:
    """An image of ``mlflow models build-docker``: MLServer on 8080, or nginx there in front, unless DISABLE_NGINX."""
    where = Location(f"mlflow {version or ''} {_CONTAINER}".replace("  ", " "))
    variable = launch.env.get("DISABLE_NGINX")
    bare = program != "mlserver" and variable is not None and (variable.value or "").lower() == "true"
    found = [
        Observation(fact="serving.port", value=8000 if bare else 8080, origin="engine-default", locations=(where,))
    ]
    # get_cmd gets no host, and both programs then listen on the loopback address.
    host = "127.0.0.1" if bare else "0.0.0.0"
    found.append(Observation(fact="serving.listen_host", value=host, origin="engine-default", locations=(where,)))
    found.append(Observation(fact="model.source", value="/opt/ml/model", origin="engine-default", locations=(where,)))
    near = versions.nearest(NAME, version)
    entry = near[0].variables.get("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT") if near else None
    found.append(
        Observation(
            fact="serving.request_timeout",
            value=entry.value if entry is not None else 60,
            origin="engine-default",
            locations=(near[0].where(entry) if near and entry is not None else where,),
            confidence="certain" if near and near[1] else "likely",
        )
    )
    return found


def _rules(kind: str, version: str | None) -> tuple[Rule, ...]:
    where = Location(f"mlflow {version or ''} {_CONTAINER if kind == 'container' else _SERVER}".replace("  ", " "))

    def cores(known: Mapping[str, Value]) -> Value | Unknown:
        return Unknown("one worker for each CPU of the node, whatever the limit; no source shows how many")

    def one(known: Mapping[str, Value]) -> Value | Unknown:
        return 1

    if kind == "container":
        because = "multiprocessing.cpu_count(), unless MLFLOW_MODELS_WORKERS"
        return (Rule(fact="runtime.instances", needs=(), compute=cores, because=because, location=where),)
    confidence: Confidence = "likely"
    because = "gunicorn and uvicorn start one worker, unless WEB_CONCURRENCY says otherwise"
    if kind == "gateway":
        return ()
    return (
        Rule(fact="runtime.instances", needs=(), compute=one, because=because, confidence=confidence, location=where),
    )


def _settled(one: Observation, program: str) -> Observation:
    """The server's timeout is one hop of several; what it ends differs between the programs."""
    if one.fact not in ("serving.request_timeout", "serving.idle_timeout") or one.hop:
        return one
    if program == "mlserver" and one.fact == "serving.request_timeout":
        because = ("MLServer ends no request by time: MLflow hands it no timeout",)
        return msgspec.structs.replace(one, value=None, hop="engine", because=because)
    ends: tuple[str, ...] = ("gunicorn ends the worker, and all of its requests",) if program == "gunicorn" else ()
    return msgspec.structs.replace(one, hop="engine", because=(*one.because, *ends))
