"""Protocol buffers in text form (``config.pbtxt``), read strictly and with the place of every value.

The form is that of https://protobuf.dev/reference/protobuf/textformat-spec/ as the C++ reader takes it, which is what
servers use. ``read`` gives the fields as written; ``checked`` holds them against a schema and gives typed values. Both
take bounded time and memory and never raise anything but ``TextProtoError``.

A schema is data: message → field → type. Types are ``string bytes bool double float int32 int64 uint32 uint64``, the
name of another message, an enumeration as ``A|B|C``, with ``*`` behind for repeated ones; ``map:string:TYPE`` and
``map:uint64:TYPE`` are maps. Fields of one ``oneof`` have ``@group`` behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from askew.facts.types import Value

_LARGEST = 1 << 19  # characters of a text; real ones have a few thousand
_DEEPEST = 40  # levels of messages; real ones have six
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_DIGITS = frozenset("0123456789")
_WORD = _LETTERS | _DIGITS
_HEX = frozenset("0123456789abcdefABCDEF")
_OCTAL = frozenset("01234567")
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "?": "?", "'": "'",
    '"': '"',
}  # fmt: skip
_RANGES = {"int32": (-(1 << 31), 31), "int64": (-(1 << 63), 63), "uint32": (0, 32), "uint64": (0, 64)}
_INFINITE = frozenset(("inf", "infinity", "nan"))

Schema = Mapping[str, Mapping[str, str]]


class TextProtoError(ValueError):
    """What is wrong, and where: ``line`` and ``column`` counted from 0. ``expected`` says what should stand there."""

    def __init__(self, message: str, line: int, column: int, expected: str) -> None:
        super().__init__(message)
        self.line, self.column, self.expected = line, column, expected


class Scalar(msgspec.Struct, frozen=True):
    """A value as written: the text of a string without quotes and escapes, else the word. ``kind`` is ``string``,
    ``number``, ``word``, or ``template`` for a placeholder (``${name}``) that something fills in before it is read."""

    text: str
    kind: str
    line: int
    column: int


class Field(msgspec.Struct, frozen=True):
    """A field as written, each member of a list one of its own. ``value`` is None for a message."""

    name: str
    line: int
    column: int
    value: Scalar | None = None
    fields: tuple[Field, ...] = ()


class Item(msgspec.Struct, frozen=True):
    """One value of a field, typed by the schema. Of a message ``fields`` holds the values of each field that is
    written, in order. ``key`` is that of an entry of a map. ``template`` is the placeholder in it, if there is one."""

    value: Value
    line: int
    column: int
    fields: Mapping[str, tuple[Item, ...]] = {}
    is_message: bool = False
    key: str = ""
    template: str = ""

    def all(self, name: str) -> tuple[Item, ...]:
        """Every value of a field."""
        return self.fields.get(name, ())

    def one(self, name: str) -> Item | None:
        """The last value of a field, or None where it is not written."""
        found = self.fields.get(name)
        return found[-1] if found else None

    def scalar(self, name: str, default: Value = None) -> Value:
        """The value of a field, or ``default``."""
        found = self.one(name)
        return default if found is None else found.value

    def templates(self) -> Iterator[Item]:
        """The values below and with this one that are placeholders."""
        stack: list[Item] = [self]
        while stack:
            item = stack.pop()
            if item.template:
                yield item
            for values in item.fields.values():
                stack.extend(values)


class _Token(msgspec.Struct, frozen=True):
    kind: str  # word number string template sign end
    text: str
    line: int
    column: int


def read(text: str) -> tuple[Field, ...]:
    """The fields of a text. Raises TextProtoError."""
    if len(text) > _LARGEST:
        raise TextProtoError(f"the text has more than {_LARGEST} characters", 0, 0, "a smaller file")
    return _Reader(list(_tokens(text.removeprefix("\ufeff")))).run()


class _Level:
    """A message, or a list of messages, whose end has not come yet."""

    def __init__(self, name: _Token | None, close: str) -> None:
        self.name, self.close = name, close
        self.fields: list[Field] = []


class _Reader:
    """One pass over the words; levels are a list, so that no depth of nesting exhausts the stack."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self) -> _Token:
        return self.tokens[self.at]

    def take(self) -> _Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def sign(self, text: str) -> bool:
        token = self.peek()
        if token.kind == "sign" and token.text == text:
            self.at += 1
            return True
        return False

    def run(self) -> tuple[Field, ...]:
        levels = [_Level(None, "")]
        while True:
            level = levels[-1]
            token = self.peek()
            if token.kind == "end":
                if level.close:
                    raise _wrong(token, "the end of the file", f"'{level.close}' that closes {_called(level.name)}")
                return tuple(level.fields)
            if level.close and self.sign(level.close):
                levels.pop()
                self.close(levels, level)
                continue
            name = self.name(level)
            colon = self.sign(":")
            if self.sign("["):
                self.listing(levels, name, first=True, colon=colon)
            elif (opened := self.opened()) is not None:
                self.open(levels, name, opened)
            elif colon:
                level.fields.append(Field(name.text, name.line, name.column, self.scalar()))
                self.separator()
            else:
                raise _wrong(self.peek(), self.shown(), f"':' and a value, or '{{', after {name.text}")

    def name(self, level: _Level) -> _Token:
        token = self.take()
        if token.kind == "word":
            return token
        if token.kind == "sign" and token.text == "[":
            raise _wrong(token, "'['", "the name of a field; extensions are not read")
        wanted = f"the name of a field or '{level.close}'" if level.close else "the name of a field"
        raise _wrong(token, _shown(token), wanted)

    def opened(self) -> str | None:
        if self.sign("{"):
            return "}"
        return ">" if self.sign("<") else None

    def open(self, levels: list[_Level], name: _Token, close: str) -> None:
        if len(levels) > _DEEPEST:
            raise TextProtoError(
                f"more than {_DEEPEST} messages in one another", name.line, name.column, "less nesting"
            )
        levels.append(_Level(name, close))

    def close(self, levels: list[_Level], level: _Level) -> None:
        name = level.name
        if name is None:
            return
        parent = levels[-1]
        parent.fields.append(Field(name.text, name.line, name.column, None, tuple(level.fields)))
        if parent.close == "]" and parent.name is not None:
            levels.pop()
            levels[-1].fields.extend(parent.fields)
            self.listing(levels, parent.name, first=False)
        else:
            self.separator()

    def listing(self, levels: list[_Level], name: _Token, *, first: bool, colon: bool = True) -> None:
        """The members of a list, up to its end or to a message, after whose end it goes on. Only before messages may
        the colon be left out."""
        found = levels[-1].fields
        if first and self.sign("]"):
            self.separator()
            return
        while first or not self.sign("]"):
            if not first and not self.sign(","):
                raise _wrong(self.peek(), self.shown(), f"',' or ']' in the list of {name.text}")
            first = False
            close = self.opened()
            if close is not None:
                levels.append(_Level(name, "]"))
                self.open(levels, name, close)
                return
            if not colon:
                raise _wrong(self.peek(), self.shown(), f"'{{', or ':' after {name.text} of line {name.line + 1}")
            found.append(Field(name.text, name.line, name.column, self.scalar()))
        self.separator()

    def scalar(self) -> Scalar:
        token = self.take()
        if token.kind == "string":
            parts = [token.text]
            while self.peek().kind == "string":
                parts.append(self.take().text)
            return Scalar("".join(parts), "string", token.line, token.column)
        if token.kind in ("number", "word", "template"):
            return Scalar(token.text, token.kind, token.line, token.column)
        if token.kind == "sign" and token.text == "-":
            after = self.take()
            if after.kind == "number" or (after.kind == "word" and after.text.lower() in _INFINITE):
                return Scalar("-" + after.text, after.kind, token.line, token.column)
            raise _wrong(after, _shown(after), "a number after '-'")
        raise _wrong(token, _shown(token), "a value: a number, a word, a text in quotes")

    def separator(self) -> None:
        if not self.sign(","):
            self.sign(";")

    def shown(self) -> str:
        return _shown(self.peek())


