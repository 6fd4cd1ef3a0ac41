"""Captured logs as the process wrote them: what carried each line taken off, and without secrets.

``kubectl logs --timestamps``, container runtimes, Docker, journald and log shippers put their own words before a line
or wrap it in JSON; terminals colour it. Lines keep their number: what is taken off leaves blanks, what was split is
joined on its first line and leaves empty ones. Who wrote a line (``[pod/llm-0/vllm]``, ``vllm-1 |``) stays for the
platform.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from askew.evidence.redaction import Redactor, is_secret_name
from askew.evidence.speakers import SPEAKER

# Escape sequences of ECMA-48, and what is left of a colour where a web page dropped the escape character.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]{0,40}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b\n]{0,200}(?:\x07|\x1b\\)|\x1b[@-_]?"
    r"|\[\d{1,2}(?:;\d{1,3}){0,4}m(?!\])|\^\[\[\d{0,2}(?:;\d{1,3}){0,4}m"
)
_LEFT_OF_COLOUR = re.compile(r"\[\d{1,2}(?:;\d{1,3}){0,4}m")
# RFC 3339, as kubectl, Docker and CRI write it: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/logs
_STAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_CRI = re.compile(_STAMP + r" (?:stdout|stderr) (?P<part>[FP])(?::\w+)* ?")
_TIME = re.compile(_STAMP + r" ")
# journalctl -o short, short-iso, short-precise: systemd.journal-fields(7)
_JOURNAL = re.compile(
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,6})?|"
    + _STAMP
    + r") [\w.-]{1,253} [\w@.:/-]{1,64}\[\d{1,10}\]: ?"
)
# What wraps a line in JSON: Docker's json-file, journalctl -o json, Cloud Logging, and common shippers.
_WRAPPED = ("log", "MESSAGE", "textPayload", "message", "msg")
_BESIDE = frozenset(
    (
        "stream",
        "time",
        "timestamp",
        "ts",
        "level",
        "severity",
        "__REALTIME_TIMESTAMP",
        "insertId",
        "@timestamp",
        "kubernetes",
    )
)

_SUSPICIOUS = re.compile(r"token|secret|passw|key|credential|auth|cookie|SAS|PAT\b|_PASS|_PWD", re.IGNORECASE)
_NAME = r"(?<![\w.-])['\"]?(?P<name>[A-Za-z_][\w.-]{0,200})['\"]?\s?[=:]\s?"
_LISTED = re.compile(_NAME + r"(?P<items>(?:Some\()?(?:\[[^\]\n]*(?:\]|$)|\([^)\n]*(?:\)|$))|Some\([^)\n]*(?:\)|$))")
_OPENED = re.compile(_NAME + r"(?:Some\(\s*[\[(]?|[\[(])\s*$")
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|[^\s'\"\[\](),]+")
_GO_ENTRY = re.compile(r"(?<=[\s\[])(?P<name>[A-Za-z_]\w{0,200}):(?P<value>[^\s\]\[]+)")
_NOTHING = frozenset(("None", "null", "nil", "Some", "True", "False", "true", "false"))
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)")
_LINES_OF_A_LIST = 20
_NO_DIGITS = dict.fromkeys(map(ord, "0123456789"))
_SHAPE = 160  # characters without digits by which lines are alike
_FEW = 50
_LONGEST = 32_768  # characters of a line: the settings of an engine, printed in one line, are a third of it
_LONGEST_LIST = 4_096


def clean(text: str, redactor: Redactor) -> str:
    """A log as its process wrote it, without colours, without secrets, and with as many lines as before. Of lines that
    come by the hundred (requests, statistics) the first and the last stay: no line of a start does."""
    return redacted(_without_crowds(plain(text)), redactor)


def clean_bytes(data: bytes, redactor: Redactor, limit: int) -> str:
    """The same of bytes, of which at most ``limit`` were asked for: what was cut off in its midst goes, since half of a
    secret may look like none."""
    if len(data) >= limit:
        data = data[: data.rfind(b"\n") + 1] or data
    return clean(data.decode("utf-8", "replace"), redactor)


def _without_crowds(text: str) -> str:
    lines = text.split("\n")
    alike: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        if len(line) > _LONGEST:
            lines[index] = line = _cut(line)
        if line:
            alike.setdefault(line.translate(_NO_DIGITS)[:_SHAPE], []).append(index)
    for places in alike.values():
        for index in places[_FEW:-_FEW]:
            lines[index] = ""
    return "\n".join(lines)


def _cut(line: str) -> str:
    """A line that is longer than any of a start: up to a blank, so that no half of a secret passes for something else;
    the sign behind it keeps the end from passing for the end."""
    return f"{line[: max(line.rfind(' ', 0, _LONGEST), 0)]} …"


def plain(text: str) -> str:
    """A log without what carried its lines. The number of lines stays; so do columns, as they are seen."""
    lines = text.replace("\0", "").split("\n")
    split: tuple[int, str] | None = None  # a line that the runtime split, and who wrote it
    for index, line in enumerate(lines):
        if not line:
            continue
        found = _line(line)
        lines[index] = found.text
        if split is not None and split[1] == found.speaker:
            if len(lines[split[0]]) <= _LONGEST:  # what is beyond is cut anyway
                lines[split[0]] += found.text[found.start :]
            lines[index] = ""
            split = split if found.goes_on else None
        else:
            split = (index, found.speaker) if found.goes_on else None
    return "\n".join(lines)


class _Line(msgspec.Struct, frozen=True):
    """One line, who wrote it, where its own text starts, and whether the next line is part of it."""

    text: str
    speaker: str = ""
    start: int = 0
    goes_on: bool = False


def _line(line: str) -> _Line:
    if "\x1b" in line or "^[[" in line or ("m" in line and _LEFT_OF_COLOUR.search(line)):
        line = _ESCAPES.sub("", line)
    line = line.rstrip("\r").replace("\r", " ")
    match = SPEAKER.match(line)
    speaker = match[0] if match else ""
    start, goes_on = len(speaker), False
    if line[start : start + 1].isalnum():
        stamp = _CRI.match(line, start)
        goes_on = stamp is not None and stamp["part"] == "P"
        stamp = stamp or _JOURNAL.match(line, start) or _TIME.match(line, start)
        if stamp is not None:
            line = line[:start] + " " * (stamp.end() - start) + line[stamp.end() :]
            start = stamp.end()
    if line.startswith("{", start) and line.endswith("}"):
        said, split = _unwrapped(line[start:])
        if said is not None:
            return _Line(line[:start] + _ESCAPES.sub("", said).replace("\r", " "), speaker, start, split)
    return _Line(line, speaker, start, goes_on)


def _unwrapped(line: str) -> tuple[str | None, bool]:
    """What a JSON object that wraps a line says, None for another one; and whether Docker split a long line there: then
    no line end is in it. https://github.com/moby/moby/tree/master/daemon/logger/jsonfilelog"""
    try:
        entry = msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None, False
    if _BESIDE.isdisjoint(entry):
        return None, False
    fields = entry.get("fields")
    said = next((entry[name] for name in _WRAPPED if isinstance(entry.get(name), str)), None)
    if said is None and isinstance(fields, dict):
        said = fields.get("message")  # tracing-subscriber of Rust
    if not isinstance(said, str):
        return None, False
    docker = isinstance(entry.get("log"), str) and "stream" in entry and "time" in entry
    return said.rstrip("\r\n").replace("\n", " ").replace("\0", ""), docker and not said.endswith("\n")


