"""Files that a script writes, and the small programs that it writes them with."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from typing import Final

import msgspec

from askew.evidence.launch import Content, Token
from askew.evidence.location import Location
from askew.platforms.shell import edits
from askew.platforms.shell.expand import Expander
from askew.platforms.shell.parse import Place, Redirect, Text
from askew.platforms.shell.places import Locator
from askew.platforms.shell.values import MAX_VALUE, Budget, Field, Run, State, sliced, to_line_end, whole, with_text

FILTERS: Final = frozenset(("cat", "tee", "sed", "cp", "mv", "envsubst"))


def path_of(text: str, state: State) -> str:
    """``text`` as an absolute path where the working directory is known."""
    return os.path.normpath(os.path.join(state.cwd, text)) if text else ""


class Files:
    """Follows file content through redirections and filters."""

    def __init__(
        self,
        expander: Expander,
        budget: Budget,
        place: Locator,
        emit: Callable[[list[Run] | None], None],
        problem: Callable[[str], None],
    ) -> None:
        self.expander = expander
        self.budget = budget
        self.place = place
        self.emit = emit
        self.problem = problem

    def input(self, redirects: list[Redirect], source: Text, state: State, stdin: list[Run] | None) -> list[Run] | None:
        for one in redirects:
            if one.fd not in ("", "0"):
                continue
            if one.op in ("<<", "<<-") and one.body is not None:
                stdin = self.expander.single(one.body, source, state).runs
            elif one.op == "<<<" and one.target is not None:
                stdin = [*self.expander.single(one.target, source, state).runs, Run("\n", True)]
            elif one.op == "<" and one.target is not None:
                stdin = self.content(self.expander.single(one.target, source, state), state)
        return stdin

    def content(self, field: Field, state: State) -> list[Run] | None:
        content = None if field.unknown is not None else state.files.get(path_of(field.text, state))
        if content is None:
            return None
        place = whole(Token(content.text, content.location))
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
        field = self.expander.single(target.target, source, state)
        if field.unknown is None and not field.text.startswith("/dev/"):
            self.save(field, state, output, target.op in (">>", "&>>"))

    def save(self, field: Field, state: State, output: list[Run] | None, append: bool) -> None:
        """Make ``output`` the content of a file; None: content that is not known."""
        path = path_of(field.text, state)
        before = self.content(field, state) if append else []
        if output is None or before is None or sum(len(run.text) for run in output) > MAX_VALUE:
            # Appending to a file that no source shows: what it holds is then not known.
            state.files[path] = None
            return
        runs = before + output
        text = "".join(run.text for run in runs)
        self.budget.spend(len(text))
        place = next((run.place for run in runs if run.place is not None and run.text), None)
        unknown = {run.text: run.unknown for run in runs if run.unknown is not None and run.text}
        state.files[path] = Content(text, _above(self.place(to_line_end(place or field.home))), unknown)

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
            old, new = (path_of(field.text, state) for field in names)
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
                out.append(with_text(run, run.text[at : match.start()]))
                out += self.expander.value(match.group(1) or match.group(2), state)
                at = match.end()
            out.append(with_text(run, run.text[at:]))
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
                scripts.append(Field(sliced(fields[at], 13 if word.startswith("--") else 2), fields[at].home))
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
            path = path_of(field.text, state)
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
            self.budget.spend(len(command) + len(text or ""))
            text = None if text is None else edits.sed(command, text, extended)
        if text is None:
            return None
        place = next((run.place for run in runs if run.place is not None), None)
        return [
            carried[ord(piece) - 0xE000] if index % 2 else Run(piece, True, place)
            for index, piece in enumerate(re.split("([\ue000-\uf000])", text))
            if index % 2 == 0 or ord(piece) - 0xE000 < len(carried)
        ]


def _above(location: Location) -> Location:
    """The line before the content's first one: readers take an entry of an object to begin below its key."""
    if not (location.path or location.object) or not location.line or location.line < 2:
        return location
    return msgspec.structs.replace(location, line=location.line - 1)
