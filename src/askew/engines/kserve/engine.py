"""Reads launches of KServe's model servers, and of the vLLM inside huggingfaceserver.

Source: https://github.com/kserve/kserve/tags, ``python/``.
"""

from __future__ import annotations

import functools
import re

import msgspec

from askew.engines import versions
from askew.engines.arguments import ARGPARSE, Parsed, Table, parse, places, table
from askew.engines.composed import own_variables, read_variables
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.kserve import backend, flags
from askew.engines.kserve.backend import Backend
from askew.engines.literal import literals
from askew.engines.observe import Noted, environment, identity, read_arguments
from askew.evidence.launch import Launch, Token
from askew.facts.types import Value
from askew.facts.values.image import ImageReference
from askew.resolve.observation import Observation, Unknown
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem

NAME, TITLE = "kserve", "KServe"
FACE = "huggingfaceserver"

# What none of KServe's servers can express.
_UNSUPPORTED = {
    "model.code_revision": "huggingfaceserver loads remote code at --model_revision",
    "runtime.max_input_tokens": "KServe's servers have one limit for prompt and output together",
    "runtime.default_output_tokens": "a request that names no limit may use the rest of the context",
    "serving.api_key_required": "KServe's servers ask for no key; a gateway before them may",
}
_OWN = ("KSERVE_", "CE_", "PREDICT_PROBA", "ALLOW_LONG_MAX_MODEL_LEN")
_RELEASE = r"(?a)v?\d+\.\d+\.\d+(?:-?rc\d+)?(?:-(?:gpu|cpu))?"


