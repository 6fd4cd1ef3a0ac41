"""Options that only one side writes: what the other side's release does where nobody writes them.

An option without a fact of its own is compared as text. Where one deployment writes it and the other leaves it to the
engine, the other side's text is the literal default of its release: a default that is spelled out is no difference, and
any other is shown with both values.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from askew.engines import versions
from askew.engines.versions import Default, Release
from askew.facts.types import Value
from askew.resolve.workload import Resolved, Snapshot

_FACTS = ("runtime.arguments.unmapped", "runtime.env")
_WRITTEN = ("explicit", "env", "config-file", "contract", "lock")
_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("0", "false", "no", "off"), "0"),
    **dict.fromkeys(("1", "true", "yes", "on"), "1"),
}


def with_defaults(here: Snapshot, there: Snapshot) -> Snapshot:
    """``here`` with the defaults of its release for the options that ``there`` writes and ``here`` does not.

    Of two releases also for those that are always in force and whose default is another one.
    """
    if here.engine is None or there.engine is None or here.engine.name != there.engine.name or here.launch is None:
        return here
    added = _moved(here.engine.name, here, there)
    for fact in _FACTS:
        known, written = here.facts.get(fact), there.facts.get(fact)
        if known is not None and known.state not in ("known", "absent"):
            added.pop(fact, None)
            continue
        if written is None:
            continue
        for key, entry in written.entries.items():
            if entry.origin in _WRITTEN and entry.state == "known" and (known is None or key not in known.entries):
                found = _default(here.engine.name, _release(here), fact, key, entry.value)
                if found is not None:
                    added.setdefault(fact, {})[key] = found
    if not added:
        return here
    facts = dict(here.facts)
    for fact, more in added.items():
        known = here.facts.get(fact)
        entries = {**(known.entries if known is not None else {}), **more}
        base = known if known is not None else Resolved(fact=fact, state="known")
        value: Value = {key: one.value for key, one in entries.items() if one.state == "known"}
        facts[fact] = msgspec.structs.replace(base, state="known", value=value, entries=entries)
    return msgspec.structs.replace(here, facts=facts)


def _moved(engine: str, here: Snapshot, there: Snapshot) -> dict[str, dict[str, Resolved]]:
    """The options that are always in force, that neither side writes, and whose default is not that of ``there``."""
    mine, other = (versions.load(engine, _release(one)) for one in (here, there))
    found: dict[str, dict[str, Resolved]] = {}
    if mine is None or other is None or mine.version == other.version:
        return found
    for name, effect in versions.effects(engine).items():
        fact = _FACTS[0] if name.startswith("--") else _FACTS[1]
        if not effect.always or any(_has(one, fact, name) for one in (here, there)):
            continue
        state, before = _state(mine, name), _state(other, name)
        if state is None or before is None or "rule" in (state.kind, before.kind):
            continue
        if None not in (state.value, before.value) and not _same(_text(before.value), state.value):
            found.setdefault(fact, {})[name] = Resolved(
                fact=fact, state="known", key=name, value=_text(state.value), locations=(mine.where(state),)
            )
    return found


def _release(snapshot: Snapshot) -> str | None:
    version = snapshot.engine.version if snapshot.engine is not None else None
    return version.removeprefix("b") if version else None


def _has(snapshot: Snapshot, fact: str, key: str) -> bool:
    known = snapshot.facts.get(fact)
    return known is not None and (known.state not in ("known", "absent") or key in known.entries)


def _default(engine: str, version: str | None, fact: str, key: str, written: Value) -> Resolved | None:
    near = versions.nearest(engine, version)
    if near is None or not isinstance(written, str) or not written:
        return None
    release, exact = near
    state = _state(release, key)
    if state is None or state.kind == "rule" or state.value is None or isinstance(state.value, dict):
        return None
    return Resolved(
        fact=fact,
        state="known",
        key=key,
        value=written if _same(written, state.value) else _text(state.value),
        confidence="certain" if exact else "likely",
        locations=(release.where(state),),
    )


def _state(release: Release, key: str) -> Default | None:
    found = release.variables.get(key) or release.arguments.get(key)
    return found or next((one for one in release.arguments.values() if key in one.names), None)


def _same(written: str, default: object) -> bool:
    """Whether a text is this default in another spelling: ``8192``, ``1.0`` and ``1``, ``True`` and ``1``."""
    plain = _text(default)
    if written == plain:
        return True
    if written.lower() in _WORDS:
        return _WORDS[written.lower()] == _WORDS.get(plain.lower())
    try:
        return float(written) == float(plain)
    except ValueError:
        return False


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
