"""A default that one side spells out, and the other leaves to the engine, is no difference.

Options and variables that no fact describes are compared as text, by name. Where only one side names one, the other
side's release tells what it is there by default; without that, writing a default down would look like a change.
"""

from __future__ import annotations

import msgspec

from askew.compare.compare import is_stated
from askew.engines import versions
from askew.engines.versions import JsonData, Release
from askew.resolve.workload import Resolved, Snapshot

_ENV, _OTHER = "runtime.env", "runtime.arguments.unmapped"
_WORDS = {"0": "false", "1": "true", "no": "false", "yes": "true", "off": "false", "on": "true"}


def with_defaults(here: Snapshot, there: Snapshot) -> Snapshot:
    """``here``, with the defaults of those options and variables that only ``there`` states."""
    facts = dict(here.facts)
    for fact in (_ENV, _OTHER):
        stated = there.facts.get(fact)
        if stated is None or fact not in facts or facts[fact].state not in ("known", "absent"):
            continue
        missing = {
            key: one
            for key, one in stated.entries.items()
            if is_stated(one) and one.state == "known" and key not in facts[fact].entries
        }
        release = _release(here) if missing else None
        if release is None:
            continue
        found = {key: filled for key, one in missing.items() if (filled := _default(release, fact, key, one))}
        if found:
            facts[fact] = msgspec.structs.replace(facts[fact], entries={**facts[fact].entries, **found})
    return here if facts == here.facts else msgspec.structs.replace(here, facts=facts)


def _release(snapshot: Snapshot) -> Release | None:
    engine = snapshot.engine
    return versions.load(engine.name, engine.version) if engine is not None else None


def _default(release: Release, fact: str, key: str, stated: Resolved) -> Resolved | None:
    """What the release does with a setting that nobody set, as far as its source writes it down."""
    known = release.variables if fact == _ENV else release.arguments
    entry = known.get(key)
    if entry is None or entry.kind == "rule" or entry.value is None or not isinstance(stated.value, str):
        return None
    text = stated.value if _same(stated.value, entry.value) else _text(entry.value)
    return Resolved(fact=fact, key=key, state="known", value=text, locations=(release.where(entry),))


def _same(text: str, default: JsonData) -> bool:
    """Whether a word means the default: numbers by their value, yes and no by their sense, the rest as JSON or text."""
    if isinstance(default, bool):
        word = text.strip().lower()
        return _WORDS.get(word, word) == ("true" if default else "false")
    if isinstance(default, (int, float)):
        try:
            return float(text) == default
        except ValueError:
            return False
    if isinstance(default, str):
        plain, other = text.strip().lower(), default.strip().lower()
        return plain == other or (_WORDS.get(plain, plain) == _WORDS.get(other, other))
    try:
        return bool(msgspec.json.decode(text) == default)
    except (msgspec.DecodeError, RecursionError):
        return False


def _text(default: JsonData) -> str:
    return default if isinstance(default, str) else msgspec.json.encode(default).decode()
