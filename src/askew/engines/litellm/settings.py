"""What the settings of a LiteLLM proxy mean for a request: which of several holds, by release.

``Router.__init__``, ``_get_stream_timeout``, ``_get_non_stream_timeout`` and ``calculate_max_parallel_requests`` of
``litellm/router.py`` and ``utils.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from askew.engines import versions
from askew.engines.litellm.config import Config, Deployment, Setting
from askew.engines.litellm.flags import (
    ALSO,
    BALANCING,
    DECIDED,
    ELSEWHERE,
    INERT_WORDS,
    NOT_INERT,
    OTHER,
    SAMPLING,
    STATED,
)
from askew.engines.observe import observe
from askew.engines.versions import Default, Release
from askew.evidence.launch import Launch
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.facts.values.address import host_and_port
from askew.resolve.observation import Confidence, Observation, Origin, Unknown
from askew.resolve.workload import Upstream

HOP = "litellm"
TOTAL, FIRST_BYTE = "serving.request_timeout", "serving.first_byte_timeout"
RETRIES, BALANCE, LIMIT = "serving.retries", "serving.load_balancing", "serving.max_concurrency"
# The first release that was read in which request_timeout, where it is set, goes before the router's own timeout.
_REQUEST_FIRST = "1.91.5"
_PER_CHUNK = "of an answer that is not streamed; in a stream it bounds each wait for the next part"
_LOOK = "the proxy's config.yaml, and GET /get/config/callbacks and /model/info of the running proxy"


class Settings(msgspec.Struct, frozen=True):
    """The settings of one launch."""

    config: Config
    launch: Launch
    version: str | None

    @property
    def mapped(self) -> int:
        """How many settings of the file a table knows."""
        return sum(1 for name in _names(self.config) if _known(name))

    @property
    def unmapped(self) -> tuple[str, ...]:
        """The settings of the file that no release that was read has."""
        return tuple(name for name in _names(self.config) if not _known(name))


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    """A value that holds, with its origin."""

    value: Value | Unknown
    origin: Origin
    places: tuple[Location, ...]
    confidence: Confidence = "certain"
    because: tuple[str, ...] = ()

    def observed(self, fact: str, key: str = "", hop: str = HOP, because: tuple[str, ...] = ()) -> Observation:
        """The observation; a value that the fact refuses is unknown."""
        why = (*self.because, *because)
        if isinstance(self.value, Unknown):
            return Observation(
                fact=fact, value=self.value, origin=self.origin, locations=self.places, key=key, hop=hop, because=why
            )
        noted = observe(
            fact, self.value, origin=self.origin, locations=self.places, key=key, confidence=self.confidence,
            because=why, engine="LiteLLM",
        )  # fmt: skip
        return msgspec.structs.replace(noted.observations[0], hop=hop)


def observations(settings: Settings) -> Iterator[Observation]:
    """What the proxy itself does with requests."""
    config = settings.config
    for observation in _requests(settings):
        yield _in_database(observation, config)
    names: list[Value] = [*dict.fromkeys(one.name for one in config.deployments)]
    if names:
        places = tuple(one.place for one in config.deployments)
        yield Observation(fact="model.served_names", value=names, origin="config-file", locations=places)
    yield from _keys(settings)
    yield from _texts(settings)


def upstreams(settings: Settings) -> Iterator[Upstream]:
    """The backends that the deployments name by an address."""
    config = settings.config
    groups: dict[str, int] = {}
    for one in config.deployments:
        groups[one.name] = groups.get(one.name, 0) + 1
    for one in config.deployments:
        base = one.params.get("api_base") or one.params.get("base_url")
        if base is None or not isinstance(base.value, str):
            continue
        found = host_and_port(base.value)
        if found is None:
            continue
        met = [*_deployment(settings, one), *_retries(settings), *_limit(settings, one), *_sampling(one)]
        if groups[one.name] > 1:
            met.append(_balancing(settings))
        passed = tuple(_in_database(each, config) for each in met)
        yield Upstream(host=found[0], port=found[1], part=one.name, observations=passed, place=base.place)


def _requests(settings: Settings) -> Iterator[Observation]:
    config = settings.config
    own = [one for one in config.deployments if _own_timeout(one) is not None]
    for one in own:
        yield from _deployment(settings, one, hop=f"{HOP} {one.name}")
    if len(own) < len(config.deployments) or not config.deployments:
        yield from _deployment(settings, None)
    yield from _retries(settings)
    yield _balancing(settings)
    limit = config.settings.get("general_settings.global_max_parallel_requests")
    if config.unknown:
        yield _unseen(config).observed(LIMIT)
    elif limit is not None and limit.value is not None:
        yield _written(limit).observed(LIMIT)
    else:
        yield _default(settings, "general_settings.global_max_parallel_requests", "unlimited").observed(LIMIT)
    size = config.settings.get("general_settings.max_request_size_mb")
    if size is not None and size.number is not None:
        mebibytes = msgspec.structs.replace(_written(size), value=int(size.number * (1 << 20)))
        yield mebibytes.observed("serving.max_body.bytes")


def _own_timeout(one: Deployment) -> Setting | None:
    return _set(one.params.get("timeout")) or _set(one.params.get("request_timeout"))


def _set(setting: Setting | None) -> Setting | None:
    """A setting that is written and not empty: LiteLLM takes zero and null for absent."""
    return setting if setting is not None and setting.value not in (None, 0, "") else None


def _deployment(settings: Settings, one: Deployment | None, hop: str = HOP) -> Iterator[Observation]:
    """The times that a deployment gives a request; of one without own times, or where none is known, the router's."""
    own = _own_timeout(one) if one is not None else None
    total = _written(own) if own is not None else _timeout(settings)
    yield total.observed(TOTAL, hop=hop, because=(_PER_CHUNK,))
    stream = _set(one.params.get("stream_timeout")) if one is not None else None
    stream = stream or _set(settings.config.settings.get("router_settings.stream_timeout"))
    if stream is not None:
        yield _written(stream).observed(FIRST_BYTE, hop=hop, because=("the longest wait for a part of a stream",))


