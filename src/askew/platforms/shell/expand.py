"""Words as a shell expands them: parameters, arrays, arithmetic, splitting, quote removal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from askew.evidence.launch import Token, Variable
from askew.platforms.shell.parse import Arith, Command, Lit, Param, Place, Text, Via, Word
from askew.platforms.shell.patterns import calculate, integer, transform
from askew.platforms.shell.values import Budget, Field, Run, State, Value, part_of, shortened, unquoted, whole, within

# Set by the shell, the container runtime or the image whatever the source says.
AT_RUN_TIME: Final = frozenset(
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
_DEFAULTS: Final = frozenset((":-", "-", ":=", "=", ":?", "?", ":+", "+"))

Output: TypeAlias = Callable[[Command, Text, State], "list[Run] | None"]
"""What a command substitution prints, where the script itself shows it."""


class Expander:
    """Expands the words of one command line."""

    def __init__(self, budget: Budget, output: Output) -> None:
        self.budget = budget
        self.output = output
        # One token per variable, by identity, so that places in it are looked up once.
        self.values: dict[int, Token] = {}
        self.kept: list[Variable] = []

    def single(self, word: Word, source: Text, state: State) -> Field:
        """A word where no splitting happens: an assignment's value, a redirection's target."""
        runs: list[Run] = []
        for part in word.parts:
            pieces = self.part(part, source, state, False)
            for index, piece in enumerate(pieces):
                runs += ([Run(" ", True)] if index else []) + piece
        self.budget.limit(runs)
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
                    for start, text, breaks in gaps(run.text):
                        if breaks:
                            if exists:
                                done.append(current)
                            current, exists = [], False
                        elif text:
                            current.append(part_of(run, start, text))
                            exists = True
                exists = exists or (bool(index) and part.quoted)
        if exists:
            done.append(current)
        home = source.place(word.start, word.end)
        if len(done) > 1:
            self.budget.spend(len(done))
        self.budget.limit([run for runs in done for run in runs])
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
            runs = self.output(part, source, state) or [
                Run(part.raw, part.quoted, here, f"expanded at run time from {shortened(part.raw)}", via, True)
            ]
        elif isinstance(part, Arith):
            runs = [self.arithmetic(part, state, here, via)]
        else:
            pieces = self.param(part, source, state, here)
            for piece in pieces:
                for index, run in enumerate(piece):
                    more = () if run.place is None or within(run.place, here) else (here, *via)
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

    def arithmetic(self, part: Arith, state: State, here: Place, via: Via) -> Run:
        def name(text: str) -> int | None:
            runs = self.value(text, state)
            value = "".join(run.text for run in runs)
            return None if any(run.unknown is not None for run in runs) else integer(value or "0")

        result = calculate(part.raw[3:-2], name)
        if result is None:
            return Run(part.raw, part.quoted, here, f"calculated at run time from {shortened(part.raw)}", via, True)
        return Run(str(result), part.quoted, here, None, via)

    def variable_field(self, variable: Variable) -> Field:
        if variable.value is None:
            place = whole(Token("", variable.location))
            reason = variable.unknown or f"the value of {variable.name} could not be seen"
            return Field(
                [Run(f"${{{variable.name}}}", False, None, reason, (variable.location, *variable.via), True)], place
            )
        token = self.values.get(id(variable))
        if token is None:
            token = self.values[id(variable)] = Token(variable.value, variable.location)
            self.kept.append(variable)
        place = whole(token)
        opaque = variable.unknown is not None
        return Field([Run(variable.value, False, place, variable.unknown, variable.via, opaque)], place)

    def inherited(self, name: str, state: State) -> Value | None:
        variable = state.env.get(name)
        if variable is None or name in state.removed:
            return None
        return Value([self.variable_field(variable)])

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
        if name in AT_RUN_TIME:
            text = f"${name}" if len(name) == 1 else f"${{{name}}}"
            return [Run(text, False, None, f"{text} is known only at run time", (), True)]
        return [Run(f"${{{name}}}", False, None, f"variable {name} is not set in any source seen", (), True)]

    def param(self, part: Param, source: Text, state: State, here: Place) -> list[list[Run]]:
        name = part.name
        raw = source.text[part.start : part.end]
        strange = [[Run(raw, part.quoted, here, f"expanded at run time from {shortened(raw)}", (), True)]]
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
            index = integer(part.index)
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
            return [[unquoted(run) for run in field.runs] for field in (fields if several else fields[:1])] or [[]]
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
        self.budget.spend(len(result))
        place = runs[0].place if runs else None
        via = tuple(one for run in runs for one in run.via)
        return [Run(result, False, place, None, via)]


def gaps(text: str) -> list[tuple[int, str, bool]]:
    """Words of unquoted text and the gaps between them: offset, text, whether it is a gap."""
    return [
        (match.start(), match.group(), match.group()[0] in " \t\n")
        for match in re.finditer(r"[ \t\n]+|[^ \t\n]+", text)
    ]
