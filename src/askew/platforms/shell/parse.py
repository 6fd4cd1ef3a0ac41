"""A tolerant reader of shell syntax: text in, a tree out, nothing raised for any text.

Written here because a launch script is read on the common path, where importing a general parser costs more time
than everything else the command does, and because half of the scripts worth reading are not quite shell: KServe
leaves ``{{ .Spec.Model.Name }}`` in them, the kubelet has already replaced parts of the text, and a second reading
(``eval``) mixes text from several places. Every node knows its offsets; ``Text`` maps offsets to where they stand.

Grammar: IEEE Std 1003.1-2024, chapter 2 (Shell Command Language), with bash's arrays, ``[[``, ``((``, ``<<<``,
``function`` and ``$'…'`` (Bash Reference Manual, chapter 3).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final, TypeAlias

import msgspec

from askew.evidence.launch import Token
from askew.evidence.location import Location

MAX_DEPTH: Final = 30


class Place(msgspec.Struct, frozen=True):
    """A stretch of a token as it is written in the source."""

    token: Token
    start: int
    end: int


Via: TypeAlias = tuple["Place | Location", ...]


class Stretch(msgspec.Struct, frozen=True):
    """``text[start:end]`` stands at ``place``, or was supplied from there.

    An ``unknown`` stretch is unexpanded text and never read as syntax; one in ``doubt`` is read, but may be absent.
    ``supplied`` means that the text does not stand letter by letter at ``place``.
    """

    start: int
    end: int
    place: Place
    unknown: str | None = None
    via: Via = ()
    supplied: bool = False
    doubt: str | None = None


class Text:
    """A script and where each stretch of it came from. ``stretches`` cover it in order, without gaps."""

    def __init__(self, text: str, stretches: tuple[Stretch, ...]) -> None:
        self.text = text
        self.stretches = stretches
        self._starts = [stretch.start for stretch in stretches]
        # Offsets at which an unknown stretch or a template begins, with its end, the text it adds and the reason.
        self.opaque: dict[int, tuple[int, str, str | None]] = {}
        self.optional: list[tuple[int, int, str]] = []
        for stretch in stretches:
            if stretch.unknown is not None and stretch.end > stretch.start:
                self.opaque[stretch.start] = (stretch.end, text[stretch.start : stretch.end], stretch.unknown)
            elif stretch.doubt is not None:
                self.optional.append((stretch.start, stretch.end, stretch.doubt))
        if "{{" in text:
            self._templates()
        self.borders = sorted(self.opaque)

    def _templates(self) -> None:
        opened: list[tuple[int, str]] = []
        for match in TEMPLATE.finditer(self.text):
            if match.start() in self.opaque:
                continue
            word = match.group(1)
            if word is None:
                self.opaque[match.start()] = (match.end(), match.group(), template_reason(match.group()))
                continue
            self.opaque[match.start()] = (match.end(), "", None)
            if word in ("end", "else") and opened:
                start, reason = opened.pop()
                self.optional.append((start, match.start(), reason))
            if word != "end":
                opened.append(
                    (match.end(), f"present only as {match.group()} decides; {template_reason(match.group())}")
                )

    def _across(self, start: int, end: int) -> list[Stretch]:
        """The stretches that ``text[start:end]`` lies in; never more than twenty."""
        first = max(0, bisect_right(self._starts, start) - 1)
        last = first + 1
        while last < len(self.stretches) and last < first + 20 and self.stretches[last].start < end:
            last += 1
        return [one for one in self.stretches[first:last] if one.end > one.start] or [self.stretches[first]]

    @staticmethod
    def _clip(stretch: Stretch, start: int, end: int) -> Place:
        if stretch.supplied:
            return stretch.place
        base = stretch.place.start - stretch.start
        low = min(base + max(start, stretch.start), stretch.place.end)
        return Place(stretch.place.token, low, max(low, min(base + end, stretch.place.end)))

    def place(self, start: int, end: int) -> Place:
        """Where ``text[start:end]`` stands. Text of several origins stands where it is put together."""
        across = self._across(start, end)
        if len(across) == 1:
            return self._clip(across[0], start, end)
        written: list[Place] = []
        for stretch in across:
            supplier = next((one for one in stretch.via if isinstance(one, Place)), None)
            written.append(supplier or self._clip(stretch, start, end))
        same = [one for one in written if one.token is written[0].token]
        return Place(written[0].token, min(one.start for one in same), max(one.end for one in same))

    def via(self, start: int, end: int) -> Via:
        """What supplied ``text[start:end]`` when that is not where it stands."""
        across = self._across(start, end)
        if len(across) == 1:
            return across[0].via
        found: list[Place | Location] = []
        for stretch in across:
            if stretch.via:
                found.append(self._clip(stretch, start, end))
                found.extend(one for one in stretch.via if one not in found)
        return tuple(found)

    def doubt(self, start: int, end: int) -> str | None:
        """Why ``text[start:end]`` may be absent, or None."""
        for low, high, reason in self.optional[:200]:
            if start < high and end > low:
                return reason
        return None


# Go templates that KServe's controller fills in, and Helm's when a chart was not rendered. Jinja (a chat template in
# an argument) never has a name that begins with a dot.
TEMPLATE: Final = re.compile(
    r"\{\{-?\s*(?:(if|else|end|range|with)\b[^{}\n]*|[.$][A-Za-z][^{}\n]*|[A-Za-z]+\s+(?:nil\b|[.\"`(\d])[^{}\n]*)-?\}\}"
)


def template_reason(text: str) -> str:
    """Why the value of a template is not known."""
    if ".Values" in text or ".Release" in text or ".Chart" in text or "include " in text:
        return f"{text} belongs to a Helm chart that was not rendered"
    return "filled in by the KServe controller"


class Lit(msgspec.Struct):
    """Plain text. ``quoted`` text is never split into words; ``opaque`` text could not be expanded."""

    text: str
    quoted: bool
    start: int
    end: int
    unknown: str | None = None
    opaque: bool = False


class Param(msgspec.Struct):
    """``$NAME`` or ``${NAME…}``: operator, its words, subscript."""

    name: str
    quoted: bool
    start: int
    end: int
    op: str = ""
    arg: Word | None = None
    arg2: Word | None = None
    index: str | None = None
    length: bool = False
    indirect: bool = False


class Command(msgspec.Struct):
    """``$(…)``; ``body`` is None for backquotes and process substitution."""

    raw: str
    quoted: bool
    start: int
    end: int
    body: Script | None = None


class Arith(msgspec.Struct):
    """``$((…))``."""

    raw: str
    quoted: bool
    start: int
    end: int


Part: TypeAlias = Lit | Param | Command | Arith


class Word(msgspec.Struct):
    """One word as written."""

    parts: list[Part]
    start: int
    end: int

    def literal(self) -> str | None:
        """The text if nothing in it is quoted or expanded, else None."""
        text = ""
        for part in self.parts:
            if not isinstance(part, Lit) or part.quoted or part.unknown is not None:
                return None
            text += part.text
        return text


class Assign(msgspec.Struct):
    """``NAME=value``, ``NAME+=value``, ``NAME=(a b)``, ``NAME[3]=value``."""

    name: str
    append: bool
    index: str | None
    value: Word | list[Word]
    start: int
    end: int


class Redirect(msgspec.Struct):
    """``op`` with its target, or a here-document's body."""

    op: str
    fd: str
    target: Word | None
    body: Word | None = None