class KServe:
    """The engine. Pure: a launch in, observations out."""

    name = NAME
    unsupported = _UNSUPPORTED

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title=TITLE, states=_release)
        server, words = _program(launch)
        hidden = next((word.unknown for word in words if word.unknown and not word.text.startswith("-")), "")
        chosen = backend.choose(server, words, launch, version)
        known = _table(server, version, chosen.vllm if chosen.name == "vllm" else None, chosen.name)
        parsed = parse(words, known)
        mine, inner, lost = _apart(parsed, server, chosen, version)
        noted = read_arguments(mine, engine=TITLE, deferred={"--dtype": ("auto",)})
        said = read_variables(flags.VARIABLES, launch, version, known, _word)
        observations = [*identified, *_noted(noted, server), *said.observations]
        problems = [*_kept(noted.problems), *said.problems, *_ignored(parsed, known, chosen), *lost]
        rules: list[Rule] = []
        if chosen.name == "vllm":
            below, more = backend.inside(launch, words, inner, chosen, version)
            if any(one.fact == "model.served_names" for one in below.observations):
                observations = [one for one in observations if one.fact != "model.served_names"]
            observations.extend(below.observations)
            rules.extend(more)
            problems.extend(_kept(below.problems))
        else:
            observations.extend(environment(launch, expressed=_EXPRESSED, inert=_INERT))
            if server == FACE:
                rules.extend(backend.transformers(version))
        observations.extend(_defaults(server, version, hidden, chosen))
        strange = own_variables(launch, _OWN, (*_EXPRESSED, *flags.NOT_OF_THE_SERVER))
        return Reading(
            observations=tuple(observations),
            rules=tuple(rules),
            problems=tuple(problems),
            version=version,
            mapped=len(parsed.given),
            unmapped=tuple(one.name for one in parsed.unmapped if not one.reason),
            variables=strange[0],
            strange=strange[1],
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. What huggingfaceserver hands to vLLM has vLLM's name."""
        if fact == backend.OTHER:
            return None
        for flag in (*flags.SDK, *flags.FACE, *flags.TRANSFORMERS):
            if flag.fact == fact and not flag.key and versions.has(flag.since, flag.until, version, ()):
                return flag.names[0]
        if fact in ("model.source", "model.id"):
            return "--model_id"
        if fact == "runtime.threads":
            return "--nthread"
        if fact.startswith("serving."):
            return None
        return backend.flag_for(fact, version)


ENGINE = KServe()
_EXPRESSED = frozenset(flag.names[0] for flag in flags.VARIABLES)
_INERT = frozenset(("HF_HOME",))


def _release(image: ImageReference) -> str | None:
    """The release of KServe that an image states: the project's own images, and copies that keep its name."""
    from askew.facts.values.version import image_tag_version

    if image.tag is None or "/kserve/" not in image.name or re.fullmatch(_RELEASE, image.tag) is None:
        return None
    return image_tag_version(image.tag)


def _program(launch: Launch) -> tuple[str, tuple[Token, ...]]:
    """Which server is started, and the words after its name; empty where nothing says which."""
    for index, token in enumerate(launch.argv[:6]):
        if index and launch.argv[index - 1].text == "-m" and token.text in flags.OF_SERVER:
            return token.text, launch.argv[index + 1 :]
    image = launch.image.text if launch.image is not None else ""
    server = next((name for name in flags.OF_SERVER if name in image), "")
    return server, launch.argv


def flags_of(server: str, name: str) -> tuple[Flag, ...]:
    """The arguments of a server; of one that nothing names, those of all."""
    if not server:
        several = {id(flag): flag for own in flags.OF_SERVER.values() for flag in own if flag.names[0] != "--model_dir"}
        return (*flags.SDK, *several.values(), *flags.TRANSFORMERS, *flags.OF_SERVER["sklearnserver"][:1])
    more = flags.TRANSFORMERS if server == FACE and name != "vllm" else ()
    return (*flags.SDK, *flags.OF_SERVER[server], *more)


@functools.lru_cache(maxsize=32)
def _table(server: str, version: str | None, vllm: str | None, name: str) -> Table:
    """Every name that the server's parser has; of huggingfaceserver with vLLM, vLLM's too.

    huggingfaceserver calls ``parse_known_args``, in which vLLM's own parser does not take underscores for dashes, reads
    no ``--config`` and joins no dotted names: all that is in its ``parse_args``.
    """
    releases = versions.releases(NAME)
    own = table(flags_of(server, name), ARGPARSE, title=server or TITLE, version=version, releases=releases)
    if name != "vllm":
        return own
    below = backend.table_of(vllm)
    return msgspec.structs.replace(own, names={**below.names, **own.names}, older={**below.older, **own.older})


def _apart(
    parsed: Parsed, server: str, chosen: Backend, version: str | None
) -> tuple[Parsed, Parsed, tuple[Problem, ...]]:
    """What the server acts on itself, what it hands to vLLM, and what neither heeds."""
    if chosen.name != "vllm":
        return parsed, Parsed(), ()
    own = {id(flag) for flag in flags_of(server, chosen.name)}
    instead = backend.unheeded(version)
    heeded = [one for one in parsed.given if one.flag.names[0] not in instead]
    lost = tuple(
        Problem(
            kind="ignored-argument",
            message=f"huggingfaceserver does not hand {one.spelled} to vLLM",
            locations=places(one.name, *one.values),
            argument=one.spelled,
            suggestion=instead[one.flag.names[0]],
            fact=one.flag.fact,
        )
        for one in parsed.given
        if one.flag.names[0] in instead and chosen.confidence == "certain"
    )
    mine = tuple(one for one in heeded if id(one.flag) in own and one.flag.names[0] not in backend.HANDED)
    rest = tuple(one for one in heeded if id(one.flag) not in own or one.flag.names[0] in backend.HANDED)
    replace = msgspec.structs.replace
    return replace(parsed, given=mine), replace(parsed, given=rest, unmapped=()), lost


def _noted(noted: Noted, server: str) -> tuple[Observation, ...]:
    """A model on the Hub wins over a directory, and lgbserver has one worker whatever is written."""
    found = list(noted.observations)
    if any(one.fact == "model.id" for one in found):
        found = [
            one
            for one in found
            if one.fact != "model.source"
            or str(one.raw) in {str(other.raw) for other in found if other.fact == "model.id"}
        ]
    if server == "lgbserver":  # lgbserver/__main__.py: ModelServer(workers=1)
        found = [one for one in found if one.fact != "runtime.instances"]
    return tuple(found)


def _kept(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """What the server refuses. An argument that it does not know it ignores, and that is told by ``_ignored``; the
    beginning of several names it does refuse."""
    return tuple(
        one
        for one in problems
        if one.kind not in ("unknown-argument", "removed-argument") or "it could be" in one.message
    )


def _ignored(parsed: Parsed, known: Table, chosen: Backend) -> list[Problem]:
    found = []
    for one in parsed.unmapped:
        ambiguous = any(one.name == told.argument and "it could be" in told.message for told in parsed.problems)
        if one.reason or ambiguous or (chosen.name != "vllm" and chosen.confidence != "certain"):
            continue
        name = one.name
        dashes = "--" + name.removeprefix("--").replace("_", "-")
        entry = known.names.get(dashes) if dashes != name else None
        why = f"it is spelled {dashes}" if entry is not None and entry.alive else "it has no such argument"
        found.append(
            Problem(
                kind="ignored-argument",
                message=f"{known.title} ignores {name}: {why}",
                locations=places(one.token),
                argument=name,
                suggestion=dashes if entry is not None and entry.alive else "",
                fact=entry.flag.fact if entry is not None else "",
            )
        )
    return found


def _defaults(server: str, version: str | None, hidden: str, chosen: Backend) -> list[Observation]:
    own = tuple(one for one in flags_of(server, chosen.name) if one.names[0] not in backend.HANDED)
    found = list(literals(NAME, TITLE, version, (*own, *flags.VARIABLES), leave=("runtime.dtype",)))
    stable: dict[str, Value] = {
        "serving.protocol": "http",
        "serving.listen_host": "0.0.0.0",
        "runtime.env": {},
        backend.OTHER: {},
    }
    found.extend(Observation(fact=fact, value=value, origin="engine-default") for fact, value in stable.items())
    if version is not None and versions.release_key(version) < versions.release_key("0.18.0"):
        # uvicorn's own, which releases before that leave as it is: https://www.uvicorn.org/settings/#timeouts
        found.append(Observation(fact="serving.idle_timeout", value=5, origin="engine-default", confidence="likely"))
    if server == "lgbserver":
        found.append(Observation(fact="runtime.instances", value=1, origin="derived", because=("lgbserver has one",)))
    found.extend(_packages(server, version, chosen))
    if server != FACE or chosen.name != "vllm":
        found.extend(_source(server))
    if hidden:
        found = [
            msgspec.structs.replace(
                one, confidence="possible", because=(*one.because, f"unless what is unseen says otherwise: {hidden}")
            )
            if one.origin == "engine-default"
            else one
            for one in found
        ]
    return found


def _source(server: str) -> list[Observation]:
    if server != FACE:
        return []
    unpinned = Unknown("no revision is pinned: it is whatever main is at download time")
    return [
        Observation(fact="model.source", value="/mnt/models", origin="engine-default"),
        Observation(fact="model.revision", value=unpinned, origin="engine-default"),
    ]


def _packages(server: str, version: str | None, chosen: Backend) -> list[Observation]:
    """What the release's own image is built with. huggingfaceserver installs vLLM last, which may move the others."""
    release = versions.load(NAME, version)
    if release is None or not server or not chosen.official:
        return []
    found = []
    for name in flags.PACKAGES[server]:
        state = release.packages.get(name)
        if state is None or (name == "cuda" and not chosen.gpu_image):
            continue
        sure = name == "vllm" or server != FACE
        found.append(
            Observation(
                fact="runtime.packages", key=name, value=str(state.value), origin="engine-default",
                locations=(release.where(state),), confidence="certain" if sure else "likely",
                because=("the image of the release is built with it",),
            )
        )  # fmt: skip
    return found


def _word(text: str) -> bool:
    return text.strip().lower() in ("y", "yes", "t", "true", "on", "1")
