"""``docs/reference/engines.md``: which engine sets which fact by which argument, and what it cannot express."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from askew.app import registry
from askew.engines.interface import Engine
from askew.evidence.launch import Launch, Token
from askew.evidence.location import Location
from askew.facts.catalogue import FACTS
from askew.facts.types import Fact
from tools.generate.facts import CATCH_ALL, anchor
from tools.generate.markdown import GENERATED, code

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "engines.md"
CATEGORIES = ("model", "runtime", "serving")


def render() -> str:
    """The text of the page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    names = registry.engine_names()
    engines = [registry.engine(name) for name in names]
    titles = [registry.recognition(name).title for name in names]
    filled = [_filled(engine) for engine in engines]
    yield "# Engines"
    yield ""
    yield GENERATED
    yield ""
    yield (
        f"Askew reads {', '.join(titles[:-1])} and {titles[-1]}. The argument is the one of the newest release that "
        "Askew knows; spellings of older releases are read, too."
    )
    yield ""
    yield (
        "`--flag`: the engine's argument or variable. *default*: no argument, but the engine's own default or rule is "
        "known. ✗: the engine cannot express it, for the reason listed below. –: not set by the launch. Facts that no "
        "argument sets (the image, timeouts of proxies, Services) are left out."
    )
    for category in CATEGORIES:
        yield ""
        yield f"## {category}"
        yield ""
        yield "| fact | " + " | ".join(titles) + " |"
        yield "|---|" + "---|" * len(titles)
        for fact in _facts(category):
            cells = [_cell(fact, engine, known) for engine, known in zip(engines, filled, strict=True)]
            if set(cells) == {"–"}:
                continue
            yield f"| [`{fact.key}`](facts.md#{anchor(fact.key)}) | " + " | ".join(cells) + " |"
    yield ""
    yield "## What an engine cannot express"
    for title, engine in zip(titles, engines, strict=True):
        reasons = {
            fact.key: engine.unsupported[fact.key]
            for category in CATEGORIES
            for fact in _facts(category)
            if fact.key in engine.unsupported
        }
        yield ""
        yield f"### {title}"
        yield ""
        if not reasons:
            yield "Nothing of the above."
        for key, reason in reasons.items():
            yield f"- `{key}`: {reason}"


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
