"""How much of real launches of SGLang and TGI the tables know."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from askew.engines.arguments import ARGPARSE, CLAP, Table, table
from askew.engines.sglang.flags import flags
from askew.engines.tgi.flags import FLAGS

_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
_KEY = re.compile(r"\s*[A-Za-z][\w.-]*:(\s|$)")
_OTHER_PROGRAM = re.compile(r"sglang_router|mini_lb|launch_lb|bench_serving|genai-bench|mooncake_master|sleep ")


def files(shared: Path, engine: str) -> Iterator[str]:
    with (shared / "corpus" / "index.jsonl").open(encoding="utf-8") as index:
        for line in index:
            entry = json.loads(line)
            if entry.get("file") and engine in (entry.get("engines") or ()):
                yield (shared / "corpus" / entry["file"]).read_text(encoding="utf-8", errors="replace")


def written_after(text: str, start: re.Pattern[str], length: int = 80) -> Iterator[str]:
    """The flags from a program's name to the end of the argument list that it stands in."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        match = start.search(line)
        if match is None:
            continue
        yield from _FLAG.findall(line[match.end() :])
        for later in lines[number + 1 : number + length]:
            key = _KEY.match(later)
            if (
                _OTHER_PROGRAM.search(later)
                or start.search(later)
                or (key and not later.strip().startswith(("args:", "command:")))
            ):
                break
            yield from _FLAG.findall(later.partition(" #")[0])


def unknown_share(found: Counter[str], known: Table) -> tuple[float, list[str]]:
    names = list(known.names)
    unknown = [
        name
        for name in found
        if name not in known.names
        and not (known.dialect.abbreviations and any(full.startswith(name) for full in names))
    ]
    return sum(found[name] for name in unknown) / max(sum(found.values()), 1), unknown


def test_sglang_arguments_of_the_corpus_are_known(shared: Path) -> None:
    program = re.compile(r"(?<![\w.])sglang\.launch_server|(?<![\w/])sglang serve")
    found = Counter(flag for text in files(shared, "sglang") for flag in written_after(text, program))
    assert sum(found.values()) > 500
    share, unknown = unknown_share(found, table(flags(), ARGPARSE, title="SGLang"))
    assert share <= 0.03, unknown


def test_tgi_arguments_of_the_corpus_are_known(shared: Path) -> None:
    program = re.compile(r"text-generation-launcher|image:.*(?:text-generation-inference|tgi-gaudi)")
    found: Counter[str] = Counter()
    for text in files(shared, "tgi"):
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if program.search(line):
                for near in lines[number : number + 40]:
                    if near is not line and re.search(r"\bimage:", near):
                        break
                    if re.search(r"command:|args:|^\s*- \"?--|launcher", near):
                        found.update(_FLAG.findall(near))
    assert sum(found.values()) > 20
    share, unknown = unknown_share(found, table(FLAGS, CLAP, title="TGI"))
    assert share <= 0.03, unknown
