"""Follow a shell script without running it: which processes would start, with which words, variables and files.

The reading is linear and abstract. A condition that can be decided is decided; otherwise every branch is read and
what differs afterwards is unknown for that reason. Loops over known words are unrolled, others are read once.
Nothing outside the launch is looked at. Work is bounded by ``Budget``, whatever the text.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from askew.evidence.launch import Content, Launch, Token, Variable
from askew.evidence.location import Location
from askew.platforms.shell import edits, wrappers
from askew.platforms.shell.expand import Expander
from askew.platforms.shell.files import FILTERS, Files, path_of
from askew.platforms.shell.kubernetes import Expanded
from askew.platforms.shell.parse import (
    Assign,
    Case,
    Command,
    Function,
    Group,
    If,
    Loop,
    Node,
    Parser,
    Pipeline,
    Place,
    Script,
    Simple,
    Stretch,
    Test,
    Text,
)
from askew.platforms.shell.patterns import integer, match_glob
from askew.platforms.shell.places import Locate, Locator
from askew.platforms.shell.values import (
    MAX_TOKENS,
    Budget,
    Field,
    Run,
    State,
    StopError,
    Value,
    argument,
    doubt_run,
    doubted,
    joined,
    script_text,
    shortened,
    sliced,
    to_line_end,
    whole,
    with_text,
    within,
)

MAX_CALLS: Final = 20
MAX_NESTING: Final = 40
MAX_TURNS: Final = 64
YES: Final = "yes"
NO: Final = "no"
LIKELY: Final = "likely"
OPEN: Final = "open"
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
_COMPARE: Final[dict[str, Callable[[int], bool]]] = {
    "-eq": lambda sign: sign == 0,
    "-ne": lambda sign: sign != 0,
    "-lt": lambda sign: sign < 0,
    "-le": lambda sign: sign <= 0,
    "-gt": lambda sign: sign > 0,
    "-ge": lambda sign: sign >= 0,
}


class Reader:
    """One call of ``processes``."""

    def __init__(self, launch: Launch, locate: Locate | None) -> None:
        self.launch = launch
        self.place = Locator(locate)
        self.started: list[Launch] = []
        self.problems: list[str] = []
        self.tokens = 0
        self.calls = 0
        self.nesting = 0
        self.sinks: list[list[Run | None]] = []
        self.quiet = 0
        self.budget = Budget()
        self.expander = Expander(self.budget, self.output)
        self.files = Files(self.expander, self.budget, self.place, self.emit, self.problem)

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

    def fork(self, state: State) -> State:
        """A copy of what is known, for a branch or a subshell."""
        self.budget.spend(10 * (len(state.vars) + len(state.files)))
        return state.copy()

    @staticmethod
    def plain(token: Token) -> Token:
        """The same token without what only this reader needs."""
        if isinstance(token, Expanded):
            return Token(token.text, token.location, token.unknown, token.via)
        return token

    def token(self, field: Field) -> Token:
        """A field as the process receives it."""
        home = field.home
        outside: list[Place] = []
        inside = False
        via: list[Place | Location] = []
        for run in field.runs:
            if not run.text:
                continue
            if run.place is None or within(run.place, home):
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
            via = [*outside, *(one for one in via if not (isinstance(one, Place) and within(one, home)))]
        places: list[Location] = []
        for one in via[:20]:
            where = self.place(one) if isinstance(one, Place) else one
            if where != location and where not in places:
                places.append(where)
        unknown = "; ".join(dict.fromkeys(reasons)) if reasons else None
        return Token(field.text, location, unknown, tuple(places))

    def spawn(
        self, fields: list[Field], state: State, stdin: list[Run] | None, tokens: list[Token] | None = None
    ) -> None:
        """Start the program that ``fields`` name, looking through wrappers, shells and scripts in known files."""
        while True:
            self.budget.spend(len(fields))
            words = [field.text for field in fields]
            if not words or fields[0].unknown is not None:
                break
            name = wrappers.program(words[0])
            if name in wrappers.SHELLS:
                if self.shell(fields, words, state, stdin, tokens):
                    return
                break
            content = state.files.get(path_of(words[0], state)) if "/" in words[0] else None
            if content is not None and re.match(r"#!.*\b(ba|da|a|z|k)?sh\b", content.text):
                self.call(self.file_text(content), self.child(state), fields[1:], fields[0])
                return
            found = wrappers.inner(words)
            if found is None:
                break
            if found.assigns or found.unset or found.clear:
                state = self.fork(state)
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
            self.tokens += len(fields)
            if self.tokens > MAX_TOKENS:
                raise StopError(f"the script makes more than {MAX_TOKENS} words; what starts later is not shown")
            argv = tuple(self.token(field) for field in fields)
        files = state.files
        self.budget.spend(10 * len(files))
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
        self.budget.spend(50 * (len(state.vars) + len(state.env)))
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
            content = state.files.get(path_of(words[rest], state))
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
        return Text(content.text, (Stretch(0, len(content.text), whole(Token(content.text, content.location))),))

    def call(self, source: Text, state: State, args: list[Field], zero: Field | None) -> str:
        """Read a script in ``state`` with its own arguments."""
        state.args, state.zero = args, zero
        return self.run_text(source, state)

    def run_text(self, source: Text, state: State) -> str:
        if self.calls >= MAX_CALLS:
            raise StopError(f"scripts call each other more than {MAX_CALLS} deep; what starts later is not shown")
        self.budget.spend(len(source.text))
        parser = Parser(source)
        tree = parser.parse()
        for offset, what in parser.problems:
            self.problem(f"{self.place(to_line_end(source.place(offset, offset + 1)))}: {what}")
        self.calls += 1
        try:
            return self.sequence(tree, source, state)
        finally:
            self.calls -= 1

    def sequence(self, tree: Script, source: Text, state: State) -> str:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise StopError("the script is nested too deeply to read on; what starts later is not shown")
        status = YES
        previous = ""
        for joint, pipeline, background in tree.items:
            if state.stop:
                break
            self.budget.spend(0)
            if (joint == "&&" and status == NO) or (joint == "||" and status == YES):
                continue
            uncertain = (joint == "&&" and status == OPEN) or (joint == "||" and status in (OPEN, LIKELY))
            if uncertain:
                reason = f"depends on `{shortened(previous)}`, which no source shows"
                other = self.fork(state)
                other.condition = other.condition or reason
                self.pipeline(pipeline, source, other)
                status = OPEN if joint == "&&" else LIKELY
                self.merge(state, [self.fork(state), other], reason)
            elif background:
                other = self.fork(state)
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
                other = self.fork(state)
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
        self.files.write(target, source, state, output)
        return status

    def compound(self, node: Group | If | Loop | Case, source: Text, state: State) -> str:
        if isinstance(node, Group):
            if not node.sub:
                return self.sequence(node.body, source, state)
            other = self.fork(state)
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
            text = source.text[condition.start : condition.end].rstrip(" ;\n")
            why = f"depends on `{shortened(text)}`, which no source shows"
            reason = reason or why
            taken = self.fork(current)
            taken.condition = taken.condition or why
            self.sequence(body, source, taken)
            ends.append(taken)
            if current is state:
                current = self.fork(state)
            current.condition = current.condition or why
        else:
            ends.append(current)
        if len(ends) == 1 and ends[0] is state:
            return status
        self.merge(state, ends, reason)
        return OPEN

    def branch_case(self, node: Case, source: Text, state: State) -> str:
        field = self.expander.single(node.subject, source, state)
        subject = field.text
        decided = field.unknown is None
        ends: list[State] = []
        reason = (
            f"depends on `case {shortened(source.text[node.subject.start : node.subject.end])}`, which no source shows"
        )
        complete = False
        for patterns, body in node.branches:
            matches = False
            for pattern in patterns:
                wanted = self.expander.single(pattern, source, state)
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
                taken = self.fork(state)
                taken.condition = taken.condition or reason
                self.sequence(body, source, taken)
                ends.append(taken)
                if complete:
                    break
        if not ends:
            return YES
        if not complete:
            ends.append(self.fork(state))
        self.merge(state, ends, reason)
        return OPEN

    def loop(self, node: Loop, source: Text, state: State) -> str:
        if node.condition is not None:
            status = self.sequence(node.condition, source, state)
            if state.stop or status == (YES if node.until else NO):
                return YES
            text = source.text[node.condition.start : node.condition.end]
            certain = status == (NO if node.until else YES)
            self.turn(node.body, source, state, f"depends on the loop over `{shortened(text.rstrip(' ;'))}`", certain)
            return LIKELY
        fields: list[Field] | None = None
        if node.words is None:
            fields = state.args
        elif node.name:
            fields = [field for word in node.words for field in self.expander.expand(word, source, state)]
            if any(run.unknown is not None for field in fields for run in field.runs) or any(
                not run.quoted and re.search(r"[*?{]", run.text) for field in fields for run in field.runs
            ):
                fields = None
        if fields is not None and len(fields) <= MAX_TURNS:
            for field in fields:
                state.set(node.name, Value([field]))
                state.loops += 1
                self.sequence(node.body, source, state)
                state.loops -= 1
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
        after = self.fork(state)
        if not certain:
            after.condition = after.condition or reason
        after.loops += 1
        self.sequence(body, source, after)
        after.loops -= 1
        if after.stop in ("break", "continue"):
            after.stop = ""
        self.merge(state, [self.fork(state), after], reason)

    def merge(self, state: State, ends: list[State], reason: str) -> None:
        """Make ``state`` what is known when any of ``ends`` may be what happened."""
        held = state.condition
        alive = [end for end in ends if not end.stop]
        if not alive:
            state.become(ends[0])
            state.condition = held
            state.replaced = any(end.replaced for end in ends)
            return
        first = alive[0]
        for other in alive[1:]:
            self.budget.spend(50 * (len(first.vars) + len(other.vars) + len(other.files)))
            for name in dict.fromkeys((*first.vars, *other.vars)):
                left = first.vars.get(name) or self.expander.inherited(name, first)
                right = other.vars.get(name) or self.expander.inherited(name, other)
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

    def either(self, name: str, left: Value | None, right: Value | None, reason: str) -> Value | None:
        """A value that is one of two; what both begin with stays known."""
        if left is right:
            return left
        self.budget.spend(40 * sum(len(one.fields) for one in (left, right) if one is not None))
        if left is not None and right is not None and left.key() == right.key():
            return left
        short, long = sorted((left or Value([], True), right or Value([], True)), key=lambda one: len(one.fields))
        if left is None or right is None or short.array or long.array:
            same = len(short.fields)
            if short.key() == long.key()[:same]:
                fields = long.fields[:same] + [doubted(field, reason) for field in long.fields[same:]]
                return Value(fields, long.array)
        elif short.fields and long.fields:
            a, b = sorted((short.fields[0], long.fields[0]), key=lambda one: len(one.text))
            if b.text.startswith(a.text) and not any(run.opaque for run in a.runs):
                rest = sliced(b, len(a.text))
                return Value([Field([*a.runs, *(doubt_run(run, reason) for run in rest)], b.home)])
        field = (long.fields or short.fields)[0]
        run = Run(f"${{{name}}}", True, None, f"the value of {name} {reason}", (), True)
        return Value([Field([run], field.home)], long.array)

    def simple(self, node: Simple, source: Text, state: State, stdin: list[Run] | None) -> str:
        self.budget.spend(node.end - node.start)
        fields = [field for word in node.words for field in self.expander.expand(word, source, state)]
        stdin = self.files.input(node.redirects, source, state, stdin)
        output = next(
            (one for one in node.redirects if one.op in (">", ">>", ">|", "&>", "&>>") and one.fd in ("", "1")), None
        )
        if not fields:
            for assign in node.assigns:
                self.assign(assign, source, state)
            return YES if not node.words else LIKELY
        inner = state
        if node.assigns:
            inner = self.fork(state)
            for assign in node.assigns:
                self.assign(assign, source, inner)
                inner.exported.add(assign.name)
        if output is not None:
            self.sinks.append([])
        status = self.command(fields, node, source, state, inner, stdin)
        if output is not None:
            sink = self.sinks.pop()
            self.files.write(output, source, state, None if None in sink else [run for run in sink if run is not None])
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
        if wrappers.program(name) in FILTERS:
            self.files.filter(wrappers.program(name), fields, state, stdin)
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
        returns, state.returns = state.returns, True
        try:
            status = self.node(body, text, state, None)
        finally:
            self.calls -= 1
        state.args, state.returns = args, returns
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
        content = state.files.get(path_of(fields[1].text, state))
        if content is None:
            return LIKELY
        args = state.args
        if len(fields) > 2:
            state.args = fields[2:]
        returns, state.returns = state.returns, True
        status = self.run_text(self.file_text(content), state)
        state.returns = returns
        if state.stop == "return":
            state.stop = ""
        state.args = args if len(fields) > 2 else state.args
        return status

    def do_exit(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        state.stop = "exit"
        return YES

    def do_return(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        if state.returns:
            state.stop = "return"
        return LIKELY

    def do_break(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        if state.loops:
            state.stop = "break"
        return YES

    def do_continue(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        if state.loops:
            state.stop = "continue"
        return YES

    def do_cd(self, fields: list[Field], state: State, inner: State, stdin: list[Run] | None) -> str:
        words = [field for field in fields[1:] if field.text not in ("--", "-P", "-L")]
        known = len(words) == 1 and words[0].unknown is None and words[0].text != "-" and words[0].text[:1] != "~"
        state.cwd = path_of(words[0].text, state) if known else ""
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
                runs = [run if run.opaque else with_text(run, edits.unescape(run.text)) for run in runs]
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
                    self.budget.spend(len(shape))
                    if not values or not wanted:
                        break
        if name is None:
            self.emit(runs)
        else:
            unknown = Run(f"${{{name}}}", True, None, f"{name} is formatted at run time", (), True)
            state.set(name, Value([Field(runs if runs is not None else [unknown], fields[0].home)]))
        return YES

    def assign(self, assign: Assign, source: Text, state: State) -> None:
        value = assign.value
        old = state.vars.get(assign.name)
        if isinstance(value, list):
            fields = [field for word in value for field in self.expander.expand(word, source, state)]
            if assign.append:
                before = old or self.expander.inherited(assign.name, state)
                fields = (before.fields if before else []) + fields
            self.budget.spend(20 * len(fields))
            if len(fields) > MAX_TOKENS:
                raise StopError(f"{assign.name} holds more than {MAX_TOKENS} words; what starts later is not shown")
            state.set(assign.name, Value(fields, True))
            return
        field = self.expander.single(value, source, state)
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
            before = old or self.expander.inherited(assign.name, state)
            if before is not None and before.fields:
                runs = before.fields[0].runs + field.runs
                self.budget.limit(runs)
                fields = [Field(runs, before.fields[0].home), *before.fields[1:]]
                state.set(assign.name, Value(fields, before.array))
                return
        state.set(assign.name, Value([field]))

    def assign_field(self, field: Field, state: State) -> None:
        """``NAME=value`` that is already expanded (``env A=b cmd``, ``export "A=b"``)."""
        name, mark, _ = field.text.partition("=")
        if mark and re.fullmatch(r"[A-Za-z_]\w*", name):
            state.set(name, Value([Field(sliced(field, len(name) + 1) or [Run("", True)], field.home)]))
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

    def conditional_expression(self, node: Test, source: Text, state: State) -> str:
        if not node.words:
            return OPEN
        return self.test([self.expander.single(word, source, state) for word in node.words], state, True)

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
                return YES if state.files.get(path_of(operand.text, state)) is not None else OPEN
            if flag == "-v":
                return YES if operand.text in state.vars or operand.text in state.env else OPEN
            return OPEN
        if len(words) != 3 or words[0].unknown is not None or words[2].unknown is not None:
            return OPEN
        left, op, right = words[0].text, words[1].text, words[2].text
        if op in ("=", "==", "!="):
            same = match_glob(words[2], left) if double else left == right
            return OPEN if same is None else _truth(same == (op != "!="))
        if op in _COMPARE and integer(left) is not None and integer(right) is not None:
            return _truth(_COMPARE[op]((integer(left) or 0) - (integer(right) or 0)))
        return OPEN

    def output(self, part: Command, source: Text, state: State) -> list[Run] | None:
        """What ``$(echo …)``, ``$(printf …)`` or ``$(cat /known/file)`` prints; None for anything else."""
        body = part.body
        if body is not None and len(body.items) == 1 and len(body.items[0][1].commands) == 1:
            command = body.items[0][1].commands[0]
            first = command.words[0].literal() if isinstance(command, Simple) and command.words else None
            if first in ("echo", "printf", "cat"):
                self.sinks.append([])
                self.quiet += 1
                self.node(command, source, self.fork(state), None)
                self.quiet -= 1
                sink = self.sinks.pop()
                if sink and None not in sink and not any(run is not None and run.opaque for run in sink):
                    runs = [Run(run.text, False, run.place, run.unknown, run.via) for run in sink if run is not None]
                    while runs and not runs[-1].text.rstrip("\n"):
                        runs.pop()
                    if runs:
                        runs[-1].text = runs[-1].text.rstrip("\n")
                    return runs
        return None


def _truth(value: bool) -> str:
    return YES if value else NO
