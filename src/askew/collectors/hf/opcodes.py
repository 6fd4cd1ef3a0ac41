"""What a pickle would build, without building it: its opcodes are followed, nothing is looked up and nothing is called.

A class or function is a name, a call is a note of what was to be called and with what. So a pickle can be asked which
names it refers to, which releases of libraries it states and which tensors it describes. Work is bounded by a number of
opcodes and by the bytes there are.
Source: ``pickletools`` of CPython 3.13, Lib/pickletools.py; arrays between opcodes: ``NumpyArrayWrapper`` of joblib,
https://github.com/joblib/joblib/blob/1.5.2/joblib/numpy_pickle.py
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Protocol

from askew.collectors.hf.tensors import MalformedError, shortened

MOST_OPCODES = 3_000_000
_LONGEST_TEXT = 64 * 2**10  # longer ones are no names
_MOST_TEXT = 256 * 2**20  # bytes of texts altogether
_LONGEST_LINE = 4096
_KEPT_BYTES = 4096
_DEEPEST = 8  # pickles in pickles
_ITEM = re.compile(r"([a-zA-Z])(\d+)")


class Source(Protocol):
    """Bytes in their order."""

    def read(self, count: int, /) -> bytes:
        """The next bytes, fewer at the end."""
        ...

    def skip(self, count: int, /) -> None:
        """Pass over bytes. Raises MalformedError where there are not so many."""
        ...


class Global:
    """The name of a class or function."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Call:
    """A call that was to be made, and the state that its result was to get."""

    __slots__ = ("arguments", "items", "state", "what")

    def __init__(self, what: object, arguments: object) -> None:
        self.what, self.arguments = what, arguments
        self.state: object = None
        self.items = Pairs()


class Stored:
    """Something outside the pickle, by the name that the pickle gives it: a storage of torch."""

    __slots__ = ("name",)

    def __init__(self, name: object) -> None:
        self.name = name