class Simple(msgspec.Struct):
    """Assignments, words and redirections of one simple command."""

    assigns: list[Assign]
    words: list[Word]
    redirects: list[Redirect]
    declares: list[Assign]
    start: int
    end: int


class Pipeline(msgspec.Struct):
    """Commands joined by ``|``."""

    commands: list[Node]
    negated: bool = False
    start: int = 0
    end: int = 0


class Script(msgspec.Struct):
    """Pipelines, each with what joins it to the one before: ``;``, ``&&`` or ``||``, and whether ``&`` ends it."""

    items: list[tuple[str, Pipeline, bool]]
    start: int = 0
    end: int = 0


class Group(msgspec.Struct):
    """``{ … }`` or, when ``sub``, ``( … )``."""

    body: Script
    sub: bool
    redirects: list[Redirect]


class If(msgspec.Struct):
    """Pairs of condition and body; the condition of ``else`` is None."""

    branches: list[tuple[Script | None, Script]]
    redirects: list[Redirect]


class Loop(msgspec.Struct):
    """``while`` and ``until`` have a condition, ``for`` a name (empty in ``for ((…))``) and words (None: ``"$@"``)."""

    condition: Script | None
    until: bool
    name: str
    words: list[Word] | None
    body: Script
    redirects: list[Redirect]