def _timeout(settings: Settings) -> _Value:
    """The router's time for a request."""
    config = settings.config
    if config.unknown:
        return _unseen(config)
    router = _set(config.settings.get("router_settings.timeout"))
    request = _set(config.settings.get("litellm_settings.request_timeout"))
    variable = settings.launch.env.get("REQUEST_TIMEOUT")
    said: _Value | None = _written(request) if request is not None else None
    if said is None and variable is not None and (variable.value or variable.unknown):
        value: Value | Unknown = variable.value or Unknown(variable.unknown or "the variable could not be seen")
        said = _Value(value=value, origin="env", places=(variable.location, *variable.via))
    if router is not None and said is not None:
        newer = _is_since(settings.version, _REQUEST_FIRST)
        if newer is None and router.value != said.value:
            why = f"router_settings.timeout before {_REQUEST_FIRST}, request_timeout since; the release is not known"
            return _Value(value=Unknown(why, _LOOK), origin="config-file", places=(router.place, *said.places))
        return said if newer else _written(router)
    if router is not None:
        return _written(router)
    return said or _default(settings, "litellm_settings.request_timeout")


def _is_since(version: str | None, first: str) -> bool | None:
    """Whether a release is ``first`` or later; None where it is not known, or lies between two that were read."""
    if version is None:
        return None
    near = versions.neighbours(version, versions.releases("litellm"))
    told = {versions.release_key(one) >= versions.release_key(first) for one in near}
    return told.pop() if len(told) == 1 else None


def _retries(settings: Settings) -> Iterator[Observation]:
    """How often the router asks in all: the first time, and as often again as it retries."""
    config = settings.config
    if config.unknown:
        yield _unseen(config).observed(RETRIES, HOP)
        return
    found = None
    for name in ("router_settings.num_retries", "litellm_settings.num_retries"):
        setting = config.settings.get(name)
        if found is None and setting is not None and setting.value is not None:
            found = _written(setting)
            if not isinstance(setting.value, Unknown):
                number = setting.number
                value: Value | Unknown = Unknown("no whole number of retries", text=str(setting.value))
                if number is not None and float(number).is_integer():
                    value = {"attempts": int(number) + 1}
                found = msgspec.structs.replace(found, value=value)
    if found is None:
        found = _default(settings, "router num_retries")
        if isinstance(found.value, int):
            found = msgspec.structs.replace(found, value={"attempts": found.value + 1})
    yield found.observed(RETRIES, HOP)


