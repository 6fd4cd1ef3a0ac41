"""How much of real launches of TensorRT-LLM, NIM and LMDeploy the tables know, and what their servers printed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from askew.app import registry
from askew.app.load import load
from askew.engines.nim.variables import INERT, READS, VARIABLES
from askew.engines.tensorrt_llm.flags import BUILD, SERVE
from askew.evidence.redaction import Redactor
from tests.engines.lmdeploy.test_engine import facts as lmdeploy_facts
from tests.engines.nim.test_engine import facts as nim_facts

ENGINES = ("tensorrt-llm", "nim", "lmdeploy")
_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")


@pytest.fixture(scope="module")
def corpus() -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared/corpus"
    if not folder.is_dir():
        pytest.skip("needs the corpus of real manifests at ../shared/corpus")
    return folder


def files(corpus: Path, engine: str) -> Iterator[Path]:
    with (corpus / "index.jsonl").open(encoding="utf-8") as index:
        for line in index:
            entry = json.loads(line)
            if entry.get("file") and engine in (entry.get("engines") or ()):
                yield corpus / entry["file"]


def written_after(text: str, program: str) -> Iterator[str]:
    """The flags of the commands that begin with a program's name at the start of a line."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        match = re.match(rf"[\s\"'>-]*(?:\S+ && )?(?:trtllm-llmapi-launch )?{program}(?= |$)", line)
        if match is None:
            continue
        yield from _FLAG.findall(line[match.end() :].partition(" #")[0])
        for before, later in zip(lines[number:], lines[number + 1 : number + 40], strict=False):
            if not before.rstrip().endswith("\\"):
                break
            yield from _FLAG.findall(later.partition(" #")[0])


def test_arguments_of_the_corpus_are_known(corpus: Path) -> None:
    known = {name for flag in (*SERVE, *BUILD) for name in flag.names}
    found: Counter[str] = Counter()
    for path in files(corpus, "tensorrt-llm"):
        text = path.read_text(encoding="utf-8", errors="replace")
        for program in ("trtllm-serve", "trtllm-build"):
            found.update(written_after(text, program))
    assert sum(found.values()) > 30
    unknown = {name: count for name, count in found.items() if name not in known}
    assert sum(unknown.values()) <= 0.03 * sum(found.values()), unknown


def test_variables_of_the_corpus_are_known(corpus: Path) -> None:
    names = {flag.names[0] for flag in VARIABLES} | set(INERT) | set(READS)
    starts = tuple(name[:-1] for name in names if name.endswith("*"))
    found: Counter[str] = Counter()
    for path in files(corpus, "nim"):
        found.update(re.findall(r"\bNIM_[A-Z0-9_]+", path.read_text(encoding="utf-8", errors="replace")))
    assert sum(found.values()) > 100
    unknown = {name for name in found if name not in names and not name.startswith(starts)}
    assert sum(found[name] for name in unknown) <= 0.03 * sum(found.values()), unknown


@pytest.mark.parametrize("engine", ENGINES)
def test_launches_of_the_corpus_are_read(corpus: Path, engine: str) -> None:
    mapped, missing, read = 0, [], 0
    for path in files(corpus, engine):
        for snapshot in load(str(path), "target", Redactor()).snapshots:
            if snapshot.engine is None or snapshot.engine.name != engine or snapshot.launch is None:
                continue
            reading = registry.engine(engine).read(snapshot.launch)
            read += 1
            mapped += reading.mapped + reading.variables
            missing += [*reading.unmapped, *reading.strange]
    assert read > 0
    assert len(missing) <= 0.03 * (mapped + len(missing)), missing


# What servers printed: the only settings in the logs of these engines that the corpus has are where they listen.
@pytest.mark.parametrize(
    ("file", "found"),
    [
        (
            "files/InternLM__lmdeploy/docs/en/multi_modal/internvl.md.block02.txt",
            lmdeploy_facts("lmdeploy serve api_server OpenGVLab/InternVL2-8B"),
        ),
        (
            "files/NVIDIA__nim-deploy/cloud-service-providers/oracle/blueprints/VSS_Blueprint_on_OKE_Guide.md.block01.txt",
            nim_facts(),
        ),
    ],
)
def test_a_server_listens_where_it_is_said_to(corpus: Path, file: str, found: dict[str, object]) -> None:
    path = corpus / file
    if not path.is_file():
        pytest.skip(f"needs {file} of the corpus")
    printed = re.search(r"Uvicorn running on\s+http://([\d.]+):(\d+)", path.read_text(encoding="utf-8"))
    assert printed is not None
    assert getattr(found["serving.port"], "value", None) == int(printed[2])
    host = found.get("serving.listen_host")
    assert host is None or getattr(host, "value", None) == printed[1]
