"""Argument vectors of engines, split the way the engine's own parser splits them.

``parse`` knows no engine: the flags are a table, the manners of the parser a ``Dialect``. It never raises on what a
user may write; what the engine would refuse becomes a ``Problem``, and the argument is kept with its ``fault``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from askew.engines.flags import Flag
from askew.engines.versions import has, lives, neighbours
from askew.evidence.launch import Token
from askew.evidence.location import Location
from askew.evidence.redaction import is_redacted
from askew.resolve.workload import Problem

_DEEPEST = 40  # levels of a dotted name; real ones have four


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """The manners of a command-line parser.

    ``abbreviations``: a unique prefix of a long name is that name. ``underscores``: ``--a_b`` is ``--a-b``.
    ``dotted``: ``--x.y=v`` and ``--x.y v`` build the JSON of ``--x``; ``--x.y+ v`` appends to a list.
    ``negations``: prefixes that turn a toggle off, put before its name without dashes (``no-``). ``opposites``: a
    toggle ``--enable-x`` is also turned off by ``--disable-x``, and the other way round. ``negative_numbers``: ``-1``
    can be a value. ``spaced_is_word``: a word that begins with a dash but contains a blank is taken as a plain word.
    ``repeats``: whether giving an argument twice is refused. ``joined``: words that begin with one of these two
    characters carry their value (``-O3``), and the argument that they stand for. ``end``: ``--`` ends the flags.
    """

    name: str
    abbreviations: bool = True
    underscores: bool = False
    dotted: bool = False
    negations: tuple[str, ...] = ()
    opposites: bool = False
    negative_numbers: bool = True
    spaced_is_word: bool = True
    repeats: bool = True
    joined: Mapping[str, str] = {}


# Python's argparse with BooleanOptionalAction. https://docs.python.org/3/library/argparse.html
ARGPARSE = Dialect(name="argparse", negations=("no-",))
# Rust's clap 4: no abbreviations, no negative numbers unless allowed, a second occurrence is an error.
# https://docs.rs/clap/4
CLAP = Dialect(name="clap", abbreviations=False, negative_numbers=False, spaced_is_word=False, repeats=False)


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One argument as it was given.

    ``name`` is the word that named it and ``spelled`` the name in it; ``values`` the words it took, of ``--x=v`` the
    part after the sign. ``negated``: the spelling turns it off. ``fault`` says why the engine refuses it, if it does.
    ``order`` is the place of the name among the words.
    """

    flag: Flag
    name: Token
    spelled: str
    values: tuple[Token, ...] = ()
    negated: bool = False
    order: int = 0
    fault: str = ""