def _called(name: _Token | None) -> str:
    return f"{name.text} of line {name.line + 1}" if name is not None else "it"


def _shown(token: _Token) -> str:
    if token.kind == "end":
        return "the end of the file"
    text = token.text if len(token.text) <= 40 else token.text[:37] + "..."
    return f'"{text}"' if token.kind == "string" else f"'{text}'"


def _wrong(token: _Token, found: str, expected: str) -> TextProtoError:
    return TextProtoError(f"found {found}, expected {expected}", token.line, token.column, expected)


def _tokens(text: str) -> Iterator[_Token]:
    at, line, start, end = 0, 0, 0, len(text)
    while at < end:
        letter = text[at]
        if letter == "\n":
            at, line, start = at + 1, line + 1, at + 1
        elif letter in " \t\r\v\f":
            at += 1
        elif letter == "#":
            newline = text.find("\n", at)
            at = end if newline < 0 else newline
        elif letter in _LETTERS:
            stop = _run(text, at, _WORD)
            yield _Token("word", text[at:stop], line, at - start)
            at = stop
        elif letter in _DIGITS or (letter == "." and text[at + 1 : at + 2] in _DIGITS and at + 1 < end):
            stop = _number(text, at, line, start)
            yield _Token("number", text[at:stop], line, at - start)
            at = stop
        elif letter in "\"'":
            stop, word = _string(text, at, line, start)
            yield _Token("string", word, line, at - start)
            at = stop
        elif letter == "$" and (stop := _placeholder(text, at)) > at:
            yield _Token("template", text[at:stop], line, at - start)
            at = stop
        elif letter in "{}<>[]:,;-":
            yield _Token("sign", letter, line, at - start)
            at += 1
        else:
            raise TextProtoError(
                f"found {letter!r}, which stands for nothing here", line, at - start, "a field or a value"
            )
    yield _Token("end", "", line, max(end - start, 0))


