"""Words that tell whose evidence it is, replaced by others of the same length.

A word is kept when Askew itself knows it: it stands in a string of Askew's code or in its data (names of engines,
flags, values, public models, GPUs, clouds, fields of Kubernetes). What Askew does not know can decide nothing but by
being equal to something else, and equal words stay equal, so the analysis stays the same up to names. Everything else
is renamed, in data, lines, paths and messages alike: namespaces, objects, hosts, registries, repositories, people.

Numbers stay, but for addresses, accounts and hexadecimal hashes. Lengths stay, so that every line and column does.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from askew.collectors.interface import Evidence
from askew.engines._index import ENGINES
from askew.evidence.document import Document
from askew.evidence.redaction import Redactor

# Runs of letters, and the words of camelCase in them. Shorter ones than three letters tell nothing.
_WORD = r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+"
_LETTERS = r"[^\W\d_]{3,}"
_HEX = r"(?<![0-9A-Za-z])(?:[0-9a-f]{7,128}|[0-9A-F]{7,128})(?![0-9A-Za-z])"
_UUID = r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z])"
# IPv6 and MAC addresses, and base64 of a certificate, which holds names: mixed letters and digits, and no path.
_GROUPS = (
    r"(?<![0-9A-Za-z:.])(?:[0-9a-fA-F]{1,4}:){3,7}(?::|[0-9a-fA-F]{1,4})(?![0-9A-Za-z:])"
    r"|(?<![0-9A-Za-z:])[0-9a-fA-F]{2,4}(?::[0-9a-fA-F]{1,4}){1,6}::(?:[0-9a-fA-F]{1,4})?"
)
_SOME = "(?=[A-Za-z0-9+/]{0,200}"
_BLOB = rf"(?<![A-Za-z0-9+/]){_SOME}[0-9]){_SOME}[a-z]){_SOME}[A-Z])[A-Za-z0-9+]{{12}}[A-Za-z0-9+/]{{28,}}={{0,2}}"
_KEPT = r"redacted:[0-9a-f]{16}|\\\\|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[A-Za-z]"
_FLAG = r"(?<![A-Za-z0-9_-])--[A-Za-z][A-Za-z0-9_-]*"
_TOKEN = re.compile(
    f"(?P<kept>{_KEPT})|(?P<flag>{_FLAG})|(?P<id>{_UUID}|{_GROUPS}|{_HEX}|{_BLOB})|(?P<word>{_LETTERS})"
)
_PIECE, _RUN = re.compile(_WORD), re.compile(_LETTERS)
# A number of four parts is an address only where something says so: libraries have such versions.
_ADDRESS = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}"
_IN_PLACE = re.compile(rf"(?:(?<=//)|(?<=@)|(?<=\bip-))({_ADDRESS})(?![\d.])|(?<![\d.=])({_ADDRESS})(?=:\d|/\d)")
_WHOLE = re.compile(rf"({_ADDRESS})(?:[:/]\d+)?")
_ADDRESS_KEY = re.compile(r"(?:ip|ips|host|hosts|addr|address|addresses|cidr|cidrs|endpoint|server|master|node)$", re.I)
_EVERYWHERE = frozenset(("0.0.0.0", "127.0.0.1", "255.255.255.255", "169.254.169.254", "8.8.8.8", "1.1.1.1"))
_ACCOUNT = re.compile(r"(?<!\d)(\d{12})(?=\.dkr\.ecr)|(?<=:)(\d{12})(?=:)")
_ALWAYS = (
    "null true false yes none inf nan http https www com org net local svc cluster localhost north south east west"
    " central northeast northwest southeast southwest zone region"
)
_MOST = 20_000_000  # values that are looked through for addresses
_PYTHON = re.compile(
    r"\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|(\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')|#[^\n]*", re.DOTALL
)


def renaming(parts: Sequence[Evidence], redactor: Redactor, also: Sequence[str] = ()) -> Callable[[str], str]:
    """What to put on every string of the evidence. ``also`` are words to rename although Askew knows them. Under one
    key of the redactor, a word has one new name."""
    known = _vocabulary() - {piece.lower() for word in also for piece in re.findall(_LETTERS, word)}
    numbers = {number for part in parts for number in _numbers(part)}
    return _Names(known, numbers, redactor).text


class _Names:
    """The new names: each the same wherever it stands, and no two the same."""

    def __init__(self, known: frozenset[str], numbers: set[str], redactor: Redactor) -> None:
        self._known = known
        self._sorted = sorted(known)
        self._redactor = redactor
        self._words: dict[str, str] = {}
        self._taken: set[str] = set()
        hints = {h for entry in ENGINES.values() for h in entry.hints if len(h) >= 4 and h.isalpha()} & known
        # An engine's name inside a word tells the engine: acmevllm.
        self._inside = re.compile("|".join(sorted(map(re.escape, hints), key=len, reverse=True)), re.IGNORECASE)
        self._numbers: re.Pattern[str] | None = None
        if numbers:
            each = "|".join(re.escape(one) + ("(?!\\.?\\d)" if "." in one else "(?!\\d)") for one in sorted(numbers))
            self._numbers = re.compile(rf"(?<!\d)(?<!\d\.)(?:{each})")

    def text(self, text: str) -> str:
        """``text`` with its words renamed, its length unchanged."""
        out = _TOKEN.sub(self._token, text)
        return out if self._numbers is None else self._numbers.sub(lambda m: self._digits(m[0]), out)

    def _token(self, match: re.Match[str]) -> str:
        found = match[0]
        if match.lastgroup == "kept":
            return found
        if match.lastgroup == "flag":  # engines take the beginning of a flag's word for the word: --mem-frac
            return _RUN.sub(lambda m: m[0] if self._begins(m[0].lower()) else self._run(m[0]), found)
        if match.lastgroup == "word":
            return self._run(found)
        letters = any(char.isalpha() for char in found)
        if not letters or not any(char.isdigit() for char in found):
            return found if found.isdigit() else _PIECE.sub(lambda m: self._piece(m[0]), found)
        return found if found.lower() in self._known else self._spelled(found)

    def _begins(self, word: str) -> bool:
        at = bisect_left(self._sorted, word)
        return at < len(self._sorted) and self._sorted[at].startswith(word)

    def _run(self, letters: str) -> str:
        """A run of letters: kept when it is known as a whole, else word by word."""
        if letters.lower() in self._known:
            return letters
        if not letters.isascii():
            return self._word(letters)
        return _PIECE.sub(lambda m: self._piece(m[0]), letters)

    def _piece(self, word: str) -> str:
        if len(word) < 3 or word.lower() in self._known:
            return word
        if len(word) > 5 and (inside := self._inside.search(word)) is not None:
            before, after = word[: inside.start()], word[inside.end() :]
            return self._piece(before) + inside[0] + self._piece(after)
        return self._word(word)

    def _word(self, word: str) -> str:
        lower = word.lower()
        new = self._words.get(lower)
        if new is None or len(new) != len(word):
            new = self._words[lower] = self._fresh(lower, len(word))
        return "".join(b.upper() if a.isupper() else b for a, b in zip(word, new, strict=True))

    def _fresh(self, word: str, length: int) -> str:
        for attempt in range(10_000):
            drawn = int(self._redactor.keyed("name", f"{word}\0{attempt}"), 16)
            letters: list[str] = []
            while len(letters) < length:
                if not drawn:
                    drawn = int(self._redactor.keyed("more", f"{word}\0{attempt}\0{len(letters)}"), 16) + 1
                drawn, letter = divmod(drawn, 26)
                letters.append(chr(ord("a") + letter))
            new = "".join(letters)
            if new not in self._taken and new not in self._known and new != word:
                break
        self._taken.add(new)
        return new

    def _spelled(self, text: str) -> str:
        """A hash or an identifier: each digit another, each letter one of the same kind."""
        drawn = self._redactor.keyed("id", text.lower())
        while len(drawn) < len(text):
            drawn += self._redactor.keyed("id", drawn)
        hexadecimal = all(char in "0123456789abcdefABCDEF:-" for char in text)
        return "".join(_like(char, int(digit, 16), hexadecimal) for char, digit in zip(text, drawn, strict=False))

    def _digits(self, text: str) -> str:
        """An address or an account: other digits, each number no larger than it may be."""
        drawn = self._redactor.keyed("digits", text)
        if "." not in text:
            return "".join(_like(char, int(digit, 16), False) for char, digit in zip(text, drawn, strict=False))
        parts = []
        for number, part in enumerate(text.split(".")):
            low, high = 10 ** (len(part) - 1) if len(part) > 1 else 0, min(10 ** len(part) - 1, 254)
            parts.append(str(low + int(drawn[number * 4 : number * 4 + 4], 16) % (high - low + 1)))
        return ".".join(parts)


def _like(char: str, drawn: int, hexadecimal: bool) -> str:
    if char.isdigit():
        return str(drawn % 10)
    if not char.isalpha():
        return char
    letter = "abcdef"[drawn % 6] if hexadecimal else chr(ord("a") + drawn)
    return letter.upper() if char.isupper() else letter


def _numbers(part: Evidence) -> Iterator[str]:
    """Addresses and accounts, by where they stand."""
    for text in part.texts:
        yield from _in_text(text.text)
    for document in part.documents:
        yield from _in_document(document)
    for told in (part.uri, part.reason, *(error.message for error in part.errors)):
        yield from _in_text(told)


def _in_text(text: str) -> Iterator[str]:
    for match in (*_IN_PLACE.finditer(text), *_ACCOUNT.finditer(text)):
        found = match[1] or match[2]
        if found not in _EVERYWHERE:
            yield found


def _in_document(document: Document) -> Iterator[str]:
    stack: list[object] = [document.root.value]
    seen: set[int] = set()
    while stack and len(seen) < _MOST:
        value = stack.pop()
        if isinstance(value, str):
            yield from _in_text(value)
        elif isinstance(value, (dict, list)) and id(value) not in seen:
            seen.add(id(value))
            stack.extend(value.values() if isinstance(value, dict) else value)
            for key, child in value.items() if isinstance(value, dict) else ():
                for one in child if isinstance(child, list) else (child,):
                    whole = _WHOLE.fullmatch(one) if isinstance(one, str) and _ADDRESS_KEY.search(key) else None
                    if whole is not None and whole[1] not in _EVERYWHERE:
                        yield whole[1]


@cache
def _vocabulary() -> frozenset[str]:
    """Every word that Askew knows, in lower case: of the strings of its code, not of its comments and explanations, and
    of its data."""
    known = set(_ALWAYS.split())
    for file in _files(resources.files("askew")):
        text = file.read_text(encoding="utf-8")
        if file.name.endswith(".py"):
            text = " ".join(match[1] for match in _PYTHON.finditer(text) if match[1])
        for letters in set(re.findall(_LETTERS, text)):
            known.add(letters.lower())
            known.update(piece.lower() for piece in _PIECE.findall(letters) if len(piece) > 2)
        known.update(re.findall(_HEX, text))
    return frozenset(known)


def _files(folder: Traversable) -> Iterator[Traversable]:
    """Code and data of the package, without the incident of ``askew demo`` and what plug-in authors test with."""
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name not in ("demo", "testing", "__pycache__"):
                yield from _files(entry)
        elif entry.name.endswith((".py", ".json")):
            yield entry
