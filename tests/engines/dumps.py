"""What real servers printed when they started, beside what Askew says of the same launch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from askew.engines.interface import Reading
from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.facts.catalogue import fact
from askew.facts.types import Value
from askew.resolve.observation import Observation
from askew.resolve.resolve import resolve
from askew.resolve.workload import Resolved

HERE = Location("dump", line=1)
# A field as it is printed → the fact, the entry of a map fact (or empty), and the value that was printed.
Printed = Mapping[str, tuple[str, str, Value]]


class Disagreement(msgspec.Struct, frozen=True):
    """A printed field of which Askew says something else, or nothing with ``reason``."""

    field: str
    printed: Value
    said: Value
    reason: str = ""


class Agreement(msgspec.Struct, frozen=True):
    """How many of the printed fields agree with the effective facts of the same launch."""

    dump: str
    agreeing: int
    total: int
    exceptions: tuple[Disagreement, ...] = ()

    @property
    def contradictions(self) -> tuple[Disagreement, ...]:
        """The fields of which something else is claimed."""
        return tuple(one for one in self.exceptions if not one.reason)


def launch(
    words: Sequence[str], image: str, env: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None
) -> Launch:
    """A launch of these words."""
    return Launch(
        argv=tuple(Token(word, HERE) for word in words),
        location=HERE,
        image=Token(image, HERE) if image else None,
        env={name: Variable(name, value, HERE) for name, value in (env or {}).items()},
        files={path: Content(text, Location(path, line=1)) for path, text in (files or {}).items()},
    )


def facts(read: Callable[[Launch], Reading], started: Launch, seen: Mapping[str, Value]) -> dict[str, Resolved]:
    """The effective facts of a launch; ``seen`` is what another source (the model's directory) shows."""
    reading = read(started)
    more = [Observation(fact=name, value=value, origin="model") for name, value in seen.items()]
    return resolve((*reading.observations, *more), reading.rules)


def agreement(dump: str, found: Mapping[str, Resolved], printed: Printed) -> Agreement:
    """Compare field by field. A printed value is read as the fact's type reads it."""
    exceptions: list[Disagreement] = []
    for field, (name, key, raw) in printed.items():
        said = found.get(name)
        if key and said is not None:
            said = said.entries.get(key, said)
        value = _canonical(name, key, raw)
        if said is None or said.state == "unknown":
            reason = said.reason if said is not None else "no fact of this launch says it"
            exceptions.append(Disagreement(field, value, None, reason or "unknown"))
        elif (said.value or None) != (value or None) and said.value != value:
            exceptions.append(Disagreement(field, value, said.value))
    return Agreement(dump, len(printed) - len(exceptions), len(printed), tuple(exceptions))


def _canonical(name: str, key: str, raw: Value) -> Value:
    if raw is None:
        return None
    kind = fact(name).type
    parsed = kind.parse({key: raw} if key and kind.keyed else raw)
    return parsed[key] if key and isinstance(parsed, dict) else parsed
