"""Metrics that queries ask of an engine, and whether a release of it emits them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from askew.engines import versions
from askew.engines.versions import Metric

_SUFFIXES = ("_total", "_bucket", "_sum", "_count", "_created")


def asked(engine: str, texts: Iterable[str]) -> tuple[str, ...]:
    """The metrics of ``engine``, of whichever release, that texts name: queries, names of metrics. Sorted.

    Prometheus' suffixes belong to a name, and adapters write ``_`` for its colon.
    """
    known = _names(engine)
    words = {word for text in texts for word in re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*", text)}
    found = set()
    for word in words:
        plain = word.replace(":", "_")
        for suffix in ("", *_SUFFIXES):
            if plain.endswith(suffix) and (name := known.get(plain.removesuffix(suffix))):
                found.add(name)
    return tuple(sorted(found))


def emitted(engine: str, version: str | None, core: str = "") -> Mapping[str, bool] | None:
    """Metrics of all releases of ``engine`` by name: whether this one emits each unless a switch brings back what is
    hidden. None where the release is not in this build. ``core`` is the generation of the engine that runs.
    """
    release = versions.load(engine, version)
    if release is None or not release.metrics:
        return None
    return {name: _is_emitted(release.metrics.get(name), core) for name in set(_names(engine).values())}


def successor(engine: str, version: str | None, name: str) -> str:
    """The metric of the same meaning that the release emits in place of one that it does not; empty where none is
    known."""
    past, release = versions.history(engine), versions.load(engine, version)
    if past is None or release is None:
        return ""
    heirs = [state.heir for _, state in past.metrics.get(name, ()) if state is not None and state.heir]
    return next((heir for heir in reversed(heirs) if _is_emitted(release.metrics.get(heir), "")), "")


def _is_emitted(metric: Metric | None, core: str) -> bool:
    return metric is not None and not metric.hidden and (not metric.core or not core or metric.core == core)


@lru_cache(maxsize=8)
def _names(engine: str) -> Mapping[str, str]:
    """Name as an adapter writes it, without suffix → name."""
    past = versions.history(engine)
    return {} if past is None else {_plain(name): name for name in past.metrics}


def _plain(name: str) -> str:
    return name.removesuffix("_total").replace(":", "_")