def _run(text: str, at: int, letters: frozenset[str]) -> int:
    while at < len(text) and text[at] in letters:
        at += 1
    return at


def _placeholder(text: str, at: int) -> int:
    """The end of ``${name}``, or ``at`` where none begins."""
    if text[at + 1 : at + 2] != "{":
        return at
    stop = _run(text, at + 2, _WORD)
    return stop + 1 if stop > at + 2 and text[stop : stop + 1] == "}" else at


def _number(text: str, at: int, line: int, start: int) -> int:
    if text[at] == "0" and text[at + 1 : at + 2] in ("x", "X"):
        stop = _run(text, at + 2, _HEX)
        good = stop > at + 2
    else:
        stop = _run(text, at, _DIGITS)
        whole = True
        if text[stop : stop + 1] == ".":
            stop, whole = _run(text, stop + 1, _DIGITS), False
        good = True
        if text[stop : stop + 1] in ("e", "E") and stop < len(text):
            sign = stop + 2 if text[stop + 1 : stop + 2] in ("+", "-") and stop + 1 < len(text) else stop + 1
            after = _run(text, sign, _DIGITS)
            good, whole, stop = after > sign, False, after
        if text[stop : stop + 1] in ("f", "F") and stop < len(text):
            stop, whole = stop + 1, False
        if whole and text[at] == "0" and stop > at + 1:
            good = all(digit in _OCTAL for digit in text[at:stop])
    if not good or (stop < len(text) and (text[stop] in _WORD or text[stop] == ".")):
        word = text[at : _run(text, stop, _WORD | {"."})][:40]
        raise TextProtoError(f"{word!r} is no number", line, at - start, "a number")
    return stop


