"""Modelfiles: what one model of Ollama is made of.

``parser.ParseFile`` of https://github.com/ollama/ollama: a command per line, its value the rest of the line or a text
between three quotation marks; ``#`` begins a comment.
"""

from __future__ import annotations

import msgspec

from askew.evidence.launch import Content, Launch, Token
from askew.evidence.location import Location

_LARGEST = 1 << 20  # a megabyte; real files have a few dozen lines
_COMMANDS = (
    "from", "parameter", "template", "system", "adapter", "license", "message", "draft", "renderer", "parser",
    "requires",
)  # fmt: skip
_QUOTES = '"""'
EXPECTED = "a Modelfile has a command and its value on each line: FROM llama3.2, PARAMETER num_ctx 8192"


class Command(msgspec.Struct, frozen=True):
    """One command: its name in lower case, for ``parameter`` the parameter's name, and the value at its line."""

    name: str
    parameter: str
    value: Token


class Modelfile(msgspec.Struct, frozen=True, kw_only=True):
    """The commands of a file, or where and why Ollama refuses it."""

    path: str
    location: Location  # of the line that is refused, with its column
    commands: tuple[Command, ...] = ()
    malformed: str = ""


def find(launch: Launch) -> tuple[str, ...]:
    """The paths of the Modelfiles that the process can read."""
    return tuple(sorted(path for path in launch.files if _is_one(path)))


def _is_one(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name == "modelfile" or name.startswith("modelfile.") or name.endswith(".modelfile")


def read(path: str, content: Content) -> Modelfile:
    """Read one file. Never raises on its content."""
    if len(content.text) > _LARGEST:
        return Modelfile(path=path, location=content.location, malformed=f"{path} is too large for a Modelfile")
    lines = content.text.removeprefix("\ufeff").split("\n")
    commands: list[Command] = []
    index = 0
    while index < len(lines):
        line, number = lines[index].strip(), index + 1
        at = content.place(index, len(lines[index]) - len(lines[index].lstrip()))
        index += 1
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ") if " " in line else line.partition("\t")
        name, rest = word.lower(), rest.strip()
        if name not in _COMMANDS:
            return Modelfile(
                path=path, location=at,
                malformed=f"{path}, line {number}: {word[:40]!r} is no command; expected one of "
                f"{', '.join(_COMMANDS).upper()}",
            )  # fmt: skip
        parameter = ""
        if name in ("parameter", "message"):
            parameter, _, rest = rest.partition(" ")
            rest = rest.strip()
        if rest.startswith(_QUOTES):
            parts = [rest[3:]]
            while _QUOTES not in parts[-1]:
                if index >= len(lines):
                    return Modelfile(
                        path=path, location=at,
                        malformed=f"{path}, line {number}: the text after {word.upper()} has no closing {_QUOTES}",
                    )  # fmt: skip
                parts.append(lines[index])
                index += 1
            parts[-1] = parts[-1].partition(_QUOTES)[0]
            rest = "\n".join(parts)
        elif len(rest) > 1 and rest[0] == rest[-1] == '"':
            rest = rest[1:-1]
        if not rest:
            wanted = "a name and a value" if name == "parameter" else "a value"
            return Modelfile(
                path=path, location=at, malformed=f"{path}, line {number}: expected {wanted} after {word.upper()}"
            )
        unknown = next((why for part, why in content.unknown.items() if part and part in rest), None)
        commands.append(Command(name, parameter, Token(rest, at, unknown)))
    if not any(command.name == "from" for command in commands):
        return Modelfile(
            path=path, location=content.place(0, 0), malformed=f"{path}: expected a line FROM with the model"
        )
    return Modelfile(path=path, location=content.location, commands=tuple(commands))
