"""What a launch of Infinity says, argument by argument: one value, or one for each of several models.

An argument on the command line replaces its variable; a single value holds for every model.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.engines import versions
from askew.engines.arguments import Given, Parsed
from askew.engines.flags import Flag
from askew.engines.infinity.flags import MODEL, OTHER, SERVER, VARIABLES_SINCE, truth
from askew.engines.observe import Noted, read_given, refused
from askew.evidence.launch import Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.types import Value
from askew.resolve.observation import Observation, Origin, Unknown
from askew.resolve.workload import Problem

# Values that mean "decide yourself".
_DECIDE = {
    "--dtype": "auto",
    "--pooling-method": "auto",
    "--revision": "",
    "--served-model-name": "",
}
_MANY = 64  # models of one server; a list that is longer was not written by a person


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One argument: the values in order of the models, each as if it alone had been given."""

    flag: Flag
    origin: Origin
    given: tuple[Given, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The values as text; of a switch true or false."""
        return tuple(_text(one) for one in self.given)

    @property
    def places(self) -> tuple[Location, ...]:
        """Where the values stand."""
        return tuple(token.location for one in self.given for token in (one.values or (one.name,)))

    @property
    def doubt(self) -> str:
        """Why a value is not final, if one is not."""
        tokens = [token for one in self.given for token in (one.name, *one.values)]
        return next((token.unknown for token in tokens if token.unknown), "")


def _text(given: Given) -> str:
    if given.flag.takes == "toggle":
        return "false" if given.negated else "true"
    return given.values[0].text if given.values else ""


def settings(parsed: Parsed, launch: Launch, version: str | None, title: str) -> dict[str, Setting]:
    """Every argument that the command line or a variable gives, by its name."""
    known = versions.releases("infinity")
    written: dict[str, list[Given]] = {}
    for one in parsed.given:
        written.setdefault(one.flag.names[0], []).append(one)
    found: dict[str, Setting] = {}
    for flag in (*MODEL, *SERVER):
        name = flag.names[0]
        if name in written:
            several = tuple(written[name]) if flag in MODEL else tuple(written[name][-1:])
            found[name] = Setting(flag=flag, origin="explicit", given=several)
            continue
        variable = launch.env.get(flag.env) if flag.env else None
        since = max(flag.since or "0", VARIABLES_SINCE, key=versions.release_key)
        if variable is not None and versions.has(since, "", version, known):
            found[name] = _by_variable(flag, variable, title)
    return found


def _by_variable(flag: Flag, variable: Variable, title: str) -> Setting:
    where = (variable.location, *variable.via)
    unknown = variable.unknown or (None if variable.value is not None else f"{variable.name} could not be seen")
    text = variable.value or ""
    words = text.removesuffix(";").split(";")[: _MANY + 1] if flag in MODEL and unknown is None else [text]
    name = Token(variable.name, variable.location, unknown, variable.via)
    given: list[Given] = []
    problems: list[Problem] = []
    for word in words:
        negated = False
        if flag.takes == "toggle" and unknown is None:
            try:
                negated = not truth(word)
            except ValueError:
                negated = True  # env.py takes every other word for false
        values = () if flag.takes == "toggle" else (Token(word, variable.location, unknown, variable.via),)
        given.append(Given(flag=flag, name=name, spelled=variable.name, values=values, negated=negated))
    if len(words) > _MANY:
        problems.append(
            Problem(
                kind="malformed", message=f"{title} is given more than {_MANY} values in {variable.name}",
                locations=where, argument=variable.name, fact=flag.fact,
            )
        )  # fmt: skip
    return Setting(flag=flag, origin="env", given=tuple(given[:_MANY]), problems=tuple(problems))


def read(found: Mapping[str, Setting], title: str) -> Noted:
    """Observations of all settings, and what Infinity would refuse."""
    models = found.get("--model-id")
    count = len(models.given) if models is not None else 1
    observations: list[Observation] = []
    problems: list[Problem] = []
    for name, setting in found.items():
        problems.extend(setting.problems)
        noted = _server(setting, title) if setting.flag in SERVER else _model(name, setting, count, title)
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    if models is not None and count > 1:
        observations.extend(_called(models, found.get("--served-model-name")))
    return Noted(tuple(observations), tuple(problems), mapped=len(found))


def _called(models: Setting, names: Setting | None) -> tuple[Observation, ...]:
    """What several models are called: a name of their own, else the last two parts of the id (``args.py``)."""
    given = names.texts if names is not None else ()
    doubt = models.doubt or (names.doubt if names is not None else "")
    if doubt or len(given) not in (0, 1, len(models.texts)):
        return ()
    one_each = given if len(given) == len(models.texts) else given * len(models.texts) or ("",) * len(models.texts)
    called = {name or "/".join(model.split("/")[-2:]) for name, model in zip(one_each, models.texts, strict=True)}
    origin = names.origin if names is not None else models.origin
    places = (*models.places, *(names.places if names is not None else ()))
    called_so: list[Value] = [*sorted(called)]
    return (Observation(fact="model.served_names", value=called_so, origin=origin, locations=places),)


def _server(setting: Setting, title: str) -> Noted:
    if setting.flag.irrelevant:
        return Noted()
    return _alone(setting, setting.given[-1], title)


def _alone(setting: Setting, given: Given, title: str) -> Noted:
    """A setting with one value. The value that means "decide yourself" says no more than its absence."""
    flag = setting.flag
    decide = _DECIDE.get(flag.names[0])
    if decide is not None and not setting.doubt and _text(given).strip() == decide and flag.fact != OTHER:
        return Noted()
    return read_given(given, engine=title, origin=setting.origin)


def _model(name: str, setting: Setting, count: int, title: str) -> Noted:
    texts = setting.texts
    if count == 1 and len(texts) > 1 and name != "--model-id":
        return _mismatch(setting, count, title)
    if len(texts) not in (1, count):
        return _mismatch(setting, count, title)
    if name == "--model-id" and count > 1:
        return _several_ids(setting)
    if name == "--served-model-name":
        return _alone(setting, setting.given[0], title) if count == 1 or setting.doubt else Noted()
    if len(set(texts)) == 1 or setting.doubt:
        return _alone(setting, setting.given[0], title)
    apart = Unknown(f"the {count} models of this server differ in {name}", text="; ".join(texts))
    flag = setting.flag
    facts = (flag.fact,) if flag.fact else ("runtime.dtype", "runtime.quantization")
    observations = [
        Observation(fact=fact, key=flag.key, value=apart, origin=setting.origin, locations=setting.places)
        for fact in facts
        if fact != OTHER
    ]
    observations.extend(_each(setting, name))
    return Noted(tuple(observations))


def _each(setting: Setting, name: str) -> list[Observation]:
    """One entry for each model, so that a change of one of them shows."""
    return [
        Observation(
            fact=OTHER, key=f"{name} of model {place}", value=text, origin=setting.origin, locations=(where,), raw=text
        )
        for place, (text, where) in enumerate(zip(setting.texts, setting.places, strict=True), 1)
    ]


def _several_ids(setting: Setting) -> Noted:
    several = Unknown(f"{len(setting.texts)} models in one server", text="; ".join(setting.texts))
    one = Observation(fact="model.id", value=several, origin=setting.origin, locations=setting.places)
    return Noted((one, *_each(setting, "--model-id")))


def _mismatch(setting: Setting, count: int, title: str) -> Noted:
    name = setting.given[0].spelled
    if setting.doubt:
        return _alone(setting, setting.given[0], title)
    flag = setting.flag
    return refused(
        flag.fact or "runtime.dtype", "; ".join(setting.texts),
        f"{len(setting.texts)} values for {count} model{'s' if count != 1 else ''}: expected one, or one for each",
        origin=setting.origin, locations=setting.places, key=flag.key, name=name, engine=title,
    )  # fmt: skip
