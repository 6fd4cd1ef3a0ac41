"""What an engine says of itself, as observations: seen, at its place in an answer.

What a setting means is what the argument of the same name means, so that the engine's table of arguments says it; there
is no second table of meanings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import cast
from urllib.parse import quote

import msgspec

from askew.engines.flags import Flag
from askew.engines.live import Answers
from askew.engines.observe import observe
from askew.evidence.document import Context, Node
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Unknown

MOST_MODELS = 500  # models of one endpoint of which more is asked; how many questions are asked in all is bounded too
_LAST = 10_000  # below every default: it counts only where nothing else tells the fact
_LONGEST_NAME = 200
_OTHER = "runtime.arguments.unmapped"


def root(answers: Answers, name: str) -> Node:
    """The top of a JSON answer; a missing node where there is none."""
    told = answers.get(name)
    if told is None or told.document is None:
        return Node(Context(told.source if told is not None else ""), None, exists=False)
    return told.document.root


def reported(
    fact: str,
    node: Node,
    raw: object = ...,
    *,
    key: str = "",
    engine: str = "the engine",
    confidence: Confidence = "certain",
    because: tuple[str, ...] = (),
) -> Iterator[Observation]:
    """One value as an answer states it: that of ``node``, or ``raw`` where it is spelled otherwise. Nothing for a node
    that is not there; null states that there is none only where ``raw`` is None."""
    value = node.value if raw is ... else raw
    if not node.exists or (value is None and raw is ...):
        return
    noted = observe(
        fact, cast(Value, value), origin="reported", locations=(node.location,), key=key, engine=engine,
        confidence=confidence, because=because,
    )  # fmt: skip
    for one in noted.observations:
        if isinstance(one.value, Unknown) and not is_redacted(one.value.text):
            yield unknown(fact, node, f"the answer says {str(value)[:80]!r}, which it cannot be", key=key)
        else:
            yield msgspec.structs.replace(one, basis="seen")


def unknown(fact: str, node: Node, reason: str, observe_with: str = "", *, key: str = "") -> Observation:
    """That an answer names a setting and not what comes of it. It yields to whatever else tells the fact."""
    value = Unknown(reason, observe_with, missing=True)
    return Observation(
        fact=fact, key=key, value=value, origin="reported", basis="seen", locations=(node.location,), rank=_LAST
    )


def partly(fact: str, node: Node, reason: str) -> Observation:
    """That an answer tells some entries of a map: one that it does not tell may be there all the same."""
    return unknown(fact, node, reason)


def by_flag(flag: Flag, node: Node, value: object = ..., *, engine: str) -> Iterator[Observation]:
    """What a setting states that an argument sets, by the argument's own entry in the table; ``value`` where the answer
    spells it otherwise. Nothing for null, and for a switch that names a word and is off."""
    raw = node.value if value is ... else value
    if flag.irrelevant or raw is None or not node.exists:
        return
    try:
        parts = tuple(_parts(flag, raw, node))
    except ValueError:
        fact = flag.fact or _OTHER
        key = flag.key if flag.fact else flag.names[0]
        yield unknown(fact, node, f"{engine} says {str(raw)[:80]!r}, which no argument of it could", key=key)
        return
    for fact, key, one in parts:
        yield from reported(fact, node, one, key=key, engine=engine)


def _parts(flag: Flag, raw: object, node: Node) -> Iterable[tuple[str, str, object]]:
    if flag.takes in ("switch", "toggle") or (flag.takes == "optional" and isinstance(raw, bool)):
        truth = _truth(raw)
        if not truth and not isinstance(flag.implies, bool):
            return ()
        if flag.spreads is not None:
            return flag.spreads(()) if truth else ()
        return ((flag.fact, flag.key, flag.implies if truth else not flag.implies),)
    words = _words(raw, listed=flag.takes in ("list", "append"), text=node.text() if raw is node.value else None)
    if flag.spreads is not None:
        return flag.spreads(words)
    if not words:
        return ()
    given: object = flag.read(words) if flag.read is not None else list(words) if flag.takes == "list" else words[0]
    return ((flag.fact, flag.key, given),)


def _truth(raw: object) -> bool:
    if isinstance(raw, str):
        word = raw.strip().lower()
        if word not in ("true", "false"):
            raise ValueError(f"expected true or false, got {raw!r}")
        return word == "true"
    return bool(raw)


def _words(raw: object, *, listed: bool, text: str | None) -> tuple[str, ...]:
    if isinstance(raw, list) and listed:
        return tuple(one if isinstance(one, str) else _json(one) for one in raw)
    if isinstance(raw, bool):
        return ("true" if raw else "false",)
    if isinstance(raw, (dict, list)):
        return (_json(raw),)
    return (text if text is not None else str(raw),)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode("utf-8", "replace")


def named(engine: str, title: str, node: Node, confidence: Confidence = "certain") -> Observation:
    """Which engine it is, by the answer at ``node``."""
    return Observation(
        fact="runtime.engine.name", value=engine, origin="reported", basis="seen", locations=(_place(node),),
        confidence=confidence, because=(f"it answers as {title} does",),
    )  # fmt: skip


def stated(node: Node, fields: Mapping[str, str], table: Mapping[str, Flag], *, engine: str) -> Iterator[Observation]:
    """What the fields of an answer state, each by the argument that sets it; options without a fact of their own are
    not among them, as an answer has them at their default too."""
    for field, name in fields.items():
        flag = table.get(name)
        if flag is not None:
            yield from (one for one in by_flag(flag, node[field], engine=engine) if one.fact != _OTHER)


def by_name(flags: Iterable[Flag]) -> dict[str, Flag]:
    """The arguments that releases have today, by each of their names."""
    return {name: flag for flag in flags if not flag.until for name in flag.names}


def served(models: Node) -> Iterator[Observation]:
    """The names of ``/v1/models``, where an engine lists its own."""
    names = texts(card["id"] for card in models["data"].each())
    if names:
        yield from reported("model.served_names", models["data"], names)


def _place(node: Node) -> Location:
    return Location(node.location.source)


def path(*parts: str) -> str:
    """A path of parts, of which those that an endpoint told cannot become others: a slash in a name is no slash of the
    path. Empty where a part is no name."""
    if any(not part or len(part) > _LONGEST_NAME or part in (".", "..") for part in parts):
        return ""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def texts(nodes: Iterable[Node]) -> list[str]:
    """The texts among nodes, in their order and each once."""
    return list(dict.fromkeys(node.value for node in nodes if isinstance(node.value, str) and node.value))


def owned_by(answers: Answers, owners: Collection[str]) -> bool:
    """Whether every model that ``/v1/models`` lists is one of these owners', and there is one."""
    found = {str(one["owned_by"].value) for one in root(answers, "/v1/models")["data"].each()}
    return bool(found) and found <= set(owners)