def redacted(text: str, redactor: Redactor) -> str:
    """A log without secrets, line by line: what the shapes of logs hold (lists of Python and Rust, maps of Go), then
    what any text may hold."""
    if "PRIVATE KEY-----" in text:
        text = _PEM.sub(lambda m: redactor.marker(m[0]) + "\n" * m[0].count("\n"), text)
    lines = text.split("\n")
    opened = 0
    for index, line in enumerate(lines):
        if opened:
            lines[index] = line = _items(line, redactor)
            opened = 0 if "]" in line or ")" in line else opened - 1
        elif _SUSPICIOUS.search(line):
            lines[index] = line = _shapes(line, redactor)
            last = _OPENED.search(line)
            if last is not None and is_secret_name(last["name"]):
                opened = _LINES_OF_A_LIST
                lines[index] = redactor.text(line[: last.start()]) + line[last.start() :]  # what opens is no secret
                continue
        lines[index] = redactor.text(lines[index])
    return "\n".join(lines)


def _shapes(line: str, redactor: Redactor) -> str:
    line = _LISTED.sub(lambda m: _secret(m, "items", lambda items: _items(items, redactor)), line)
    if "map[" in line:
        line = _GO_ENTRY.sub(lambda m: _secret(m, "value", redactor.marker), line)
    return line


def _secret(match: re.Match[str], group: str, replace: Callable[[str], str]) -> str:
    """What was found, the value in it replaced where its name is one of a secret."""
    if not is_secret_name(match["name"]):
        return match[0]
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match[0][:start] + replace(match[0][start:end]) + match[0][end:]


def _items(items: str, redactor: Redactor) -> str:
    if len(items) > _LONGEST_LIST:
        return redactor.marker(items)
    return _STRING.sub(lambda m: _item(m[0], redactor), items)


def _item(word: str, redactor: Redactor) -> str:
    if word in _NOTHING or word.startswith("redacted:"):
        return word
    if word[0] in "'\"" and len(word) > 1:
        return word[0] + (redactor.marker(word[1:-1]) if len(word) > 2 else "") + word[0]
    return redactor.marker(word)
