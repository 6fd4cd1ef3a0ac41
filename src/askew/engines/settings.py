"""Files of settings: each a name and a value at its place, stated by the same tables as arguments.

A setting is named by its path in the file (``api_server.traffic.timeout``); a list is one value. What a name means is a
``Flag`` under that name; a name that no table knows is kept as text, so that a change never passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from askew.engines.arguments import Given
from askew.engines.flags import Flag
from askew.engines.observe import Noted, observe, read_given
from askew.evidence.document import Node
from askew.evidence.launch import Content, Token
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted
from askew.facts.types import Value
from askew.resolve.observation import Confidence, Observation, Origin
from askew.resolve.workload import Problem

OTHER = "runtime.arguments.unmapped"
LARGEST = 1 << 20  # characters; real files have a few dozen lines
_DEEPEST = 12  # levels; real files have five
MOST = 5_000  # settings of one file


class Setting(msgspec.Struct, frozen=True):
    """One setting: its path in the file, and its value as text (lists and empty maps as JSON) at its place.

    ``kind`` is what the file says it is: ``text``, ``number``, ``boolean``, ``null``, ``list`` or ``map``.
    """

    name: str
    value: Token
    kind: str = "text"


class Settings(msgspec.Struct, frozen=True):
    """What a file states; ``problem`` is set instead where it could not be read."""

    settings: tuple[Setting, ...] = ()
    problem: Problem | None = None


def unreadable(message: str, at: Location, hint: str, *, argument: str = "", value: str = "") -> Problem:
    """The problem of a file that the engine could not read."""
    return Problem(kind="unreadable", message=message, locations=(at,), argument=argument, value=value, suggestion=hint)


def written_out(node: object, most: int, sizes: dict[int, int] | None = None) -> int:
    """How many values a node of PyYAML holds once its aliases are written out; more than ``most`` for one that holds
    itself."""
    sizes = {} if sizes is None else sizes
    if id(node) in sizes:
        return sizes[id(node)]
    sizes[id(node)] = most + 1
    parts = getattr(node, "value", ())
    total = 1
    for part in parts if isinstance(parts, list) else ():
        for one in part if isinstance(part, tuple) else (part,):
            total += written_out(one, most, sizes)
    sizes[id(node)] = min(total, most + 1)
    return sizes[id(node)]


def read(path: str, content: Content, expected: str, whole: Iterable[str] = ()) -> Settings:
    """The settings of a YAML or JSON file whose top is a map. Never raises on its content.

    ``expected`` says what the file should hold. The paths in ``whole`` are one setting each, whatever is below them.
    """
    if len(content.text) > LARGEST:
        return Settings(problem=unreadable(f"{path} is too large: {expected}", content.location, "name the right file"))
    from askew.evidence.yaml import read as read_yaml

    stream = read_yaml(content.text, path)
    documents, errors = stream.documents, stream.errors
    if errors:
        error = errors[0]
        at = content.place(max(error.line - 1, 0), max(error.column - 1, 0))
        return Settings(problem=unreadable(f"{path}: {error.message}", at, error.hint or expected))
    if len(documents) > 1:
        at = _place(content, documents[1].root)
        return Settings(problem=unreadable(f"{path} holds several documents: {expected}", at, "keep one of them"))
    if not documents or documents[0].root.value is None:
        return Settings()
    root = documents[0].root
    if not root.is_mapping:
        return Settings(problem=unreadable(f"{path}: {expected}", _place(content, root), "write 'name: value' lines"))
    found: list[Setting] = []
    _flatten(root, "", content, frozenset(whole), found, 0)
    return Settings(tuple(found))


def _flatten(node: Node, above: str, content: Content, whole: frozenset[str], found: list[Setting], depth: int) -> None:
    for key, child in node.items():
        name = f"{above}.{key}" if above else key
        if len(found) >= MOST:
            return
        if child.is_mapping and child.value and name not in whole and depth < _DEEPEST:
            _flatten(child, name, content, whole, found, depth + 1)
        else:
            found.append(_setting(name, child, content))


def _setting(name: str, node: Node, content: Content) -> Setting:
    value = node.value
    if isinstance(value, (dict, list)):
        text, kind = msgspec.json.encode(value, order="sorted").decode("utf-8", "replace"), "list"
        kind = "map" if isinstance(value, dict) else "list"
    else:
        text = node.text() or ""
        kind = "null" if value is None else "boolean" if isinstance(value, bool) else "number"
        kind = "text" if isinstance(value, str) else kind
    unknown = next((why for part, why in content.unknown.items() if part and part in text), None)
    return Setting(name, Token(text, _place(content, node), unknown), kind)


def _place(content: Content, node: Node) -> Location:
    at = node.location
    return content.place(max(at.line - 1, 0), max(at.column - 1, 0))


def state(
    settings: Sequence[Setting],
    table: Mapping[str, Flag],
    *,
    engine: str,
    origin: Origin = "config-file",
    rank: int | None = None,
    known: Callable[[str], bool] | None = None,
    prefix: str = "",
) -> Noted:
    """Observations of settings, by the table of their names; the last of several of one name counts.

    ``rank`` is the precedence where the engine's own differs from the usual. A name that no table knows is kept as text
    under ``prefix`` and its name, and counts as unmapped unless ``known`` says that the engine hands it on as it is.
    """
    observations: list[Observation] = []
    problems: list[Problem] = []
    unmapped: list[str] = []
    mapped = 0
    for order, setting in enumerate(settings):
        flag = table.get(setting.name)
        if flag is None:
            if known is None or not known(setting.name):
                unmapped.append(setting.name)
            else:
                mapped += 1
            flag = Flag(names=(setting.name,), fact=OTHER, key=prefix + setting.name)
        else:
            mapped += 1
        if flag.irrelevant or setting.kind == "null":
            continue
        if setting.value.unknown is None and is_redacted(setting.value.text):
            hidden = msgspec.structs.replace(setting.value, unknown="the value was taken for a secret and redacted")
            setting = msgspec.structs.replace(setting, value=hidden)
        name = Token(setting.name, setting.value.location)
        values = _items(setting) if flag.takes == "list" and setting.kind == "list" else (setting.value,)
        noted = read_given(
            Given(flag=flag, name=name, spelled=setting.name, values=values, order=order),
            engine=engine,
            origin=origin,
        )
        observations.extend(noted.observations)
        problems.extend(noted.problems)
    if rank is not None:
        observations = [msgspec.structs.replace(one, rank=rank) for one in observations]
    return Noted(tuple(observations), tuple(problems), mapped, tuple(unmapped))


def _items(setting: Setting) -> tuple[Token, ...]:
    """The items of a list as words; what is no plain value stays JSON."""
    items = msgspec.json.decode(setting.value.text)
    texts = (one if isinstance(one, str) else msgspec.json.encode(one).decode() for one in items)
    return tuple(msgspec.structs.replace(setting.value, text=text) for text in texts)


def defaults(engine: str, title: str, version: str | None, flags: Sequence[Flag]) -> tuple[Observation, ...]:
    """``literals``, and the same for flags that spread one setting over several facts."""
    from askew.engines import versions
    from askew.engines.literal import literals

    near = versions.nearest(engine, version)
    stable = versions.stable(engine) if near is None else None
    written = (
        {name: one.value for name, one in near[0].arguments.items()} if near else stable.defaults if stable else {}
    )
    # A list or a map that is kept as text has no one spelling to compare: where nobody writes it, nothing is said.
    plain = [one for one in flags if one.fact != OTHER or not isinstance(written.get(one.names[0]), (list, dict))]
    found = list(literals(engine, title, version, (flag for flag in plain if flag.fact)))
    for flag in flags:
        if flag.spreads is None:
            continue
        confidence: Confidence = "certain"
        because: tuple[str, ...] = ()
        if near is not None:
            entry = near[0].arguments.get(flag.names[0])
            if entry is None or entry.kind == "rule" or not versions.has(flag.since, flag.until, near[0].version, ()):
                continue
            value, where = entry.value, near[0].where(entry)
            if not near[1]:
                confidence = "likely"
                because = (f"{title} {version} is not in this build; {near[0].version}, the nearest, does so",)
        elif stable is not None and flag.names[0] in stable.defaults and not flag.since and not flag.until:
            value, where = stable.defaults[flag.names[0]], stable.where
        else:
            continue
        if value is None:
            continue
        text = str(value).lower() if isinstance(value, bool) else str(value)
        for fact, key, raw in flag.spreads((text,)):
            noted = observe(fact, raw, origin="engine-default", locations=(where,), key=key)
            found.extend(
                msgspec.structs.replace(one, confidence=confidence, because=because) for one in noted.observations
            )
    return tuple(found)


def integer(words: tuple[str, ...]) -> Value:
    """A whole number as pydantic and Python read one: blanks around it, underscores in it and ``16.0`` are allowed."""
    try:
        if words[0][:40].strip().endswith(".0"):
            return int(words[0].strip()[:-2])
        return int(words[0]) if len(words[0]) <= 40 else int("x")
    except ValueError:
        raise ValueError(f"expected a whole number, got {words[0]!r}") from None


def number(words: tuple[str, ...]) -> Value:
    """A number as Python reads one."""
    try:
        value = float(words[0])
    except ValueError:
        raise ValueError(f"expected a number, got {words[0]!r}") from None
    if value != value or abs(value) == float("inf"):
        raise ValueError(f"expected a finite number, got {words[0]!r}")
    return int(value) if value.is_integer() else value


def microseconds(words: tuple[str, ...]) -> Value:
    """Seconds, told in microseconds."""
    value = number(words)
    return round(value * 1_000_000) if isinstance(value, (int, float)) else None


def truth(words: tuple[str, ...]) -> Value:
    """A boolean as pydantic reads one. https://docs.pydantic.dev/latest/api/standard_library_types/#booleans"""
    word = words[0].lower()
    if word in ("1", "true", "t", "yes", "y", "on"):
        return True
    if word in ("0", "false", "f", "no", "n", "off"):
        return False
    raise ValueError(f"expected true or false, got {words[0]!r}")


def plain(read: Callable[[tuple[str, ...]], Value]) -> Callable[[tuple[str, ...]], Value]:
    """What ``read`` gives, as text in one spelling."""

    def text(words: tuple[str, ...]) -> Value:
        value = read(words)
        return str(value).lower() if isinstance(value, bool) else str(value)

    return text
