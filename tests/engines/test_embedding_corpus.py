"""How much of real launches of TEI, and of the variables around TGI and TEI, the tables know."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from askew.engines import versions
from askew.engines.arguments import CLAP, table
from askew.engines.tei.flags import FLAGS, OTHERS, VARIABLES

_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
_PROGRAM = re.compile(r"text-embeddings-router|image:.*text-embeddings-inference|image:.*tei-gaudi")


def files(shared: Path) -> Iterator[str]:
    with (shared / "corpus" / "index.jsonl").open(encoding="utf-8") as index:
        for line in index:
            entry = json.loads(line)
            if entry.get("file") and "tei" in (entry.get("engines") or ()):
                yield (shared / "corpus" / entry["file"]).read_text(encoding="utf-8", errors="replace")


def near(text: str) -> Iterator[str]:
    """Lines of a container after the one that names TEI, up to the next image."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if _PROGRAM.search(line):
            yield line
            for later in lines[number + 1 : number + 40]:
                if re.search(r"\bimage:", later):
                    break
                yield later


def test_arguments_of_the_corpus_are_known(shared: Path) -> None:
    known = table(FLAGS, CLAP, title="TEI").names
    found: Counter[str] = Counter()
    for text in files(shared):
        for line in near(text):
            if re.search(r"command:|args:|^\s*- \"?--|router", line):
                found.update(_FLAG.findall(line))
    assert sum(found.values()) > 20
    unknown = {name: count for name, count in found.items() if name not in known}
    assert sum(unknown.values()) <= 0.03 * sum(found.values()), unknown


def test_variables_that_tei_reads_are_known(shared: Path) -> None:
    looked_at = versions.stable("tei")
    assert looked_at is not None
    tables = {flag.env for flag in FLAGS if flag.env} | {flag.names[0] for flag in VARIABLES} | set(OTHERS)
    read = set(looked_at.variables)
    used: Counter[str] = Counter()
    for text in files(shared):
        for line in near(text):
            match = re.match(r"\s*-?\s*(?:name:\s*)?([A-Z][A-Z0-9_]+)\s*(?::|=|$)", line)
            if match and match[1] in read:
                used[match[1]] += 1
    inert = {name for name in used if name.startswith("HF_") or name == "HUGGING_FACE_HUB_TOKEN"}
    unknown = {name: count for name, count in used.items() if name not in tables and name not in inert}
    assert sum(unknown.values()) <= 0.03 * max(sum(used.values()), 1), unknown


def test_every_variable_that_a_release_reads_is_in_a_table_or_general() -> None:
    looked_at = versions.stable("tei")
    assert looked_at is not None
    tables = {flag.env for flag in FLAGS if flag.env} | {flag.names[0] for flag in VARIABLES} | set(OTHERS)
    rest = {name for name in looked_at.variables if name not in tables and not name.startswith("HF_")}
    assert rest == set()
