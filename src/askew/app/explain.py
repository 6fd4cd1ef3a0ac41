"""``askew explain``: every fact, check and category, in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from textwrap import fill

from askew.app import registry
from askew.app.errors import UsageError
from askew.facts.catalogue import FACTS, by_category
from askew.facts.types import Fact
from askew.findings.describe import shown

# Every argument without a fact of its own states it: no single one sets it.
_OTHER_ARGUMENTS = "runtime.arguments.unmapped"
_CATEGORIES = {
    "model": "What is served: identity, source and revision of weights, tokenizer and template.",
    "runtime": "How it is executed: engine, release, precision, limits, parallelism, sampling defaults.",
    "hardware": "What it runs on: accelerators, how many, how they are cut and connected.",
    "serving": "What lies between client and engine: protocols, timeouts, retries, buffering, limits of every hop.",
    "orchestration": "What keeps it running: replicas, autoscaling, resources, scheduling, probes, rollout.",
    "performance": "How it behaves, with the load it was measured at. Compared with a tolerance, never for equality.",
    "governance": "What the contract says of people and data: owner, approval, retention, objectives.",
}


def explain(name: str | None, *, width: int) -> str:
    """The explanation of one name; a list of all names without one. Raises UsageError, with suggestions, for
    an unknown name."""
    width = min(width, 100)
    if not name:
        return "\n".join(_everything(width))
    if name in FACTS:
        return "\n".join(_fact(FACTS[name], width))
    if name in registry.check_names():
        return _check(name)
    if name in _CATEGORIES:
        return "\n".join(_category(name, width))
    inside = [key for key in FACTS if key.startswith(f"{name}.")]
    if inside:
        return "\n".join(_listing(inside, width))
    from difflib import get_close_matches

    names = [*FACTS, *registry.check_names(), *_CATEGORIES]
    wanted = name.lower().replace("_", "-")
    near = get_close_matches(name, names, n=3, cutoff=0.5) or [n for n in names if wanted in n.replace("_", "-")][:3]
    raise UsageError(
        f"nothing is called '{name}'",
        f"did you mean {' or '.join(near)}?" if near else "`askew explain` lists every fact, check and category",
    )


def _everything(width: int) -> Iterator[str]:
    for category, brief in _CATEGORIES.items():
        yield f"{category}: {brief}"
        yield from _listing([fact.key for fact in by_category().get(category, ())], width)  # type: ignore[call-overload]  # literal keys
        yield ""
    yield "checks: rules that need no reference"
    width_of_id = max(map(len, registry.check_names()), default=0)
    for check in registry.checks():
        yield f"  {check.id:<{width_of_id}}  {check.title}"


def _category(name: str, width: int) -> Iterator[str]:
    yield f"{name}: {_CATEGORIES[name]}"
    yield ""
    yield from _listing([key for key in FACTS if key.startswith(f"{name}.")], width)
    about = [check for check in registry.checks() if check.category == name]
    if about:
        yield ""
        yield "checks"
        for check in about:
            yield f"  {check.id}  {check.title}"


def _listing(keys: list[str], width: int) -> Iterator[str]:
    longest = max(map(len, keys), default=0)
    for key in keys:
        brief = FACTS[key].brief
        room = max(20, width - longest - 4)
        yield f"  {key:<{longest}}  {brief if len(brief) <= room else brief[: room - 1] + '…'}"


def _fact(fact: Fact, width: int) -> Iterator[str]:
    yield fact.key
    yield fill(fact.brief, width, initial_indent="  ", subsequent_indent="  ")
    yield ""
    yield fill(f"Why it matters: {fact.why}", width)
    yield ""
    yield f"Type: {fact.type.name}    Severity of a difference: {fact.severity}    Stability: {fact.stability}"
    yield "Examples: " + "; ".join(shown(fact, value) for value in fact.examples)
    if fact.combine == "smallest":
        yield "Effective value: the smallest over the hops between client and engine."
    if fact.observe_with:
        yield fill(
            f"See it: {fact.observe_with}",
            width,
            break_long_words=False,
            break_on_hyphens=False,
            subsequent_indent="        ",
        )
    flags = [
        f"{registry.recognition(name).title}: {flag}"
        for name in registry.engine_names()
        if fact.key != _OTHER_ARGUMENTS and (flag := registry.engine(name).flag_for(fact.key, None))
    ]
    if flags:
        yield fill("Set by: " + ", ".join(flags), width, subsequent_indent="  ", break_on_hyphens=False)
    checks = [check.id for check in registry.checks() if fact.key in check.facts]
    if checks:
        listed = "Checks that read it: " + ", ".join(checks)
        yield fill(listed, width, subsequent_indent="  ", break_on_hyphens=False)
    yield from _unwritten(fact)


def _unwritten(fact: Fact) -> Iterator[str]:
    """What components around the engine do where nobody writes anything, by release."""
    from askew.knowledge.platform_defaults import catalogue

    rows = [row for row in catalogue() if row.fact == fact.key]
    if rows:
        yield "Where nobody writes anything:"
    names = {row.id: f"{row.component} {row.setting}" for row in rows}
    longest = max(map(len, names.values()), default=0)
    for row in rows:
        shown_value = shown(fact, {row.key: row.value} if row.key else row.value)
        ends = (f"from {row.since}" if row.since else "", f"before {row.until}" if row.until else "")
        span = " ".join(end for end in ends if end)
        yield f"  {names[row.id]:<{longest}}  {shown_value}" + (f"  ({span})" if span else "")


def _check(name: str) -> str:
    check = registry.check(name)
    _, _, page = (sys.modules[check.run.__module__].__doc__ or "").partition("\n")  # its first line is the title
    head = (
        f"{check.id}: {check.title}\n"
        f"Severity: {check.severity}    Confidence: {check.confidence}    Category: {check.category}\n"
        f"Reads: {', '.join(check.facts)}\n\n"
    )
    return (
        head
        + page.strip()
        + f"\n\nWaive it: `# askew: ignore[{check.id}] why this is fine` on the line, or [[waiver]] in askew.toml."
    )
