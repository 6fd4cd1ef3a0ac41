"""Secrets in metrics stand in the values of labels, and a label with one value stands on very many lines.

Each pair of a label and its value is looked at once, which costs a small part of looking at the whole text.
"""

from __future__ import annotations

import re

import msgspec

from askew.evidence.redaction import Redactor

_PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_.:]*+)\s*+=\s*+"((?:[^"\\]|\\.)*+)"')
_PLAIN = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*+\s++[-+0-9.eEINFnfa]++(?:\s++[-+0-9.eE]++)?+\s*+")
# A sample without the pairs of its labels.
_FRAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*+\s*+\{[,\s]*+\}\s*+[-+0-9.eEINFnfa]++(?:\s++[-+0-9.eE]++)?+\s*+")
_MOST = 200_000  # pairs and lines remembered


class _Entry(msgspec.Struct, omit_defaults=True):
    metric: dict[str, str] = {}
    values: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    histograms: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    histogram: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Data(msgspec.Struct, rename="camel"):
    result: list[_Entry]
    result_type: str = ""


class _Answer(msgspec.Struct):
    """https://prometheus.io/docs/prometheus/latest/querying/api/#expression-query-result-formats"""

    data: _Data
    status: str = ""


class Labels:
    """Redacts labels, and remembers what it made of them."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._known: dict[tuple[str, str], str] = {}

    def value(self, name: str, value: str) -> str:
        """The value of a label, as it is written, without secrets."""
        pair = name, value
        found = self._known.get(pair)
        if found is None:
            found = self._redactor.variable(name, value)
            if len(self._known) < _MOST:
                self._known[pair] = found
        return found


def dump(text: str, redactor: Redactor) -> str:
    """A dump without secrets, with its lines where they were."""
    labels = Labels(redactor)
    lines: dict[str, str] = {}

    def pair(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        return f'{name}="{labels.value(name, value)}"'

    out: list[str] = []
    for line in text.split("\n"):
        if "{" in line and line[:1] != "#":
            # What stands outside of pairs is a name and numbers, or no sample at all: then it is text like any other.
            frame = _FRAME.fullmatch(_PAIR.sub("", line)) is not None
            out.append(_PAIR.sub(pair, line) if frame else _once(line, redactor))
        elif not line or _PLAIN.fullmatch(line) is not None:
            out.append(line)
        else:
            if line not in lines and len(lines) < _MOST:
                lines[line] = _once(line, redactor)
            out.append(lines.get(line) or _once(line, redactor))
    return "\n".join(out)


def _once(line: str, redactor: Redactor) -> str:
    return redactor.text(line).replace("\n", " ")


def answer(body: bytes, redactor: Redactor) -> str:
    """An answer of Prometheus' HTTP API with the labels of its series redacted; where it is none, a redacted text."""
    try:
        read = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return redactor.text(body.decode("utf-8", "replace"))
    labels = Labels(redactor)
    for entry in read.data.result:
        for name, value in entry.metric.items():
            entry.metric[name] = labels.value(name, value)
    return msgspec.json.encode(read).decode()
