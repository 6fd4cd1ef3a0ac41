"""Follow a shell script without running it: which processes would start, with which words, variables and files.

The reading is linear and abstract. A condition that can be decided is decided; otherwise every branch is read and
what differs afterwards is unknown for that reason. Loops over known words are unrolled, others are read once.
Nothing outside the launch is looked at. Work is bounded by ``Budget``, whatever the text.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.platforms.shell import edits, wrappers
from askew.platforms.shell.kubernetes import Expanded
from askew.platforms.shell.parse import (
    Arith,
    Assign,
    Case,
    Command,
    Function,
    Group,
    If,
    Lit,
    Loop,
    Node,
    Param,
    Parser,
    Pipeline,
    Place,
    Redirect,
    Script,
    Simple,
    Stretch,
    Test,
    Text,
    Via,
    Word,
)

Locate: TypeAlias = Callable[[Token, str, Location | None], Location]

MAX_CALLS: Final = 20
MAX_NESTING: Final = 40
MAX_TOKENS: Final = 10_000
MAX_STEPS: Final = 20_000
MAX_CHARACTERS: Final = 4_000_000
MAX_VALUE: Final = 200_000
MAX_TURNS: Final = 64

YES: Final = "yes"
NO: Final = "no"
LIKELY: Final = "likely"
OPEN: Final = "open"

# Set by the shell, the container runtime or the image whatever the source says.
_AT_RUN_TIME: Final = frozenset(
    [
        "HOSTNAME",
        "PWD",
        "OLDPWD",
        "HOME",
        "PATH",
        "UID",
        "EUID",
        "PPID",
        "RANDOM",
        "SECONDS",
        "USER",
        "LINENO",
        "SHELL",
        "?",
        "!",
        "$",
        "-",
        "_",
    ]
)
_IGNORED: Final = frozenset(
    [
        "trap",
        "ulimit",
        "umask",
        "wait",
        "jobs",
        "fg",
        "bg",
        "hash",
        "type",
        "alias",
        "unalias",
        "shopt",
        "enable",
        "history",
        "bind",
        "complete",
        "compopt",
        "disown",
        "times",
        "getopts",
        "pushd",
        "popd",
        "dirs",
        "suspend",
        "logout",
        "kill",
        "caller",
        "let",
    ]
)
_GLOB: Final = re.compile(r"[*?\[]")


class Run(msgspec.Struct):
    """Text with one origin. ``opaque`` text could not be expanded; other ``unknown`` text may be absent."""

    text: str
    quoted: bool = False
    place: Place | None = None
    unknown: str | None = None
    via: Via = ()
    opaque: bool = False


class Field(msgspec.Struct):
    """One word after expansion and where it stands."""

    runs: list[Run]
    home: Place

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)

    @property
    def unknown(self) -> str | None:
        return next((run.unknown for run in self.runs if run.unknown is not None), None)


class Value(msgspec.Struct):
    """A shell variable: one field, or an array's."""

    fields: list[Field]
    array: bool = False

    def key(self) -> list[str]:
        return [field.text for field in self.fields]


class StopError(Exception):
    """The budget is spent."""


class State:
    """What a shell knows at one point of its script."""

    def __init__(self, env: Mapping[str, Variable], files: dict[str, Content | None], cwd: str) -> None:
        self.env = env
        self.files = files
        self.cwd = cwd
        self.vars: dict[str, Value] = {}
        self.exported: set[str] = set()
        self.removed: set[str] = set()
        self.functions: dict[str, tuple[Node, Text]] = {}
        self.args: list[Field] = []
        self.zero: Field | None = None
        self.all_exported = False
        self.stop = ""
        self.replaced = False
        self.condition: str | None = None

    def copy(self) -> State:
        twin = State(self.env, dict(self.files), self.cwd)
        twin.vars = dict(self.vars)
        twin.exported = set(self.exported)
        twin.removed = set(self.removed)
        twin.functions = dict(self.functions)
        twin.args = self.args
        twin.zero = self.zero
        twin.all_exported = self.all_exported
        twin.stop = self.stop
        twin.condition = self.condition
        return twin

    def become(self, other: State) -> None:
        for name in ("files", "cwd", "vars", "exported", "removed", "functions", "args", "all_exported", "stop"):
            setattr(self, name, getattr(other, name))
        self.condition = self.condition or other.condition

    def set(self, name: str, value: Value) -> None:
        self.vars[name] = value
        self.removed.discard(name)


class Locator:
    """Exact places of stretches of tokens, each looked up once and counted from the nearest one already known."""

    def __init__(self, locate: Locate | None) -> None:
        self._locate = locate
        self._known: dict[int, list[tuple[int, Location]]] = {}
        self._kept: list[Token] = []

    def __call__(self, place: Place) -> Location:
        token = place.token
        if self._locate is None or (place.start == 0 and place.end >= len(token.text)):
            return token.location
        fragment = token.text[place.start : place.end].split("\n", 1)[0]
        if not fragment.strip():
            return token.location
        if id(token) not in self._known:
            self._known[id(token)] = []
            self._kept.append(token)
        known = self._known[id(token)]
        at, after = -1, None
        for offset, location in known:
            if offset == place.start:
                return location
            if at < offset < place.start:
                at, after = offset, location
        # The next occurrence of the fragment may be an earlier one: step over those that lie between. Like
        # askew.evidence.document.Node.locate, which stands behind the usual ``locate``, prefer whole words.
        whole = re.compile(rf"(?<![\w./-]){re.escape(fragment)}(?![\w./-])")
        steps = [match.start() for match in whole.finditer(token.text, at + 1, place.end + 1)]
        if place.start not in steps:
            steps = []
            while (at := token.text.find(fragment, at + 1, place.end)) >= 0:
                steps.append(at)
        found = token.location
        if len(steps) > 200:
            return found
        for _ in range(steps.index(place.start) + 1 if place.start in steps else 0):
            found = after = self._locate(token, fragment, after)
        known.append((place.start, found))
        return found


def _whole(token: Token) -> Place:
    return Place(token, 0, len(token.text))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "…"


def argument(token: Token) -> Field:
    """A word of an argument vector as it stands."""
    return Field([Run(token.text, True, _whole(token), token.unknown, (), token.unknown is not None)], _whole(token))


def script_text(token: Token) -> Text:
    """A script in an argument; parts that the kubelet put in keep the place of their variable."""
    size = len(token.text)
    if not isinstance(token, Expanded):
        place = _whole(Token(token.text, token.location))
        return Text(token.text, (Stretch(0, size, place, token.unknown, token.via),))
    base = Token(token.raw, token.location)
    stretches: list[Stretch] = []
    at = raw = 0
    for span in token.spans:
        if span.start > at:
            stretches.append(Stretch(at, span.start, Place(base, raw, span.raw_start)))
        written = Place(base, span.raw_start, span.raw_end)
        variable = span.variable
        if variable is None:
            stretches.append(Stretch(span.start, span.end, written, supplied=True))
        elif variable.value is None or variable.unknown is not None:
            reason = variable.unknown or f"the value of {variable.name} could not be seen"
            via: Via = (variable.location, *variable.via)
            stretches.append(Stretch(span.start, span.end, written, reason, via, True))
        else:
            place = _whole(Token(variable.value, variable.location))
            stretches.append(Stretch(span.start, span.end, place, None, (written, *variable.via)))
        at, raw = span.end, span.raw_end
    if at < size or not stretches:
        stretches.append(Stretch(at, size, Place(base, raw, len(token.raw))))
    return Text(token.text, tuple(stretches))


def joined(fields: list[Field]) -> Text:
    """The text that ``eval`` reads: fields joined by blanks, each stretch with its origin."""
    out: list[str] = []
    stretches: list[Stretch] = []
    length = 0
    for index, field in enumerate(fields):
        for run in ([Run(" ")] if index else []) + field.runs:
            if not run.text:
                continue
            place = run.place or field.home
            direct = place.end - place.start == len(run.text)
            end = length + len(run.text)
            reason = run.unknown if run.opaque else None
            doubt = None if run.opaque else run.unknown
            stretches.append(Stretch(length, end, place, reason, run.via, not direct, doubt))
            out.append(run.text)
            length = end
    if not stretches:
        home = fields[0].home if fields else _whole(Token("", Location("")))
        stretches.append(Stretch(0, 0, home))
    return Text("".join(out), tuple(stretches))


