"""Reads launches of LiteLLM's proxy: arguments, variables, and its configuration file.

What it allows a request is a hop of the engines that its deployments name (``api_base``). Sources: ``versions/``;
``litellm/router.py``, ``litellm/proxy/proxy_cli.py`` and ``proxy_server.py`` of https://pypi.org/project/litellm/.
"""

from __future__ import annotations

import functools

import msgspec

from askew.engines import versions
from askew.engines.arguments import Dialect, Table, parse, table
from askew.engines.composed import composed
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.litellm import config as files
from askew.engines.litellm.flags import FLAGS, INERT
from askew.engines.litellm.settings import HOP, Settings, observations, upstreams
from askew.engines.observe import identity
from askew.engines.proxies import unsupported
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.values.image import ImageReference
from askew.resolve.observation import Observation

NAME = "litellm"
_UNSUPPORTED = unsupported("LiteLLM")
# Click: exact names, `--x v` and `--x=v`; of an option given twice the last. https://click.palletsprojects.com
_CLICK = Dialect(name="click", abbreviations=False, spaced_is_word=False)
_HOPS = frozenset(("serving.request_timeout", "serving.idle_timeout", "serving.max_concurrency"))
_SETS = {
    "serving.request_timeout": "litellm_settings.request_timeout",
    "serving.first_byte_timeout": "router_settings.stream_timeout",
    "serving.retries": "router_settings.num_retries",
    "serving.load_balancing": "router_settings.routing_strategy",
    "serving.max_body.bytes": "general_settings.max_request_size_mb",
    "serving.tls": "--ssl_certfile_path",
    "model.served_names": "model_list",
}


class LiteLLM(msgspec.Struct, frozen=True):
    """The engine. Pure: a launch in, observations out."""

    name: str
    unsupported: dict[str, str]

    def read(self, launch: Launch) -> Reading:
        """See ``Engine.read``."""
        identified, version = identity(NAME, launch, title="LiteLLM", states=_release)
        words = arguments(launch)
        if words is None:
            from askew.engines.unrecognised import read

            return read(launch)
        names = _table(version)
        named = [one for one in parse(words, names).given if one.flag.names[0] == "--config" and one.values]
        config = files.find(launch, named[-1].values[0] if named else None)
        settings = Settings(config=config, launch=launch, version=version)
        known = _variables()
        reading = composed(
            launch,
            words,
            names,
            identified=identified,
            version=version,
            variables=FLAGS,
            own=("LITELLM_",),
            reads=known,
            inert=(*INERT, "REQUEST_TIMEOUT"),
            defaults=tuple(observations(settings)),
        )
        found = (*reading.observations, *_defaults(version))
        return msgspec.structs.replace(
            reading,
            observations=tuple(_at_hop(one) for one in found),
            problems=(*reading.problems, *config.problems),
            mapped=reading.mapped + settings.mapped,
            unmapped=(*reading.unmapped, *settings.unmapped),
            upstreams=tuple(upstreams(settings)),
        )

    def flag_for(self, fact: str, version: str | None) -> str | None:
        """See ``Engine.flag_for``. A setting of the configuration file where no argument sets it."""
        if fact in _SETS:
            return _SETS[fact]
        names = _table(version).names
        for flag in FLAGS:
            if flag.fact == fact and not flag.key:
                entry = names[flag.names[0]]
                return flag.names[0] if entry.alive and entry.current else None
        return None


ENGINE = LiteLLM(NAME, _UNSUPPORTED)


def arguments(launch: Launch) -> tuple[Token, ...] | None:
    """The words after the program; None where the words start something else."""
    for index, token in enumerate(launch.argv[:4]):
        last = token.text.rpartition("/")[2]
        if last in ("litellm", "proxy_cli.py") or token.text in ("litellm.proxy.proxy_cli",):
            return launch.argv[index + 1 :]
    if not launch.argv or (launch.implicit_entrypoint and launch.argv[0].text.startswith("-")):
        return launch.argv
    return launch.argv if launch.implicit_entrypoint and launch.argv[0].unknown is not None else None


def _release(reference: ImageReference) -> str | None:
    """Tags name the branch before the release (``main-v1.75.5-stable``); ``main-latest`` and ``main-stable`` move."""
    from askew.facts.values.version import image_tag_version

    if not reference.repository.rpartition("/")[2].startswith("litellm") or not reference.tag:
        return None
    text = reference.tag
    for prefix in ("main-", "litellm_", "v"):
        text = text.removeprefix(prefix)
    for suffix in ("-stable", "-nightly"):
        text = text.removesuffix(suffix)
    return image_tag_version(text)


@functools.cache
def _flags() -> tuple[Flag, ...]:
    """The arguments with the releases that have them."""
    past = versions.history(NAME)
    found: list[Flag] = []
    for flag in FLAGS:
        spans = past.spans(flag.names[0]) if past is not None else ()
        since, until = (spans[0][0], spans[-1][1]) if spans else ("", "")
        found.append(msgspec.structs.replace(flag, since=since, until=until))
    return tuple(found)


@functools.lru_cache(maxsize=8)
def _table(version: str | None) -> Table:
    return table(_flags(), _CLICK, title="LiteLLM", version=version, releases=versions.releases(NAME))


@functools.cache
def _variables() -> frozenset[str]:
    """Every variable that some release reads."""
    looked_at = versions.stable(NAME)
    return frozenset(looked_at.variables) if looked_at is not None else frozenset()


@functools.lru_cache(maxsize=8)
def _defaults(version: str | None) -> tuple[Observation, ...]:
    from askew.engines.literal import literals
    from askew.knowledge.platform_defaults import default_of

    keep_alive = default_of("uvicorn", "timeout_keep_alive")
    found = list(literals(NAME, "LiteLLM", version, _flags()))
    found.append(
        Observation(
            fact="serving.idle_timeout", value=keep_alive.value, origin="engine-default",
            locations=(keep_alive.citation,), because=("of uvicorn, which serves it",),
        )
    )  # fmt: skip
    for fact, value in (("serving.tls", False), ("serving.protocol", "http")):
        found.append(
            Observation(
                fact=fact, value=value, origin="engine-default", locations=(_cited(version),)
            )
        )  # fmt: skip
    return tuple(found)


def _cited(version: str | None) -> Location:
    return Location(f"litellm {version or ''} litellm/proxy/proxy_cli.py".replace("  ", " "))


def _at_hop(one: Observation) -> Observation:
    return msgspec.structs.replace(one, hop=HOP) if one.fact in _HOPS and not one.hop else one