class Case(msgspec.Struct):
    """``case subject in pattern) body ;; esac``."""

    subject: Word
    branches: list[tuple[list[Word], Script]]
    redirects: list[Redirect]


class Function(msgspec.Struct):
    """A definition."""

    name: str
    body: Node


class Test(msgspec.Struct):
    """``[[ … ]]`` with its words, or ``((…))`` with none."""

    words: list[Word]


Node: TypeAlias = Simple | Group | If | Loop | Case | Function | Test

RESERVED: Final = frozenset(
    "if then elif else fi while until for select do done case esac function { } [[ !".split()  # noqa: SIM905
)
DECLARING: Final = frozenset(("export", "declare", "typeset", "local", "readonly"))

_PLAIN: Final = re.compile(r"[^\s;&|<>()\\'\"$`]+")
_DOUBLE: Final = re.compile(r"[^\\\"$`]+")
_BRACED: Final = re.compile(r"[^\\'\"$`}/]+")
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ASSIGN: Final = re.compile(r"([A-Za-z_]\w*)(?:\[([^\]\n]{0,200})\])?(\+?)=", re.ASCII)
_REDIRECT: Final = re.compile(r"(\d*|\{\w+\})(<<<|<<-|<<|<&|>&|<>|>>|>\||<(?!\()|>(?!\())|(&>>|&>)", re.ASCII)
_FUNCTION: Final = re.compile(r"([A-Za-z_][\w:.-]*)[ \t]*\([ \t]*\)", re.ASCII)
_KEYWORD: Final = re.compile(r"[^\s;&|<>()]+")
_PARAM: Final = re.compile(r"(!?)(#?)([A-Za-z_]\w*|\d+|[@*#?$!-])(?:\[([^\]\n}]{0,200})\])?", re.ASCII)
_OPERATOR: Final = re.compile(r":[-=?+]|[-=?+]|##?|%%?|//|/#|/%|/|\^\^?|,,?|:|@")
_ANSI: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "e": "\x1b", "a": "\a", "b": "\b"}


class TooDeepError(Exception):
    """Nested more deeply than a script that anybody wrote."""


