"""A whole reading of a launch, for engines whose arguments and variables are all there is to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from askew.engines import versions
from askew.engines.arguments import Given, Parsed, Table, parse, places
from askew.engines.flags import Flag
from askew.engines.interface import Reading
from askew.engines.observe import (
    RELEVANT_PREFIXES,
    Noted,
    environment,
    is_inert,
    read_arguments,
    read_given,
)
from askew.evidence.launch import Launch, Token, Variable
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.rule import Rule
from askew.resolve.workload import Problem


def composed(
    launch: Launch,
    words: Sequence[Token],
    flags: Table,
    *,
    identified: Sequence[Observation],
    version: str | None,
    variables: Sequence[Flag] = (),
    boolean: Callable[[str], bool] | None = None,
    own: Sequence[str] = (),
    reads: Collection[str] = (),
    inert: Collection[str] = (),
    deferred: Mapping[str, Collection[str]] = {},
    defaults: Sequence[Observation] = (),
    rules: Sequence[Rule] = (),
    strays: bool = True,
    positionals: int = 0,
) -> Reading:
    """Read ``words`` by the table ``flags``, then the variables, then what holds where nothing is written.

    ``identified`` are the observations of which engine it is. ``variables`` are flags that a variable sets too
    (``env``), or variables that stand alone (a name without dashes); ``boolean`` reads a switch given by one.
    ``own`` are prefixes of the engine's own variables, ``reads`` those that it reads besides, ``inert`` those that
    change nothing that a fact describes. ``strays``: plain words beyond the first ``positionals`` are refused.
    """
    parsed = parse(words, flags)
    noted = read_arguments(parsed, engine=flags.title, deferred=deferred)
    said = read_variables(variables, launch, version, flags, boolean or _word)
    expressed = frozenset(name for flag in variables for name in (flag.env, *flag.names) if name and name[0] != "-")
    others = environment(launch, expressed=expressed, inert=inert, reads=reads, prefixes=(*RELEVANT_PREFIXES, *own))
    known, strange = own_variables(launch, own, (*expressed, *reads, *inert))
    refused = stray_words(parsed, flags.title, positionals) if strays else ()
    return Reading(
        observations=(*identified, *noted.observations, *said.observations, *others, *defaults),
        rules=tuple(rules),
        problems=(*noted.problems, *said.problems, *refused),
        version=version,
        mapped=noted.mapped,
        unmapped=noted.unmapped,
        variables=known,
        strange=strange,
    )


def read_variables(
    flags: Iterable[Flag], launch: Launch, version: str | None, names: Table, boolean: Callable[[str], bool]
) -> Noted:
    """What variables state: those that set a flag (``env``), and those that stand alone."""
    observations: list[Observation] = []
    problems: list[Problem] = []
    mapped = 0
    for flag in flags:
        name = flag.env or (flag.names[0] if not flag.names[0].startswith("-") else "")
        variable = launch.env.get(name) if name else None
        if variable is None or not versions.has(flag.since, flag.until, version, names.releases):
            continue
        mapped += 1
        if not flag.irrelevant:
            noted = _variable(flag, variable, names.title, boolean)
            observations.extend(noted.observations)
            problems.extend(noted.problems)
    return Noted(tuple(observations), tuple(problems), mapped)


def _variable(flag: Flag, variable: Variable, title: str, boolean: Callable[[str], bool]) -> Noted:
    unknown = variable.unknown
    if unknown is None and variable.value is None:
        unknown = f"the value of {variable.name} could not be seen"
    word = Token(variable.value or "", variable.location, unknown, variable.via)
    name = Token(variable.name, variable.location)
    if flag.takes in ("switch", "toggle"):

        def read(words: tuple[str, ...]) -> Value:
            if boolean(words[0]):
                return flag.implies
            return not flag.implies if isinstance(flag.implies, bool) else None

        flag = Flag(names=(variable.name,), fact=flag.fact, key=flag.key, read=read)
    return read_given(Given(flag=flag, name=name, spelled=variable.name, values=(word,)), engine=title, origin="env")


def own_variables(launch: Launch, own: Sequence[str], known: Collection[str]) -> tuple[int, tuple[str, ...]]:
    """How many of the engine's own variables are known, and which are not. A name in ``known`` that ends in a star
    stands for all that begin so."""
    exact, starts = frozenset(known), tuple(name[:-1] for name in known if name.endswith("*"))
    found = [name for name in launch.env if name.startswith(tuple(own))] if own else []
    strange = tuple(
        name for name in found if name not in exact and not (starts and name.startswith(starts)) and not is_inert(name)
    )
    return len(found) - len(strange), strange


def stray_words(parsed: Parsed, title: str, allowed: int = 0) -> tuple[Problem, ...]:
    """Plain words that no argument takes, beyond the first ``allowed``. Templates and shell syntax are no words."""
    return tuple(
        Problem(
            kind="malformed",
            message=f"{title} refuses the stray word {word.text!r}: no argument takes it",
            locations=places(word),
            value=word.text,
        )
        for word in parsed.positionals[allowed:]
        if word.unknown is None and word.text.strip() and not set(word.text) & set("{}$<>|&;()`")
    )


def _word(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on", "t", "y"):
        return True
    if word in ("0", "false", "no", "off", "f", "n", ""):
        return False
    raise ValueError(f"expected true or false, got {text!r}")
