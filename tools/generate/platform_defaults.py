"""``docs/reference/platform-defaults.md``: what holds between client and engine where nobody writes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from askew.knowledge.platform_defaults import PlatformDefault, by_component, catalogue
from tools.generate.facts import anchor
from tools.generate.markdown import GENERATED, cell, code

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "platform-defaults.md"


def render() -> str:
    """The text of the page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    rows = catalogue()
    yield "# Platform defaults"
    yield ""
    yield GENERATED
    yield ""
    yield (
        f"A timeout that nobody wrote still ends the request. These {len(rows)} defaults of "
        f"{len({row.component for row in rows})} components are what Askew takes where a manifest shows the component "
        "and not the setting. Each links to the source it was read in. A cluster's administrator may have changed one "
        "where no manifest shows it, so Askew calls what it takes from here *likely* unless the whole configuration is "
        "shown. Defaults of clients and of Cloudflare are listed for your own look: Askew takes none, since "
        "no source shows them."
    )
    for component, found in by_component(rows):
        yield ""
        yield f"## {component}"
        yield ""
        yield "| setting | value | fact | releases | set by | source |"
        yield "|---|---|---|---|---|---|"
        for row in found:
            yield _row(row)


def _row(row: PlatformDefault) -> str:
    value = row.value if isinstance(row.value, str) else msgspec.json.encode(row.value).decode()
    shown = code(value) + (f" (written {code(row.written)})" if row.written else "")
    shown += f"; {cell(row.condition)}" if row.condition else ""
    fact = f"[{code(row.fact)}](facts.md#{anchor(row.fact)})" if row.fact else ""
    span = " ".join((f"from {row.since}" if row.since else "", f"before {row.until}" if row.until else "")).strip()
    return f"| {code(row.setting)} | {shown} | {fact} | {span} | {cell(row.where)} | [{cell(row.read)}]({row.source}) |"


OUTPUTS: Mapping[Path, Callable[[], str]] = {PATH: render}