def _balancing(settings: Settings) -> Observation:
    config = settings.config
    if config.unknown:
        return _unseen(config).observed(BALANCE)
    setting = _set(config.settings.get("router_settings.routing_strategy"))
    found = _written(setting) if setting is not None else _default(settings, "router_settings.routing_strategy")
    if isinstance(found.value, str):
        found = msgspec.structs.replace(found, value=BALANCING.get(found.value, found.value))
    return found.observed(BALANCE)


def _limit(settings: Settings, one: Deployment) -> Iterator[Observation]:
    """Requests at once to one deployment: its own limit, or what its rate limits amount to."""
    for name in ("max_parallel_requests", "rpm"):
        setting = one.params.get(name)
        if setting is not None and setting.value is not None:
            yield _written(setting).observed(LIMIT, because=() if name != "rpm" else ("the rate limit rpm",))
            return
    tokens = one.params.get("tpm")
    if tokens is not None and tokens.number is not None:
        found = msgspec.structs.replace(_written(tokens), value=max(int(tokens.number / 1000 / 6), 1))
        yield found.observed(LIMIT, because=("tpm ÷ 6000",))
        return
    setting = settings.config.settings.get("router_settings.default_max_parallel_requests")
    if setting is not None and setting.value is not None:
        yield _written(setting).observed(LIMIT)


def _sampling(one: Deployment) -> Iterator[Observation]:
    """Sampling parameters that LiteLLM adds to a request that sends none."""
    for name in SAMPLING:
        setting = one.params.get(name)
        if setting is not None and setting.value is not None:
            found = msgspec.structs.replace(_written(setting), confidence="likely")
            because = ("LiteLLM adds it to requests that pass through it and send none",)
            yield found.observed("runtime.sampling_defaults", name, because=because)


def _keys(settings: Settings) -> Iterator[Observation]:
    """A master key makes every request need a key."""
    setting = settings.config.settings.get("general_settings.master_key")
    variable = settings.launch.env.get("LITELLM_MASTER_KEY")
    fact = "serving.api_key_required"
    if setting is not None and setting.value not in (None, ""):
        yield Observation(fact=fact, value=True, origin="config-file", locations=(setting.place,))
    elif variable is not None and (variable.value is None or variable.value):
        yield Observation(fact=fact, value=True, origin="env", locations=(variable.location,))
    elif settings.config.unknown:
        yield _unseen(settings.config).observed(fact, hop="")
    else:
        yield _default(settings, "general_settings.master_key", False).observed(fact, hop="")


def _texts(settings: Settings) -> Iterator[Observation]:
    """Settings that no fact describes, as text, so that a change of one shows."""
    config = settings.config
    near = versions.nearest("litellm", settings.version)
    defaults = near[0].arguments if near is not None else {}
    for name, setting in config.settings.items():
        if name in _FACTS or _is_inert(name) or setting.value is None:
            continue
        default = defaults.get(name)
        if name not in STATED and default is not None and default.kind == "literal" and default.value == setting.value:
            continue  # a default spelled out
        yield _text(name, setting)
    seen: dict[str, int] = {}
    for one in config.deployments:
        number = seen[one.name] = seen.get(one.name, 0) + 1
        prefix = f"model_list.{one.name}" + (f"[{number}]" if number > 1 else "")
        for name, setting in one.params.items():
            if name in ELSEWHERE or _is_inert(name) or setting.value is None:
                continue
            yield _text(f"{prefix}.{name}", setting)
        for name in SAMPLING:
            if name in one.params:
                yield _text(f"{prefix}.{name}", one.params[name])
    if config.unknown:
        return
    for name in STATED:
        found = _default(settings, name)
        if not isinstance(found.value, Unknown) and found.value is not None:
            yield _as_text(name, found)
    for name in DECIDED:
        found = _default(settings, f"router {name}")
        if not isinstance(found.value, Unknown) and found.value is not None:
            yield _as_text(f"router_settings.{name}", found)


