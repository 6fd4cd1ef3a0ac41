"""Reads launches of LitServe: the keyword arguments in the program, where a source shows it."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping

import msgspec

from askew.engines import settings, versions
from askew.engines.composed import own_variables
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.litserve.flags import SETTINGS, VARIABLES
from askew.engines.observe import RELEVANT_PREFIXES, environment, identity
from askew.engines.python_source import Argument, Call, calls
from askew.engines.settings import OTHER, Setting, state
from askew.engines.unsupported import classic
from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule

NAME, TITLE = "litserve", "LitServe"
_UNSUPPORTED = {
    **classic(TITLE, "the program"),
    "model.id": "the program loads the model; LitServe knows no name of it",
    "model.source": "the program loads the model",
    "model.revision": "the program loads the model",
    "model.served_names": "the program answers, under any name or none",
}
_IN_SOURCE = (
    "serving.request_timeout", "serving.port", "serving.listen_host", "serving.streaming", "serving.max_body.bytes",
    "runtime.instances",
)  # fmt: skip
_REASON = "the settings are in the program's source, which no source shows"
_LOOK = "curl -s $URL/info"
_SUBCLASS = re.compile(r"(?m)^class[ \t]+(\w{1,80})\([^()\n]{0,200}\bLitAPI\b")
_ORDER = ("lit_api", "accelerator", "devices", "workers_per_device", "timeout")  # of LitServer, in every release


class LitServe(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title=TITLE, states=_release)
        title = f"{TITLE} {version}" if version else TITLE
        content = _program(launch)
        prefixes = (*RELEVANT_PREFIXES, "LIT_", "LITSERVE_")
        others = environment(launch, inert=VARIABLES, prefixes=prefixes)
        known, strange = own_variables(launch, ("LIT_", "LITSERVE_"), VARIABLES)
        stated = [*identified, *others, _key(launch, version)]
        where = Location(f"litserve {version or ''} litserve/server.py".replace("  ", " "))
        stated.append(Observation(fact="serving.protocol", value="http", origin="engine-default", locations=(where,)))
        found = _settings(content) if content is not None else None
        if found is None:
            stated.extend(_unseen(_REASON, launch, frozenset()))
            return Reading(observations=tuple(stated), version=version, variables=known, strange=strange)
        noted = state(found[0], _table(version), engine=title, origin="explicit")
        stated.extend(noted.observations)
        taken = {(one.fact, one.key) for one in noted.observations}
        if found[1]:
            stated.extend(_unseen("the program hands LitServe a map of settings that it makes itself", launch, taken))
        else:
            stated.extend(one for one in _literal(version) if _slot(one) not in taken)
        for fact, value in (("serving.max_body.bytes", "unlimited"), ("serving.listen_host", "0.0.0.0")):
            if not any(one.fact == fact for one in stated):
                stated.append(Observation(fact=fact, value=value, origin="engine-default", locations=(where,)))
        workers = _workers(stated, where)
        return Reading(
            observations=tuple(_settled(one) for one in stated),
            rules=() if found[1] else (workers,),
            problems=noted.problems,
            version=version,
            mapped=noted.mapped,
            unmapped=noted.unmapped,
            variables=known,
            strange=strange,
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. The keyword argument, with what takes it."""
        if fact == "runtime.instances":
            return "LitServer.workers_per_device"
        for flag in SETTINGS:
            if flag.fact != fact or fact == OTHER or flag.key:
                continue
            if versions.has(flag.since, flag.until, version, versions.releases(NAME)):
                return flag.names[0]
        return None


ENGINE = LitServe(NAME, _UNSUPPORTED)


def _release(reference: ImageReference) -> str | None:
    """An image that is called like the library is taken to count its releases; others count their owner's."""
    from askew.facts.values.version import image_tag_version

    own = reference.repository.rpartition("/")[2] == "litserve"
    return image_tag_version(reference.tag) if own and reference.tag else None


def _unseen(reason: str, launch: Launch, taken: Collection[tuple[str, str]]) -> list[Observation]:
    value, where = Unknown(reason, _LOOK), (launch.location,)
    return [
        Observation(fact=fact, value=value, origin="engine-default", locations=where)
        for fact in _IN_SOURCE
        if (fact, "") not in taken
    ]


def _slot(one: Observation) -> tuple[str, str]:
    return (one.fact, one.key)