class Pairs:
    """A mapping as it is written: keys need not be hashable, and may come twice."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[object, object]] = []

    def get(self, key: str) -> object:
        """The last value of a key; None where there is none."""
        return next((value for name, value in reversed(self.pairs) if name == key), None)


class _Mark:
    __slots__ = ()


_MARK = _Mark()


class Machine:
    """Follows pickles of one source. ``globals`` and ``releases`` grow as they are met."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = MOST_OPCODES
        self._room = _MOST_TEXT
        self._depth = 0
        self.globals: dict[str, Global] = {}
        self.releases: dict[str, set[str]] = {}
        self.protocol = 0

    def run(self) -> object:
        """Follow one pickle to its end; what it describes. Raises MalformedError."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise MalformedError("pickles lie in pickles, too deep")
        try:
            return self._run()
        except (IndexError, struct.error, ValueError, KeyError):
            raise MalformedError("expected a pickle, and its opcodes do not fit together") from None
        finally:
            self._depth -= 1

    def _take(self, count: int) -> bytes:
        data = self._source.read(count)
        if len(data) != count:
            raise MalformedError("the pickle ends before its last opcode")
        return data

    def _number(self, form: str) -> int:
        (value,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return int(value)

    def _line(self, longest: int = _LONGEST_LINE) -> str:
        data = bytearray()
        while (byte := self._take(1)) != b"\n":
            data += byte
            if len(data) > longest:
                raise MalformedError("a line of the pickle has no end")
        self._left -= len(data) // 4  # byte by byte is slow
        return data[:_LONGEST_TEXT].decode("utf-8", "replace")

    def _text(self, length: int) -> str:
        if length > _LONGEST_TEXT:
            self._source.skip(length)
            return ""
        self._room -= length
        if self._room < 0:
            raise MalformedError(f"the pickle holds more than {_MOST_TEXT:,} bytes of texts")
        return self._take(length).decode("utf-8", "replace")

    def _bytes(self, length: int) -> bytes:
        if length > _KEPT_BYTES:
            self._source.skip(length)
            return b""
        return self._take(length)

    def _global(self, module: str, name: str) -> Global:
        found = Global(module, name)
        if len(self.globals) < 10_000:
            self.globals[shortened(str(found))] = found
        return found

    def _run(self) -> object:
        stack: list[object] = []
        memo: dict[int, object] = {}
        simple = _SIMPLE
        while True:
            self._left -= 1
            if self._left < 0:
                raise MalformedError(f"the pickle has more than {MOST_OPCODES:,} opcodes")
            code = self._take(1)
            if (read := simple.get(code)) is not None:
                stack.append(read(self))
            elif code == b".":
                return stack.pop()
            elif code == b"(":
                stack.append(_MARK)
            elif code == b"q":
                memo[self._number("<B")] = stack[-1]
            elif code == b"r":
                memo[self._number("<I")] = stack[-1]
            elif code == b"p":
                memo[int(self._line())] = stack[-1]
            elif code == b"\x94":
                memo[len(memo)] = stack[-1]
            elif code == b"h":
                stack.append(memo[self._number("<B")])
            elif code == b"j":
                stack.append(memo[self._number("<I")])
            elif code == b"g":
                stack.append(memo[int(self._line())])
            else:
                self._act(code, stack)

    def _act(self, code: bytes, stack: list[object]) -> None:
        """The opcodes that take something from the stack."""
        if code in (b"u", b"s"):
            items = _marked(stack) if code == b"u" else [stack.pop(), stack.pop()][::-1]
            self._put(stack[-1], items)
        elif code in (b"e", b"a", b"\x90"):
            added = [stack.pop()] if code == b"a" else _marked(stack)
            if isinstance(stack[-1], list):
                stack[-1].extend(added)
        elif code in (b"t", b"l", b"d", b"\x91"):
            items = _marked(stack)
            if code == b"d":
                made = Pairs()
                self._put(made, items)
                stack.append(made)
            else:
                stack.append(tuple(items) if code == b"t" else items)
        elif code in (b"\x85", b"\x86", b"\x87"):
            count = code[0] - 0x84
            taken = tuple(stack[-count:])
            if len(taken) != count:
                raise IndexError
            stack[-count:] = [taken]
        elif code in (b"R", b"\x81"):
            arguments, what = stack.pop(), stack.pop()
            stack.append(Call(what, arguments))
        elif code == b"\x92":
            _, arguments, what = stack.pop(), stack.pop(), stack.pop()
            stack.append(Call(what, arguments))
        elif code == b"b":
            state = stack.pop()
            self._build(stack[-1], state)
        elif code == b"\x93":
            name, module = stack.pop(), stack.pop()
            stack.append(self._global(str(module), str(name)))
        elif code == b"o":
            what, *arguments = _marked(stack)
            stack.append(Call(what, tuple(arguments)))
        elif code == b"i":
            found = self._global(self._line(), self._line())
            stack.append(Call(found, tuple(_marked(stack))))
        elif code == b"Q":
            stack.append(Stored(stack.pop()))
        elif code == b"0":
            stack.pop()
        elif code == b"1":
            _marked(stack)
        elif code == b"2":
            stack.append(stack[-1])
        elif code == b"\x80":
            self.protocol = max(self.protocol, self._number("<B"))
        elif code == b"\x95":
            self._take(8)  # a frame: the opcodes are in it
        elif code != b"\x98":
            raise MalformedError(f"expected a pickle, found the byte 0x{code[0]:02x} in the place of an opcode")

    def _put(self, target: object, items: list[object]) -> None:
        pairs = target if isinstance(target, Pairs) else target.items if isinstance(target, Call) else None
        for key, value in zip(items[::2], items[1::2], strict=True):
            if key == "_sklearn_version" and isinstance(value, str):
                self.releases.setdefault("scikit-learn", set()).add(value[:40])
            if pairs is not None:
                pairs.pairs.append((key, value))

    def _build(self, target: object, state: object) -> None:
        if not isinstance(target, Call):
            return
        target.state = state
        if str(target.what) == "joblib.numpy_pickle.NumpyArrayWrapper" and isinstance(state, Pairs):
            self._array(state)

    def _array(self, wrapper: Pairs) -> None:
        """The bytes of an array, which joblib writes between the opcodes."""
        dtype = wrapper.get("dtype")
        kind = dtype.arguments[0] if isinstance(dtype, Call) and isinstance(dtype.arguments, tuple) else None
        match = _ITEM.fullmatch(str(kind))
        shape = wrapper.get("shape")
        if match is None or not isinstance(shape, tuple):
            raise MalformedError("an array of joblib does not say how long it is")
        if match[1] == "O":
            self.run()
            return
        size = int(match[2]) * (4 if match[1] == "U" else 1)
        for length in shape:
            if not isinstance(length, int) or not 0 <= length < 2**63:
                raise MalformedError("an array of joblib has no possible shape")
            size *= length
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            self._source.skip(self._number("<B"))
        self._source.skip(size)


def _marked(stack: list[object]) -> list[object]:
    """What lies above the last mark."""
    at = len(stack) - 1
    while stack[at] is not _MARK:
        at -= 1
        if at < 0:
            raise IndexError
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _decimal(text: str) -> object:
    word = text.rstrip("L")
    return {"00": False, "01": True}.get(word, int(word) if len(word) < 400 else 0)


def _long(machine: Machine, length: int) -> int:
    if length > 4096:
        machine._source.skip(length)
        return 0
    return int.from_bytes(machine._take(length), "little", signed=True)


# The opcodes that only put something on the stack.
_SIMPLE: dict[bytes, Callable[[Machine], object]] = {
    b"N": lambda m: None,
    b"\x88": lambda m: True,
    b"\x89": lambda m: False,
    b"}": lambda m: Pairs(),
    b"]": lambda m: [],
    b")": lambda m: (),
    b"\x8f": lambda m: [],
    b"K": lambda m: m._number("<B"),
    b"M": lambda m: m._number("<H"),
    b"J": lambda m: m._number("<i"),
    b"I": lambda m: _decimal(m._line()),
    b"L": lambda m: _decimal(m._line()),
    b"F": lambda m: float(m._line()),
    b"G": lambda m: struct.unpack(">d", m._take(8))[0],
    b"\x8a": lambda m: _long(m, m._number("<B")),
    b"\x8b": lambda m: _long(m, m._number("<I")),
    b"S": lambda m: m._line(MOST_OPCODES).strip("'\""),
    b"V": lambda m: m._line(MOST_OPCODES),
    b"U": lambda m: m._text(m._number("<B")),
    b"T": lambda m: m._text(m._number("<I")),
    b"X": lambda m: m._text(m._number("<I")),
    b"\x8c": lambda m: m._text(m._number("<B")),
    b"\x8d": lambda m: m._text(m._number("<Q")),
    b"C": lambda m: m._bytes(m._number("<B")),
    b"B": lambda m: m._bytes(m._number("<I")),
    b"\x8e": lambda m: m._bytes(m._number("<Q")),
    b"\x96": lambda m: m._bytes(m._number("<Q")),
    b"\x97": lambda m: b"",
    b"c": lambda m: m._global(m._line(), m._line()),
    b"P": lambda m: Stored(m._line()),
    b"\x82": lambda m: m._global("copyreg", f"extension {m._number('<B')}"),
    b"\x83": lambda m: m._global("copyreg", f"extension {m._number('<H')}"),
    b"\x84": lambda m: m._global("copyreg", f"extension {m._number('<I')}"),
}