_FACTS = frozenset(
    (
        *("router_settings.timeout", "litellm_settings.request_timeout", "router_settings.stream_timeout"),
        *("router_settings.num_retries", "litellm_settings.num_retries", "router_settings.routing_strategy"),
        *("general_settings.global_max_parallel_requests", "general_settings.max_request_size_mb"),
        "general_settings.master_key",
    )
)


def _is_inert(name: str) -> bool:
    last = name.rpartition(".")[2].lower()
    return last not in NOT_INERT and any(word in last for word in INERT_WORDS)


def _text(name: str, setting: Setting) -> Observation:
    return _as_text(name, _written(setting))


def _as_text(name: str, found: _Value) -> Observation:
    value = found.value
    if not isinstance(value, (Unknown, str)):
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        value = msgspec.json.encode(value, order="sorted").decode()
    return Observation(
        fact=OTHER, key=name, value=value, origin=found.origin, locations=found.places, confidence=found.confidence,
        because=found.because,
    )  # fmt: skip


def _written(setting: Setting) -> _Value:
    return _Value(value=setting.value, origin="config-file", places=(setting.place,))


def _unseen(config: Config) -> _Value:
    places = (config.place,) if config.place is not None else ()
    return _Value(value=Unknown(config.unknown, _LOOK), origin="config-file", places=places)


def _default(settings: Settings, name: str, instead: Value = None) -> _Value:
    """The release's default of a setting; of a release that was not read that of the nearest, as likely; of one that
    is not known what never changed. ``instead`` is what None means."""
    near, stable = versions.nearest("litellm", settings.version), versions.stable("litellm")
    confidence: Confidence = "certain"
    because: tuple[str, ...] = ()
    if near is not None:
        release, exact = near
        entry = release.arguments.get(name)
        if entry is not None and entry.kind == "literal":
            if not exact and not _is_equal_around(settings.version, name, entry):
                confidence = "likely"
                because = (f"LiteLLM {settings.version} was not read; {release.version}, the nearest, does so",)
            return _Value(
                value=instead if entry.value is None else entry.value, origin="engine-default",
                places=(release.where(entry),), confidence=confidence, because=because,
            )  # fmt: skip
    elif stable is not None and name in stable.defaults:
        value = stable.defaults[name]
        return _Value(value=instead if value is None else value, origin="engine-default", places=(stable.where,))
    why = "the default changed between releases" if near is None else "the release decides it at start"
    return _Value(value=Unknown(why, _LOOK), origin="engine-default", places=(settings.launch.location,))


def _is_equal_around(version: str | None, name: str, entry: Default) -> bool:
    """Whether the releases before and after one that was not read have the same default."""
    near = versions.neighbours(version or "", versions.releases("litellm"))
    found: list[Release] = [one for each in near if (one := versions.load("litellm", each)) is not None]
    return len(found) == 2 and all(
        other is not None and (other.value, other.kind) == (entry.value, entry.kind)
        for other in (one.arguments.get(name) for one in found)
    )


def _in_database(one: Observation, config: Config) -> Observation:
    """Where models are kept in the proxy's database, what stands there wins over the file."""
    setting = config.settings.get("general_settings.store_model_in_db")
    variable = config.env.get("STORE_MODEL_IN_DB")
    stored = (setting is not None and setting.value is True) or (
        variable is not None and (variable.value or "").lower() == "true"
    )
    if not stored or one.confidence != "certain" or isinstance(one.value, Unknown):
        return one
    because = "settings in the proxy's database win over the file"
    return msgspec.structs.replace(one, confidence="likely", because=(*one.because, because))


def _names(config: Config) -> Iterator[str]:
    yield from config.settings
    for one in config.deployments:
        for name in one.params:
            yield f"litellm_params.{name}"


def _known(name: str) -> bool:
    past = versions.history("litellm")
    if name in _FACTS or name in ALSO or name.rpartition(".")[2] in SAMPLING or _is_inert(name):
        return True
    return past is None or name in past.arguments
