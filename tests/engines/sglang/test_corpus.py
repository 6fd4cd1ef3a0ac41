"""How much of real deployments of SGLang is understood: arguments, variables, and nothing refused without reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from askew.app.load import load
from askew.engines import versions
from askew.engines.composed import own_variables
from askew.engines.sglang.engine import ENGINE
from askew.evidence.launch import Launch, Variable
from askew.evidence.location import Location
from askew.evidence.redaction import Redactor

AT = Location("corpus")
# Rendered elsewhere: a file of this kind is no deployment by itself.
NOT_READ = frozenset({"log"})


def files(shared: Path) -> list[Path]:
    lines = (shared / "corpus" / "index.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    return [
        shared / "corpus" / one["file"]
        for one in entries
        if one.get("file") and "sglang" in (one.get("engines") or ()) and one["kind"] not in NOT_READ
    ]


def test_launches_are_understood(shared: Path) -> None:
    mapped = launches = 0
    unmapped: Counter[str] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for file in files(shared):
        for one in load(str(file), "target", Redactor()).snapshots:
            if one.engine is not None and one.engine.name == "sglang" and one.launch is not None:
                reading = ENGINE.read(one.launch)
                launches += 1
                mapped += reading.mapped
                unmapped.update(reading.unmapped)
                refused.update((problem.kind, problem.argument) for problem in reading.problems)
    print(f"{launches} launches, {mapped} arguments understood, {unmapped.total()} not; refused: {dict(refused)}")
    assert launches > 60
    assert unmapped.total() <= 0.03 * (mapped + unmapped.total()), unmapped
    assert not refused


def test_its_variables_are_known(shared: Path) -> None:
    written: Counter[str] = Counter()
    for file in files(shared):
        text = file.read_text(encoding="utf-8", errors="replace")
        written.update(set(re.findall(r"(?<![\w$-])(?:SGLANG|SGL)_[A-Z0-9_]+(?![\w(])", text)))
    env = {name: Variable(name, "1", AT) for name in written}
    reading = ENGINE.read(Launch(argv=(), location=AT, env=env))
    unknown = sum(written[name] for name in reading.strange)
    print(f"{written.total()} variables, {unknown} unknown: {reading.strange}")
    assert written.total() > 40
    assert unknown <= 0.03 * written.total(), reading.strange


def test_a_variable_that_nobody_reads_is_counted_as_strange() -> None:
    known = versions.stable("sglang")
    assert known is not None
    launch = Launch(argv=(), location=AT, env={"SGLANG_NO_SUCH_THING": Variable("SGLANG_NO_SUCH_THING", "1", AT)})
    assert own_variables(launch, ("SGLANG_",), known.variables) == (0, ("SGLANG_NO_SUCH_THING",))
    assert ENGINE.read(launch).strange == ("SGLANG_NO_SUCH_THING",)
