"""Keyword arguments of a Python call, written in a document, as the words of a command line."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from askew.evidence.document import Node
from askew.evidence.launch import Token


def words(kwargs: Node, *, leave: Collection[str] = ()) -> Iterator[Token]:
    """``max_model_len: 16384`` is ``--max-model-len 16384``: each name at its key, each value where it stands.

    None is left out. True is the switch, False its negation (nothing for ``disable_x``); maps are JSON.
    """
    for key, node in kwargs.items():
        name, value, at = key.replace("_", "-"), node.value, node.key_location
        if value is None or key in leave:
            continue
        if value is True:
            yield Token(f"--{name}", at)
        elif value is False:
            if not key.startswith("disable_"):
                yield Token(f"--no-{name}", at)
        elif isinstance(value, dict):
            yield Token(f"--{name}", at)
            yield Token(_json(node.value), node.location)
        elif isinstance(value, list):
            yield Token(f"--{name}", at)
            for item in node.each():
                text = item.text()
                yield Token(_json(item.value) if text is None else text, item.location)
        else:
            yield Token(f"--{name}", at)
            yield Token(node.text() or "", node.location)


def _json(value: object) -> str:
    return msgspec.json.encode(_plain(value)).decode()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