def _string(text: str, at: int, line: int, start: int) -> tuple[int, str]:
    """The end of a text in quotes, and what it holds. Bytes that are no UTF-8 become surrogates."""
    quote, first = text[at], at
    at += 1
    parts: list[str] = []
    octets = bytearray()

    def fault(message: str, where: int, expected: str) -> TextProtoError:
        return TextProtoError(message, line, where - start, expected)

    def flush() -> None:
        if octets:
            parts.append(octets.decode("utf-8", "surrogateescape"))
            octets.clear()

    while True:
        if at >= len(text) or text[at] == "\n":
            raise fault("a text in quotes has no end on its line", first, f"a closing {quote}")
        letter = text[at]
        if letter == quote:
            flush()
            return at + 1, "".join(parts)
        if letter != "\\":
            flush()
            stop = at
            while stop < len(text) and text[stop] not in (quote, "\\", "\n"):
                stop += 1
            parts.append(text[at:stop])
            at = stop
            continue
        code = text[at + 1 : at + 2]
        if code in _ESCAPES and code:
            flush()
            parts.append(_ESCAPES[code])
            at += 2
        elif code in _OCTAL and code:
            stop = at + 1
            while stop < at + 4 and text[stop : stop + 1] in _OCTAL and stop < len(text):
                stop += 1
            octets.append(int(text[at + 1 : stop], 8) & 0xFF)
            at = stop
        elif code in ("x", "X"):
            stop = at + 2
            while stop < at + 4 and stop < len(text) and text[stop] in _HEX:
                stop += 1
            if stop == at + 2:
                raise fault("\\x without digits", at, "hexadecimal digits after \\x")
            octets.append(int(text[at + 2 : stop], 16))
            at = stop
        elif code in ("u", "U"):
            width = 4 if code == "u" else 8
            digits = text[at + 2 : at + 2 + width]
            point = int(digits, 16) if len(digits) == width and _HEX.issuperset(digits) else -1
            if not 0 <= point < 0x110000:
                raise fault(f"\\{code} without a character's number", at, f"{width} hexadecimal digits")
            flush()
            parts.append(chr(point))
            at += 2 + width
        else:
            raise fault(f"\\{code} is no escape", at, '\\n, \\t, \\\\, \\" or another escape of C')


def checked(text: str, schema: Schema, root: str) -> Item:
    """The message of type ``root`` that a text is. Raises TextProtoError: also for fields and values that the schema
    does not have, as a server refuses them."""
    return _message(read(text), schema, root, 0, 0, "")


def _message(fields: tuple[Field, ...], schema: Schema, name: str, line: int, column: int, key: str) -> Item:
    known = schema[name]
    found: dict[str, list[Item]] = {}
    groups: dict[str, str] = {}
    for field in fields:
        declared = known.get(field.name)
        if declared is None:
            raise _unknown(field, known, name)
        kind, _, group = declared.partition("@")
        if group and groups.setdefault(group, field.name) != field.name:
            raise TextProtoError(
                f"{field.name} stands beside {groups[group]}; a {name} has one of the two",
                field.line, field.column, f"one of {groups[group]} and {field.name}",
            )  # fmt: skip
        repeated = kind.endswith("*") or kind.startswith("map:")
        if not repeated and field.name in found:
            raise TextProtoError(
                f"{field.name} is written a second time; a {name} has one", field.line, field.column,
                f"one {field.name}",
            )  # fmt: skip
        found.setdefault(field.name, []).append(_typed(field, kind.rstrip("*"), schema))
    return Item(None, line, column, {one: tuple(values) for one, values in found.items()}, True, key)


