"""``docs/reference/engines.md``: which engine sets which fact by which argument, and what it cannot express."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

import msgspec

from askew.app import registry
from askew.engines import versions
from askew.engines.interface import Engine, Family, Recognition
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Fact
from tools.generate.facts import CATCH_ALL, anchor
from tools.generate.markdown import GENERATED, code

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "engines.md"
# Written by `python -m tools.coverage`, which needs a corpus of real files.
MEASURED = Path(__file__).resolve().parents[1] / "coverage" / "measured.json"
CATEGORIES = ("model", "runtime", "serving")


class Share(msgspec.Struct, frozen=True):
    """How much of the launches of one engine is known: arguments and variables, and those that a table knows."""

    launches: int
    total: int
    known: int


def render() -> str:
    """The text of the page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    groups = [(family, _engines(family)) for family in get_args(Family)]
    yield "# Engines"
    yield ""
    yield GENERATED
    yield ""
    yield (
        "What Askew reads of each engine: which releases it knows the defaults of, how much of real launches it "
        "understands ([measured](coverage.md) on public deployment files), and which argument states which fact."
    )
    yield ""
    yield from _releases([one for _, engines in groups for one in engines])
    yield ""
    yield (
        "Below, the argument is the one of the newest release that Askew knows; spellings of older releases are read, "
        "too. `--flag`: the engine's argument, variable or setting. *default*: no argument, but the engine's own "
        "default or rule is known. ✗: the engine cannot express it, for the reason listed at the end. –: not set by "
        "the launch. Facts that no argument sets (the image, timeouts of proxies, Services) are left out."
    )
    for family, engines in groups:
        for category in CATEGORIES:
            yield from _matrix(f"{family}: {category}", engines, _facts(category))
    yield ""
    yield "## What an engine cannot express"
    for title, engine in ((known.title, engine) for _, engines in groups for known, engine in engines):
        reasons: dict[str, list[str]] = {}
        for category in CATEGORIES:
            for fact in _facts(category):
                if fact.key in engine.unsupported:
                    reasons.setdefault(engine.unsupported[fact.key], []).append(f"`{fact.key}`")
        yield ""
        yield f"### {title}"
        yield ""
        if not reasons:
            yield "Nothing of the above."
        for reason, keys in reasons.items():
            yield f"- {', '.join(keys)}: {reason}"


def _engines(family: Family) -> list[tuple[Recognition, Engine]]:
    known = [registry.recognition(name) for name in registry.engine_names()]
    chosen = sorted((one for one in known if one.family == family), key=lambda one: one.title.lower())
    return [(one, registry.engine(one.name)) for one in chosen]


def _releases(engines: Sequence[tuple[Recognition, Engine]]) -> Iterator[str]:
    measured = msgspec.json.decode(MEASURED.read_bytes(), type=dict[str, Share]) if MEASURED.exists() else {}
    yield "| engine | id | releases known | launches measured | arguments and variables known |"
    yield "|---|---|---|---:|---:|"
    for known, _ in engines:
        releases = versions.releases(known.name)
        span = f"{releases[0]} to {releases[-1]} ({len(releases)})" if releases else "–"
        share = measured.get(known.name)
        seen = f"{share.launches} | {share.known / share.total:.1%}" if share and share.total else "– | –"
        yield f"| {known.title} | `{known.name}` | {span} | {seen} |"


def _matrix(title: str, engines: Sequence[tuple[Recognition, Engine]], facts: Sequence[Fact]) -> Iterator[str]:
    filled = [_filled(engine) for _, engine in engines]
    yield ""
    yield f"## {title[0].upper()}{title[1:]}"
    yield ""
    yield "| fact | " + " | ".join(known.title for known, _ in engines) + " |"
    yield "|---|" + "---|" * len(engines)
    for fact in facts:
        cells = [_cell(fact, engine, known) for (_, engine), known in zip(engines, filled, strict=True)]
        if set(cells) <= {"–", "✗"}:
            continue
        yield f"| [`{fact.key}`](facts.md#{anchor(fact.key)}) | " + " | ".join(cells) + " |"


def _facts(category: str) -> list[Fact]:
    return [
        fact
        for fact in FACTS.values()
        if fact.milestone == 1
        and fact.category == category
        and fact.key not in CATCH_ALL
        and not fact.key.startswith(("runtime.image", "runtime.engine"))
    ]


def _cell(fact: Fact, engine: Engine, filled: frozenset[str]) -> str:
    flag = engine.flag_for(fact.key, None)
    if flag:
        return code(flag)
    if fact.key in engine.unsupported:
        return "✗"
    return "*default*" if fact.key in filled else "–"


def _filled(engine: Engine) -> frozenset[str]:
    """The facts that a launch without arguments already states or has a rule for."""
    place = Location("launch")
    reading = engine.read(Launch(argv=(), location=place, image=Token("engine", place), implicit_entrypoint=True))
    return frozenset((*(o.fact for o in reading.observations), *(rule.fact for rule in reading.rules)))


OUTPUTS: Mapping[Path, Callable[[], str]] = {PATH: render}