class Parser:
    """Reads one text. ``problems`` are pairs of offset and what is wrong there."""

    def __init__(self, source: Text) -> None:
        self.source = source
        self.text = source.text
        self.size = len(source.text)
        self.at = 0
        self.depth = 0
        self.problems: list[tuple[int, str]] = []
        self._heredocs: list[tuple[Redirect, str, bool, bool]] = []

    def parse(self) -> Script:
        """The whole text."""
        whole: list[tuple[str, Pipeline, bool]] = []
        try:
            while self.at < self.size:
                before = self.at
                whole += self._list(frozenset(), "").items
                if self.at < self.size:
                    self._problem(f"unexpected {self.text[self.at : self.at + 8].split()[:1] or [')']}")
                    self.at = max(self.at, before) + 1
        except TooDeepError:
            self._problem("nested too deeply to read on")
        return Script(whole, 0, self.size)

    def _problem(self, what: str) -> None:
        if len(self.problems) < 20:
            self.problems.append((min(self.at, max(0, self.size - 1)), what))

    def _enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeepError

    def _blanks(self) -> None:
        text, size = self.text, self.size
        while self.at < size:
            char = text[self.at]
            if char in " \t\r":
                self.at += 1
            elif char == "\\" and text.startswith(("\\\n", "\\\r\n"), self.at):
                self.at = text.index("\n", self.at) + 1
            elif char == "#":
                end = text.find("\n", self.at)
                self.at = size if end < 0 else end
            else:
                return

    def _newlines(self) -> None:
        while True:
            self._blanks()
            if self.at < self.size and self.text[self.at] == "\n":
                self._newline()
            else:
                return

    def _newline(self) -> None:
        self.at += 1
        pending, self._heredocs = self._heredocs, []
        for redirect, delimiter, strip, quoted in pending:
            redirect.body = self._heredoc(delimiter, strip, quoted)

    def _heredoc(self, delimiter: str, strip: bool, quoted: bool) -> Word:
        start = self.at
        text = self.text
        while True:
            if self.at >= self.size:
                self._problem(f"the here-document that {delimiter} should end has no end")
                end = self.size
                break
            eol = text.find("\n", self.at)
            eol = self.size if eol < 0 else eol
            line = text[self.at : eol].rstrip("\r")
            if (line.lstrip("\t") if strip else line) == delimiter:
                end = self.at
                self.at = min(eol + 1, self.size)
                break
            self.at = eol + 1
        after = min(self.at, self.size)
        parts: list[Part]
        if quoted:
            parts = [Lit(text[start:end], True, start, end)]
        else:
            self.at, size, self.size = start, self.size, end
            parts = self._double("")
            self.size = size
        if strip:
            for part in parts:
                if isinstance(part, Lit):
                    part.text = "\n".join(line.lstrip("\t") for line in part.text.split("\n"))
        self.at = after
        return Word(parts, start, end)

    def _keyword(self) -> str:
        """The reserved word at this place, or nothing."""
        match = _KEYWORD.match(self.text, self.at, self.size)
        return match.group() if match and match.group() in RESERVED else ""

    def _list(self, ends: frozenset[str], close: str) -> Script:
        """Pipelines up to a reserved word of ``ends`` or the character ``close``, which are left to be read."""
        self._enter()
        start = self.at
        items: list[tuple[str, Pipeline, bool]] = []
        joint = ";"
        while True:
            self._newlines()
            if self.at >= self.size:
                break
            char = self.text[self.at]
            if close and self.text.startswith(close, self.at):
                break
            if char == ")":
                break
            if self.text.startswith(";;", self.at) and close == ";;":
                break
            if char in ";&|":
                if char != ";":
                    self._problem(f"unexpected {char}")
                self.at += 1
                continue
            word = self._keyword()
            if word in ends:
                break
            if word and word in ["then", "elif", "else", "fi", "do", "done", "esac", "}"]:
                self._problem(f"unexpected {word}")
                self.at += len(word)
                continue
            before = self.at
            pipeline = self._pipeline()
            self._blanks()
            background = False
            following = ";"
            if self.text.startswith("&&", self.at):
                following = "&&"
                self.at += 2
            elif self.text.startswith("||", self.at):
                following = "||"
                self.at += 2
            elif self.text.startswith("&", self.at):
                background = True
                self.at += 1
            elif self.text.startswith(";", self.at) and not self.text.startswith(";;", self.at):
                self.at += 1
            if pipeline.commands:
                items.append((joint, pipeline, background))
            joint = following
            if self.at == before:
                self._problem(f"unexpected {self.text[self.at]}")
                self.at += 1
        self.depth -= 1
        return Script(items, start, min(self.at, self.size))

    def _pipeline(self) -> Pipeline:
        pipeline = Pipeline([], False, self.at)
        while True:
            self._blanks()
            if self._keyword() == "!":
                pipeline.negated = not pipeline.negated
                self.at += 1
                continue
            command = self._command()
            if command is not None:
                pipeline.commands.append(command)
            pipeline.end = min(self.at, self.size)
            self._blanks()
            if self.text.startswith("|", self.at) and not self.text.startswith("||", self.at):
                self.at += 2 if self.text.startswith("|&", self.at) else 1
                self._newlines()
                if self.at < self.size:
                    continue
            return pipeline

    def _command(self) -> Node | None:
        if self.at >= self.size:
            return None
        self._enter()
        node = self._compound() or self._simple()
        self.depth -= 1
        return node

    def _compound(self) -> Node | None:
        text = self.text
        if text.startswith("((", self.at):
            end = self._arithmetic_end(self.at + 2)
            if end is not None:
                self.at = end
                return Test([])
        if text[self.at] == "(":
            self.at += 1
            body = self._list(frozenset(), ")")
            self._expect(")")
            return Group(body, True, self._redirects())
        if self.at in self.source.opaque:
            return None
        word = self._keyword()
        if not word:
            match = _FUNCTION.match(text, self.at, self.size)
            if match is None:
                return None
            self.at = match.end()
            return self._function(match.group(1))
        self.at += len(word)
        if word == "{":
            body = self._list(frozenset("}"), "")
            self._word_expected("}")
            return Group(body, False, self._redirects())
        if word == "if":
            return self._if()
        if word in ("while", "until"):
            condition = self._list(frozenset(("do",)), "")
            self._word_expected("do")
            body = self._list(frozenset(("done",)), "")
            self._word_expected("done")
            return Loop(condition, word == "until", "", None, body, self._redirects())
        if word in ("for", "select"):
            return self._for()
        if word == "case":
            return self._case()
        if word == "function":
            self._blanks()
            match = _KEYWORD.match(text, self.at, self.size)
            name = match.group() if match else ""
            self.at += len(name)
            self._blanks()
            match = re.compile(r"\([ \t]*\)").match(text, self.at, self.size)
            if match:
                self.at = match.end()
            return self._function(name)
        if word == "[[":
            return Test(self._test())
        self.at -= len(word)
        return None

    def _function(self, name: str) -> Node | None:
        self._newlines()
        body = self._command()
        return None if body is None else Function(name, body)

    def _expect(self, close: str) -> None:
        self._blanks()
        if self.text.startswith(close, self.at) and self.at < self.size:
            self.at += len(close)
        else:
            self._problem(f"expected {close}")

    def _word_expected(self, word: str) -> None:
        self._newlines()
        if self._keyword() == word:
            self.at += len(word)
        else:
            self._problem(f"expected {word}")

    def _redirects(self) -> list[Redirect]:
        found: list[Redirect] = []
        while True:
            self._blanks()
            redirect = self._redirect()
            if redirect is None:
                return found
            found.append(redirect)

    def _if(self) -> Node:
        branches: list[tuple[Script | None, Script]] = []
        stop = frozenset(("elif", "else", "fi"))
        while True:
            condition = self._list(frozenset(("then",)), "")
            self._word_expected("then")
            branches.append((condition, self._list(stop, "")))
            word = self._keyword()
            if word == "elif":
                self.at += 4
                continue
            if word == "else":
                self.at += 4
                branches.append((None, self._list(frozenset(("fi",)), "")))
            self._word_expected("fi")
            return If(branches, self._redirects())

    def _for(self) -> Node:
        self._blanks()
        name = ""
        words: list[Word] | None = None
        if self.text.startswith("((", self.at):
            end = self._arithmetic_end(self.at + 2)
            self.at = self.size if end is None else end
            words = []
        else:
            match = _NAME.match(self.text, self.at, self.size)
            if match:
                name = match.group()
                self.at = match.end()
            self._newlines()
            match = _KEYWORD.match(self.text, self.at, self.size)
            if match and match.group() == "in":
                self.at = match.end()
                words = self._words()
        self._blanks()
        if self.text.startswith(";", self.at):
            self.at += 1
        self._newlines()
        if self._keyword() == "{":
            self.at += 1
            body = self._list(frozenset("}"), "")
            self._word_expected("}")
        else:
            self._word_expected("do")
            body = self._list(frozenset(("done",)), "")
            self._word_expected("done")
        return Loop(None, False, name, words, body, self._redirects())

    def _case(self) -> Node:
        self._blanks()
        subject = self._word() or Word([], self.at, self.at)
        self._newlines()
        match = _KEYWORD.match(self.text, self.at, self.size)
        if match and match.group() == "in":
            self.at = match.end()
        else:
            self._problem("expected in")
        branches: list[tuple[list[Word], Script]] = []
        while True:
            self._newlines()
            if self.at >= self.size:
                self._problem("expected esac")
                break
            if self._keyword() == "esac":
                self.at += 4
                break
            before = self.at
            if self.text[self.at] == "(":
                self.at += 1
            patterns: list[Word] = []
            while True:
                self._blanks()
                pattern = self._word()
                if pattern is not None:
                    patterns.append(pattern)
                self._blanks()
                if self.text.startswith("|", self.at):
                    self.at += 1
                    continue
                break
            self._expect(")")
            branches.append((patterns, self._list(frozenset(("esac",)), ";;")))
            if self.text.startswith(";;", self.at):
                self.at += 2
                while self.at < self.size and self.text[self.at] in ";&":
                    self.at += 1
            elif self.at < self.size and self.text[self.at] == ")":
                self.at += 1
            if self.at == before:
                self.at += 1
        return Case(subject, branches, self._redirects())

    def _test(self) -> list[Word]:
        words: list[Word] = []
        while True:
            self._newlines()
            if self.at >= self.size:
                self._problem("expected ]]")
                return words
            if self.text.startswith("]]", self.at):
                self.at += 2
                return words
            before = self.at
            word = self._word()
            if word is None and self.at > before:
                continue
            if word is None:
                size = 2 if self.text[self.at : self.at + 2] in ("&&", "||") else 1
                start = self.at
                self.at += size
                word = Word([Lit(self.text[start : self.at], False, start, self.at)], start, self.at)
            words.append(word)

    def _words(self) -> list[Word]:
        words: list[Word] = []
        while True:
            self._blanks()
            word = self._word()
            if word is None:
                return words
            words.append(word)

    def _redirect(self) -> Redirect | None:
        match = _REDIRECT.match(self.text, self.at, self.size)
        if match is None:
            return None
        fd, op = match.group(1) or "", match.group(2) or match.group(3)
        self.at = match.end()
        self._blanks()
        target = self._word()
        redirect = Redirect(op, fd, target)
        if op in ("<<", "<<-") and target is not None:
            raw = self.text[target.start : target.end]
            quoted = any(mark in raw for mark in "'\"\\")
            delimiter = raw.replace("'", "").replace('"', "").replace("\\", "")
            self._heredocs.append((redirect, delimiter, op == "<<-", quoted))
        return redirect

    def _simple(self) -> Node | None:
        command = Simple([], [], [], [], self.at, self.at)
        declaring = False
        while True:
            self._blanks()
            if self.at >= self.size or self.text[self.at] in "\n;|)":
                break
            redirect = self._redirect()
            if redirect is not None:
                command.redirects.append(redirect)
                continue
            if self.text[self.at] == "&":
                break
            if self.text.startswith(("\\ ", "\\\t"), self.at) and self._folded(self.at):
                self.at += 1
                continue
            if not command.words or declaring:
                assign = self._assign()
                if assign is not None:
                    (command.declares if declaring else command.assigns).append(assign)
                    continue
            before = self.at
            word = self._word()
            if word is None:
                if self.at > before:
                    continue
                if self.text[self.at] == "(":
                    self._problem("unexpected (")
                    self.at += 1
                    continue
                break
            if not command.words:
                declaring = word.literal() in DECLARING
            command.words.append(word)
        command.end = min(self.at, self.size)
        if not (command.assigns or command.words or command.redirects):
            return None
        return command

    def _assign(self) -> Assign | None:
        match = _ASSIGN.match(self.text, self.at, self.size)
        if match is None or self.at in self.source.opaque:
            return None
        start = self.at
        self.at = match.end()
        value: Word | list[Word]
        if self.text.startswith("(", self.at):
            self.at += 1
            value = []
            while True:
                self._newlines()
                before = self.at
                word = self._word()
                if word is not None:
                    value.append(word)
                if self.at > before:
                    continue
                if self.text.startswith(")", self.at) or self.at >= self.size:
                    self._expect(")")
                    break
                self._problem(f"unexpected {self.text[self.at]}")
                self.at += 1
        else:
            value = self._word() or Word([], self.at, self.at)
        return Assign(match.group(1), bool(match.group(3)), match.group(2), value, start, self.at)

    def _word(self) -> Word | None:
        """The word at this place, or None where none begins."""
        text, size, opaque = self.text, self.size, self.source.opaque
        start = self.at
        parts: list[Part] = []
        while self.at < size:
            at = self.at
            if at in opaque:
                self._opaque(parts, False)
                continue
            char = text[at]
            if char in " \t\r\n;&|":
                break
            if char in "<>()":
                if char in "<>" and text.startswith("(", at + 1):
                    self._substitution(parts, False, at + 2)
                    continue
                break
            if char == "\\":
                if at + 1 >= size:
                    self.at += 1
                    parts.append(Lit("\\", True, at, self.at))
                elif text[at + 1] == "\n":
                    self.at += 2
                    if not parts:
                        start = self.at
                elif not parts and text[at + 1] in " \t" and self._folded(at):
                    self.at += 1
                    self._blanks()
                    start = self.at
                else:
                    self.at += 2
                    parts.append(Lit(text[at + 1], True, at, self.at))
            elif char == "'":
                self._single(parts)
            elif char == '"':
                self._quoted(parts)
            elif char == "$":
                self._dollar(parts, False)
            elif char == "`":
                self._backquote(parts, False)
            else:
                match = _PLAIN.match(text, at, self._border(at))
                self.at = match.end() if match else at + 1
                parts.append(self._lit(text[at : self.at], False, at))
        return Word(parts, start, self.at) if parts else None

    def _folded(self, at: int) -> bool:
        """Whether a backslash before blanks is a line's end that YAML folded into the line."""
        end = at + 1
        while end < self.size and self.text[end] in " \t":
            end += 1
        if end >= self.size or self.text[end] == "\n":
            self._problem("blanks follow the backslash at the end of the line, so the command ends there")
            return False
        self._problem("a backslash before a blank is not a line's end for a shell; read as one")
        return True

    def _border(self, at: int) -> int:
        """Where plain text from ``at`` must stop: the next unknown stretch."""
        borders = self.source.borders
        if not borders:
            return self.size
        index = bisect_right(borders, at)
        return min(self.size, borders[index]) if index < len(borders) else self.size

    def _lit(self, text: str, quoted: bool, start: int) -> Lit:
        reason = self.source.doubt(start, self.at) if self.source.optional else None
        return Lit(text, quoted, start, self.at, reason)

    def _opaque(self, parts: list[Part], quoted: bool) -> None:
        start = self.at
        end, text, reason = self.source.opaque[start]
        self.at = min(end, self.size)
        if reason is not None:
            parts.append(Lit(text, True, start, self.at, reason, True))

    def _single(self, parts: list[Part]) -> None:
        start = self.at
        end = self.text.find("'", start + 1, self.size)
        if end < 0:
            self._problem("a single quote is never closed")
            end = self.size
        self.at = end
        parts.append(self._lit(self.text[start + 1 : end], True, min(start + 1, end)))
        self.at = min(end + 1, self.size)

    def _quoted(self, parts: list[Part]) -> None:
        start = self.at
        self.at += 1
        inner = self._double('"')
        if self.at < self.size:
            self.at += 1
        else:
            self.at = start
            self._problem("a double quote is never closed")
            self.at = self.size
        parts.extend(inner or [Lit("", True, start, self.at)])

    def _double(self, close: str) -> list[Part]:
        """Parts up to ``close`` (left to be read) or the end, as inside double quotes."""
        text = self.text
        parts: list[Part] = []
        while self.at < self.size:
            at = self.at
            if at in self.source.opaque:
                self._opaque(parts, True)
                continue
            char = text[at]
            if char == close:
                break
            if char == "\\":
                following = text[at + 1 : at + 2]
                self.at += 2
                if following == "\n":
                    continue
                kept = (
                    following
                    if following in ("$", "`", "\\") or (following and following == close)
                    else "\\" + following
                )
                self.at = min(self.at, self.size)
                parts.append(self._lit(kept, True, at))
            elif char == "$":
                self._dollar(parts, True)
            elif char == "`":
                self._backquote(parts, True)
            else:
                match = _DOUBLE.match(text, at, self._border(at))
                self.at = match.end() if match else at + 1
                parts.append(self._lit(text[at : self.at], True, at))
        return parts

    def _backquote(self, parts: list[Part], quoted: bool) -> None:
        start = self.at
        at = start + 1
        while at < self.size and self.text[at] != "`":
            at += 2 if self.text[at] == "\\" else 1
        if at >= self.size:
            self._problem("a backquote is never closed")
        self.at = min(at + 1, self.size)
        parts.append(Command(self.text[start : self.at], quoted, start, self.at))

    def _substitution(self, parts: list[Part], quoted: bool, inside: int) -> None:
        start = self.at
        self.at = inside
        pending, self._heredocs = self._heredocs, []
        body = self._list(frozenset(), ")")
        self._expect(")")
        self._heredocs = pending
        keep = body if self.text[start] == "$" else None
        parts.append(Command(self.text[start : self.at], quoted, start, self.at, keep))

    def _arithmetic_end(self, at: int) -> int | None:
        """The offset after the ``))`` that closes arithmetic begun before ``at``, or None when it is not arithmetic."""
        depth = 0
        while at < self.size:
            char = self.text[at]
            if char == "(":
                depth += 1
            elif char == ")":
                if depth == 0:
                    return at + 2 if self.text.startswith("))", at) else None
                depth -= 1
            elif char in "\"'`;\n" and depth == 0 and char == "\n":
                return None
            at += 1
        return None

    def _dollar(self, parts: list[Part], quoted: bool) -> None:
        text = self.text
        start = self.at
        following = text[start + 1 : start + 2] if start + 1 < self.size else ""
        if following == "(":
            if text.startswith("((", start + 1):
                end = self._arithmetic_end(start + 3)
                if end is not None:
                    self.at = end
                    parts.append(Arith(text[start:end], quoted, start, end))
                    return
            self._substitution(parts, quoted, start + 2)
        elif following == "{":
            self._brace(parts, quoted)
        elif following == "'" and not quoted:
            self._ansi(parts)
        elif following == '"' and not quoted:
            self.at += 1
            self._quoted(parts)
        else:
            match = _NAME.match(text, start + 1, self.size)
            if match:
                self.at = match.end()
                parts.append(Param(match.group(), quoted, start, self.at))
            elif following and following in "@*#?$!-0123456789":
                self.at = start + 2
                parts.append(Param(following, quoted, start, self.at))
            else:
                self.at = start + 1
                parts.append(self._lit("$", quoted, start))

    def _ansi(self, parts: list[Part]) -> None:
        start = self.at
        at = start + 2
        out: list[str] = []
        while at < self.size and self.text[at] != "'":
            if self.text[at] == "\\" and at + 1 < self.size:
                out.append(_ANSI.get(self.text[at + 1], "\\" + self.text[at + 1]))
                at += 2
            else:
                out.append(self.text[at])
                at += 1
        if at >= self.size:
            self._problem("a single quote is never closed")
        self.at = min(at + 1, self.size)
        parts.append(self._lit("".join(out), True, start))

    def _brace(self, parts: list[Part], quoted: bool) -> None:
        self._enter()
        text = self.text
        start = self.at
        match = _PARAM.match(text, start + 2, self.size)
        if match is None and text.startswith("#}", start + 2):
            self.at = start + 4
            parts.append(Param("#", quoted, start, self.at))
        elif match is None:
            self.at = start + 2
            self._until("}", quoted)
            self._close_brace()
            parts.append(
                Lit(text[start : self.at], quoted, start, self.at, "an expansion that is not understood", True)
            )
        else:
            param = Param(match.group(3), quoted, start, start, index=match.group(4))
            param.indirect, param.length = bool(match.group(1)), bool(match.group(2))
            self.at = match.end()
            op = _OPERATOR.match(text, self.at, self.size)
            if op is not None:
                self.at = op.end()
                param.op = op.group()
                slash = param.op.startswith("/")
                param.arg = self._until("/}" if slash else "}", quoted)
                if slash and self.at < self.size and text[self.at] == "/":
                    self.at += 1
                    param.arg2 = self._until("}", quoted)
            elif self.at < self.size and text[self.at] != "}":
                self._until("}", quoted)
                param.op = "unreadable"
            self._close_brace()
            param.end = self.at
            parts.append(param)
        self.depth -= 1

    def _close_brace(self) -> None:
        if self.at < self.size:
            self.at += 1
        else:
            self._problem("${ is never closed")

    def _until(self, close: str, quoted: bool) -> Word:
        """The text inside ``${…}`` up to one of ``close``, which is left to be read."""
        text = self.text
        start = self.at
        parts: list[Part] = []
        while self.at < self.size:
            at = self.at
            if at in self.source.opaque:
                self._opaque(parts, quoted)
                continue
            char = text[at]
            if char in close:
                break
            if char == "\\" and at + 1 < self.size:
                self.at += 2
                parts.append(self._lit(text[at + 1], True, at))
            elif char == "'" and not quoted:
                self._single(parts)
            elif char == '"':
                self._quoted(parts)
            elif char == "$":
                self._dollar(parts, quoted)
            elif char == "`":
                self._backquote(parts, quoted)
            else:
                match = _BRACED.match(text, at, self._border(at))
                self.at = match.end() if match else at + 1
                parts.append(self._lit(text[at : self.at], quoted, at))
        return Word(parts, start, self.at)