class Reader:
    """One call of ``processes``."""

    def __init__(self, launch: Launch, locate: Locate | None) -> None:
        self.launch = launch
        self.place = Locator(locate)
        self.started: list[Launch] = []
        self.problems: list[str] = []
        self.tokens = 0
        self.steps = 0
        self.characters = 0
        self.calls = 0
        self.nesting = 0
        self.sinks: list[list[Run | None]] = []
        self.quiet = 0
        # One token per variable, by identity, so that places in it are looked up once.
        self.values: dict[int, Token] = {}
        self.kept: list[Variable] = []

    # -- the whole -------------------------------------------------------------------------------------------------

    def read(self) -> tuple[Launch, ...]:
        """Every process, in the order in which the command line starts them."""
        launch = self.launch
        state = State(launch.env, dict(launch.files), launch.working_dir)
        try:
            self.spawn([argument(token) for token in launch.argv], state, None, list(launch.argv))
        except StopError as spent:
            self.problem(str(spent))
        except RecursionError:
            self.problem("the script is nested too deeply to read on")
        if not self.started:
            argv = tuple(self.plain(token) for token in launch.argv)
            self.started.append(msgspec.structs.replace(launch, argv=argv))
        if not self.problems:
            return tuple(self.started)
        problems = tuple(self.problems)
        return tuple(msgspec.structs.replace(one, problems=problems) for one in self.started)

    def problem(self, text: str) -> None:
        if text not in self.problems and len(self.problems) < 20:
            self.problems.append(text)

    def spend(self, characters: int) -> None:
        self.steps += 1
        self.characters += characters
        if self.steps > MAX_STEPS or self.characters > MAX_CHARACTERS:
            raise StopError("the script is too long to follow to its end; what starts later is not shown")

    @staticmethod
    def plain(token: Token) -> Token:
        """The same token without what only this reader needs."""
        if isinstance(token, Expanded):
            return Token(token.text, token.location, token.unknown, token.via)
        return token

    def token(self, field: Field) -> Token:
        """A field as the process receives it."""
        self.tokens += 1
        if self.tokens > MAX_TOKENS:
            raise StopError(f"the script makes more than {MAX_TOKENS} words; what starts later is not shown")
        home = field.home
        outside: list[Place] = []
        inside = False
        via: list[Place | Location] = []
        for run in field.runs:
            if not run.text:
                continue
            if run.place is None or _within(run.place, home):
                inside = True
            else:
                outside.append(run.place)
            via.extend(run.via)
        reasons = [run.unknown for run in field.runs if run.unknown is not None]
        if outside and not inside:
            location = self.place(outside[0])
            via = [*outside[1:], *via, home]
        else:
            location = self.place(home)
            via = [*outside, *(one for one in via if not (isinstance(one, Place) and _within(one, home)))]
        places: list[Location] = []
        for one in via[:20]:
            where = self.place(one) if isinstance(one, Place) else one
            if where != location and where not in places:
                places.append(where)
        unknown = "; ".join(dict.fromkeys(reasons)) if reasons else None
        return Token(field.text, location, unknown, tuple(places))

    # -- processes -------------------------------------------------------------------------------------------------

    def spawn(
        self, fields: list[Field], state: State, stdin: list[Run] | None, tokens: list[Token] | None = None
    ) -> None:
        """Start the program that ``fields`` name, looking through wrappers, shells and scripts in known files."""
        while True:
            self.spend(len(fields))
            words = [field.text for field in fields]
            if not words or fields[0].unknown is not None:
                break
            name = wrappers.program(words[0])
            if name in wrappers.SHELLS:
                if self.shell(fields, words, state, stdin, tokens):
                    return
                break
            content = state.files.get(self.path(words[0], state)) if "/" in words[0] else None
            if content is not None and re.match(r"#!.*\b(ba|da|a|z|k)?sh\b", content.text):
                self.call(self.file_text(content), self.child(state), fields[1:], fields[0])
                return
            found = wrappers.inner(words)
            if found is None:
                break
            if found.assigns or found.unset or found.clear:
                state = state.copy()
                if found.clear:
                    state.env, state.vars = {}, {}
                for gone in found.unset:
                    self.unset(gone, state)
                for index in found.assigns:
                    self.assign_field(fields[index], state)
            if found.launcher:
                self.start(fields, state, tokens)
            tokens = None
            python = [Field([Run(word, True, fields[0].home)], fields[0].home) for word in found.python]
            fields = python + fields[found.start :]
        self.start(fields, state, tokens)

    def start(self, fields: list[Field], state: State, tokens: list[Token] | None) -> None:
        """Note one process."""
        if not fields or self.quiet:
            return
        if tokens is not None:
            argv = tuple(self.plain(token) for token in tokens)
        else:
            argv = tuple(self.token(field) for field in fields)
        files = state.files
        self.started.append(
            msgspec.structs.replace(
                self.launch,
                argv=argv,
                location=argv[0].location,
                implicit_entrypoint=self.launch.implicit_entrypoint and tokens is not None,
                env=self.environment(state),
                files={path: content for path, content in files.items() if content is not None},
                working_dir=state.cwd,
                conditional=self.launch.conditional or state.condition is not None,
            )
        )

    def environment(self, state: State) -> Mapping[str, Variable]:
        """What a process started now would inherit."""
        names = [name for name in state.vars if state.all_exported or name in state.exported or name in state.env]
        if not names and not state.removed:
            return state.env
        env = {name: variable for name, variable in state.env.items() if name not in state.removed}
        for name in names:
            value = state.vars[name]
            field = value.fields[0] if value.fields else None
            if field is None:
                continue
            token = self.token(field)
            unseen = bool(field.text) and all(run.opaque for run in field.runs if run.text)
            env[name] = Variable(name, None if unseen else token.text, token.location, token.unknown, token.via)
        return env

    def child(self, state: State) -> State:
        """The state of a new shell: environment and files, nothing else."""
        child = State(self.environment(state), state.files, state.cwd)
        child.condition = state.condition
        return child

    def shell(
        self, fields: list[Field], words: list[str], state: State, stdin: list[Run] | None, tokens: list[Token] | None
    ) -> bool:
        """Read what a shell is asked to run. False when that cannot be seen."""
        script, rest = wrappers.script_of(words)
        if script is not None:
            field = fields[script]
            if tokens is not None:
                source = script_text(tokens[script])
            elif all(run.opaque for run in field.runs):
                return False
            else:
                source = joined([field])
            if source.stretches[0].unknown is not None and len(source.stretches) == 1:
                return False
            zero = fields[rest] if rest < len(fields) else fields[0]
            before = len(self.started)
            self.call(source, self.child(state), fields[rest + 1 :], zero)
            return len(self.started) > before or tokens is None
        if rest < len(words) and words[rest]:
            content = state.files.get(self.path(words[rest], state))
            if content is None or fields[rest].unknown is not None:
                return False
            self.call(self.file_text(content), self.child(state), fields[rest + 1 :], fields[rest])
            return True
        if stdin is not None:
            home = fields[0].home
            self.call(joined([Field(stdin, home)]), self.child(state), [], fields[0])
            return True
        return False

    @staticmethod
    def file_text(content: Content) -> Text:
        return Text(content.text, (Stretch(0, len(content.text), _whole(Token(content.text, content.location))),))

    def call(self, source: Text, state: State, args: list[Field], zero: Field | None) -> str:
        """Read a script in ``state`` with its own arguments."""
        state.args, state.zero = args, zero
        return self.run_text(source, state)

    def run_text(self, source: Text, state: State) -> str:
        if self.calls >= MAX_CALLS:
            raise StopError(f"scripts call each other more than {MAX_CALLS} deep; what starts later is not shown")
        self.spend(len(source.text))
        parser = Parser(source)
        tree = parser.parse()
        for offset, what in parser.problems:
            self.problem(f"{self.place(_line(source.place(offset, offset + 1)))}: {what}")
        self.calls += 1
        try:
            return self.sequence(tree, source, state)
        finally:
            self.calls -= 1

    # -- control flow ----------------------------------------------------------------------------------------------

    def sequence(self, tree: Script, source: Text, state: State) -> str:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise StopError("the script is nested too deeply to read on; what starts later is not shown")
        status = YES
        previous = ""
        for joint, pipeline, background in tree.items:
            if state.stop:
                break
            self.spend(0)
            if (joint == "&&" and status == NO) or (joint == "||" and status == YES):
                continue
            uncertain = (joint == "&&" and status == OPEN) or (joint == "||" and status in (OPEN, LIKELY))
            if uncertain:
                reason = f"depends on `{_cut(previous)}`, which no source shows"
                other = state.copy()
                other.condition = other.condition or reason
                self.pipeline(pipeline, source, other)
                status = OPEN if joint == "&&" else LIKELY
                self.merge(state, [state.copy(), other], reason)
            elif background:
                other = state.copy()
                self.pipeline(pipeline, source, other)
                state.files = other.files
                status = YES
            else:
                status = self.pipeline(pipeline, source, state)
            previous = source.text[pipeline.start : pipeline.end]
        self.nesting -= 1
        return status

    def pipeline(self, pipeline: Pipeline, source: Text, state: State) -> str:
        status = LIKELY
        if len(pipeline.commands) == 1:
            status = self.node(pipeline.commands[0], source, state, None)
        else:
            stdin: list[Run] | None = None
            for index, command in enumerate(pipeline.commands):
                other = state.copy()
                last = index == len(pipeline.commands) - 1
                if not last:
                    self.sinks.append([])
                status = self.node(command, source, other, stdin)
                if not last:
                    sink = self.sinks.pop()
                    stdin = None if None in sink else [run for run in sink if run is not None]
                state.files = other.files
                state.condition = state.condition or other.condition
        if pipeline.negated:
            status = {YES: NO, NO: YES}.get(status, OPEN)
        return status

    def node(self, node: Node, source: Text, state: State, stdin: list[Run] | None) -> str:
        if isinstance(node, Simple):
            return self.simple(node, source, state, stdin)
        if isinstance(node, Function):
            state.functions[node.name] = (node.body, source)
            return YES
        if isinstance(node, Test):
            return self.conditional_expression(node, source, state)
        target = next((one for one in node.redirects if one.op in (">", ">>", ">|") and one.fd in ("", "1")), None)
        if target is None:
            return self.compound(node, source, state)
        self.sinks.append([])
        status = self.compound(node, source, state)
        sink = self.sinks.pop()
        output = None if None in sink else [run for run in sink if run is not None]
        self.write(target, source, state, output)
        return status

    def compound(self, node: Group | If | Loop | Case, source: Text, state: State) -> str:
        if isinstance(node, Group):
            if not node.sub:
                return self.sequence(node.body, source, state)
            other = state.copy()
            status = self.sequence(node.body, source, other)
            state.files = other.files
            return status
        if isinstance(node, If):
            return self.branch_if(node, source, state)
        if isinstance(node, Case):
            return self.branch_case(node, source, state)
        return self.loop(node, source, state)

    def branch_if(self, node: If, source: Text, state: State) -> str:
        ends: list[State] = []
        current = state
        reason = ""
        status = LIKELY
        for condition, body in node.branches:
            if condition is None:
                status = self.sequence(body, source, current)
                ends.append(current)
                break
            known = self.sequence(condition, source, current)
            if current.stop:
                ends.append(current)
                break
            if known == NO:
                continue
            if known == YES:
                status = self.sequence(body, source, current)
                ends.append(current)
                break
            why = (
                f"depends on `{_cut(source.text[condition.start : condition.end].rstrip(' ;'))}`, which no source shows"
            )
            reason = reason or why
            taken = current.copy()
            taken.condition = taken.condition or why
            self.sequence(body, source, taken)
            ends.append(taken)
            if current is state:
                current = state.copy()
            current.condition = current.condition or why
        else:
            ends.append(current)
        if len(ends) == 1 and ends[0] is state:
            return status
        self.merge(state, ends, reason)
        return OPEN

    def branch_case(self, node: Case, source: Text, state: State) -> str:
        field = self.single(node.subject, source, state)
        subject = field.text
        decided = field.unknown is None
        ends: list[State] = []
        reason = f"depends on `case {_cut(source.text[node.subject.start : node.subject.end])}`, which no source shows"
        complete = False
        for patterns, body in node.branches:
            matches = False
            for pattern in patterns:
                wanted = self.single(pattern, source, state)
                found = match_glob(wanted, subject) if decided and wanted.unknown is None else None
                if found is None:
                    decided = False
                    complete = complete or wanted.text == "*"
                matches = matches or bool(found)
            if decided and matches:
                if not ends:
                    return self.sequence(body, source, state)
                complete = True
            if matches or not decided:
                taken = state.copy()
                taken.condition = taken.condition or reason
                self.sequence(body, source, taken)
                ends.append(taken)
                if complete:
                    break
        if not ends:
            return YES
        if not complete:
            ends.append(state.copy())
        self.merge(state, ends, reason)
        return OPEN

    def loop(self, node: Loop, source: Text, state: State) -> str:
        if node.condition is not None:
            status = self.sequence(node.condition, source, state)
            if state.stop or status == (YES if node.until else NO):
                return YES
            text = source.text[node.condition.start : node.condition.end]
            certain = status == (NO if node.until else YES)
            self.turn(node.body, source, state, f"depends on the loop over `{_cut(text.rstrip(' ;'))}`", certain)
            return LIKELY
        fields: list[Field] | None = None
        if node.words is None:
            fields = state.args
        elif node.name:
            fields = [field for word in node.words for field in self.expand(word, source, state)]
            if any(run.unknown is not None for field in fields for run in field.runs) or any(
                not run.quoted and re.search(r"[*?{]", run.text) for field in fields for run in field.runs
            ):
                fields = None
        if fields is not None and len(fields) <= MAX_TURNS:
            for field in fields:
                state.set(node.name, Value([field]))
                self.sequence(node.body, source, state)
                if state.stop in ("break", "continue"):
                    ended = state.stop == "break"
                    state.stop = ""
                    if ended:
                        break
                if state.stop:
                    break
            return LIKELY
        if node.name:
            home = source.place(node.body.start, node.body.start + 1)
            run = Run(f"${{{node.name}}}", True, None, f"{node.name} changes with every turn of a loop", (), True)
            state.set(node.name, Value([Field([run], home)]))
        self.turn(node.body, source, state, "depends on how often a loop runs", False)
        return LIKELY

    def turn(self, body: Script, source: Text, state: State, reason: str, certain: bool) -> None:
        """One turn of a loop that may run any number of times."""
        after = state.copy()
        if not certain:
            after.condition = after.condition or reason
        self.sequence(body, source, after)
        if after.stop in ("break", "continue"):
            after.stop = ""
        self.merge(state, [state.copy(), after], reason)

    def merge(self, state: State, ends: list[State], reason: str) -> None:
        """Make ``state`` what is known when any of ``ends`` may be what happened."""
        held = state.condition
        alive = [end for end in ends if not end.stop]
        if not alive:
            state.become(ends[0])
            state.condition = held
            return
        first = alive[0]
        for other in alive[1:]:
            for name in dict.fromkeys((*first.vars, *other.vars)):
                left = first.vars.get(name) or self.inherited(name, first)
                right = other.vars.get(name) or self.inherited(name, other)
                merged = self.either(name, left, right, reason)
                if merged is not None:
                    first.vars[name] = merged
            first.exported |= other.exported
            first.removed &= other.removed
            first.functions = {**other.functions, **first.functions}
            if [field.text for field in first.args] != [field.text for field in other.args]:
                merged = self.either("@", Value(first.args, True), Value(other.args, True), reason)
                first.args = merged.fields if merged is not None else first.args
            for path, content in other.files.items():
                mine = first.files.get(path)
                if mine is None or content is None:
                    first.files[path] = mine or content
                elif mine.text != content.text:
                    first.files[path] = None
                    self.problem(f"the content of {path} {reason}")
            if first.cwd != other.cwd:
                first.cwd = ""
        state.become(first)
        # After a branch that replaced the shell, the rest runs only when that branch was not taken.
        state.condition = held or (reason if any(end.replaced for end in ends) else None)

    def inherited(self, name: str, state: State) -> Value | None:
        variable = state.env.get(name)
        if variable is None or name in state.removed:
            return None
        return Value([self.variable_field(variable)])

    def either(self, name: str, left: Value | None, right: Value | None, reason: str) -> Value | None:
        """A value that is one of two; what both begin with stays known."""
        if left is right or (left is not None and right is not None and left.key() == right.key()):
            return left
        short, long = sorted((left or Value([], True), right or Value([], True)), key=lambda one: len(one.fields))
        if left is None or right is None or short.array or long.array:
            same = len(short.fields)
            if short.key() == long.key()[:same]:
                fields = long.fields[:same] + [_doubted(field, reason) for field in long.fields[same:]]
                return Value(fields, long.array)
        elif short.fields and long.fields:
            a, b = sorted((short.fields[0], long.fields[0]), key=lambda one: len(one.text))
            if b.text.startswith(a.text) and not any(run.opaque for run in a.runs):
                rest = _slice(b, len(a.text))
                return Value([Field([*a.runs, *(_doubt_run(run, reason) for run in rest)], b.home)])
        field = (long.fields or short.fields)[0]
        run = Run(f"${{{name}}}", True, None, f"the value of {name} {reason}", (), True)
        return Value([Field([run], field.home)], long.array)

    # -- simple commands -------------------------------------------------------------------------------------------

    def simple(self, node: Simple, source: Text, state: State, stdin: list[Run] | None) -> str:
        self.spend(node.end - node.start)
        fields = [field for word in node.words for field in self.expand(word, source, state)]
        stdin = self.input(node.redirects, source, state, stdin)
        output = next(
            (one for one in node.redirects if one.op in (">", ">>", ">|", "&>", "&>>") and one.fd in ("", "1")), None
        )
        if not fields:
            for assign in node.assigns:
                self.assign(assign, source, state)
            return YES if not node.words else LIKELY
        inner = state
        if node.assigns:
            inner = state.copy()
            for assign in node.assigns:
                self.assign(assign, source, inner)
                inner.exported.add(assign.name)
        if output is not None:
            self.sinks.append([])
        status = self.command(fields, node, source, state, inner, stdin)
        if output is not None:
            sink = self.sinks.pop()
            self.write(output, source, state, None if None in sink else [run for run in sink if run is not None])
        return status

    def emit(self, runs: list[Run] | None) -> None:
        """Text on standard output; None: not known."""
        if self.sinks:
            self.sinks[-1].extend([None] if runs is None else runs)

    def command(
        self, fields: list[Field], node: Simple, source: Text, state: State, inner: State, stdin: list[Run] | None
    ) -> str:
        name = fields[0].text
        if fields[0].unknown is not None:
            self.emit(None)
            self.spawn(fields, inner, stdin)
            return LIKELY
        if name in ("command", "builtin") and len(fields) > 1 and not fields[1].text.startswith("-"):
            return self.command(fields[1:], node, source, state, inner, stdin)
        if name in state.functions:
            return self.function(name, fields, state, inner)
        if name in ("[", "test"):
            words = fields[1:]
            if name == "[" and words and words[-1].text == "]":
                words = words[:-1]
            return self.test(words, state)
        builtin = getattr(self, "do_" + name, None) if name.isalpha() else None
        if builtin is None and name == ".":
            builtin = self.do_source
        if name in (":", "true", "false"):
            return NO if name == "false" else YES
        if name in ("export", "declare", "typeset", "local", "readonly"):
            return self.declare(fields, node, source, state)
        if builtin is not None:
            status = builtin(fields, state, inner, stdin)
            return status if isinstance(status, str) else LIKELY
        if name in _IGNORED:
            return LIKELY
        if wrappers.program(name) in _FILTERS:
            self.filter(wrappers.program(name), fields, state, stdin)
        else:
            self.emit(None)
        self.spawn(fields, inner, stdin)
        return LIKELY

    def function(self, name: str, fields: list[Field], state: State, inner: State) -> str:
        body, text = state.functions[name]
        if self.calls >= MAX_CALLS:
            raise StopError(f"functions call each other more than {MAX_CALLS} deep; what starts later is not shown")
        args = state.args
        state.args = fields[1:]
        for key, value in inner.vars.items():
            state.vars.setdefault(key, value)
        self.calls += 1
        try:
            status = self.node(body, text, state, None)
        finally:
            self.calls -= 1
        state.args = args
        if state.stop == "return":
            state.stop = ""
        return status

    def do_exec(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        rest = fields[1:]
        while rest and rest[0].text in ("-a", "-c", "-l", "--"):
            rest = rest[2:] if rest[0].text == "-a" else rest[1:]
        if not rest:
            return YES
        self.spawn(rest, inner, stdin)
        state.stop = "exit"
        state.replaced = True
        return LIKELY

    def do_eval(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        rest = fields[1:]
        if rest and rest[0].text == "--":
            rest = rest[1:]
        if not rest:
            return YES
        return self.run_text(joined(rest), state)

    def do_source(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        if len(fields) < 2 or fields[1].unknown is not None:
            return LIKELY
        content = state.files.get(self.path(fields[1].text, state))
        if content is None:
            return LIKELY
        args = state.args
        if len(fields) > 2:
            state.args = fields[2:]
        status = self.run_text(self.file_text(content), state)
        if state.stop == "return":
            state.stop = ""
        state.args = args if len(fields) > 2 else state.args
        return status

    def do_exit(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        state.stop = "exit"
        return YES

    def do_return(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        state.stop = "return"
        return LIKELY

    def do_break(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        state.stop = "break"
        return YES

    def do_continue(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        state.stop = "continue"
        return YES

    def do_cd(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        words = [field for field in fields[1:] if field.text not in ("--", "-P", "-L")]
        known = len(words) == 1 and words[0].unknown is None and words[0].text != "-" and words[0].text[:1] != "~"
        state.cwd = self.path(words[0].text, state) if known else ""
        if not os.path.isabs(state.cwd):
            state.cwd = ""
        return LIKELY

    def do_set(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        rest = fields[1:]
        while rest:
            word = rest[0].text
            if word in ("--", "-"):
                state.args = rest[1:]
                break
            if word[:1] not in ("-", "+") or rest[0].unknown is not None:
                state.args = rest
                break
            if "a" in word[1:]:
                state.all_exported = word[0] == "-"
            takes = "o" in word[1:]
            if takes and len(rest) > 1 and rest[1].text == "allexport":
                state.all_exported = word[0] == "-"
            rest = rest[2:] if takes else rest[1:]
        return YES

    def do_shift(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        count = int(fields[1].text) if len(fields) > 1 and re.fullmatch(r"[0-9]{1,4}", fields[1].text) else 1
        state.args = state.args[count:]
        return YES

    def do_unset(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        for field in fields[1:]:
            self.unset(field.text, state)
        return YES

    @staticmethod
    def unset(name: str, state: State) -> None:
        state.vars.pop(name, None)
        state.removed.add(name)

    def do_read(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        for field in fields[1:]:
            if re.fullmatch(r"[A-Za-z_]\w*", field.text):
                run = Run(f"${{{field.text}}}", True, None, f"{field.text} is read at run time", (), True)
                state.set(field.text, Value([Field([run], field.home)]))
        return OPEN

    do_mapfile = do_read
    do_readarray = do_read

    def do_echo(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        rest, newline, escapes = fields[1:], True, False
        while rest and re.fullmatch(r"-[neE]+", rest[0].text):
            newline = newline and "n" not in rest[0].text
            escapes = escapes or "e" in rest[0].text
            rest = rest[1:]
        if self.sinks:
            runs: list[Run] = []
            for index, field in enumerate(rest):
                runs += ([Run(" ", True)] if index else []) + field.runs
            if escapes:
                runs = [run if run.opaque else _with_text(run, edits.unescape(run.text)) for run in runs]
            self.emit(runs + ([Run("\n", True)] if newline else []))
        return YES

    def do_printf(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        rest = fields[1:]
        name = None
        if len(rest) > 2 and rest[0].text == "-v":
            name, rest = rest[1].text, rest[2:]
        runs: list[Run] | None = None
        if rest and rest[0].text == "--":
            rest = rest[1:]
        if rest and rest[0].unknown is None:
            shape = rest[0].text
            if not re.search(r"%[^sdib%]", shape) and len(re.findall(r"%[sdib]", shape)) <= 200:
                runs = []
                values = rest[1:]
                wanted = len(re.findall(r"%[sdib]", shape))
                while True:
                    for piece in re.split(r"(%[sdib%])", shape):
                        if piece == "%%":
                            runs.append(Run("%", True))
                        elif piece[:1] == "%" and len(piece) == 2:
                            if values:
                                runs += values.pop(0).runs
                        else:
                            runs.append(Run(edits.unescape(piece), True))
                    self.spend(len(shape))
                    if not values or not wanted:
                        break
        if name is None:
            self.emit(runs)
        else:
            unknown = Run(f"${{{name}}}", True, None, f"{name} is formatted at run time", (), True)
            state.set(name, Value([Field(runs if runs is not None else [unknown], fields[0].home)]))
        return YES

    # -- files -----------------------------------------------------------------------------------------------------

    @staticmethod
    def path(text: str, state: State) -> str:
        """``text`` as an absolute path where the working directory is known."""
        return os.path.normpath(os.path.join(state.cwd, text)) if text else ""

    def input(self, redirects: list[Redirect], source: Text, state: State, stdin: list[Run] | None) -> list[Run] | None:
        for one in redirects:
            if one.fd not in ("", "0"):
                continue
            if one.op in ("<<", "<<-") and one.body is not None:
                stdin = self.single(one.body, source, state).runs
            elif one.op == "<<<" and one.target is not None:
                stdin = [*self.single(one.target, source, state).runs, Run("\n", True)]
            elif one.op == "<" and one.target is not None:
                stdin = self.content(self.single(one.target, source, state), state)
        return stdin

    def content(self, field: Field, state: State) -> list[Run] | None:
        content = None if field.unknown is not None else state.files.get(self.path(field.text, state))
        if content is None:
            return None
        place = _whole(Token(content.text, content.location))
        runs: list[Run] = []
        at = 0
        for text, reason in content.unknown.items():
            found = content.text.find(text, at)
            if found >= 0 and text:
                runs.append(Run(content.text[at:found], True, Place(place.token, at, found)))
                at = found + len(text)
                runs.append(Run(text, True, Place(place.token, found, at), reason, (), True))
        runs.append(Run(content.text[at:], True, Place(place.token, at, len(content.text))))
        return runs

    def write(self, target: Redirect, source: Text, state: State, output: list[Run] | None) -> None:
        if target.target is None:
            return
        field = self.single(target.target, source, state)
        if field.unknown is None and not field.text.startswith("/dev/"):
            self.save(field, state, output, target.op in (">>", "&>>"))

    def save(self, field: Field, state: State, output: list[Run] | None, append: bool) -> None:
        """Make ``output`` the content of a file; None: content that is not known."""
        path = self.path(field.text, state)
        before = self.content(field, state) if append else []
        if output is None or before is None or sum(len(run.text) for run in output) > MAX_VALUE:
            # Appending to a file that no source shows: what it holds is then not known.
            state.files[path] = None
            return
        runs = before + output
        text = "".join(run.text for run in runs)
        self.spend(len(text))
        place = next((run.place for run in runs if run.place is not None and run.text), None)
        unknown = {run.text: run.unknown for run in runs if run.unknown is not None and run.text}
        state.files[path] = Content(text, self.place(_line(place or field.home)), unknown)

    def filter(self, name: str, fields: list[Field], state: State, stdin: list[Run] | None) -> None:
        """Programs that move text about: what they write, and to where."""
        flags = [field for field in fields[1:] if field.text.startswith("-") and len(field.text) > 1]
        names = [field for field in fields[1:] if field not in flags]
        if name == "sed":
            self.sed(fields, state, stdin)
            return
        if name == "cat":
            runs: list[Run] | None = []
            pieces = [stdin if one.text == "-" else self.content(one, state) for one in names] if names else [stdin]
            for piece in pieces:
                runs = None if runs is None or piece is None else runs + piece
            self.emit(runs)
        elif name == "tee":
            append = any(field.text in ("-a", "--append") for field in flags)
            for field in names:
                if field.unknown is None and not field.text.startswith("/dev/"):
                    self.save(field, state, stdin, append)
            self.emit(stdin)
        elif name == "envsubst":
            self.emit(None if stdin is None or names else self.substitute(stdin, state))
        elif name in ("cp", "mv") and len(names) == 2 and all(field.unknown is None for field in names):
            old, new = (self.path(field.text, state) for field in names)
            content = state.files.get(old)
            if content is not None:
                state.files[new] = content
            elif new in state.files:
                state.files[new] = None
            if name == "mv":
                state.files[old] = None

    def substitute(self, runs: list[Run], state: State) -> list[Run]:
        """``envsubst``: every exported variable's value in place of its name."""
        out: list[Run] = []
        for run in runs:
            at = 0
            for match in re.finditer(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", run.text) if not run.opaque else ():
                out.append(_with_text(run, run.text[at : match.start()]))
                out += self.value(match.group(1) or match.group(2), state)
                at = match.end()
            out.append(_with_text(run, run.text[at:]))
        return out

    def sed(self, fields: list[Field], state: State, stdin: list[Run] | None) -> None:
        in_place = extended = False
        scripts: list[Field] = []
        names: list[Field] = []
        at = 1
        while at < len(fields):
            word = fields[at].text
            if word in ("-e", "--expression") and at + 1 < len(fields):
                at += 1
                scripts.append(fields[at])
            elif word.startswith(("--expression=", "-e")) and len(word) > 2 and not word.startswith("-e="):
                scripts.append(Field(_slice(fields[at], 13 if word.startswith("--") else 2), fields[at].home))
            elif word.startswith("-") and len(word) > 1:
                in_place = in_place or word.startswith(("-i", "--in-place")) or word in ("-Ei", "-ri", "-ni")
                extended = extended or word.startswith(("-E", "-r", "-iE", "--regexp"))
            else:
                names.append(fields[at])
            at += 1
        if not scripts and names:
            scripts, names = names[:1], names[1:]
        if not in_place:
            runs = stdin if not names else self.content(names[0], state) if len(names) == 1 else None
            self.emit(self.edited(scripts, runs, extended))
            return
        for field in names:
            path = self.path(field.text, state)
            content = state.files.get(path)
            if content is None or field.unknown is not None:
                continue
            runs = self.edited(scripts, self.content(field, state), extended)
            if runs is None:
                self.problem(
                    f"{self.place(scripts[0].home)}: this sed expression is not understood, so {path} is not known"
                )
                state.files[path] = None
                continue
            unknown = {run.text: run.unknown for run in runs if run.unknown is not None}
            state.files[path] = Content("".join(run.text for run in runs), content.location, unknown)

    def edited(self, scripts: list[Field], runs: list[Run] | None, extended: bool) -> list[Run] | None:
        """``runs`` after ``sed``. Unexpanded text is carried through as single private-use characters."""
        if runs is None or not scripts:
            return None
        carried: list[Run] = []

        def masked(some: list[Run]) -> str:
            out: list[str] = []
            for run in some:
                if run.unknown is None or not run.text:
                    out.append(run.text)
                else:
                    out.append(chr(0xE000 + len(carried)))
                    carried.append(run)
            return "".join(out)

        text: str | None = masked(runs)
        for script in scripts:
            command = masked(script.runs)
            if len(carried) > 0x1000:
                return None
            self.spend(len(command) + len(text or ""))
            text = None if text is None else edits.sed(command, text, extended)
        if text is None:
            return None
        place = next((run.place for run in runs if run.place is not None), None)
        return [
            carried[ord(piece) - 0xE000] if index % 2 else Run(piece, True, place)
            for index, piece in enumerate(re.split("([\ue000-\uf000])", text))
            if index % 2 == 0 or ord(piece) - 0xE000 < len(carried)
        ]

    # -- assignments -----------------------------------------------------------------------------------------------

    def assign(self, assign: Assign, source: Text, state: State) -> None:
        value = assign.value
        old = state.vars.get(assign.name)
        if isinstance(value, list):
            fields = [field for word in value for field in self.expand(word, source, state)]
            if assign.append:
                before = old or self.inherited(assign.name, state)
                fields = (before.fields if before else []) + fields
            if len(fields) > MAX_TOKENS:
                raise StopError(f"{assign.name} holds more than {MAX_TOKENS} words; what starts later is not shown")
            state.set(assign.name, Value(fields, True))
            return
        field = self.single(value, source, state)
        if not field.runs:
            field = Field([Run("", True, field.home)], source.place(assign.start, assign.end))
        if assign.index is not None:
            fields = list(old.fields) if old is not None else []
            if assign.index == str(len(fields)):
                state.set(assign.name, Value([*fields, field], True))
            elif assign.index.isascii() and assign.index.isdigit() and int(assign.index[:9]) < len(fields):
                fields[int(assign.index)] = field
                state.set(assign.name, Value(fields, True))
            else:
                run = Run(f"${{{assign.name}}}", True, None, f"an element of {assign.name} that is not known", (), True)
                state.set(assign.name, Value([*fields, Field([run], field.home)], True))
            return
        if assign.append:
            before = old or self.inherited(assign.name, state)
            if before is not None and before.fields:
                runs = before.fields[0].runs + field.runs
                self.limit(runs)
                fields = [Field(runs, before.fields[0].home), *before.fields[1:]]
                state.set(assign.name, Value(fields, before.array))
                return
        state.set(assign.name, Value([field]))

    def limit(self, runs: list[Run]) -> None:
        size = sum(len(run.text) for run in runs)
        self.spend(size)
        if size > MAX_VALUE or len(runs) > MAX_TOKENS:
            raise StopError("a variable grows too long to follow; what starts later is not shown")

    def assign_field(self, field: Field, state: State) -> None:
        """``NAME=value`` that is already expanded (``env A=b cmd``, ``export "A=b"``)."""
        name, mark, _ = field.text.partition("=")
        if mark and re.fullmatch(r"[A-Za-z_]\w*", name):
            state.set(name, Value([Field(_slice(field, len(name) + 1) or [Run("", True)], field.home)]))
            state.exported.add(name)

    def declare(self, fields: list[Field], node: Simple, source: Text, state: State) -> str:
        flags = "".join(field.text[1:] for field in fields[1:] if field.text.startswith("-"))
        exports = fields[0].text == "export" or "x" in flags
        for assign in node.declares:
            self.assign(assign, source, state)
            if exports:
                state.exported.add(assign.name)
        for field in fields[1:]:
            if field.text.startswith("-") or field.unknown is not None:
                continue
            if exports and "=" in field.text:
                self.assign_field(field, state)
            elif exports:
                if "n" in flags:
                    state.exported.discard(field.text)
                else:
                    state.exported.add(field.text)
            elif ("a" in flags or "A" in flags) and field.text not in state.vars:
                state.set(field.text, Value([], True))
        return YES

    # -- conditions ------------------------------------------------------------------------------------------------

    def conditional_expression(self, node: Test, source: Text, state: State) -> str:
        if not node.words:
            return OPEN
        return self.test([self.single(word, source, state) for word in node.words], state, True)

    def test(self, words: list[Field], state: State, double: bool = False) -> str:
        texts = [word.text if any(not run.quoted for run in word.runs) else None for word in words]
        for mark, wins in (("||", YES), ("-o", YES), ("&&", NO), ("-a", NO)):
            if mark in texts and (mark in ("||", "&&")) == double:
                at = texts.index(mark)
                left = self.test(words[:at], state, double)
                right = self.test(words[at + 1 :], state, double)
                if wins in (left, right):
                    return wins
                return OPEN if OPEN in (left, right) else left
        if "(" in texts:
            return OPEN
        if texts and texts[0] == "!":
            return {YES: NO, NO: YES}.get(self.test(words[1:], state, double), OPEN)
        if not words:
            return NO
        if len(words) == 1:
            return _truth(bool(words[0].text)) if words[0].unknown is None else OPEN
        if len(words) == 2:
            flag, operand = words[0].text, words[1]
            if operand.unknown is not None:
                return OPEN
            if flag in ("-z", "-n"):
                return _truth((flag == "-n") == bool(operand.text))
            if flag in ("-f", "-e", "-r", "-s"):
                return YES if state.files.get(self.path(operand.text, state)) is not None else OPEN
            if flag == "-v":
                return YES if operand.text in state.vars or operand.text in state.env else OPEN
            return OPEN
        if len(words) != 3 or words[0].unknown is not None or words[2].unknown is not None:
            return OPEN
        left, op, right = words[0].text, words[1].text, words[2].text
        if op in ("=", "==", "!="):
            same = match_glob(words[2], left) if double else left == right
            return OPEN if same is None else _truth(same == (op != "!="))
        if op in _COMPARE and _integer(left) is not None and _integer(right) is not None:
            return _truth(_COMPARE[op]((_integer(left) or 0) - (_integer(right) or 0)))
        return OPEN

    # -- expansion -------------------------------------------------------------------------------------------------

    def single(self, word: Word, source: Text, state: State) -> Field:
        """A word where no splitting happens: an assignment's value, a redirection's target."""
        runs: list[Run] = []
        for part in word.parts:
            pieces = self.part(part, source, state, False)
            for index, piece in enumerate(pieces):
                runs += ([Run(" ", True)] if index else []) + piece
        self.limit(runs)
        return Field(runs, source.place(word.start, word.end))

    def expand(self, word: Word, source: Text, state: State) -> list[Field]:
        """The fields that a word becomes: expansion, splitting, quote removal."""
        if len(word.parts) == 1:
            only = word.parts[0]
            if isinstance(only, Lit) and only.text:
                return [Field([self.literal(only, source)], source.place(word.start, word.end))]
        done: list[list[Run]] = []
        current: list[Run] = []
        exists = False
        for part in word.parts:
            for index, piece in enumerate(self.part(part, source, state, True)):
                if index:
                    done.append(current)
                    current, exists = [], True
                elif not piece and isinstance(part, Param) and part.quoted:
                    continue
                for run in piece:
                    if run.quoted or run.opaque or isinstance(part, Lit):
                        current.append(run)
                        exists = exists or run.quoted or bool(run.text)
                        continue
                    for start, text, breaks in _split(run.text):
                        if breaks:
                            if exists:
                                done.append(current)
                            current, exists = [], False
                        elif text:
                            current.append(_part_of(run, start, text))
                            exists = True
                exists = exists or (bool(index) and part.quoted)
        if exists:
            done.append(current)
        home = source.place(word.start, word.end)
        if len(done) > 1:
            self.spend(len(done))
        self.limit([run for runs in done for run in runs])
        return [Field(runs, home) for runs in done]

    def literal(self, part: Lit, source: Text) -> Run:
        place = source.place(part.start, part.end)
        return Run(part.text, part.quoted, place, part.unknown, source.via(part.start, part.end), part.opaque)

    def part(self, part: Lit | Param | Command | Arith, source: Text, state: State, splits: bool) -> list[list[Run]]:
        """What one part of a word becomes: one piece, or several where ``"$@"`` or an array makes several words."""
        if isinstance(part, Lit):
            return [[self.literal(part, source)]]
        here = source.place(part.start, part.end)
        via: Via = source.via(part.start, part.end)
        if isinstance(part, Command):
            runs = self.output_of(part, source, state, here, via)
        elif isinstance(part, Arith):
            runs = [self.arithmetic(part, state, here, via)]
        else:
            pieces = self.param(part, source, state, here)
            for piece in pieces:
                for index, run in enumerate(piece):
                    more = () if run.place is None or _within(run.place, here) else (here, *via)
                    piece[index] = Run(
                        run.text,
                        part.quoted or (run.quoted and bool(part.arg)),
                        run.place,
                        run.unknown,
                        run.via + tuple(one for one in more if one not in run.via),
                        run.opaque,
                    )
            return pieces
        for run in runs:
            run.quoted = part.quoted
        return [runs]

    def output_of(self, part: Command, source: Text, state: State, here: Place, via: Via) -> list[Run]:
        """``$(…)``: its output where the script itself shows it (``$(cat /known/file)``), else unknown."""
        body = part.body
        if body is not None and len(body.items) == 1 and len(body.items[0][1].commands) == 1:
            command = body.items[0][1].commands[0]
            first = command.words[0].literal() if isinstance(command, Simple) and command.words else None
            if first in ("echo", "printf", "cat"):
                self.sinks.append([])
                self.quiet += 1
                self.node(command, source, state.copy(), None)
                self.quiet -= 1
                sink = self.sinks.pop()
                if sink and None not in sink and not any(run is not None and run.opaque for run in sink):
                    runs = [Run(run.text, False, run.place, run.unknown, run.via) for run in sink if run is not None]
                    while runs and not runs[-1].text.rstrip("\n"):
                        runs.pop()
                    if runs:
                        runs[-1].text = runs[-1].text.rstrip("\n")
                    return runs
        return [Run(part.raw, part.quoted, here, f"expanded at run time from {_cut(part.raw)}", via, True)]

    def arithmetic(self, part: Arith, state: State, here: Place, via: Via) -> Run:
        def name(text: str) -> int | None:
            runs = self.value(text, state)
            value = "".join(run.text for run in runs)
            return None if any(run.unknown is not None for run in runs) else _integer(value or "0")

        result = calculate(part.raw[3:-2], name)
        if result is None:
            return Run(part.raw, part.quoted, here, f"calculated at run time from {_cut(part.raw)}", via, True)
        return Run(str(result), part.quoted, here, None, via)

    def variable_field(self, variable: Variable) -> Field:
        if variable.value is None:
            place = _whole(Token("", variable.location))
            reason = variable.unknown or f"the value of {variable.name} could not be seen"
            return Field(
                [Run(f"${{{variable.name}}}", False, None, reason, (variable.location, *variable.via), True)], place
            )
        token = self.values.get(id(variable))
        if token is None:
            token = self.values[id(variable)] = Token(variable.value, variable.location)
            self.kept.append(variable)
        place = _whole(token)
        opaque = variable.unknown is not None
        return Field([Run(variable.value, False, place, variable.unknown, variable.via, opaque)], place)

    def lookup(self, name: str, state: State) -> Value | None:
        """A variable or special parameter; None when nothing sets it."""
        if name in state.vars:
            return state.vars[name]
        if name in ("@", "*"):
            return Value(state.args, True) if state.args else None
        if name.isdigit():
            index = int(name[:6])
            if index == 0:
                return Value([state.zero]) if state.zero is not None else None
            return Value([state.args[index - 1]]) if index <= len(state.args) else None
        return self.inherited(name, state)

    def value(self, name: str, state: State) -> list[Run]:
        """The runs of ``$NAME``; unknown text when nothing sets it."""
        value = self.lookup(name, state)
        if value is not None:
            return list(value.fields[0].runs) if value.fields else []
        if name.isdigit() or name in "@*" or name in state.removed:
            return []
        if name in _AT_RUN_TIME:
            text = f"${name}" if len(name) == 1 else f"${{{name}}}"
            return [Run(text, False, None, f"{text} is known only at run time", (), True)]
        return [Run(f"${{{name}}}", False, None, f"variable {name} is not set in any source seen", (), True)]

    def param(self, part: Param, source: Text, state: State, here: Place) -> list[list[Run]]:
        name = part.name
        raw = source.text[part.start : part.end]
        strange = [[Run(raw, part.quoted, here, f"expanded at run time from {_cut(raw)}", (), True)]]
        if part.op in ("unreadable", "@") or (part.indirect and (part.op or part.index)):
            return strange
        if name == "#" and not part.op:
            return [[Run(str(len(state.args)), part.quoted, here)]]
        if part.indirect:
            pointer = "".join(run.text for run in self.value(name, state))
            if any(run.unknown for run in self.value(name, state)) or not re.fullmatch(r"[A-Za-z_]\w*", pointer):
                return strange
            name = pointer
        value = self.lookup(name, state)
        if part.op in _DEFAULTS:
            return self.default(part, value, source, state, strange)
        many = name in ("@", "*") or part.index in ("@", "*")
        if part.length:
            if many:
                known = value is not None and not any(run.unknown for field in value.fields for run in field.runs)
                return [[Run(str(len(value.fields)), part.quoted, here)]] if value is not None and known else strange
            runs = self.value(name, state)
            if any(run.unknown is not None for run in runs):
                return strange
            return [[Run(str(sum(len(run.text) for run in runs)), part.quoted, here)]]
        if many and value is not None and not part.op:
            fields = [list(field.runs) for field in value.fields]
            fields = [runs or [Run("", True)] for runs in fields]
            if (name == "*" and name != "@" and part.quoted) or (part.index == "*" and part.quoted):
                return [
                    [run for index, runs in enumerate(fields) for run in ([Run(" ", True)] if index else []) + runs]
                ]
            if part.quoted:
                return fields
            # Unquoted: each element is split further, so blanks between them serve as well.
            return [[run for index, runs in enumerate(fields) for run in ([Run(" ")] if index else []) + runs]]
        if many and value is None:
            return [] if name in ("@", "*") or name in state.removed else [self.value(name, state)]
        if part.index is not None and not many:
            index = _integer(part.index)
            if value is None or index is None:
                return [self.value(name, state)] if value is None else strange
            runs = list(value.fields[index].runs) if -len(value.fields) <= index < len(value.fields) else []
        else:
            runs = self.value(name, state)
        if not part.op:
            return [runs]
        changed = self.transformed(part, runs, source, state)
        return strange if changed is None else [changed]

    def default(
        self, part: Param, value: Value | None, source: Text, state: State, strange: list[list[Run]]
    ) -> list[list[Run]]:
        """``${NAME:-word}`` and its kin. A variable that no source sets counts as unset."""
        fields = value.fields if value is not None else []
        text = "".join(field.text for field in fields)
        unset = value is None or (part.op[0] == ":" and not text)
        kind = part.op[-1]
        # Text that may be absent decides nothing when it is all there is.
        if value is not None and fields and not any(run.opaque for field in fields for run in field.runs):
            certain = any(run.unknown is None and run.text for field in fields for run in field.runs)
            if text and not certain and kind in "-=+":
                return strange
        arg = part.arg
        if kind == "+":
            return self.words_of(arg, source, state) if not unset else [[]]
        if not unset:
            several = part.name in ("@", "*") or part.index in ("@", "*")
            return [[_unquoted(run) for run in field.runs] for field in (fields if several else fields[:1])] or [[]]
        if kind == "?":
            return [self.value(part.name, state)] if value is None else [[]]
        pieces = self.words_of(arg, source, state)
        if kind == "=":
            runs = [run for piece in pieces for run in piece]
            state.set(part.name, Value([Field(runs, source.place(part.start, part.end))]))
        return pieces

    def words_of(self, arg: Word | None, source: Text, state: State) -> list[list[Run]]:
        """The word inside ``${…}``, its parts' own word boundaries (``"${ARGS[@]}"``) kept."""
        pieces: list[list[Run]] = [[]]
        for part in arg.parts if arg is not None else []:
            for index, piece in enumerate(self.part(part, source, state, True)):
                if index:
                    pieces.append([])
                pieces[-1] += piece
        return pieces

    def transformed(self, part: Param, runs: list[Run], source: Text, state: State) -> list[Run] | None:
        """``${NAME#glob}``, ``${NAME/a/b}``, ``${NAME:1:2}``, ``${NAME^^}``; None when it cannot be told."""
        if any(run.unknown is not None for run in runs):
            return None
        text = "".join(run.text for run in runs)
        arg = self.single(part.arg, source, state) if part.arg is not None else None
        new = self.single(part.arg2, source, state) if part.arg2 is not None else None
        if (arg is not None and arg.unknown is not None) or (new is not None and new.unknown is not None):
            return None
        result = transform(part.op, text, arg, new.text if new is not None else "")
        if result is None:
            return None
        self.spend(len(result))
        place = runs[0].place if runs else None
        via = tuple(one for run in runs for one in run.via)
        return [Run(result, False, place, None, via)]


_FILTERS: Final = frozenset(("cat", "tee", "sed", "cp", "mv", "envsubst"))
_DEFAULTS: Final = frozenset((":-", "-", ":=", "=", ":?", "?", ":+", "+"))
_COMPARE: Final[dict[str, Callable[[int], bool]]] = {
    "-eq": lambda sign: sign == 0,
    "-ne": lambda sign: sign != 0,
    "-lt": lambda sign: sign < 0,
    "-le": lambda sign: sign <= 0,
    "-gt": lambda sign: sign > 0,
    "-ge": lambda sign: sign >= 0,
}


def _truth(value: bool) -> str:
    return YES if value else NO


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\s*-?[0-9]{1,18}\s*", text) else None


def _within(place: Place, home: Place) -> bool:
    return place.token is home.token and home.start <= place.start and place.end <= home.end


def _line(place: Place) -> Place:
    """The text from a place to the end of its line, which is found more surely than one character."""
    end = place.token.text.find("\n", place.start)
    return Place(place.token, place.start, len(place.token.text) if end < 0 else end)


def _with_text(run: Run, text: str) -> Run:
    return Run(text, run.quoted, run.place, run.unknown, run.via, run.opaque)


def _unquoted(run: Run) -> Run:
    return Run(run.text, False, run.place, run.unknown, run.via, run.opaque)


def _part_of(run: Run, start: int, text: str) -> Run:
    place = run.place
    if place is not None and place.end - place.start == len(run.text):
        place = Place(place.token, place.start + start, place.start + start + len(text))
    return Run(text, False, place, run.unknown, run.via, run.opaque)


def _slice(field: Field, start: int) -> list[Run]:
    """The runs of a field from an offset on."""
    out: list[Run] = []
    for run in field.runs:
        if start >= len(run.text):
            start -= len(run.text)
            continue
        out.append(_part_of(run, start, run.text[start:]) if start else run)
        start = 0
    return out


def _doubt_run(run: Run, reason: str) -> Run:
    return Run(run.text, run.quoted, run.place, run.unknown or reason, run.via, run.opaque)


def _doubted(field: Field, reason: str) -> Field:
    return Field([_doubt_run(run, reason) for run in field.runs], field.home)


def _split(text: str) -> list[tuple[int, str, bool]]:
    """Words of unquoted text and the gaps between them: offset, text, whether it is a gap."""
    return [
        (match.start(), match.group(), match.group()[0] in " \t\n")
        for match in re.finditer(r"[ \t\n]+|[^ \t\n]+", text)
    ]


def glob(field: Field) -> str | None:
    """A regular expression for a shell pattern of literals, ``*`` and ``?``; None for anything else."""
    out: list[str] = []
    stars = 0
    for run in field.runs:
        if run.quoted:
            out.append(re.escape(run.text))
            continue
        for char in run.text:
            if char == "*":
                stars += 1
                out.append(".*")
            elif char == "?":
                out.append(".")
            elif char in "[]()":
                return None
            else:
                out.append(re.escape(char))
    return "".join(out) if stars <= 2 else None


def match_glob(pattern: Field, text: str) -> bool | None:
    """Whether a shell pattern matches the whole of a text; None when that cannot be told."""
    compiled = glob(pattern)
    if compiled is None or len(text) > 4_000:
        return None
    return re.fullmatch(compiled, text, re.DOTALL) is not None


def transform(op: str, text: str, arg: Field | None, new: str) -> str | None:
    """A parameter's value after ``op``; None when the pattern is more than literals, ``*`` and ``?``."""
    if op in ("^^", "^", ",,", ","):
        if arg is not None and arg.text:
            return None
        change = str.upper if op[0] == "^" else str.lower
        return change(text) if len(op) == 2 else change(text[:1]) + text[1:]
    if arg is None or len(text) > 4_000:
        return None
    if op == ":":
        bounds = re.fullmatch(r"\s*(-?[0-9]{1,9})\s*(?::\s*([0-9]{1,9})\s*)?", arg.text)
        if bounds is None:
            return None
        start = int(bounds.group(1))
        start = max(0, len(text) + start) if start < 0 else start
        return text[start:] if bounds.group(2) is None else text[start : start + int(bounds.group(2))]
    pattern = glob(arg)
    if pattern is None:
        return None
    if op in ("#", "##", "%", "%%"):
        ends = range(len(text) + 1) if op in ("#", "%%") else range(len(text), -1, -1)
        compiled = re.compile(pattern, re.DOTALL)
        if ".*" not in pattern:
            size = len(arg.text)
            fits = compiled.fullmatch(text[:size] if op[0] == "#" else text[max(0, len(text) - size) :])
            return (text[size:] if op[0] == "#" else text[: len(text) - size]) if fits and size else text
        for at in ends if len(text) <= 500 else ():
            if compiled.fullmatch(text[:at] if op[0] == "#" else text[at:]):
                return text[at:] if op[0] == "#" else text[:at]
        return text if len(text) <= 500 else None
    if not arg.text or (".*" in pattern and len(text) > 500):
        return text if not arg.text else None
    if op == "/#":
        pattern = "^" + pattern
    elif op == "/%":
        pattern += "$"
    return re.sub(pattern, lambda _: new, text, count=0 if op == "//" else 1, flags=re.DOTALL)


_ARITHMETIC: Final = re.compile(r"\s*(?:(\d{1,18})|\$?\{?([A-Za-z_]\w*)\}?|([-+*/%()]))", re.ASCII)


def calculate(text: str, name: Callable[[str], int | None]) -> int | None:
    """Integer arithmetic of ``+ - * / % ( )`` as a shell does it (division towards zero); None for anything else."""
    tokens: list[str | int] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _ARITHMETIC.match(text, at)
        if match is None or len(tokens) > 100:
            return None
        at = match.end()
        if match.group(1):
            tokens.append(int(match.group(1)))
        elif match.group(2):
            value = name(match.group(2))
            if value is None:
                return None
            tokens.append(value)
        else:
            tokens.append(match.group(3))
    position = 0

    def operand(depth: int) -> int:
        nonlocal position
        if position >= len(tokens) or depth > 20:
            raise ValueError
        token = tokens[position]
        position += 1
        if isinstance(token, int):
            return token
        if token == "(":
            value = expression(0, depth + 1)
            if position >= len(tokens) or tokens[position] != ")":
                raise ValueError
            position += 1
            return value
        if token in ("+", "-"):
            value = operand(depth + 1)
            return -value if token == "-" else value
        raise ValueError

    def expression(level: int, depth: int) -> int:
        nonlocal position
        left = operand(depth)
        while position < len(tokens):
            token = tokens[position]
            rank = 1 if token in ("+", "-") else 2 if token in ("*", "/", "%") else 0
            if not isinstance(token, str) or rank <= level:
                return left
            position += 1
            right = expression(rank, depth + 1)
            if token == "+":
                left += right
            elif token == "-":
                left -= right
            elif token == "*":
                left *= right
            else:
                if right == 0:
                    raise ValueError
                quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
                left = quotient if token == "/" else left - quotient * right
            if abs(left) >= 1 << 63:
                raise ValueError
        return left

    try:
        result = expression(0, 0)
    except ValueError:
        return None
    return result if position == len(tokens) else None