class Unmapped(msgspec.Struct, frozen=True, kw_only=True):
    """An argument that no table knows: its name as written and the words up to the next one.

    ``reason`` is set where the words are not known: an expansion that may hold any argument. ``gone`` says that the
    release refuses it and an older one did not.
    """

    name: str
    values: tuple[Token, ...]
    token: Token
    order: int = 0
    reason: str = ""
    gone: str = ""

    @property
    def text(self) -> str:
        """The words, joined by blanks."""
        return " ".join(value.text for value in self.values)


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """An argument vector, understood as far as the table goes."""

    given: tuple[Given, ...] = ()
    positionals: tuple[Token, ...] = ()
    problems: tuple[Problem, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """A name in a table.

    ``negated``: the name turns the flag off. ``alive``: the release has it, or may have it. ``current``: it was not
    removed since. ``derived``: the parser made the name (``--no-x``).
    """

    flag: Flag
    negated: bool = False
    alive: bool = True
    current: bool = True
    derived: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of an engine, by name. Made by ``table``, once per engine and release.

    ``older`` holds, where the release is not known, what a name meant before its present flag.
    """

    title: str
    dialect: Dialect
    version: str | None
    releases: tuple[str, ...] = ()
    names: Mapping[str, Entry]
    older: Mapping[str, Flag] = {}


def table(
    flags: Iterable[Flag],
    dialect: Dialect,
    *,
    title: str,
    version: str | None = None,
    releases: Sequence[str] = (),
) -> Table:
    """Index ``flags`` for one release of an engine that people call ``title``.

    Several flags may share a name when their ``since``/``until`` differ; the one that the release has wins, and where
    the release is unknown, the newest. A flag that the release does not have stays in the table: it can be named.
    """
    names: dict[str, Entry] = {}
    older: dict[str, Flag] = {}
    late: list[tuple[str, Entry]] = []
    near = neighbours(version, releases) if version is not None else ()
    for flag in flags:
        alive = lives(flag.since, flag.until, near)
        current = not flag.until or (alive and version is not None)
        for name in flag.names:
            if version is None and not current:
                older[name] = flag
            _enter(names, name, Entry(flag, False, alive, current))
            if flag.takes == "toggle" and name.startswith("--"):
                for prefix in dialect.negations:
                    late.append((f"--{prefix}{name[2:]}", Entry(flag, True, alive, current, True)))
                if dialect.opposites:
                    if name.startswith("--enable-"):
                        late.append((f"--disable-{name[9:]}", Entry(flag, True, alive, current, True)))
                    elif name.startswith("--disable-"):
                        late.append((f"--enable-{name[10:]}", Entry(flag, True, alive, current, True)))
    for name, entry in late:
        _enter(names, name, entry)
    return Table(title=title, dialect=dialect, version=version, releases=tuple(releases), names=names, older=older)


def _enter(names: dict[str, Entry], name: str, entry: Entry) -> None:
    old = names.get(name)
    if old is None or (entry.alive, entry.current) > (old.alive, old.current):
        names[name] = entry


def parse(words: Sequence[Token], flags: Table) -> Parsed:
    """Split the words after the program into arguments, as the engine's parser does.

    The last of several equal arguments comes last in ``given``; all are kept. A word whose text is not final and that
    stands where an argument could stand is ``unmapped`` with its reason: it may hold any argument.
    """
    return _Parser(flags).run(words)


class _Parser:
    """One pass over the words. An object because classifying a word needs the table and the state."""

    def __init__(self, flags: Table) -> None:
        self.table = flags
        self.dialect = flags.dialect
        self.given: list[Given] = []
        self.positionals: list[Token] = []
        self.problems: list[Problem] = []
        self.unmapped: list[Unmapped] = []
        self.dotted: dict[str, list[tuple[Given, tuple[str, ...], bool]]] = {}

    def run(self, words: Sequence[Token]) -> Parsed:
        index = 0
        while index < len(words):
            word = words[index]
            if word.text == "--" and word.unknown is None:
                self.positionals.extend(words[index + 1 :])
                break
            index = self.argument(words, index) if self.is_name(word) else self.stray(words, index)
        self.join_dotted()
        if not self.dialect.repeats:
            self.refuse_repeats()
        self.given.sort(key=lambda given: given.order)
        return Parsed(
            given=tuple(self.given),
            positionals=tuple(self.positionals),
            problems=tuple(self.problems),
            unmapped=tuple(self.unmapped),
        )

    def normal(self, name: str) -> str:
        if not self.dialect.underscores or not name.startswith("--"):
            return name
        head, dot, rest = name.partition(".")
        return head.replace("_", "-") + dot + rest

    def is_name(self, word: Token) -> bool:
        """Whether the engine's parser takes the word for the name of an argument."""
        text = word.text
        if len(text) < 2 or text[0] != "-":
            return False
        name = self.normal(text.partition("=")[0])
        if name in self.table.names:
            return True
        if self.dialect.negative_numbers and _is_negative_number(text):
            return False
        if not self.dialect.spaced_is_word or not _has_blank(text):
            return True
        if _has_blank(name) or name == text:
            return False
        if self.dialect.dotted and name.partition(".")[0] in self.table.names:
            return True
        return self.dialect.abbreviations and any(full.startswith(name) for full in self.table.names)

    def find(self, name: str, word: Token) -> tuple[Entry | None, str]:
        """The entry for a name, and the name in full."""
        names = self.table.names
        if name in names:
            return names[name], name
        if self.dialect.abbreviations and len(name) > 2:
            found = {full: entry for full, entry in names.items() if full.startswith(name)}
            for current in (True, False):
                candidates = {full: entry for full, entry in found.items() if entry.alive and entry.current is current}
                if len({(id(entry.flag), entry.negated) for entry in candidates.values()}) == 1:
                    full = next(iter(candidates))
                    return candidates[full], full
                if candidates:
                    some = sorted(candidates)
                    self.problems.append(
                        Problem(
                            kind="unknown-argument",
                            message=f"{self.table.title} refuses {name}: it could be {_list(some[:4])}",
                            locations=places(word),
                            argument=name,
                            suggestion=some[0],
                        )
                    )
                    return None, ""
        return None, name

    def argument(self, words: Sequence[Token], index: int) -> int:
        word = words[index]
        written, sign, rest = word.text.partition("=")
        name = self.normal(written)
        inline = msgspec.structs.replace(word, text=rest) if sign else None
        for start, full in self.dialect.joined.items():
            if written.startswith(start) and name not in self.table.names and not written.startswith(start + "."):
                inline = msgspec.structs.replace(word, text=written[len(start) :] + sign + rest)
                if sign and len(written) == len(start):
                    inline = msgspec.structs.replace(word, text=rest)
                name = full
        if self.dialect.dotted and "." in name:
            return self.dotted_argument(words, index, name, inline)
        entry, full = self.find(name, word)
        if entry is None and inline is None and len(name) > 2 and name[1] != "-":
            short = self.table.names.get(name[:2])  # -qawq
            if short is not None and short.flag.takes not in ("switch", "toggle"):
                entry, full, inline = short, name[:2], msgspec.structs.replace(word, text=word.text[2:])
        if entry is None or not entry.alive:
            return self.unknown(words, index, written, inline, entry, reported=not full)
        flag = entry.flag
        before = self.table.older.get(full)
        if inline is not None and flag.takes in ("switch", "toggle") and before and before.takes == "optional":
            flag = before  # the release is not known, and older ones take a value here
        fault, after = "", index + 1
        values: tuple[Token, ...] = ()
        if flag.takes in ("switch", "toggle"):
            if inline is not None:
                fault = f"{self.table.title} refuses a value for {written}: it takes none"
                self.refuse_switch_value(word, entry, full, inline)
        elif inline is not None:
            values = (inline,)
        else:
            while after < len(words) and not self.is_name(words[after]) and words[after].text != "--":
                after += 1
                if flag.takes != "list":
                    break
            values = tuple(words[index + 1 : after])
            if not values and flag.takes != "optional":
                fault = f"no value follows {written}"
                self.problems.append(
                    Problem(
                        kind="malformed",
                        message=f"{self.table.title} refuses {written}: no value follows it",
                        locations=places(word),
                        argument=full,
                        fact=flag.fact,
                    )
                )
        self.given.append(
            Given(flag=flag, name=word, spelled=full, values=values, negated=entry.negated, order=index, fault=fault)
        )
        return after

    def refuse_switch_value(self, word: Token, entry: Entry, full: str, inline: Token) -> None:
        off = inline.text.strip().lower() in ("false", "0", "no", "off")
        suggestion = full
        if off and entry.flag.takes == "toggle" and full.startswith("--"):
            suggestion = f"--{self.dialect.negations[0]}{full[2:]}" if self.dialect.negations else full
        self.problems.append(
            Problem(
                kind="invalid-value",
                message=f"{self.table.title} refuses {word.text}: {full} takes no value",
                locations=places(word),
                argument=full,
                value=inline.text,
                suggestion="" if off and suggestion == full else suggestion,
                fact=entry.flag.fact,
            )
        )

    def unknown(
        self,
        words: Sequence[Token],
        index: int,
        written: str,
        inline: Token | None,
        entry: Entry | None,
        *,
        reported: bool,
    ) -> int:
        word, after = words[index], index + 1
        values: tuple[Token, ...] = (inline,) if inline is not None else ()
        if inline is None:
            takes = entry.flag.takes if entry is not None else "list"
            limit = {"switch": 0, "toggle": 0, "list": len(words)}.get(takes, 1)
            while after < len(words) and after - index <= limit and not self.is_name(words[after]):
                if words[after].text == "--":
                    break
                after += 1
            values = tuple(words[index + 1 : after])
        gone = f"{self.release()} has no {written} any more" if self.is_removed(entry) else ""
        self.unmapped.append(
            Unmapped(name=written, values=values, token=word, order=index, reason=word.unknown or "", gone=gone)
        )
        if not reported and not (word.unknown and "=" not in word.text):
            self.report_unknown(word, written, entry)
        return after

    def release(self) -> str:
        title, version = self.table.title, self.table.version
        return f"{title} {version}" if version else title

    def is_removed(self, entry: Entry | None) -> bool:
        """Whether the release came after the last one with the argument."""
        until = entry.flag.until if entry is not None else ""
        return bool(until) and not has("", until, self.table.version, self.table.releases)

    def report_unknown(self, word: Token, written: str, entry: Entry | None) -> None:
        message = f"{self.release()} has no argument {written}"
        removed = self.is_removed(entry)
        if removed and entry is not None:
            message += f": it was removed in {entry.flag.until}"
        elif entry is not None and entry.flag.since:
            message += f": it came with {entry.flag.since}"
        advice = entry.flag.replaced_by if entry is not None else ""
        self.problems.append(
            Problem(
                kind="removed-argument" if removed else "unknown-argument",
                message=message,
                locations=places(word),
                argument=written,
                suggestion=advice or ("" if entry is not None else closest(written, self.table)),
                fact=entry.flag.fact if entry is not None else "",
            )
        )

    def stray(self, words: Sequence[Token], index: int) -> int:
        word = words[index]
        if word.unknown is not None and index and not word.text.startswith("-"):
            self.unmapped.append(Unmapped(name=word.text, values=(), token=word, order=index, reason=word.unknown))
            return index + 1
        if index and is_redacted(word.text):
            reason = "the words were taken for a secret and redacted"
            self.unmapped.append(Unmapped(name="<redacted>", values=(), token=word, order=index, reason=reason))
            return index + 1
        first = word.text.split(None, 1)[0] if word.text.strip() else ""
        entry = self.table.names.get(self.normal(first.partition("=")[0])) if first.startswith("-") else None
        if first.startswith("-") and first != word.text:
            ready = "=".join(word.text.split(None, 1)) if entry is None or entry.flag.takes != "list" else ""
            self.problems.append(
                Problem(
                    kind="malformed",
                    message=f"one word holds {word.text!r}: {self.table.title} refuses it; the name and the value must "
                    "be two words, or one word joined by '='",
                    locations=places(word),
                    argument=first,
                    value=word.text,
                    suggestion=ready.strip(),
                    fact=entry.flag.fact if entry is not None else "",
                )
            )
            if entry is not None:
                fault = f"{self.table.title} refuses {word.text!r} as one word"
                self.given.append(
                    Given(flag=entry.flag, name=word, spelled=first, negated=entry.negated, order=index, fault=fault)
                )
            else:
                self.unmapped.append(Unmapped(name=first, values=(word,), token=word, order=index))
            return index + 1
        self.positionals.append(word)
        return index + 1

    def dotted_argument(self, words: Sequence[Token], index: int, name: str, inline: Token | None) -> int:
        head, *keys = name.removesuffix("+").split(".")
        after = index + 1
        if inline is None and after < len(words):
            inline, after = words[after], after + 1
        entry, full = self.find(head, words[index])
        deep = len(keys) > _DEEPEST
        if entry is None or not entry.alive or entry.flag.takes != "json" or inline is None or deep:
            value = (inline,) if inline is not None else ()
            written = words[index].text.partition("=")[0]
            self.unmapped.append(Unmapped(name=written, values=value, token=words[index], order=index))
            self.report_unknown(words[index], written, entry if entry is not None and not entry.alive else None)
            return after
        given = Given(flag=entry.flag, name=words[index], spelled=full, values=(inline,), order=index)
        self.dotted.setdefault(full, []).append((given, tuple(keys), name.endswith("+")))
        return after

    def join_dotted(self) -> None:
        """Build one JSON word of the dotted parts of each argument. It counts as given last, as vLLM appends it."""
        for full, parts in self.dotted.items():
            tree: dict[str, object] = {}
            unknown = None
            for given, keys, listed in parts:
                value = given.values[0]
                unknown = unknown or value.unknown
                _plant(tree, keys, value.text.split(",") if listed else _json(value.text))
            first = parts[0][0]
            try:
                text = msgspec.json.encode(tree).decode()
            except (ValueError, RecursionError) as error:  # text that is no Unicode, or values nested without end
                text, unknown = "", unknown or f"the parts of {full} make no JSON: {type(error).__name__}"
            word = Token(
                text,
                first.values[0].location,
                unknown,
                tuple(given.values[0].location for given, _, _ in parts[1:]),
            )
            order = max(given.order for given, _, _ in parts)
            last = max((one.order for one in self.given if one.flag is first.flag), default=0)
            self.given.append(
                Given(flag=first.flag, name=first.name, spelled=full, values=(word,), order=max(order, last))
            )

    def refuse_repeats(self) -> None:
        seen: dict[int, Given] = {}
        for given in self.given:
            if id(given.flag) in seen and given.flag.takes != "append":
                self.problems.append(
                    Problem(
                        kind="malformed",
                        message=f"{self.table.title} refuses {given.spelled} a second time",
                        locations=places(given.name),
                        argument=given.spelled,
                        fact=given.flag.fact,
                    )
                )
            seen[id(given.flag)] = given


def places(*tokens: Token) -> tuple[Location, ...]:
    """Where the words stand, first the word itself, then what supplied its text; each place once."""
    found: dict[Location, None] = {}
    for token in tokens:
        found[token.location] = None
        for via in token.via:
            found[via] = None
    return tuple(found)


def closest(name: str, flags: Table) -> str:
    """The argument that was probably meant, or an empty text."""
    import difflib

    bare = name.lstrip("-").replace("_", "-").lower()
    if len(bare) < 3 or len(bare) > 80:
        return ""
    alive = {full.lstrip("-"): full for full, entry in flags.names.items() if entry.alive and full.startswith("--")}
    if bare in alive:
        return alive[bare]
    for full, entry in flags.names.items():
        if entry.alive and not entry.derived and bare == full.lstrip("-").replace("-", ""):
            return full
    near = difflib.get_close_matches(bare, alive, n=1, cutoff=0.8)
    return alive[near[0]] if near else ""


def _is_negative_number(text: str) -> bool:
    """argparse's own idea of one: ``-1``, ``-.5``, ``-1.5``."""
    whole, dot, fraction = text[1:].partition(".")
    return (fraction if dot else whole).isdecimal() and (not whole or whole.isdecimal())


def _has_blank(text: str) -> bool:
    return any(letter.isspace() for letter in text)


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text


def _plant(tree: dict[str, object], keys: Sequence[str], value: object) -> None:
    for key in keys[:-1]:
        below = tree.setdefault(key, {})
        if not isinstance(below, dict):
            below = tree[key] = {}
        tree = below
    old = tree.get(keys[-1])
    if isinstance(old, list) and isinstance(value, list):
        old.extend(value)
    else:
        tree[keys[-1]] = value