def _typed(field: Field, kind: str, schema: Schema) -> Item:
    if kind.startswith("map:"):
        _, key_kind, value_kind = kind.split(":", 2)
        if field.value is not None:
            raise _no_message(field)
        entry = _message(field.fields, {**schema, "entry": {"key": key_kind, "value": value_kind}}, "entry",
                         field.line, field.column, "")  # fmt: skip
        key, value = entry.one("key"), entry.one("value")
        name = "" if key is None else str(key.value)
        if value is None:
            return Item(
                "" if value_kind == "string" else None, field.line, field.column, {}, value_kind in schema, name
            )
        return msgspec.structs.replace(value, key=name)
    if kind in schema:
        if field.value is not None:
            if field.value.kind == "template":
                return Item(None, field.value.line, field.value.column, {}, True, "", field.value.text)
            raise _no_message(field)
        return _message(field.fields, schema, kind, field.line, field.column, "")
    if field.value is None:
        raise TextProtoError(
            f"{field.name} is {_described(kind)}, not a message", field.line, field.column,
            f"{field.name}: {_described(kind)}",
        )  # fmt: skip
    written = field.value
    if written.kind == "template" or (written.kind == "string" and _holds_placeholder(written.text)):
        return Item(written.text, written.line, written.column, template=written.text)
    typed = _value(written, kind)
    if typed is None:
        raise TextProtoError(
            f"{field.name} is {_described(kind)}, not {_quoted(written)}", written.line, written.column,
            _described(kind),
        )  # fmt: skip
    return Item(typed, written.line, written.column)


def _holds_placeholder(text: str) -> bool:
    at = text.find("${")
    return at >= 0 and _placeholder(text, at) > at


def _value(written: Scalar, kind: str) -> Value:
    text = written.text
    if kind in ("string", "bytes"):
        return text if written.kind == "string" else None
    if written.kind == "string":
        return None
    if kind == "bool":
        return {"true": True, "True": True, "t": True, "1": True, "false": False, "False": False, "f": False,
                "0": False}.get(text)  # fmt: skip
    if kind in _RANGES:
        number = _integer(text) if written.kind == "number" else None
        lowest, bits = _RANGES[kind]
        return number if number is not None and lowest <= number < 1 << bits else None
    if kind in ("float", "double"):
        if written.kind == "word":
            return text.lower() if text.lower().lstrip("-") in _INFINITE else None
        number = _integer(text)
        return number if number is not None else float(text.rstrip("fF"))
    names = kind.split("|")
    if written.kind == "word":
        return text if text in names else None
    number = _integer(text)
    return names[number] if number is not None and 0 <= number < len(names) else None


def _integer(text: str) -> int | None:
    """A whole number in C's notation: decimal, octal with a leading 0, hexadecimal with 0x."""
    bare = text.removeprefix("-")
    if len(bare) > 30:
        return None
    sign = -1 if text.startswith("-") else 1
    if bare[:2] in ("0x", "0X"):
        return sign * int(bare[2:], 16)
    if not _DIGITS.issuperset(bare):
        return None
    return sign * (int(bare, 8) if bare[0] == "0" and len(bare) > 1 else int(bare))


def _described(kind: str) -> str:
    if "|" in kind:
        return "one of " + ", ".join(kind.split("|"))
    return {"string": "a text in quotes", "bytes": "a text in quotes", "bool": "true or false",
            "float": "a number", "double": "a number", "int32": "a whole number", "int64": "a whole number",
            "uint32": "a whole number of zero or more", "uint64": "a whole number of zero or more",
            }.get(kind, kind)  # fmt: skip


def _quoted(written: Scalar) -> str:
    text = written.text if len(written.text) <= 40 else written.text[:37] + "..."
    return f'"{text}"' if written.kind == "string" else text


def _no_message(field: Field) -> TextProtoError:
    return TextProtoError(f"{field.name} is a message, not a value", field.line, field.column, f"{field.name} {{ … }}")


def _unknown(field: Field, known: Mapping[str, str], name: str) -> TextProtoError:
    import difflib

    near = difflib.get_close_matches(field.name, known, n=1, cutoff=0.7) if len(field.name) < 80 else []
    expected = f"{near[0]}" if near else f"a field of {name}"
    return TextProtoError(f"a {name} has no field {field.name!r}", field.line, field.column, expected)
