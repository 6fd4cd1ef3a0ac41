"""Arguments of engines, as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from askew.facts.types import Value

# value: exactly one word. switch: present or not. toggle: --x / --no-x (argparse's BooleanOptionalAction).
# optional: zero or one word (nargs="?"). list: words up to the next flag (nargs="+" or "*"). append: repeatable.
# json: one word of JSON, and --x.y=z dotted spellings where the engine has them.
Takes: TypeAlias = Literal["value", "switch", "toggle", "optional", "list", "append", "json"]


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One argument of an engine.

    ``names`` begins with the canonical spelling. Exactly one of ``fact``, ``spreads`` and ``irrelevant`` is given:
    ``fact`` is the fact it states (with ``key`` for one entry of a map fact); ``spreads`` turns the words into several
    ``(fact, key, raw value)``; ``irrelevant`` says why it changes nothing that a fact describes (logging, TLS files,
    documentation paths).
    ``read`` turns the words given into the raw value that the fact's type parses (default: the only word; True for a
    switch). ``implies`` is the value of a switch when it inverts (``--disable-x`` → False) or of ``optional``
    without a word.
    ``since``/``until`` are the first release with it and the first without it; ``replaced_by``
    the argument or advice for those who still write it. ``env`` is the variable that sets the same thing.
    """

    names: tuple[str, ...]
    takes: Takes = "value"
    fact: str = ""
    key: str = ""
    spreads: Callable[[tuple[str, ...]], tuple[tuple[str, str, Value], ...]] | None = None
    irrelevant: str = ""
    read: Callable[[tuple[str, ...]], Value] | None = None
    implies: Value = True
    choices: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    replaced_by: str = ""
    env: str = ""


def whole_number(words: tuple[str, ...]) -> Value:
    """A whole number as ``int`` of Python reads one; other languages near enough."""
    try:
        return int(words[0])
    except ValueError:
        raise ValueError(f"expected a whole number, got {words[0]!r}") from None


def decimal_number(words: tuple[str, ...]) -> Value:
    """A number as ``float`` of Python reads one; other languages near enough."""
    try:
        return float(words[0])
    except ValueError:
        raise ValueError(f"expected a number, got {words[0]!r}") from None
