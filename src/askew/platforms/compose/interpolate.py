"""``${VAR:-default}`` in compose files, as Compose fills it in before anything else is read.

Rules: docs.docker.com/reference/compose-file/interpolation/; template.go of github.com/compose-spec/compose-go.
A variable that neither ``.env`` nor a default gives may be set in the shell of whoever runs Compose, so it is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from askew.evidence.launch import Token, Variable
from askew.evidence.location import Location

_DOLLAR = re.compile(r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(:?[-?+])?)")
_MAX_DEPTH = 10


class Piece(msgspec.Struct, frozen=True):
    """A stretch of the result, the stretch of the written text it came from, and why it is not final."""

    text: str
    start: int
    end: int
    unknown: str | None = None
    via: tuple[Location, ...] = ()


def pieces(text: str, env: Mapping[str, Variable], depth: int = 0) -> tuple[Piece, ...]:
    """``text`` with every reference replaced. An unset variable stays as written, unknown."""
    if "$" not in text or depth > _MAX_DEPTH:
        return (Piece(text, 0, len(text)),)
    found: list[Piece] = []
    at = 0
    while True:
        match = _DOLLAR.search(text, at)
        if match is None:
            break
        if match.start() > at:
            found.append(Piece(text[at : match.start()], at, match.start()))
        start, end = match.span()
        if match[1]:
            found.append(Piece("$", start, end))
        elif match[2]:
            found.append(_plain(match[2], match[0], start, end, env))
        else:
            end, piece = _braced(text, match, env, depth)
            found.append(piece)
        at = end
    if at < len(text):
        found.append(Piece(text[at:], at, len(text)))
    return tuple(found)


def interpolate(text: str, location: Location, env: Mapping[str, Variable]) -> Token:
    """A scalar of a compose file as Compose reads it."""
    if "$" not in text:
        return Token(text, location)
    return join(pieces(text, env), location)


def join(parts: tuple[Piece, ...], location: Location) -> Token:
    """One token out of pieces; unknown as soon as one of them is."""
    via = tuple(dict.fromkeys(place for part in parts for place in part.via))
    unknown = next((part.unknown for part in parts if part.unknown), None)
    return Token("".join(part.text for part in parts), location, unknown, via)


def _plain(name: str, written: str, start: int, end: int, env: Mapping[str, Variable]) -> Piece:
    variable = env.get(name)
    if variable is None or variable.value is None:
        reason = f"variable {name} is not set in the compose file or .env"
        return Piece(written, start, end, variable.unknown if variable is not None and variable.unknown else reason)
    return Piece(variable.value, start, end, variable.unknown, (variable.location, *variable.via))


def _braced(text: str, match: re.Match[str], env: Mapping[str, Variable], depth: int) -> tuple[int, Piece]:
    start, name, operator = match.start(), match[3], match[4] or ""
    close = _close(text, match.end())
    if close < 0:
        return len(text), Piece(text[start:], start, len(text), "the reference has no closing brace")
    end, word = close + 1, text[match.end() : close]
    variable = env.get(name)
    is_set = variable is not None and variable.value is not None
    filled = is_set and (bool(variable.value) or not operator.startswith(":")) if variable is not None else False
    if operator.endswith("-") and not filled:
        inner = join(pieces(word, env, depth + 1), Location(""))
        return end, Piece(inner.text, start, end, inner.unknown, inner.via)
    if operator.endswith("+"):
        if not filled:
            reason = None if is_set else f"variable {name} is not set in the compose file or .env"
            return end, Piece("", start, end, reason)
        inner = join(pieces(word, env, depth + 1), Location(""))
        return end, Piece(inner.text, start, end, inner.unknown, inner.via)
    return end, _plain(name, text[start:end], start, end, env)


def _close(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
            at += 1
        elif text[at] == "}":
            if not depth:
                return at
            depth -= 1
        at += 1
    return -1


def variables(text: str, source: str) -> dict[str, Variable]:
    """The variables of an ``.env`` file: ``NAME=value``, ``export``, quotes, comments behind a blank.

    Rules: docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax. Values without
    or in double quotes may use variables that stand before them.
    """
    found: dict[str, Variable] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not name or any(char.isspace() for char in name):
            continue
        place = Location(source, "", number, line.find(name) + 1)
        value = value.strip()
        quote = value[:1] if value[:1] in ("'", '"') else ""
        if quote:
            close = value.find(quote, 1)
            value = value[1:close] if close > 0 else value[1:]
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].rstrip()
        if quote != "'" and "$" in value:
            token = interpolate(value, place, found)
            found[name] = Variable(name, token.text, place, token.unknown, token.via)
        else:
            found[name] = Variable(name, value, place)
    return found