@functools.lru_cache(maxsize=8)
def _table(version: str | None) -> dict[str, Flag]:
    releases = versions.releases(NAME)
    return {flag.names[0]: flag for flag in SETTINGS if versions.has(flag.since, flag.until, version, releases)}


@functools.lru_cache(maxsize=8)
def _literal(version: str | None) -> tuple[Observation, ...]:
    return settings.defaults(NAME, TITLE, version, SETTINGS)


def _program(launch: Launch) -> Content | None:
    """The Python program that is started, where a source shows it."""
    for token in launch.argv:
        if token.text.endswith(".py"):
            return launch.file(token.text)
    return None


def _settings(content: Content) -> tuple[list[Setting], bool] | None:
    """The arguments of the program's calls, and whether some came by a map that is not written there; None where the
    program makes no server that can be seen."""
    subclasses = set(_SUBCLASS.findall(content.text))
    found: list[Setting] = []
    seen = hidden = False
    for call in calls(content, {"LitServer", "run", *subclasses}):
        name = "LitAPI" if call.name in subclasses else call.name
        if name == "run" and not _serves(call):
            continue
        seen = seen or name == "LitServer"
        for keyword, one in call.keywords.items():
            known = f"{name}.{keyword}" in _every()
            if keyword != "lit_api" and (known or name != "LitAPI"):  # a subclass has arguments of its own
                found.append(_setting(f"{name}.{keyword}", one))
        for place, one in enumerate(call.positional[: len(_ORDER)]):
            if name == "LitServer" and place:
                found.append(_setting(f"LitServer.{_ORDER[place]}", one))
            elif name == "run" and one.literal:
                found.append(_setting("run.host" if isinstance(one.value, str) else "run.port", one))
        hidden = hidden or call.spread
    return (found, hidden) if seen else None


@functools.cache
def _every() -> frozenset[str]:
    return frozenset(flag.names[0] for flag in SETTINGS)


def _serves(call: Call) -> bool:
    """Whether a call of something named ``run`` is that of a server: by its arguments, which others do not take."""
    return not call.keywords or all(f"run.{name}" in _every() for name in call.keywords)


def _setting(name: str, one: Argument) -> Setting:
    if not one.literal:
        return Setting(name, Token(one.text, one.at, f"the program computes it: {one.text}"))
    kind = "null" if one.value is None else "text"
    text = one.value if isinstance(one.value, str) else one.text
    return Setting(name, Token(text, one.at), kind)


def _key(launch: Launch, version: str | None) -> Observation:
    variable = launch.env.get("LIT_SERVER_API_KEY")
    where = Location(f"litserve {version or ''} litserve/server.py".replace("  ", " "))
    if variable is None:
        return Observation(
            fact="serving.api_key_required", value=False, origin="engine-default", locations=(where,),
            confidence="likely", because=("unless the program checks requests itself",),
        )  # fmt: skip
    return Observation(fact="serving.api_key_required", value=True, origin="env", locations=(variable.location,))


def _workers(stated: list[Observation], where: Location) -> Rule:
    """Copies of the model: devices times workers per device. ``auto`` is every GPU, else the CPU."""

    def setting(name: str, default: str) -> str | None:
        found = [one for one in stated if one.fact == OTHER and one.key == f"LitServer.{name}"]
        written = [one for one in found if one.origin == "explicit"] or found
        if not written:
            return default
        value = written[-1].value
        return None if isinstance(value, Unknown) else str(value)

    devices, each = setting("devices", ""), setting("workers_per_device", "1")
    accelerator = setting("accelerator", "auto")

    def compute(known: Mapping[str, Value]) -> Value | Unknown:
        gpus = known.get("hardware.gpu.count")
        if each is None or not each.isdecimal() or devices is None or accelerator is None:
            return Unknown("the program computes devices or workers_per_device", _LOOK)
        if devices.isdecimal():
            return int(devices) * int(each)
        if accelerator == "cpu" or gpus == 0:
            return int(each)
        if devices == "auto" and isinstance(gpus, int):
            return gpus * int(each)
        return Unknown("workers for every GPU that the server sees; no source shows how many", _LOOK)

    return Rule(
        fact="runtime.instances", needs=(), uses=("hardware.gpu.count",), compute=compute, location=where,
        because="devices times workers per device",
    )  # fmt: skip


def _settled(one: Observation) -> Observation:
    if one.fact in ("serving.request_timeout", "serving.max_body.bytes") and not one.hop:
        return msgspec.structs.replace(one, hop="engine")
    return one
